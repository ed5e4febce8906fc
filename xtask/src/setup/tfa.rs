//! TF-A: built once from its source, unmodified, with dummy payloads, into the cache.

use crate::{fip::TfA, paths, process};
use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The version of Debian's source package.
pub const VERSION: &str = "2.12.1+dfsg-1";
/// What is kept of a build.
const PRODUCTS: [&str; 3] = ["bl1.bin", "bl2.bin", "bl31.bin"];
/// How TF-A is built. A change here makes a new build.
const OPTIONS: [&str; 22] = [
    "PLAT=qemu",
    "CROSS_COMPILE=aarch64-linux-gnu-",
    "DEBUG=0",
    "LOG_LEVEL=40",
    "QEMU_USE_GIC_DRIVER=QEMU_GICV3",
    "BL32_RAM_LOCATION=tdram",
    "ENABLE_SME_FOR_NS=2",
    "ENABLE_SME_FOR_SWD=1",
    "ENABLE_SVE_FOR_NS=2",
    "ENABLE_SVE_FOR_SWD=1",
    "ENABLE_FEAT_FGT=2",
    "ENABLE_FEAT_HCX=2",
    "ENABLE_FEAT_ECV=2",
    "SPD=spmd",
    "SPMD_SPM_AT_SEL2=1",
    "ENABLE_FEAT_SEL2=1",
    "NEED_FDT=yes",
    "NEED_BL32=yes",
    "BRANCH_PROTECTION=1",
    "ARM_ARCH_MAJOR=8",
    "ARM_ARCH_MINOR=5",
    "ENABLE_FEAT_MTE2=2",
];

/// Builds TF-A unless it is built already.
///
/// # Errors
/// The source is not there or does not build; the error names the log.
pub fn ensure() -> Result<TfA> {
    let source = source()?;
    let folder = folder()?;
    if folder.join("complete").exists() {
        return Ok(TfA { folder });
    }
    build(&source, &folder)?;
    Ok(TfA { folder })
}

/// The folder of the build: by version and a hash of the options.
fn folder() -> Result<PathBuf> {
    let hash = OPTIONS
        .iter()
        .flat_map(|option| option.bytes().chain([0]))
        // FNV-1a: any change of an option gives another folder, in every version of Rust the same.
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    Ok(paths::cache()?
        .join("tfa")
        .join(format!("{VERSION}-{hash:016x}")))
}

fn source() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("TFA_DIR") {
        return Ok(folder.into());
    }
    Ok(paths::cache()?.join("hand/arm-trusted-firmware-2.12.1"))
}

fn build(source: &Path, folder: &Path) -> Result<()> {
    if !source.join("Makefile").exists() {
        bail!("found no TF-A source in {}", source.display());
    }
    let logs = paths::cache()?.join("logs");
    paths::make_dir(&logs)?;
    let log = logs.join("tf-a.log");
    let _ = fs::remove_file(&log);
    let mut part = folder.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let _ = fs::remove_dir_all(&part);
    let build = part.join("build");
    paths::make_dir(&build)?;
    let dummy = part.join("dummy.bin");
    paths::write(&dummy, [0; 4096])?;
    let layout = part.join("sp_layout.json");
    paths::write(&layout, "{}")?;
    eprintln!("building TF-A {VERSION} (once)…");
    let mut command = Command::new("make");
    command
        .arg("-C")
        .arg(source)
        .args(OPTIONS)
        .arg(format!("BUILD_BASE={}", build.display()))
        .arg(format!("BL32={}", dummy.display()))
        .arg(format!("BL33={}", dummy.display()))
        .arg(format!("SP_LAYOUT_FILE={}", layout.display()))
        .arg(format!(
            "-j{}",
            std::thread::available_parallelism().map_or(1, usize::from)
        ))
        .args(["bl1", "bl2", "bl31", "fiptool"]);
    process::run_logged(command, "building TF-A", &log)?;
    for product in PRODUCTS {
        let from = build.join("qemu/release").join(product);
        fs::copy(&from, part.join(product))
            .with_context(|| format!("TF-A's build left no {}", from.display()))?;
    }
    let fiptool = source.join("tools/fiptool/fiptool");
    fs::copy(&fiptool, part.join("fiptool"))
        .with_context(|| format!("TF-A's build left no {}", fiptool.display()))?;
    let _ = fs::remove_dir_all(&build);
    paths::write(&part.join("complete"), VERSION)?;
    fs::rename(&part, folder)
        .with_context(|| format!("cannot move the finished build to {}", folder.display()))
}
