//! The host side of Tantalum: sets the machine up, builds TF-A and the firmware, packs boot images,
//! runs them in QEMU and reads what they report. `cargo xtask --help` lists the commands.

#![forbid(unsafe_code)]

mod assemble;
mod bench_report;
mod board;
mod cmd;
mod console;
mod counts;
mod fip;
mod firmware;
mod host_programs;
mod host_tests;
mod image;
mod machine;
mod matrix;
mod model;
mod paths;
mod plugin;
mod process;
mod progress;
mod qemu;
mod report;
mod results;
mod scenario;
mod session;
mod setup;
mod spkg;
mod trace;
mod vector_check;

use board::BoardArgument;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Sets up, boots, tests and measures Tantalum.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Cmd,
}

#[derive(Subcommand, Debug)]
enum Cmd {
    /// Lists each tool needed: version found, version wanted, the mend
    Doctor(cmd::doctor::Doctor),
    /// Installs and builds what is missing; says first what and why
    Setup(BoardArgument),
    /// Builds the QEMU that has the board fvp-base-revc, once, and prints where it is
    QemuFvp,
    /// Boots the chain, shows the conversation of a VM and the partitions, ends with a table
    Run(cmd::run::Run),
    /// Runs all tests, on the host and in QEMU
    Test(cmd::test::Test),
    /// Counts instructions per round trip and bytes per image, and checks the bounds
    Bench(cmd::bench::Bench),
    /// Boots one scenario and shows its whole log
    Boot(cmd::boot::Boot),
    /// Boots one scenario in Arm's own model of the FVP, which you must have
    Fvp(cmd::fvp::Fvp),
    /// Boots one scenario and shows each change of exception level with the registers that crossed
    Trace(cmd::trace::Trace),
    /// Checks that no vector register is used outside of the code that switches them
    VectorCheck(vector_check::VectorCheck),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = process::install_interrupt_handler().and_then(|()| match cli.command {
        Cmd::Bench(arguments) => cmd::bench::run(&arguments),
        Cmd::Doctor(arguments) => cmd::doctor::doctor(&arguments),
        Cmd::Setup(arguments) => cmd::doctor::setup(arguments.board),
        Cmd::QemuFvp => cmd::qemu_fvp::run(),
        Cmd::Run(arguments) => cmd::run::run(&arguments),
        Cmd::Test(arguments) => cmd::test::run(&arguments),
        Cmd::Boot(arguments) => cmd::boot::run(&arguments),
        Cmd::Fvp(arguments) => cmd::fvp::run(&arguments),
        Cmd::Trace(arguments) => cmd::trace::run(&arguments),
        Cmd::VectorCheck(arguments) => vector_check::run(&arguments),
    });
    process::hold_if_interrupted();
    result.unwrap_or_else(|error| {
        // One line: the chain of causes reads as a sentence.
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
