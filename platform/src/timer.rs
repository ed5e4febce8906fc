//! The generic timer's counter as a clock and as a delay.
//!
//! Owns the conversion between ticks and time. Called by the logger for its time stamps and by bring-up code that has
//! to wait. Never programs a timer and never raises an interrupt: partitions' timers belong to the code that switches
//! them.

use core::arch::asm;
use core::hint::spin_loop;
use embedded_hal::delay::DelayNs;

/// Nanoseconds in a second.
const NS_PER_S: u64 = 1_000_000_000;
/// Microseconds in a second.
const US_PER_S: u64 = 1_000_000;

/// CNTPCT_EL0: ticks since the machine came up, the same on every CPU and in every world. Not read early.
#[must_use]
pub fn ticks() -> u64 {
    let ticks: u64;
    // SAFETY: reading the counter at EL2 has no effect. The barrier keeps the read from being done ahead of the code
    // before it.
    unsafe {
        asm!("isb", "mrs {}, cntpct_el0", out(reg) ticks, options(nomem, nostack, preserves_flags))
    };
    ticks
}

/// The same, perhaps read early.
#[inline(always)]
#[must_use]
pub fn ticks_about_now() -> u64 {
    crate::read_sysreg!("cntpct_el0")
}

/// CNTFRQ_EL0: ticks per second, as the firmware before us set it. 0 if nobody did.
#[must_use]
pub fn frequency() -> u64 {
    let frequency: u64;
    // SAFETY: reading the register at EL2 has no effect.
    unsafe {
        asm!("mrs {}, cntfrq_el0", out(reg) frequency, options(nomem, nostack, preserves_flags))
    };
    frequency
}

/// Microseconds since the machine came up; 0 where the frequency is not known.
#[must_use]
pub fn now_us() -> u64 {
    scale(ticks(), frequency(), US_PER_S)
}

/// Nanoseconds from now until the counter reaches `at`; 0 if it has.
#[must_use]
pub fn ns_until(at: u64) -> u64 {
    scale(at.saturating_sub(ticks()), frequency(), NS_PER_S)
}

/// Ticks in so many microseconds.
#[must_use]
pub fn ticks_in_us(us: u64) -> u64 {
    scale(us, US_PER_S, frequency())
}

/// Busy waiting on the generic timer's counter.
///
/// Where the frequency is not known it does not wait at all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GenericTimer;

impl DelayNs for GenericTimer {
    fn delay_ns(&mut self, ns: u32) {
        wait(u64::from(ns));
    }

    fn delay_us(&mut self, us: u32) {
        // At most 2^32 us, that is 4.3e12 ns.
        wait(u64::from(us).saturating_mul(1_000));
    }

    fn delay_ms(&mut self, ms: u32) {
        wait(u64::from(ms).saturating_mul(1_000_000));
    }
}

/// Waits at least `ns` nanoseconds.
fn wait(ns: u64) {
    let start = ticks();
    let needed = scale(ns, NS_PER_S, frequency());
    // One tick more: the first may have been almost over.
    while ticks().wrapping_sub(start) <= needed {
        spin_loop();
    }
}

/// `value / from * to`, without losing the fraction and without overflow short of the result's own; 0 if `from` is 0.
fn scale(value: u64, from: u64, to: u64) -> u64 {
    let (Some(whole), Some(rest)) = (value.checked_div(from), value.checked_rem(from)) else {
        return 0;
    };
    // `rest` is below `from`, and neither frequency exceeds 2^32 by much: the product stays below 2^64.
    whole
        .saturating_mul(to)
        .saturating_add(rest.saturating_mul(to).checked_div(from).unwrap_or(0))
}
