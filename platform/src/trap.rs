//! What made a guest leave with a synchronous exception: ESR_EL2 decoded (Arm ARM, "ESR_EL2,
//! Exception Syndrome Register"). Pure, and total: every value gives a [`Trap`].

/// The fault registers of an exception from a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// ESR_EL2.
    pub esr: u64,
    /// FAR_EL2: the virtual address.
    pub far: u64,
    /// HPFAR_EL2: bits of the intermediate physical address.
    pub hpfar: u64,
}

impl Fault {
    /// The intermediate physical address of a stage 2 fault: the page from HPFAR_EL2, the offset
    /// from FAR_EL2.
    pub const fn ipa(&self) -> u64 {
        (self.hpfar & 0x0000_0fff_ffff_fff0) << 8 | self.far & 0xfff
    }

    /// Whether HPFAR_EL2.NS says that the intermediate physical address is a non-secure one.
    pub const fn ipa_is_non_secure(&self) -> bool {
        self.hpfar >> 63 != 0
    }

    /// Bytes of the instruction that trapped (ESR_EL2.IL): 2 is possible in AArch32 only, at a guest's EL0.
    pub const fn instruction_bytes(&self) -> u64 {
        if self.esr & 1 << 25 != 0 { 4 } else { 2 }
    }

    /// The trap.
    pub const fn trap(&self) -> Trap {
        let iss = self.esr & 0x01ff_ffff;
        match self.esr >> 26 & 0x3f {
            0x01 => Trap::Wait,
            0x07 => Trap::Fp,
            0x19 => Trap::Vector,
            0x1d => Trap::Vector,
            0x15 => Trap::Svc {
                immediate: iss as u16,
            },
            0x16 => Trap::Hvc {
                immediate: iss as u16,
            },
            0x17 => Trap::Smc {
                immediate: iss as u16,
            },
            0x18 => Trap::SystemRegister(SystemAccess(iss as u32)),
            0x20 => Trap::InstructionAbort,
            0x24 => Trap::DataAbort {
                write: iss & 1 << 6 != 0,
            },
            class => Trap::Other { class: class as u8 },
        }
    }

    /// What a guest did that its stage 2 forbids, in words; `None` if the trap is no abort.
    pub const fn abort_name(&self) -> Option<&'static str> {
        match self.trap() {
            Trap::InstructionAbort => Some("instruction abort"),
            Trap::DataAbort { write: true } => Some("write"),
            Trap::DataAbort { write: false } => Some("read"),
            _ => None,
        }
    }

    /// Whether an abort is a stage 2 fault (translation, access flag or permission), as opposed to
    /// an external abort or a fault of another kind.
    pub const fn is_stage2_fault(&self) -> bool {
        // DFSC/IFSC: address size 0b0000xx, translation 0b0001xx, access flag 0b0010xx,
        // permission 0b0011xx.
        self.esr & 0x3f < 0x10
    }

    /// Whether a stage 2 that had no translation is to blame: HPFAR_EL2 says for which address.
    pub const fn is_translation_fault(&self) -> bool {
        let abort = matches!(self.trap(), Trap::InstructionAbort | Trap::DataAbort { .. });
        abort && self.esr & 0x3c == 0x04
    }
}

/// A decoded synchronous exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// WFI or WFE (and their timed forms).
    Wait,
    /// An access to floating point or AdvSIMD registers.
    Fp,
    /// An SVE or SME instruction.
    Vector,
    /// SVC, of a partition directly under the image: the return address is already behind it.
    Svc {
        /// The instruction's immediate.
        immediate: u16,
    },
    /// HVC: the return address is already behind it.
    Hvc {
        /// The instruction's immediate.
        immediate: u16,
    },
    /// SMC, trapped: the return address is the instruction itself.
    Smc {
        /// The instruction's immediate.
        immediate: u16,
    },
    /// MSR, MRS or another system instruction.
    SystemRegister(SystemAccess),
    /// An instruction abort.
    InstructionAbort,
    /// A data abort.
    DataAbort {
        /// Whether a write caused it.
        write: bool,
    },
    /// Any other class.
    Other {
        /// ESR_EL2.EC.
        class: u8,
    },
}

