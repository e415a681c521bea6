//! Cold diffusion (Bansal et al. 2022, arXiv:2208.09392, algorithm 1) with the raw call of a network: the process is
//! the program's own, and the network is asked for the clean sample alone.
//!
//! ```sh
//! cargo run --example cold_diffusion -- onnx/models/moons_to_s_curve.onnx points.csv
//! ```
//!
//! What is undone here is no noise. The operator D mixes a point of an S-curve with one of two moons,
//! `D(x₀, t) = (1 − t)·x₀ + t·m`; a run starts from the moons alone and restores an S-curve. (Algorithm 2 of the paper
//! is for an operator that the clean sample determines; the moons are not what a point of the curve was mixed with. So
//! what comes out lies on the curve, but not all over it: nothing lands on its middle stroke.)

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use diffuse::denoiser::Condition;
use diffuse::sample::Canceller;
use diffuse::schedule::NoiseLevel;
use diffuse::{Model, ModelOptions, Runtime};
use ndarray::Array2;

const POINTS: usize = 1000;
const STEPS: usize = 100;

/// Points of two moons, evenly along them.
fn moons() -> Array2<f32> {
    let mut points = Array2::zeros((POINTS, 2));
    for (i, mut point) in points.rows_mut().into_iter().enumerate() {
        let angle = std::f32::consts::PI * (i / 2) as f32 / (POINTS / 2 - 1) as f32;
        let (x, y) = if i % 2 == 0 { (angle.cos(), angle.sin()) } else { (1.0 - angle.cos(), 0.5 - angle.sin()) };
        (point[0], point[1]) = (x, y);
    }
    points
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, output] = &arguments[..] else { return Err("usage: cold_diffusion MODEL.onnx OUTPUT.csv".into()) };
    let model = Model::open(&Runtime::open(None)?, Path::new(model), &ModelOptions::default())?;
    let model = Arc::new(model);

    let moons = moons().into_dyn();
    let degraded = |x0: &ndarray::ArrayD<f32>, t: f64| x0 * (1.0 - t) as f32 + &moons * t as f32;
    let mut x = moons.clone();
    for step in (1..=STEPS).rev() {
        let [t, after] = [step, step - 1].map(|step| step as f64 / STEPS as f64);
        let level = NoiseLevel { t, alpha: 1.0 - t, sigma: t };
        let restored = model.denoise(x.view(), level, &Condition::default(), &Canceller::default())?;
        x = degraded(&restored, after);
    }

    let mut text = String::from("x,y\n");
    for point in x.rows() {
        writeln!(text, "{},{}", point[0], point[1])?;
    }
    Ok(std::fs::write(output, text)?)
}
