//! Exceptions: expected ones are recorded and stepped over, any other ends the image.

use super::{cores, vectors::Frame};
use core::arch::asm;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// A synchronous exception that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The syndrome.
    pub esr: u64,
    /// The address, where the syndrome's class has one.
    pub far: u64,
}

impl Fault {
    /// The exception class: 0x25 is a data abort, 0x21 an instruction abort, both without a change
    /// of exception level; 0 is unknown (undefined instruction).
    pub const fn class(self) -> u64 {
        self.esr >> 26 & 0x3f
    }
}

/// What one core or vCPU expects, and has taken.
struct Expectation {
    expected: AtomicBool,
    taken: AtomicBool,
    esr: AtomicU64,
    far: AtomicU64,
}

static EXPECTATIONS: [Expectation; cores::VCPUS] = [const {
    Expectation {
        expected: AtomicBool::new(false),
        taken: AtomicBool::new(false),
        esr: AtomicU64::new(0),
        far: AtomicU64::new(0),
    }
}; cores::VCPUS];
static DYING: AtomicBool = AtomicBool::new(false);

/// Of who runs this: several cores of an image may take exceptions at the same time.
fn own() -> &'static Expectation {
    EXPECTATIONS
        .get(cores::number())
        .unwrap_or(&EXPECTATIONS[0])
}

const INSTRUCTION_ABORT: u64 = 0x21;
/// Synchronous, current EL with SP_ELx.
const SYNC_SPX: u64 = 4;
/// IRQ, the same.
const IRQ_SPX: u64 = 5;
/// FIQ, the same.
const FIQ_SPX: u64 = 6;

/// What takes IRQs and FIQs instead of [`irq`](super::irq), a `fn(bool)`; 0 for none.
static HANDLER: AtomicU64 = AtomicU64::new(0);

/// Has IRQs and FIQs taken by `handler`, which is told whether it is an FIQ.
pub fn take_interrupts(handler: fn(bool)) {
    HANDLER.store(handler as usize as u64, Relaxed);
}

/// Called by the vectors.
pub(super) fn take(frame: &mut Frame) {
    let class = frame.esr >> 26 & 0x3f;
    let own = own();
    if frame.vector == SYNC_SPX && own.expected.load(Relaxed) {
        own.expected.store(false, Relaxed);
        own.taken.store(true, Relaxed);
        own.esr.store(frame.esr, Relaxed);
        own.far.store(frame.far, Relaxed);
        frame.elr = match class {
            // A branch that went nowhere: the probe's branch left its return address in x30.
            INSTRUCTION_ABORT => frame.x[30],
            _ => frame.elr.wrapping_add(4),
        };
        return;
    }
    let handler = HANDLER.load(Relaxed);
    if handler != 0 && matches!(frame.vector, IRQ_SPX | FIQ_SPX) {
        // SAFETY: `take_interrupts` wrote it, from a `fn(bool)`.
        let handler: fn(bool) = unsafe { core::mem::transmute(handler) };
        handler(frame.vector == FIQ_SPX);
        return;
    }
    if frame.vector == IRQ_SPX {
        // Only an image that unmasks them has them.
        super::irq::take();
        return;
    }
    // If saying so takes an exception too (a machine that knows no SMC), there is nobody to tell.
    if DYING.load(Relaxed) {
        loop {
            core::hint::spin_loop();
        }
    }
    DYING.store(true, Relaxed);
    crate::say!(
        "{} vector {} esr {:#x} far {:#x} elr {:#x} (image at {:#x})",
        if super::is_client() {
            "@exception"
        } else {
            "panic: exception,"
        },
        frame.vector,
        frame.esr,
        frame.far,
        frame.elr,
        image_base(),
    );
    super::give_up()
}

fn image_base() -> u64 {
    let base;
    // SAFETY: computes an address.
    unsafe {
        asm!(
            "adrp {0}, __image_start",
            "add {0}, {0}, :lo12:__image_start",
            out(reg) base,
            options(nomem, nostack, preserves_flags)
        );
    }
    base
}

/// Runs `probe`, which may take one synchronous exception.
pub(crate) fn expecting<T>(probe: impl FnOnce() -> T) -> Result<T, Fault> {
    let own = own();
    own.taken.store(false, Relaxed);
    own.expected.store(true, Relaxed);
    let value = probe();
    own.expected.store(false, Relaxed);
    if own.taken.load(Relaxed) {
        Err(Fault {
            esr: own.esr.load(Relaxed),
            far: own.far.load(Relaxed),
        })
    } else {
        Ok(value)
    }
}

/// Loads eight bytes from `address`.
///
/// # Errors
/// The fault that the load took.
pub fn probe_read(address: u64) -> Result<u64, Fault> {
    expecting(|| {
        let mut value = 0;
        // SAFETY: a load has no effect on this image's memory; a fault is stepped over.
        unsafe {
            asm!("ldr {0}, [{1}]", inout(reg) value, in(reg) address, options(nostack));
        }
        value
    })
}

/// Loads four bytes from `address`.
///
/// # Errors
/// The fault that the load took.
pub fn probe_read_32(address: u64) -> Result<u64, Fault> {
    expecting(|| {
        let mut value = 0;
        // SAFETY: a load has no effect on this image's memory; a fault is stepped over.
        unsafe {
            asm!("ldr {0:w}, [{1}]", inout(reg) value, in(reg) address, options(nostack));
        }
        value
    })
}

/// Stores four bytes at `address`.
///
/// # Errors
/// The fault that the store took.
///
/// # Safety
/// `address` is memory that this image does not use.
pub unsafe fn probe_write_32(address: u64, value: u32) -> Result<(), Fault> {
    expecting(|| {
        // SAFETY: the caller vouches for the address; a fault is stepped over.
        unsafe {
            asm!("str {0:w}, [{1}]", in(reg) value, in(reg) address, options(nostack));
        }
    })
}

/// Stores eight bytes at `address`.
///
/// # Errors
/// The fault that the store took.
///
/// # Safety
/// `address` is memory that this image does not use.
pub unsafe fn probe_write(address: u64, value: u64) -> Result<(), Fault> {
    expecting(|| {
        // SAFETY: the caller vouches for the address; a fault is stepped over.
        unsafe {
            asm!("str {0}, [{1}]", in(reg) value, in(reg) address, options(nostack));
        }
    })
}

/// Calls the code at `address`.
///
/// # Errors
/// The fault that the first instruction's fetch took.
///
/// # Safety
/// `address` can't be fetched from, or holds a function that returns.
pub unsafe fn probe_execute(address: u64) -> Result<(), Fault> {
    expecting(|| {
        // SAFETY: the caller vouches for the address; a fault returns to x30.
        unsafe {
            asm!("blr {0}", in(reg) address, clobber_abi("C"));
        }
    })
}

/// Executes an instruction that is permanently undefined.
///
/// # Errors
/// The fault, always.
pub fn probe_undefined() -> Result<(), Fault> {
    expecting(|| {
        // SAFETY: the exception is stepped over.
        unsafe {
            asm!("udf #0x5a", options(nostack));
        }
    })
}
