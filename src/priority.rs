//! How threads of ours give way to those of the host.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::log::{Severity, say};
use crate::process;

/// How urgent the work of a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Priority {
    /// As that of every other thread.
    #[default]
    Normal,
    /// Done where no thread of the host's wants the core: by +10 of Linux's nice values, Windows' lowest priority
    /// but that of idle threads, and the utility class of macOS and iOS. That takes no privilege.
    Background,
}

impl Priority {
    /// What `text` says: normal or background.
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

    /// Gives it to this thread, which is one of ours. One that the system refuses is said, once, and changes nothing.
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
