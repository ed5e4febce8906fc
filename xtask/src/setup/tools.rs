//! The tools: which are needed, what is there, and how to get what is not.

use super::version::Version;
use crate::{firmware::TARGET, paths, process};
use serde::Serialize;
use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// QEMU before this has no secure EL2 timers.
const QEMU_WANTED: [u32; 2] = [10, 0];

/// The name of the tool that rustup adds as a target.
pub const RUST_TARGET: &str = "rust target";
/// The name of the tool that rustup adds as a component.
pub const RUST_SOURCE: &str = "rust source";

/// A tool and its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// What it is called.
    pub name: &'static str,
    /// What it is for.
    pub why: &'static str,
    /// What is there.
    pub found: Option<String>,
    /// What is needed.
    pub wanted: String,
    /// Whether what is there will do.
    pub good: bool,
    /// How to get it; empty if it is good.
    pub mend: String,
    /// Debian's package.
    #[serde(skip)]
    pub package: Option<&'static str>,
    /// Whether much works without it: `doctor` does not fail for it.
    pub optional: bool,
}

impl Tool {
    /// What is wrong, in one sentence.
    pub fn complaint(&self) -> String {
        format!(
            "{}: found {}, wanted {} ({})",
            self.name,
            self.found.as_deref().unwrap_or("none"),
            self.wanted,
            self.why
        )
    }
}

/// QEMU's binary: `QEMU`, or the one in the path.
pub fn qemu() -> PathBuf {
    env::var_os("QEMU")
        .filter(|path| !path.is_empty())
        .map_or_else(|| "qemu-system-aarch64".into(), PathBuf::from)
}

/// Every tool but TF-A.
pub fn all() -> Vec<Tool> {
    vec![
        qemu_tool(),
        command(
            "aarch64-linux-gnu-gcc",
            "compiles TF-A",
            "gcc-aarch64-linux-gnu",
            &["-dumpfullversion"],
        ),
        command("make", "builds TF-A", "make", &["--version"]),
        command(
            "gcc",
            "compiles TF-A's fiptool and the counter of `bench`",
            "gcc",
            &["-dumpfullversion"],
        ),
        header(
            "openssl headers",
            "TF-A's fiptool hashes images with them",
            "libssl-dev",
            &["/usr/include/openssl/sha.h"],
        ),
        command(
            "dtc",
            "compiles manifests",
            "device-tree-compiler",
            &["--version"],
        ),
        command(
            "python3",
            "TF-A's build runs scripts",
            "python3",
            &["--version"],
        ),
        command("xz", "unpacks TF-A's source", "xz-utils", &["--version"]),
        rust_target(),
        rust_source(),
    ]
}

fn qemu_tool() -> Tool {
    let binary = qemu();
    let text = process::output(&binary.to_string_lossy(), &["--version"]);
    let version = text.as_deref().and_then(Version::find);
    let wanted = Version::from(QEMU_WANTED);
    let good = version.as_ref().is_some_and(|found| *found >= wanted);
    let named = env::var_os("QEMU").is_some_and(|path| !path.is_empty());
    Tool {
        name: "qemu-system-aarch64",
        why: "runs the machine; before 10.0 it has no timers of secure EL2",
        found: version.map(|version| version.to_string()),
        wanted: format!("{wanted} or later"),
        good,
        mend: match (good, named) {
            (true, _) => String::new(),
            (false, true) => format!(
                "QEMU names {}: let it name a qemu-system-aarch64 of version {wanted} or later",
                binary.display()
            ),
            (false, false) => "cargo xtask setup, or set QEMU to a newer binary".to_owned(),
        },
        // A binary that the user names is the user's to mend.
        package: (!named).then_some("qemu-system-arm"),
        optional: false,
    }
}

/// A program.
pub fn command(
    name: &'static str,
    why: &'static str,
    package: &'static str,
    arguments: &[&str],
) -> Tool {
    judge(
        name,
        why,
        package,
        process::output(name, arguments).as_deref(),
        None,
    )
}

/// A header of a library.
pub fn header(
    name: &'static str,
    why: &'static str,
    package: &'static str,
    files: &[&str],
) -> Tool {
    let there = files.iter().any(|file| Path::new(file).exists());
    judge(name, why, package, there.then_some("present"), None)
}

/// A tool by what it printed about its version, if it is there at all.
pub fn judge(
    name: &'static str,
    why: &'static str,
    package: &'static str,
    printed: Option<&str>,
    wanted: Option<Version>,
) -> Tool {
    let version = printed.and_then(Version::find);
    let good = printed.is_some() && wanted.as_ref().is_none_or(|w| version.as_ref() >= Some(w));
    let found = printed.map(|_| {
        version
            .as_ref()
            .map_or_else(|| "present".to_owned(), Version::to_string)
    });
    Tool {
        name,
        why,
        found,
        wanted: wanted.map_or_else(
            || "any version".to_owned(),
            |wanted| format!("{wanted} or later"),
        ),
        good,
        mend: mend(good, package),
        package: Some(package),
        optional: false,
    }
}

fn mend(good: bool, package: &str) -> String {
    if good {
        String::new()
    } else {
        format!("cargo xtask setup, or install the package {package}")
    }
}

/// The source of Rust's core library: built with branch protection, like the images.
fn rust_source() -> Tool {
    let folder = Command::new("rustc")
        .current_dir(paths::root())
        .args(["--print", "sysroot"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let good =
        folder.is_some_and(|folder| folder.join("lib/rustlib/src/rust/library/core").is_dir());
    Tool {
        name: RUST_SOURCE,
        why: "the core library is built with branch protection, like the images",
        found: good.then(|| "rust-src".to_owned()),
        wanted: "rust-src".to_owned(),
        good,
        mend: if good {
            String::new()
        } else {
            "cargo xtask setup, or rustup component add rust-src".to_owned()
        },
        package: None,
        optional: false,
    }
}

/// Rust's library for the firmware's target.
fn rust_target() -> Tool {
    let folder = Command::new("rustc")
        .current_dir(paths::root())
        .args(["--print", "target-libdir", "--target", TARGET])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let good = folder.is_some_and(|folder| folder.is_dir());
    Tool {
        name: RUST_TARGET,
        why: "compiles the firmware",
        found: good.then(|| TARGET.to_owned()),
        wanted: TARGET.to_owned(),
        good,
        mend: if good {
            String::new()
        } else {
            format!("cargo xtask setup, or rustup target add {TARGET}")
        },
        package: None,
        optional: false,
    }
}
