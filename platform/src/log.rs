//! The image's defmt logger: each record leaves as one frame on the console.
//!
//! Owns the way from a defmt macro to [`crate::uart::CONSOLE`], and the time stamp. Called by the defmt macros only.
//! Exists for the firmware target with the cargo feature `log` only, so host tests link without a logger. Never blocks
//! on itself: a record that is begun while this CPU writes another one is dropped, the outer one stays whole. Never
//! masks interrupts, since EL2 always runs with them masked.
//!
//! defmt numbers its strings by symbol address, 16 bits of it. An image is linked at 0 and loaded at a 64 KiB boundary,
//! so the low half of a symbol's address is right wherever the image lies.

use crate::logmux;
use crate::timer;
use crate::uart::{CONSOLE, ConsoleGuard};
use core::cell::UnsafeCell;
use embedded_io::Write;

defmt::timestamp!("{=u64:us}", timer::now_us());

#[defmt::global_logger]
struct Logger;

/// The record being written.
struct Record {
    /// The console, held from `acquire` to `release`; None while there is none to write to.
    console: Option<ConsoleGuard<'static>>,
    /// How many records were begun inside it.
    nested: u32,
}

/// The one record that can be in progress. Only the CPU that holds the console looks inside.
struct Current(UnsafeCell<Record>);

// SAFETY: all access is from the CPU that holds the console's lock, and interrupts are masked at EL2, so no two
// accesses overlap (see `with_record`).
unsafe impl Sync for Current {}

static CURRENT: Current = Current(UnsafeCell::new(Record {
    console: None,
    nested: 0,
}));

/// Runs `f` on the record in progress.
///
/// # Safety
/// The calling CPU holds the console, and `f` does not log.
unsafe fn with_record<R>(f: impl FnOnce(&mut Record) -> R) -> R {
    // SAFETY: the caller holds the console, so no other CPU is here, and `f` does not come back here.
    f(unsafe { &mut *CURRENT.0.get() })
}

// SAFETY: `acquire` holds the console until the `release` that belongs to it, so records of different CPUs never mix;
// a nested `acquire` on the same CPU is counted and its bytes dropped until the `release` that belongs to it.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        match CONSOLE.lock() {
            Some(mut console) => {
                logmux::begin(logmux::KIND_RECORD, &mut |byte| console.put(byte));
                // SAFETY: this CPU has just taken the console, and the closure does not log.
                unsafe {
                    with_record(|record| {
                        record.nested = 0;
                        record.console = Some(console);
                    });
                }
            }
            None if CONSOLE.held_by_this_cpu() => {
                // SAFETY: this CPU holds the console, and the closure does not log.
                unsafe { with_record(|record| record.nested = record.nested.saturating_add(1)) };
            }
            // No UART yet: the record is lost.
            None => {}
        }
    }

    unsafe fn flush() {
        if CONSOLE.held_by_this_cpu() {
            // SAFETY: this CPU holds the console, and the closure does not log.
            unsafe {
                with_record(|record| {
                    if let Some(console) = &mut record.console {
                        // The PL011 reports no error on transmission.
                        let _ = console.flush();
                    }
                });
            }
        }
    }

    unsafe fn release() {
        if !CONSOLE.held_by_this_cpu() {
            return;
        }
        // SAFETY: this CPU holds the console, and the closure does not log.
        let finished = unsafe {
            with_record(|record| match record.nested.checked_sub(1) {
                Some(nested) => {
                    record.nested = nested;
                    None
                }
                None => record.console.take(),
            })
        };
        // The console is let go outside the closure: from then on another CPU may be in there.
        if let Some(mut console) = finished {
            logmux::end(&mut |byte| console.put(byte));
        }
    }

    unsafe fn write(bytes: &[u8]) {
        if !CONSOLE.held_by_this_cpu() {
            return;
        }
        // SAFETY: this CPU holds the console, and the closure does not log.
        unsafe {
            with_record(|record| {
                if record.nested == 0
                    && let Some(console) = &mut record.console
                {
                    for byte in bytes {
                        logmux::put(*byte, &mut |byte| console.put(byte));
                    }
                }
            });
        }
    }
}
