//! The boots of the suite `interrupts`. The partitions, their ids and their order are those of
//! `sp-test/src/interrupts`; here stands what their manifests say.

use super::{
    Bl33, Clock, Edit, Layout, Manifest, Partition, Scenario, boot,
    many::{Node, manifest_of, spmc_with},
};
use crate::firmware::{Binary, payload};
use std::time::Duration;

/// What a manifest says about interrupts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    name: &'static str,
    contexts: u32,
    /// Instead of `ns-interrupts-action = <2>`.
    properties: &'static str,
    /// The device with an interrupt, the interrupts.
    pub device: Option<(&'static str, &'static str)>,
}

const SIGNALLED: &str = "ns-interrupts-action = <2>;";

/// In the order of the SPMC's manifest. An interrupt is its INTID and its attributes: priority 0x20, secure (bit 8),
/// level (bit 9), PPI (bits 11:10 = 1) or SPI (2).
pub(super) const ALL: [Rules; 8] = [
    Rules {
        name: "signalled",
        contexts: 8,
        properties: "ns-interrupts-action = <2>;\n\tother-s-interrupts-action = <1>;\n\tpower-management-messages = <1>;",
        // The line, and the PMU's, as an edge.
        device: Some(("shared", "<0x27 0xb20>, <0x17 0x520>")),
    },
    Rules {
        name: "single",
        contexts: 1,
        properties: SIGNALLED,
        device: Some(("secure", "<0x20 0xb20>")),
    },
    Rules {
        name: "exit-fiq",
        contexts: 8,
        properties: "ns-interrupts-action = <1>;",
        device: None,
    },
    Rules {
        name: "exit-irq",
        contexts: 1,
        properties: "ns-interrupts-action = <1>;\n\tmanaged-exit-virq;",
        device: None,
    },
    Rules {
        name: "queued",
        contexts: 8,
        properties: "ns-interrupts-action = <0>;\n\tpower-management-messages = <1>;",
        device: None,
    },
    Rules {
        name: "alone",
        contexts: 1,
        properties: "ns-interrupts-action = <0>;\n\tother-s-interrupts-action = <0>;",
        device: None,
    },
    Rules {
        name: "sri-waiting",
        contexts: 1,
        properties: "ns-interrupts-action = <2>;\n\tsri-interrupts-policy = <1>;",
        device: None,
    },
    Rules {
        name: "sri-leaving",
        contexts: 1,
        properties: "ns-interrupts-action = <2>;\n\tsri-interrupts-policy = <2>;",
        device: None,
    },
];

const IRQ: Binary = payload("sp-irq");
/// Bytes of memory of each.
const SIZE: u32 = 0x10_0000;
/// Where the pages of the first partition are, and bytes of all pages of one.
const PAGES: u32 = 0x5070_0000;
const PAGES_SIZE: u32 = 0x8000;

/// All of them.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario {
            clock: Clock::Instructions,
            ..interrupts(
                "interrupts-1",
                "interrupts of both worlds on one core, case by case",
                Bl33::Direct(payload("client-interrupts")),
            )
        },
        Scenario {
            clock: Clock::Instructions,
            ..interrupts(
                "interrupts-8",
                "the same between eight cores, which take turns",
                Bl33::Direct(payload("client-interrupts-8")),
            )
        },
        Scenario {
            timeout: Duration::from_secs(300),
            ..interrupts(
                "interrupts-together",
                "what comes at no known moment, between eight cores that run at once",
                Bl33::Direct(payload("client-interrupts-together")),
            )
        },
        Scenario {
            clock: Clock::Instructions,
            ..interrupts(
                "interrupts-vm",
                "secure interrupts while a VM runs, and its own while partitions do",
                Bl33::Vm(payload("client-interrupts-vm")),
            )
        },
    ]
}

pub(super) fn interrupts(name: &'static str, about: &'static str, bl33: Bl33) -> Scenario {
    boot_of(name, about, bl33, IRQ, ALL)
}

/// A boot of the eight partitions, all of one program, with these manifests.
pub(super) fn boot_of(
    name: &'static str,
    about: &'static str,
    bl33: Bl33,
    binary: Binary,
    all: [Rules; 8],
) -> Scenario {
    let nodes: Vec<_> = (3..)
        .zip(all)
        .map(|(number, rules)| Node {
            number,
            name: rules.name,
            load_address: 0x0e50_0000 + (number - 3) * SIZE,
            mem_size: SIZE,
            contexts: rules.contexts,
        })
        .collect();
    let mut scenario = Scenario {
        timeout: Duration::from_secs(120),
        spmc: spmc_with(&nodes).with(UART, format!("{DEVICES}{UART}")),
        ..boot(name, about, bl33)
    };
    scenario
        .partitions
        .extend(nodes.iter().zip(all).map(|(node, rules)| Partition {
            name: node.name,
            manifest: manifest(node, rules),
            binary,
            layout: Layout::Spkg,
            header_changes: Vec::new(),
        }));
    scenario
}

fn manifest(node: &Node, rules: Rules) -> Manifest {
    let pages = PAGES + (node.number - 3) * PAGES_SIZE;
    let mut manifest = manifest_of("sp-irq.dts", node)
        .made(
            "execution-ctx-count = <1>;",
            format!("execution-ctx-count = <{}>;", rules.contexts),
        )
        .made(SIGNALLED, rules.properties)
        .made("<0x0 0x50700000>", format!("<0x0 {pages:#010x}>"));
    if let Some((device, interrupts)) = rules.device {
        let (from, to) = with_interrupts(device, interrupts);
        manifest = manifest.made(from, to);
    }
    manifest
}

/// The change that gives a device of the manifest its interrupts.
fn with_interrupts(device: &str, interrupts: &str) -> Edit {
    let node = format!("\t\t{device} {{\n");
    let more = format!("{node}\t\t\tinterrupts = {interrupts};\n");
    (node.into(), more.into())
}

/// What the SPMC's manifest has behind the devices of these boots.
const UART: &str = "\t/* The secure UART. */";
const DEVICES: &str = "\t/* What interrupts. */
\tmemory@9010000 {
\t\tdevice_type = \"ns-device-memory\";
\t\treg = <0x0 0x09010000 0x0 0x1000>;
\t};

\tmemory@9030000 {
\t\tdevice_type = \"ns-device-memory\";
\t\treg = <0x0 0x09030000 0x0 0x1000>;
\t};

\tmemory@90b0000 {
\t\tdevice_type = \"device-memory\";
\t\treg = <0x0 0x090b0000 0x0 0x1000>;
\t};

";
