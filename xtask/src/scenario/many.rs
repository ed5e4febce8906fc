//! A system of twelve partitions: TF-A loads only eight packages, so some travel together. The first
//! two are those of every other boot; the rest are ten of one image, told apart by their ids.

use super::{Bl33, Layout, Manifest, Partition, Scenario, boot};
use crate::firmware::{Binary, payload};

/// The partitions behind the first two: the name and what lies where.
const NAMES: [&str; 10] = [
    "many3", "many4", "many5", "many6", "many7", "many8", "many9", "many10", "many11", "many12",
];

/// The id of the partition that is number `n` in the SPMC's manifest, from 1.
const fn id(n: u32) -> u32 {
    0x8000 + n
}

/// One more node of the SPMC's manifest.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Its number, from 1.
    pub number: u32,
    /// Its name in messages.
    pub name: &'static str,
    /// Where it is loaded.
    pub load_address: u32,
    /// Bytes of memory.
    pub mem_size: u32,
    /// Execution contexts.
    pub contexts: u32,
}

/// The SPMC's manifest with more partitions behind the first two.
pub fn spmc_with(nodes: &[Node]) -> Manifest {
    /// What comes behind the last partition.
    const BEHIND: &str = "\t};\n\n\t/* The boot CPU first";
    let text: String = nodes
        .iter()
        .map(|node| {
            format!(
                "\n\t\tvm{} {{\n\t\t\tis_ffa_partition;\n\t\t\tdebug_name = \"{}\";\n\t\t\tload_address = <{:#x}>;\n\t\t\tvcpu_count = <{}>;\n\t\t\tmem_size = <{:#x}>;\n\t\t}};\n",
                node.number, node.name, node.load_address, node.contexts, node.mem_size
            )
        })
        .collect();
    Manifest::plain("spmc.dts").made(BEHIND, text + BEHIND)
}

/// A manifest of many from `file`, which has placeholders that are good values themselves: the service
/// ends with the id.
pub fn manifest_of(file: &'static str, node: &Node) -> Manifest {
    let id = id(node.number);
    Manifest::plain(file)
        .made("0x0 0xffff>;", format!("0x0 {id:#x}>;"))
        .made(
            "load-address = <0x0 0x0e500000>;",
            format!("load-address = <0x0 {:#x}>;", node.load_address),
        )
        .made(
            "description = \"one of many\";",
            format!("description = \"{}\";", node.name),
        )
        .made(
            "boot-order = <2>;",
            format!("boot-order = <{}>;", node.number - 1),
        )
}

fn nodes() -> Vec<Node> {
    (3..)
        .zip(NAMES)
        .map(|(number, name)| Node {
            number,
            name,
            load_address: 0x0e20_0000 + number * 0x10_0000,
            mem_size: 0x10_0000,
            contexts: 8,
        })
        .collect()
}

fn many(name: &'static str, about: &'static str, bl33: Bl33) -> Scenario {
    let nodes = nodes();
    let mut scenario = Scenario {
        spmc: spmc_with(&nodes),
        ..boot(name, about, bl33)
    };
    scenario
        .partitions
        .extend(nodes.iter().map(|node| Partition {
            name: node.name,
            manifest: manifest_of("sp-many.dts", node),
            binary: payload("sp-many"),
            layout: Layout::Spkg,
            header_changes: Vec::new(),
        }));
    scenario
}

/// The boots of `test`.
pub fn tests() -> [Scenario; 2] {
    const CLIENT: Binary = payload("client-many");
    [
        many("many", "twelve partitions, from a VM", Bl33::Vm(CLIENT)),
        many(
            "many-direct",
            "twelve partitions, from NS-EL2",
            Bl33::Direct(CLIENT),
        ),
    ]
}

/// The boots of `bench`.
pub fn bench() -> [Scenario; 2] {
    const CLIENT: Binary = payload("client-bench-many");
    [
        many(
            "bench-many-vm",
            "cost with twelve partitions from a VM",
            Bl33::Vm(CLIENT),
        ),
        many(
            "bench-many-direct",
            "cost with twelve partitions from NS-EL2",
            Bl33::Direct(CLIENT),
        ),
    ]
}
