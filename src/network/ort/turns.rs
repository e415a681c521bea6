//! Turns at something that one thread at a time can use, first come, first served. So several jobs on one model make
//! progress side by side.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sync::{Condvar, Mutex};

/// A value that is used in turns.
#[derive(Debug)]
pub(super) struct Turns<T> {
    thing: Mutex<T>,
    line: Mutex<Line>,
}

/// The threads that wait, and whether one has its turn. With a `Mutex` alone, the thread that has just finished could
/// go first again.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Arc<Waiter>>,
    served: bool,
}

/// A thread that waits for one turn at a time. Each has a condition variable of its own, so that the end of a turn
/// wakes only the next one. Waking all of 800 took two hundred times as long as their evaluations.
#[derive(Debug, Default)]
pub(super) struct Waiter {
    woken: Condvar,
}

impl Line {
    fn is_turn_of(&self, waiter: &Arc<Waiter>) -> bool {
        !self.served && self.waiting.front().is_some_and(|next| Arc::ptr_eq(next, waiter))
    }

    /// Wakes the next thread, unless one has its turn. That one wakes the next at its end.
    fn call_next(&self) {
        if let Some(next) = self.waiting.front().filter(|_| !self.served) {
            next.woken.notify_all();
        }
    }
}

impl<T> Turns<T> {
    pub(super) fn new(thing: T) -> Self {
        Self { thing: Mutex::new(thing), line: Mutex::default() }
    }

    /// Waits for the turn of `waiter`, and calls `call`. A waiter is made if there is none and it has to wait. Returns
    /// `None` without the call once `given_up` returns true. `given_up` is called again at every
    /// [`look_up`](Self::look_up) of that waiter.
    pub(super) fn with<R>(
        &self,
        waiter: Option<&Arc<Waiter>>,
        given_up: impl Fn() -> bool,
        call: impl FnOnce(&mut T) -> R,
    ) -> Option<R> {
        let mut line = self.line.held();
        if line.served || !line.waiting.is_empty() {
            let waiter = waiter.map_or_else(Arc::default, Arc::clone);
            line.waiting.push_back(Arc::clone(&waiter));
            while !given_up() && !line.is_turn_of(&waiter) {
                line = waiter.woken.wait(line);
            }
            // It is usually the first.
            let place = line.waiting.iter().position(|waiting| Arc::ptr_eq(waiting, &waiter));
            place.and_then(|place| line.waiting.remove(place));
        }
        if given_up() {
            // It may have been the first in the line.
            line.call_next();
            return None;
        }
        line.served = true;
        drop(line);
        let turn = Turn(self);
        let result = call(&mut turn.0.thing.held());
        drop(turn);
        Some(result)
    }

    /// Lets `waiter`, if it waits, check whether it has given up.
    pub(super) fn look_up(&self, waiter: &Waiter) {
        // The waiter is not between the check and the wait, where it would miss this.
        let _line = self.line.held();
        waiter.woken.notify_all();
    }
}

/// A turn, until it is dropped, also by a panic.
struct Turn<'a, T>(&'a Turns<T>);

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut line = self.0.line.held();
        line.served = false;
        line.call_next();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn never() -> bool {
        false
    }

    #[test]
    fn who_came_first_is_next() {
        let turns = Turns::new(Vec::new());
        thread::scope(|scope| {
            turns.with(None, never, |_| {
                for i in 0..5 {
                    scope.spawn({
                        let turns = &turns;
                        move || turns.with(None, never, |order| order.push(i))
                    });
                    while turns.line.held().waiting.len() <= i {
                        thread::yield_now();
                    }
                }
            });
        });
        assert_eq!(turns.with(None, never, |order| order.clone()), Some(vec![0, 1, 2, 3, 4]));
    }

    #[test]
    fn who_gives_up_goes_at_once_and_holds_up_nobody() {
        let turns = Turns::new(0);
        let stopped = AtomicBool::new(false);
        let impatient = Arc::default();
        thread::scope(|scope| {
            turns.with(None, never, |_| {
                let first = scope
                    .spawn(|| turns.with(Some(&impatient), || stopped.load(Ordering::SeqCst), |count| *count += 100));
                while turns.line.held().waiting.is_empty() {
                    thread::yield_now();
                }
                let second = scope.spawn(|| turns.with(None, never, |count| *count += 1));
                while turns.line.held().waiting.len() < 2 {
                    thread::yield_now();
                }
                stopped.store(true, Ordering::SeqCst);
                turns.look_up(&impatient);
                // The turn is still this thread's.
                assert_eq!(first.join().unwrap(), None);
                assert!(!second.is_finished());
            });
        });
        assert_eq!(turns.with(None, never, |count| *count), Some(1));
    }

    /// Each end of a turn wakes one of many that wait. Those that are neither next nor cancelled do not even check.
    #[test]
    fn nobody_else_is_woken() {
        const WAITERS: usize = 50;
        let turns = Turns::new(0);
        let looks = AtomicUsize::new(0);
        let asked = || {
            looks.fetch_add(1, Ordering::SeqCst);
            false
        };
        thread::scope(|scope| {
            turns.with(None, never, |_| {
                for i in 0..WAITERS {
                    scope.spawn(|| turns.with(None, asked, |count| *count += 1));
                    while turns.line.held().waiting.len() <= i {
                        thread::yield_now();
                    }
                }
            });
        });
        assert_eq!(turns.with(None, never, |count| *count), Some(WAITERS));
        // They check before the wait, after it and before the call, with some room for spurious wake-ups. If all were
        // woken together there would be WAITERS²/2 checks.
        let looks = looks.load(Ordering::SeqCst);
        assert!(looks < 5 * WAITERS, "{WAITERS} waiters looked up {looks} times");
    }

    #[test]
    fn a_panic_ends_a_turn() {
        let turns = Turns::new(7);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            turns.with(None, never, |_| panic!("for this test"));
        }));
        assert!(panicked.is_err());
        assert_eq!(turns.with(None, never, |value| *value), Some(7));
    }
}
