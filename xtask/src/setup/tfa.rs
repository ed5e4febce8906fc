//! TF-A: fetched once, built once from its source, unmodified, with dummy payloads, into the cache.
//!
//! Each step works in a folder of its own and is renamed when it is complete, so that an
//! interruption leaves nothing that a later run could take for finished.

use super::{apt::Apt, hash};
use crate::{board::Recipe, fip::TfA, paths, process, progress::Step};
use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Debian's source package.
const PACKAGE: &str = "arm-trusted-firmware";
/// The version whose behaviour the firmware is tested against.
pub const VERSION: &str = "2.12.1+dfsg";
/// Where TF-A's source comes from and where its build goes.
#[derive(Clone, Debug)]
pub struct Place {
    /// How it is built.
    recipe: &'static Recipe,
    /// A checkout that the user names; without one the source comes from Debian.
    checkout: Option<PathBuf>,
    /// The folder of the build: by version and a hash of the options.
    folder: PathBuf,
}

impl Place {
    /// Finds out what is to be used.
    ///
    /// # Errors
    /// There is no cache folder, or `TFA_DIR` names no checkout of TF-A.
    pub fn find(recipe: &'static Recipe) -> Result<Self> {
        let checkout = env::var_os("TFA_DIR")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from);
        let name = match &checkout {
            None => VERSION.to_owned(),
            Some(folder) => {
                if !folder.join("bl31/bl31.mk").exists() {
                    bail!(
                        "TFA_DIR names {}, which is no checkout of TF-A: it has no bl31/bl31.mk",
                        folder.display()
                    );
                }
                format!("checkout-{}", state_of(folder))
            }
        };
        let key = hash(
            recipe
                .options
                .iter()
                .flat_map(|option| option.bytes().chain([0])),
        );
        Ok(Self {
            recipe,
            checkout,
            folder: paths::cache()?
                .join("tfa")
                .join(format!("{name}-{key:016x}")),
        })
    }

    /// The finished build, if there is one.
    pub fn built(&self) -> Option<TfA> {
        self.folder.join("complete").exists().then(|| TfA {
            folder: self.folder.clone(),
        })
    }

    /// Whether a source is there already, so that building takes no network.
    pub fn has_source(&self) -> Result<bool> {
        Ok(self.checkout.is_some() || source_folder()?.is_dir())
    }

    /// A word for `doctor`.
    pub fn wanted(&self) -> String {
        let platform = self.recipe.platform();
        self.checkout.as_ref().map_or_else(
            || format!("{VERSION}, built with the project's options for {platform}"),
            |folder| format!("a build of {} for {platform}", folder.display()),
        )
    }

    /// Fetches what is missing and builds it.
    ///
    /// # Errors
    /// The source cannot be had or does not build; the error names the log.
    pub fn build(&self) -> Result<TfA> {
        let logs = paths::cache()?.join("logs");
        paths::make_dir(&logs)?;
        let source = match &self.checkout {
            Some(folder) => std::path::absolute(folder).context("TFA_DIR is no usable path")?,
            None => fetch(&logs)?,
        };
        let log = logs.join(format!("tf-a-build-{}.log", self.recipe.platform()));
        build(self.recipe, &source, &self.folder, &log)?;
        Ok(TfA {
            folder: self.folder.clone(),
        })
    }
}

/// A key for a checkout's path and state: another commit or another change is another build.
fn state_of(folder: &Path) -> String {
    let folder_text = folder.display().to_string();
    let git = |arguments: &[&str]| {
        let mut all = vec!["-C", folder_text.as_str()];
        all.extend(arguments);
        process::output("git", &all).unwrap_or_default()
    };
    let state = git(&["rev-parse", "HEAD"]) + &git(&["diff", "HEAD"]);
    format!("{:016x}", hash(folder_text.bytes().chain(state.bytes())))
}

fn source_folder() -> Result<PathBuf> {
    Ok(paths::cache()?
        .join("tfa")
        .join(format!("source-{VERSION}")))
}

