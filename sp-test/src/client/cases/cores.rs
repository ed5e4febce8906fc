//! Other cores, switched on and off by the normal world (direct mode: EL3 serves PSCI). What runs
//! on them has no memory but a mailbox, and no stack.

use crate::abi::{self, PSCI_ALREADY_ON};
use crate::board;
use crate::client::report::Seen;
use crate::client::report::{Verdict, equal};
use crate::client::{Client, ECHO, registers};
use crate::rt::call::{Conduit, call};
use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// Cores that are tried: all but the boot core.
const CORES: u64 = board::CORES as u64 - 1;
/// How often each is switched on and off.
const ROUNDS: u64 = 8;
/// PSCI: the core is about to be on.
const ON_PENDING: u64 = -5i64 as u64;
/// Polls until a core counts as dead.
const PATIENCE: u32 = 50_000_000;

/// What a core reports. Plain loads and stores: all memory is uncached here.
#[repr(C, align(64))]
struct Mailbox {
    /// What a `DIRECT_REQ2` to a partition gave, whose context of this core has just started: x0.
    x0: AtomicU64,
    /// Its x1.
    x1: AtomicU64,
    /// x0 of `FFA_FEATURES(FFA_VERSION)`.
    features: AtomicU64,
    /// Set last.
    done: AtomicU64,
}

static MAILBOX: Mailbox = Mailbox {
    x0: AtomicU64::new(0),
    x1: AtomicU64::new(0),
    features: AtomicU64::new(0),
    done: AtomicU64::new(0),
};

/// Where a core starts, with the mailbox in x0: two calls, the report, CPU_OFF.
///
/// # Safety
/// Started by EL3 at NS-EL2, on a core of its own.
#[unsafe(naked)]
unsafe extern "C" fn core_entry() -> ! {
    naked_asm!(
        "msr daifset, #0xf",
        "mov x19, x0",
        "movz x0, #0x8d",
        "movk x0, #0xc400, lsl #16",
        "movz x1, #0x8001",
        "mov x2, xzr",
        "mov x3, xzr",
        "smc #0",
        "stp x0, x1, [x19]",
        "movz x0, #0x64",
        "movk x0, #0x8400, lsl #16",
        "movz x1, #0x63",
        "movk x1, #0x8400, lsl #16",
        "mov x2, xzr",
        "smc #0",
        "str x0, [x19, #16]",
        "dsb sy",
        "mov x9, #1",
        "str x9, [x19, #24]",
        "dsb sy",
        "movz x0, #2",
        "movk x0, #0x8400, lsl #16",
        "smc #0",
        // CPU_OFF came back: say so by a result that no case wants.
        "str x0, [x19]",
        "1: wfe",
        "b 1b",
    )
}

/// Runs the chapter.
pub fn run(client: &mut Client) {
    if !client.direct {
        // A VM has one core.
        return;
    }
    client.case("cores_on_and_off_again", on_and_off());
    let verdict = client.talk(&ECHO).map(|()| Seen::Nothing);
    client.case("boot_core_talks_after_others", verdict);
}

fn on_and_off() -> Verdict {
    for _ in 0..ROUNDS {
        for core in 1..=CORES {
            one(core)?;
        }
    }
    Ok(Seen::Count("cores switched on and off", ROUNDS * CORES))
}

fn one(core: u64) -> Result<(), crate::client::report::Failure> {
    MAILBOX.x0.store(0, Ordering::Relaxed);
    MAILBOX.done.store(0, Ordering::Relaxed);
    let entry = core_entry as *const () as u64;
    let mailbox = (&raw const MAILBOX) as u64;
    let mut status = ON_PENDING;
    for _ in 0..PATIENCE {
        let mut regs = registers(
            abi::PSCI_CPU_ON_64,
            &[board::affinity(core), entry, mailbox],
        );
        call(Conduit::Smc, &mut regs);
        status = regs[0];
        // The core of the round before may still be on its way down.
        if status != PSCI_ALREADY_ON as u64 && status != ON_PENDING {
            break;
        }
    }
    equal("CPU_ON", status, 0)?;
    for _ in 0..PATIENCE {
        if MAILBOX.done.load(Ordering::Relaxed) != 0 {
            break;
        }
        core::hint::spin_loop();
    }
    equal("report", MAILBOX.done.load(Ordering::Relaxed), 1)?;
    let x0 = MAILBOX.x0.load(Ordering::Relaxed);
    equal("x0", x0, abi::DIRECT_RESP2.into())?;
    equal("ids", MAILBOX.x1.load(Ordering::Relaxed), 0x8001 << 16)?;
    equal(
        "FFA_FEATURES",
        MAILBOX.features.load(Ordering::Relaxed),
        abi::SUCCESS_32.into(),
    )
}
