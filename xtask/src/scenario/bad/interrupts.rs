//! Mistakes in what a partition says about interrupts: those of its devices, and what interrupts do to it.

use super::{bad, refused, with_second};
use crate::scenario::{Scenario, relay};

/// The last property of a partition's manifest: nodes may follow it.
const LAST: &str = "gp-register-num = <0>;";
const ACTION: &str = "ns-interrupts-action = <2>;";

/// Name, what is wrong, the properties of the device about interrupts, what must be said about it.
const DEVICES: [[&str; 4]; 6] = [
    [
        "bad-interrupt-of-the-spmc",
        "a device's interrupt is the SPMC's own timer",
        "interrupts = <20 0x700>;",
        "property interrupts: found 0x14, already taken by the SPMC, the firmware or the normal world",
    ],
    [
        "bad-interrupt-id",
        "a device's interrupt is none",
        "interrupts = <1020 0xb01>;",
        "property interrupts: found 0x3fc, wanted an INTID of 16 to 31",
    ],
    [
        "bad-interrupt-board",
        "a device's interrupt is beyond what the board has",
        "interrupts = <1019 0xb01>;",
        "property interrupts: found 0x3fb, wanted 0x20-",
    ],
    [
        "bad-interrupt-world",
        "a device's interrupt is the normal world's",
        "interrupts = <100 0xa01>;",
        "property interrupts: found 0xa01, wanted attributes with bit 8 (secure)",
    ],
    [
        "bad-interrupt-list",
        "the list of a device's interrupts ends in the middle",
        "interrupts = <100 0xb01 101>;",
        "property interrupts: found 12 bytes",
    ],
    [
        "bad-interrupt-target",
        "a device's interrupt goes to a core that there is not",
        "interrupts = <100 0xb01>;\n\t\t\tinterrupts-target = <100 0 8>;",
        "property interrupts-target: found 0x8, wanted the MPIDR of a core",
    ],
];

/// The same about the partition's own properties.
const ACTIONS: [[&str; 4]; 5] = [
    [
        "bad-ns-action",
        "an action for the normal world's interrupts that there is not",
        "ns-interrupts-action = <3>;",
        "property ns-interrupts-action: found 0x3",
    ],
    [
        "bad-managed-exit",
        "a managed exit and interrupts that are signalled",
        "ns-interrupts-action = <2>;\n\tmanaged-exit;",
        "property ns-interrupts-action: found 0x2, wanted 1 (managed exit)",
    ],
    [
        "bad-other-s-action",
        "secure interrupts are queued and the normal world's are not",
        "ns-interrupts-action = <2>;\n\tother-s-interrupts-action = <0>;",
        "property other-s-interrupts-action: found 0x0",
    ],
    [
        "bad-sri-policy",
        "a policy for secure interrupts that there is not",
        "ns-interrupts-action = <2>;\n\tsri-interrupts-policy = <4>;",
        "property sri-interrupts-policy: found 0x4",
    ],
    [
        "bad-power-messages",
        "power messages that there are not",
        "ns-interrupts-action = <2>;\n\tpower-management-messages = <0x10>;",
        "property power-management-messages: found 0x10",
    ],
];

/// All of them.
pub(super) fn all() -> Vec<Scenario> {
    let devices = DEVICES.map(|[name, about, interrupts, says]| {
        let mut second = relay();
        second.manifest = second.manifest.with(LAST, device(interrupts));
        with_second(second, bad(name, about, &refused(says)))
    });
    let actions = ACTIONS.map(|[name, about, to, says]| {
        let mut second = relay();
        second.manifest = second.manifest.with(ACTION, to);
        with_second(second, bad(name, about, &refused(says)))
    });
    let mut all = vec![collision()];
    all.extend(devices);
    all.extend(actions);
    all
}

/// Both partitions have a device with the same interrupt: the first one keeps it.
fn collision() -> Scenario {
    let interrupts = "interrupts = <100 0xb01>;";
    let mut second = relay();
    second.manifest = second.manifest.with(LAST, device(interrupts));
    let says = "property interrupts: found 0x64, already taken by partition \"echo\"";
    let scenario = bad(
        "bad-interrupt-of-another",
        "a device's interrupt is another partition's",
        &refused(says),
    );
    let mut scenario = with_second(second, scenario);
    if let Some(first) = scenario.partitions.first_mut() {
        first.manifest = first.manifest.clone().with(LAST, device(interrupts));
    }
    scenario
}

/// A device in what the SPMC's manifest calls memory of the normal world, where devices may be: a part that no VM
/// has.
fn device(interrupts: &str) -> String {
    format!(
        "{LAST}\n\tdevice-regions {{\n\t\tcompatible = \"arm,ffa-manifest-device-regions\";\n\t\tdevice {{\n\t\t\t\
         base-address = <0x0 0x7f000000>;\n\t\t\tpages-count = <1>;\n\t\t\tattributes = <0xb>;\n\t\t\t{interrupts}\n\
         \t\t}};\n\t}};"
    )
}
