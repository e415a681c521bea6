//! Samples as pixels: 8-bit RGBA from samples and back, and previews of latents.

use ndarray::{Array3, ArrayView3, ArrayViewMut3, Axis};

use crate::error::{Error, Result};
use crate::model::{Kind, Sample};
use crate::tensor::make_room;

/// The layout of pixels in a caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The distance between rows in bytes; at least 4·width.
    pub stride: usize,
    /// Whether rows go from the bottom up instead of from the top down.
    pub bottom_up: bool,
    /// Whether a pixel is blue, green, red, alpha instead of red, green, blue, alpha.
    pub bgra: bool,
}

/// Converts the image `[channels, height, width]` to RGBA bytes `[height, width, 4]`, rows from the top. It converts as
/// [`rgba8_into`] does.
///
/// ```
/// # fn main() -> diffuse::Result<()> {
/// let image = ndarray::arr3(&[[[-1.0]], [[0.5]], [[1.0]]]); // one pixel: its red, green and blue
/// let pixels = diffuse::stage::pixels::rgba8(image.view(), [-1.0, 1.0])?;
/// assert_eq!(pixels.into_raw_vec_and_offset().0, [0, 191, 255, 255]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Argument`] unless there are 1, 3 or 4 channels and `range` rises.
pub fn rgba8(image: ArrayView3<'_, f32>, range: [f32; 2]) -> Result<Array3<u8>> {
    let (_, height, width) = image.dim();
    let mut pixels = Array3::zeros((height, width, 4));
    let layout = Layout { stride: 4 * width, bottom_up: false, bgra: false };
    rgba8_into(image, range, pixels.as_slice_mut().unwrap_or_default(), layout)?;
    Ok(pixels)
}

/// Writes the image `[channels, height, width]` to `out`, four bytes a pixel. Bytes between the rows are left alone.
///
/// A value x becomes `round(255·clamp((x − low)/(high − low), 0, 1))`, ties to even. The colour encoding is the one
/// that the model was trained on, which is sRGB as a rule. Nothing is converted. A single channel is copied to all
/// three colours. Alpha is straight, and 255 where the image has none.
///
/// # Errors
/// [`Error::Argument`] unless there are 1, 3 or 4 channels, `range` rises, and the rows fit into `out`.
pub fn rgba8_into(image: ArrayView3<'_, f32>, range: [f32; 2], out: &mut [u8], layout: Layout) -> Result<()> {
    let (channels, height, width) = image.dim();
    let source = match channels {
        1 => [Some(0), Some(0), Some(0), None],
        3 => [Some(0), Some(1), Some(2), None],
        4 => [Some(0), Some(1), Some(2), Some(3)],
        _ => return Err(Error::argument("image", format!("{channels} channels; 1, 3 and 4 can be drawn"))),
    };
    let [low, high] = range;
    check_range(range)?;
    // In f64 the difference of two f32 is finite.
    let extent = f64::from(high) - f64::from(low);
    let Layout { stride, bottom_up, bgra } = layout;
    if height == 0 || width == 0 {
        return Ok(());
    }
    check_rows(width, height, stride, out.len())?;
    for (y, row) in out.chunks_mut(stride).take(height).enumerate() {
        let y = if bottom_up { height - 1 - y } else { y };
        for (x, pixel) in row.chunks_exact_mut(4).take(width).enumerate() {
            for (channel, byte) in pixel.iter_mut().enumerate() {
                let channel = if bgra && channel < 3 { 2 - channel } else { channel };
                *byte = match source[channel] {
                    Some(from) => {
                        let share = (f64::from(image[[from, y, x]]) - f64::from(low)) / extent;
                        (share.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8
                    }
                    None => 255,
                };
            }
        }
    }
    Ok(())
}

/// How samples are shown.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Look {
    /// They are pixels, with these values for black and white.
    Pixels([f32; 2]),
    /// They are latents. This matrix shows them ([`Sample::preview`](crate::model::Sample::preview)). Without one,
    /// their first three channels do.
    Latents(Option<[Vec<f32>; 3]>),
    /// They cannot be shown.
    Values,
}

impl Look {
    /// How the samples of a model with this manifest are shown.
    #[must_use]
    pub fn of(sample: &Sample) -> Self {
        match sample.kind() {
            Kind::Image => Self::Pixels(sample.range().unwrap_or([-1.0, 1.0])),
            Kind::Latent => Self::Latents(sample.preview.clone()),
            Kind::Points | Kind::Tensor => Self::Values,
        }
    }
}

/// How latents without a matrix are shown, in words.
pub const STRETCHED: &str = "a preview of latents: the first three channels, each from its least value to its greatest";

/// How latents with a matrix are shown, in words.
pub const BY_MATRIX: &str = "a preview of latents: by the matrix of the manifest";

