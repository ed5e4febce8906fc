//! Debian's package manager through a private configuration in the cache: the machine's own is
//! read, never changed.

use super::sources::{self, Entry};
use crate::{paths, process, progress::Step};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The suite that has the sources: TF-A's, and one of QEMU 10.0.
const SOURCE_SUITE: &str = "trixie";
/// Package lists younger than this are used as they are.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// What to say where apt cannot help.
pub const WITHOUT_APT: &str = "set QEMU to a qemu-system-aarch64 of version 10.0 or later and TFA_DIR to a checkout of TF-A 2.12, and install the other tools that `cargo xtask doctor` lists";

/// The private configuration.
#[derive(Debug)]
pub struct Apt {
    folder: PathBuf,
    codename: String,
}

impl Apt {
    /// Writes the private configuration from the machine's own sources.
    ///
    /// # Errors
    /// This is no Debian 12 or later, or no Debian archive is configured.
    pub fn new() -> Result<Self> {
        let codename = codename()?;
        let folder = paths::cache()?.join("apt");
        for part in ["lists/partial", "cache/archives/partial", "keys"] {
            paths::make_dir(&folder.join(part))?;
        }
        let entries = sources::debian(&machine_entries(), &codename);
        let Some(main) = entries.iter().find(|entry| entry.suite == codename) else {
            bail!(
                "/etc/apt names no Debian archive with suite {codename} and component main, which is needed to find packages; add one, or {WITHOUT_APT}"
            );
        };
        let apt = Self { folder, codename };
        let mut list = String::new();
        for (index, entry) in entries.iter().enumerate() {
            list += &apt.line(index, "deb", entry, &entry.suite)?;
        }
        let main_index = entries.iter().position(|entry| entry == main).unwrap_or(0);
        if let Some(backports) = apt.backports() {
            list += &apt.line(main_index, "deb", main, &backports)?;
        }
        list += &apt.line(main_index, "deb-src", main, SOURCE_SUITE)?;
        // The release that needs backports for QEMU itself has the preferred source of QEMU there.
        if let Some(backports) = apt.backports() {
            list += &apt.line(main_index, "deb-src", main, &backports)?;
        }
        paths::write(&apt.folder.join("sources.list"), list)?;
        paths::write(
            &apt.configuration(),
            format!(
                "Dir::Etc::SourceList \"{0}/sources.list\";\nDir::Etc::SourceParts \"/dev/null\";\n\
                 Dir::State::Lists \"{0}/lists\";\nAPT::Sandbox::User \"root\";\n\
                 APT::Update::Error-Mode \"any\";\n\
                 Acquire::Retries \"1\";\nAcquire::http::Timeout \"30\";\nAcquire::https::Timeout \"30\";\n",
                apt.folder.display()
            ),
        )?;
        Ok(apt)
    }

    fn line(&self, index: usize, kind: &str, entry: &Entry, suite: &str) -> Result<String> {
        let key = match &entry.inline_key {
            Some(key) => {
                let file = self.folder.join("keys").join(format!("{index}.asc"));
                paths::write(&file, key)?;
                Some(file.display().to_string())
            }
            None => None,
        };
        Ok(sources::line(kind, entry, suite, key.as_deref()))
    }

    /// The suite that has QEMU, where the release's own is too old.
    pub fn backports(&self) -> Option<String> {
        (self.codename == "bookworm").then(|| "bookworm-backports".to_owned())
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("apt.conf")
    }

    /// The commands that install packages, as arguments of `apt-get`.
    pub fn install_commands(&self, packages: &[&str]) -> Vec<Vec<String>> {
        let (newer, rest): (Vec<&str>, Vec<&str>) = packages
            .iter()
            .partition(|package| is_too_old_on_bookworm(package));
        let command = |suite: Option<String>, packages: &[&str]| {
            let mut arguments = vec![
                "-c".to_owned(),
                self.configuration().display().to_string(),
                "install".to_owned(),
                "-y".to_owned(),
                "--no-install-recommends".to_owned(),
            ];
            if let Some(suite) = suite {
                arguments.extend(["-t".to_owned(), suite]);
            }
            arguments.extend(packages.iter().map(|package| (*package).to_owned()));
            arguments
        };
        let mut commands = Vec::new();
        if !rest.is_empty() {
            commands.push(command(None, &rest));
        }
        if !newer.is_empty() {
            commands.push(command(self.backports(), &newer));
        }
        commands
    }

