//! Guidance by the host: a texture that can be laid beside itself without a seam. `tileable.c` beside it does the same
//! in C.
//!
//! ```sh
//! cargo run --example tileable -- onnx/models/sprites.onnx tile.ppm
//! ```
//!
//! A run starts from a picture that is red on the left and blue on the right. At every step the callback mixes what
//! lies near an edge with what lies as near to the opposite one, so that the two edges become one and the model draws
//! what fits both. The model knows sprites and no textures: what comes out is a blob of both colours whose edges meet.
//! Its alpha is left away.

use std::path::Path;
use std::sync::Arc;

use diffuse::denoiser::Query;
use diffuse::request::HostGuidance;
use diffuse::{Model, ModelOptions, Request, Runtime, stage::pixels};
use ndarray::{ArrayD, Axis};

const SIZE: usize = 32;
const SEAM: usize = 8;

/// Mixes a value `distance` pixels from its edge with the one at the other: half and half at the edge, not at all SEAM
/// pixels from it.
fn mix(plane: &mut [f32], a: usize, b: usize, distance: usize) {
    let share = 0.5 * (SEAM - distance) as f32 / SEAM as f32;
    let (of_a, of_b) = (plane[a], plane[b]);
    plane[a] = of_a + share * (of_b - of_a);
    plane[b] = of_b + share * (of_a - of_b);
}

fn close_the_seam(_: &Query<'_>, denoised: &mut [f32]) -> Result<(), String> {
    if !denoised.len().is_multiple_of(SIZE * SIZE) {
        return Err(format!("the callback is for images of {SIZE} by {SIZE}"));
    }
    for plane in denoised.chunks_mut(SIZE * SIZE) {
        for i in 0..SIZE {
            (0..SEAM).for_each(|d| mix(plane, i * SIZE + d, i * SIZE + SIZE - 1 - d, d));
        }
        for i in 0..SIZE {
            (0..SEAM).for_each(|d| mix(plane, d * SIZE + i, (SIZE - 1 - d) * SIZE + i, d));
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, output] = &arguments[..] else { return Err("usage: tileable MODEL.onnx OUTPUT.ppm".into()) };
    let runtime = Runtime::open(None)?;
    let model = Arc::new(Model::open(&runtime, Path::new(model), &ModelOptions::default())?);

    let picture = ArrayD::from_shape_fn(vec![4, SIZE, SIZE], |at| {
        let right = at[2] as f32 / (SIZE - 1) as f32;
        [1.0 - 2.0 * right, -0.5, 2.0 * right - 1.0, 1.0][at[0]]
    });
    let request = Request {
        seed: 3,
        image: Some(Arc::new(picture)),
        callback: Some(HostGuidance(Arc::new(close_the_seam))),
        ..Request::default()
    };
    let samples = request.with("strength", 0.6)?.job(&model)?.run()?;

    let image = samples.index_axis(Axis(0), 0).into_dimensionality()?;
    let mut file = format!("P6 {SIZE} {SIZE} 255\n").into_bytes();
    for pixel in pixels::rgba8(image, [-1.0, 1.0])?.rows() {
        file.extend(pixel.iter().take(3));
    }
    Ok(std::fs::write(output, file)?)
}