/// Shows roughly what latents `[channels, height, width]` look like: `[3, height, width]`, black at −1 and white at 1.
///
/// The `matrix` ([`Sample::preview`](crate::model::Sample::preview)) gives the colours. Without a matrix they are the
/// first three channels, the last one repeated where there are fewer. Each is stretched from its least value to its
/// greatest. A channel that is the same everywhere is grey.
///
/// # Errors
/// [`Error::Memory`] if there is no memory for it.
pub fn latent_preview(latent: ArrayView3<'_, f32>, matrix: Option<&[Vec<f32>; 3]>) -> Result<Array3<f32>> {
    let (channels, height, width) = latent.dim();
    let mut values = Vec::new();
    make_room(&mut values, 3 * height * width)?;
    for colour in 0..3 {
        let Some(rows) = matrix else {
            let plane = latent.index_axis(Axis(0), colour.min(channels.saturating_sub(1)));
            let [least, most] = plane
                .iter()
                .fold([f32::INFINITY, f32::NEG_INFINITY], |[least, most], value| [least.min(*value), most.max(*value)]);
            let extent = f64::from(most) - f64::from(least);
            let stretched = |value: &f32| ((f64::from(*value) - f64::from(least)) / extent * 2.0 - 1.0) as f32;
            values.extend(plane.iter().map(|value| if extent > 0.0 { stretched(value) } else { 0.0 }));
            continue;
        };
        let row = &rows[colour];
        let summand = row.get(channels).copied().unwrap_or(0.0);
        for y in 0..height {
            for x in 0..width {
                let terms = row.iter().take(channels).enumerate();
                let sum = terms.map(|(channel, factor)| f64::from(*factor) * f64::from(latent[[channel, y, x]]));
                values.push((f64::from(summand) + sum.sum::<f64>()) as f32);
            }
        }
    }
    Array3::from_shape_vec((3, height, width), values).map_err(|error| Error::argument("latent", error.to_string()))
}

/// Fills the image `[channels, height, width]` from the bytes in `pixels`, laid out as [`rgba8_into`] writes them.
///
/// A value becomes `low + (high − low)·byte/255`, which converts back to the same byte. A single channel is the luma
/// `0.299·R + 0.587·G + 0.114·B` (ITU-R BT.601).
///
/// An image of one or three channels has no alpha. There, pixels that are not opaque are laid over white:
/// `byte·alpha/255 + 255 − alpha`. So the hidden colour of a transparent pixel is not used. Opaque pixels are taken as
/// they are.
///
/// # Errors
/// As [`rgba8_into`].
pub fn from_rgba8(pixels: &[u8], layout: Layout, range: [f32; 2], mut image: ArrayViewMut3<'_, f32>) -> Result<()> {
    let (channels, height, width) = image.dim();
    if !matches!(channels, 1 | 3 | 4) {
        return Err(Error::argument("image", format!("{channels} channels; 1, 3 and 4 can be made of pixels")));
    }
    let Layout { stride, bottom_up, bgra } = layout;
    check_rows(width, height, stride, pixels.len())?;
    check_range(range)?;
    let [low, high] = range.map(f64::from);
    let value = |byte: f64| (low + (high - low) * (byte / 255.0)) as f32;
    for y in 0..height {
        let row = &pixels[if bottom_up { height - 1 - y } else { y } * stride..];
        for x in 0..width {
            let [first, g, third, alpha] = [0, 1, 2, 3].map(|i| f64::from(row[4 * x + i]));
            // An opaque pixel does not even change by rounding.
            let over_white = |byte: f64| if alpha < 255.0 { byte * alpha / 255.0 + (255.0 - alpha) } else { byte };
            let [first, g, third] = if channels == 4 { [first, g, third] } else { [first, g, third].map(over_white) };
            let [r, b] = if bgra { [third, first] } else { [first, third] };
            if channels == 1 {
                image[[0, y, x]] = value(0.299 * r + 0.587 * g + 0.114 * b);
            } else {
                [r, g, b, alpha]
                    .iter()
                    .take(channels)
                    .enumerate()
                    .for_each(|(c, byte)| image[[c, y, x]] = value(*byte));
            }
        }
    }
    Ok(())
}

fn check_range([low, high]: [f32; 2]) -> Result<()> {
    if low < high && low.is_finite() && high.is_finite() {
        return Ok(());
    }
    Err(Error::argument("range", format!("[{low}, {high}]; the first must be below the second, both finite")))
}

