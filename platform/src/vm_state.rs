//! What a vCPU has in registers beside its general, EL1 and vector registers, where several VMs share a core: timers,
//! pointer authentication keys, and the deferred error. And the one timer that is EL2's own.

use crate::{cpu::Features, pauth::Keys, read_sysreg, sysreg::isb, write_sysreg};

/// CNT*_CTL: ENABLE.
const ENABLE: u64 = 1 << 0;
/// CNT*_CTL: IMASK.
const MASKED: u64 = 1 << 1;

/// The registers of one vCPU.
#[derive(Clone, Debug)]
pub struct VmState {
    /// CNTV_CTL_EL0. CNTVOFF_EL2 is 0 for all VMs.
    pub cntv_ctl: u64,
    /// CNTV_CVAL_EL0.
    pub cntv_cval: u64,
    /// CNTP_CTL_EL0. Its interrupt is never enabled.
    pub cntp_ctl: u64,
    /// CNTP_CVAL_EL0.
    pub cntp_cval: u64,
    /// VDISR_EL2, which is DISR_EL1 for a VM.
    pub vdisr: u64,
    /// The keys.
    pub keys: Keys,
}

impl VmState {
    /// All zero: the timers are off.
    pub const RESET: Self = Self {
        cntv_ctl: 0,
        cntv_cval: 0,
        cntp_ctl: 0,
        cntp_cval: 0,
        vdisr: 0,
        keys: Keys::RESET,
    };

    /// Saves the live registers and switches the timers off.
    pub fn save(&mut self, features: &Features) {
        // The _EL02 names of the four, spelled generically.
        self.cntv_ctl = read_sysreg!("S3_5_C14_C3_1");
        self.cntv_cval = read_sysreg!("S3_5_C14_C3_2");
        self.cntp_ctl = read_sysreg!("S3_5_C14_C2_1");
        self.cntp_cval = read_sysreg!("S3_5_C14_C2_2");
        // SAFETY: What they were was saved just now.
        unsafe {
            write_sysreg!("S3_5_C14_C3_1", 0);
            write_sysreg!("S3_5_C14_C2_1", 0);
        }
        if features.ras {
            self.vdisr = read_sysreg!("S3_4_C12_C1_1");
        }
        if features.pauth {
            self.keys.save();
        }
    }

    /// Makes these the live registers. Those of the earlier owner were saved, which left its timers off.
    pub fn load(&self, features: &Features) {
        // SAFETY: These have no effect at EL2, and the vCPU that is about to run owns them.
        unsafe {
            write_sysreg!("S3_5_C14_C3_2", self.cntv_cval);
            write_sysreg!("S3_5_C14_C3_1", self.cntv_ctl);
            write_sysreg!("S3_5_C14_C2_2", self.cntp_cval);
            write_sysreg!("S3_5_C14_C2_1", self.cntp_ctl);
            if features.ras {
                write_sysreg!("S3_4_C12_C1_1", self.vdisr);
            }
        }
        if features.pauth {
            self.keys.load();
        }
    }

    /// When its virtual timer fires, in ticks of the counter; `None` if it does not.
    #[must_use]
    pub const fn deadline(&self) -> Option<u64> {
        deadline(self.cntv_ctl, self.cntv_cval)
    }
}

const fn deadline(ctl: u64, cval: u64) -> Option<u64> {
    if ctl & (ENABLE | MASKED) == ENABLE {
        Some(cval)
    } else {
        None
    }
}

/// When the live virtual timer fires, in ticks of the counter; `None` if it does not.
#[must_use]
pub fn live_deadline() -> Option<u64> {
    deadline(read_sysreg!("S3_5_C14_C3_1"), read_sysreg!("S3_5_C14_C3_2"))
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
