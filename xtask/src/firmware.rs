//! Builds the firmware with cargo, one target folder per board and log level, so that a change of either
//! rebuilds nothing that was built before.

use crate::{board::Board, image, paths, process};
use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The target of everything that runs on the machine.
pub const TARGET: &str = "aarch64-unknown-none-softfloat";

/// Tells the firmware's build which board it is for.
const BOARD: &str = "TANTALUM_BOARD";

/// A binary of the firmware: its package and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binary {
    /// The cargo package.
    pub package: &'static str,
    /// The binary's name.
    pub name: &'static str,
}

/// The SPMC.
pub const SPMC: Binary = Binary {
    package: "spmc",
    name: "spmc",
};

/// The proxy.
pub const PROXY: Binary = Binary {
    package: "proxy-el2",
    name: "proxy-el2",
};

/// A client or partition of `sp-test`.
pub const fn payload(name: &'static str) -> Binary {
    Binary {
        package: "sp-test",
        name,
    }
}

/// How to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// For which board.
    pub board: &'static Board,
    /// Cargo's profile.
    pub profile: String,
    /// The lowest level of log records compiled in, or `off`.
    pub log: String,
}

impl Options {
    /// How it is built for a board if nothing else is wanted.
    pub fn of(board: &'static Board) -> Self {
        Self {
            board,
            profile: "release".to_owned(),
            log: "info".to_owned(),
        }
    }
}

/// What was built.
#[derive(Clone, Debug)]
pub struct Firmware {
    folder: PathBuf,
}

impl Firmware {
    /// Builds `binaries`. Cargo's own messages go to standard error.
    ///
    /// # Errors
    /// Cargo is not there or the build fails.
    pub fn build(binaries: &BTreeSet<Binary>, options: &Options) -> Result<Self> {
        let target =
            paths::target().join(format!("firmware-{}-{}", options.board.name, options.log));
        let mut command =
            process::bound_command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .current_dir(paths::root())
            .args(["build", "--profile", &options.profile, "--target", TARGET])
            .arg("--target-dir")
            .arg(&target)
            // Landing pads and signed return addresses, in the core library too, or it could not be
            // called from guarded pages. Rust has no stable switch for either yet; the compiler is
            // the stable one all the same.
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["-Z", "build-std=core"])
            // What Rust's own core library will have to change one day is no news for this project.
            .args(["--config", "future-incompat-report.frequency='never'"])
            .args(["--features", "platform/branch-protection"])
            .arg("--config")
            .arg(format!(
                "target.{TARGET}.rustflags=[\"-Zbranch-protection=bti,pac-ret\"]"
            ))
            .env(BOARD, options.board.name)
            .env("DEFMT_LOG", &options.log);
        let packages: BTreeSet<_> = binaries.iter().map(|binary| binary.package).collect();
        for package in packages {
            command.args(["--package", package]);
        }
        for binary in binaries {
            command.args(["--bin", binary.name]);
        }
        let status = process::Process::spawn(command)?.wait()?;
        if !status.success() {
            bail!("the firmware does not build: cargo's messages above say why");
        }
        let profile = match options.profile.as_str() {
            "dev" => "debug",
            name => name,
        };
        Ok(Self {
            folder: target.join(TARGET).join(profile),
        })
    }

    /// The ELF file of a binary.
    pub fn elf(&self, binary: Binary) -> PathBuf {
        self.folder.join(binary.name)
    }

    /// The flat image of a binary.
    ///
    /// # Errors
    /// The ELF file is not there or cannot be made flat.
    pub fn flat(&self, binary: Binary) -> Result<Vec<u8>> {
        image::flatten(&self.elf(binary))
    }
}

/// Runs the device tree compiler on `source` and returns the blob. `name` is for messages.
///
/// # Errors
/// `dtc` is not there or refuses the source; the error says where.
pub fn compile_dts(name: &str, source: &str, folder: &Path) -> Result<Vec<u8>> {
    let input = folder.join(format!("{name}.dts"));
    let output = folder.join(format!("{name}.dtb"));
    paths::write(&input, source)?;
    let result = Command::new("dtc")
        .args(["-q", "-I", "dts", "-O", "dtb", "-o"])
        .args([&output, &input])
        .output()
        .context("cannot start dtc; `cargo xtask setup` installs it")?;
    if !result.status.success() {
        let text = String::from_utf8_lossy(&result.stderr);
        bail!(
            "dtc refuses {}: {}",
            input.display(),
            text.lines().next().unwrap_or("it does not say why")
        );
    }
    paths::read(&output)
}
