//! Mistakes in the manifests of several VMs, and in their packages: none of the VMs starts.

use super::bad;
use crate::{
    console::Stream,
    scenario::{Manifest, Scenario, Text, vms},
};

/// One mistake.
struct Mistake {
    name: &'static str,
    about: &'static str,
    /// In which VM's manifest, 1 to 3.
    vm: usize,
    /// What is changed there.
    from: &'static str,
    /// To what.
    to: &'static str,
    /// What must be said.
    says: &'static str,
}

const MISTAKES: [Mistake; 13] = [
    Mistake {
        name: "bad-vms-id",
        about: "two VMs have one id",
        vm: 3,
        from: "id = <3>;",
        to: "id = <2>;",
        says: "proxy stopped: VM 2 \"vm-three\": node /: property id: found 0x2, already taken by VM 2 \"vm-two\"",
    },
    Mistake {
        name: "bad-vms-overlap",
        about: "a VM's memory begins in another's",
        vm: 3,
        from: "load-address = <0x0 0x52000000>;",
        to: "load-address = <0x0 0x517ff000>;",
        says: "proxy stopped: VM 3 \"vm-three\": node /: property load-address: 0x517ff000-0x51ffefff overlaps the memory of VM 2 \"vm-two\", 0x51000000-0x517fffff",
    },
    Mistake {
        name: "bad-vms-primaries",
        about: "two VMs are the primary",
        vm: 2,
        from: "messaging-method = <0x603>;",
        to: "messaging-method = <0x402>;\n\tprimary;",
        says: "proxy stopped: VM 2 \"vm-two\": node /: property primary: found a second primary, wanted one: VM 1 \"client\" is it",
    },
    Mistake {
        name: "bad-vms-primary-receives",
        about: "the primary receives direct messages",
        vm: 1,
        from: "messaging-method = <0x402>;",
        to: "messaging-method = <0x603>;",
        says: "proxy stopped: VM 1 \"client\": node /: property messaging-method: found 0x603, wanted bits 0 and 9 (receive) clear for the primary: it is never in FFA_MSG_WAIT",
    },
    Mistake {
        name: "bad-vms-core",
        about: "a vCPU is pinned to a core on which the primary has none",
        vm: 3,
        from: "vcpu-cores = <0 1>;",
        to: "vcpu-cores = <0 5>;",
        says: "proxy stopped: VM 3 \"vm-three\": node /: property vcpu-cores: found 0x5, wanted a core on which VM 1 \"client\", the primary, has a vCPU",
    },
    Mistake {
        name: "bad-vms-no-core",
        about: "a vCPU is pinned to a core that there is not",
        vm: 1,
        from: "vcpu-cores = <0 1 2 3>;",
        to: "vcpu-cores = <0 1 2 8>;",
        says: "proxy stopped: VM 1 \"client\": node /: property vcpu-cores: found 0x8, wanted a core of this machine, below 8",
    },
    Mistake {
        name: "bad-vms-vcpus",
        about: "a VM has nine vCPUs",
        vm: 2,
        from: "vcpu-count = <1>;",
        to: "vcpu-count = <9>;",
        says: "proxy stopped: VM 2 \"vm-two\": node /: property vcpu-count: found 0x9, wanted 1 to 8",
    },
    Mistake {
        name: "bad-vms-version",
        about: "a VM wants an FF-A version that is not there",
        vm: 2,
        from: "ffa-version = <0x00010003>;",
        to: "ffa-version = <0x00020000>;",
        says: "proxy stopped: VM 2 \"vm-two\": node /: property ffa-version: found 0x20000, wanted 0x10000 to 0x10003",
    },
    Mistake {
        name: "bad-vms-method",
        about: "a VM exchanges messages in a way that there is not",
        vm: 2,
        from: "messaging-method = <0x603>;",
        to: "messaging-method = <0x60b>;",
        says: "proxy stopped: VM 2 \"vm-two\": node /: property messaging-method: found 0x60b, wanted at least one of bits 0, 1, 2, 9 and 10, and no other",
    },
    Mistake {
        name: "bad-vms-unknown",
        about: "a property that the format does not have",
        vm: 3,
        from: "vcpu-cores = <0 1>;",
        to: "vcpu-core = <0 1>;",
        says: "proxy stopped: VM 3 \"vm-three\": node /: found property \"vcpu-core\", wanted none that the format does not have",
    },
    Mistake {
        name: "bad-vms-device",
        about: "a VM's device is the proxy's UART",
        vm: 2,
        from: "messaging-method = <0x603>;",
        to: "messaging-method = <0x603>;\n\tdevice-regions {\n\t\tcompatible = \"arm,ffa-manifest-device-regions\";\n\t\tuart {\n\t\t\tbase-address = <0x0 0x09000000>;\n\t\t\tpages-count = <1>;\n\t\t\tattributes = <3>;\n\t\t};\n\t};",
        says: "proxy stopped: VM 2 \"vm-two\": node /device-regions/uart: property base-address: found 0x9000000-0x9000fff, wanted a device of the normal world",
    },
    Mistake {
        name: "bad-vms-time-slice",
        about: "a VM that is not the primary has a time slice",
        vm: 3,
        from: "messaging-method = <0x603>;",
        to: "messaging-method = <0x603>;\n\ttime-slice-us = <10000>;",
        says: "proxy stopped: VM 3 \"vm-three\": node /: property time-slice-us: found 4 bytes, wanted nothing for a VM that is not the primary: the cores' time is the primary's",
    },
    Mistake {
        name: "bad-vms-image",
        about: "a VM's image is larger than its memory",
        vm: 3,
        from: "memory-size = <0x0 0x00800000>;",
        to: "memory-size = <0x0 0x1000>;",
        says: "wanted at most its memory of 0x1000",
    },
];

/// All of them.
pub(super) fn all() -> Vec<Scenario> {
    let mut all: Vec<_> = MISTAKES.iter().map(boot).collect();
    all.push(package_without_magic());
    all.push(Scenario {
        vm: Manifest::plain("vms-1.dts"),
        vms: vms::others_of(9),
        ..bad(
            "bad-vms-nine",
            "there are nine VMs",
            &[says("proxy stopped: more than 8 packages of VMs")],
        )
    });
    all
}

/// What stands behind a package is another or zeros: a damaged one is not the end of the list.
fn package_without_magic() -> Scenario {
    let mut scenario = Scenario {
        vm: Manifest::plain("vms-1.dts"),
        vms: vms::others_of(3),
        ..bad(
            "bad-vms-magic",
            "a VM's package is none",
            &[
                says("proxy stopped: package of a VM at 0x"),
                says(": found magic [4c, 4f, 4f, 4b]"),
            ],
        )
    };
    scenario.vms[1].header_changes.push((0, 0x4b4f_4f4c));
    scenario
}

fn boot(mistake: &Mistake) -> Scenario {
    let mut scenario = Scenario {
        vm: Manifest::plain("vms-1.dts"),
        vms: vms::others_of(3),
        ..bad(mistake.name, mistake.about, &[says(mistake.says)])
    };
    let manifest = match mistake.vm {
        1 => &mut scenario.vm,
        other => &mut scenario.vms[other - 2].manifest,
    };
    *manifest = manifest.clone().with(mistake.from, mistake.to);
    scenario
}

fn says(part: &'static str) -> Text {
    Text {
        stream: Stream::Normal,
        part,
    }
}
