//! System registers of EL1 and EL0 that an image may fill as it likes while its MMU is off: what it leaves there is its
//! own, and what others leave is not to be seen.

use super::fault;
use crate::random::Random;
use core::arch::asm;

macro_rules! registers {
    ($($name:literal $mask:literal,)*) => {
        /// How many there are.
        pub const COUNT: usize = [$($name),*].len();

        /// Their names: those of the architecture, or by encoding.
        pub const NAMES: [&str; COUNT] = [$($name),*];

        fn write(place: usize, value: u64) {
            let mut n = 0;
            $(
                if place == n {
                    // SAFETY: nothing of this image depends on it; a fault is stepped over.
                    unsafe {
                        asm!(concat!("msr ", $name, ", {}"), "isb", in(reg) value & $mask, options(nostack, preserves_flags));
                    }
                }
                n += 1;
            )*
            let _ = n;
        }

        fn read(place: usize) -> u64 {
            let mut value = 0u64;
            let mut n = 0;
            $(
                if place == n {
                    // SAFETY: as above.
                    unsafe {
                        asm!(concat!("mrs {}, ", $name), inout(reg) value, options(nostack, preserves_flags));
                    }
                }
                n += 1;
            )*
            let _ = n;
            value
        }
    };
}

registers! {
    "tpidr_el0" 0xffff_ffff_ffff_ffff,
    "tpidrro_el0" 0xffff_ffff_ffff_ffff,
    "tpidr_el1" 0xffff_ffff_ffff_ffff,
    "sp_el0" 0xffff_ffff_ffff_ffff,
    "contextidr_el1" 0xffff_ffff,
    "ttbr0_el1" 0x0000_00ff_ffff_f000,
    "ttbr1_el1" 0x0000_00ff_ffff_f000,
    "mair_el1" 0x0f0f_0f0f_0f0f_0f0f,
    "par_el1" 0x0000_00ff_ffff_f000,
    "csselr_el1" 0x3,
    "cntkctl_el1" 0x3,
    "mdscr_el1" 0x1000,
    "cntp_cval_el0" 0x7fff_ffff_ffff_ffff,
    // APIA, APIB, APDA, APDB, APGA: both halves of each.
    "S3_0_C2_C1_0" 0xffff_ffff_ffff_ffff,
    "S3_0_C2_C1_1" 0xffff_ffff_ffff_ffff,
    "S3_0_C2_C1_2" 0xffff_ffff_ffff_ffff,
    "S3_0_C2_C1_3" 0xffff_ffff_ffff_ffff,
    "S3_0_C2_C2_0" 0xffff_ffff_ffff_ffff,
    "S3_0_C2_C2_1" 0xffff_ffff_ffff_ffff,
    "S3_0_C2_C2_2" 0xffff_ffff_ffff_ffff,
    "S3_0_C2_C2_3" 0xffff_ffff_ffff_ffff,
    "S3_0_C2_C3_0" 0xffff_ffff_ffff_ffff,
    "S3_0_C2_C3_1" 0xffff_ffff_ffff_ffff,
    // ICC_BPR1_EL1, a priority mask that lets everything through.
    "S3_0_C12_C12_3" 0x7,
    // The first breakpoint and watchpoint, disabled.
    "dbgbvr0_el1" 0x0000_00ff_ffff_fffc,
    "dbgwvr0_el1" 0x0000_00ff_ffff_fffc,
    // PMUSERENR, PMCCNTR, PMCCFILTR, PMEVCNTR0.
    "pmuserenr_el0" 0xf,
    "pmccntr_el0" 0xffff_ffff,
    "pmccfiltr_el0" 0x8000_0000,
    "pmevcntr0_el0" 0xffff_ffff,
    // AFSR0, AFSR1, AMAIR.
    "afsr0_el1" 0xffff_ffff,
    "afsr1_el1" 0xffff_ffff,
    "amair_el1" 0x0f0f_0f0f_0f0f_0f0f,
    // SCXTNUM_EL0, SCXTNUM_EL1, TPIDR2_EL0, SMPRI_EL1, ACCDATA_EL1.
    "S3_3_C13_C0_7" 0xffff_ffff_ffff_ffff,
    "S3_0_C13_C0_7" 0xffff_ffff_ffff_ffff,
    "S3_3_C13_C0_5" 0xffff_ffff_ffff_ffff,
    "S3_0_C1_C2_4" 0xf,
    "S3_0_C13_C0_5" 0xffff_ffff,
    // RGSR, GCR, TFSRE0.
    "S3_0_C1_C0_5" 0xff_ff0f,
    "S3_0_C1_C0_6" 0x1_ffff,
    "S3_0_C5_C6_1" 0x3,
    // PIRE0, PIR, POR_EL1, POR_EL0.
    "S3_0_C10_C2_2" 0x7777_7777_7777_7777,
    "S3_0_C10_C2_3" 0x7777_7777_7777_7777,
    "S3_0_C10_C2_4" 0x7777_7777_7777_7777,
    "S3_3_C10_C2_4" 0x7777_7777_7777_7777,
    // DISR.
    "S3_0_C12_C1_1" 0x81ff_ffff,
    // MPAM1, MPAM0, AMUSERENR, LORN, ERRSELR.
    "S3_0_C10_C5_0" 0xff_00ff_00ff,
    "S3_0_C10_C5_1" 0xff_00ff_00ff,
    "S3_3_C13_C2_3" 0x1,
    "S3_0_C10_C4_2" 0x1,
    "S3_0_C5_C3_1" 0xff,
}

