//! Where things are: the workspace, the cache and the places for what a build makes.

use anyhow::{Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The workspace's root folder.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The folder of manifests and layouts of a board.
pub fn board(name: &str) -> PathBuf {
    root().join("fvp-configs").join(name)
}

/// Cargo's target folder, as the environment has it.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(
        || root().join("target"),
        |dir| {
            let dir = PathBuf::from(dir);
            if dir.is_absolute() {
                dir
            } else {
                root().join(dir)
            }
        },
    )
}

/// The folder for what xtask makes of a build (images, logs): `target/xtask`.
pub fn work() -> PathBuf {
    target().join("xtask")
}

/// The folder of what is kept of a boot: `target/xtask/logs/BOARD/SCENARIO`.
pub fn logs(board: &str, scenario: &str) -> PathBuf {
    work().join("logs").join(board).join(scenario)
}

/// The cache: `TANTALUM_CACHE`, or `~/.cache/tantalum`.
///
/// # Errors
/// Neither `TANTALUM_CACHE` nor `HOME` is set.
pub fn cache() -> Result<PathBuf> {
    if let Some(dir) = env::var_os("TANTALUM_CACHE").filter(|dir| !dir.is_empty()) {
        return std::path::absolute(PathBuf::from(dir)).context("TANTALUM_CACHE is no usable path");
    }
    let home = env::var_os("HOME")
        .context("no cache folder: neither TANTALUM_CACHE nor HOME is set; set TANTALUM_CACHE")?;
    Ok(PathBuf::from(home).join(".cache/tantalum"))
}

/// Makes a folder and its parents.
///
/// # Errors
/// The folder cannot be made; the error names it.
pub fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))
}

/// Writes a file whole or not at all: to a temporary name first, then renamed.
///
/// # Errors
/// The folder cannot be written to (no space, no right); the error names the file.
pub fn write(file: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    if let Some(dir) = file.parent() {
        make_dir(dir)?;
    }
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{}.part", std::process::id()));
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, file))
        .with_context(|| {
            let _ = fs::remove_file(&temporary);
            format!("cannot write {} (is the disk full?)", file.display())
        })
}

/// Removes those files of a folder, not of folders in it, that end in one of `extensions`.
///
/// # Errors
/// The folder cannot be read, or a file cannot be removed; the error names it.
pub fn remove_by_extension(folder: &Path, extensions: &[&str]) -> Result<()> {
    let unreadable = || format!("cannot read the folder {}", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let file = entry.with_context(unreadable)?.path();
        let extension = file.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| extensions.contains(&extension)) {
            fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
    }
    Ok(())
}

/// Reads a file.
///
/// # Errors
/// It cannot be read; the error names it.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Reads a text file.
///
/// # Errors
/// It cannot be read or is no UTF-8; the error names it.
pub fn read_text(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_with_these_extensions_go() {
        let folder = env::temp_dir().join(format!("tantalum-paths-{}", std::process::id()));
        for name in ["a.bin", "b.pkg", "c.dts", "bin", "in.bin/d.bin"] {
            write(&folder.join(name), name).unwrap();
        }
        // A folder of that name is no file.
        assert!(remove_by_extension(&folder, &["bin"]).is_err());
        fs::remove_dir_all(folder.join("in.bin")).unwrap();
        remove_by_extension(&folder, &["bin", "pkg"]).unwrap();
        let mut left: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["bin", "c.dts"]);
        fs::remove_dir_all(&folder).unwrap();
        let error = remove_by_extension(&folder, &[]).unwrap_err().to_string();
        assert!(error.contains("tantalum-paths"), "{error}");
    }
}