/// The same path with `.part` behind it: what is not complete yet.
fn part_of(folder: &Path) -> PathBuf {
    let mut part = folder.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

/// Makes an empty folder for what is not complete yet.
fn fresh_part(folder: &Path) -> Result<PathBuf> {
    let part = part_of(folder);
    if part.exists() {
        fs::remove_dir_all(&part)
            .with_context(|| format!("cannot remove the unfinished {}", part.display()))?;
    }
    paths::make_dir(&part)?;
    Ok(part)
}

fn finish(part: &Path, folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    fs::rename(part, folder)
        .with_context(|| format!("cannot rename {} to {}", part.display(), folder.display()))
}

/// Fetches and unpacks the source, unless that was done. Returns its folder.
fn fetch(logs: &Path) -> Result<PathBuf> {
    let folder = source_folder()?;
    if !folder.is_dir() {
        let apt = Apt::new()?;
        let log = logs.join("apt.log");
        apt.update(&log)?;
        let part = fresh_part(&folder)?;
        let step = Step::start(format!("fetching the source of TF-A {VERSION}"));
        apt.source(PACKAGE, &part, &log).with_context(|| {
            format!("the source of {PACKAGE} cannot be fetched; check the network, or set TFA_DIR to a checkout of TF-A 2.12")
        })?;
        let archive = part.join(format!("{PACKAGE}_{VERSION}.orig.tar.xz"));
        if !archive.exists() {
            bail!(
                "Debian has another version of TF-A's source now, wanted {VERSION}: set TFA_DIR to a checkout of TF-A 2.12"
            );
        }
        let mut tar = Command::new("tar");
        tar.args(["--no-same-owner", "--strip-components=1", "-xf"])
            .arg(&archive)
            .arg("-C")
            .arg(&part);
        process::run_logged(tar, "unpacking TF-A's source", &log)?;
        finish(&part, &folder)?;
        step.done();
    }
    Ok(folder)
}

fn build(recipe: &Recipe, source: &Path, folder: &Path, log: &Path) -> Result<()> {
    let _ = fs::remove_file(log);
    let part = fresh_part(folder)?;
    let build = part.join("build");
    paths::make_dir(&build)?;
    // The payloads are packed per boot; the build only wants to see some.
    let dummy = part.join("dummy.bin");
    paths::write(&dummy, [0; 4096])?;
    let layout = part.join("sp_layout.json");
    paths::write(&layout, "{}")?;
    let platform = recipe.platform();
    let step = Step::start(format!(
        "building TF-A for {platform} from {}",
        source.display()
    ));
    let mut command = process::bound_command("make");
    command
        .arg("-C")
        .arg(source)
        .args(recipe.options)
        .arg(format!("ARM_ARCH_MINOR={}", architecture_minor(source)))
        .arg(format!("BUILD_BASE={}", build.display()))
        .arg(format!("BL32={}", dummy.display()))
        .arg(format!("BL33={}", dummy.display()))
        .arg(format!("SP_LAYOUT_FILE={}", layout.display()))
        .arg(format!(
            "-j{}",
            std::thread::available_parallelism().map_or(1, usize::from)
        ))
        .args(recipe.targets)
        .arg("fiptool")
        // Flags of an outer make are not TF-A's.
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS");
    process::run_logged(command, "building TF-A", log)?;
    let release = build.join(platform).join("release");
    for product in recipe.products {
        let from = release.join(product);
        let to = part.join(from.file_name().unwrap_or_default());
        fs::copy(&from, to).with_context(|| format!("TF-A's build left no {}", from.display()))?;
    }
    // Newer versions build their tools beside the images.
    let fiptool = [
        release.join("tools/fiptool/fiptool"),
        source.join("tools/fiptool/fiptool"),
    ];
    let fiptool = fiptool
        .iter()
        .find(|path| path.exists())
        .with_context(|| format!("TF-A's build left no fiptool (log: {})", log.display()))?;
    fs::copy(fiptool, part.join("fiptool")).context("cannot copy TF-A's fiptool")?;
    let _ = fs::remove_dir_all(&build);
    paths::write(&part.join("complete"), recipe.options.join("\n"))?;
    finish(&part, folder)?;
    step.done();
    Ok(())
}

/// The minor version of the architecture to build for. From 2.13 on, TF-A takes 8.5 to mean that
/// the CPU has FEAT_TRF, which QEMU's has not.
fn architecture_minor(source: &Path) -> u32 {
    let text = fs::read_to_string(source.join("Makefile")).unwrap_or_default();
    let minor = text
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_MINOR"))
        .and_then(|rest| {
            rest.trim_start_matches([' ', '\t', ':', '='])
                .trim()
                .parse()
                .ok()
        });
    match minor {
        Some(13_u32..) => 3,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_build_changes_with_its_options() {
        let key = |text: &str| hash(text.bytes());
        assert_eq!(key(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(key("a"), 0xaf63_dc4c_8601_ec8c);
        assert_ne!(key("A=1\0B=2"), key("A=1\0B=3"));
    }

    #[test]
    fn unfinished_work_has_another_name() {
        assert_eq!(part_of(Path::new("/c/x-1.2")), Path::new("/c/x-1.2.part"));
    }
}