/// Sets the key APIB.
pub fn set_key([low, high]: [u64; 2]) {
    // SAFETY: this image signs nothing.
    unsafe {
        asm!("msr S3_0_C2_C1_2, {}", "msr S3_0_C2_C1_3, {}", "isb", in(reg) low, in(reg) high, options(nostack, preserves_flags));
    }
}

/// Signs a pointer with the key APIB, whatever that is.
pub fn sign(pointer: u64, context: u64) -> u64 {
    /// SCTLR_EL1.EnIB.
    const ENABLE: u64 = 1 << 30;
    let mut signed = pointer;
    // SAFETY: signing is on for this instruction alone.
    unsafe {
        asm!(
            ".arch_extension pauth",
            "mrs {before}, sctlr_el1",
            "orr {with}, {before}, {enable}",
            "msr sctlr_el1, {with}",
            "isb",
            "pacib {signed}, {context}",
            "msr sctlr_el1, {before}",
            "isb",
            before = out(reg) _,
            with = out(reg) _,
            enable = in(reg) ENABLE,
            signed = inout(reg) signed,
            context = in(reg) context,
            options(nostack, preserves_flags)
        );
    }
    signed
}

/// The interrupt controller's: QEMU 10.0.2 lets a partition at the one of both worlds.
pub const CONTROLLER: &str = "S3_0_C12_C12_3";

/// What was left in them; `None` where nothing was.
#[derive(Clone, Copy, Debug)]
pub struct Left([Option<u64>; COUNT]);

/// Puts a pattern made of `seed` into all of them. One that is not there, or keeps only a part, is noted as it is.
pub fn leave(seed: u64) -> Left {
    leave_but("", seed)
}

/// The same with one left alone.
pub fn leave_but(alone: &str, seed: u64) -> Left {
    let mut random = Random::new(seed);
    let mut left = [None; COUNT];
    for (place, (slot, name)) in left.iter_mut().zip(NAMES).enumerate() {
        let value = random.next();
        if name == alone {
            continue;
        }
        let written = fault::expecting(|| write(place, value));
        *slot = Some(match written {
            Ok(()) => look(place),
            Err(_) => 0,
        });
    }
    Left(left)
}

fn look(place: usize) -> u64 {
    fault::expecting(|| read(place)).unwrap_or(0)
}

impl Left {
    /// The first that is not as it was left: its place, what it is, what it was.
    pub fn difference(&self) -> Option<(usize, u64, u64)> {
        let places = self.0.iter().enumerate();
        places
            .filter_map(|(place, left)| left.map(|left| (place, look(place), left)))
            .find(|(_, found, left)| found != left)
    }
}
