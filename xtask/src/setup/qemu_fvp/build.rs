//! The build: unpack, patch, configure once; compile what changed; keep the binary.
//!
//! A tree gets its mark when it is configured (it cannot be renamed then: configure writes its path
//! down), so that an interruption leaves nothing that a later run could take for finished. What ninja
//! was doing when it was interrupted, ninja goes on with.

use super::{failure, machine::Machine, needs::PYTHON};
use crate::{paths, process, progress::Step};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// How QEMU is configured, beside its interpreter: the machine, TCG and plugins, nothing else, and
/// nothing fetched.
pub const OPTIONS: [&str; 11] = [
    "--target-list=aarch64-softmmu",
    "--without-default-features",
    "--enable-tcg",
    "--enable-plugins",
    "--enable-fdt=system",
    "--without-default-devices",
    "--with-devices-aarch64=fvp",
    "--disable-docs",
    "--disable-werror",
    // Debian's source has no firmware of other projects in it.
    "--disable-install-blobs",
    "--disable-download",
];
/// Where the machine's files go in QEMU's source.
const PLACE: &str = "hw/arm/fvp";
/// The file that a configured tree has.
const MARK: &str = "configured";
/// Variables that would have another Python, or other modules, used for the build.
const NOT_OURS: [&str; 6] = [
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHOME",
    "MAKEFLAGS",
    "CFLAGS",
    "LDFLAGS",
];

/// The source tree with its build folder in it.
fn tree(folder: &Path, version: &str, machine: &Machine) -> PathBuf {
    folder.join(format!("tree-{version}-{:016x}", machine.tree_hash()))
}

/// Whether a configured tree is there, so that only the machine is compiled.
pub fn is_warm(folder: &Path, version: &str, machine: &Machine) -> bool {
    tree(folder, version, machine)
        .join("build")
        .join(super::BINARY)
        .exists()
}

/// Builds `binary` from the source in `archive`.
///
/// # Errors
/// A step fails; the error names it, its log and the package that is probably missing.
pub fn build(
    folder: &Path,
    version: &str,
    archive: &Path,
    machine: &Machine,
    binary: &Path,
) -> Result<()> {
    let log = paths::cache()?.join("logs/qemu-fvp-build.log");
    let _ = fs::remove_file(&log);
    let tree = tree(folder, version, machine);
    if !tree.join(MARK).exists() {
        remove_trees(folder)?;
        prepare(archive, version, machine, &tree, &log)?;
    }
    lay(machine, &tree.join(PLACE))?;
    compile(&tree, version, &log)?;
    keep(&tree, binary, &log)
}

