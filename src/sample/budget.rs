//! How long steps take, and how many of them fit into a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::log::{Severity, say};

/// How long the latest steps took, and how long the next one is expected to take.
#[derive(Debug, Default)]
pub struct Pace {
    /// The expected time while no step has been measured lately. It is that of the first step, in which ONNX Runtime
    /// allocates, or of the quickest that was seen.
    guess: Option<Duration>,
    /// The latest times. There is room for all that are kept, so that a step allocates nothing.
    latest: VecDeque<Duration>,
    /// The shortest time of all steps since it was last used.
    quickest: Option<Duration>,
    /// The number of steps that were measured.
    measured: usize,
    /// Whether the log sink has been told that no step fits.
    said: bool,
}

impl Pace {
    /// The number of times that are kept.
    const LATEST: usize = 8;

    pub(crate) fn new() -> Self {
        Self { latest: VecDeque::with_capacity(Self::LATEST), ..Self::default() }
    }

    /// Records how long a step took.
    pub fn note(&mut self, step: Duration) {
        self.measured += 1;
        self.quickest = Some(self.quickest.map_or(step, |quickest| quickest.min(step)));
        if self.measured == 1 {
            self.guess = Some(step);
            return;
        }
        self.guess = None;
        if self.latest.len() == Self::LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back(step);
    }

    /// The longest of the latest times. A step that takes twice as long at times must fit as well, such as a guided one
    /// in an interval. `None` where nothing is known, so that a step has to be made.
    fn known(&self) -> Option<Duration> {
        self.latest.iter().max().copied().or(self.guess)
    }

    /// The expected time of the next step, which is the longest of the latest times. `None` before the first step.
    #[must_use]
    pub fn expected(&self) -> Option<Duration> {
        self.known().or(self.quickest)
    }

    /// Whether a step is expected to end within `time`, of which `gone` has passed.
    fn fits(&self, gone: Duration, time: Duration) -> bool {
        self.known().is_none_or(|expected| gone.saturating_add(expected) <= time)
    }

    /// Forgets some of the latest times, because they allowed no step within `time`. So one step that was held up does
    /// not hold up the job for good.
    ///
    /// Which step was held up cannot be seen before two are known beside the first, in which ONNX Runtime allocates.
    /// The longest time is forgotten while there are more. In place of the last of them the quickest of all counts
    /// once, if it fits. Where that does not help no step fits.
    fn relent(&mut self, time: Duration) {
        if self.measured < 3 {
            self.latest.clear();
            self.guess = None;
        } else if self.latest.len() > 1 {
            let longest = (0..self.latest.len()).max_by_key(|&place| self.latest[place]);
            longest.and_then(|place| self.latest.remove(place));
        } else if self.quickest.is_some_and(|quickest| quickest <= time) {
            self.latest.clear();
            self.guess = self.quickest.take();
        } else if !std::mem::replace(&mut self.said, true) {
            let expected = self.known().unwrap_or_default();
            say(Severity::Warning, || {
                format!(
                    "a step of a job is expected to take {expected:?}, so none is made within its budget of {time:?}. Give it at least the time of \
                     diffuse_job_expected, generate fewer items at a time, or run it on a worker thread (diffuse_job_start)"
                )
            });
        }
    }
}

/// The time in which steps are made.
pub(crate) struct Budget {
    /// `None` before the first question.
    start: Option<Instant>,
    time: Duration,
    used: bool,
}

impl Budget {
    /// A budget that begins with the first step. So a step's expected time is enough for the step.
    pub(crate) fn new(time: Duration) -> Self {
        Self { start: None, time, used: false }
    }

    /// A budget that has begun.
    pub(crate) fn from_now(time: Duration) -> Self {
        Self { start: Some(Instant::now()), ..Self::new(time) }
    }

    /// Whether one more step is expected to end within the budget, by the times in `pace`.
    pub(crate) fn allows(&mut self, pace: &mut Pace) -> bool {
        let gone = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        self.start.get_or_insert_with(Instant::now);
        // A stage of which nothing is known yet gets one piece, but not behind pieces of another stage.
        let fits = pace.fits(gone, self.time) && (!self.used || pace.known().is_some());
        if !fits && !self.used {
            pace.relent(self.time);
        }
        self.used |= fits;
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_millis(4);

    /// Plays a run in frames of 4 ms whose steps take so many microseconds. Returns the number of steps and the number
    /// of frames, at most 200.
    fn frames(steps: &[u64]) -> (usize, usize) {
        let (mut pace, mut made) = (Pace::new(), 0);
        for frame in 0..200 {
            let mut gone = Duration::ZERO;
            while made < steps.len() && pace.fits(gone, BUDGET) {
                let step = Duration::from_micros(steps[made]);
                pace.note(step);
                gone += step;
                made += 1;
            }
            if made == steps.len() {
                return (made, frame);
            }
            if gone.is_zero() {
                pace.relent(BUDGET);
            }
        }
        (made, 200)
    }

    #[test]
    fn any_single_hiccup_is_survived() {
        for first in [1000, 4500, 60_000] {
            for slow in [4500, 60_000, 10_000_000] {
                for place in 0..30 {
                    let mut steps = vec![1000; 30];
                    (steps[0], steps[place]) = (first, slow);
                    let (made, frames) = frames(&steps);
                    assert!(made == 30 && frames < 30, "first {first}, slow at {place}: {made} steps, {frames} frames");
                }
            }
        }
    }

    #[test]
    fn nor_do_two_beside_each_other_end_it_where_a_quick_step_was_seen() {
        for place in 1..29 {
            let mut steps = vec![1000; 30];
            (steps[place], steps[place + 1]) = (60_000, 4500);
            assert_eq!(frames(&steps).0, 30, "slow at {place}");
        }
    }

    /// The first step is made, and two more from which its time is known.
    #[test]
    fn steps_that_never_fit_are_not_made() {
        for first in [4500, 60_000] {
            assert_eq!(frames(&[&[first][..], &[4500; 29]].concat()), (3, 200));
        }
    }
}
