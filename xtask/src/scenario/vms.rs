//! Boots with several VMs: the primary, which is the client, and others beside it that answer it, one another and the
//! partitions. Whatever is version and mode of a VM is its program's; the manifests allow the highest version.

use super::{Bl33, Clock, Manifest, Scenario, Vm, boot, contract::side_by_side};
use crate::firmware::payload;
use std::time::Duration;

/// Where a manifest gets another line.
const VERSION: &str = "ffa-version = <0x00010003>;";
const STRICT: &str = "ffa-version = <0x00010003>;\n\ttantalum,smccc-strict;";

/// A program that answers, and whether its VM is in strict mode.
type Peer = (&'static str, bool);

/// All of them.
pub fn all() -> Vec<Scenario> {
    const PLAIN: Peer = ("vm-peer", false);
    let mut all = vec![
        three(
            "vms",
            "three VMs: messages, cycles, interrupts, isolation",
            ("client-vms", false),
            [PLAIN, PLAIN],
        ),
        three(
            "vms-11",
            "three VMs: the contract with FF-A 1.0 and 1.1",
            ("client-vms-11", false),
            [("vm-peer-10", false), ("vm-peer-11", false)],
        ),
        three(
            "vms-13",
            "three VMs: the contract with FF-A 1.3",
            ("client-vms-13", false),
            [("vm-peer-13", false), ("vm-peer-strict-13", true)],
        ),
        three(
            "vms-strict",
            "three VMs: the contract in strict mode",
            ("client-vms-strict", true),
            [("vm-peer-strict", true), PLAIN],
        ),
        Scenario {
            timeout: Duration::from_secs(300),
            // Its CPUs are to run at the same time.
            clock: Clock::Host,
            ..three(
                "vms-soak",
                "three VMs that talk to one another on all cores",
                ("client-vms-soak", false),
                [PLAIN, PLAIN],
            )
        },
    ];
    // What a VM is refused that receives little and sends nothing.
    if let Some(vms) = all.first_mut() {
        let mute = vm("vm-four", Manifest::plain("vms-4.dts"), PLAIN);
        vms.vms.push(mute);
    }
    all.push(eight());
    all
}

fn vm(name: &'static str, manifest: Manifest, (program, strict): Peer) -> Vm {
    Vm {
        name,
        manifest: mode(manifest, strict),
        binary: payload(program),
        header_changes: Vec::new(),
    }
}

fn mode(manifest: Manifest, strict: bool) -> Manifest {
    match strict {
        true => manifest.with(VERSION, STRICT),
        false => manifest,
    }
}

/// The client, a VM with one vCPU that runs where it is called, and one with a vCPU on each of two cores.
fn three(
    name: &'static str,
    about: &'static str,
    (client, strict): Peer,
    [two, three]: [Peer; 2],
) -> Scenario {
    Scenario {
        vm: mode(Manifest::plain("vms-1.dts"), strict),
        vms: vec![
            vm("vm-two", Manifest::plain("vms-2.dts"), two),
            vm("vm-three", Manifest::plain("vms-3.dts"), three),
        ],
        timeout: Duration::from_secs(180),
        clock: Clock::Instructions,
        ..side_by_side(name, about, Bl33::Vm(payload(client)))
    }
}

/// As many VMs as there can be.
fn eight() -> Scenario {
    let mut scenario = three(
        "vms-death",
        "eight VMs, seven of which end, in every state",
        ("client-vms-death", false),
        [("vm-peer", false), ("vm-peer", false)],
    );
    scenario.vms = others_of(8);
    for vm in &mut scenario.vms {
        if ["vm-four", "vm-eight"].contains(&vm.name) {
            vm.binary = payload("vm-peer-13");
        }
    }
    scenario
}

/// This VM and VM 3 have a vCPU on each of eight cores, and the partitions are those of the suite `interrupts`.
pub fn eight_cores() -> Scenario {
    const PLAIN: Peer = ("vm-peer", false);
    const ALL_CORES: &str = "<0 1 2 3 4 5 6 7>";
    let one = Manifest::plain("vms-1.dts")
        .with("vcpu-count = <4>;", "vcpu-count = <8>;")
        .with("<0 1 2 3>", ALL_CORES)
        // The host's time: longer still.
        .with("time-slice-us = <200000>;", "time-slice-us = <1000000>;");
    let three = Manifest::plain("vms-3.dts")
        .with("vcpu-count = <2>;", "vcpu-count = <8>;")
        .with("<0 1>", ALL_CORES);
    Scenario {
        vm: one,
        vms: vec![
            vm("vm-two", Manifest::plain("vms-2.dts"), PLAIN),
            vm("vm-three", three, PLAIN),
        ],
        timeout: Duration::from_secs(400),
        clock: Clock::Instructions,
        ..super::interrupts::interrupts(
            "vms-8",
            "three VMs on eight cores: power, interrupts of both worlds, ends of VMs",
            Bl33::Vm(payload("client-vms-8")),
        )
    }
}

/// The boot of `bench`: VM 2 is the one that is called.
pub fn bench() -> Scenario {
    let mut vms = others_of(8);
    for vm in &mut vms {
        if vm.name == "vm-two" {
            vm.binary = payload("vm-echo");
        }
    }
    Scenario {
        vm: Manifest::plain("vms-1.dts"),
        vms,
        ..boot(
            "bench-vms",
            "cost with eight VMs",
            Bl33::Vm(payload("client-bench-vms")),
        )
    }
}

/// The VMs beside the first, of this many in all. Those behind the third are like it, each in its own place.
pub(super) fn others_of(count: u32) -> Vec<Vm> {
    const PEER: Peer = ("vm-peer", false);
    const NAMES: [&str; 6] = [
        "vm-four", "vm-five", "vm-six", "vm-seven", "vm-eight", "vm-nine",
    ];
    let mut others = vec![
        vm("vm-two", Manifest::plain("vms-2.dts"), PEER),
        vm("vm-three", Manifest::plain("vms-3.dts"), PEER),
    ];
    for (number, name) in (4..=count).zip(NAMES) {
        let manifest = Manifest::plain("vms-3.dts")
            .with("id = <3>;", format!("id = <{number}>;"))
            .with("\"vm-three\"", format!("\"{name}\""))
            .with(
                "<0x0 0x52000000>",
                format!("<0x0 {:#x}>", 0x4f00_0000 + number * 0x0100_0000),
            )
            .with("0x00000003>;", format!("{number:#010x}>;"));
        others.push(vm(name, manifest, PEER));
    }
    others
}
