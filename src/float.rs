//! The floating-point environment of a thread: its rounding, whether it flushes small numbers to zero, and which
//! exceptions end the process.
//!
//! A host may have changed it. Results would depend on it, and a division that gives infinity would raise a signal. So
//! the entries of the C interface and the workers use the usual environment ([`Usual`]). The host's own code is called
//! in the host's environment ([`with_hosts`]).

use std::cell::Cell;

pub(crate) use control::Control;

thread_local! {
    /// The host's environment on this thread, while the library uses the usual one.
    static HOSTS: Cell<Option<Control>> = const { Cell::new(None) };
}

/// Sets the usual environment on this thread from its creation to its drop, and then restores the former one.
///
/// It is read first, and written only where it differs, since writing costs far more than reading.
#[derive(Debug)]
pub(crate) struct Usual {
    found: Control,
    outer: Option<Control>,
}

impl Usual {
    pub(crate) fn enter() -> Self {
        Self::over(Control::read())
    }

    /// The same for a worker, on behalf of the thread that started it, whose host's environment is `hosts`.
    pub(crate) fn on_behalf_of(hosts: Option<Control>) -> Self {
        let usual = Self::enter();
        if hosts.is_some() {
            HOSTS.set(hosts);
        }
        usual
    }

    fn over(found: Control) -> Self {
        if !found.is_usual() {
            found.to_usual().write();
        }
        Self { found, outer: HOSTS.replace(Some(found)) }
    }
}

impl Drop for Usual {
    fn drop(&mut self) {
        HOSTS.set(self.outer);
        if !self.found.is_usual() {
            self.found.write();
        }
    }
}

/// The host's environment on this thread. `None` where the host did not enter the library.
pub(crate) fn hosts() -> Option<Control> {
    HOSTS.get()
}

/// Calls the host's code in the host's environment.
#[cfg(feature = "capi")]
pub(crate) fn with_hosts<T>(call: impl FnOnce() -> T) -> T {
    // The call may leave another one behind.
    let _back = Back(Control::read());
    if let Some(hosts) = HOSTS.get().filter(|hosts| !hosts.is_usual()) {
        hosts.write();
    }
    call()
}

/// Restores an environment when it is dropped, also by a panic.
#[cfg(feature = "capi")]
struct Back(Control);

