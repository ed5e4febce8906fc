//! The boot image: TF-A's stages, the SPMC, BL33, the partitions and the configuration that lists
//! them, packed with TF-A's own `fiptool`.

use crate::{firmware, paths, process};
use anyhow::{Context, Result, bail};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// Where the FIP starts in the boot image: 256 KiB, as TF-A's QEMU port expects.
const FIP_OFFSET: usize = 256 << 10;
/// BL2 gives the SPMC manifest and the configuration one page each.
const CONFIG_ROOM: usize = 4096;

/// BL2 (TF-A 2.12.1) loads at most so many packages (MAX_SP_IDS), each of at most so many bytes.
const PACKAGES: usize = 8;
const PACKAGE_ROOM: usize = 4 << 20;

/// TF-A's products.
#[derive(Clone, Debug)]
pub struct TfA {
    /// The folder with `bl1.bin`, `bl2.bin`, `bl31.bin` and `fiptool`.
    pub folder: PathBuf,
}

/// A partition's package and where BL2 finds and puts it.
#[derive(Clone, Debug)]
pub struct Package {
    /// The node's name in the configuration.
    pub name: String,
    /// The manifest's UUID as four words.
    pub uuid: [u32; 4],
    /// Where BL2 loads it.
    pub load_address: u32,
    /// The package.
    pub bytes: Vec<u8>,
}

/// What goes into one boot image beside TF-A.
#[derive(Clone, Debug)]
pub struct Payloads {
    /// BL32.
    pub spmc: Vec<u8>,
    /// The compiled SPMC manifest.
    pub spmc_manifest: Vec<u8>,
    /// BL33.
    pub bl33: Vec<u8>,
    /// The partitions.
    pub partitions: Vec<Package>,
}

