//! What a vCPU has in registers beside its general, EL1 and vector registers, where several VMs share a core: timers,
//! pointer authentication keys, and the deferred error. And the one timer that is EL2's own.
//!
//! APIAKey is not among the keys: it is switched with the general registers.

use crate::{cpu::Features, el1::VmEl1Seldom, pauth::Keys, read_sysreg, sysreg::isb, write_sysreg};

/// CNT*_CTL: ENABLE.
const ENABLE: u64 = 1 << 0;
/// CNT*_CTL: IMASK.
const MASKED: u64 = 1 << 1;

/// The virtual timer of one vCPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timer {
    /// CNTV_CTL_EL0. CNTVOFF_EL2 is 0 for all VMs.
    pub ctl: u64,
    /// CNTV_CVAL_EL0.
    pub cval: u64,
}

impl Timer {
    /// It is off.
    pub const RESET: Self = Self { ctl: 0, cval: 0 };

    /// Reads the live registers.
    #[inline(always)]
    #[must_use]
    pub fn live() -> Self {
        // The _EL02 names, spelled generically.
        Self {
            ctl: read_sysreg!("S3_5_C14_C3_1"),
            cval: read_sysreg!("S3_5_C14_C3_2"),
        }
    }

    /// Reads the live registers and switches the timer off.
    #[inline(always)]
    #[must_use]
    pub fn save() -> Self {
        let this = Self::live();
        // SAFETY: What it was is the caller's to put back.
        unsafe { write_sysreg!("S3_5_C14_C3_1", 0) }
        this
    }

    /// Makes these the live registers. Those of the earlier owner were saved, which left its timer off.
    #[inline(always)]
    pub fn load(self) {
        // SAFETY: These have no effect at EL2, and the vCPU that is about to run owns them.
        unsafe {
            write_sysreg!("S3_5_C14_C3_2", self.cval);
            write_sysreg!("S3_5_C14_C3_1", self.ctl);
        }
    }

    /// Whether it is on, masked or not.
    #[inline(always)]
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.ctl & ENABLE != 0
    }

    /// When it fires, in ticks of the counter; `None` if it does not.
    #[inline(always)]
    #[must_use]
    pub const fn deadline(self) -> Option<u64> {
        if self.ctl & (ENABLE | MASKED) == ENABLE {
            Some(self.cval)
        } else {
            None
        }
    }
}

/// When the live virtual timer fires, in ticks of the counter; `None` if it does not.
#[must_use]
pub fn live_deadline() -> Option<u64> {
    Timer::live().deadline()
}

/// VDISR_EL2, which is DISR_EL1 for a VM or a partition.
#[inline(always)]
#[must_use]
pub fn deferred_error() -> u64 {
    read_sysreg!("S3_4_C12_C1_1")
}

/// Sets VDISR_EL2.
#[inline(always)]
pub fn set_deferred_error(vdisr: u64) {
    // SAFETY: Only what a VM or a partition reads changes.
    unsafe { write_sysreg!("S3_4_C12_C1_1", vdisr) }
}

/// Registers that not every VM uses: they are closed to a vCPU until its first access
/// ([`confine::open`](crate::confine::open_seldom)), and all zero meanwhile.
#[derive(Clone, Debug)]
pub struct Seldom {
    /// CNTP_CTL_EL0. Its interrupt is never enabled.
    cntp_ctl: u64,
    /// CNTP_CVAL_EL0.
    cntp_cval: u64,
    /// The keys.
    keys: Keys,
    el1: VmEl1Seldom,
}

impl Seldom {
    /// All zero: the timer is off.
    pub const RESET: Self = Self {
        cntp_ctl: 0,
        cntp_cval: 0,
        keys: Keys::RESET,
        el1: VmEl1Seldom::RESET,
    };

    /// Saves the live registers and sets them to zero.
    pub fn save(&mut self, features: &Features) {
        self.cntp_ctl = read_sysreg!("S3_5_C14_C2_1");
        self.cntp_cval = read_sysreg!("S3_5_C14_C2_2");
        if features.pauth {
            self.keys.save();
        }
        self.el1.save();
        Self::RESET.load(features);
    }

    /// Makes these the live registers. Those of the earlier owner were saved.
    pub fn load(&self, features: &Features) {
        // SAFETY: These have no effect at EL2, and the vCPU that is about to run owns them.
        unsafe {
            write_sysreg!("S3_5_C14_C2_2", self.cntp_cval);
            write_sysreg!("S3_5_C14_C2_1", self.cntp_ctl);
        }
        if features.pauth {
            self.keys.load();
        }
        // SAFETY: as above.
        unsafe { self.el1.load() }
    }
}

/// Has EL2's own timer (CNTHP) fire when the counter reaches `at`, or never.
pub fn set_own_timer(at: Option<u64>) {
    // SAFETY: The timer is the image's own.
    unsafe {
        match at {
            Some(at) => {
                write_sysreg!("cnthp_cval_el2", at);
                write_sysreg!("cnthp_ctl_el2", ENABLE);
            }
            None => write_sysreg!("cnthp_ctl_el2", 0),
        }
    }
    isb();
}
