//! The boots of the suite `lifecycle`: partitions that die, with each thing that a manifest can say about
//! that. The ids follow from the order here, which is that of `sp-test/src/life`.

use super::{
    Bl33, Finish, Layout, Partition, Scenario, Text, boot,
    many::{Node, manifest_of, spmc_with},
};
use crate::{
    console::Stream,
    firmware::{Binary, payload},
};
use std::time::Duration;

/// What a manifest says about its partition's end, as lines to add.
#[derive(Clone, Copy, Debug)]
enum Action {
    None,
    Only,
    Stop,
    Destroy,
    Restart,
    Propagate,
}

impl Action {
    const fn properties(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Only => Some("\n\tlifecycle-support;"),
            Self::Stop => Some("\n\tlifecycle-support;\n\tabort-action = <0>;"),
            Self::Destroy => Some("\n\tlifecycle-support;\n\tabort-action = <1>;"),
            Self::Restart => Some("\n\tlifecycle-support;\n\tabort-action = <2>;"),
            Self::Propagate => Some("\n\tlifecycle-support;\n\tabort-action = <3>;"),
        }
    }
}

/// A partition of these boots: its name, image, and what its manifest says.
type Life = (&'static str, Binary, Action);

const LIFE: Binary = payload("sp-life");
const ERROR: Binary = payload("sp-life-error");
const ABORT: Binary = payload("sp-life-abort");

/// Those of the whole suite.
const ALL: [Life; 13] = [
    ("none-a", LIFE, Action::None),
    ("none-b", LIFE, Action::None),
    ("only-a", LIFE, Action::Only),
    ("only-b", LIFE, Action::Only),
    ("stop-a", LIFE, Action::Stop),
    ("stop-b", LIFE, Action::Stop),
    ("stop-c", LIFE, Action::Stop),
    ("destroy-a", LIFE, Action::Destroy),
    ("destroy-b", LIFE, Action::Destroy),
    ("destroy-c", LIFE, Action::Destroy),
    ("restart-a", LIFE, Action::Restart),
    ("restart-b", LIFE, Action::Restart),
    ("restart-c", LIFE, Action::Restart),
];

/// Those that fail at once, with this image.
const fn stillborn(binary: Binary) -> [Life; 5] {
    [
        ("none", binary, Action::None),
        ("only", binary, Action::Only),
        ("stop", binary, Action::Stop),
        ("destroy", binary, Action::Destroy),
        ("restart", binary, Action::Restart),
    ]
}

/// Bytes of memory of each.
const SIZE: u32 = 0x8_0000;

/// The last property of the manifest, and its end.
const LAST: &str = "gp-register-num = <0>;";
const END: &str = "\n};\n";

/// All of them.
pub fn all() -> Vec<Scenario> {
    let suite = payload("client-life");
    let init = payload("client-life-init");
    let propagate = payload("client-life-propagate");
    let mut all = vec![
        life(
            "lifecycle-vm",
            "the life of partitions, from a VM",
            Bl33::Vm(suite),
            &ALL,
        ),
        life(
            "lifecycle-direct",
            "the life of partitions, from NS-EL2",
            Bl33::Direct(suite),
            &ALL,
        ),
        life(
            "lifecycle-init-error",
            "initialisations that fail by FFA_ERROR",
            Bl33::Vm(init),
            &stillborn(ERROR),
        ),
        life(
            "lifecycle-init-abort",
            "initialisations that fail by FFA_ABORT",
            Bl33::Vm(init),
            &stillborn(ABORT),
        ),
    ];
    for (name, about, bl33) in [
        (
            "lifecycle-propagate",
            "a partition whose end is everybody's, from a VM",
            Bl33::Vm(propagate),
        ),
        (
            "lifecycle-propagate-direct",
            "a partition whose end is everybody's, from NS-EL2",
            Bl33::Direct(propagate),
        ),
    ] {
        let mut scenario = life(name, about, bl33, &[("propagate", LIFE, Action::Propagate)]);
        scenario.expect.push(propagated());
        all.push(scenario);
    }
    all.push(propagate_at_once());
    all.push(external_abort());
    all
}

/// The SPMC's word for it.
const fn propagated() -> Text {
    Text {
        stream: Stream::Secure,
        part: "propagate",
    }
}

/// The end of all comes before the normal world is there; nothing is wanted but that it is said why.
fn propagate_at_once() -> Scenario {
    Scenario {
        timeout: Duration::from_secs(20),
        expect: vec![propagated()],
        finish: Finish::Expected,
        ..life(
            "lifecycle-init-propagate",
            "an initialisation that fails and is everybody's end",
            Bl33::Direct(payload("client-run")),
            &[("unborn", ABORT, Action::Propagate)],
        )
    }
}

/// A device where nothing answers: QEMU's virt has nothing there, and says so with an external abort. Its partition
/// has RX/TX buffers from its manifest, in each of its lives.
fn external_abort() -> Scenario {
    let mut scenario = life(
        "lifecycle-external",
        "a device that the bus answers with an error, and buffers that the manifest fixes",
        Bl33::Vm(payload("client-life-external")),
        &[("hole", LIFE, Action::Restart)],
    );
    scenario.spmc = scenario.spmc.with(
        "\t/* The secure UART. */",
        "\tmemory@b000000 {\n\t\tdevice_type = \"device-memory\";\n\t\treg = <0x0 0x0b000000 0x0 0x1000>;\n\t};\n\n\t/* The secure UART. */",
    );
    // Else it would be no external abort of the bus: the SPMC says so of what it injects itself.
    scenario.forbid.push(Text {
        stream: Stream::Secure,
        part: "outside of its memory",
    });
    let regions = r#"

	device-regions {
		compatible = "arm,ffa-manifest-device-regions";

		hole {
			base-address = <0x0 0x0b000000>;
			pages-count = <1>;
			attributes = <3>;
		};
	};

	memory-regions {
		compatible = "arm,ffa-manifest-memory-regions";

		rx: rx {
			base-address = <0x0 0x0ef20000>;
			pages-count = <1>;
			attributes = <3>;
		};

		tx: tx {
			base-address = <0x0 0x0ef21000>;
			pages-count = <1>;
			attributes = <3>;
		};
	};

	rx_tx-info {
		compatible = "arm,ffa-manifest-rx_tx-buffer";
		rx-buffer = <&rx>;
		tx-buffer = <&tx>;
	};"#;
    if let Some(last) = scenario.partitions.last_mut() {
        last.manifest = last.manifest.clone().with(END, format!("{regions}{END}"));
    }
    scenario
}

/// A boot with `sp-keep` and these.
fn life(name: &'static str, about: &'static str, bl33: Bl33, lives: &[Life]) -> Scenario {
    let keep = ("keep", payload("sp-keep"), Action::None);
    let nodes: Vec<_> = (3..)
        .zip([&keep].into_iter().chain(lives))
        .map(|(number, (name, _, action))| {
            let node = Node {
                number,
                name,
                load_address: 0x0e50_0000 + (number - 3) * SIZE,
                mem_size: SIZE,
                contexts: 1,
            };
            (node, *action)
        })
        .collect();
    let partitions = nodes.iter().zip([&keep].into_iter().chain(lives)).map(
        |((node, action), (_, binary, _))| {
            let mut manifest = manifest_of("sp-life.dts", node);
            if let Some(properties) = action.properties() {
                manifest = manifest.with(LAST, format!("{LAST}{properties}"));
            }
            Partition {
                name: node.name,
                manifest,
                binary: *binary,
                layout: Layout::Spkg,
                header_changes: Vec::new(),
            }
        },
    );
    let mut scenario = Scenario {
        timeout: Duration::from_secs(60),
        ..boot(name, about, bl33)
    };
    scenario.partitions.extend(partitions);
    let nodes: Vec<_> = nodes.into_iter().map(|(node, _)| node).collect();
    scenario.spmc = spmc_with(&nodes);
    scenario
}
