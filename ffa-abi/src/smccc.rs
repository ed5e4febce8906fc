//! The parts of the SMC Calling Convention (DEN0028) and of PSCI (DEN0022) that surround FF-A.

/// Bit 16 of a function identifier: the caller has no live SVE state. A hint about vector
/// registers, not part of the function: masked before decoding, never shown to a receiver.
pub const SVE_HINT: u32 = 1 << 16;

/// What an unknown function returns in x0: all 64 bits set.
pub const UNKNOWN: u64 = u64::MAX;

/// `SMCCC_VERSION`.
pub const SMCCC_VERSION: u32 = 0x8000_0000;
/// `SMCCC_ARCH_FEATURES`.
pub const SMCCC_ARCH_FEATURES: u32 = 0x8000_0001;
/// SMCCC 1.2, as `SMCCC_VERSION` returns it.
pub const SMCCC_1_2: u64 = 0x1_0002;

/// `SMCCC_ARCH_WORKAROUND_1` to `_4`: a CPU's errata, worked around by EL3.
pub const WORKAROUNDS: [u32; 4] = [0x8000_8000, 0x8000_7fff, 0x8000_3fff, 0x8000_0004];

/// Whether `fid` is one of [`WORKAROUNDS`].
pub const fn is_workaround(fid: u32) -> bool {
    let [one, two, three, four] = WORKAROUNDS;
    fid == one || fid == two || fid == three || fid == four
}

/// Whether `fid` belongs to the true random number generator (DEN0098): `TRNG_VERSION`, `FEATURES`,
/// `GET_UUID`, `RND` in its two forms.
pub const fn is_trng(fid: u32) -> bool {
    matches!(fid, 0x8400_0050..=0x8400_0053 | 0xc400_0053)
}

/// PSCI functions and return codes.
pub mod psci {
    /// `PSCI_VERSION`.
    pub const VERSION: u32 = 0x8400_0000;
    /// `CPU_SUSPEND`, 32-bit.
    pub const CPU_SUSPEND_32: u32 = 0x8400_0001;
    /// `CPU_SUSPEND`, 64-bit.
    pub const CPU_SUSPEND_64: u32 = 0xc400_0001;
    /// `CPU_OFF`.
    pub const CPU_OFF: u32 = 0x8400_0002;
    /// `CPU_ON`, 32-bit.
    pub const CPU_ON_32: u32 = 0x8400_0003;
    /// `CPU_ON`, 64-bit.
    pub const CPU_ON_64: u32 = 0xc400_0003;
    /// `AFFINITY_INFO`, 32-bit.
    pub const AFFINITY_INFO_32: u32 = 0x8400_0004;
    /// `AFFINITY_INFO`, 64-bit.
    pub const AFFINITY_INFO_64: u32 = 0xc400_0004;
    /// `MIGRATE_INFO_TYPE`.
    pub const MIGRATE_INFO_TYPE: u32 = 0x8400_0006;
    /// `SYSTEM_OFF`.
    pub const SYSTEM_OFF: u32 = 0x8400_0008;
    /// `SYSTEM_RESET`.
    pub const SYSTEM_RESET: u32 = 0x8400_0009;
    /// `PSCI_FEATURES`.
    pub const FEATURES: u32 = 0x8400_000a;
    /// PSCI 1.1, as `PSCI_VERSION` returns it.
    pub const V1_1: u64 = 0x1_0001;

    /// Success.
    pub const SUCCESS: i32 = 0;
    /// The function is not implemented.
    pub const NOT_SUPPORTED: i32 = -1;
    /// A parameter is wrong.
    pub const INVALID_PARAMETERS: i32 = -2;
    /// The call is not allowed.
    pub const DENIED: i32 = -3;
    /// The core is already on.
    pub const ALREADY_ON: i32 = -4;
    /// The core is being switched on.
    pub const ON_PENDING_ERROR: i32 = -5;
    /// Something failed inside.
    pub const INTERNAL_FAILURE: i32 = -6;
    /// The entry point is impossible.
    pub const INVALID_ADDRESS: i32 = -9;
    /// `AFFINITY_INFO`: the core is off.
    pub const OFF: i32 = 1;
    /// `AFFINITY_INFO`: the core is being switched on.
    pub const ON_PENDING: i32 = 2;
}

/// Whether `fid` lies in the standard secure service range of PSCI (function numbers 0 to 0x1f).
pub const fn is_psci(fid: u32) -> bool {
    matches!(fid & 0xffff_ffe0, 0x8400_0000 | 0xc400_0000)
}
