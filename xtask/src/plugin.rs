//! The counting plugin of QEMU: compiled once from `plugin/icount.c` into the cache.

use crate::{paths, process};
use anyhow::Result;
use std::{fs, path::PathBuf, process::Command};

/// The plugin's source.
const SOURCE: &str = include_str!("../plugin/icount.c");

/// Compiles the plugin unless that was done, and returns its file.
///
/// # Errors
/// There is no C compiler or it fails; the error names the log.
pub fn ensure() -> Result<PathBuf> {
    let folder = paths::cache()?.join("plugin");
    let library = folder.join("icount.so");
    let source = folder.join("icount.c");
    let same = fs::read_to_string(&source).is_ok_and(|text| text == SOURCE);
    if same && library.exists() {
        return Ok(library);
    }
    // The source is written last, so that an interruption is seen as a missing build.
    let _ = fs::remove_file(&source);
    let unfinished = folder.join("icount.part.c");
    paths::write(&unfinished, SOURCE)?;
    let logs = paths::cache()?.join("logs");
    paths::make_dir(&logs)?;
    let mut command = Command::new("gcc");
    command
        .args([
            "-O2",
            "-Wall",
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
            "-o",
        ])
        .arg(&library)
        .arg(&unfinished);
    process::run_logged(
        command,
        "compiling the counter (gcc)",
        &logs.join("plugin.log"),
    )?;
    fs::remove_file(&unfinished)?;
    paths::write(&source, SOURCE)?;
    Ok(library)
}
