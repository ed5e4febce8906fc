//! The boots, as data: which image runs where, with which manifests, and what must be seen.

mod bad;
mod contract;

use crate::{
    console::Stream,
    firmware::{Binary, payload},
};
use std::time::Duration;

/// The only board so far.
pub const BOARD: &str = "qemu-virt";

/// TF-A's word for PSCI SYSTEM_OFF.
pub const POWER_OFF: &str = "System Power off";

/// What TF-A starts at NS-EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bl33 {
    /// The proxy, with this client as its VM.
    Vm(Binary),
    /// This client itself.
    Direct(Binary),
}

/// A manifest: a source file of the board and changes to its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The file's name.
    pub file: &'static str,
    /// Changes: each `.0` must be there exactly once and becomes `.1`.
    pub edits: Vec<(&'static str, &'static str)>,
}

impl Manifest {
    /// The file as it is.
    pub const fn plain(file: &'static str) -> Self {
        Self {
            file,
            edits: Vec::new(),
        }
    }

    /// One more change.
    #[must_use]
    pub fn with(mut self, from: &'static str, to: &'static str) -> Self {
        self.edits.push((from, to));
        self
    }
}

/// A secure partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name in messages and file names.
    pub name: &'static str,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its image.
    pub binary: Binary,
    /// Words of the package's header that are overwritten: the offset in bytes, the value.
    pub header_changes: Vec<(usize, u32)>,
}

/// A text that must or must not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// On which UART.
    pub stream: Stream,
    /// A part of a line.
    pub part: &'static str,
}

/// When a boot is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The client prints `@end` and powers off.
    EndAndPowerOff,
    /// As soon as every expected text was seen.
    Expected,
}

/// One boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub about: &'static str,
    /// What runs at NS-EL2.
    pub bl33: Bl33,
    /// The SPMC's manifest.
    pub spmc: Manifest,
    /// The VM's manifest.
    pub vm: Manifest,
    /// The partitions, in the order BL2 loads them.
    pub partitions: Vec<Partition>,
    /// It has failed after this long.
    pub timeout: Duration,
    /// What must be seen.
    pub expect: Vec<Text>,
    /// What must not be seen.
    pub forbid: Vec<Text>,
    /// When it is over.
    pub finish: Finish,
}

/// The suites that are several boots: all whose names begin so.
pub const GROUPS: [&str; 2] = ["contract", "bad"];

impl Scenario {
    /// Whether it belongs to the suite of this name: its own, or a group's.
    pub fn is_of(&self, suite: &str) -> bool {
        let of_group = |group: &&str| {
            *group == suite
                && self
                    .name
                    .strip_prefix(*group)
                    .is_some_and(|rest| rest.starts_with('-'))
        };
        self.name == suite || GROUPS.iter().any(of_group)
    }
}

/// The partition that answers.
pub fn echo() -> Partition {
    Partition {
        name: "echo",
        manifest: Manifest::plain("sp-echo.dts"),
        binary: payload("sp-echo"),
        header_changes: Vec::new(),
    }
}

/// The partition that passes on.
pub fn relay() -> Partition {
    Partition {
        name: "relay",
        manifest: Manifest::plain("sp-relay.dts"),
        binary: payload("sp-relay"),
        header_changes: Vec::new(),
    }
}

/// A boot with both partitions and good manifests that ends with `@end` and a power-off.
pub fn boot(name: &'static str, about: &'static str, bl33: Bl33) -> Scenario {
    Scenario {
        name,
        about,
        bl33,
        spmc: Manifest::plain("spmc.dts"),
        vm: Manifest::plain("vm.dts"),
        partitions: vec![echo(), relay()],
        timeout: Duration::from_secs(60),
        expect: vec![
            Text {
                stream: Stream::Normal,
                part: "BL31: v2.",
            },
            // The client ended the machine, nothing else did.
            Text {
                stream: Stream::Normal,
                part: POWER_OFF,
            },
        ],
        forbid: vec![
            Text {
                stream: Stream::Normal,
                part: "panic",
            },
            Text {
                stream: Stream::Secure,
                part: "panic",
            },
        ],
        finish: Finish::EndAndPowerOff,
    }
}

/// The conversation that `run` shows.
pub fn run() -> Scenario {
    boot("run", "the conversation", Bl33::Vm(payload("client-run")))
}

/// One call of each kind, for `trace` to record what crosses EL3.
pub fn record() -> Scenario {
    boot(
        "record",
        "one call of each kind from NS-EL2",
        Bl33::Direct(payload("client-record")),
    )
}

/// The boots of `bench`.
pub fn bench() -> [Scenario; 2] {
    let mut boots = [
        boot(
            "bench-vm",
            "cost from a VM behind the proxy",
            Bl33::Vm(payload("client-bench")),
        ),
        boot(
            "bench-direct",
            "cost from NS-EL2 directly",
            Bl33::Direct(payload("client-bench")),
        ),
    ];
    for boot in &mut boots {
        boot.timeout = Duration::from_secs(120);
    }
    boots
}

/// The boots of `test`.
pub fn tests() -> Vec<Scenario> {
    let mut tests = vec![
        boot(
            "vm",
            "the suite from a VM behind the proxy",
            Bl33::Vm(payload("client-test")),
        ),
        boot(
            "direct",
            "the suite from NS-EL2 directly",
            Bl33::Direct(payload("client-test")),
        ),
    ];
    tests.extend(contract::all());
    tests.extend(bad::all());
    tests
}

/// Every boot by name.
pub fn all() -> Vec<Scenario> {
    let mut all = vec![run(), record()];
    all.extend(tests());
    all.extend(bench());
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assemble, paths};
    use std::collections::HashSet;

    #[test]
    fn names_are_unique() {
        let all = all();
        let names: HashSet<_> = all.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn every_change_of_a_manifest_fits_its_file() {
        for scenario in all() {
            let manifests = scenario
                .partitions
                .iter()
                .map(|partition| &partition.manifest);
            for manifest in manifests.chain([&scenario.spmc, &scenario.vm]) {
                let text = assemble::manifest_text(&paths::board(BOARD), manifest);
                assert!(text.is_ok(), "{}: {text:?}", scenario.name);
            }
        }
    }
}
