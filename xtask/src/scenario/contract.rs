//! The boots of the contract matrix: eight partitions side by side (every version of FF-A,
//! permissive and strict) and one client of each version, as a VM permissive and strict, and at
//! NS-EL2.

use super::{Bl33, Layout, Manifest, Partition, Scenario, boot};
use crate::firmware::{Binary, payload};
use std::time::Duration;

/// The partitions, in the order of the SPMC's manifest: name, manifest, image.
const PARTITIONS: [(&str, &str, Binary); 8] = [
    ("v10", "sp-v10.dts", payload("sp-v10")),
    ("v11", "sp-v11.dts", payload("sp-v11")),
    ("v12", "sp-v12.dts", payload("sp-v12")),
    ("v13", "sp-v13.dts", payload("sp-v13")),
    ("s10", "sp-s10.dts", payload("sp-v10")),
    ("s11", "sp-s11.dts", payload("sp-v11")),
    ("s12", "sp-s12.dts", payload("sp-v12")),
    ("s13", "sp-s13.dts", payload("sp-v13")),
];

/// What the VM's manifest gets beside its version: the proxy's own timer, every millisecond.
const VERSION: &str = "ffa-version = <0x00010002>;";

/// All of them, the most telling ones first.
pub fn all() -> Vec<Scenario> {
    let vms = [
        (
            "contract-vm",
            "the contract from a VM of FF-A 1.2",
            payload("contract-v12"),
            "ffa-version = <0x00010002>;\n\thousekeeping-us = <1000>;",
        ),
        (
            "contract-vm-10",
            "the contract from a VM of FF-A 1.0",
            payload("contract-v10"),
            "ffa-version = <0x00010000>;\n\thousekeeping-us = <1000>;",
        ),
        (
            "contract-vm-11",
            "the contract from a VM of FF-A 1.1",
            payload("contract-v11"),
            "ffa-version = <0x00010001>;\n\thousekeeping-us = <1000>;",
        ),
        (
            "contract-vm-13",
            "the contract from a VM of FF-A 1.3",
            payload("contract-v13"),
            "ffa-version = <0x00010003>;\n\thousekeeping-us = <1000>;",
        ),
        (
            "contract-vm-strict-10",
            "the contract from a strict VM of FF-A 1.0",
            payload("contract-s10"),
            "ffa-version = <0x00010000>;\n\thousekeeping-us = <1000>;\n\ttantalum,smccc-strict;",
        ),
        (
            "contract-vm-strict-11",
            "the contract from a strict VM of FF-A 1.1",
            payload("contract-s11"),
            "ffa-version = <0x00010001>;\n\thousekeeping-us = <1000>;\n\ttantalum,smccc-strict;",
        ),
        (
            "contract-vm-strict-12",
            "the contract from a strict VM of FF-A 1.2",
            payload("contract-s12"),
            "ffa-version = <0x00010002>;\n\thousekeeping-us = <1000>;\n\ttantalum,smccc-strict;",
        ),
        (
            "contract-vm-strict-13",
            "the contract from a strict VM of FF-A 1.3",
            payload("contract-s13"),
            "ffa-version = <0x00010003>;\n\thousekeeping-us = <1000>;\n\ttantalum,smccc-strict;",
        ),
    ];
    let direct = [
        (
            "contract-direct",
            "the contract from NS-EL2 with FF-A 1.2",
            payload("contract-v12"),
        ),
        (
            "contract-direct-10",
            "the contract from NS-EL2 with FF-A 1.0",
            payload("contract-v10"),
        ),
        (
            "contract-direct-11",
            "the contract from NS-EL2 with FF-A 1.1",
            payload("contract-v11"),
        ),
        (
            "contract-direct-13",
            "the contract from NS-EL2 with FF-A 1.3",
            payload("contract-v13"),
        ),
    ];
    let vms = vms.map(|(name, about, client, with)| Scenario {
        vm: Manifest::plain("vm.dts").with(VERSION, with),
        ..side_by_side(name, about, Bl33::Vm(client))
    });
    let direct =
        direct.map(|(name, about, client)| side_by_side(name, about, Bl33::Direct(client)));
    vms.into_iter().chain(direct).collect()
}

/// A boot with all of the matrix's partitions.
pub(super) fn side_by_side(name: &'static str, about: &'static str, bl33: Bl33) -> Scenario {
    let partition = |(name, manifest, binary)| Partition {
        name,
        manifest: Manifest::plain(manifest),
        binary,
        layout: Layout::Spkg,
        header_changes: Vec::new(),
    };
    Scenario {
        spmc: Manifest::plain("spmc-contract.dts"),
        partitions: PARTITIONS.map(partition).into(),
        timeout: Duration::from_secs(180),
        ..boot(name, about, bl33)
    }
}
