//! `client-record`: at NS-EL2, one call of each kind, for a recording of what crosses EL3.
//!
//! It judges nothing but what no call may touch, x18-x30 and SP. `cargo xtask trace record` watches
//! it from outside. Each case lies between two marks, `hint #0x62` with the case's name in x0-x3
//! (ASCII, from the lowest byte of x0; no name ends a case).
//!
//! Registers are made to be recognised: x*n* of case *c* is `0x5ec0_cccc_nnnn_nnnn` with *n* in each
//! of the lower four bytes, where a case does not say otherwise.

mod cases;

use super::report::{Failure, Seen};
use super::{Client, Refusal};
use crate::abi;
use crate::board::{self, place};
use crate::expect::{self, Exchange};
use crate::rt::call::{Conduit, watched_call};
use crate::rt::entry::Boot;
use crate::rt::{self, regs};
use cases::{Case, PREEMPTED, Rest, TABLES};
use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU64, Ordering};

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    rt::set_role(rt::Role::Client);
    let mut client = Client {
        direct: true,
        me: abi::HYPERVISOR,
        version: 0,
        count: 0,
        failures: 0,
    };
    crate::say!(
        "@boot client-record el={} base={:#x}",
        regs::current_el(),
        boot.base
    );
    if regs::current_el() != 2 {
        client.case("runs_at_ns_el2", Err(Failure::NoFault(regs::current_el())));
        client.end();
    }
    for table in TABLES {
        for case in table {
            record(&mut client, case);
        }
    }
    open_interrupts();
    for pair in PREEMPTED.chunks_exact(2) {
        for (case, interrupted) in pair.iter().zip([true, false]) {
            if interrupted {
                raise_interrupt();
            }
            record(&mut client, case);
            if interrupted {
                take_interrupt();
            }
        }
    }
    for name in ["cpu_on_and_off", "cpu_on_again"] {
        let verdict = core_1(name);
        client.case(name, verdict);
    }
    client.end()
}

/// The pattern.
fn pattern(case: u32, n: usize) -> u64 {
    0x5ec0 << 48 | u64::from(case & 0xffff) << 32 | (0x0101_0101 * n as u64)
}

fn record(client: &mut Client, case: &Case) {
    let (name, x0, arguments, rest) = *case;
    let mut sent: [u64; 31] = core::array::from_fn(|n| pattern(client.count, n));
    if rest == Rest::Zero {
        sent[1..8].fill(0);
    }
    sent[0] = x0;
    for (slot, value) in sent.iter_mut().skip(1).zip(arguments) {
        *slot = *value;
    }
    mark(name);
    let exchange = watched_call(Conduit::Smc, sent);
    mark("");
    client.case(name, untouched(&exchange));
}

fn untouched(exchange: &Exchange) -> Result<Seen, Failure> {
    match expect::own(exchange, 18) {
        Ok(()) => Ok(Seen::Value("x0", exchange.got[0])),
        Err(mismatch) => Err(Failure::Register {
            conduit: Conduit::Smc,
            call: exchange.sent[0],
            mismatch,
            result: Refusal {
                x0: exchange.got[0],
                x2: exchange.got[2],
            },
        }),
    }
}

/// Tells who watches from outside that a case begins, or by no name that it has ended.
fn mark(name: &str) {
    let mut words = [0u64; 4];
    for (slot, chunk) in words.iter_mut().zip(name.as_bytes().chunks(8)) {
        for (index, byte) in chunk.iter().enumerate() {
            *slot |= u64::from(*byte) << (8 * index);
        }
    }
    let [a, b, c, d] = words;
    // SAFETY: a hint does nothing.
    unsafe {
        asm!("hint #0x62", in("x0") a, in("x1") b, in("x2") c, in("x3") d, options(nostack));
    }
}

/// GICD_CTLR as the normal world has it.
const GICD_CTLR: *mut u32 = place(0x0800_0000) as *mut u32;
const GICD_CTLR_ENABLE_GRP1A: u32 = 1 << 1;
/// The boot core's redistributor: its frame of SGIs and PPIs.
const GICR_SGI: u64 = place(0x080a_0000) + 0x1_0000;
const GICR_ISENABLER0: *mut u32 = (GICR_SGI + 0x100) as *mut u32;
const GICR_IPRIORITYR0: *mut u8 = (GICR_SGI + 0x400) as *mut u8;

/// Lets SGI 0 through to this core.
fn open_interrupts() {
    // SAFETY: this image is alone in the normal world, the MMU is off, and interrupts are masked.
    unsafe {
        GICD_CTLR.write_volatile(GICD_CTLR.read_volatile() | GICD_CTLR_ENABLE_GRP1A);
        GICR_IPRIORITYR0.write_volatile(0x80);
        GICR_ISENABLER0.write_volatile(1);
        asm!(
            "dsb sy",
            // ICC_SRE_EL2, then ICC_PMR_EL1, ICC_IGRPEN1_EL1.
            "msr S3_4_C12_C9_5, {sre}",
            "isb",
            "msr S3_0_C4_C6_0, {pmr}",
            "msr S3_0_C12_C12_7, {one}",
            "isb",
            sre = in(reg) 0xfu64,
            pmr = in(reg) 0xffu64,
            one = in(reg) 1u64,
            options(nostack, preserves_flags)
        );
    }
}

