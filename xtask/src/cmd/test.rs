//! `cargo xtask test`: all tests, on the host and in QEMU, and one count over all of them.

use crate::{
    assemble,
    board::{Board, BoardArgument, QEMU_VIRT},
    cmd::{LogArguments, flows},
    console::Printer,
    firmware::{Firmware, Options},
    host_programs::{self, PROGRAMS, Program},
    host_tests,
    matrix::{self, Matrix},
    paths,
    results::Case,
    scenario::{self, Scenario},
    session::{self, On, Outcome, Play},
    setup::{self, Tools},
    vector_check,
};
use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;
use std::{collections::BTreeSet, process::ExitCode};

/// The suite of the host's tests.
const HOST: &str = "host";
/// The suite of what can be seen in the images without running them.
const IMAGES: &str = "images";

/// Arguments of `test`.
#[derive(Args, Debug)]
pub struct Test {
    #[command(flatten)]
    board: BoardArgument,
    /// Only this suite: host, images, ring-…, search, contract, discovery, bad, lifecycle, many, interrupts, vectors, smoke, or a scenario's name
    #[arg(long)]
    suite: Option<String>,
    #[command(flatten)]
    levels: LogArguments,
    /// Show each boot's log as it happens
    #[arg(long)]
    verbose: bool,
    /// One JSON object per suite, then one with the counts
    #[arg(long)]
    json: bool,
}

/// How one suite went.
#[derive(Debug, Default, Serialize)]
pub struct Suite {
    /// Its name.
    pub suite: String,
    /// What it shows.
    pub about: String,
    /// How many cases passed.
    pub passed: u64,
    /// How many cases failed; a boot that fails as a whole counts as one more.
    pub failed: u64,
    /// Its cases.
    pub cases: Vec<Case>,
    /// Why it has failed as a whole.
    pub problems: Vec<String>,
    /// The last lines of its log, after a failure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tail: Vec<String>,
    /// The file with the whole log.
    pub log: String,
}

