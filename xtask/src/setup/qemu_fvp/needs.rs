//! What building QEMU needs beside what TF-A's build needs already: all of it from Debian.
//!
//! QEMU configures itself in a Python environment of its own, which wants Meson 1.5 or later and
//! pycotap. Both are Debian's packages (from backports on Debian 12, whose own Meson is older), for
//! Debian's Python, so that nothing is fetched from anywhere else; a Python that comes first in the
//! path does not see them, which is why the interpreter is named in full.

use crate::{
    process,
    setup::{
        tools::{self, Tool},
        version::Version,
    },
};

/// Debian's own Python.
pub const PYTHON: &str = "/usr/bin/python3";
/// What QEMU 10.0 accepts (`pythondeps.toml`).
const MESON_WANTED: [u32; 2] = [1, 5];

/// The tools, libraries and modules.
pub fn all() -> Vec<Tool> {
    let mut tools = tools_and_libraries();
    for tool in tools.iter_mut().filter(|tool| !tool.good) {
        // `cargo xtask setup`, the mend of other tools, has nothing to do with these.
        if let Some(package) = tool.package {
            tool.mend = format!("install the package {package}");
        }
    }
    tools
}

fn tools_and_libraries() -> Vec<Tool> {
    vec![
        tools::command("gcc", "compiles QEMU", "gcc", &["-dumpfullversion"]),
        tools::command("ninja", "builds QEMU", "ninja-build", &["--version"]),
        tools::command("make", "QEMU's configure wants it", "make", &["--version"]),
        tools::command(
            "patch",
            "adds the machine to QEMU's build",
            "patch",
            &["--version"],
        ),
        tools::command("xz", "unpacks QEMU's source", "xz-utils", &["--version"]),
        tools::command(
            "pkg-config",
            "finds QEMU's libraries",
            "pkg-config",
            &["--version"],
        ),
        library(
            "glib",
            "QEMU is written with it",
            "libglib2.0-dev",
            "glib-2.0",
        ),
        library("zlib", "QEMU is written with it", "zlib1g-dev", "zlib"),
        tools::header(
            "libfdt",
            "QEMU's machines for Arm read device trees with it",
            "libfdt-dev",
            &["/usr/include/libfdt.h"],
        ),
        module(
            "python venv",
            "QEMU configures itself in a Python environment",
            "python3-venv",
            "import ensurepip; print(ensurepip.version())",
            None,
        ),
        module(
            "meson",
            "configures QEMU",
            "meson",
            "import mesonbuild.coredata as c; print(c.version)",
            Some(Version::from(MESON_WANTED)),
        ),
        module(
            "pycotap",
            "QEMU's configure wants it",
            "python3-pycotap",
            "import importlib.metadata as m; print(m.version('pycotap'))",
            None,
        ),
    ]
}

fn library(
    name: &'static str,
    why: &'static str,
    package: &'static str,
    module: &'static str,
) -> Tool {
    let version = process::output("pkg-config", &["--modversion", module]);
    tools::judge(name, why, package, version.as_deref(), None)
}

fn module(
    name: &'static str,
    why: &'static str,
    package: &'static str,
    program: &str,
    wanted: Option<Version>,
) -> Tool {
    let version = process::output(PYTHON, &["-c", program]);
    tools::judge(name, why, package, version.as_deref(), wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_meson_is_not_taken() {
        let judge = |found| {
            tools::judge(
                "meson",
                "configures QEMU",
                "meson",
                found,
                Some(Version::from(MESON_WANTED)),
            )
        };
        assert!(judge(Some("1.7.0\n")).good);
        let old = judge(Some("1.0.1\n"));
        assert!(!old.good);
        assert_eq!(
            old.complaint(),
            "meson: found 1.0.1, wanted 1.5 or later (configures QEMU)"
        );
        assert!(!judge(None).good);
    }

    #[test]
    fn every_need_names_its_package() {
        assert!(all().iter().all(|tool| tool.package.is_some()));
    }
}
