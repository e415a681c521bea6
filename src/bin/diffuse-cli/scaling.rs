//! Scales pictures to another size.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use ndarray::Array3;

/// Scales `pixels` (RGBA) to a height and a width. The filter is Lanczos' with three lobes, as in Pillow.
pub(crate) fn scaled(pixels: &Array3<u8>, [height, width]: [usize; 2]) -> Result<Array3<u8>, String> {
    let (tall, wide, _) = pixels.dim();
    let size = |side: usize| u32::try_from(side).map_err(|error| error.to_string());
    let bytes = pixels.as_slice().unwrap_or_default().to_vec();
    let source = Image::from_vec_u8(size(wide)?, size(tall)?, bytes, PixelType::U8x4);
    let source = source.map_err(|error| error.to_string())?;
    let mut scaled = Image::new(size(width)?, size(height)?, PixelType::U8x4);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize(&source, &mut scaled, &options).map_err(|error| error.to_string())?;
    Array3::from_shape_vec((height, width, 4), scaled.into_vec()).map_err(|error| error.to_string())
}
