//! Samples as pixels.

use ndarray::{Array3, ArrayView3};

use crate::error::{Error, Result};

/// The image `[channels, height, width]` as RGBA bytes `[height, width, 4]`, rows from the top.
///
/// A value becomes `round(255·clamp((x − low)/(high − low), 0, 1))`, ties to even, in the encoding that the model was trained
/// on (sRGB, as a rule): nothing is converted. One channel is replicated to three; alpha is straight, and 255 where the
/// image has none.
///
/// # Errors
/// [`Error::Argument`] unless there are 1, 3 or 4 channels.
pub fn rgba8(image: ArrayView3<'_, f32>, range: [f32; 2]) -> Result<Array3<u8>> {
    let (channels, height, width) = image.dim();
    let source = match channels {
        1 => [Some(0), Some(0), Some(0), None],
        3 => [Some(0), Some(1), Some(2), None],
        4 => [Some(0), Some(1), Some(2), Some(3)],
        _ => return Err(Error::argument("image", format!("{channels} channels; 1, 3 and 4 can be drawn"))),
    };
    let [low, high] = range;
    Ok(Array3::from_shape_fn((height, width, 4), |(y, x, channel)| match source[channel] {
        Some(from) => (((image[[from, y, x]] - low) / (high - low)).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8,
        None => 255,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn values_are_rounded_to_even_and_clamped() {
        // 0 is the one tie that f32 can hold: 255·½ = 127.5, and 128 is even.
        let values = [-2.0, -1.0, 1.0, 7.0, 0.0, 0.003, -0.003];
        let image = Array3::from_shape_vec((1, 1, 7), values.to_vec()).unwrap();
        let pixels = rgba8(image.view(), [-1.0, 1.0]).unwrap();
        let grey: Vec<u8> = (0..7).map(|x| pixels[[0, x, 0]]).collect();
        assert_eq!(grey, [0, 0, 255, 255, 128, 128, 127]);
        assert_eq!(pixels[[0, 2, 1]], 255, "grey is replicated");
        assert_eq!(pixels[[0, 0, 3]], 255, "alpha is opaque where there is none");
    }

    #[test]
    fn channels_come_first_and_alpha_is_kept() {
        let image = Array3::from_shape_fn((4, 2, 3), |(c, y, x)| (c * 6 + y * 3 + x) as f32);
        let pixels = rgba8(image.view(), [0.0, 255.0]).unwrap();
        assert_eq!(pixels[[1, 2, 0]], 5);
        assert_eq!(pixels[[1, 2, 3]], 23);
        assert!(rgba8(Array3::zeros((2, 1, 1)).view(), [0.0, 1.0]).is_err());
    }
}