    /// Fetches the package lists, unless that was done today.
    ///
    /// # Errors
    /// The archive cannot be reached.
    pub fn update(&self, log: &Path) -> Result<()> {
        let stamp = self.folder.join("updated");
        let sources = paths::read_text(&self.folder.join("sources.list"))?;
        let fresh = fs::metadata(&stamp)
            .and_then(|data| data.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age < FRESH))
            && fs::read_to_string(&stamp).is_ok_and(|old| old == sources);
        if fresh {
            return Ok(());
        }
        let step = Step::start("fetching Debian's package lists");
        process::run_logged(self.private(&["update"]), "apt-get update", log).with_context(|| {
            format!("Debian's archive cannot be reached; connect this machine to the network and run it again, or {WITHOUT_APT}")
        })?;
        paths::write(&stamp, sources)?;
        step.done();
        Ok(())
    }

    /// Installs packages; needs root.
    ///
    /// # Errors
    /// `apt-get` fails.
    pub fn install(&self, packages: &[&str], log: &Path) -> Result<()> {
        for arguments in self.install_commands(packages) {
            let names: Vec<_> = packages
                .iter()
                .filter(|package| arguments.iter().any(|argument| argument == *package))
                .copied()
                .collect();
            let step = Step::start(format!("installing {}", names.join(", ")));
            let mut command = Command::new("apt-get");
            command
                .args(&arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .env_remove("APT_CONFIG");
            process::run_logged(command, "apt-get install", log)?;
            step.done();
        }
        Ok(())
    }

    /// Fetches a source package into `folder`; needs no root.
    ///
    /// # Errors
    /// The archive cannot be reached or has no such source.
    pub fn source(&self, package: &str, folder: &Path, log: &Path) -> Result<()> {
        let mut command = self.private(&["source", "--download-only", package]);
        command.current_dir(folder);
        process::run_logged(command, "apt-get source", log)
    }

    /// What the lists say about a source package, in every version: the text of `apt-cache showsrc`.
    ///
    /// # Errors
    /// `apt-cache` fails.
    pub fn offers(&self, package: &str) -> Result<String> {
        let configuration = self.configuration().display().to_string();
        let arguments = ["-c", &configuration, "showsrc", "--only-source", package];
        process::output("apt-cache", &arguments)
            .with_context(|| format!("`apt-cache showsrc {package}` failed"))
    }

    /// A command that writes to no folder of the machine's own.
    fn private(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("apt-get");
        command
            .arg("-c")
            .arg(self.configuration())
            .arg("-o")
            .arg(format!("Dir::Cache={}/cache", self.folder.display()))
            .args(arguments)
            .env_remove("APT_CONFIG");
        command
    }
}

/// What bookworm's backports are for: its QEMU has no timers of secure EL2; its Meson cannot build
/// QEMU 10, and it has no pycotap at all.
fn is_too_old_on_bookworm(package: &str) -> bool {
    package.starts_with("qemu") || matches!(package, "meson" | "python3-pycotap")
}

/// All entries of the machine's own sources.
fn machine_entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    let root = Path::new("/etc/apt");
    let mut files = vec![root.join("sources.list")];
    if let Ok(folder) = fs::read_dir(root.join("sources.list.d")) {
        files.extend(folder.filter_map(|file| Some(file.ok()?.path())));
    }
    files.sort();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        match file.extension().and_then(|name| name.to_str()) {
            Some("sources") => entries.extend(sources::parse_sources(&text)),
            Some("list") => entries.extend(sources::parse_list(&text)),
            _ => {}
        }
    }
    entries
}

fn codename() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let apt = process::output("apt-get", &["--version"]).is_some();
    parse_codename(&text, apt)
}

fn parse_codename(os_release: &str, apt: bool) -> Result<String> {
    let field = |name: &str| {
        os_release.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix('=')?;
            Some(value.trim_matches('"').to_owned())
        })
    };
    let name = field("PRETTY_NAME").unwrap_or_else(|| "an unknown system".to_owned());
    if !apt {
        bail!("found no apt-get on {name}, which would install what is missing; {WITHOUT_APT}");
    }
    if field("ID").as_deref() != Some("debian") {
        bail!("found {name}, but packages are known for Debian 12 and 13 only; {WITHOUT_APT}");
    }
    match field("VERSION_CODENAME") {
        Some(codename) if !matches!(codename.as_str(), "buster" | "bullseye" | "stretch") => {
            Ok(codename)
        }
        _ => {
            bail!("found {name}, wanted Debian 12 or 13: older ones have no QEMU 10; {WITHOUT_APT}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debian_12_and_later_are_taken() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_CODENAME=bookworm\n";
        assert_eq!(parse_codename(debian, true).unwrap(), "bookworm");
        assert!(parse_codename(debian, false).is_err());
        assert!(parse_codename("ID=ubuntu\nVERSION_CODENAME=noble\n", true).is_err());
        let old = "ID=debian\nVERSION_CODENAME=bullseye\n";
        let error = parse_codename(old, true).unwrap_err().to_string();
        assert!(error.contains("TFA_DIR"), "{error}");
    }

    #[test]
    fn what_is_too_old_comes_from_backports_on_bookworm_only() {
        let apt = |codename: &str| Apt {
            folder: "/c/apt".into(),
            codename: codename.to_owned(),
        };
        let commands = apt("bookworm").install_commands(&["make", "qemu-system-arm"]);
        assert_eq!(commands.len(), 2);
        assert!(
            commands[1]
                .join(" ")
                .ends_with("-t bookworm-backports qemu-system-arm")
        );
        let commands = apt("bookworm").install_commands(&["meson", "ninja-build"]);
        assert!(commands[0].join(" ").ends_with("recommends ninja-build"));
        assert!(
            commands[1]
                .join(" ")
                .ends_with("-t bookworm-backports meson")
        );
        let commands = apt("trixie").install_commands(&["qemu-system-arm"]);
        assert_eq!(
            commands[0].join(" "),
            "-c /c/apt/apt.conf install -y --no-install-recommends qemu-system-arm"
        );
    }
}
