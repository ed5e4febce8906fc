//! The host's tests: runs cargo and counts what it reports.

use crate::{
    cmd::test::{Suite, host_log},
    paths,
    process::{Process, bound_command},
    results::Case,
};
use anyhow::{Context, Result};
use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

/// How many lines of cargo's output are shown after a failure.
const TAIL: usize = 60;

/// What is run: every test, and those in which a model checker stands in for locks and atomics.
const RUNS: [&[&str]; 2] = [
    &["--workspace"],
    &[
        "--profile",
        "timings",
        "--package",
        "spmc",
        "--features",
        "loom",
        "--lib",
        "timings",
    ],
];

/// Runs `cargo test --workspace`, and the tests for which a feature has to be on.
///
/// # Errors
/// Cargo cannot be started. Tests that fail or do not build are no error.
pub fn run(show: bool) -> Result<Suite> {
    let log = host_log();
    if let Some(folder) = log.parent() {
        paths::make_dir(folder)?;
    }
    let mut file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut report = Report::default();
    let mut lines = Vec::new();
    let mut problems = Vec::new();
    for arguments in RUNS {
        let failures = report.failures.len();
        if !cargo_test(arguments, show, &mut file, &mut report, &mut lines)?
            && report.failures.len() == failures
        {
            problems.push("cargo test failed before it had run every test".to_owned());
        }
    }
    let failed = report.failed + problems.len() as u64;
    let tail = if failed > 0 {
        lines.split_off(lines.len().saturating_sub(TAIL))
    } else {
        Vec::new()
    };
    Ok(Suite {
        suite: "host".to_owned(),
        about: "units and properties of every crate".to_owned(),
        passed: report.passed,
        failed,
        cases: report.failures,
        problems,
        tail,
        log: log.display().to_string(),
    })
}

/// Runs `cargo test` with these arguments; `false` if it failed.
fn cargo_test(
    arguments: &[&str],
    show: bool,
    file: &mut File,
    report: &mut Report,
    lines: &mut Vec<String>,
) -> Result<bool> {
    let mut command = bound_command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(paths::root())
        .args(["test", "--no-fail-fast", "--color", "never"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(if show {
            Stdio::inherit()
        } else {
            Stdio::null()
        });
    let mut process = Process::spawn(command)?;
    let stdout = process
        .child()
        .stdout
        .take()
        .context("cargo has no output")?;
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let _ = writeln!(file, "{line}");
        report.line(&line);
        lines.push(line);
    }
    Ok(process.wait()?.success())
}

/// What libtest prints, counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    passed: u64,
    failed: u64,
    failures: Vec<Case>,
}

impl Report {
    fn line(&mut self, line: &str) {
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.failures.push(Case {
                name: name.to_owned(),
                passed: false,
                detail: String::new(),
            });
        }
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in counts.split([';', '.']) {
            let mut words = part.split_whitespace();
            if let (Some(count), Some(what)) = (words.next(), words.next())
                && let Ok(count) = count.parse::<u64>()
            {
                match what {
                    "passed" => self.passed += count,
                    "failed" => self.failed += count,
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_crates_add_up() {
        let mut report = Report::default();
        for line in [
            "running 2 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: ok. 10 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.23s",
        ] {
            report.line(line);
        }
        assert_eq!((report.passed, report.failed), (11, 1));
        assert_eq!(report.failures[0].name, "a::c");
    }
}
