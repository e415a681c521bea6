//! A job within the time of a frame.

mod support;

use std::sync::Arc;
use std::time::Duration;

use diffuse::Job;
use diffuse::denoiser::{Condition, Query};
use diffuse::noise::CounterNoise;
use diffuse::schedule::{Grid, GridOptions, Spacing, VariancePreserving};
use diffuse::solver::Ddim;
use ndarray::ArrayD;
use support::Formula;

/// Each evaluation takes at least this long; how much longer is the machine's affair, and nothing here depends on it.
const EVALUATION: Duration = Duration::from_millis(5);

fn job(steps: usize) -> Job {
    let slow = Formula(|query: Query<'_>, x0: &mut ArrayD<f32>| {
        std::thread::sleep(EVALUATION);
        x0.assign(&query.x);
        Ok(())
    });
    let schedule = Arc::new(VariancePreserving::new(0.1, 20.0, 1e-3).unwrap());
    let grid = Grid::spaced(schedule, &GridOptions::new(Spacing::Linspace, steps)).unwrap();
    let solver = Box::new(Ddim::new(0.0).unwrap());
    Job::new(Box::new(slow), solver, grid, Box::new(CounterNoise::new(1)), Condition::default(), &[1, 2]).unwrap()
}

#[test]
fn only_evaluations_that_fit_are_made() {
    let mut budgeted = job(12);
    assert!(budgeted.expected_step().is_none());
    // Of the first nothing is known.
    assert_eq!(budgeted.advance(Duration::ZERO).unwrap().step, 1);
    assert!(budgeted.expected_step().unwrap() >= EVALUATION);
    for _ in 0..100 {
        assert_eq!(budgeted.advance(EVALUATION / 2).unwrap().step, 1, "an evaluation that does not fit was made");
    }
    // Twice what is expected fits at least one.
    let progress = budgeted.advance(2 * budgeted.expected_step().unwrap()).unwrap();
    assert!(progress.step >= 2);
    assert!(budgeted.advance(Duration::from_secs(3600)).unwrap().is_finished());
    assert!(budgeted.advance(Duration::MAX).unwrap().is_finished());
    // However it was sliced, it is the same.
    assert_eq!(budgeted.sample().to_owned(), job(12).run().unwrap());
}

#[test]
fn a_cancel_ends_it_with_what_was_done() {
    let mut budgeted = job(4);
    budgeted.advance(Duration::ZERO).unwrap();
    budgeted.canceller().cancel();
    assert!(matches!(budgeted.advance(Duration::from_secs(3600)), Err(diffuse::Error::Cancelled)));
    assert_eq!(budgeted.progress().step, 1);
}
