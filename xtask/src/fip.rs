//! The boot image: TF-A's stages, the SPMC, BL33, the partitions and the configuration that lists
//! them, packed with TF-A's own `fiptool`; or each by itself, with its place in memory.

use crate::{
    board::{Board, FlowOfBoard, Image, Media, Places},
    firmware, paths, process,
};
use anyhow::{Context, Result, bail};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// BL2 (TF-A 2.12.1) loads at most so many packages (MAX_SP_IDS), each of at most so many bytes.
const PACKAGES: usize = 8;
const PACKAGE_ROOM: usize = 4 << 20;

/// BL2 has this much room for the configuration that lists the packages.
const CONFIG_ROOM: usize = 4096;

/// TF-A's products.
#[derive(Clone, Debug)]
pub struct TfA {
    /// The folder with what the recipe keeps, and `fiptool`.
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

/// The configuration that tells BL2 which packages to load (TB_FW_CONFIG). The ports of Arm's platforms
/// want the node `tb_fw-config`, others don't look at it.
pub fn tb_fw_config(partitions: &[Package]) -> String {
    let mut text =
        "/dts-v1/;\n/ {\n\ttb_fw-config {\n\t\tcompatible = \"arm,tb_fw\";\n\t\tdisable_auth = <0x0>;\n\t\tmbedtls_heap_addr = <0x0 0x0>;\n\t\tmbedtls_heap_size = <0x0>;\n\t};\n\n\tsecure-partitions {\n\t\tcompatible = \"arm,sp\";\n".to_owned();
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

/// Makes the boot image for a board's way of booting in `folder`.
///
/// # Errors
/// A part is too large for its place, a file cannot be written, or `fiptool` fails.
pub fn pack(
    board: &Board,
    flow: &FlowOfBoard,
    tf_a: &TfA,
    payloads: &Payloads,
    folder: &Path,
) -> Result<Image> {
    let manifest = payloads.spmc_manifest.len();
    if manifest > flow.manifest_room {
        bail!(
            "the compiled SPMC manifest has {manifest} bytes, {} has room for {} there",
            board.name,
            flow.manifest_room
        );
    }
    match flow.media {
        Media::OneFile { fip_offset } => {
            let fip = fip(tf_a, payloads, &[], folder)?;
            let mut image = paths::read(&tf_a.folder.join(BL1))?;
            if image.len() > fip_offset {
                bail!(
                    "TF-A's bl1.bin has {} bytes, at most {fip_offset} fit in front of the FIP",
                    image.len()
                );
            }
            image.resize(fip_offset, 0);
            image.extend(paths::read(&fip)?);
            part(folder, FLASH, &image).context("cannot write the boot image")?;
        }
        Media::TwoFiles { more } => {
            copied(tf_a, BL1, folder)?;
            fip(tf_a, payloads, more, folder)?;
        }
        Media::Memory(places) => in_memory(tf_a, payloads, &places, folder)?,
    }
    let partitions: Vec<_> = payloads
        .partitions
        .iter()
        .map(|partition| (partition.name.clone(), partition.load_address))
        .collect();
    Ok(image(board, flow, &partitions, folder))
}

/// The boot image that [`pack`] makes in `folder`, with these partitions and the addresses of their packages.
pub fn image(
    board: &Board,
    flow: &FlowOfBoard,
    partitions: &[(String, u32)],
    folder: &Path,
) -> Image {
    match flow.media {
        Media::OneFile { .. } => Image::OneFile(folder.join(FLASH)),
        Media::TwoFiles { .. } => Image::TwoFiles {
            bl1: folder.join(BL1),
            fip: folder.join(FIP),
        },
        Media::Memory(places) => {
            let files = [
                ("bl31.bin", places.bl31),
                ("spmc.bin", board.spmc_base),
                ("spmc-manifest.dtb", places.manifest),
                ("bl33.bin", board.bl33_base),
                (places.device_tree_file, places.device_tree),
            ];
            let files = files.map(|(file, address)| (folder.join(file), address));
            let packages = partitions
                .iter()
                .map(|(name, address)| (folder.join(package_file(name)), u64::from(*address)));
            Image::Memory {
                reset: places.bl31,
                files: files.into_iter().chain(packages).collect(),
            }
        }
    }
}

/// Names of files that are made.
const FLASH: &str = "flash.bin";
const BL1: &str = "bl1.bin";
const FIP: &str = "fip.bin";

fn package_file(partition: &str) -> String {
    format!("{partition}.pkg")
}

/// Puts a product of TF-A's build beside what is made here, so that the folder is whole.
fn copied(tf_a: &TfA, product: &str, folder: &Path) -> Result<()> {
    part(folder, product, &paths::read(&tf_a.folder.join(product))?).map(drop)
}

fn part(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let file = folder.join(name);
    paths::write(&file, bytes)?;
    Ok(file)
}

/// Packs the FIP with what BL2 loads.
fn fip(tf_a: &TfA, payloads: &Payloads, more: &[(&str, &str)], folder: &Path) -> Result<PathBuf> {
    let loads = loads(&payloads.partitions)?;
    let config = firmware::compile_dts("tb_fw", &tb_fw_config(&loads), folder)?;
    if config.len() > CONFIG_ROOM {
        bail!(
            "the list of partitions has {} bytes, BL2 loads at most {CONFIG_ROOM}: use fewer partitions",
            config.len()
        );
    }
    let fip = folder.join(FIP);
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
        .arg(part(folder, "spmc.bin", &payloads.spmc)?)
        .arg("--tos-fw-config")
        .arg(part(folder, "spmc-manifest.dtb", &payloads.spmc_manifest)?)
        .arg("--nt-fw")
        .arg(part(folder, "bl33.bin", &payloads.bl33)?);
    for (option, product) in more {
        command.arg(option).arg(tf_a.folder.join(product));
    }
    for partition in &loads {
        let file = part(folder, &package_file(&partition.name), &partition.bytes)?;
        command.arg("--blob").arg(format!(
            "uuid={},file={}",
            uuid_text(partition.uuid),
            file.display()
        ));
    }
    command.arg(&fip);
    process::run_logged(command, "packing the FIP", &folder.join("fiptool.log"))?;
    Ok(fip)
}

/// Writes each image by itself.
fn in_memory(tf_a: &TfA, payloads: &Payloads, places: &Places, folder: &Path) -> Result<()> {
    copied(tf_a, "bl31.bin", folder)?;
    copied(tf_a, places.device_tree_file, folder)?;
    part(folder, "spmc.bin", &payloads.spmc)?;
    part(folder, "spmc-manifest.dtb", &payloads.spmc_manifest)?;
    part(folder, "bl33.bin", &payloads.bl33)?;
    for partition in &payloads.partitions {
        part(folder, &package_file(&partition.name), &partition.bytes)?;
    }
    Ok(())
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
