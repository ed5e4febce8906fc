//! `search`: searches the states of each configuration and prints a table.

use clap::Parser;
use search::{
    explore::{self, Limits, Report},
    world::World,
};
use std::process::ExitCode;

/// Makes everything that can happen happen in the SPMC's core, and in the proxy's in front of it, in
/// every state that they can reach, and checks each.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only this configuration
    #[arg(long)]
    config: Option<String>,
    /// Also those that take minutes each
    #[arg(long)]
    large: bool,
    /// The most events from the start; else until there are no new states
    #[arg(long)]
    depth: Option<usize>,
    /// How many threads; else one for each core
    #[arg(long)]
    threads: Option<usize>,
    /// One JSON object per configuration
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    explore::announce_panics();
    let mut limits = Limits {
        depth: arguments.depth,
        ..Limits::default()
    };
    if let Some(threads) = arguments.threads {
        limits.threads = threads;
    }
    let all = World::all();
    let names: Vec<_> = all.iter().map(|world| world.name).collect();
    let wanted = |world: &World| match arguments.config.as_deref() {
        Some(name) => world.name == name,
        None => arguments.large || !world.large,
    };
    let worlds: Vec<_> = all.into_iter().filter(wanted).collect();
    if worlds.is_empty() {
        eprintln!(
            "there is no such configuration; there are: {}",
            names.join(", ")
        );
        return ExitCode::FAILURE;
    }
    if !arguments.json {
        println!("configuration      states  transitions  depth    time  what");
    }
    let mut good = true;
    for world in &worlds {
        let report = explore::search(world, limits);
        good &= report.violation.is_none();
        if arguments.json {
            match serde_json::to_string(&report) {
                Ok(line) => println!("{line}"),
                Err(error) => eprintln!("{error}"),
            }
        } else {
            show(&report);
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn show(report: &Report) {
    println!(
        "{:13} {:11} {:12} {:6} {:6.1}s  {}{}",
        report.configuration,
        report.states,
        report.transitions,
        report.depth,
        report.seconds,
        report.about,
        if report.complete || report.violation.is_some() {
            ""
        } else {
            " (bounded)"
        }
    );
    if report.runs_within > 0 {
        println!(
            "{:13} a vCPU that waits for cycles can run after {} events at most",
            "", report.runs_within
        );
    }
    if report.delivered_within > 0 {
        println!(
            "{:13} an interrupt that is enabled is delivered within {} events, if all behave",
            "", report.delivered_within
        );
    }
    if report.notified_within > 0 {
        println!(
            "{:13} a notification is read within {} events, if all behave",
            "", report.notified_within
        );
    }
    if let Some(violation) = &report.violation {
        println!("violation: {}", violation.what);
        for line in &violation.path {
            println!("  {line}");
        }
    }
}
