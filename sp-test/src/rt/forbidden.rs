//! What a partition does not have: instructions and registers that must be undefined for it.

use super::fault;
use core::arch::asm;

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Group {
    /// SVE.
    Sve = 0,
    /// SME.
    Sme = 1,
    /// MTE's registers.
    Mte = 2,
    /// The performance monitors.
    Pmu = 3,
    /// Debug.
    Debug = 4,
}

/// How an attempt ended that should not have: its place in the group, and the syndrome of the fault, or 0 if there was
/// none.
pub type Wrong = (u64, u64);

/// What came of a group.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    /// Attempts.
    pub attempts: u64,
    /// Those that were not undefined.
    pub wrong: u64,
    /// The first of them.
    pub first: Wrong,
}

impl Tried {
    fn attempt(&mut self, try_it: impl FnOnce()) {
        let syndrome = match fault::expecting(try_it) {
            Err(fault) if fault.class() == 0 => None,
            Err(fault) => Some(fault.esr),
            Ok(()) => Some(0),
        };
        if let Some(esr) = syndrome {
            if self.wrong == 0 {
                self.first = (self.attempts, esr);
            }
            self.wrong += 1;
        }
        self.attempts += 1;
    }
}

macro_rules! instructions {
    ($tried:ident, $($what:literal,)*) => {
        $(
            // SAFETY: a fault is stepped over; what is not one changes registers that are declared, or that nobody uses.
            $tried.attempt(|| unsafe { asm!($what, out("x0") _, options(nostack)) });
        )*
    };
}

macro_rules! registers {
    ($tried:ident, $write:ident, read $($both:literal)*, only_read $($read:literal)*, only_write $($only:literal)*) => {
        if $write {
            $(
                // SAFETY: a fault is stepped over. The value switches nothing on.
                $tried.attempt(|| unsafe { asm!(concat!("msr ", $both, ", xzr"), options(nostack)) });
            )*
            $(
                // SAFETY: as above.
                $tried.attempt(|| unsafe { asm!(concat!("msr ", $only, ", xzr"), options(nostack)) });
            )*
        } else {
            $(
                // SAFETY: a fault is stepped over.
                $tried.attempt(|| unsafe { asm!(concat!("mrs {}, ", $both), out(reg) _, options(nostack)) });
            )*
            $(
                // SAFETY: as above.
                $tried.attempt(|| unsafe { asm!(concat!("mrs {}, ", $read), out(reg) _, options(nostack)) });
            )*
        }
    };
}

/// Tries all of a group, with nothing of it trapped to this level itself. `write`: writes registers, instead of reading
/// them.
pub fn try_all(group: Group, write: bool) -> Tried {
    let mut tried = Tried::default();
    let before: u64;
    // SAFETY: CPACR_EL1: FPEN, ZEN and SMEN open; put back below.
    unsafe {
        asm!("mrs {}, cpacr_el1", "msr cpacr_el1, {}", "isb", out(reg) before, in(reg) 0x0333_0000u64,
            options(nostack, preserves_flags));
    }
    match group {
        Group::Sve => {
            instructions! {
                tried,
                // RDVL x0, #1; PTRUE p0.b; SETFFR; RDFFR p0.b; DUP z0.b, #0.
                ".inst 0x04bf5020",
                ".inst 0x2518e3e0",
                ".inst 0x252c9000",
                ".inst 0x2519f000",
                ".inst 0x2538c000",
            }
            registers! { tried, write, read "S3_0_C1_C2_0", only_read, only_write }
        }
        Group::Sme => {
            instructions! {
                tried,
                // SMSTART; SMSTART SM; SMSTART ZA; SMSTOP; RDSVL x0, #1; ZERO {za}.
                ".inst 0xd503477f",
                ".inst 0xd503437f",
                ".inst 0xd503457f",
                ".inst 0xd503467f",
                ".inst 0x04bf5820",
                ".inst 0xc00800ff",
            }
            registers! { tried, write,
                // SVCR, SMCR_EL1, TPIDR2_EL0, SMPRI_EL1.
                read "S3_3_C4_C2_2" "S3_0_C1_C2_6" "S3_3_C13_C0_5" "S3_0_C1_C2_4",
                only_read,
                only_write
            }
        }
        Group::Mte => registers! { tried, write,
            // GCR_EL1, RGSR_EL1, TFSR_EL1, TFSRE0_EL1.
            read "S3_0_C1_C0_6" "S3_0_C1_C0_5" "S3_0_C5_C6_0" "S3_0_C5_C6_1",
            only_read,
            only_write
        },
        Group::Pmu => registers! { tried, write,
            read "pmcr_el0" "pmcntenset_el0" "pmcntenclr_el0" "pmovsclr_el0" "pmovsset_el0" "pmselr_el0" "pmccntr_el0"
                "pmxevtyper_el0" "pmxevcntr_el0" "pmuserenr_el0" "pmintenset_el1" "pmintenclr_el1" "pmccfiltr_el0"
                "pmevcntr0_el0" "pmevtyper0_el0",
            only_read "pmceid0_el0" "pmceid1_el0",
            only_write "pmswinc_el0"
        },
        Group::Debug => registers! { tried, write,
            read "mdscr_el1" "dbgbvr0_el1" "dbgbcr0_el1" "dbgwvr0_el1" "dbgwcr0_el1" "osdlr_el1" "dbgprcr_el1"
                "dbgclaimset_el1" "dbgclaimclr_el1" "mdccint_el1",
            only_read "oslsr_el1" "mdrar_el1" "mdccsr_el0" "dbgauthstatus_el1",
            only_write "oslar_el1"
        },
    }
    // SAFETY: as it was.
    unsafe {
        asm!("msr cpacr_el1, {}", "isb", in(reg) before, options(nostack, preserves_flags));
    }
    tried
}
