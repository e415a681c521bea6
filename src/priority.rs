//! How this crate's threads give way to those of the host.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::log::{Severity, say};
use crate::process;

/// The priority of a model's threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Priority {
    /// The same priority as every other thread.
    #[default]
    Normal,
    /// Low priority: the work is done where no thread of the host needs the core. It takes no privilege.
    ///
    /// On Linux it adds 10 to the nice value. On Windows it is the lowest priority except that of idle threads. On
    /// macOS and iOS it is the utility class.
    Background,
}

impl Priority {
    /// Reads `text`, which is normal or background.
    ///
    /// # Errors
    /// [`Error::Argument`] for something else.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "normal" => Ok(Self::Normal),
            "background" => Ok(Self::Background),
            _ => Err(Error::argument("priority", format!("{text:?}; expected normal or background"))),
        }
    }

    /// Gives the priority to this thread, which must be one of this crate's. If the system refuses it, that is logged
    /// once and nothing changes.
    pub(crate) fn take(self) {
        static SAID: AtomicBool = AtomicBool::new(false);
        if self == Self::Normal {
            return;
        }
        if let Err(error) = process::give_way()
            && !SAID.swap(true, Ordering::SeqCst)
        {
            say(Severity::Warning, || format!("the system refuses a thread the priority background: {error}"));
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The nice value of this thread.
    fn nice() -> i64 {
        let text = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        text.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn a_thread_gives_way_and_others_do_not() {
        let before = nice();
        let of = |priority: Priority| {
            let thread = std::thread::spawn(move || {
                priority.take();
                nice()
            });
            thread.join().unwrap()
        };
        assert_eq!((of(Priority::Normal), of(Priority::Background)), (before, (before + 10).min(19)));
        assert_eq!(nice(), before);
        assert!(Priority::parse("background").unwrap() == Priority::Background && Priority::parse("urgent").is_err());
    }
}
