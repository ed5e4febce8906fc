//! The boots in which all cores send messages while they go off and on, and while everything interrupts. The partitions
//! are those of the suite `interrupts`, with another program; which has which device is different.

use super::{
    Bl33, Clock, Scenario,
    interrupts::{ALL, Rules, boot_of},
};
use crate::firmware::payload;
use std::time::Duration;

/// All of them.
pub fn all() -> Vec<Scenario> {
    vec![
        storm(
            "cores-8",
            "seven cores go off and on 100 times while messages flow",
            "client-cores",
            Clock::Host,
        ),
        storm(
            "storm-8",
            "eight cores, everything at random moments, for a minute",
            "client-storm",
            Clock::Host,
        ),
        storm(
            "storm-8-turns",
            "the same, shorter, while the cores take turns",
            "client-storm-turns",
            Clock::Instructions,
        ),
    ]
}

/// The boot of `bench`.
pub fn bench() -> Scenario {
    storm(
        "bench-cores",
        "cost of a secure interrupt, and with eight cores",
        "client-bench-cores",
        Clock::Instructions,
    )
}

fn storm(name: &'static str, about: &'static str, client: &'static str, clock: Clock) -> Scenario {
    Scenario {
        timeout: Duration::from_secs(300),
        clock,
        ..boot_of(
            name,
            about,
            Bl33::Direct(payload(client)),
            payload("sp-storm"),
            rules(),
        )
    }
}

/// The partition with a single context has the device that the normal world reaches.
fn rules() -> [Rules; 8] {
    let mut rules = ALL;
    rules[0].device = Some(("secure", "<0x17 0x520>"));
    rules[1].device = Some(("shared", "<0x27 0xb20>"));
    rules
}
