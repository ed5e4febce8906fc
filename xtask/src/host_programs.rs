//! The host's long runs: programs of the workspace, built for speed, each a suite of its own.

use crate::{
    cmd::test::Suite,
    paths,
    process::{Process, bound_command},
};
use anyhow::{Context, Result};
use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

/// How many lines of a program's output are shown after a failure.
const TAIL: usize = 40;

/// A program that says by its exit code whether all is well.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The suite's name.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    package: &'static str,
    arguments: &'static [&'static str],
}

/// All of them.
pub const PROGRAMS: &[Program] = &[
    Program {
        name: "ring-matrix",
        about: "the register contract on the host, cell by cell, with both dispatchers",
        package: "ring",
        arguments: &["matrix"],
    },
    Program {
        name: "ring-diff",
        about: "the short way of messages against the general one, ten million registers",
        package: "ring",
        arguments: &["diff", "--calls", "10_000_000", "--seed", "1"],
    },
    Program {
        name: "ring-fuzz",
        about: "ten million random calls through proxy, dispatcher and SPMC",
        package: "ring",
        arguments: &["fuzz", "--calls", "10_000_000", "--seed", "1"],
    },
    Program {
        name: "ring-memory",
        about: "a million random calls about memory, the ownership map walked after each",
        package: "ring",
        arguments: &["fuzz", "--memory", "--calls", "1_000_000", "--seed", "1"],
    },
    Program {
        name: "ring-notifications",
        about: "four million random calls about notifications and indirect messages, with a ledger of both",
        package: "ring",
        arguments: &["notifications", "--calls", "4_000_000", "--seed", "1"],
    },
    Program {
        name: "search",
        about: "every state of small systems",
        package: "search",
        arguments: &[],
    },
];

/// Builds and runs a program. Its output goes to its log, and to standard output if `show`.
///
/// # Errors
/// Cargo cannot be started. A program that fails or does not build is no error.
pub fn run(program: &Program, show: bool) -> Result<Suite> {
    let log = paths::work()
        .join("logs")
        .join(program.name)
        .join("output.log");
    if let Some(folder) = log.parent() {
        paths::make_dir(folder)?;
    }
    let mut command = bound_command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(paths::root())
        .args(["run", "--quiet", "--release", "--package", program.package])
        .args(["--bin", program.package, "--"])
        .args(program.arguments)
        .stdout(Stdio::piped())
        .stderr(if show {
            Stdio::inherit()
        } else {
            Stdio::null()
        });
    let mut file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut process = Process::spawn(command)?;
    let stdout = process
        .child()
        .stdout
        .take()
        .context("the program has no output")?;
    let mut lines = Vec::new();
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let _ = writeln!(file, "{line}");
        if show {
            println!("{line}");
        }
        lines.push(line);
    }
    let status = process.wait()?;
    let problems = if status.success() {
        Vec::new()
    } else {
        vec![format!(
            "cargo run --release -p {} -- {} ended with {status}",
            program.package,
            program.arguments.join(" ")
        )]
    };
    let failed = problems.len() as u64;
    Ok(Suite {
        suite: program.name.to_owned(),
        about: program.about.to_owned(),
        passed: 1 - failed,
        failed,
        problems,
        tail: if failed > 0 {
            lines.split_off(lines.len().saturating_sub(TAIL))
        } else {
            Vec::new()
        },
        log: log.display().to_string(),
        ..Suite::default()
    })
}
