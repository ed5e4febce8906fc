//! `cargo xtask qemu-fvp`: the QEMU that has the board `fvp-base-revc`.

use crate::setup;
use anyhow::Result;
use std::process::ExitCode;

/// Builds it unless that was done, and prints where it is.
///
/// # Errors
/// It cannot be built; the error names the step, its log and what is probably missing.
pub fn run() -> Result<ExitCode> {
    let binary = setup::qemu_fvp::ensure()?;
    println!("{}", binary.display());
    Ok(ExitCode::SUCCESS)
}
