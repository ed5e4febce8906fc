//! From a scenario to a boot image: builds the firmware, compiles the manifests, packs it all.

use crate::{
    board::{Board, Image, QEMU_VIRT},
    fip::{self, Package, Payloads, TfA},
    firmware::{Binary, Firmware, Options, PROXY, SPMC, compile_dts},
    paths,
    scenario::{Bl33, Edit, Layout, Manifest, Partition, Scenario},
    setup, spkg,
};
use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeSet,
    fs::File,
    path::{Path, PathBuf},
};

/// The proxy finds its VMs' packages this many bytes behind its own start: 2.5 MiB.
const PROXY_ROOM: usize = 5 << 19;
/// Each board sets so much aside for both: 4 MiB (`normal_image` in `platform/src/board`).
const IMAGE_ROOM: usize = 4 << 20;
/// Packages start at multiples of this.
const PAGE: usize = 4096;

/// A boot image and the firmware in it.
#[derive(Debug)]
pub struct Boot {
    /// The board.
    pub board: &'static Board,
    /// The boot image.
    pub image: Image,
    /// What was built.
    pub firmware: Firmware,
    /// Where its parts are.
    folder: PathBuf,
    /// Keeps another xtask from packing or playing the same scenario meanwhile.
    _lock: File,
}

impl Boot {
    /// Removes what was packed, some 20 MB: it is made anew by the next boot. Manifests and lists,
    /// which a human may want to read, stay.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn discard(self) -> Result<()> {
        paths::remove_by_extension(&self.folder, &["bin", "pkg"])
    }
}

/// The binaries that a scenario needs.
pub fn binaries(scenario: &Scenario) -> BTreeSet<Binary> {
    let mut binaries: BTreeSet<_> = scenario
        .partitions
        .iter()
        .map(|partition| partition.binary)
        .collect();
    binaries.insert(SPMC);
    match scenario.bl33 {
        Bl33::Vm(client) => {
            binaries.extend([PROXY, client]);
            binaries.extend(scenario.vms.iter().map(|vm| vm.binary));
        }
        Bl33::Direct(client) => binaries.extend([client]),
    }
    binaries
}

/// Packs a scenario for a board with firmware that is built already for it.
///
/// # Errors
/// A manifest or image is wrong or too large, a tool fails, or the board has not the scenario's way of booting.
pub fn boot(
    scenario: &Scenario,
    board: &'static Board,
    firmware: &Firmware,
    tf_a: &TfA,
) -> Result<Boot> {
    let folder = folder(scenario, board);
    let lock = setup::lock(&folder, &format!("a boot of {}", scenario.name))?;
    let spmc_manifest = compile_dts("spmc", &manifest_text(board, &scenario.spmc)?, &folder)?;
    let partitions = scenario
        .partitions
        .iter()
        .map(|partition| package(partition, board, firmware, &folder))
        .collect::<Result<_>>()?;
    let bl33 = match scenario.bl33 {
        Bl33::Direct(client) => firmware.flat(client)?,
        Bl33::Vm(client) => {
            let first = ("vm", &scenario.vm, client, &[][..]);
            let others = scenario.vms.iter();
            let others =
                others.map(|vm| (vm.name, &vm.manifest, vm.binary, &vm.header_changes[..]));
            let packages = [first].into_iter().chain(others);
            let packages = packages.map(|(name, manifest, binary, changes)| {
                let manifest = compile_dts(name, &manifest_text(board, manifest)?, &folder)?;
                let mut package = spkg::pack(&manifest, without_tail(&firmware.flat(binary)?))
                    .with_context(|| format!("VM {name}"))?;
                change_header(&mut package, changes);
                Ok((name, package))
            });
            proxy_with_vms(
                firmware.flat(PROXY)?,
                &packages.collect::<Result<Vec<_>>>()?,
            )?
        }
    };
    let payloads = Payloads {
        spmc: firmware.flat(SPMC)?,
        spmc_manifest,
        bl33,
        partitions,
    };
    let flow = board
        .flow(scenario.flow)
        .with_context(|| format!("{} cannot be booted on {}", scenario.name, board.name))?;
    let image = fip::pack(board, flow, tf_a, &payloads, &folder)?;
    Ok(Boot {
        board,
        image,
        firmware: firmware.clone(),
        folder,
        _lock: lock,
    })
}

/// Builds what a scenario needs and packs it.
///
/// # Errors
/// As [`boot`] and [`Firmware::build`].
pub fn build_and_boot(scenario: &Scenario, options: &Options, tf_a: &TfA) -> Result<Boot> {
    let firmware = Firmware::build(&binaries(scenario), options)?;
    boot(scenario, options.board, &firmware, tf_a)
}

/// Overwrites words of a package's header: each an offset in bytes and a value.
fn change_header(package: &mut [u8], changes: &[(usize, u32)]) {
    for (offset, value) in changes {
        if let Some(word) = package.get_mut(*offset..*offset + 4) {
            word.copy_from_slice(&value.to_le_bytes());
        }
    }
}

/// A VM's image without the zeros at its end, which are most of it: the proxy fills the VM's memory with zeros.
fn without_tail(image: &[u8]) -> &[u8] {
    let end = image.iter().rposition(|byte| *byte != 0);
    // A package has an image.
    let end = end.map_or(1, |last| last + 1);
    image.get(..end).unwrap_or(image)
}

