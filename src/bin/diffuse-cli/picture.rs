//! Pictures: sheets, scatter plots, and PNG files that contain how they were made.

use std::io::Cursor;

use ndarray::{Array3, ArrayView2, Axis, s};

/// The keyword of the text chunk that tells how a picture was made.
const KEYWORD: &str = "diffuse";

/// The most text that is read from a picture.
const MOST_TEXT: usize = 1 << 20;

/// A PNG of `pixels` (`[height, width, 4]`, RGBA) with `record` in a text chunk.
pub(crate) fn encode(pixels: &Array3<u8>, record: &str) -> Result<Vec<u8>, png::EncodingError> {
    let (height, width, _) = pixels.dim();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    encoder.add_itxt_chunk(KEYWORD.into(), record.into())?;
    let mut writer = encoder.write_header()?;
    // It is usually in order already, and is not copied then.
    writer.write_image_data(pixels.as_standard_layout().as_slice().unwrap_or_default())?;
    writer.finish()?;
    Ok(bytes)
}

/// Whether `bytes` begin as a PNG does.
pub(crate) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

/// The text that [`encode`] wrote into a picture. `None` if there is none.
pub(crate) fn record(bytes: &[u8]) -> Result<Option<String>, png::DecodingError> {
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info()?;
    // The chunk may also come after the pixels, where other programs move it.
    reader.finish()?;
    let text = reader.info().utf8_text.iter().find(|chunk| chunk.keyword == KEYWORD);
    let Some(mut text) = text.cloned() else { return Ok(None) };
    // A few compressed bytes can become endless text.
    text.decompress_text_with_limit(MOST_TEXT)?;
    text.get_text().map(Some)
}

/// The most pixels of a picture that is read.
const MOST_PIXELS: u64 = 1 << 26;

/// The most bytes that a byte of a PNG can become. Deflate writes 258 bytes with as little as two bits.
const MOST_EXPANSION: u64 = 1032;

/// The pixels `[height, width, 4]` of a PNG of any kind, 8 bits a channel.
pub(crate) fn decode(bytes: &[u8]) -> Result<Array3<u8>, String> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let info = reader.info();
    let (width, height) = info.size();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(format!("{width} by {height} pixels; at most {MOST_PIXELS} in all are read"));
    }
    // A file that claims a false size must not cost memory.
    let claimed = (info.bits_per_pixel() as u64 * u64::from(width)).div_ceil(8) * u64::from(height);
    if claimed / MOST_EXPANSION > bytes.len() as u64 {
        return Err(format!("{width} by {height} pixels, which {} bytes cannot hold", bytes.len()));
    }
    let mut buffer = Vec::new();
    let length = reader.output_buffer_size().ok_or("it is too large")?;
    buffer.try_reserve_exact(length).map_err(|_| format!("there is no memory for {width} by {height} pixels"))?;
    buffer.resize(length, 0);
    let frame = reader.next_frame(&mut buffer).map_err(|error| error.to_string())?;
    let (width, height) = (width as usize, height as usize);
    if frame.color_type == png::ColorType::Rgba && frame.line_size == 4 * width {
        return Array3::from_shape_vec((height, width, 4), buffer).map_err(|error| error.to_string());
    }
    let channels = frame.color_type.samples();
    let value = |y: usize, x: usize, channel: usize| buffer[y * frame.line_size + x * channels + channel];
    Ok(Array3::from_shape_fn((height, width, 4), |(y, x, channel)| match (channels, channel) {
        (2, 0..=2) => value(y, x, 0),
        (2, _) => value(y, x, 1),
        _ => value(y, x, channel),
    }))
}

/// Values from 0 to 1 as colours from black over red and yellow to white.
pub(crate) fn heat(values: ArrayView2<'_, f32>) -> Array3<u8> {
    let (height, width) = values.dim();
    Array3::from_shape_fn((height, width, 4), |(y, x, channel)| {
        let part = match channel {
            0 => 3.0 * values[[y, x]],
            1 => 3.0 * values[[y, x]] - 1.0,
            2 => 3.0 * values[[y, x]] - 2.0,
            _ => 1.0,
        };
        (255.0 * part.clamp(0.0, 1.0)).round() as u8
    })
}

/// The pictures side by side, `columns` in a row, all of the size of the first. Empty cells are transparent.
pub(crate) fn sheet(pictures: &[Array3<u8>], columns: usize) -> Array3<u8> {
    let Some(first) = pictures.first() else { return Array3::zeros((0, 0, 4)) };
    let (height, width, _) = first.dim();
    let columns = columns.clamp(1, pictures.len());
    let rows = pictures.len().div_ceil(columns);
    let mut sheet = Array3::zeros((rows * height, columns * width, 4));
    for (i, picture) in pictures.iter().enumerate() {
        let (top, left) = (i / columns * height, i % columns * width);
        sheet.slice_mut(s![top..top + height, left..left + width, ..]).assign(picture);
    }
    sheet
}

