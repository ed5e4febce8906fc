//! `cargo xtask doctor` and `cargo xtask setup`: what is needed, what is there, and the mend.

use crate::{
    board::{Board, BoardArgument, Flow},
    report, setup,
};
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

/// Arguments of `doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    #[command(flatten)]
    board: BoardArgument,
    /// One JSON array instead of a table
    #[arg(long)]
    json: bool,
}

/// Lists the tools; changes nothing.
///
/// # Errors
/// There is no cache folder, or `TFA_DIR` is wrong.
pub fn doctor(arguments: &Doctor) -> Result<ExitCode> {
    let state = setup::state(arguments.board.board)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&state)?);
    } else {
        let mut table = report::table(&["tool", "found", "wanted", "", "for", "mend"]);
        for tool in &state {
            table.add_row([
                tool.name,
                tool.found.as_deref().unwrap_or("none"),
                &tool.wanted,
                match (tool.good, tool.optional) {
                    (true, _) => "ok",
                    (false, true) => "not built",
                    (false, false) => "MISSING",
                },
                tool.why,
                &tool.mend,
            ]);
        }
        println!("{table}");
    }
    Ok(if state.iter().all(|tool| tool.good || tool.optional) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Installs and builds what is missing.
///
/// # Errors
/// Something is missing and cannot be had; the error says what to do.
pub fn setup(board: &'static Board) -> Result<ExitCode> {
    let tools = setup::ensure(board, [Flow::default()])?;
    println!(
        "all is there: QEMU is {}, TF-A is in {}",
        tools.qemu.display(),
        tools.tf_a(Flow::default())?.folder.display()
    );
    Ok(ExitCode::SUCCESS)
}