/// Removes unfinished trees, and those of another patch or version: half a gigabyte each.
fn remove_trees(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("tree-") {
            fs::remove_dir_all(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Unpacks, patches and configures.
fn prepare(
    archive: &Path,
    version: &str,
    machine: &Machine,
    tree: &Path,
    log: &Path,
) -> Result<()> {
    paths::make_dir(tree)?;
    let step = Step::start(format!("unpacking and configuring QEMU {version}"));
    let mut tar = process::bound_command("tar");
    tar.args(["--no-same-owner", "--strip-components=1", "-xf"])
        .arg(archive)
        .arg("-C")
        .arg(tree);
    run(tar, "unpacking", log)?;
    let mut patch = Command::new("patch");
    patch
        .current_dir(tree)
        .args(["--batch", "--forward", "-p1", "-i"])
        .arg(&machine.glue_file);
    run(patch, "patching", log)?;
    lay(machine, &tree.join(PLACE))?;
    let build = tree.join("build");
    paths::make_dir(&build)?;
    let mut configure = process::bound_command(tree.join("configure"));
    configure
        .current_dir(&build)
        .arg(format!("--python={PYTHON}"))
        .args(OPTIONS);
    run(configure, "configuring", log)?;
    paths::write(&tree.join(MARK), version)?;
    step.done();
    Ok(())
}

/// Lays the machine's files into the source; touches none that is the same already, so that ninja
/// compiles only what changed.
fn lay(machine: &Machine, place: &Path) -> Result<()> {
    paths::make_dir(place)?;
    for entry in fs::read_dir(place)
        .with_context(|| format!("cannot list {}", place.display()))?
        .flatten()
    {
        let known = entry
            .file_name()
            .to_str()
            .is_some_and(|name| machine.files.contains_key(name));
        if !known {
            fs::remove_file(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    for (name, bytes) in &machine.files {
        let file = place.join(name);
        if !fs::read(&file).is_ok_and(|old| old == *bytes) {
            paths::write(&file, bytes)?;
        }
    }
    Ok(())
}

fn compile(tree: &Path, version: &str, log: &Path) -> Result<()> {
    let mut step = Step::start(format!("building QEMU {version} with the machine"));
    let mut ninja = process::bound_command("ninja");
    ninja.current_dir(tree.join("build")).arg(super::BINARY);
    clean(&mut ninja);
    // A status line of ninja's own, so that no variable of the environment changes its shape.
    ninja.env("NINJA_STATUS", "[%f/%t] ");
    let result = process::run_watched(ninja, "compiling QEMU (ninja)", log, |line| {
        if let Some(percent) = percent(line) {
            step.percent(percent);
        }
    });
    result.map_err(|error| failure::explain(error, log))?;
    step.done();
    Ok(())
}

/// Strips the binary, asks it for the machine and gives it its name.
fn keep(tree: &Path, binary: &Path, log: &Path) -> Result<()> {
    let built = tree.join("build").join(super::BINARY);
    let place = binary.parent().unwrap_or(Path::new("."));
    paths::make_dir(place)?;
    let part = place.join(format!("{}.part", super::BINARY));
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&part).arg(&built);
    run(strip, "stripping", log)?;
    let machines = process::output(&part.to_string_lossy(), &["-machine", "help"]);
    if !machines.is_some_and(|text| text.contains(super::MACHINE)) {
        bail!(
            "the QEMU that was built has no machine {} (log: {})",
            super::MACHINE,
            log.display()
        );
    }
    fs::rename(&part, binary).with_context(|| format!("cannot name {}", binary.display()))
}

fn clean(command: &mut Command) {
    for variable in NOT_OURS {
        command.env_remove(variable);
    }
}

fn run(mut command: Command, step: &str, log: &Path) -> Result<()> {
    clean(&mut command);
    process::run_logged(command, &format!("{step} QEMU"), log)
        .map_err(|error| failure::explain(error, log))
}

/// How far ninja is, from a line that begins with `[done/all]`.
fn percent(line: &str) -> Option<u64> {
    let (done, all) = line.strip_prefix('[')?.split_once(']')?.0.split_once('/')?;
    let (done, all): (u64, u64) = (done.parse().ok()?, all.parse().ok()?);
    (done * 100).checked_div(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_status_of_ninja_is_read() {
        assert_eq!(percent("[643/1279] Compiling C object a.o"), Some(50));
        assert_eq!(percent("[1279/1279] Linking"), Some(100));
        assert_eq!(percent("[0/0] "), None);
        for other in [
            "ninja: Entering",
            "[x/3] y",
            "[3] y",
            "../a.c:1: warning: [1/2]",
            "[",
        ] {
            assert_eq!(percent(other), None, "{other}");
        }
    }

    #[test]
    fn only_what_changed_is_laid_anew() {
        let place = std::env::temp_dir().join(format!("qemu-fvp-lay-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        let mut machine = Machine {
            glue: Vec::new(),
            files: BTreeMap::from([
                ("a.c".to_owned(), b"a".to_vec()),
                ("b.c".to_owned(), b"b".to_vec()),
            ]),
            glue_file: PathBuf::new(),
        };
        let time = |name: &str| fs::metadata(place.join(name)).unwrap().modified().unwrap();
        lay(&machine, &place).unwrap();
        let before = (time("a.c"), time("b.c"));
        machine.files.insert("b.c".to_owned(), b"c".to_vec());
        fs::write(place.join("gone.c"), "").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        lay(&machine, &place).unwrap();
        let after = (time("a.c"), time("b.c"));
        let gone = !place.join("gone.c").exists();
        fs::remove_dir_all(&place).unwrap();
        assert_eq!(before.0, after.0);
        assert_ne!(before.1, after.1);
        assert!(gone);
    }
}