/// The picture with every pixel as a square of `zoom` by `zoom`.
pub(crate) fn enlarged(pixels: Array3<u8>, zoom: usize) -> Array3<u8> {
    if zoom == 1 {
        return pixels;
    }
    let (height, width, _) = pixels.dim();
    Array3::from_shape_fn((height * zoom, width * zoom, 4), |(y, x, channel)| pixels[[y / zoom, x / zoom, channel]])
}

/// A plot of points in the plane on white, with equal scales and y upward, in a frame that holds all of them.
pub(crate) fn scatter(points: ArrayView2<'_, f32>) -> Array3<u8> {
    const SIZE: usize = 640;
    const MARGIN: f64 = 20.0;
    const INK: [u8; 3] = [31, 79, 160];
    let mut picture = Array3::from_elem((SIZE, SIZE, 4), 255);
    let bounds = |axis: usize| {
        points.index_axis(Axis(1), axis).iter().fold((f64::MAX, f64::MIN), |(low, high): (f64, f64), &value| {
            (low.min(value.into()), high.max(value.into()))
        })
    };
    let (x_bounds, y_bounds) = (bounds(0), bounds(1));
    let extent = (x_bounds.1 - x_bounds.0).max(y_bounds.1 - y_bounds.0);
    // Points that are all the same are drawn in the middle.
    let scale = if extent > 0.0 { (SIZE as f64 - 2.0 * MARGIN) / extent } else { 0.0 };
    let centre = SIZE as f64 / 2.0;
    for point in points.rows() {
        let x = centre + (f64::from(point[0]) - (x_bounds.0 + x_bounds.1) / 2.0) * scale;
        let y = centre - (f64::from(point[1]) - (y_bounds.0 + y_bounds.1) / 2.0) * scale;
        dot(&mut picture, x as f32, y as f32, INK);
    }
    picture
}

/// A disc of radius 2 with soft edges, half opaque, so that crowds are darker than single points.
fn dot(picture: &mut Array3<u8>, x: f32, y: f32, ink: [u8; 3]) {
    const RADIUS: f32 = 2.0;
    let (height, width, _) = picture.dim();
    let first = |centre: f32| (centre - RADIUS).floor().max(0.0) as usize;
    let last = |centre: f32, size: usize| ((centre + RADIUS).ceil().max(0.0) as usize).min(size - 1);
    for row in first(y)..=last(y, height) {
        for column in first(x)..=last(x, width) {
            let distance = (row as f32 + 0.5 - y).hypot(column as f32 + 0.5 - x);
            let opacity = (RADIUS + 0.5 - distance).clamp(0.0, 1.0) * 0.5;
            for channel in 0..3 {
                let value = &mut picture[[row, column, channel]];
                *value = (f32::from(*value) + opacity * (f32::from(ink[channel]) - f32::from(*value))).round() as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_says_how_it_was_made() {
        let pixels = Array3::from_shape_fn((3, 5, 4), |(y, x, channel)| (y * 20 + x * 4 + channel) as u8);
        let bytes = encode(&pixels, "{\"α\": 1}").unwrap();
        assert!(is_png(&bytes));
        assert_eq!(record(&bytes).unwrap().as_deref(), Some("{\"α\": 1}"));
        assert!(record(&bytes[..bytes.len() - 20]).is_err(), "a cut file is an error");
        assert!(record(b"\x89PNG\r\n\x1a\nnot a picture").is_err());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let pixels = Array3::from_shape_fn((3, 5, 4), |(y, x, channel)| (y * 50 + x * 9 + channel * 31) as u8);
        assert_eq!(decode(&encode(&pixels, "{}").unwrap()).unwrap(), pixels);
        assert!(decode(b"\x89PNG\r\n\x1a\nnot a picture").is_err());
        // Grey with 16 bits.
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Sixteen);
        encoder.write_header().unwrap().write_image_data(&[200, 7, 10, 0]).unwrap();
        assert_eq!(decode(&bytes).unwrap().into_raw_vec_and_offset().0, [200, 200, 200, 255, 10, 10, 10, 255]);
    }

    #[test]
    fn a_sheet_has_its_pictures_in_rows() {
        let pictures: Vec<Array3<u8>> = (1..=5).map(|i| Array3::from_elem((2, 3, 4), i)).collect();
        let sheet = sheet(&pictures, 2);
        assert_eq!(sheet.dim(), (6, 6, 4));
        assert_eq!(
            [sheet[[0, 0, 0]], sheet[[1, 5, 3]], sheet[[2, 0, 0]], sheet[[5, 2, 0]], sheet[[5, 3, 3]]],
            [1, 2, 3, 5, 0]
        );
    }

    #[test]
    fn points_are_drawn_where_they_are() {
        let points = ndarray::arr2(&[[0.0, 0.0], [1.0, 1.0], [f32::EPSILON, 0.0]]);
        let picture = scatter(points.view());
        let dark = |y: usize, x: usize| picture[[y, x, 0]] < 200;
        assert!(dark(619, 20) && dark(20, 619) && !dark(20, 20) && !dark(619, 619), "y grows upward");
        // A single point, or several equal ones, must not divide by zero.
        let one = scatter(ndarray::arr2(&[[3.0, -7.0]]).view());
        assert!(one[[320, 320, 0]] < 200 && one[[0, 0, 0]] == 255);
    }
}