#[cfg(feature = "capi")]
impl Drop for Back {
    fn drop(&mut self) {
        if !Control::read().controls_as(self.0) {
            self.0.write();
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod control {
    use std::arch::asm;

    /// The control registers of SSE and of the x87 unit, which `fesetround` and `feenableexcept` change as well.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Control {
        mxcsr: u32,
        x87: u16,
    }

    /// The flags of MXCSR that report what has happened, and control nothing.
    const FLAGS: u32 = 0x3f;
    /// All exceptions are masked. It rounds to nearest, and neither flushes to zero nor takes denormal inputs as zeros.
    const MXCSR: u32 = 0x1f80;
    /// The masks of the exceptions, and the rounding. The precision is left alone, since Windows has another one than
    /// Linux and nothing here uses it.
    const X87_MASKS: u16 = 0x003f;
    const X87_ROUNDING: u16 = 0x0c00;

    impl Control {
        pub(crate) fn read() -> Self {
            let (mut mxcsr, mut x87) = (0u32, 0u16);
            // SAFETY: each instruction stores a register into a place of its size.
            unsafe {
                asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags));
                asm!("fnstcw [{}]", in(reg) &raw mut x87, options(nostack, preserves_flags));
            }
            Self { mxcsr, x87 }
        }

        pub(crate) fn is_usual(self) -> bool {
            self.mxcsr & !FLAGS == MXCSR && self.x87 & (X87_MASKS | X87_ROUNDING) == X87_MASKS
        }

        /// Whether the two differ only in the flags of what has happened.
        #[cfg(feature = "capi")]
        pub(crate) fn controls_as(self, other: Self) -> bool {
            (self.mxcsr & !FLAGS, self.x87) == (other.mxcsr & !FLAGS, other.x87)
        }

        pub(crate) fn to_usual(self) -> Self {
            Self { mxcsr: MXCSR | self.mxcsr & FLAGS, x87: (self.x87 | X87_MASKS) & !X87_ROUNDING }
        }

        pub(crate) fn write(self) {
            // SAFETY: the values are what `read` has found, or differ from that in bits that every CPU has. An
            // exception that was masked leaves a flag in the x87 unit, which would raise a signal once it is not masked
            // any more. Hence `fnclex`.
            unsafe {
                asm!("ldmxcsr [{}]", in(reg) &raw const self.mxcsr, options(nostack, readonly));
                asm!("fnclex", "fldcw [{}]", in(reg) &raw const self.x87, options(nostack, readonly));
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod control {
    use std::arch::asm;

    /// The register FPCR.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Control(u64);

    /// The rounding (23:22), flushing to zero (24, 19 and 1, 0), default NaNs (25), the other half precision (26), and
    /// the traps (15, 12:8).
    const CONTROLS: u64 = 0x07c0_0000 | 0x0008_0000 | 0x9f00 | 0x3;

    impl Control {
        pub(crate) fn read() -> Self {
            let value: u64;
            // SAFETY: it reads a register that every program may read.
            unsafe { asm!("mrs {}, fpcr", out(reg) value, options(nomem, nostack, preserves_flags)) };
            Self(value)
        }

        pub(crate) fn is_usual(self) -> bool {
            self.0 & CONTROLS == 0
        }

        #[cfg(feature = "capi")]
        pub(crate) fn controls_as(self, other: Self) -> bool {
            self == other
        }

        pub(crate) fn to_usual(self) -> Self {
            Self(self.0 & !CONTROLS)
        }

        pub(crate) fn write(self) {
            // SAFETY: what `read` has found, or that without bits that are 0 by default.
            unsafe { asm!("msr fpcr, {}", in(reg) self.0, options(nostack)) };
        }
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod control {
    /// Nothing is known of this CPU's environment.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Control;

    impl Control {
        pub(crate) fn read() -> Self {
            Self
        }

        pub(crate) fn is_usual(self) -> bool {
            true
        }

        #[cfg(feature = "capi")]
        pub(crate) fn controls_as(self, _: Self) -> bool {
            true
        }

        pub(crate) fn to_usual(self) -> Self {
            self
        }

        pub(crate) fn write(self) {}
    }
}

#[cfg(all(test, feature = "capi", target_arch = "x86_64"))]
mod tests {
    use std::arch::asm;
    use std::hint::black_box;

    use super::*;

    fn set(mxcsr: u32) {
        // SAFETY: the tests put it back.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, readonly)) };
    }

    fn third() -> f64 {
        // The result is hidden as well, so that the division stays where it is.
        black_box(black_box(1.0) / black_box(3.0))
    }

    #[test]
    fn the_host_has_its_own_again_also_in_callbacks() {
        let nearest = third();
        let before = Control::read();
        // It rounds upward, and flushes small numbers to zero.
        set(0x1f80 | 0x4000 | 0x8000);
        let hosts = third();
        assert!(hosts > nearest);
        {
            let _usual = Usual::enter();
            assert_eq!(third().to_bits(), nearest.to_bits());
            assert!(black_box(f64::MIN_POSITIVE) / black_box(2.0) > 0.0);
            assert_eq!(with_hosts(third).to_bits(), hosts.to_bits());
            // The host calls the library within its callback.
            with_hosts(|| {
                let inner = Usual::enter();
                assert_eq!(third().to_bits(), nearest.to_bits());
                drop(inner);
                assert_eq!(third().to_bits(), hosts.to_bits());
            });
            assert_eq!(third().to_bits(), nearest.to_bits());
            // The host's callback starts a worker.
            let of_host = super::hosts();
            std::thread::spawn(move || {
                let _usual = Usual::on_behalf_of(of_host);
                assert_eq!(third().to_bits(), nearest.to_bits());
                assert_eq!(with_hosts(third).to_bits(), hosts.to_bits());
            })
            .join()
            .unwrap();
        }
        assert_eq!(third().to_bits(), hosts.to_bits());
        before.write();
        assert!(super::hosts().is_none());
    }
}
