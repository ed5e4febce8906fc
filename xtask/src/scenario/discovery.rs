//! The discovery boots: partitions of every version of FF-A, with all that a manifest can give one, and
//! a client of each version, as a VM and at NS-EL2.

use super::{Bl33, Layout, Manifest, Partition, Scenario, Text, boot};
use crate::{
    console::Stream,
    firmware::{Binary, payload},
};
use std::time::Duration;

/// The partitions, in the order of the SPMC's manifest: name, manifest, package.
const PARTITIONS: [(&str, &str, Layout); 6] = [
    ("v10", "sp-discovery-v10.dts", Layout::Spkg),
    ("v11", "sp-discovery-v11.dts", Layout::Spkg),
    ("v12", "sp-discovery-v12.dts", Layout::List),
    ("v13", "sp-discovery-v13.dts", Layout::ListWithHobs),
    ("s12", "sp-discovery-s12.dts", Layout::Spkg),
    ("r11", "sp-discovery-r11.dts", Layout::Spkg),
];

/// What partitions write by FFA_CONSOLE_LOG: `e32` and `e64` before FFA_VERSION, `c32`, `c48`, `c64`
/// as full as a call can be, `one` a character at a time.
const WRITTEN: [&str; 14] = [
    "e32 v10 0123456789abcde",
    "e32 s12 0123456789abcde",
    "e64 v11 0123456789abcdefghijklmnopqrstuvwxyz012",
    "e64 v12 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789a",
    "c32 v10 0123456789abcde",
    "c32 v13 0123456789abcde",
    "c32 s12 0123456789abcde",
    "c48 v10 0123456789abcdefghijklmnopqrstuvwxyz012",
    "c48 v13 0123456789abcdefghijklmnopqrstuvwxyz012",
    "c64 v11 0123456789abcdefghijklmnopqrstuvwxyz012",
    "c64 v13 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789a",
    "c64 s12 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789a",
    "one v10 0123456789abcde",
    "one r11 0123456789abcde",
];

const VERSION: &str = "ffa-version = <0x00010002>;";

/// The same of a VM: by version, below 1.2 and from there on.
const WRITTEN_BY_VM: [[&str; 3]; 4] = [
    [
        "c32 vm0 0123456789abcde",
        "c64 vm0 0123456789abcdefghijklmnopqrstuvwxyz012",
        "one vm0 0123456789abcde",
    ],
    [
        "c32 vm1 0123456789abcde",
        "c64 vm1 0123456789abcdefghijklmnopqrstuvwxyz012",
        "one vm1 0123456789abcde",
    ],
    [
        "c32 vm2 0123456789abcde",
        "c64 vm2 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789a",
        "one vm2 0123456789abcde",
    ],
    [
        "c32 vm3 0123456789abcde",
        "c64 vm3 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789a",
        "one vm3 0123456789abcde",
    ],
];

/// All of them.
pub fn all() -> Vec<Scenario> {
    let vms = [
        (
            "discovery-vm-10",
            "discovery from a VM of FF-A 1.0",
            payload("discovery-v10"),
            "ffa-version = <0x00010000>;",
        ),
        (
            "discovery-vm-11",
            "discovery from a VM of FF-A 1.1",
            payload("discovery-v11"),
            "ffa-version = <0x00010001>;",
        ),
        (
            "discovery-vm-12",
            "discovery from a VM of FF-A 1.2",
            payload("discovery-v12"),
            "ffa-version = <0x00010002>;",
        ),
        (
            "discovery-vm-13",
            "discovery from a VM of FF-A 1.3",
            payload("discovery-v13"),
            "ffa-version = <0x00010003>;",
        ),
    ];
    let direct = [
        (
            "discovery-direct-10",
            "discovery from NS-EL2 with FF-A 1.0",
            payload("discovery-v10"),
        ),
        (
            "discovery-direct-11",
            "discovery from NS-EL2 with FF-A 1.1",
            payload("discovery-v11"),
        ),
        (
            "discovery-direct-12",
            "discovery from NS-EL2 with FF-A 1.2",
            payload("discovery-v12"),
        ),
        (
            "discovery-direct-13",
            "discovery from NS-EL2 with FF-A 1.3",
            payload("discovery-v13"),
        ),
    ];
    let vms =
        vms.into_iter()
            .zip(WRITTEN_BY_VM)
            .map(|((name, about, client, version), written)| {
                let mut scenario = side_by_side(name, about, Bl33::Vm(client));
                scenario.vm = Manifest::plain("vm.dts").with(VERSION, version);
                scenario.expect.extend(written.map(|part| Text {
                    stream: Stream::Normal,
                    part,
                }));
                scenario
            });
    let direct = direct
        .into_iter()
        .map(|(name, about, client): (_, _, Binary)| {
            side_by_side(name, about, Bl33::Direct(client))
        });
    vms.chain(direct).chain(many()).collect()
}

