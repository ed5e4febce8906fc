//! The QEMU that has the machine `fvp-base-revc`: Debian's source of QEMU 10.0 with the files of
//! `fvp-configs/qemu-machine`, built once into the cache.
//!
//! What is built has the version of QEMU and a hash of the machine's files in its name. The build
//! tree stays in the cache, so that a change of the machine compiles the machine alone.

mod build;
mod failure;
mod machine;
mod needs;
mod source;

use super::{Tool, lock, packages, space};
use crate::{paths, process};
use anyhow::{Result, bail};
use machine::Machine;
use std::{
    env,
    path::{Path, PathBuf},
};

/// The machine's name in QEMU.
const MACHINE: &str = "fvp-base-revc";
/// What the source, the build tree and the package lists take, in MB.
const SPACE: u64 = 1200;

/// The file of the binary in its folder.
const BINARY: &str = "qemu-system-aarch64";

/// The folder of all that belongs to this QEMU.
fn folder() -> Result<PathBuf> {
    Ok(paths::cache()?.join("qemu-fvp"))
}

/// The binary that `QEMU_FVP` names.
fn named() -> Option<PathBuf> {
    env::var_os("QEMU_FVP")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// Where the binary built of a version of QEMU and of the machine is, or will be.
fn built(version: &str, machine: &Machine) -> Result<PathBuf> {
    Ok(folder()?
        .join(format!("{version}-{:016x}", machine.hash()))
        .join(BINARY))
}

/// The finished binary, of any version of QEMU that will do.
fn find(machine: &Machine) -> Result<Option<PathBuf>> {
    for version in source::in_cache(&folder()?) {
        let binary = built(&version, machine)?;
        if binary.exists() {
            return Ok(Some(binary));
        }
    }
    Ok(None)
}

/// Returns the binary; builds it unless that was done, after it has said what it needs and why.
///
/// # Errors
/// `QEMU_FVP` names no QEMU with the machine, or the build fails; the error says what to do.
pub fn ensure() -> Result<PathBuf> {
    if let Some(binary) = named() {
        check_named(&binary)?;
        return Ok(binary);
    }
    let machine = Machine::read()?;
    if let Some(binary) = find(&machine)? {
        return Ok(binary);
    }
    let _lock = lock(&folder()?, "another build of QEMU")?;
    // It may have been another process' work.
    if let Some(binary) = find(&machine)? {
        return Ok(binary);
    }
    announce(&machine)?;
    space::check(&folder()?, SPACE, "QEMU's source and build")?;
    install()?;
    let logs = paths::cache()?.join("logs");
    paths::make_dir(&logs)?;
    let version = source::fetch(&folder()?, &logs.join("apt.log"))?;
    let binary = built(&version, &machine)?;
    let archive = source::archive(&folder()?, &version);
    build::build(&folder()?, &version, &archive, &machine, &binary)?;
    Ok(binary)
}

/// Says first what will be done and why.
fn announce(machine: &Machine) -> Result<()> {
    let folder = folder()?;
    eprintln!("qemu-fvp: QEMU with the machine {MACHINE} is not built yet.");
    for tool in missing() {
        eprintln!(
            "  will be installed: Debian's package {}: {}",
            tool.package.unwrap_or(tool.name),
            tool.complaint()
        );
    }
    let source = source::in_cache(&folder).into_iter().next();
    let time = match &source {
        Some(version) if build::is_warm(&folder, version, machine) => {
            "where all but the machine is compiled already: some seconds"
        }
        _ => "once: about 5 minutes of one core",
    };
    match source {
        None => eprintln!("  will be fetched: QEMU's source, from Debian's archive, 40 MB"),
        Some(version) => eprintln!("  the source of QEMU {version} is there"),
    }
    eprintln!(
        "  will be built in {}, {time}. QEMU_FVP may name one that is built.",
        folder.display()
    );
    Ok(())
}

fn missing() -> Vec<Tool> {
    needs::all().into_iter().filter(|tool| !tool.good).collect()
}

/// Installs the packages that the build lacks.
fn install() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let names = packages(&missing);
    // Debian's package manager and its private lists are used by one at a time.
    let _lock = lock(&paths::cache()?, "another set-up")?;
    super::install_packages(&names)?;
    match self::missing().into_iter().next() {
        Some(tool) => bail!(
            "after the installation still: {}; {}",
            tool.complaint(),
            tool.mend
        ),
        None => Ok(()),
    }
}

/// Checks that a binary the user names has the machine.
fn check_named(binary: &Path) -> Result<()> {
    let machines = process::output(&binary.to_string_lossy(), &["-machine", "help"]);
    judge_named(binary, machines.as_deref())
}

fn judge_named(binary: &Path, machines: Option<&str>) -> Result<()> {
    let Some(machines) = machines else {
        bail!(
            "QEMU_FVP names {}, which does not run: let it name a qemu-system-aarch64 with the machine {MACHINE}, or unset it to have one built",
            binary.display()
        );
    };
    let has = machines
        .lines()
        .any(|line| line.split_whitespace().next() == Some(MACHINE));
    if !has {
        bail!(
            "QEMU_FVP names {}, which has no machine {MACHINE}: build one as fvp-configs/qemu-machine/README.md says, or unset it to have one built",
            binary.display()
        );
    }
    Ok(())
}

/// The state for `doctor`. Only the board fvp-base-revc wants it.
///
/// # Errors
/// There is no cache folder.
pub fn state() -> Result<Tool> {
    let (found, mend) = match named() {
        Some(binary) => match check_named(&binary) {
            Ok(()) => (Some(binary.display().to_string()), String::new()),
            Err(error) => (None, error.to_string()),
        },
        None => match find(&Machine::read()?)? {
            Some(binary) => (Some(binary.display().to_string()), String::new()),
            None => (None, mend(&missing())),
        },
    };
    Ok(Tool {
        name: "qemu-fvp",
        why: "runs the board fvp-base-revc",
        good: found.is_some(),
        found,
        wanted: format!("QEMU 10.0 with the machine {MACHINE}"),
        mend,
        package: None,
        optional: true,
    })
}

fn mend(missing: &[Tool]) -> String {
    let names = packages(missing);
    if names.is_empty() {
        "cargo xtask qemu-fvp".to_owned()
    } else {
        format!("cargo xtask qemu-fvp (installs {})", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_qemu_must_run_and_have_the_machine() {
        let judge = |machines| judge_named(Path::new("/q"), machines).map_err(|e| e.to_string());
        assert_eq!(
            judge(Some("Supported machines are:\nfvp-base-revc  Memory\n")),
            Ok(())
        );
        assert!(
            judge(Some("virt  QEMU\n"))
                .unwrap_err()
                .contains("/q, which has no machine fvp-base-revc")
        );
        assert!(judge(None).unwrap_err().contains("does not run"));
    }

    #[test]
    fn doctor_names_what_would_be_installed() {
        let lacking = |package| Tool {
            name: "x",
            why: "",
            found: None,
            wanted: String::new(),
            good: false,
            mend: String::new(),
            package: Some(package),
            optional: false,
        };
        assert_eq!(mend(&[]), "cargo xtask qemu-fvp");
        assert_eq!(
            mend(&[lacking("ninja-build"), lacking("meson")]),
            "cargo xtask qemu-fvp (installs meson, ninja-build)"
        );
    }
}
