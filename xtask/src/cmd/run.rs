//! `cargo xtask run`: the whole chain boots, a VM and the partitions talk, a table says what about.

use crate::{
    assemble,
    board::BoardArgument,
    cmd::LogArguments,
    console::Printer,
    firmware::Options,
    report,
    results::Message,
    scenario,
    session::{self, On, Outcome, Play},
    setup,
};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::process::ExitCode;

/// Arguments of `run`.
#[derive(Args, Debug)]
pub struct Run {
    #[command(flatten)]
    board: BoardArgument,
    #[command(flatten)]
    levels: LogArguments,
    /// One JSON object per line instead of text, the table too
    #[arg(long)]
    json: bool,
}

/// What `--json` prints at the end.
#[derive(Serialize)]
struct Summary<'o> {
    messages: &'o [Message],
    power_on_to_vm_seconds: Option<f64>,
    problems: &'o [String],
    passed: bool,
}

/// Boots and shows the conversation.
///
/// # Errors
/// Something cannot be set up, built or started.
pub fn run(arguments: &Run) -> Result<ExitCode> {
    let board = arguments.board.board;
    let scenario = scenario::run();
    let tools = setup::ensure(board, [scenario.flow])?;
    let options = Options {
        log: arguments.levels.log_build.clone(),
        ..Options::of(board)
    };
    let boot = assemble::build_and_boot(&scenario, &options, tools.tf_a(scenario.flow)?)?;
    let play = Play {
        on: On::Qemu(tools.qemu, Vec::new()),
        timeout: None,
        printer: Printer {
            level: arguments.levels.log,
            json: arguments.json,
            quiet: false,
        },
    };
    let mut outcome = session::play(&scenario, &boot, &play)?;
    if outcome.results.messages.is_empty() {
        outcome
            .problems
            .push("the VM reported no message at all".to_owned());
    }
    conclude(&outcome, arguments.json)
}

/// Shows what became of the conversation, and says so in the exit code.
///
/// # Errors
/// It cannot be written as JSON.
pub fn conclude(outcome: &Outcome, json: bool) -> Result<ExitCode> {
    if json {
        let summary = Summary {
            messages: &outcome.results.messages,
            power_on_to_vm_seconds: outcome.results.boot,
            problems: &outcome.problems,
            passed: outcome.passed(),
        };
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        show(outcome);
    }
    Ok(if outcome.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn show(outcome: &Outcome) {
    println!();
    if !outcome.results.messages.is_empty() {
        println!("{}", table(&outcome.results.messages));
    }
    for case in outcome.results.cases.iter().filter(|case| !case.passed) {
        println!("failed: {}: {}", case.name, case.detail);
    }
    if let Some(seconds) = outcome.results.boot {
        println!("power-on to the VM's first instruction: {seconds:.2} s");
    }
    println!("whole log: {}", outcome.log.display());
    for problem in &outcome.problems {
        println!("failed: {problem}");
    }
}

fn table(messages: &[Message]) -> String {
    let mut table = report::table(&["from", "to", "call", "answer", "round trips", "detail", ""]);
    for message in messages {
        table.add_row([
            message.from.as_str(),
            &message.to,
            &message.call,
            &message.answer,
            message.round_trips.to_string().as_str(),
            &message.detail,
            if message.passed { "ok" } else { "BAD" },
        ]);
    }
    report::align_right(&mut table, &[4]);
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_per_message() {
        let text = table(&[Message {
            from: "VM1".to_owned(),
            to: "8001".to_owned(),
            call: "FFA_MSG_SEND_DIRECT_REQ2".to_owned(),
            answer: "FFA_MSG_SEND_DIRECT_RESP2".to_owned(),
            round_trips: 1000,
            detail: "14 registers".to_owned(),
            passed: true,
        }]);
        assert!(text.contains("round trips"));
        assert!(text.contains("1000"));
    }
}
