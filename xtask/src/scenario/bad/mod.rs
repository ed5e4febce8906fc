//! Boots with one mistake each: in the SPMC's manifest, in a partition's manifest, package or
//! initialisation, in the manifests of VMs. Each must be named on the UART, with the place and what is wanted.
//!
//! The mistake is in the second partition, so that the first shows that the rest still boots. A VM's stops the
//! proxy: its VMs are configured together.

mod interrupts;
mod properties;
mod vms;

use super::{Bl33, Finish, Manifest, Partition, Scenario, Text, boot, relay};
use crate::{console::Stream, firmware::payload};
use std::time::Duration;

/// What the first partition says when it runs, and what it answers to the VM.
const REST_BOOTS: [Text; 2] = [
    Text {
        stream: Stream::Secure,
        part: "sp-echo 0x8001 up",
    },
    Text {
        stream: Stream::Normal,
        part: "to=sp-echo call=FFA_MSG_SEND_DIRECT_REQ2 answer=FFA_MSG_SEND_DIRECT_RESP2",
    },
];

/// The second partition's node in the SPMC's manifest, from its load address on.
const RELAY_NODE: &str =
    "load_address = <0x0e400000>;\n\t\t\tvcpu_count = <8>;\n\t\t\tmem_size = <0x100000>;";

/// All of them.
pub fn all() -> Vec<Scenario> {
    let mut all = spmc_manifest();
    all.extend(spmc_manifest_layout());
    all.extend(partition_manifest());
    all.extend(properties::all());
    all.extend(interrupts::all());
    all.extend(partition_package());
    all.extend(partition_initialisation());
    all.extend(vm_manifest());
    all.extend(vms::all());
    all
}

fn spmc_manifest() -> Vec<Scenario> {
    let mistakes = [
        (
            "bad-spmc-missing",
            "a property is missing in the SPMC's manifest",
            RELAY_NODE,
            "load_address = <0x0e400000>;\n\t\t\tvcpu_count = <8>;",
            "mem_size: missing",
        ),
        (
            "bad-spmc-type",
            "a property has a wrong type in the SPMC's manifest",
            RELAY_NODE,
            "load_address = <0x0e400000>;\n\t\t\tvcpu_count = \"four\";\n\t\t\tmem_size = <0x100000>;",
            "vcpu_count: found",
        ),
    ];
    mistakes
        .into_iter()
        .map(|(name, about, from, to, says)| Scenario {
            spmc: Manifest::plain("spmc.dts").with(from, to),
            ..bad(name, about, &[stopped(), secure(says)])
        })
        .collect()
}

/// Mistakes in one partition's place: only that partition is refused.
fn spmc_manifest_layout() -> Vec<Scenario> {
    let mistakes = [
        (
            "bad-spmc-overlap",
            "two partitions overlap in the SPMC's manifest",
            RELAY_NODE,
            "load_address = <0x0e380000>;\n\t\t\tvcpu_count = <8>;\n\t\t\tmem_size = <0x100000>;",
            "load_address: 0xe380000-0xe47ffff overlaps",
        ),
        (
            "bad-spmc-outside",
            "a partition lies outside of secure memory in the SPMC's manifest",
            RELAY_NODE,
            "load_address = <0x50000000>;\n\t\t\tvcpu_count = <8>;\n\t\t\tmem_size = <0x100000>;",
            "load_address: 0x50000000-0x500fffff is outside secure memory",
        ),
    ];
    mistakes
        .into_iter()
        .map(|(name, about, from, to, says)| Scenario {
            spmc: Manifest::plain("spmc.dts").with(from, to),
            ..bad(name, about, &refused(says))
        })
        .collect()
}

fn partition_manifest() -> Vec<Scenario> {
    let mistakes = [
        (
            "bad-sp-missing",
            "a property is missing in a partition's manifest",
            "execution-ctx-count = <8>;",
            "",
            "execution-ctx-count: missing",
        ),
        (
            "bad-sp-type",
            "a property has a wrong type in a partition's manifest",
            "exception-level = <2>;",
            "exception-level = \"S-EL1\";",
            "exception-level: found",
        ),
        (
            "bad-sp-outside",
            "a partition's entry point lies outside of it",
            "entrypoint-offset = <0x0 0x4000>;",
            "entrypoint-offset = <0x0 0x4000000>;",
            "entrypoint-offset: found",
        ),
        (
            "bad-sp-version",
            "a partition wants an FF-A version that is not there",
            "ffa-version = <0x00010002>;",
            "ffa-version = <0x00020000>;",
            "ffa-version: found",
        ),
    ];
    mistakes
        .into_iter()
        .map(|(name, about, from, to, says)| {
            let mut second = relay();
            second.manifest = second.manifest.with(from, to);
            with_second(second, bad(name, about, &refused(says)))
        })
        .collect()
}

