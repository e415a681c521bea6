//! How long steps take, and how many of them fit into a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::log::{Severity, say};

/// How long the latest steps took, and what the next one is expected to take by them.
#[derive(Debug, Default)]
pub struct Pace {
    /// What is gone by while there are none of the latest: the first step, in which ONNX Runtime makes room, or the
    /// quickest that was seen.
    guess: Option<Duration>,
    /// With room for all that are kept, so that a step allocates nothing.
    latest: VecDeque<Duration>,
    /// The shortest of all steps since it was last gone by.
    quickest: Option<Duration>,
    /// How many steps were measured.
    measured: usize,
    /// Whether the log sink has heard that no step fits.
    said: bool,
}

impl Pace {
    /// How many are kept.
    const LATEST: usize = 8;

    pub(crate) fn new() -> Self {
        Self { latest: VecDeque::with_capacity(Self::LATEST), ..Self::default() }
    }

    /// Takes note of how long a step took.
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

    /// The longest of the latest: a step that takes twice as long at times, such as a guided one in an interval, is to
    /// fit as well. `None` where nothing is known, and a step is to be made to know it.
    fn known(&self) -> Option<Duration> {
        self.latest.iter().max().copied().or(self.guess)
    }

    /// How long the next step is expected to take: as long as the longest of the latest ones; `None` before the first.
    #[must_use]
    pub fn expected(&self) -> Option<Duration> {
        self.known().or(self.quickest)
    }

    /// Whether a step is expected to end within `time`, of which a part is `gone`.
    fn fits(&self, gone: Duration, time: Duration) -> bool {
        self.known().is_none_or(|expected| gone.saturating_add(expected) <= time)
    }

    /// No step was made within `time` because of what is known: a part of it is forgotten, so that a step that was held
    /// up does not hold up the job for good. Which one that was cannot be seen before there are two beside the first,
    /// in which room is made. Of more the longest is forgotten; instead of the last of them the quickest of all counts
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
                    "a step of a job is expected to take {expected:?}, so that none is made within the {time:?} that it is given; give it at least what \
                     diffuse_job_expected says, draw fewer items at a time, or run it on a worker (diffuse_job_start)"
                )
            });
        }
    }
}

/// A time to step in.
pub(crate) struct Budget {
    /// `None` before the first question.
    start: Option<Instant>,
    time: Duration,
    used: bool,
}

impl Budget {
    /// One that begins with the first step, so that what a step is expected to take is enough for it.
    pub(crate) fn new(time: Duration) -> Self {
        Self { start: None, time, used: false }
    }

    /// One that has begun.
    pub(crate) fn from_now(time: Duration) -> Self {
        Self { start: Some(Instant::now()), ..Self::new(time) }
    }

    /// Whether one more step, of which `pace` knows how long it takes, is expected to end within it.
    pub(crate) fn allows(&mut self, pace: &mut Pace) -> bool {
        let gone = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        self.start.get_or_insert_with(Instant::now);
        // Of a stage of which nothing is known yet a piece is made, but not behind others.
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

    /// Frames of 4 ms of a run whose steps take so many microseconds: how many were made, and how many frames it took,
    /// at most 200.
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

    /// The first, and two to know it by.
    #[test]
    fn steps_that_never_fit_are_not_made() {
        for first in [4500, 60_000] {
            assert_eq!(frames(&[&[first][..], &[4500; 29]].concat()), (3, 200));
        }
    }
}