/// Puts the VMs' packages behind the proxy, each at a page, and a page of zeros behind the last: the proxy reads them
/// until one has no magic.
fn proxy_with_vms(mut proxy: Vec<u8>, packages: &[(&str, Vec<u8>)]) -> Result<Vec<u8>> {
    if proxy.len() > PROXY_ROOM {
        bail!(
            "the proxy's image has {} bytes, at most {PROXY_ROOM} fit in front of the VMs' packages",
            proxy.len()
        );
    }
    proxy.resize(PROXY_ROOM, 0);
    for (_, package) in packages {
        proxy.extend(package);
        proxy.resize(proxy.len().next_multiple_of(PAGE), 0);
    }
    proxy.resize(proxy.len() + PAGE, 0);
    if proxy.len() > IMAGE_ROOM {
        let list: Vec<_> = packages
            .iter()
            .map(|(name, package)| format!("{name} {}", package.len()))
            .collect();
        bail!(
            "the VMs' packages take {} bytes, each at a page and with a page of zeros behind them, at most {} fit behind \
             the proxy: {}",
            proxy.len() - PROXY_ROOM,
            IMAGE_ROOM - PROXY_ROOM,
            list.join(", ")
        );
    }
    Ok(proxy)
}

fn package(
    partition: &Partition,
    board: &Board,
    firmware: &Firmware,
    folder: &Path,
) -> Result<Package> {
    let original = file_text(board, &partition.manifest)?;
    // BL2 knows a package by its first service.
    let uuid = first_uuid(&original).with_context(|| {
        format!(
            "{}: uuid must be four cells, or a text",
            partition.manifest.file
        )
    })?;
    let load_address = load_address(&original, partition)?;
    let manifest = compile_dts(
        partition.name,
        &manifest_text(board, &partition.manifest)?,
        folder,
    )?;
    let image = firmware.flat(partition.binary)?;
    let mut bytes = match partition.layout {
        Layout::Spkg => spkg::pack(&manifest, &image),
        Layout::List => spkg::pack_list(&manifest, &image, None),
        Layout::ListWithHobs => spkg::pack_list(&manifest, &image, Some(&spkg::hob_list())),
    }
    .with_context(|| format!("partition {}", partition.name))?;
    change_header(&mut bytes, &partition.header_changes);
    Ok(Package {
        name: partition.name.to_owned(),
        uuid,
        load_address,
        bytes,
    })
}

/// Where the package goes. It is taken from the file itself, so that a changed manifest that is wrong still reaches
/// the SPMC, which must be the one to refuse it.
fn load_address(original: &str, partition: &Partition) -> Result<u32> {
    let property = "load-address";
    let cells = cells(original, property)
        .with_context(|| format!("{} has no property {property}", partition.manifest.file))?;
    Ok(cells.last().copied().unwrap_or_default())
}

/// The partitions' names and where their packages go on a board.
///
/// # Errors
/// A manifest cannot be read or does not say it.
pub fn placed(scenario: &Scenario, board: &Board) -> Result<Vec<(String, u32)>> {
    scenario
        .partitions
        .iter()
        .map(|partition| {
            let original = file_text(board, &partition.manifest)?;
            Ok((
                partition.name.to_owned(),
                load_address(&original, partition)?,
            ))
        })
        .collect()
}

/// The folder where a scenario's boot image for a board is made.
pub fn folder(scenario: &Scenario, board: &Board) -> PathBuf {
    let scenario = scenario.name;
    paths::work().join("boot").join(board.name).join(scenario)
}

/// The text of a manifest for a board, with its changes made.
///
/// # Errors
/// The file cannot be read, or a change does not fit it exactly once.
pub fn manifest_text(board: &Board, manifest: &Manifest) -> Result<String> {
    let text = edited(source(manifest)?, manifest.file, &manifest.edits)?;
    Ok(board.manifest(&text))
}

/// The text of a manifest for a board, without those changes that BL2 knows nothing of.
fn file_text(board: &Board, manifest: &Manifest) -> Result<String> {
    Ok(board.manifest(&source(manifest)?))
}

/// The text of a manifest as it is written, which is for QEMU's `virt`: changes are made to that.
fn source(manifest: &Manifest) -> Result<String> {
    let text = paths::read_text(&paths::board(QEMU_VIRT.name).join(manifest.file))?;
    edited(text, manifest.file, &manifest.base)
}

fn edited(mut text: String, file: &str, edits: &[Edit]) -> Result<String> {
    for (from, to) in edits {
        let count = text.matches(&**from).count();
        if count != 1 {
            bail!("{file} has {from:?} {count} times, wanted exactly once to change it");
        }
        text = text.replacen(&**from, to, 1);
    }
    Ok(text)
}

/// The cells of a property in a device tree's source, if it is there as `<…>`.
fn cells(source: &str, property: &str) -> Option<Vec<u32>> {
    source.lines().find_map(|line| {
        let value = line.trim().strip_prefix(property)?.trim_start();
        let value = value.strip_prefix('=')?.trim().strip_prefix('<')?;
        let (value, _) = value.split_once('>')?;
        value
            .split_whitespace()
            .map(|cell| match cell.strip_prefix("0x") {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => cell.parse().ok(),
            })
            .collect()
    })
}

/// The first service's UUID as four words: `uuid` as cells, or as a text in a `services` node.
fn first_uuid(source: &str) -> Option<[u32; 4]> {
    if let Some(cells) = cells(source, "uuid") {
        return cells.first_chunk().copied();
    }
    let text = source.lines().find_map(|line| {
        let value = line.trim().strip_prefix("uuid")?.trim_start();
        let (text, _) = value
            .strip_prefix('=')?
            .trim()
            .strip_prefix('"')?
            .split_once('"')?;
        Some(text)
    })?;
    let digits: String = text.chars().filter(|digit| *digit != '-').collect();
    let bits = u128::from_str_radix(&digits, 16).ok()?;
    // Its digits are those of the cells.
    let words = [96, 64, 32, 0].map(|shift| (bits >> shift) as u32);
    (digits.len() == 32).then_some(words)
}

#[cfg(test)]
mod tests;
