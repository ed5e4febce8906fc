//! The boots, as data: which image runs where, with which manifests, and what must be seen.

mod bad;
mod contract;
mod discovery;
mod el0;
mod fvp;
mod interrupts;
mod lifecycle;
mod many;
mod memory;
mod storm;
mod vectors;
mod vms;

use crate::{
    board::{Board, Flow},
    console::Stream,
    firmware::{Binary, payload},
};
use std::{borrow::Cow, time::Duration};

/// What TF-A starts at NS-EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bl33 {
    /// The proxy, with this client as its VM.
    Vm(Binary),
    /// This client itself.
    Direct(Binary),
}

/// A change of a text, as it is for QEMU's `virt`: `.0` must be there exactly once and becomes `.1`.
pub type Edit = (Cow<'static, str>, Cow<'static, str>);

/// A manifest: a source file, for QEMU's `virt`, and changes to its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The file's name.
    pub file: &'static str,
    /// What makes of the file, which many share, this one's: BL2 goes by it too.
    pub base: Vec<Edit>,
    /// Changes that BL2 knows nothing of.
    pub edits: Vec<Edit>,
}

impl Manifest {
    /// The file as it is.
    pub const fn plain(file: &'static str) -> Self {
        Self {
            file,
            base: Vec::new(),
            edits: Vec::new(),
        }
    }

    /// One more change that makes this manifest of a shared file.
    #[must_use]
    pub fn made(
        mut self,
        from: impl Into<Cow<'static, str>>,
        to: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.base.push((from.into(), to.into()));
        self
    }

    /// One more change.
    #[must_use]
    pub fn with(
        mut self,
        from: impl Into<Cow<'static, str>>,
        to: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.edits.push((from.into(), to.into()));
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
    /// The layout of its package.
    pub layout: Layout,
    /// Words of the package's header that are overwritten: the offset in bytes, the value.
    pub header_changes: Vec<(usize, u32)>,
}

/// A VM beside the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vm {
    /// Its name in messages and file names.
    pub name: &'static str,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its image.
    pub binary: Binary,
    /// Words of the package's header that are overwritten: the offset in bytes, the value.
    pub header_changes: Vec<(usize, u32)>,
}

/// How a partition is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// TF-A's own.
    #[default]
    Spkg,
    /// A transfer list.
    List,
    /// A transfer list with a HOB list.
    ListWithHobs,
}

/// A text that must or must not be seen. Its addresses are those of QEMU's `virt`.
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
    /// TF-A shows its banner, the client prints `@end`, and it powers off.
    EndAndPowerOff,
    /// As soon as every expected text was seen.
    Expected,
}

/// What the machine's clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The host's time. Each of the machine's CPUs has a thread of the host's.
    Host,
    /// Instructions of the machine: a busy host changes nothing of what its timers meet. The CPUs take
    /// turns on one thread.
    Instructions,
}

impl Clock {
    /// What QEMU is told.
    pub const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Host => &[],
            // 64 ns for each instruction; nobody waits for a time when all CPUs wait.
            Self::Instructions => &["-icount", "shift=6,sleep=off"],
        }
    }
}

/// One boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub about: &'static str,
    /// The board on which alone it makes sense, if not on every one.
    pub only: Option<&'static str>,
    /// How it is booted.
    pub flow: Flow,
    /// What runs at NS-EL2.
    pub bl33: Bl33,
    /// The SPMC's manifest.
    pub spmc: Manifest,
    /// The first VM's manifest.
    pub vm: Manifest,
    /// The VMs beside the first, in the order of their packages.
    pub vms: Vec<Vm>,
    /// The partitions, in the order BL2 loads them.
    pub partitions: Vec<Partition>,
    /// It has failed after this long.
    pub timeout: Duration,
    /// What its clock counts.
    pub clock: Clock,
    /// MiB of the machine's memory, if not what the board has.
    pub memory: Option<u32>,
    /// What must be seen.
    pub expect: Vec<Text>,
    /// What must not be seen.
    pub forbid: Vec<Text>,
    /// When it is over.
    pub finish: Finish,
}

/// The suites that are several boots: all whose names begin so.
pub const GROUPS: [&str; 12] = [
    "contract",
    "discovery",
    "bad",
    "lifecycle",
    "many",
    "vms",
    "interrupts",
    "cores",
    "storm",
    "vectors",
    "el0",
    "memory",
];

/// The suite of a few boots that show whether a board works at all, as far as it has them.
pub const SMOKE_SUITE: &str = "smoke";
const SMOKE: [&str; 7] = [
    "fvp-bl1",
    "fvp-preloaded",
    "direct",
    "tzc",
    "logical-partition",
    "bad-device-of-the-spmc",
    "lifecycle-external",
];

impl Scenario {
    /// QEMU's arguments beside the board's.
    pub fn arguments(&self) -> Vec<String> {
        let memory = self.memory.map(|mib| ["-m".to_owned(), mib.to_string()]);
        let clock = self.clock.arguments().iter().map(|text| (*text).to_owned());
        clock.chain(memory.into_iter().flatten()).collect()
    }