/// Raises SGI 0 on this core. It is masked here, so that it comes once a partition runs.
fn raise_interrupt() {
    // SAFETY: ICC_SGI1R_EL1: INTID 0 to the core with Aff0 = 0 of this cluster.
    unsafe {
        asm!("msr S3_0_C12_C11_5, {}", "isb", in(reg) 1u64, options(nostack, preserves_flags));
    }
}

/// Acknowledges and ends whatever interrupt is pending.
fn take_interrupt() {
    // SAFETY: ICC_IAR1_EL1 and ICC_EOIR1_EL1; the end of a spurious one is not written.
    unsafe {
        asm!(
            "mrs {id}, S3_0_C12_C12_0",
            "cmp {id}, #1020",
            "b.hs 2f",
            "msr S3_0_C12_C12_1, {id}",
            "2: isb",
            id = out(reg) _,
            options(nostack)
        );
    }
}

/// What core 1 reports. Plain loads and stores: all memory is uncached here.
#[repr(C, align(64))]
struct Mailbox {
    /// x0 of `FFA_FEATURES`.
    x0: AtomicU64,
    /// Set last.
    done: AtomicU64,
}

static MAILBOX: Mailbox = Mailbox {
    x0: AtomicU64::new(0),
    done: AtomicU64::new(0),
};

/// Polls until core 1 counts as dead.
const PATIENCE: u32 = 1_000_000;
/// AFFINITY_INFO of PSCI, 64-bit form, and what it says of a core that is off.
const AFFINITY_INFO: u64 = 0xc400_0004;
const OFF: u64 = 1;
/// How long the way down may take, in ticks of the counter.
const TO_GO_DOWN: u64 = 50_000_000;

/// Where core 1 starts, with the mailbox in x0: one call, the report, CPU_OFF.
///
/// # Safety
/// Started by EL3 at NS-EL2, on a core of its own.
#[unsafe(naked)]
unsafe extern "C" fn core_entry() -> ! {
    naked_asm!(
        "msr daifset, #0xf",
        "mov x19, x0",
        "movz x0, #0x64",
        "movk x0, #0x8400, lsl #16",
        "movz x1, #0x63",
        "movk x1, #0x8400, lsl #16",
        "mov x2, xzr",
        // What no call but a message with fourteen registers may take along.
        "movz x8, #0x5ec8, lsl #48",
        "movz x9, #0x5ec9, lsl #48",
        "movz x10, #0x5eca, lsl #48",
        "movz x11, #0x5ecb, lsl #48",
        "movz x12, #0x5ecc, lsl #48",
        "movz x13, #0x5ecd, lsl #48",
        "movz x14, #0x5ece, lsl #48",
        "movz x15, #0x5ecf, lsl #48",
        "movz x16, #0x5ed0, lsl #48",
        "movz x17, #0x5ed1, lsl #48",
        "smc #0",
        "mov x9, #1",
        "stp x0, x9, [x19]",
        "dsb sy",
        "movz x0, #2",
        "movk x0, #0x8400, lsl #16",
        "smc #0",
        "1: wfe",
        "b 1b",
    )
}

/// Lets an emulator that runs one core at a time go on with the next one.
fn give_way() {
    // SAFETY: a hint does nothing.
    unsafe { asm!("yield", options(nostack, preserves_flags)) }
}

/// Switches core 1 on; it makes one call and switches itself off. All of that is the case.
fn core_1(name: &str) -> Result<Seen, Failure> {
    MAILBOX.done.store(0, Ordering::Relaxed);
    let mut sent = [0; 31];
    sent[0] = abi::PSCI_CPU_ON_64.into();
    sent[1] = board::affinity(1);
    sent[2] = core_entry as *const () as u64;
    sent[3] = (&raw const MAILBOX) as u64;
    mark(name);
    let on = watched_call(Conduit::Smc, sent);
    for _ in 0..PATIENCE {
        if MAILBOX.done.load(Ordering::Relaxed) != 0 {
            break;
        }
        give_way();
    }
    let start = regs::cntvct();
    while regs::cntvct().wrapping_sub(start) < TO_GO_DOWN {
        give_way();
    }
    mark("");
    untouched(&on)?;
    let mut sent = [0; 31];
    sent[0] = AFFINITY_INFO;
    sent[1] = board::affinity(1);
    let off = watched_call(Conduit::Smc, sent);
    super::report::equal("AFFINITY_INFO", off.got[0], OFF)?;
    Ok(Seen::Value("x0", MAILBOX.x0.load(Ordering::Relaxed)))
}
