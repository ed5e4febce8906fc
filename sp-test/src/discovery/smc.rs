//! Calls of a partition that are not FF-A's: which the SPMC answers, which it hands to EL3, and which
//! are nobody's (DEN0028, DEN0022).

use super::Forwarded;
use crate::abi;
use crate::board::BOARD;

/// What must come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// x0 = -1 in 64 bits, x1-x30 untouched.
    Unknown,
    /// Exactly this in x0, x1-x30 untouched.
    X0(u64),
    /// x0 is this in its 32 bits, x1-x3 are the callee's, x4-x30 untouched.
    Result(i32),
    /// One of these, likewise.
    OneOf(&'static [i32]),
    /// x0 zero, -1 or as it was, x1-x30 untouched: a workaround has no result.
    Workaround,
    /// Exactly these in x0-x3, x4-x30 untouched.
    Words([u64; 4]),
    /// What the partition's calls get that are handed to EL3 only if its manifest says so: this if
    /// `smc_whitelist` lists it or everything is handed over, else [`Answer::Unknown`].
    Listed([u64; 4]),
    /// The same, if everything is handed over only.
    Permissive(i32),
    /// The same, with words.
    PermissiveWords([u64; 4]),
}

impl Answer {
    /// The answer for a partition with these calls handed to EL3.
    pub const fn of(self, forwarded: Forwarded) -> Self {
        match (self, forwarded) {
            (Self::Listed(words), Forwarded::Listed | Forwarded::All) => Self::Words(words),
            (Self::Permissive(result), Forwarded::All) => Self::Result(result),
            (Self::PermissiveWords(words), Forwarded::All) => Self::Words(words),
            (Self::Listed(_) | Self::Permissive(_) | Self::PermissiveWords(_), _) => Self::Unknown,
            _ => self,
        }
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Smc {
    /// Its name in the report, after `smc/`.
    pub name: &'static str,
    /// x0.
    pub x0: u64,
    /// x1.
    pub x1: u64,
    /// What must come back.
    pub answer: Answer,
}

const fn smc(name: &'static str, x0: u64, x1: u64, answer: Answer) -> Smc {
    Smc {
        name,
        x0,
        x1,
        answer,
    }
}

/// The UID of EL3's standard service: it answers with four words that nothing else gives.
pub const STD_UID: u64 = 0x8400_ff01;
/// The version of EL3's standard service.
const STD_VERSION: u64 = 0x8400_ff03;
/// The bytes 5b908d10-63f8-e847-ae2d-c0fb5641f6e2, four of which make a word, the lowest first.
const TF_A: [u64; 4] = [0x108d_905b, 0x47e8_f863, 0xfbc0_2dae, 0xe2f6_4156];

/// The UID of EL3's service for the platform.
const SIP_UID: Answer = match BOARD.sip_uid {
    Some(words) => Answer::PermissiveWords(words),
    None => Answer::Permissive(-1),
};

/// SMCCC_ARCH_WORKAROUND_1 to 4.
pub const WORKAROUNDS: [u64; 4] = [0x8000_8000, 0x8000_7fff, 0x8000_3fff, 0x8000_0004];

const FEATURES: u64 = abi::SMCCC_ARCH_FEATURES as u64;
/// What EL3 may say about a workaround.
const MAYBE: Answer = Answer::OneOf(&[0, 1, -1, -2]);
/// What TF-A built without a random number generator says.
const NO_TRNG: Answer = Answer::Result(-1);

/// The table.
pub const SMCS: &[Smc] = &[
    smc(
        "smccc_version",
        abi::SMCCC_VERSION as u64,
        0,
        Answer::Result(0x1_0002),
    ),
    smc(
        "arch_features_version",
        FEATURES,
        abi::SMCCC_VERSION as u64,
        Answer::Result(0),
    ),
    smc(
        "arch_features_itself",
        FEATURES,
        FEATURES,
        Answer::Result(0),
    ),
    smc(
        "arch_features_soc_id",
        FEATURES,
        0x8000_0002,
        Answer::Result(-1),
    ),
    smc(
        "arch_features_unknown",
        FEATURES,
        0x8000_1234,
        Answer::Result(-1),
    ),
    smc(
        "arch_features_ffa_version",
        FEATURES,
        abi::VERSION as u64,
        Answer::Result(-1),
    ),
    smc(
        "arch_features_workaround_1",
        FEATURES,
        WORKAROUNDS[0],
        MAYBE,
    ),
    smc(
        "arch_features_workaround_2",
        FEATURES,
        WORKAROUNDS[1],
        MAYBE,
    ),
    smc(
        "arch_features_workaround_3",
        FEATURES,
        WORKAROUNDS[2],
        MAYBE,
    ),
    smc(
        "arch_features_workaround_4",
        FEATURES,
        WORKAROUNDS[3],
        MAYBE,
    ),
    smc("workaround_1", WORKAROUNDS[0], 0, Answer::Workaround),
    smc("workaround_2", WORKAROUNDS[1], 0, Answer::Workaround),
    smc("workaround_3", WORKAROUNDS[2], 0, Answer::Workaround),
    smc("workaround_4", WORKAROUNDS[3], 0, Answer::Workaround),
    smc("trng_version", 0x8400_0050, 0, NO_TRNG),
    smc("trng_features", 0x8400_0051, 0x8400_0053, NO_TRNG),
    smc("trng_get_uuid", 0x8400_0052, 0, NO_TRNG),
    smc("trng_rnd_32", 0x8400_0053, 32, NO_TRNG),
    smc("trng_rnd_64", 0xc400_0053, 64, NO_TRNG),
    smc("psci_version", 0x8400_0000, 0, Answer::Unknown),
    smc("psci_cpu_suspend_32", 0x8400_0001, 0, Answer::Unknown),
    smc("psci_cpu_suspend_64", 0xc400_0001, 0, Answer::Unknown),
    smc("psci_cpu_off", 0x8400_0002, 0, Answer::Unknown),
    smc("psci_cpu_on_32", 0x8400_0003, 1, Answer::Unknown),
    smc("psci_cpu_on_64", 0xc400_0003, 1, Answer::Unknown),
    smc("psci_affinity_info", 0xc400_0004, 0, Answer::Unknown),
    smc("psci_system_off", 0x8400_0008, 0, Answer::Unknown),
    smc("psci_system_reset", 0x8400_0009, 0, Answer::Unknown),
    smc("psci_features", 0x8400_000a, 0x8400_0000, Answer::Unknown),
    smc("psci_mem_protect", 0x8400_0013, 0, Answer::Unknown),
    smc("psci_last", 0x8400_001f, 0, Answer::Unknown),
    smc("interrupt_enable", 0xff03, 32, Answer::Unknown),
    smc("interrupt_get", 0xff04, 0, Answer::X0(0xffff_ffff)),
    smc("interrupt_deactivate", 0xff08, 32, Answer::Unknown),
    smc("interrupt_reconfigure", 0xff09, 32, Answer::Unknown),
    smc("send_ipi_to_nobody", 0xff0a, 8, Answer::Unknown),
    smc("hypercall_first", 0xff00, 0, Answer::Unknown),
    smc("hypercall_last", 0xffff, 0, Answer::Unknown),
    smc("std_uid", STD_UID, 0, Answer::Listed(TF_A)),
    smc("std_version", STD_VERSION, 0, Answer::Permissive(0)),
    smc("vendor_32", 0x8600_1234, 1, Answer::Permissive(-1)),
    smc("vendor_64", 0xc600_1234, 1, Answer::Permissive(-1)),
    smc("sip", 0x8200_1234, 1, Answer::Permissive(-1)),
    smc("sip_uid", 0x8200_ff01, 0, SIP_UID),
    smc("trusted_os", 0xb200_0000, 0, Answer::Permissive(-1)),
    smc("reserved_owner", 0x8a00_0000, 0, Answer::Permissive(-1)),
    smc("zero", 0, 0, Answer::Unknown),
    smc("upper_half_alone", 0x1_0000_0000, 0, Answer::Unknown),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names = std::collections::BTreeSet::new();
        for smc in SMCS {
            assert!(names.insert(smc.name), "{} stands twice", smc.name);
        }
    }

    #[test]
    fn what_is_handed_over_depends_on_the_manifest() {
        let words = [1, 2, 3, 4];
        let listed = Answer::Listed(words);
        assert_eq!(listed.of(Forwarded::Usual), Answer::Unknown);
        assert_eq!(listed.of(Forwarded::Listed), Answer::Words(words));
        assert_eq!(listed.of(Forwarded::All), Answer::Words(words));
        let permissive = Answer::Permissive(0);
        assert_eq!(permissive.of(Forwarded::Listed), Answer::Unknown);
        assert_eq!(permissive.of(Forwarded::All), Answer::Result(0));
        let words = Answer::PermissiveWords(words);
        assert_eq!(words.of(Forwarded::Listed), Answer::Unknown);
        assert_eq!(words.of(Forwarded::All), listed.of(Forwarded::All));
        assert_eq!(Answer::Workaround.of(Forwarded::All), Answer::Workaround);
    }
}
