//! A job within the time of a frame.

mod support;

use std::sync::Arc;
use std::time::Duration;

use diffuse::Job;
use diffuse::denoiser::{Condition, Denoiser, Query};
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
    job_of(slow, steps)
}

fn job_of(denoiser: impl Denoiser + 'static, steps: usize) -> Job {
    let schedule = Arc::new(VariancePreserving::new(0.1, 20.0, 1e-3).unwrap());
    let grid = Grid::spaced(schedule, &GridOptions::new(Spacing::Linspace, steps)).unwrap();
    let solver = Box::new(Ddim::new(0.0).unwrap());
    Job::new(Box::new(denoiser), solver, grid, Box::new(CounterNoise::new(1)), Condition::default(), &[1, 2]).unwrap()
}

#[test]
fn only_evaluations_that_fit_are_made() {
    let mut budgeted = job(12);
    assert!(budgeted.expected_step().is_none());
    // Of the first nothing is known.
    assert_eq!(budgeted.advance(Duration::ZERO).unwrap().step, 1);
    assert!(budgeted.expected_step().unwrap() >= EVALUATION);
    // The first alone is not believed for long; two are.
    for _ in 0..100 {
        assert!(budgeted.advance(EVALUATION / 2).unwrap().step <= 2, "an evaluation that does not fit was made");
    }
    assert_eq!(budgeted.progress().step, 2);
    // Twice what is expected fits at least one.
    let progress = budgeted.advance(2 * budgeted.expected_step().unwrap()).unwrap();
    assert!(progress.step >= 3);
    assert!(budgeted.advance(Duration::from_secs(3600)).unwrap().is_finished());
    assert!(budgeted.advance(Duration::MAX).unwrap().is_finished());
    // However it was sliced, it is the same.
    assert_eq!(budgeted.sample().to_owned(), job(12).run().unwrap());
}

/// One evaluation that was held up, by the machine or by a breakpoint, does not hold up the job for good.
#[test]
fn what_took_long_once_is_forgotten() {
    let calls = std::cell::Cell::new(0);
    let once_slow = Formula(move |query: Query<'_>, x0: &mut ArrayD<f32>| {
        calls.set(calls.get() + 1);
        std::thread::sleep(if calls.get() == 4 { Duration::from_secs(1) } else { Duration::ZERO });
        x0.assign(&query.x);
        Ok(())
    });
    let mut job = job_of(once_slow, 20);
    let mut frames = 0;
    while !job.advance(Duration::from_millis(500)).unwrap().is_finished() {
        frames += 1;
        assert!(frames < 100, "{:?}", job.progress());
    }
}

#[test]
fn a_cancel_ends_it_with_what_was_done() {
    let mut budgeted = job(4);
    budgeted.advance(Duration::ZERO).unwrap();
    budgeted.canceller().cancel();
    assert!(matches!(budgeted.advance(Duration::from_secs(3600)), Err(diffuse::Error::Cancelled)));
    assert_eq!(budgeted.progress().step, 1);
}
