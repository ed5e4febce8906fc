//! SMC, HVC and SVC: a plain call, and one that watches every general-purpose register.

use super::regs;
use crate::abi::Regs;
use crate::expect::Exchange;
use crate::random::Random;
use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The instruction that makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// SMC #0.
    Smc,
    /// HVC #0.
    Hvc,
    /// SVC #0, from EL0.
    Svc,
}

impl Conduit {
    /// The instruction's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smc => "smc",
            Self::Hvc => "hvc",
            Self::Svc => "svc",
        }
    }
}

macro_rules! plain {
    ($insn:literal, $regs:ident) => {{
        let [
            r0,
            r1,
            r2,
            r3,
            r4,
            r5,
            r6,
            r7,
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
            r16,
            r17,
        ] = $regs;
        // SAFETY: x0-x17 are declared; SMCCC leaves all else to the caller. Memory may be written
        // by the callee on our behalf, so no `nomem`.
        unsafe {
            asm!(
                $insn,
                inout("x0") * r0,
                inout("x1") * r1,
                inout("x2") * r2,
                inout("x3") * r3,
                inout("x4") * r4,
                inout("x5") * r5,
                inout("x6") * r6,
                inout("x7") * r7,
                inout("x8") * r8,
                inout("x9") * r9,
                inout("x10") * r10,
                inout("x11") * r11,
                inout("x12") * r12,
                inout("x13") * r13,
                inout("x14") * r14,
                inout("x15") * r15,
                inout("x16") * r16,
                inout("x17") * r17,
                options(nostack)
            );
        }
    }};
}

/// Calls with x0-x17 and gives back x0-x17.
#[inline]
pub fn call(conduit: Conduit, regs: &mut Regs) {
    match conduit {
        Conduit::Smc => plain!("smc #0", regs),
        Conduit::Hvc => plain!("hvc #0", regs),
        Conduit::Svc => plain!("svc #0", regs),
    }
}

static SEED: AtomicU64 = AtomicU64::new(0);

/// A fresh sequence: seeded from the count, and never twice the same.
pub fn fresh() -> Random {
    let mut random = Random::new(SEED.load(Relaxed) ^ regs::cntvct());
    SEED.store(random.next(), Relaxed);
    random
}

/// Calls with x0-x17 as given and fresh random values in x18-x30, and reports every register.
pub fn checked_call(conduit: Conduit, regs: &Regs) -> Exchange {
    let mut sent = [0; 31];
    fresh().fill(&mut sent);
    for (slot, value) in sent.iter_mut().zip(regs) {
        *slot = *value;
    }
    watched_call(conduit, sent)
}

/// Calls with x0-x30 as given, and reports every register.
pub fn watched_call(conduit: Conduit, sent: [u64; 31]) -> Exchange {
    watched(
        match conduit {
            Conduit::Smc => watch_smc,
            Conduit::Hvc => watch_hvc,
            Conduit::Svc => watch_svc,
        },
        sent,
    )
}

/// A routine that makes a call.
type Watched = unsafe extern "C" fn(&[u64; 31], &mut [u64; 33]);

fn watched(routine: Watched, sent: [u64; 31]) -> Exchange {
    // x0-x30, then SP before and after.
    let mut got = [0; 33];
    // SAFETY: both arrays have the size the routines use.
    unsafe { routine(&sent, &mut got) };
    let mut exchange = Exchange {
        sent,
        got: [0; 31],
        sp_ok: got[31] == got[32],
    };
    exchange.got.copy_from_slice(&got[..31]);
    exchange
}

/// The instruction with the immediate 1, which is no call of SMCCC's, with fresh values in all registers.
pub fn no_call(conduit: Conduit) -> Exchange {
    let mut sent = [0; 31];
    fresh().fill(&mut sent);
    watched(
        match conduit {
            Conduit::Smc => watch_smc_1,
            Conduit::Hvc => watch_hvc_1,
            Conduit::Svc => watch_svc_1,
        },
        sent,
    )
}

macro_rules! watch {
    ($name:ident, $insn:literal) => {
        /// Loads x0-x30 from `sent`, calls, stores x0-x30, SP before and SP after to `got`.
        ///
        /// # Safety
        /// The callee returns to the next instruction with SP intact; if SP is not, the image dies
        /// here, which fails the test just as well.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(sent: &[u64; 31], got: &mut [u64; 33]) {
            naked_asm!(
                // Callee-saved registers, `got` and the expected SP, above the call's SP.
                "stp x29, x30, [sp, #-112]!",
                "stp x19, x20, [sp, #16]",
                "stp x21, x22, [sp, #32]",
                "stp x23, x24, [sp, #48]",
                "stp x25, x26, [sp, #64]",
                "stp x27, x28, [sp, #80]",
                "mov x9, sp",
                "stp x1, x9, [sp, #96]",
                "mov x30, x0",
                "ldp x0, x1, [x30]",
                "ldp x2, x3, [x30, #16]",
                "ldp x4, x5, [x30, #32]",
                "ldp x6, x7, [x30, #48]",
                "ldp x8, x9, [x30, #64]",
                "ldp x10, x11, [x30, #80]",
                "ldp x12, x13, [x30, #96]",
                "ldp x14, x15, [x30, #112]",
                "ldp x16, x17, [x30, #128]",
                "ldp x18, x19, [x30, #144]",
                "ldp x20, x21, [x30, #160]",
                "ldp x22, x23, [x30, #176]",
                "ldp x24, x25, [x30, #192]",
                "ldp x26, x27, [x30, #208]",
                "ldp x28, x29, [x30, #224]",
                "ldr x30, [x30, #240]",
                $insn,
                // x0 and x1 below SP for a moment, to have a base register.
                "stp x0, x1, [sp, #-16]!",
                "ldr x0, [sp, #112]",
                "stp x2, x3, [x0, #16]",
                "stp x4, x5, [x0, #32]",
                "stp x6, x7, [x0, #48]",
                "stp x8, x9, [x0, #64]",
                "stp x10, x11, [x0, #80]",
                "stp x12, x13, [x0, #96]",
                "stp x14, x15, [x0, #112]",
                "stp x16, x17, [x0, #128]",
                "stp x18, x19, [x0, #144]",
                "stp x20, x21, [x0, #160]",
                "stp x22, x23, [x0, #176]",
                "stp x24, x25, [x0, #192]",
                "stp x26, x27, [x0, #208]",
                "stp x28, x29, [x0, #224]",
                "ldr x2, [sp, #120]",
                "stp x30, x2, [x0, #240]",
                "ldp x2, x3, [sp], #16",
                "stp x2, x3, [x0]",
                "mov x2, sp",
                "str x2, [x0, #256]",
                "ldp x19, x20, [sp, #16]",
                "ldp x21, x22, [sp, #32]",
                "ldp x23, x24, [sp, #48]",
                "ldp x25, x26, [sp, #64]",
                "ldp x27, x28, [sp, #80]",
                "ldp x29, x30, [sp], #112",
                "ret",
            )
        }
    };
}

watch!(watch_smc, "smc #0");
watch!(watch_hvc, "hvc #0");
watch!(watch_svc, "svc #0");
watch!(watch_smc_1, "smc #1");
watch!(watch_hvc_1, "hvc #1");
watch!(watch_svc_1, "svc #1");
