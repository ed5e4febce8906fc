//! What a failed step of QEMU's build says about the machine it ran on.

use anyhow::Error;
use std::{fs, path::Path};

/// Debian's packages of the libraries that QEMU's configure asks `pkg-config` for.
const LIBRARIES: [(&str, &str); 5] = [
    ("glib-2.0", "libglib2.0-dev"),
    ("gmodule-no-export-2.0", "libglib2.0-dev"),
    ("gthread-2.0", "libglib2.0-dev"),
    ("zlib", "zlib1g-dev"),
    ("fdt", "libfdt-dev"),
];
/// Words of a log that speak of a package.
const WORDS: [(&str, &str); 13] = [
    ("C shared or static library 'fdt' not found", "libfdt-dev"),
    ("Cannot find Ninja", "ninja-build"),
    ("cannot start ninja", "ninja-build"),
    ("ensurepip", "python3-venv"),
    ("Could not provide build dependency 'meson", "meson"),
    ("found no usable meson", "meson"),
    ("pycotap", "python3-pycotap"),
    ("'distutils'", "python3-distutils"),
    ("Pkg-config binary missing", "pkg-config"),
    ("pkg-config binary 'pkg-config' not found", "pkg-config"),
    ("Could not invoke sanity test executable", "gcc"),
    ("GNU make (make) not found", "make"),
    ("bits/libc-header-start.h", "libc6-dev"),
];
/// Debian's packages of headers.
const HEADERS: [(&str, &str); 6] = [
    ("libfdt.h", "libfdt-dev"),
    ("zlib.h", "zlib1g-dev"),
    ("glib.h", "libglib2.0-dev"),
    ("gmodule.h", "libglib2.0-dev"),
    ("stdio.h", "libc6-dev"),
    ("stdlib.h", "libc6-dev"),
];
/// How much of the end of a log is looked at: what failed stands there.
const TAIL: usize = 200;

/// Adds to a step's error what is probably missing.
pub fn explain(error: Error, log: &Path) -> Error {
    let bytes = fs::read(log).unwrap_or_default();
    // A command that could not be started left its name in the error alone.
    let text = format!("{}\n{error:#}", String::from_utf8_lossy(&bytes));
    match advice(&text) {
        Some(advice) => anyhow::anyhow!("{error:#}; {advice}"),
        None => error,
    }
}

/// What to do about a failure, from its log.
fn advice(log: &str) -> Option<String> {
    let lines: Vec<_> = log.lines().rev().take(TAIL).collect();
    let has = |word: &str| lines.iter().any(|line| line.contains(word));
    if has("No space left on device") {
        return Some(
            "the disk is full: free some, or let TANTALUM_CACHE name a folder on another disk"
                .to_owned(),
        );
    }
    if has("Killed signal terminated program") || has("Cannot allocate memory") {
        return Some("the memory ran out: end other programs and run it again".to_owned());
    }
    if let Some(package) = lines.iter().find_map(|line| package(line)) {
        return Some(format!(
            "the package {package} is probably missing: apt-get install {package}"
        ));
    }
    let library = lines.iter().find_map(|line| missing_library(line))?;
    Some(format!(
        "a -dev package is probably missing: the one with {library}.pc"
    ))
}

/// The package whose absence a line speaks of.
fn package(line: &str) -> Option<&'static str> {
    if let Some((_, package)) = WORDS.iter().find(|(word, _)| line.contains(word)) {
        return Some(package);
    }
    let known = |list: &[(&str, &'static str)], name: &str| {
        list.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, package)| *package)
    };
    if let Some(library) = missing_library(line) {
        return known(&LIBRARIES, library);
    }
    let header = line
        .split_once("fatal error: ")?
        .1
        .strip_suffix(": No such file or directory")?;
    known(&HEADERS, header)
}

/// The library that Meson did not find: `ERROR: Dependency "NAME" not found`.
fn missing_library(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("ependency ")?;
    let rest = rest.trim_start_matches(['"', '\'']);
    let (name, after) = rest.split_once(['"', '\'', ' '])?;
    (line.contains("ERROR") && after.contains("not found")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_package_is_named() {
        for (log, package) in [
            (
                "x\n../meson.build:1048:7: ERROR: Dependency \"glib-2.0\" not found, tried pkgconfig\n\nA full log can be found at /b/meson-log.txt\n",
                "libglib2.0-dev",
            ),
            (
                "../meson.build:2100:10: ERROR: C shared or static library 'fdt' not found\n",
                "libfdt-dev",
            ),
            (
                "../system/device_tree.c:31:10: fatal error: libfdt.h: No such file or directory\n   31 | #include <libfdt.h>\ncompilation terminated.\nninja: build stopped: subcommand failed.\n",
                "libfdt-dev",
            ),
            (
                "*** Ouch! ***\n\nCould not provide build dependency 'meson>=1.5.0':\n • Python package 'meson' version '1.0.1' was found, but isn't suitable.\n",
                "meson",
            ),
            (
                "Could not provide build dependency 'pycotap>=1.1.0':\n",
                "python3-pycotap",
            ),
            (
                "python3's ensurepip module is not installed\n",
                "python3-venv",
            ),
            ("ERROR: Cannot find Ninja\n", "ninja-build"),
            ("cannot start ninja: No such file", "ninja-build"),
        ] {
            let advice = advice(log).unwrap_or_default();
            assert!(
                advice.ends_with(&format!("apt-get install {package}")),
                "{log}: {advice}"
            );
        }
    }

    #[test]
    fn an_unknown_library_is_named_by_its_file() {
        let log = "../meson.build:9:0: ERROR: Dependency \"capstone\" not found, tried pkgconfig\n";
        assert!(advice(log).unwrap().ends_with("capstone.pc"));
    }

    #[test]
    fn what_is_no_package_is_said_too() {
        let full = "tar: a: Cannot write: No space left on device\n";
        assert!(advice(full).unwrap().contains("TANTALUM_CACHE"));
        let killed = "gcc: fatal error: Killed signal terminated program cc1\n";
        assert!(advice(killed).unwrap().contains("memory ran out"));
    }

    #[test]
    fn other_failures_get_no_guess() {
        assert_eq!(advice("fvp-base.c:7:1: error: expected ';'\n"), None);
        assert_eq!(advice("Run-time dependency pixman-1 found: NO\n"), None);
        let old = "ERROR: Cannot find Ninja\n".to_owned() + &"ok\n".repeat(TAIL);
        assert_eq!(advice(&old), None);
    }

    #[test]
    fn the_error_keeps_the_step_and_the_log() {
        let log = std::env::temp_dir().join(format!("qemu-fvp-log-{}", std::process::id()));
        fs::write(&log, "ERROR: Cannot find Ninja\n").unwrap();
        let error = explain(
            anyhow::anyhow!("configuring QEMU failed (exit status: 1): x (whole log: /l)"),
            &log,
        );
        fs::remove_file(&log).unwrap();
        assert_eq!(
            error.to_string(),
            "configuring QEMU failed (exit status: 1): x (whole log: /l); the package ninja-build is probably missing: apt-get install ninja-build"
        );
    }
}
