//! The boots of the suite `el0`: partitions at S-EL0. Ids and places are those of `sp-test/src/el0`.

use super::{
    Bl33, Layout, Partition, Scenario, boot,
    many::{Node, manifest_of, spmc_with},
};
use crate::firmware::payload;
use std::time::Duration;

/// Bytes of memory of each.
const SIZE: u32 = 0x10_0000;
/// Where the first is loaded; the others lie behind it.
const FIRST: u32 = 0x0e60_0000;
/// The last property of the manifest.
const LAST: &str = "gp-register-num = <0>;";

/// All of the suite.
pub fn all() -> [Scenario; 2] {
    let client = payload("client-el0");
    [
        el0("el0-vm", "partitions at S-EL0, from a VM", Bl33::Vm(client)),
        el0(
            "el0-direct",
            "partitions at S-EL0, from NS-EL2",
            Bl33::Direct(client),
        ),
    ]
}

/// The boots of `bench`.
pub fn bench() -> [Scenario; 2] {
    let client = payload("client-bench-el0");
    [
        el0(
            "bench-el0-vm",
            "cost of partitions with a single context, from a VM",
            Bl33::Vm(client),
        ),
        el0(
            "bench-el0-direct",
            "cost of partitions with a single context, from NS-EL2",
            Bl33::Direct(client),
        ),
    ]
}

/// A boot with two partitions at S-EL0, one of which lives again when it dies, and one at S-EL1 that has a single context
/// as they have.
fn el0(name: &'static str, about: &'static str, bl33: Bl33) -> Scenario {
    let names = ["mortal", "phoenix", "single"];
    let nodes: Vec<_> = (3..)
        .zip(names)
        .map(|(number, name)| Node {
            number,
            name,
            load_address: FIRST + (number - 3) * SIZE,
            mem_size: SIZE,
            contexts: 1,
        })
        .collect();
    let mut scenario = Scenario {
        timeout: Duration::from_secs(60),
        spmc: spmc_with(&nodes),
        ..boot(name, about, bl33)
    };
    scenario.partitions.extend(nodes.iter().map(|node| {
        let (manifest, binary) = match node.name {
            "mortal" => (manifest_of("sp-el0.dts", node), "sp-el0"),
            "phoenix" => {
                // A page of the normal world of its own.
                let page = "<0x0 0x50701000>";
                let again = format!("{LAST}\n\tlifecycle-support;\n\tabort-action = <2>;");
                let manifest = manifest_of("sp-el0.dts", node)
                    .with("ffa-version = <0x00010002>;", "ffa-version = <0x00010003>;")
                    .with("<0x0 0x50700000>", page)
                    .with(LAST, again);
                (manifest, "sp-el0")
            }
            _ => {
                let manifest = manifest_of("sp-many.dts", node);
                let single = "execution-ctx-count = <1>;";
                (
                    manifest.with("execution-ctx-count = <8>;", single),
                    "sp-many",
                )
            }
        };
        Partition {
            name: node.name,
            manifest,
            binary: payload(binary),
            layout: Layout::Spkg,
            header_changes: Vec::new(),
        }
    }));
    scenario
}
