//! The EL1 registers that are switched between the normal world and a partition.
//!
//! EL3 swaps EL2 state only, so whoever runs a guest at EL1 in the other world keeps these. The
//! list is short because everything else is trapped or disabled for a guest instead
//! (`docs/architecture.md` has the table).

/// Saves or loads two registers with one access to memory.
macro_rules! pair {
    (save $first:literal, $second:literal, $base:expr, $offset:expr) => {
        core::arch::asm!(
            concat!("mrs {a}, ", $first), concat!("mrs {b}, ", $second), "stp {a}, {b}, [{base}, {offset}]",
            a = out(reg) _, b = out(reg) _, base = in(reg) $base, offset = const $offset,
            options(nostack, preserves_flags)
        )
    };
    (load $first:literal, $second:literal, $base:expr, $offset:expr) => {
        core::arch::asm!(
            "ldp {a}, {b}, [{base}, {offset}]", concat!("msr ", $first, ", {a}"), concat!("msr ", $second, ", {b}"),
            a = out(reg) _, b = out(reg) _, base = in(reg) $base, offset = const $offset,
            options(nostack, preserves_flags)
        )
    };
}

macro_rules! el1_registers {
    ($(#[$doc:meta])* $Name:ident: $($field:ident = $name:literal, $what:literal; $field2:ident = $name2:literal, $what2:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[repr(C, align(16))]
        pub struct $Name {
            $(#[doc = $what] pub $field: u64, #[doc = $what2] pub $field2: u64,)*
        }

        impl $Name {
            /// All zero: MMU and caches off, no vectors, floating point trapped to EL1.
            pub const RESET: Self = Self { $($field: 0, $field2: 0,)* };

            /// Saves the live registers.
            #[inline(always)]
            pub fn save(&mut self) {
                let base: *mut Self = self;
                // SAFETY: Reads registers that exist at EL2 and writes the two fields at the
                // offset, which are neighbours.
                $(unsafe { pair!(save $name, $name2, base, core::mem::offset_of!(Self, $field)) })*
            }

            /// Makes these the live registers.
            ///
            /// # Safety
            ///
            /// The live registers must have been saved if somebody will want them back.
            #[inline(always)]
            pub unsafe fn load(&self) {
                let base: *const Self = self;
                // SAFETY: These registers have no effect at EL2 under VHE with TGE = 0 but on what
                // EL1 sees; the caller keeps the earlier owner's values. The two fields at the
                // offset are neighbours.
                $(unsafe { pair!(load $name, $name2, base, core::mem::offset_of!(Self, $field)) })*
            }
        }
    };
}

// With HCR_EL2.E2H the EL1 registers have `_EL12` names, spelled generically as op1 = 5.
el1_registers! {
    /// The switched EL1 registers of a partition or of the normal world.
    El1State:
    sctlr = "S3_5_C1_C0_0", "SCTLR_EL1.";
    cpacr = "S3_5_C1_C0_2", "CPACR_EL1.";
    ttbr0 = "S3_5_C2_C0_0", "TTBR0_EL1.";
    ttbr1 = "S3_5_C2_C0_1", "TTBR1_EL1.";
    tcr = "S3_5_C2_C0_2", "TCR_EL1.";
    spsr = "S3_5_C4_C0_0", "SPSR_EL1.";
    elr = "S3_5_C4_C0_1", "ELR_EL1.";
    esr = "S3_5_C5_C2_0", "ESR_EL1.";
    far = "S3_5_C6_C0_0", "FAR_EL1.";
    mair = "S3_5_C10_C2_0", "MAIR_EL1.";
    amair = "S3_5_C10_C3_0", "AMAIR_EL1.";
    vbar = "S3_5_C12_C0_0", "VBAR_EL1.";
    contextidr = "S3_5_C13_C0_1", "CONTEXTIDR_EL1.";
    cntkctl = "S3_5_C14_C1_0", "CNTKCTL_EL1.";
    sp_el0 = "sp_el0", "SP_EL0.";
    sp_el1 = "sp_el1", "SP_EL1.";
    tpidr_el0 = "tpidr_el0", "TPIDR_EL0.";
    tpidrro_el0 = "tpidrro_el0", "TPIDRRO_EL0.";
    tpidr_el1 = "tpidr_el1", "TPIDR_EL1.";
    par = "par_el1", "PAR_EL1.";
}

el1_registers! {
    /// Those of a VM that are switched each time.
    VmEl1:
    sctlr = "S3_5_C1_C0_0", "SCTLR_EL1.";
    cpacr = "S3_5_C1_C0_2", "CPACR_EL1.";
    ttbr0 = "S3_5_C2_C0_0", "TTBR0_EL1.";
    tcr = "S3_5_C2_C0_2", "TCR_EL1.";
    spsr = "S3_5_C4_C0_0", "SPSR_EL1.";
    elr = "S3_5_C4_C0_1", "ELR_EL1.";
    esr = "S3_5_C5_C2_0", "ESR_EL1.";
    far = "S3_5_C6_C0_0", "FAR_EL1.";
    mair = "S3_5_C10_C2_0", "MAIR_EL1.";
    vbar = "S3_5_C12_C0_0", "VBAR_EL1.";
    cntkctl = "S3_5_C14_C1_0", "CNTKCTL_EL1.";
    par = "par_el1", "PAR_EL1.";
    sp_el0 = "sp_el0", "SP_EL0.";
    sp_el1 = "sp_el1", "SP_EL1.";
}

el1_registers! {
    /// Those of a VM that not every one uses: they trap until the first write.
    VmEl1Seldom:
    ttbr1 = "S3_5_C2_C0_1", "TTBR1_EL1.";
    amair = "S3_5_C10_C3_0", "AMAIR_EL1.";
    contextidr = "S3_5_C13_C0_1", "CONTEXTIDR_EL1.";
    tpidr_el0 = "tpidr_el0", "TPIDR_EL0.";
    tpidrro_el0 = "tpidrro_el0", "TPIDRRO_EL0.";
    tpidr_el1 = "tpidr_el1", "TPIDR_EL1.";
}

impl VmEl1 {
    /// What a VM starts with, as a [partition](El1State::START) does.
    pub const START: Self = Self {
        sctlr: El1State::START.sctlr,
        ..Self::RESET
    };
}

impl El1State {
    /// What a guest starts with: SCTLR_EL1 has its RES1 bits; MMU, caches and alignment checks are
    /// off. Floating point is the guest's to enable.
    pub const START: Self = Self {
        sctlr: 0x30c5_0830,
        ..Self::RESET
    };
}

impl Default for El1State {
    fn default() -> Self {
        Self::RESET
    }
}
