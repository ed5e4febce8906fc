//! The virtual CPU interface of this core (GIC architecture specification IHI 0069, chapter 12.4, ICH_*_EL2): list
//! registers, and what a guest has set in its ICC_* registers. Holds no state but the registers' own.

use crate::{read_sysreg, sysreg::isb, write_sysreg};

/// The most list registers that there can be.
pub const MAX_LIST_REGISTERS: usize = 16;
/// ICH_LRn_EL2.State, bits 63:62.
const STATE: u64 = 3 << 62;
/// State: pending, and not active.
const PENDING: u64 = 1 << 62;
/// ICH_HCR_EL2: En.
const ENABLE: u64 = 1 << 0;
/// ICH_HCR_EL2: TDIR, writes of ICC_DIR_EL1 trap.
pub const TRAP_DEACTIVATION: u64 = 1 << 14;
/// ICH_VMCR_EL2: VENG1.
const GROUP_1: u64 = 1 << 1;

/// Names list register `$n`, for `$body!`.
macro_rules! with_list_register {
    ($n:expr, $body:ident) => {
        match $n {
            0 => $body!("S3_4_C12_C12_0"),
            1 => $body!("S3_4_C12_C12_1"),
            2 => $body!("S3_4_C12_C12_2"),
            3 => $body!("S3_4_C12_C12_3"),
            4 => $body!("S3_4_C12_C12_4"),
            5 => $body!("S3_4_C12_C12_5"),
            6 => $body!("S3_4_C12_C12_6"),
            7 => $body!("S3_4_C12_C12_7"),
            8 => $body!("S3_4_C12_C13_0"),
            9 => $body!("S3_4_C12_C13_1"),
            10 => $body!("S3_4_C12_C13_2"),
            11 => $body!("S3_4_C12_C13_3"),
            12 => $body!("S3_4_C12_C13_4"),
            13 => $body!("S3_4_C12_C13_5"),
            14 => $body!("S3_4_C12_C13_6"),
            15 => $body!("S3_4_C12_C13_7"),
            _ => Default::default(),
        }
    };
}

/// What this core's virtual CPU interface has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// List registers, 1 to [`MAX_LIST_REGISTERS`].
    pub list_registers: usize,
    /// Registers of active priorities in each group: 1, 2 or 4.
    active: usize,
}

impl Shape {
    /// Whether [`is_handling`] sees every register of active priorities.
    #[must_use]
    pub const fn has_one_word(self) -> bool {
        self.active == 1
    }

    /// Reads ICH_VTR_EL2.
    #[must_use]
    pub fn read() -> Self {
        let vtr = read_sysreg!("S3_4_C12_C11_1");
        Self {
            list_registers: (vtr as usize & 0x1f)
                .saturating_add(1)
                .min(MAX_LIST_REGISTERS),
            // PREbits, bits 28:26: bits of preemption less one.
            active: match vtr >> 26 & 7 {
                0..=4 => 1,
                5 => 2,
                _ => 4,
            },
        }
    }
}

/// List register `n`; 0 if there is none.
#[must_use]
pub fn list_register(n: usize) -> u64 {
    macro_rules! read {
        ($name:literal) => {
            read_sysreg!($name)
        };
    }
    with_list_register!(n, read)
}

/// Sets list register `n`, which exists.
///
/// # Safety
/// No guest runs; what the register held is not lost, or may be.
pub unsafe fn set_list_register(n: usize, value: u64) {
    macro_rules! write {
        ($name:literal) => {
            // SAFETY: the caller's promise.
            unsafe { write_sysreg!($name, value) }
        };
    }
    with_list_register!(n, write)
}

/// Whether a list register's value is an interrupt that can be signalled: pending, and not active as well.
#[must_use]
pub const fn is_pending(list_register: u64) -> bool {
    list_register & STATE == PENDING
}

/// The priority in a list register's value.
#[must_use]
pub const fn priority(list_register: u64) -> u8 {
    (list_register >> 48) as u8
}

/// Switches the interface on, with these further bits of ICH_HCR_EL2: which maintenance interrupts come, and what
/// traps. What the CPU has counted (EOIcount) starts anew.
///
/// # Safety
/// The list registers are those of the guest that runs next.
pub unsafe fn enable(more: u64) {
    // ICH_HCR_EL2.
    // SAFETY: the caller's promise.
    unsafe { write_sysreg!("S3_4_C12_C11_0", ENABLE | more) }
    isb();
}

/// How many interrupts the guest has ended that stood in no list register (ICH_HCR_EL2.EOIcount), since [`enable`].
#[must_use]
pub fn ended_unlisted() -> u8 {
    (read_sysreg!("S3_4_C12_C11_0") >> 27 & 0x1f) as u8
}

