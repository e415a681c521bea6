//! Draws a sprite on a worker thread, with a progress line, previews and a time limit.
//!
//! ```sh
//! cargo run --example first -- onnx/models/sprites.onnx [SECONDS]
//! ```
//!
//! The picture grows in `sprite.ppm`. A run that takes longer than SECONDS is cancelled. Default: 60.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use diffuse::run::{Run, Runner, State};
use diffuse::stage::pixels::rgba8;
use diffuse::{Model, ModelOptions, Request, Result, Runtime};
use ndarray::{ArrayViewD, Axis};

fn write_picture(samples: ArrayViewD<'_, f32>) -> Result<(), Box<dyn std::error::Error>> {
    let pixels = rgba8(samples.index_axis(Axis(0), 0).into_dimensionality()?, [-1.0, 1.0])?;
    let mut file = format!("P6 {} {} 255\n", pixels.dim().1, pixels.dim().0).into_bytes();
    for pixel in pixels.rows() {
        let [r, g, b, alpha] = [0, 1, 2, 3].map(|c| u32::from(pixel[c]));
        file.extend([r, g, b].map(|value| (255 - (255 - value) * alpha / 255) as u8)); // on white
    }
    Ok(std::fs::write("sprite.ppm", file)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("usage: first MODEL.onnx [SECONDS]")?);
    let limit = Duration::from_secs_f64(arguments.next().map_or(Ok(60.0), |seconds| seconds.parse())?);
    let begun = Instant::now();
    let mut seen = 0;

    let request = Request { class_names: vec!["heart".into()], seed: 7, ..Request::default() };
    let open = move |_: &_| Model::open(&Runtime::open(None)?, &path, &ModelOptions::default());
    let job = Runner::new(Run::open(Box::new(open), request)); // opens nothing yet
    job.start(None)?; // a worker opens the model and draws
    while job.wait(Duration::from_millis(16))? == State::Running {
        let progress = job.steps();
        eprint!("\rstep {} of {}", progress.step, progress.steps);
        if begun.elapsed() >= limit {
            job.cancel();
        }
        if job.estimates() != seen {
            seen = job.estimates();
            write_picture(job.preview(|samples| Ok(samples.to_owned()))?.view())?;
        }
    }
    eprintln!();
    write_picture(job.look(|run| Ok(run.sample()?.to_owned()))?.view())
}
