//! Ctrl-C, and other requests to end the program. It ends at once, whatever it is doing, except for a file that is
//! being finished.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError, mpsc};
use std::time::Duration;

use diffuse::Error;

use crate::failure::{Failure, no_bar, say};

/// Whether the end was requested while a file was being finished.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Held while a file is being finished, and by the thread that ends the program. So what that thread prints stays true.
static FINISHING: Mutex<()> = Mutex::new(());

/// The number of results that are written, or begun where they are written in place.
static WRITTEN: AtomicUsize = AtomicUsize::new(0);

/// The greatest time for the last line.
const LONGEST_LINE: Duration = Duration::from_millis(200);

/// Begins to listen for requests.
pub(crate) fn listen() -> Result<(), Failure> {
    ctrlc::set_handler(on_interrupt).map_err(|error| Failure::Other(format!("Ctrl-C cannot be handled: {error}")))
}

fn on_interrupt() {
    let finishing = FINISHING.try_lock();
    // A file has its name in a moment. A second Ctrl-C does not wait for it, since a disk may not answer.
    if INTERRUPTED.swap(true, Ordering::SeqCst) || !matches!(finishing, Err(TryLockError::WouldBlock)) {
        // The reader of the output may have paused, and so may a thread of ours that is printing.
        let (said, is_said) = mpsc::channel();
        let line = format!("{}diffuse-cli: {}\n", no_bar(), account());
        let speaker = std::thread::Builder::new().spawn(move || {
            say(&line);
            said.send(())
        });
        if speaker.is_ok() {
            let _ = is_said.recv_timeout(LONGEST_LINE);
        }
        leave(130);
    }
}

/// The text that an interrupted run prints.
pub(crate) fn account() -> &'static str {
    if WRITTEN.load(Ordering::SeqCst) == 0 { "interrupted; nothing was written" } else { "interrupted" }
}

/// Ends the process without the destructors of libraries, which must not run under the threads that use them.
fn leave(code: i32) -> ! {
    #[cfg(unix)]
    // SAFETY: it does not return, and nothing of the process is used afterwards.
    unsafe {
        libc::_exit(code)
    }
    #[cfg(not(unix))]
    std::process::exit(code)
}

/// While this lives, the first Ctrl-C waits for [`check`].
pub(crate) fn finishing() -> MutexGuard<'static, ()> {
    FINISHING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts one more result.
pub(crate) fn note_written() {
    WRITTEN.fetch_add(1, Ordering::SeqCst);
}

/// Checks that the end was not requested.
///
/// # Errors
/// [`Error::Cancelled`] if it was requested while a file was being finished.
pub(crate) fn check() -> Result<(), Failure> {
    if INTERRUPTED.load(Ordering::SeqCst) { Err(Error::Cancelled.into()) } else { Ok(()) }
}
