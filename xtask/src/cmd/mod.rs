//! The commands, one file each.

pub mod bench;
pub mod boot;
pub mod doctor;
pub mod fvp;
pub mod qemu_fvp;
pub mod run;
pub mod test;
pub mod trace;

use crate::{board::Flow, console::Level, scenario::Scenario};
use clap::Args;
use std::collections::BTreeSet;

/// The ways of booting that some scenarios need.
fn flows(scenarios: &[Scenario]) -> BTreeSet<Flow> {
    scenarios.iter().map(|scenario| scenario.flow).collect()
}

/// Arguments that choose the log's levels.
#[derive(Args, Debug)]
pub struct LogArguments {
    /// Hide log records below this level: trace, debug, info, warn, error
    #[arg(long, default_value = "trace", value_name = "LEVEL")]
    pub log: Level,
    /// The lowest level compiled in: trace, debug, info, warn, error, off
    #[arg(long, default_value = "info", value_name = "LEVEL", value_parser = ["trace", "debug", "info", "warn", "error", "off"])]
    pub log_build: String,
}
