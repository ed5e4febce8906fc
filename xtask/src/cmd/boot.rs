//! `cargo xtask boot`: one boot with its whole log, for those who look for a bug.

use crate::{
    assemble,
    board::{Board, BoardArgument},
    cmd::LogArguments,
    console::Printer,
    firmware::{Options, payload},
    paths,
    scenario::{self, Bl33, Scenario},
    session::{self, On, Play},
    setup,
};
use anyhow::{Result, bail};
use clap::Args;
use std::{ffi::OsString, process::ExitCode, time::Duration};

/// Arguments of `boot`.
#[derive(Args, Debug)]
pub struct Boot {
    #[command(flatten)]
    board: BoardArgument,
    /// A scenario's name; `vm` and `direct` run the test client
    #[arg(default_value = "vm")]
    scenario: String,
    /// Another client: client-run, client-test or client-bench
    #[arg(long)]
    client: Option<String>,
    /// End the machine after this many seconds
    #[arg(long)]
    timeout: Option<u64>,
    #[command(flatten)]
    levels: LogArguments,
    /// Cargo's profile
    #[arg(long, default_value = "release")]
    profile: String,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
    /// QEMU's `-d` items, for example `int,guest_errors`; they go to a file
    #[arg(long)]
    qemu_log: Option<String>,
    /// All that follows goes to QEMU, for example `-s -S`
    #[arg(long, num_args = 1.., allow_hyphen_values = true)]
    debug_qemu: Vec<OsString>,
}

/// Builds and boots.
///
/// # Errors
/// The scenario is unknown, or something cannot be built or started.
pub fn run(arguments: &Boot) -> Result<ExitCode> {
    let board = arguments.board.board;
    let scenario = find(&arguments.scenario, board, arguments.client.as_deref())?;
    let tools = setup::ensure(board, [scenario.flow])?;
    let options = Options {
        board,
        profile: arguments.profile.clone(),
        log: arguments.levels.log_build.clone(),
    };
    let boot = assemble::build_and_boot(&scenario, &options, tools.tf_a(scenario.flow)?)?;
    let mut qemu_arguments = arguments.debug_qemu.clone();
    if let Some(items) = &arguments.qemu_log {
        let file = paths::logs(board.name, scenario.name).join("qemu.log");
        if let Some(folder) = file.parent() {
            paths::make_dir(folder)?;
        }
        eprintln!("QEMU's log: {}", file.display());
        qemu_arguments.extend(["-d".into(), items.into(), "-D".into(), file.into()]);
    }
    let play = Play {
        on: On::Qemu(tools.qemu, qemu_arguments),
        timeout: arguments.timeout.map(Duration::from_secs),
        printer: Printer {
            level: arguments.levels.log,
            json: arguments.json,
            quiet: false,
        },
    };
    let outcome = session::play(&scenario, &boot, &play)?;
    eprintln!("log: {}", outcome.log.display());
    for problem in &outcome.problems {
        eprintln!("{problem}");
    }
    Ok(if outcome.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Finds a scenario of a board by its name, with another client if one is named.
///
/// # Errors
/// There is none of this name, or no such client; the error lists them.
pub fn find(name: &str, board: &Board, client: Option<&str>) -> Result<Scenario> {
    let all = scenario::all(board);
    let Some(mut scenario) = all.iter().find(|scenario| scenario.name == name).cloned() else {
        let names: Vec<_> = all.iter().map(|scenario| scenario.name).collect();
        bail!(
            "found scenario {name:?}, wanted one of: {}",
            names.join(", ")
        );
    };
    if let Some(client) = client {
        let binary = ["client-run", "client-test", "client-bench"]
            .into_iter()
            .find(|known| *known == client);
        let Some(binary) = binary.map(payload) else {
            bail!("found client {client:?}, wanted client-run, client-test or client-bench");
        };
        scenario.bl33 = match scenario.bl33 {
            Bl33::Vm(_) => Bl33::Vm(binary),
            Bl33::Direct(_) => Bl33::Direct(binary),
        };
    }
    Ok(scenario)
}
