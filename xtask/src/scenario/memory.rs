//! The boots of the suite `memory`: a partition of each version of FF-A, two that end, and as a VM's neighbours two
//! more. Ids, places and order are those of `sp-test/src/memory`; here stands what their manifests say.

use super::{
    Bl33, Clock, Layout, Manifest, Partition, Scenario, Vm, boot,
    many::{Node, manifest_of, spmc_with},
};
use crate::firmware::{Binary, payload};
use std::time::Duration;

/// What a manifest says.
#[derive(Clone, Copy, Debug)]
struct Rules {
    name: &'static str,
    version: &'static str,
    /// Lines behind the last property.
    more: &'static str,
}

const fn rules(name: &'static str, version: &'static str, more: &'static str) -> Rules {
    Rules {
        name,
        version,
        more,
    }
}

/// In the order of the SPMC's manifest.
const ALL: [Rules; 6] = [
    rules("sp10", "0x00010000", ""),
    rules("sp11", "0x00010001", ""),
    rules("sp12", "0x00010002", ""),
    rules("sp13", "0x00010003", ""),
    rules(
        "stops",
        "0x00010003",
        "\n\tlifecycle-support;\n\tabort-action = <0>;",
    ),
    rules(
        "restarts",
        "0x00010003",
        "\n\tlifecycle-support;\n\tabort-action = <2>;",
    ),
];

/// The one that has memory of the normal world and a device.
const RICH: &str = "sp12";
const MEMORY: Binary = payload("sp-mem");
/// Bytes of memory of each.
const SIZE: u32 = 0x10_0000;

/// All of them.
pub fn all() -> [Scenario; 5] {
    [
        memory(
            "memory-direct",
            "memory is shared, lent and donated, from NS-EL2 and between partitions",
            Bl33::Direct(payload("client-memory")),
        ),
        memory(
            "memory-direct-10",
            "the same with FF-A 1.0 in the normal world",
            Bl33::Direct(payload("client-memory-10")),
        ),
        with_vms(memory(
            "memory-vm",
            "the same from VMs, and between them",
            Bl33::Vm(payload("client-memory-13")),
        )),
        cores(),
        large(),
    ]
}

/// With two VMs beside the client's.
pub(super) fn with_vms(scenario: Scenario) -> Scenario {
    Scenario {
        vm: Manifest::plain("vm.dts").with(
            "ffa-version = <0x00010002>;",
            "ffa-version = <0x00010003>;\n\t/* Long, since a machine in an emulator is slow. */\n\ttime-slice-us = <200000>;",
        ),
        vms: vec![
            vm("vm-two", Manifest::plain("vms-2.dts")),
            vm(
                "vm-three",
                Manifest::plain("vms-3.dts")
                    .with("vcpu-count = <2>;", "vcpu-count = <1>;")
                    .with("\tvcpu-cores = <0 1>;\n", ""),
            ),
        ],
        ..scenario
    }
}

/// The machine has two gibibytes more, of which the normal world has one.
fn large() -> Scenario {
    let scenario = memory(
        "memory-large",
        "a gibibyte is given away in one piece, on a machine that has it",
        Bl33::Direct(payload("client-memory-large")),
    );
    Scenario {
        // Elsewhere the next gibibyte is not memory to its end.
        only: Some(crate::board::QEMU_VIRT.name),
        memory: Some(3072),
        spmc: scenario.spmc.clone().with(
            "reg = <0x0 0x40000000 0x0 0x40000000>;",
            "reg = <0x0 0x40000000 0x0 0x80000000>;",
        ),
        ..scenario
    }
}

