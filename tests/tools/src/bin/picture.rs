//! As `tests/hosts/pictures/picture.c`, in Rust: `picture MODEL OUTPUT`.

use std::path::Path;
use std::sync::Arc;

use diffuse::run::{Run, Runner};
use diffuse::stage::pixels::rgba8;
use diffuse::{Model, ModelOptions, Request, Runtime};
use ndarray::Axis;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, output] = &arguments[..] else { return Err("usage: picture MODEL OUTPUT".into()) };
    let model = Arc::new(Model::open(&Runtime::open(None)?, Path::new(path), &ModelOptions::default())?);
    let mut request = Request { seed: 7, ..Request::default() };
    if path.ends_with(".onnx") {
        request.class_names = vec!["heart".into()];
    } else {
        request.prompts = vec!["a fox".into()];
    }
    let runner = Runner::new(Run::new(&model, &request)?);
    runner.run()?;
    let samples = runner.look(|run| Ok(run.sample()?.to_owned()))?;
    let pixels = rgba8(samples.index_axis(Axis(0), 0).into_dimensionality()?, [-1.0, 1.0])?;
    Ok(std::fs::write(output, pixels.into_raw_vec_and_offset().0)?)
}
