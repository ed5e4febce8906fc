//! PSCI and SMCCC discovery as the proxy answers them on a VM's behalf.

use crate::abi::{self, PSCI_ALREADY_ON, PSCI_INVALID_PARAMETERS};
use crate::board;
use crate::client::{Client, registers};
use crate::expect::Expect;
use crate::rt::regs;

/// The affinity fields of MPIDR_EL1.
const AFFINITY: u64 = 0xff_00ff_ffff;

/// Runs the chapter.
pub fn run(client: &mut Client) {
    if client.direct {
        // EL3's own business.
        return;
    }
    let me = regs::mpidr() & AFFINITY;
    let entry = board::place(0x5000_0000);
    let table: [(&str, u32, [u64; 3], Expect); 12] = [
        (
            "psci_version",
            abi::PSCI_VERSION,
            [0; 3],
            Expect::ResultAtLeast(0x1_0000),
        ),
        (
            "psci_features_system_off",
            abi::PSCI_FEATURES,
            [abi::PSCI_SYSTEM_OFF.into(), 0, 0],
            Expect::Result(0),
        ),
        (
            "psci_features_system_reset",
            abi::PSCI_FEATURES,
            [abi::PSCI_SYSTEM_RESET.into(), 0, 0],
            Expect::Result(0),
        ),
        (
            "psci_features_cpu_on",
            abi::PSCI_FEATURES,
            [abi::PSCI_CPU_ON_64.into(), 0, 0],
            Expect::ResultAtLeast(0),
        ),
        (
            "psci_features_smccc_version",
            abi::PSCI_FEATURES,
            [abi::SMCCC_VERSION.into(), 0, 0],
            Expect::Result(0),
        ),
        (
            "psci_features_unknown",
            abi::PSCI_FEATURES,
            [0x8400_001f, 0, 0],
            Expect::Result(-1),
        ),
        (
            "psci_cpu_on_self",
            abi::PSCI_CPU_ON_64,
            [me, entry, 0],
            Expect::Result(PSCI_ALREADY_ON),
        ),
        (
            "psci_cpu_on_nobody",
            abi::PSCI_CPU_ON_64,
            [0xff_0077, entry, 0],
            Expect::Result(PSCI_INVALID_PARAMETERS),
        ),
        ("psci_unknown", 0x8400_001f, [0; 3], Expect::Result(-1)),
        (
            "smccc_version",
            abi::SMCCC_VERSION,
            [0; 3],
            Expect::ResultAtLeast(0x1_0002),
        ),
        (
            "smccc_arch_features_version",
            abi::SMCCC_ARCH_FEATURES,
            [abi::SMCCC_VERSION.into(), 0, 0],
            Expect::Result(0),
        ),
        (
            "smccc_arch_features_unknown",
            abi::SMCCC_ARCH_FEATURES,
            [0x8000_7fff, 0, 0],
            Expect::Result(-1),
        ),
    ];
    for (name, id, arguments, expect) in table {
        client.case(name, client.expect(&registers(id, &arguments), &expect));
    }
}