/// Checks that `height` rows of `width` pixels, `stride` bytes apart, fit into `length` bytes.
fn check_rows(width: usize, height: usize, stride: usize, length: usize) -> Result<()> {
    if height == 0 || width == 0 {
        return Ok(());
    }
    if stride < 4 * width {
        return Err(Error::argument("stride", format!("{stride}; a row of {width} pixels takes {} bytes", 4 * width)));
    }
    let needed = stride.checked_mul(height - 1).and_then(|bytes| bytes.checked_add(4 * width));
    if needed.is_none_or(|needed| length < needed) {
        let needed = needed.map_or("more than any memory holds".into(), |needed| needed.to_string());
        let reason = format!("{length} bytes; {height} rows of stride {stride} take {needed}");
        return Err(Error::argument("length", reason));
    }
    Ok(())
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
        assert!(rgba8(Array3::zeros((1, 1, 1)).view(), [1.0, 1.0]).is_err());
        assert_eq!(rgba8(Array3::from_elem((1, 1, 1), 3e38).view(), [-3e38, 3e38]).unwrap()[[0, 0, 0]], 255);
    }

    #[test]
    fn layouts_move_pixels_and_leave_gaps_alone() {
        let image = Array3::from_shape_fn((3, 2, 2), |(c, y, x)| (100 * y + 10 * x + c) as f32);
        let draw = |length, stride, bottom_up, bgra| {
            let mut out = vec![7; length];
            rgba8_into(image.view(), [0.0, 255.0], &mut out, Layout { stride, bottom_up, bgra }).map(|()| out)
        };
        let gap = [7, 7];
        let rows = [[0, 1, 2, 255, 10, 11, 12, 255], [100, 101, 102, 255, 110, 111, 112, 255]];
        assert_eq!(draw(18, 10, false, false).unwrap(), [&rows[0][..], &gap, &rows[1]].concat());
        assert_eq!(draw(18, 10, true, false).unwrap(), [&rows[1][..], &gap, &rows[0]].concat());
        assert_eq!(draw(16, 8, false, true).unwrap()[..8], [2, 1, 0, 255, 12, 11, 10, 255]);
        assert!(draw(17, 10, false, false).is_err(), "the last row does not fit");
        assert!(draw(100, 7, false, false).is_err(), "rows overlap");
        assert!(draw(100, usize::MAX, false, false).is_err());
    }

    #[test]
    fn pixels_come_back_as_they_were() {
        let bytes: Vec<u8> = (0..4 * 6 * 5 + 8).map(|i| (i * 37 % 256) as u8).collect();
        for (bottom_up, bgra) in [(false, false), (true, false), (false, true)] {
            let layout = Layout { stride: 28, bottom_up, bgra };
            for range in [[-1.0, 1.0], [0.0, 1.0], [-0.3, 7.1]] {
                let mut image = Array3::zeros((4, 4, 6));
                from_rgba8(&bytes, layout, range, image.view_mut()).unwrap();
                let mut again = bytes.clone();
                for y in 0..4 {
                    again[28 * y..28 * y + 24].fill(0);
                }
                rgba8_into(image.view(), range, &mut again, layout).unwrap();
                assert!(again == bytes, "{layout:?} {range:?}");
            }
        }
        let mut grey = Array3::zeros((1, 1, 1));
        from_rgba8(&[255, 0, 0, 255], Layout { stride: 4, bottom_up: false, bgra: false }, [0.0, 1.0], grey.view_mut())
            .unwrap();
        assert!((grey[[0, 0, 0]] - 0.299).abs() < 1e-6);
        let short =
            from_rgba8(&[0; 3], Layout { stride: 4, bottom_up: false, bgra: false }, [0.0, 1.0], grey.view_mut());
        assert!(short.unwrap_err().to_string().starts_with("length: "));
    }
    #[test]
    fn transparent_pixels_lie_over_white_where_there_is_no_alpha() {
        // The pixels are a hidden red, half a blue, and an opaque colour.
        let bytes = [255, 0, 0, 0, 0, 0, 255, 51, 10, 20, 30, 255];
        let layout = Layout { stride: 12, bottom_up: false, bgra: false };
        let of = |channels: usize, layout: Layout| {
            let mut image = Array3::zeros((channels, 1, 3));
            from_rgba8(&bytes, layout, [0.0, 255.0], image.view_mut()).unwrap();
            let pixel = |x: usize| (0..channels).map(|channel| image[[channel, 0, x]]).collect::<Vec<f32>>();
            [pixel(0), pixel(1), pixel(2)]
        };
        assert_eq!(of(3, layout), [[255.0; 3], [204.0, 204.0, 255.0], [10.0, 20.0, 30.0]]);
        assert_eq!(of(3, Layout { bgra: true, ..layout })[1..], [[255.0, 204.0, 204.0], [30.0, 20.0, 10.0]]);
        let grey = of(1, layout);
        assert_eq!(grey[0], [255.0]);
        assert!((grey[1][0] - (0.886 * 204.0 + 0.114 * 255.0)).abs() < 1e-4, "{grey:?}");
        // With alpha nothing changes.
        assert_eq!(of(4, layout)[..2], [[255.0, 0.0, 0.0, 0.0], [0.0, 0.0, 255.0, 51.0]]);
    }
}
