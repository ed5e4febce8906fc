//! What must be on the machine: the tools, Rust's target, TF-A's build. Installs or builds what is
//! missing, after it has said what and why; takes no network when nothing is.

mod apt;
pub mod qemu_fvp;
mod sources;
mod space;
mod tfa;
mod tools;
mod version;

pub use tools::Tool;

use crate::{
    board::{Board, Flow, Qemu},
    fip::TfA,
    firmware::TARGET,
    paths, process,
};
use anyhow::{Context, Result, bail};
use apt::Apt;
use std::{
    collections::BTreeSet,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};
use tfa::Place;

/// What every boot needs.
#[derive(Clone, Debug)]
pub struct Tools {
    /// QEMU's binary.
    pub qemu: PathBuf,
    /// TF-A's products, by the way of booting.
    tf_a: Vec<(Flow, TfA)>,
}

impl Tools {
    /// TF-A's products for a way of booting.
    ///
    /// # Errors
    /// They were not asked for when the tools were set up.
    pub fn tf_a(&self, flow: Flow) -> Result<&TfA> {
        self.tf_a
            .iter()
            .find_map(|(known, tf_a)| (*known == flow).then_some(tf_a))
            .with_context(|| format!("TF-A was not built for the way of booting {flow:?}"))
    }
}

/// The state of everything that the usual boot of a board needs, for `doctor`.
///
/// # Errors
/// There is no cache folder, or `TFA_DIR` is wrong.
pub fn state(board: &'static Board) -> Result<Vec<Tool>> {
    let mut state = tools::all();
    for (_, place) in places(board, [Flow::default()])? {
        state.push(tf_a(&place)?);
    }
    state.push(qemu_fvp::state()?);
    Ok(state)
}

fn tf_a(place: &Place) -> Result<Tool> {
    let built = place.built();
    Ok(Tool {
        name: "TF-A",
        why: "boots the chain",
        found: match &built {
            Some(tf_a) => Some(tf_a.folder.display().to_string()),
            None if place.has_source()? => Some("its source, not built yet".to_owned()),
            None => None,
        },
        wanted: place.wanted(),
        good: built.is_some(),
        mend: if built.is_some() {
            String::new()
        } else {
            "cargo xtask setup".to_owned()
        },
        package: None,
        optional: false,
    })
}

/// Where TF-A is for ways of booting.
fn places(
    board: &'static Board,
    flows: impl IntoIterator<Item = Flow>,
) -> Result<Vec<(Flow, Place)>> {
    flows
        .into_iter()
        .map(|flow| {
            let known = board
                .flow(flow)
                .with_context(|| format!("{} has no way of booting {flow:?}", board.name))?;
            Ok((flow, Place::find(&known.tf_a)?))
        })
        .collect()
}

/// Installs or builds what is missing for some ways of booting a board, and returns where it is.
///
/// # Errors
/// Something is missing and cannot be had; the error says what to do.
pub fn ensure(board: &'static Board, flows: impl IntoIterator<Item = Flow>) -> Result<Tools> {
    let tf_a = built_or_build(&places(board, flows)?)?;
    let qemu = match board.qemu {
        Qemu::Packaged => tools::qemu(),
        Qemu::WithFvp => qemu_fvp::ensure()?,
    };
    Ok(Tools { qemu, tf_a })
}

/// The same without QEMU, for one way of booting.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_tf_a(board: &'static Board, flow: Flow) -> Result<TfA> {
    let built = built_or_build(&places(board, [flow])?)?;
    built
        .into_iter()
        .next()
        .map(|(_, tf_a)| tf_a)
        .context("TF-A was not built")
}

fn built_or_build(places: &[(Flow, Place)]) -> Result<Vec<(Flow, TfA)>> {
    let built = || {
        let built = places
            .iter()
            .map(|(flow, place)| Some((*flow, place.built()?)));
        built.collect::<Option<Vec<_>>>()
    };
    let missing: Vec<_> = tools::all().into_iter().filter(|tool| !tool.good).collect();
    if let (true, Some(tf_a)) = (missing.is_empty(), built()) {
        return Ok(tf_a);
    }
    // One set-up at a time; the second finds the first one's work.
    let _lock = lock(&paths::cache()?, "another set-up")?;
    announce(&missing, places)?;
    space::check(&paths::cache()?, 400, "TF-A and Debian's package lists")?;
    install(&missing)?;
    places
        .iter()
        .map(|(flow, place)| {
            let tf_a = match place.built() {
                Some(tf_a) => tf_a,
                None => place.build()?,
            };
            Ok((*flow, tf_a))
        })
        .collect()
}