/// ICH_VMCR_EL2: what the guest has set in its CPU interface.
#[inline(always)]
#[must_use]
pub fn settings() -> u64 {
    read_sysreg!("S3_4_C12_C11_7")
}

/// Sets ICH_VMCR_EL2.
///
/// # Safety
/// No guest runs, and the earlier one's was saved.
#[inline(always)]
pub unsafe fn set_settings(vmcr: u64) {
    // SAFETY: the caller's promise.
    unsafe { write_sysreg!("S3_4_C12_C11_7", vmcr) }
}

/// Whether the guest is handling an interrupt of any priority, as far as the first register of each group says.
#[inline(always)]
#[must_use]
pub fn is_handling() -> bool {
    (read_sysreg!("S3_4_C12_C8_0") | read_sysreg!("S3_4_C12_C9_0")) != 0
}

/// What a guest has set in its CPU interface, and which priorities it is handling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// ICH_VMCR_EL2.
    pub vmcr: u64,
    /// ICH_AP0Rn_EL2 and ICH_AP1Rn_EL2.
    pub active: [[u64; 4]; 2],
}

impl Interface {
    /// After a reset: everything is masked, nothing is handled.
    pub const RESET: Self = Self {
        vmcr: 0,
        active: [[0; 4]; 2],
    };

    /// Reads the live registers.
    #[must_use]
    pub fn save(shape: Shape) -> Self {
        let mut this = Self {
            vmcr: read_sysreg!("S3_4_C12_C11_7"),
            ..Self::RESET
        };
        let [zero, one] = &mut this.active;
        zero[0] = read_sysreg!("S3_4_C12_C8_0");
        one[0] = read_sysreg!("S3_4_C12_C9_0");
        if shape.active > 1 {
            zero[1] = read_sysreg!("S3_4_C12_C8_1");
            one[1] = read_sysreg!("S3_4_C12_C9_1");
        }
        if shape.active > 2 {
            zero[2] = read_sysreg!("S3_4_C12_C8_2");
            zero[3] = read_sysreg!("S3_4_C12_C8_3");
            one[2] = read_sysreg!("S3_4_C12_C9_2");
            one[3] = read_sysreg!("S3_4_C12_C9_3");
        }
        this
    }

    /// Makes these the live registers.
    ///
    /// # Safety
    /// No guest runs, and the earlier one's were saved.
    pub unsafe fn load(&self, shape: Shape) {
        let [zero, one] = &self.active;
        // SAFETY: the caller's promise; ICH_VTR_EL2 says which of them are there.
        unsafe {
            write_sysreg!("S3_4_C12_C11_7", self.vmcr);
            write_sysreg!("S3_4_C12_C8_0", zero[0]);
            write_sysreg!("S3_4_C12_C9_0", one[0]);
            if shape.active > 1 {
                write_sysreg!("S3_4_C12_C8_1", zero[1]);
                write_sysreg!("S3_4_C12_C9_1", one[1]);
            }
            if shape.active > 2 {
                write_sysreg!("S3_4_C12_C8_2", zero[2]);
                write_sysreg!("S3_4_C12_C8_3", zero[3]);
                write_sysreg!("S3_4_C12_C9_2", one[2]);
                write_sysreg!("S3_4_C12_C9_3", one[3]);
            }
        }
    }

    /// Priorities below this one are signalled to the guest: by its mask, and by what it is handling. 0 if its group 1
    /// is off.
    #[must_use]
    pub fn threshold(&self, shape: Shape) -> u8 {
        let [_, active] = self.active;
        threshold(self.vmcr, active, shape)
    }

    /// The same of the live registers.
    #[must_use]
    pub fn live_threshold(shape: Shape) -> u8 {
        let this = Self::save(shape);
        this.threshold(shape)
    }
}

fn threshold(vmcr: u64, active: [u64; 4], shape: Shape) -> u8 {
    if vmcr & GROUP_1 == 0 {
        return 0;
    }
    // VPMR.
    let mask = (vmcr >> 24) as u8;
    // One bit for each level of preemption, the highest priority lowest.
    let shift = match shape.active {
        1 => 3,
        2 => 2,
        _ => 1,
    };
    let level = (0u32..)
        .zip(active)
        .find(|(_, word)| *word as u32 != 0)
        .map(|(n, word)| n * 32 + (word as u32).trailing_zeros());
    match level.and_then(|level| u8::try_from(level << shift).ok()) {
        Some(running) => mask.min(running),
        None => mask,
    }
}