fn partition_package() -> Vec<Scenario> {
    let mistakes = [
        (
            "bad-package-magic",
            "a package is none",
            (0, 0x4b4f_4f4c),
            "found magic",
        ),
        (
            "bad-package-manifest",
            "a package's manifest lies outside of it",
            (8, 0xffff_f000),
            "manifest at offset 0xfffff000",
        ),
        (
            "bad-package-image",
            "a package's image is larger than the partition",
            (20, 0x1000_0000),
            "image at offset 0x4000 with 0x10000000 bytes",
        ),
    ];
    mistakes
        .into_iter()
        .map(|(name, about, change, says)| {
            let mut second = relay();
            second.header_changes.push(change);
            with_second(second, bad(name, about, &refused(says)))
        })
        .collect()
}

/// A good manifest and package, but the partition says that its initialisation has failed. With a
/// single context this leaves the core, with one for each core it stays.
fn partition_initialisation() -> Vec<Scenario> {
    let contexts = [
        (
            "bad-sp-init-single",
            "a partition with a single context fails to initialise",
            "execution-ctx-count = <1>;",
            "load_address = <0x0e400000>;\n\t\t\tvcpu_count = <1>;\n\t\t\tmem_size = <0x100000>;",
        ),
        (
            "bad-sp-init-all",
            "a partition with a context for each core fails to initialise",
            "execution-ctx-count = <8>;",
            RELAY_NODE,
        ),
    ];
    contexts
        .into_iter()
        .map(|(name, about, count, node)| {
            let mut second = relay();
            second.binary = payload("sp-fail");
            second.manifest = second.manifest.with("execution-ctx-count = <8>;", count);
            let mut expect = vec![secure("partition 0x8002 failed to initialise")];
            expect.extend(REST_BOOTS);
            let mut scenario = bad(name, about, &expect);
            scenario.spmc = scenario.spmc.with(RELAY_NODE, node);
            scenario.forbid.push(secure("partition 0x8002 waits"));
            with_second(second, scenario)
        })
        .collect()
}

fn vm_manifest() -> Vec<Scenario> {
    let mistakes = [
        (
            "bad-vm-missing",
            "a property is missing in the VM's manifest",
            "memory-size = <0x0 0x00800000>;",
            "",
            "memory-size: missing",
        ),
        (
            "bad-vm-outside",
            "the VM's memory is the proxy's",
            "load-address = <0x0 0x50000000>;",
            "load-address = <0x0 0x60000000>;",
            "wanted normal-world RAM that is neither the proxy's",
        ),
    ];
    mistakes
        .into_iter()
        .map(|(name, about, from, to, says)| Scenario {
            vm: Manifest::plain("vm.dts").with(from, to),
            ..bad(
                name,
                about,
                &[Text {
                    stream: Stream::Normal,
                    part: says,
                }],
            )
        })
        .collect()
}

/// A boot that is over as soon as it has said what it must.
fn bad(name: &'static str, about: &'static str, expect: &[Text]) -> Scenario {
    Scenario {
        timeout: Duration::from_secs(20),
        expect: expect.to_vec(),
        finish: Finish::Expected,
        ..boot(name, about, Bl33::Vm(payload("client-run")))
    }
}

fn with_second(second: Partition, scenario: Scenario) -> Scenario {
    let mut scenario = scenario;
    scenario.partitions.pop();
    scenario.partitions.push(second);
    scenario
}

fn secure(part: &'static str) -> Text {
    Text {
        stream: Stream::Secure,
        part,
    }
}

/// The SPMC stops with a message in plain text.
fn stopped() -> Text {
    secure("SPMC stopped: ")
}

/// A partition is refused with a reason, and the rest boots.
fn refused(says: &'static str) -> Vec<Text> {
    let mut expect = vec![secure("partition refused: "), secure(says)];
    expect.extend(REST_BOOTS);
    expect
}