/// Formats a manifest's UUID the way TF-A's tools do: the bytes of each word are swapped, for the
/// manifest has them in the order of registers and the FIP in the order of text.
pub fn uuid_text(words: [u32; 4]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The configuration that tells BL2 which packages to load (TB_FW_CONFIG).
pub fn tb_fw_config(partitions: &[Package]) -> String {
    let mut text =
        "/dts-v1/;\n/ {\n\tsecure-partitions {\n\t\tcompatible = \"arm,sp\";\n".to_owned();
    for partition in partitions {
        let _ = writeln!(
            text,
            "\t\t{} {{\n\t\t\tuuid = \"{}\";\n\t\t\tload-address = <{:#x}>;\n\t\t\towner = \"Plat\";\n\t\t}};",
            partition.name,
            uuid_text(partition.uuid),
            partition.load_address
        );
    }
    text.push_str("\t};\n};\n");
    text
}

/// What BL2 is to load: each package by itself, or, where there are more than it can load, several in
/// one, as they lie behind each other in memory. BL2 looks into none of them, and the SPMC finds each
/// at the address that its own manifest says.
///
/// # Errors
/// Two overlap, or several are too large for one.
pub fn loads(partitions: &[Package]) -> Result<Vec<Package>> {
    if partitions.len() <= PACKAGES {
        return Ok(partitions.to_vec());
    }
    let mut sorted = partitions.to_vec();
    sorted.sort_by_key(|package| package.load_address);
    let together = sorted.len().div_ceil(PACKAGES);
    sorted.chunks(together).map(join).collect()
}

fn join(packages: &[Package]) -> Result<Package> {
    let Some((first, rest)) = packages.split_first() else {
        bail!("no package to load");
    };
    let mut joined = first.clone();
    for package in rest {
        let offset = (package.load_address - joined.load_address) as usize;
        let end = offset + package.bytes.len();
        if offset < joined.bytes.len() || end > PACKAGE_ROOM {
            bail!(
                "{} lies at {offset:#x}..{end:#x} behind the start of {}, wanted behind {:#x} and below {PACKAGE_ROOM:#x}: BL2 loads {PACKAGES} packages, so these two must be one",
                package.name,
                joined.name,
                joined.bytes.len()
            );
        }
        joined.bytes.resize(offset, 0);
        joined.bytes.extend(&package.bytes);
    }
    Ok(joined)
}

/// Packs everything into `folder` and returns the boot image's path.
///
/// # Errors
/// A part is too large for its place, a file cannot be written, or `fiptool` fails.
pub fn pack(tf_a: &TfA, payloads: &Payloads, folder: &Path) -> Result<PathBuf> {
    if payloads.spmc_manifest.len() > CONFIG_ROOM {
        bail!(
            "the compiled SPMC manifest has {} bytes, BL2 loads at most {CONFIG_ROOM}",
            payloads.spmc_manifest.len()
        );
    }
    let loads = loads(&payloads.partitions)?;
    let config = firmware::compile_dts("tb_fw", &tb_fw_config(&loads), folder)?;
    if config.len() > CONFIG_ROOM {
        bail!(
            "the list of partitions has {} bytes, BL2 loads at most {CONFIG_ROOM}: use fewer partitions",
            config.len()
        );
    }
    let part = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
        let file = folder.join(name);
        paths::write(&file, bytes)?;
        Ok(file)
    };
    let fip = folder.join("fip.bin");
    let mut command = Command::new(tf_a.folder.join("fiptool"));
    command
        .arg("create")
        .arg("--tb-fw")
        .arg(tf_a.folder.join("bl2.bin"))
        .arg("--soc-fw")
        .arg(tf_a.folder.join("bl31.bin"))
        .arg("--tb-fw-config")
        .arg(folder.join("tb_fw.dtb"))
        .arg("--tos-fw")
        .arg(part("spmc.bin", &payloads.spmc)?)
        .arg("--tos-fw-config")
        .arg(part("spmc-manifest.dtb", &payloads.spmc_manifest)?)
        .arg("--nt-fw")
        .arg(part("bl33.bin", &payloads.bl33)?);
    for partition in &loads {
        let file = part(&format!("{}.pkg", partition.name), &partition.bytes)?;
        command.arg("--blob").arg(format!(
            "uuid={},file={}",
            uuid_text(partition.uuid),
            file.display()
        ));
    }
    command.arg(&fip);
    process::run_logged(command, "packing the FIP", &folder.join("fiptool.log"))?;

    let mut image = paths::read(&tf_a.folder.join("bl1.bin"))?;
    if image.len() > FIP_OFFSET {
        bail!(
            "TF-A's bl1.bin has {} bytes, at most {FIP_OFFSET} fit in front of the FIP",
            image.len()
        );
    }
    image.resize(FIP_OFFSET, 0);
    image.extend(paths::read(&fip)?);
    part("flash.bin", &image).context("cannot write the boot image")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_bytes_are_swapped_word_by_word() {
        assert_eq!(
            uuid_text([0x1e67_b5b4, 0xe14f_904a, 0x13fb_1fb8, 0xcbda_e1da]),
            "b4b5671e-4a90-4fe1-b81f-fb13dae1dacb"
        );
    }

    fn package(number: u32, length: usize) -> Package {
        Package {
            name: format!("sp{number}"),
            uuid: [0, 0, 0, number],
            load_address: 0x0e30_0000 + number * 0x1000,
            bytes: vec![number as u8; length],
        }
    }

    #[test]
    fn packages_are_joined_only_where_there_are_too_many() {
        let few: Vec<_> = (0..8).map(|number| package(number, 16)).collect();
        assert_eq!(loads(&few).unwrap().len(), 8);
        let many: Vec<_> = (0..12).rev().map(|number| package(number, 16)).collect();
        let loads = loads(&many).unwrap();
        assert_eq!(loads.len(), 6);
        assert_eq!(loads[1].load_address, 0x0e30_2000);
        assert_eq!(loads[1].bytes.len(), 0x1010);
        assert_eq!(loads[1].bytes[..16], [2; 16]);
        assert_eq!(loads[1].bytes[16..0x1000], [0; 0xff0]);
        assert_eq!(loads[1].bytes[0x1000..], [3; 16]);
    }

    #[test]
    fn packages_that_overlap_or_lie_too_far_apart_are_refused() {
        let long: Vec<_> = (0..12).map(|number| package(number, 0x1001)).collect();
        assert!(loads(&long).is_err());
        let mut far: Vec<_> = (0..12).map(|number| package(number, 16)).collect();
        far[11].load_address += PACKAGE_ROOM as u32;
        assert!(loads(&far).is_err());
    }

    #[test]
    fn configuration_lists_each_partition() {
        let text = tb_fw_config(&[Package {
            name: "sp1".to_owned(),
            uuid: [0, 0, 0, 1],
            load_address: 0x0e30_0000,
            bytes: Vec::new(),
        }]);
        assert!(text.contains("compatible = \"arm,sp\""));
        assert!(text.contains("load-address = <0xe300000>"));
        assert!(text.contains("00000000-0000-0000-0000-000001000000"));
    }
}
