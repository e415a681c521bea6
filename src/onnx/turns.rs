//! Turns at what one thread at a time can use: who came first is next, so that several jobs on one model go on side by side.

use std::collections::VecDeque;

use crate::sync::{Condvar, Mutex};

/// Something that is used in turns.
#[derive(Debug)]
pub(super) struct Turns<T> {
    thing: Mutex<T>,
    line: Mutex<Line>,
    moved: Condvar,
}

/// Who waits, and whether one is being served. A `Mutex` alone would let whoever has just finished go first again.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<u64>,
    latest: u64,
    served: bool,
}

impl<T> Turns<T> {
    pub(super) fn new(thing: T) -> Self {
        Self { thing: Mutex::new(thing), line: Mutex::default(), moved: Condvar::default() }
    }

    /// Waits for its turn and calls `call`. `None`, and no call, once `given_up` says so, which is asked again at every [`look_up`](Self::look_up).
    pub(super) fn with<R>(&self, given_up: impl Fn() -> bool, call: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut line = self.line.held();
        line.latest += 1;
        let ticket = line.latest;
        line.waiting.push_back(ticket);
        while !given_up() && (line.served || line.waiting.front() != Some(&ticket)) {
            line = self.moved.wait(line);
        }
        line.waiting.retain(|&waiting| waiting != ticket);
        if given_up() {
            // It may have been the first in the line.
            self.moved.notify_all();
            return None;
        }
        line.served = true;
        drop(line);
        let turn = Turn(self);
        let result = call(&mut turn.0.thing.held());
        drop(turn);
        Some(result)
    }

    /// Lets everyone who waits see whether they have given up.
    pub(super) fn look_up(&self) {
        // Nobody is between the question and the wait, where this would be missed.
        let _line = self.line.held();
        self.moved.notify_all();
    }
}

/// A turn, until it is dropped, also by a panic.
struct Turn<'a, T>(&'a Turns<T>);

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut line = self.0.line.held();
        line.served = false;
        self.0.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    fn never() -> bool {
        false
    }

    #[test]
    fn who_came_first_is_next() {
        let turns = Turns::new(Vec::new());
        thread::scope(|scope| {
            turns.with(never, |_| {
                for i in 0..5 {
                    scope.spawn({
                        let turns = &turns;
                        move || turns.with(never, |order| order.push(i))
                    });
                    while turns.line.held().waiting.len() <= i {
                        thread::yield_now();
                    }
                }
            });
        });
        assert_eq!(turns.with(never, |order| order.clone()), Some(vec![0, 1, 2, 3, 4]));
    }

    #[test]
    fn who_gives_up_goes_at_once_and_holds_up_nobody() {
        let turns = Turns::new(0);
        let stopped = AtomicBool::new(false);
        thread::scope(|scope| {
            turns.with(never, |_| {
                let first = scope.spawn(|| turns.with(|| stopped.load(Ordering::SeqCst), |count| *count += 100));
                while turns.line.held().waiting.is_empty() {
                    thread::yield_now();
                }
                let second = scope.spawn(|| turns.with(never, |count| *count += 1));
                while turns.line.held().waiting.len() < 2 {
                    thread::yield_now();
                }
                stopped.store(true, Ordering::SeqCst);
                turns.look_up();
                // While the turn is still this thread's.
                assert_eq!(first.join().unwrap(), None);
                assert!(!second.is_finished());
            });
        });
        assert_eq!(turns.with(never, |count| *count), Some(1));
    }

    #[test]
    fn a_panic_ends_a_turn() {
        let turns = Turns::new(7);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            turns.with(never, |_| panic!("for this test"));
        }));
        assert!(panicked.is_err());
        assert_eq!(turns.with(never, |value| *value), Some(7));
    }
}
