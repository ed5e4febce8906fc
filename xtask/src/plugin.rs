//! QEMU's plugins: each compiled once from its source in `plugin` into the cache.

use crate::{paths, process};
use anyhow::Result;
use std::{fs, path::PathBuf, process::Command};

/// A plugin: its name and its source.
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    name: &'static str,
    source: &'static str,
}

/// Counts instructions inside of windows.
pub const ICOUNT: Plugin = Plugin {
    name: "icount",
    source: include_str!("../plugin/icount.c"),
};

/// Writes down each change of exception level.
pub const TRACE: Plugin = Plugin {
    name: "trace",
    source: include_str!("../plugin/trace.c"),
};

/// Compiles a plugin unless that was done, and returns its file.
///
/// # Errors
/// There is no C compiler or it fails; the error names the log.
pub fn ensure(plugin: Plugin) -> Result<PathBuf> {
    let folder = paths::cache()?.join("plugin");
    let name = plugin.name;
    let library = folder.join(format!("{name}.so"));
    let source = folder.join(format!("{name}.c"));
    let same = fs::read_to_string(&source).is_ok_and(|text| text == plugin.source);
    if same && library.exists() {
        return Ok(library);
    }
    // The source is written last, so that an interruption is seen as a missing build.
    let _ = fs::remove_file(&source);
    let unfinished = folder.join(format!("{name}.part.c"));
    paths::write(&unfinished, plugin.source)?;
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
        &format!("compiling the plugin {name} (gcc)"),
        &logs.join("plugin.log"),
    )?;
    fs::remove_file(&unfinished)?;
    paths::write(&source, plugin.source)?;
    Ok(library)
}
