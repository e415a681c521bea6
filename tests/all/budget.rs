//! A job within the time of a frame.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use diffuse::denoiser::{Condition, Denoiser, Query};
use diffuse::log::{Severity, set_log_sink};
use diffuse::noise::CounterNoise;
use diffuse::schedule::{Grid, GridOptions, Spacing, VariancePreserving};
use diffuse::solver::Ddim;
use diffuse::{Job, Runner};
use ndarray::ArrayD;

use crate::support::{Formula, alone};

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
    // Neither the first alone nor the second is believed for long; two beside the first are.
    for _ in 0..100 {
        assert!(budgeted.advance(EVALUATION / 2).unwrap().step <= 3, "an evaluation that does not fit was made");
    }
    assert_eq!(budgeted.progress().step, 3);
    // What is expected fits at least one.
    let progress = budgeted.advance(budgeted.expected_step().unwrap()).unwrap();
    assert!(progress.step >= 4);
    assert!(budgeted.advance(Duration::from_secs(3600)).unwrap().is_finished());
    assert!(budgeted.advance(Duration::MAX).unwrap().is_finished());
    // However it was sliced, it is the same.
    assert_eq!(budgeted.sample().to_owned(), job(12).run().unwrap());
}

/// One evaluation that was held up, by the machine or by a breakpoint, does not hold up the job for good, whichever it
/// is, also after a slow first one.
#[test]
fn what_took_long_once_is_forgotten() {
    for slow in [vec![1], vec![2], vec![3], vec![4], vec![8], vec![1, 2], vec![1, 3]] {
        let (calls, held_up) = (std::cell::Cell::new(0), slow.clone());
        let once_slow = Formula(move |query: Query<'_>, x0: &mut ArrayD<f32>| {
            calls.set(calls.get() + 1);
            std::thread::sleep(Duration::from_millis(if held_up.contains(&calls.get()) { 500 } else { 0 }));
            x0.assign(&query.x);
            Ok(())
        });
        let mut job = job_of(once_slow, 20);
        let mut frames = 0;
        while !job.advance(Duration::from_millis(250)).unwrap().is_finished() {
            frames += 1;
            assert!(frames < 100, "slow at {slow:?}: {:?}", job.progress());
        }
    }
}

/// A host that asks what a step takes draws on the slowest machine, and one that does not is told, once.
#[test]
fn where_no_step_fits_the_log_hears_it_once_and_what_is_expected_is_enough() {
    // A process has one log.
    if !alone("budget::where_no_step_fits_the_log_hears_it_once_and_what_is_expected_is_enough") {
        return;
    }
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&heard);
    set_log_sink(Some(Box::new(move |severity, message| {
        assert_eq!(severity, Severity::Warning);
        sink.lock().unwrap().push(message.to_owned());
    })));
    let budget = Duration::from_micros(1234);
    let runner = Runner::new(job(12));
    assert!(runner.expected_step().is_none());
    for _ in 0..50 {
        runner.advance(budget).unwrap();
    }
    let (_, progress) = runner.progress();
    assert_eq!(progress.step, 3);
    let mut frames = 0;
    while !runner.advance(budget.max(runner.expected_step().unwrap())).unwrap().is_finished() {
        frames += 1;
        assert!(frames <= 12, "{frames}");
    }
    set_log_sink(None);
    let heard = heard.lock().unwrap();
    let ours: Vec<&String> = heard.iter().filter(|message| message.contains("1.234ms")).collect();
    assert!(ours.len() == 1 && ours[0].contains("diffuse_job_expected"), "{heard:?}");
}

#[test]
fn a_cancel_ends_it_with_what_was_done() {
    let mut budgeted = job(4);
    budgeted.advance(Duration::ZERO).unwrap();
    budgeted.canceller().cancel();
    assert!(matches!(budgeted.advance(Duration::from_secs(3600)), Err(diffuse::Error::Cancelled)));
    assert_eq!(budgeted.progress().step, 1);
}