/// Sixteen UUIDs, the first of which is the manifest's own.
macro_rules! sixteen {
    ($id:literal) => {
        sixteen!(@ $id "0001" "0101" "0201" "0301" "0401" "0501" "0601" "0701"
            "0801" "0901" "0a01" "0b01" "0c01" "0d01" "0e01" "0f01")
    };
    (@ $id:literal $($number:literal)*) => {
        concat!("uuid = <", $("0x74616e74 0x616c756d 0xd15c", $number, " ", $id, " ",)* ">;")
    };
}

/// More services than a page has room for in 48 bytes each: what becomes of each manifest.
const MANY: [&[(&str, &str)]; 6] = [
    &[(
        "uuid = <0x74616e74 0x616c756d 0xd15c0001 0x8001>;",
        sixteen!("0x8001"),
    )],
    &[(
        "compatible = \"arm,ffa-manifest-1.1\";",
        concat!(
            "compatible = \"arm,ffa-manifest-1.0\";\n\tmessaging-method = <3>;\n\t",
            sixteen!("0x8002")
        ),
    )],
    &[
        (
            "uuid = <0x74616e74 0x616c756d 0xd15c0001 0x8003 0x74616e74 0x616c756d 0xd15c0002 0x8003 0x74616e74 0x616c756d 0xd15c000f 0x5a5a>;",
            sixteen!("0x8003"),
        ),
        ("<0x603 0x003 0x601>", "<0x603>"),
    ],
    &[(
        "compatible = \"arm,ffa-manifest-1.1\";",
        concat!(
            "compatible = \"arm,ffa-manifest-1.0\";\n\tmessaging-method = <3>;\n\t",
            sixteen!("0x8004")
        ),
    )],
    &[(
        "uuid = <0x74616e74 0x616c756d 0xd15c0001 0x8005>;",
        sixteen!("0x8005"),
    )],
    &[(
        "uuid = <0x74616e74 0x616c756d 0xd15c0001 0x8006>;",
        sixteen!("0x8006"),
    )],
];

fn many() -> impl Iterator<Item = Scenario> {
    let boots = [
        (
            "discovery-many-vm",
            "too many services for a page, from a VM",
            Bl33::Vm(payload("discovery-many")),
        ),
        (
            "discovery-many-direct",
            "too many services for a page, from NS-EL2",
            Bl33::Direct(payload("discovery-many")),
        ),
    ];
    boots.into_iter().map(|(name, about, bl33)| {
        let mut scenario = side_by_side(name, about, bl33);
        scenario.vm = Manifest::plain("vm.dts").with(VERSION, "ffa-version = <0x00010003>;");
        // Nobody is asked to write.
        scenario.expect = boot(name, about, bl33).expect;
        for (partition, edits) in scenario.partitions.iter_mut().zip(MANY) {
            for (from, to) in edits {
                partition.manifest = partition.manifest.clone().with(*from, *to);
            }
        }
        scenario
    })
}

fn side_by_side(name: &'static str, about: &'static str, bl33: Bl33) -> Scenario {
    let partition = |(name, manifest, layout)| Partition {
        name,
        manifest: Manifest::plain(manifest),
        binary: payload("sp-discovery"),
        layout,
        header_changes: Vec::new(),
    };
    let mut scenario = Scenario {
        spmc: Manifest::plain("spmc-discovery.dts"),
        partitions: PARTITIONS.map(partition).into(),
        timeout: Duration::from_secs(180),
        ..boot(name, about, bl33)
    };
    scenario.expect.extend(WRITTEN.map(|part| Text {
        stream: Stream::Secure,
        part,
    }));
    scenario
}