/// Of the partitions only the first two, of which the second has a block of memory and a context on each core, on which
/// the client has a vCPU. All run at once.
fn cores() -> Scenario {
    let mut scenario = Scenario {
        vm: Manifest::plain("vms-1.dts"),
        clock: Clock::Host,
        timeout: Duration::from_secs(240),
        ..boot(
            "memory-cores",
            "memory is given away on one core while others use what is beside it",
            Bl33::Vm(payload("client-memory-cores")),
        )
    };
    let mut nodes = nodes();
    nodes.truncate(2);
    if let Some(wide) = nodes.last_mut() {
        wide.mem_size = 2 * SIZE;
        wide.contexts = 8;
    }
    scenario.spmc = spmc_with(&nodes);
    scenario.partitions.extend(partitions(&nodes));
    if let Some(wide) = scenario.partitions.last_mut() {
        wide.manifest = wide
            .manifest
            .clone()
            .made("execution-ctx-count = <1>;", "execution-ctx-count = <8>;")
            // Nothing in its memory is of another kind.
            .made(REGIONS, "};");
    }
    scenario
}

/// The regions of a manifest, and its end.
const REGIONS: &str = "\n\tmemory-regions {
\t\tcompatible = \"arm,ffa-manifest-memory-regions\";

\t\town-read-only {
\t\t\tdescription = \"the last pages of its own memory, readable\";
\t\t\tload-address-relative-offset = <0x0 0x000fe000>;
\t\t\tpages-count = <2>;
\t\t\tattributes = <0x1>;
\t\t};
\t};
};";

fn vm(name: &'static str, manifest: Manifest) -> Vm {
    Vm {
        name,
        manifest,
        binary: MEMORY,
        header_changes: Vec::new(),
    }
}

fn memory(name: &'static str, about: &'static str, bl33: Bl33) -> Scenario {
    parties(name, about, bl33, &nodes())
}

/// A boot with these of the partitions.
pub(super) fn parties(
    name: &'static str,
    about: &'static str,
    bl33: Bl33,
    nodes: &[Node],
) -> Scenario {
    let mut scenario = Scenario {
        timeout: Duration::from_secs(180),
        clock: Clock::Instructions,
        spmc: spmc_with(nodes).with(UART, format!("{DEVICE}{UART}")),
        ..boot(name, about, bl33)
    };
    scenario.partitions.extend(partitions(nodes));
    scenario
}

/// All of them.
pub(super) fn nodes() -> Vec<Node> {
    (3..)
        .zip(ALL)
        .map(|(number, rules)| Node {
            number,
            name: rules.name,
            load_address: 0x0e50_0000 + (number - 3) * SIZE,
            mem_size: SIZE,
            contexts: 1,
        })
        .collect()
}

fn partitions(nodes: &[Node]) -> impl Iterator<Item = Partition> {
    nodes.iter().zip(ALL).map(|(node, rules)| Partition {
        name: node.name,
        manifest: manifest(node, rules),
        binary: MEMORY,
        layout: Layout::Spkg,
        header_changes: Vec::new(),
    })
}

fn manifest(node: &Node, rules: Rules) -> Manifest {
    const LAST: &str = "gp-register-num = <0>;";
    /// The end of the regions.
    const END: &str = "\t\t};\n\t};\n};";
    let manifest = manifest_of("sp-mem.dts", node)
        .made(
            "ffa-version = <0x00010003>;",
            format!("ffa-version = <{}>;", rules.version),
        )
        .made(LAST, format!("{LAST}{}", rules.more));
    match rules.name == RICH {
        true => manifest.made(END, RICH_END),
        false => manifest,
    }
}

/// The end of a manifest with more regions.
const RICH_END: &str = "\t\t};

		normal-world {
			description = \"the normal world's, readable and writable\";
			base-address = <0x0 0x70000000>;
			pages-count = <4>;
			attributes = <0xb>;
		};
	};

	device-regions {
		compatible = \"arm,ffa-manifest-device-regions\";

		device {
			base-address = <0x0 0x090b0000>;
			pages-count = <1>;
			attributes = <3>;
			exclusive-access;
		};
	};
};";

/// What the SPMC's manifest has behind the device of these boots.
const UART: &str = "\t/* The secure UART. */";
const DEVICE: &str = "\t/* What a partition lends. */
\tmemory@90b0000 {
\t\tdevice_type = \"device-memory\";
\t\treg = <0x0 0x090b0000 0x0 0x1000>;
\t};

";