/// Runs the tests.
///
/// # Errors
/// The suite is unknown, or something cannot be set up or built. A test that fails is no error.
pub fn run(arguments: &Test) -> Result<ExitCode> {
    let board = arguments.board.board;
    let Selection {
        host,
        programs,
        images,
        scenarios,
    } = select(arguments.suite.as_deref(), board)?;
    let options = Options {
        log: arguments.levels.log_build.clone(),
        ..Options::of(board)
    };
    let mut suites = Vec::new();
    let mut add = |suite: Suite| {
        show(&suite, arguments.json);
        suites.push(suite);
    };
    if host {
        add(host_tests::run(!arguments.json)?);
    }
    for program in programs {
        add(host_programs::run(program, !arguments.json)?);
    }
    if images {
        let firmware = Firmware::build(&vector_check::binaries(), &options)?;
        add(vector_check::suite(&firmware)?);
    }
    if !scenarios.is_empty() {
        let tools = setup::ensure(board, flows(&scenarios))?;
        let binaries: BTreeSet<_> = scenarios.iter().flat_map(assemble::binaries).collect();
        let firmware = Firmware::build(&binaries, &options)?;
        let printer = Printer {
            level: arguments.levels.log,
            json: arguments.json,
            quiet: !arguments.verbose,
        };
        for scenario in &scenarios {
            add(play(scenario, board, &firmware, &tools, printer)?);
        }
    }
    if !arguments.json
        && let Some(matrix) = Matrix::collect(suites.iter().flat_map(|suite| &suite.cases))
    {
        println!("{matrix}");
    }
    let (passed, failed) = suites.iter().fold((0, 0), |(passed, failed), suite| {
        (passed + suite.passed, failed + suite.failed)
    });
    if arguments.json {
        println!(
            "{}",
            serde_json::json!({"passed": passed, "failed": failed})
        );
    } else {
        println!("{passed} passed, {failed} failed");
    }
    Ok(if failed == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is to be run.
#[derive(Debug, Default)]
struct Selection {
    /// The host's tests.
    host: bool,
    /// The host's long runs.
    programs: Vec<&'static Program>,
    /// What is seen in the images.
    images: bool,
    /// The boots.
    scenarios: Vec<Scenario>,
}

fn select(suite: Option<&str>, board: &Board) -> Result<Selection> {
    let all = scenario::tests(board);
    let Some(name) = suite else {
        // What runs on the host is the same for every board: the first stands for all.
        let host = *board == QEMU_VIRT;
        return Ok(Selection {
            host,
            programs: PROGRAMS.iter().filter(|_| host).collect(),
            images: true,
            scenarios: all,
        });
    };
    let selection = Selection {
        host: name == HOST,
        programs: PROGRAMS
            .iter()
            .filter(|program| program.name == name)
            .collect(),
        images: name == IMAGES,
        scenarios: all
            .iter()
            .filter(|scenario| scenario.is_of(name))
            .cloned()
            .collect(),
    };
    let nothing = !selection.host
        && !selection.images
        && selection.programs.is_empty()
        && selection.scenarios.is_empty();
    if nothing {
        let names: Vec<_> = [HOST, IMAGES]
            .into_iter()
            .chain(scenario::GROUPS)
            .chain([scenario::SMOKE_SUITE])
            .chain(PROGRAMS.iter().map(|program| program.name))
            .chain(all.iter().map(|scenario| scenario.name))
            .collect();
        bail!("found suite {name:?}, wanted one of: {}", names.join(", "));
    }
    Ok(selection)
}

fn play(
    scenario: &Scenario,
    board: &'static Board,
    firmware: &Firmware,
    tools: &Tools,
    printer: Printer,
) -> Result<Suite> {
    let boot = assemble::boot(scenario, board, firmware, tools.tf_a(scenario.flow)?)?;
    let play = Play {
        on: On::Qemu(tools.qemu.clone(), Vec::new()),
        timeout: None,
        printer,
    };
    let outcome = session::play(scenario, &boot, &play)?;
    let suite = suite(scenario, outcome);
    // A boot that failed stays whole, to be looked at.
    if suite.failed == 0 {
        boot.discard()?;
    }
    Ok(suite)
}

/// Counts a boot: its cases, and one more for the boot as a whole if it failed, or if it has no
/// cases of its own.
fn suite(scenario: &Scenario, outcome: Outcome) -> Suite {
    let (mut passed, mut failed) = outcome.results.counts();
    if !outcome.problems.is_empty() {
        failed += 1;
    } else if outcome.results.cases.is_empty() {
        passed += 1;
    }
    let tail = if failed > 0 { outcome.tail } else { Vec::new() };
    Suite {
        suite: scenario.name.to_owned(),
        about: scenario.about.to_owned(),
        passed,
        failed,
        cases: outcome.results.cases,
        problems: outcome.problems,
        tail,
        log: outcome.log.display().to_string(),
    }
}

fn show(suite: &Suite, json: bool) {
    if json {
        println!("{}", serde_json::to_string(suite).unwrap_or_default());
        return;
    }
    // Cells of the matrix that passed are shown in its table, and the discovery boots have thousands.
    let many = |name: &str| matrix::is_cell(name) || name.starts_with("discovery/");
    let shown = |case: &&Case| !(case.passed && many(&case.name));
    for case in suite.cases.iter().filter(shown) {
        let verdict = if case.passed { "pass" } else { "FAIL" };
        // A passing case is one short line; a failing one says all it knows.
        let detail: String = if case.passed {
            case.detail.chars().take(60).collect()
        } else {
            case.detail.clone()
        };
        println!("{verdict}  {}/{}  {detail}", suite.suite, case.name);
    }
    for problem in &suite.problems {
        println!("FAIL  {}: {problem}", suite.suite);
    }
    if !suite.tail.is_empty() {
        println!("      the log ends with:");
        for line in &suite.tail {
            println!("      {line}");
        }
    }
    if suite.failed > 0 {
        println!("      whole log: {}", suite.log);
    }
    println!(
        "suite {} ({}): {} passed, {} failed",
        suite.suite, suite.about, suite.passed, suite.failed
    );
}

/// The file that keeps the log of the host's tests.
pub fn host_log() -> std::path::PathBuf {
    paths::work().join("logs").join(HOST).join("cargo.log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_chosen_by_name() {
        let everything = select(None, &QEMU_VIRT).unwrap();
        assert!(everything.host && everything.images && !everything.programs.is_empty());
        let host = select(Some("host"), &QEMU_VIRT).unwrap();
        assert!(host.host && host.scenarios.is_empty() && host.programs.is_empty());
        assert!(select(Some("images"), &QEMU_VIRT).unwrap().images);
        assert_eq!(
            select(Some("search"), &QEMU_VIRT).unwrap().programs.len(),
            1
        );
        assert_eq!(select(Some("vm"), &QEMU_VIRT).unwrap().scenarios.len(), 1);
        assert_eq!(
            select(Some("contract-vm"), &QEMU_VIRT)
                .unwrap()
                .scenarios
                .len(),
            1
        );
        assert!(
            select(Some("contract"), &QEMU_VIRT)
                .unwrap()
                .scenarios
                .len()
                > 2
        );
        assert!(select(Some("contrac"), &QEMU_VIRT).is_err());
        assert!(select(Some("nothing"), &QEMU_VIRT).is_err());
    }

    #[test]
    fn a_boot_that_fails_as_a_whole_is_a_failure_of_its_own() {
        let outcome = Outcome {
            results: crate::results::Results::default(),
            problems: vec!["it died".to_owned()],
            log: "log".into(),
            tail: Vec::new(),
        };
        let mut good = outcome.clone();
        good.problems.clear();
        let scenario = scenario::run();
        assert_eq!(suite(&scenario, outcome).failed, 1);
        assert_eq!(suite(&scenario, good).passed, 1);
    }
}