/// Takes the lock of a folder; waits if another process has it.
///
/// # Errors
/// The folder cannot be written to.
pub fn lock(folder: &Path, who: &str) -> Result<File> {
    paths::make_dir(folder)?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("{who} is under way, waiting for it …");
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// Says first what will be done and why.
fn announce(missing: &[Tool], places: &[(Flow, Place)]) -> Result<()> {
    eprintln!("set-up: this is missing and will be installed or built:");
    for tool in missing {
        let from = match (tool.package, tool.name) {
            (Some(package), _) => format!("Debian's package {package}"),
            (None, tools::RUST_TARGET | tools::RUST_SOURCE) => "rustup".to_owned(),
            (None, _) => "yours to mend".to_owned(),
        };
        eprintln!("  {} (from: {from})", tool.complaint());
    }
    let unbuilt = places.iter().filter(|(_, place)| place.built().is_none());
    for (_, place) in unbuilt {
        eprintln!(
            "  TF-A: {} (boots the chain; {}), kept in {}",
            place.wanted(),
            if place.has_source()? {
                "its source is there"
            } else {
                "its source comes from Debian's archive, 10 MB"
            },
            paths::cache()?.join("tfa").display()
        );
    }
    Ok(())
}

fn install(missing: &[Tool]) -> Result<()> {
    if let Some(tool) = missing
        .iter()
        .find(|tool| tool.package.is_none() && rustup_adds(tool.name).is_none())
    {
        bail!("{}: {}", tool.complaint(), tool.mend);
    }
    let packages = packages(missing);
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    for arguments in missing.iter().filter_map(|tool| rustup_adds(tool.name)) {
        let mut command = Command::new("rustup");
        command.current_dir(paths::root()).args(arguments);
        let log = paths::cache()?.join("logs/rustup.log");
        paths::make_dir(&paths::cache()?.join("logs"))?;
        let what = format!("rustup {}", arguments.join(" "));
        process::run_logged(command, &what, &log).with_context(|| {
            format!("`{what}` failed; check the network, or install it by hand")
        })?;
    }
    // What was installed must be what was wanted: an older QEMU may still come first in the path.
    match tools::all().into_iter().find(|tool| !tool.good) {
        Some(tool) => bail!(
            "after the installation still: {}; {}",
            tool.complaint(),
            tool.mend
        ),
        None => Ok(()),
    }
}

/// The packages of tools, each once.
fn packages(tools: &[Tool]) -> Vec<&'static str> {
    let packages: BTreeSet<_> = tools.iter().filter_map(|tool| tool.package).collect();
    packages.into_iter().collect()
}

/// FNV-1a: the same in every version of Rust.
fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What rustup has to do to add a tool, if rustup adds it.
fn rustup_adds(tool: &str) -> Option<[&'static str; 3]> {
    match tool {
        tools::RUST_TARGET => Some(["target", "add", TARGET]),
        tools::RUST_SOURCE => Some(["component", "add", "rust-src"]),
        _ => None,
    }
}

fn install_packages(packages: &[&str]) -> Result<()> {
    let apt = Apt::new()
        .with_context(|| format!("these packages are missing: {}", packages.join(" ")))?;
    let logs = paths::cache()?.join("logs");
    paths::make_dir(&logs)?;
    let log = logs.join("apt.log");
    apt.update(&log)?;
    if rustix::process::geteuid().is_root() {
        space::check(Path::new("/usr"), 500, "the missing packages")?;
        return apt.install(packages, &log);
    }
    let sudo = process::output("sudo", &["--version"]).is_some();
    let commands: Vec<_> = apt
        .install_commands(packages)
        .iter()
        .map(|arguments| {
            let sudo = if sudo { "sudo " } else { "" };
            format!("{sudo}apt-get {}", quoted(arguments))
        })
        .collect();
    bail!(
        "packages are missing and only root may install them: run this{}, then the same command again:\n\n{}\n",
        if sudo { "" } else { " as root" },
        commands.join(" && ")
    )
}

/// Arguments as a shell takes them.
pub fn quoted(arguments: &[String]) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./=:+~,".contains(c);
    arguments
        .iter()
        .map(|argument| {
            if !argument.is_empty() && argument.chars().all(safe) {
                argument.clone()
            } else {
                format!("'{}'", argument.replace('\'', r"'\''"))
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_command_works_as_pasted() {
        let arguments = ["-c", "/home/a b/apt.conf", "install", "it's"].map(str::to_owned);
        assert_eq!(
            quoted(&arguments),
            r"-c '/home/a b/apt.conf' install 'it'\''s'"
        );
    }
}
