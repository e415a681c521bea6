//! Locks that a panic does not poison. What they guard is left whole by a panic, or is not used afterwards.

use std::time::Duration;

use backend::Guard as Inner;

/// A value that one thread at a time has.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(backend::Mutex<T>);

/// A value that this thread has.
pub(crate) type Guard<'a, T> = Inner<'a, T>;

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(backend::Mutex::new(value))
    }

    /// Waits until this thread has the value.
    pub(crate) fn held(&self) -> Guard<'_, T> {
        self.0.held()
    }

    /// The value. `None` if another thread has it.
    pub(crate) fn try_held(&self) -> Option<Guard<'_, T>> {
        self.0.try_held()
    }
}

/// Lets threads wait until others have changed the value of a [`Mutex`].
#[derive(Debug, Default)]
pub(crate) struct Condvar(backend::Condvar);

impl Condvar {
    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Waits for the next [`notify_all`](Self::notify_all). It may also return without one.
    pub(crate) fn wait<'a, T>(&self, guard: Guard<'a, T>) -> Guard<'a, T> {
        self.0.wait(guard)
    }

    /// Waits for as long as `condition` holds, but not longer than `most`.
    pub(crate) fn wait_while<'a, T>(
        &self,
        guard: Guard<'a, T>,
        most: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> Guard<'a, T> {
        self.0.wait_while(guard, most, condition)
    }
}

#[cfg(not(helgrind))]
mod backend {
    use std::sync::{MutexGuard, PoisonError, TryLockError};
    use std::time::Duration;

    pub(crate) use std::sync::MutexGuard as Guard;

    #[derive(Debug, Default)]
    pub(super) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) const fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
        }

        pub(super) fn held(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn try_held(&self) -> Option<MutexGuard<'_, T>> {
            match self.0.try_lock() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        }
    }

    #[derive(Debug, Default)]
    pub(super) struct Condvar(std::sync::Condvar);

    impl Condvar {
        pub(super) fn notify_all(&self) {
            self.0.notify_all();
        }

        pub(super) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn wait_while<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            most: Duration,
            condition: impl FnMut(&mut T) -> bool,
        ) -> MutexGuard<'a, T> {
            self.0.wait_timeout_while(guard, most, condition).unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

// Valgrind's helgrind knows the locks of pthread. It does not see those of the standard library, which wait in the
// kernel themselves. So the build that it checks has others in their place.
#[cfg(helgrind)]
#[path = "../tests/helgrind/locks.rs"]
mod backend;
