//! Draws what a prompt describes into `picture.ppm`, from a folder of a pipeline.
//!
//! ```sh
//! cargo run --example text_to_image -- onnx/pipelines/sd "a photo of a red cat"
//! ```

use std::path::Path;
use std::sync::Arc;

use diffuse::network::Memory;
use diffuse::run::{Run, Work};
use diffuse::stage::pixels::rgba8;
use diffuse::{Model, ModelOptions, Request, Runtime};
use ndarray::Axis;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, prompt] = &arguments[..] else { return Err("usage: text_to_image FOLDER PROMPT".into()) };

    // One part of the pipeline is in memory at a time.
    let options = ModelOptions { memory: Memory::Stage, ..ModelOptions::default() };
    let model = Arc::new(Model::open(&Runtime::open(None)?, Path::new(folder), &options)?);
    let request = Request { prompts: vec![prompt.clone()], seed: 7, ..Request::default() };
    let mut run = Run::new(&model, &request)?;
    while !run.is_finished() {
        run.step()?; // one evaluation: of a text encoder, of the predictor, or of a tile of the decoder
        eprint!("\r{:?}: {} of {}   ", run.stage(), run.progress().step, run.progress().steps);
    }
    eprintln!();

    let pixels = rgba8(run.sample()?.index_axis(Axis(0), 0).into_dimensionality()?, [-1.0, 1.0])?;
    let mut file = format!("P6 {} {} 255\n", pixels.dim().1, pixels.dim().0).into_bytes();
    file.extend(pixels.rows().into_iter().flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]));
    Ok(std::fs::write("picture.ppm", file)?)
}
