//! The boots of the suites `notifications` and `indirect`: the partitions and VMs of the suite `memory`, of which some
//! receive notifications and send indirect messages. Who does stands in `sp-test/src/client/notifications` too.

use super::{Bl33, Manifest, Scenario, memory};
use crate::firmware::payload;

/// The partition with a context for each core.
const MANY: &str = "sp13";
/// Who has neither: one is of 1.0, the other wants none.
const WITHOUT: [&str; 2] = ["sp10", "stops"];
/// Sends and receives direct requests, by all partitions' manifests.
const DIRECT: &str = "messaging-method = <0x3>;";
/// The same and indirect messages.
const INDIRECT: &str = "messaging-method = <0x7>;";

/// All of them.
pub fn all() -> Vec<Scenario> {
    vec![
        boot(
            "notifications-direct",
            "notifications of NS-EL2 and of partitions",
            Bl33::Direct(payload("client-notifications")),
        ),
        boot(
            "notifications-direct-11",
            "the same with FF-A 1.1 in the normal world",
            Bl33::Direct(payload("client-notifications-11")),
        ),
        vms(boot(
            "notifications-vm",
            "the same of VMs, and between them",
            Bl33::Vm(payload("client-notifications-13")),
        )),
        boot(
            "indirect-direct",
            "indirect messages of NS-EL2 and of partitions",
            Bl33::Direct(payload("client-indirect")),
        ),
        boot(
            "indirect-direct-11",
            "the same with FF-A 1.1 in the normal world",
            Bl33::Direct(payload("client-indirect-11")),
        ),
        vms(boot(
            "indirect-vm",
            "the same of VMs, and between them",
            Bl33::Vm(payload("client-indirect-13")),
        )),
    ]
}

fn boot(name: &'static str, about: &'static str, bl33: Bl33) -> Scenario {
    let indirect = name.starts_with("indirect");
    let mut nodes = memory::nodes();
    for node in &mut nodes {
        if node.name == MANY {
            node.contexts = 8;
        }
    }
    let mut scenario = memory::parties(name, about, bl33, &nodes);
    for partition in &mut scenario.partitions {
        if !nodes.iter().any(|node| node.name == partition.name)
            || WITHOUT.contains(&partition.name)
        {
            continue;
        }
        let manifest = partition.manifest.clone();
        let manifest = match partition.name == MANY {
            true => manifest.made("execution-ctx-count = <1>;", "execution-ctx-count = <8>;"),
            false => manifest,
        };
        let methods = if indirect { INDIRECT } else { DIRECT };
        partition.manifest = manifest.with(DIRECT, format!("{methods}\n\tnotification-support;"));
    }
    scenario
}

/// With VMs. The last one, which is of 1.0, has neither.
fn vms(scenario: Scenario) -> Scenario {
    let mut scenario = memory::with_vms(scenario);
    let indirect = scenario.name.starts_with("indirect");
    if indirect {
        scenario.vm = scenario.vm.with(
            "memory-size = <0x0 0x00800000>;",
            "memory-size = <0x0 0x00800000>;\n\t/* Sends requests and indirect messages. */\n\tmessaging-method = <0x406>;",
        );
    }
    if let Some(two) = scenario.vms.first_mut() {
        let manifest: Manifest = two.manifest.clone();
        two.manifest = manifest.with(
            "messaging-method = <0x603>;",
            match indirect {
                true => "messaging-method = <0x607>;\n\tnotification-support;",
                false => "messaging-method = <0x603>;\n\tnotification-support;",
            },
        );
    }
    scenario
}