    /// Whether it can be booted on a board.
    pub fn is_for(&self, board: &Board) -> bool {
        self.only.is_none_or(|only| only == board.name) && board.flow(self.flow).is_some()
    }

    /// Whether it belongs to the suite of this name: its own, or a group's.
    pub fn is_of(&self, suite: &str) -> bool {
        let of_group = |group: &&str| {
            *group == suite
                && self
                    .name
                    .strip_prefix(*group)
                    .is_some_and(|rest| rest.starts_with('-'))
        };
        self.name == suite
            || GROUPS.iter().any(of_group)
            || (suite == SMOKE_SUITE && SMOKE.contains(&self.name))
    }
}

/// The partition that answers.
pub fn echo() -> Partition {
    Partition {
        name: "echo",
        manifest: Manifest::plain("sp-echo.dts"),
        binary: payload("sp-echo"),
        layout: Layout::Spkg,
        header_changes: Vec::new(),
    }
}

/// The partition that passes on.
pub fn relay() -> Partition {
    Partition {
        name: "relay",
        manifest: Manifest::plain("sp-relay.dts"),
        binary: payload("sp-relay"),
        layout: Layout::Spkg,
        header_changes: Vec::new(),
    }
}

/// A boot with both partitions and good manifests that ends with `@end` and a power-off.
pub fn boot(name: &'static str, about: &'static str, bl33: Bl33) -> Scenario {
    Scenario {
        name,
        about,
        only: None,
        flow: Flow::default(),
        bl33,
        spmc: Manifest::plain("spmc.dts"),
        vm: Manifest::plain("vm.dts"),
        vms: Vec::new(),
        partitions: vec![echo(), relay()],
        timeout: Duration::from_secs(60),
        clock: Clock::Host,
        memory: None,
        expect: Vec::new(),
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

/// The boots of `bench`, the one that is timed from power-on first.
pub fn bench() -> Vec<Scenario> {
    let mut boots = vec![
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
        let echo = boot.partitions.iter_mut().find(|one| one.name == "echo");
        if let Some(echo) = echo {
            let notified = "gp-register-num = <0>;\n\tnotification-support;";
            echo.manifest = echo
                .manifest
                .clone()
                .with("gp-register-num = <0>;", notified);
        }
    }
    boots.push(memory_bench());
    boots.extend(many::bench());
    boots.push(vms::bench());
    boots.push(storm::bench());
    boots.extend(el0::bench());
    for boot in &mut boots {
        boot.timeout = Duration::from_secs(120);
    }
    boots
}

/// What memory transactions cost.
fn memory_bench() -> Scenario {
    let bl33 = Bl33::Direct(payload("client-bench-memory"));
    let mut scenario = boot("bench-memory", "cost of memory transactions", bl33);
    give_block(&mut scenario);
    scenario
}

/// A block is split and joined while other cores use it.
fn memory_storm() -> Scenario {
    let bl33 = Bl33::Direct(payload("client-memory-storm"));
    let about = "a partition lends a page of a block that it uses on other cores";
    let mut scenario = boot("memory-storm", about, bl33);
    give_block(&mut scenario);
    scenario.timeout = Duration::from_secs(240);
    scenario.expect.push(Text {
        stream: Stream::Secure,
        part: "faults met a change of stage 2: tried again",
    });
    scenario
}

/// Gives `sp-relay` 2 MiB of the normal world's memory in one block.
fn give_block(scenario: &mut Scenario) {
    let region = "gp-register-num = <0>;\n\tmemory-regions {\n\t\tcompatible = \"arm,ffa-manifest-memory-regions\";\n\t\tblock {\n\t\t\tbase-address = <0x0 0x70200000>;\n\t\t\tpages-count = <512>;\n\t\t\tattributes = <0xb>;\n\t\t};\n\t};";
    for partition in &mut scenario.partitions {
        if partition.name == "relay" {
            let manifest = partition.manifest.clone();
            partition.manifest = manifest.with("gp-register-num = <0>;", region);
        }
    }
}

/// The boots of `test` on a board.
pub fn tests(board: &Board) -> Vec<Scenario> {
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
        memory_storm(),
    ];
    tests.extend(contract::all());
    tests.extend(discovery::all());
    tests.extend(bad::all());
    tests.extend(many::tests());
    tests.extend(lifecycle::all());
    tests.extend(el0::all());
    tests.extend(vms::all());
    tests.extend(vectors::all());
    tests.extend(interrupts::all());
    tests.push(vms::eight_cores());
    tests.extend(storm::all());
    tests.extend(memory::all());
    tests.extend(fvp::all());
    tests.retain(|test| test.is_for(board));
    tests
}

/// Every boot of a board by name.
pub fn all(board: &Board) -> Vec<Scenario> {
    let mut all = vec![run(), record()];
    all.extend(tests(board));
    all.extend(bench());
    all
}

#[cfg(test)]
mod tests;
