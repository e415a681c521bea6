//! The locks of src/sync.rs by pthread, for the build that helgrind checks (`--cfg helgrind`).

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(super) struct Mutex<T> {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by a guard alone, of which there is one at a time.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Mutex<T> {}

pub(crate) struct Guard<'a, T>(&'a Mutex<T>);

impl<T> Mutex<T> {
    pub(super) const fn new(value: T) -> Self {
        Self { lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER), value: UnsafeCell::new(value) }
    }

    pub(super) fn held(&self) -> Guard<'_, T> {
        // SAFETY: a mutex that is not moved while it is held, since the guard borrows it.
        assert_eq!(unsafe { libc::pthread_mutex_lock(self.lock.get()) }, 0);
        Guard(self)
    }

    pub(super) fn try_held(&self) -> Option<Guard<'_, T>> {
        // SAFETY: as above.
        (unsafe { libc::pthread_mutex_trylock(self.lock.get()) } == 0).then(|| Guard(self))
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this thread has the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this thread has the lock.
        unsafe { libc::pthread_mutex_unlock(self.0.lock.get()) };
    }
}

pub(super) struct Condvar(UnsafeCell<libc::pthread_cond_t>);

// SAFETY: it is made for several threads.
unsafe impl Send for Condvar {}
// SAFETY: as above.
unsafe impl Sync for Condvar {}

impl Default for Condvar {
    fn default() -> Self {
        Self(UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER))
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar")
    }
}

impl Condvar {
    pub(super) fn notify_all(&self) {
        // SAFETY: initialised.
        unsafe { libc::pthread_cond_broadcast(self.0.get()) };
    }

    pub(super) fn wait<'a, T>(&self, guard: Guard<'a, T>) -> Guard<'a, T> {
        // SAFETY: this thread has the lock, which is given up for the time.
        unsafe { libc::pthread_cond_wait(self.0.get(), guard.0.lock.get()) };
        guard
    }

    pub(super) fn wait_while<'a, T>(
        &self,
        mut guard: Guard<'a, T>,
        most: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Guard<'a, T> {
        let start = Instant::now();
        let until = SystemTime::now() + most.min(Duration::from_secs(3600));
        let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = libc::timespec { tv_sec: until.as_secs() as _, tv_nsec: until.subsec_nanos().into() };
        while condition(&mut guard) && start.elapsed() < most {
            // SAFETY: as above.
            unsafe { libc::pthread_cond_timedwait(self.0.get(), guard.0.lock.get(), &raw const until) };
        }
        guard
    }
}
