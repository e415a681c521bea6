//! What a step costs beside the network and the drawing of noise, solver by solver, and what noise costs. It prints
//! medians of many rounds, side by side with a plain copy of the buffers and with `rand_distr` alone. Run it with
//! `cargo bench --bench steps`.

use std::hint::black_box;
use std::time::Instant;

use diffuse::denoiser::{Condition, Denoised, Denoiser, Query};
use diffuse::noise::{CounterNoise, Draw, NoiseSource, TorchNoise};
use diffuse::option::Options;
use diffuse::schedule::{GridOptions, Spacing, VariancePreserving};
use diffuse::{Job, Result, schedule::Grid, solver};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

const SHAPE: [usize; 4] = [1, 3, 64, 64];
const VALUES: usize = 3 * 64 * 64;
const STEPS: usize = 50;
const ROUNDS: usize = 41;

/// A network that costs nothing, since its output stays as it is.
struct Free;

impl Denoiser for Free {
    fn denoise(&mut self, _: Query<'_>, _: &mut Denoised) -> Result<()> {
        Ok(())
    }
}

/// Noise that costs nothing.
struct Silent;

impl NoiseSource for Silent {
    fn fill(&mut self, _: Draw, _: usize, _: &mut [f32]) {}
}

/// The median over the rounds of the microseconds that `work` takes, divided by `by`.
fn median(mut work: impl FnMut() -> usize) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let by = work();
            start.elapsed().as_secs_f64() * 1e6 / by as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn main() -> Result<()> {
    let source = vec![0.5f32; VALUES];
    let mut target = vec![0f32; VALUES];
    let schedule = std::sync::Arc::new(VariancePreserving::new(0.1, 20.0, 1e-3)?);
    println!("3×64×64, batch 1, {STEPS} steps; microseconds an evaluation, and tensors that are kept beside x and x̂₀");
    for entry in solver::SOLVERS {
        let grid = Grid::spaced(schedule.clone(), &GridOptions::new(Spacing::Linspace, STEPS));
        let solver = solver::build(entry.name, &Options::default())?;
        let (Ok(grid), false) = (grid, solver.adaptive().is_some()) else { continue };
        let slots = solver.slots();
        let mut job = Vec::new();
        for _ in 0..ROUNDS {
            let solver = solver::build(entry.name, &Options::default())?;
            job.push(Job::new(Box::new(Free), solver, grid.clone(), Box::new(Silent), Condition::default(), &SHAPE)?);
        }
        let mut failed = None;
        // The copy of x alone, in the same round.
        let copy = median(|| {
            for _ in 0..STEPS {
                black_box(&mut target).copy_from_slice(black_box(&source));
            }
            STEPS
        });
        let step = median(|| {
            let mut evaluations = 0;
            if let Some(mut job) = job.pop() {
                loop {
                    match job.step() {
                        Ok(progress) => {
                            evaluations += 1;
                            if progress.is_finished() {
                                break;
                            }
                        }
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
            }
            evaluations.max(1)
        });
        if let Some(error) = failed {
            return Err(error);
        }
        println!("{:22} {step:6.2} µs; a copy of x {copy:5.2} µs; keeps {slots}", entry.name);
    }

    println!("noise, nanoseconds a value, {VALUES} values");
    let mut values = vec![0f32; VALUES];
    let per_value = |microseconds: f64| microseconds * 1e3;
    let alone = median(|| {
        let mut generator = ChaCha8Rng::from_seed([7; 32]);
        black_box(&mut values).iter_mut().for_each(|value| *value = StandardNormal.sample(&mut generator));
        VALUES
    });
    println!("rand_distr on ChaCha8  {:6.2}", per_value(alone));
    let mut counter = CounterNoise::new(7);
    let ours = median(|| {
        counter.fill(Draw::Step { step: 3, stage: 0 }, VALUES, black_box(&mut values));
        VALUES
    });
    println!("counter                {:6.2}, {:.2} times that", per_value(ours), ours / alone);
    let mut torch = TorchNoise::new(7);
    let torch = median(|| {
        torch.fill(Draw::Step { step: 3, stage: 0 }, VALUES, black_box(&mut values));
        VALUES
    });
    println!("torch                  {:6.2}, {:.2} times that", per_value(torch), torch / alone);
    Ok(())
}