/// The syndrome of a trapped system register access (ISS of class 0x18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemAccess(pub u32);

impl SystemAccess {
    /// Whether the guest reads (MRS).
    pub const fn is_read(self) -> bool {
        self.0 & 1 != 0
    }

    /// The number of the general register, 31 for XZR.
    pub const fn register(self) -> usize {
        (self.0 >> 5 & 0x1f) as usize
    }

    /// Which register: op0, op1, CRn, CRm, op2 in the bits that MRS and MSR have them, shifted to
    /// 20:5 of the instruction (op0 in 20:19, op1 18:16, CRn 15:12, CRm 11:8, op2 7:5).
    pub const fn name(self) -> u32 {
        let iss = self.0;
        sysreg_name(
            iss >> 20 & 3,
            iss >> 14 & 7,
            iss >> 10 & 15,
            iss >> 1 & 15,
            iss >> 17 & 7,
        )
    }
}

/// The name of a system register, comparable with [`SystemAccess::name`].
pub const fn sysreg_name(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> u32 {
    op0 << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(class: u64, iss: u64) -> Fault {
        Fault {
            esr: class << 26 | 1 << 25 | iss,
            far: 0x1234,
            hpfar: 0x0000_0000_0060_0010,
        }
    }

    #[test]
    fn classes() {
        assert_eq!(fault(0x17, 7).trap(), Trap::Smc { immediate: 7 });
        assert_eq!(fault(0x16, 0).trap(), Trap::Hvc { immediate: 0 });
        assert_eq!(fault(0x24, 0x46).trap(), Trap::DataAbort { write: true });
        assert_eq!(fault(0x07, 0).trap(), Trap::Fp);
        assert_eq!(fault(0x24, 0x46).abort_name(), Some("write"));
        assert_eq!(fault(0x24, 0x06).abort_name(), Some("read"));
        assert_eq!(fault(0x20, 0x06).abort_name(), Some("instruction abort"));
        assert_eq!(fault(0x17, 0).abort_name(), None);
        assert_eq!(fault(0x3f, 0).trap(), Trap::Other { class: 0x3f });
        for class in 0..64 {
            let _ = fault(class, 0x1ff_ffff).trap();
        }
    }

    #[test]
    fn intermediate_physical_address() {
        assert_eq!(fault(0x24, 7).ipa(), 0x6000_1234);
        assert!(fault(0x24, 7).is_stage2_fault());
        assert!(!fault(0x24, 0x10).is_stage2_fault());
        for status in 0..0x40 {
            let translation = (4..8).contains(&status);
            assert_eq!(fault(0x20, status).is_translation_fault(), translation);
            assert_eq!(fault(0x24, status).is_translation_fault(), translation);
            assert!(!fault(0x17, status).is_translation_fault());
        }
    }

    #[test]
    fn behind_the_instruction() {
        assert_eq!(fault(0x01, 0).instruction_bytes(), 4);
        let short = Fault {
            esr: 0x01 << 26,
            ..fault(0x01, 0)
        };
        assert_eq!(short.trap(), Trap::Wait);
        assert_eq!(short.instruction_bytes(), 2);
    }

    #[test]
    fn names_of_system_registers() {
        // MRS x3, ID_AA64PFR0_EL1 (3, 0, 0, 4, 0).
        let iss = 3 << 20 | 3 << 5 | 4 << 1 | 1;
        let access = SystemAccess(iss);
        assert!(access.is_read());
        assert_eq!(access.register(), 3);
        assert_eq!(access.name(), sysreg_name(3, 0, 0, 4, 0));
    }
}
