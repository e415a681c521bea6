//! Ctrl-C, and what else asks the program to end: it leaves at once, whatever it is doing, but for a file that is being
//! finished.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError, mpsc};
use std::time::Duration;

use diffuse::Error;

use crate::failure::{Failure, no_bar, say};

/// Whether it was asked for while a file was being finished.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Held while a file is being finished, and by whoever ends the program, so that what is said of it stays true.
static FINISHING: Mutex<()> = Mutex::new(());

/// How many results are written, or have been begun where they are written to directly.
static WRITTEN: AtomicUsize = AtomicUsize::new(0);

/// How long the last line may take.
const LONGEST_LINE: Duration = Duration::from_millis(200);

/// Hears of it from now on.
pub(crate) fn listen() -> Result<(), Failure> {
    ctrlc::set_handler(on_interrupt).map_err(|error| Failure::Other(format!("Ctrl-C cannot be handled: {error}")))
}

fn on_interrupt() {
    let finishing = FINISHING.try_lock();
    // A file has its name in a moment. A second one does not wait for that, on a disk that does not answer.
    if INTERRUPTED.swap(true, Ordering::SeqCst) || !matches!(finishing, Err(TryLockError::WouldBlock)) {
        // Whoever reads what is said may have paused, and so may a thread of ours that is saying something.
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

/// What an interrupted run says.
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

/// One more result is there.
pub(crate) fn note_written() {
    WRITTEN.fetch_add(1, Ordering::SeqCst);
}

/// # Errors
/// [`Error::Cancelled`] if it was asked for while a file was being finished.
pub(crate) fn check() -> Result<(), Failure> {
    if INTERRUPTED.load(Ordering::SeqCst) { Err(Error::Cancelled.into()) } else { Ok(()) }
}
