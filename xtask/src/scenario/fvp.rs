//! Boots that only the FVP's memory map has: both ways of booting, what its memory controller refuses, and a
//! partition in EL3.

use super::{Bl33, Scenario, Text, boot};
use crate::{
    board::{FVP_BASE_REVC, Flow},
    console::Stream,
    firmware::payload,
};

/// The conversation of `run`.
const TALK: Bl33 = Bl33::Vm(payload("client-run"));

/// All of them.
pub fn all() -> Vec<Scenario> {
    vec![from_flash(), preloaded(), memory(), logical_partition()]
}

/// The conversation of `run`, from BL1 on.
fn from_flash() -> Scenario {
    let mut scenario = only(
        "fvp-bl1",
        "BL1 from the trusted ROM, BL2 and the rest from flash",
        Flow::Bl1,
        TALK,
    );
    scenario.expect = ["BL1: v2.", "BL2: v2."]
        .map(|part| Text {
            stream: Stream::Normal,
            part,
        })
        .into();
    scenario
}

/// The same conversation, with everything in memory before the cores start.
fn preloaded() -> Scenario {
    only(
        "fvp-preloaded",
        "BL31 at reset, everything else in memory",
        Flow::Preloaded,
        TALK,
    )
}

/// Secure memory, touched from NS-EL2.
fn memory() -> Scenario {
    only(
        "tzc",
        "the normal world touches secure memory",
        Flow::Bl1,
        Bl33::Direct(payload("client-tzc")),
    )
}

/// A partition that EL3 has itself.
fn logical_partition() -> Scenario {
    let mut scenario = only(
        "logical-partition",
        "partitions are told of a logical partition in EL3",
        Flow::LogicalPartition,
        Bl33::Direct(payload("client-logical")),
    );
    scenario.expect = vec![Text {
        stream: Stream::Normal,
        part: "FVP SPMD LSP: Init function called.",
    }];
    scenario
}

fn only(name: &'static str, about: &'static str, flow: Flow, bl33: Bl33) -> Scenario {
    Scenario {
        only: Some(FVP_BASE_REVC.name),
        flow,
        ..boot(name, about, bl33)
    }
}
