//! The memory and the devices that a partition asks for beside the memory it is loaded to, and which
//! of them are its RX/TX buffers: `memory-regions`, `device-regions`, `rx_tx-info` (DEN0077A,
//! "Partition manifest"; nodes as Hafnium's manifests name them).
//!
//! Reads what stands there; whether it is the partition's to have is said by
//! [`check_partition`](super::check_partition).

use heapless::Vec;

use super::error::{Found, ManifestError, Name, Owner, Problem, Wanted, clip};
use super::interrupts::{self, DeviceInterrupt, MAX_INTERRUPTS};
use super::spmc::PAGE;
use super::table;
use super::tree::{Listed, Reader};

/// The most memory regions of a partition, and the most device regions.
pub const MAX_REGIONS: usize = 16;
/// The most 4 KiB pages of an RX/TX buffer.
const MAX_RXTX_PAGES: u32 = 4;

/// Bits of `attributes`.
const READ: u32 = 1 << 0;
const WRITE: u32 = 1 << 1;
const EXECUTE: u32 = 1 << 2;
const NORMAL_WORLD: u32 = 1 << 3;

/// What a partition may do with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Read it. All that is mapped can be read.
    pub read: bool,
    /// Write it.
    pub write: bool,
    /// Execute instructions from it.
    pub execute: bool,
}

impl Access {
    /// As the manifest writes it, in `attributes`.
    pub(super) fn attributes(self) -> u32 {
        let bit = |set, bit| if set { bit } else { 0 };
        bit(self.read, READ) | bit(self.write, WRITE) | bit(self.execute, EXECUTE)
    }
}

/// Where a memory region starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// At this physical address, a multiple of 4 KiB.
    Address(u64),
    /// This many bytes, a multiple of 4 KiB, behind the address that the partition is loaded to.
    Offset(u64),
}

/// A memory region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Where it starts.
    pub base: Base,
    /// Its size in 4 KiB pages; not 0.
    pub pages: u32,
    /// What the partition may do with it.
    pub access: Access,
    /// Whether it is memory of the normal world.
    pub normal_world: bool,
    /// The name of its node, cut to 32 bytes.
    pub name: Name,
}

/// A device region: registers of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRegion {
    /// The physical address of its first byte, a multiple of 4 KiB.
    pub base: u64,
    /// Its size in 4 KiB pages; not 0.
    pub pages: u32,
    /// What the partition may do with it; never execute.
    pub access: Access,
    /// Whether it answers to non-secure accesses.
    pub normal_world: bool,
    /// Whether no other partition may have it.
    pub exclusive: bool,
    /// Its interrupts.
    pub interrupts: Vec<DeviceInterrupt, MAX_INTERRUPTS>,
    /// The name of its node, cut to 32 bytes.
    pub name: Name,
}

/// The RX/TX buffers that the SPMC maps while it boots: indices of
/// [`memory_regions`](super::PartitionManifest::memory_regions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RxTx {
    /// The one that the partition receives in.
    pub rx: usize,
    /// The one that it sends from.
    pub tx: usize,
}

/// What `memory-regions` and `rx_tx-info` say.
pub(super) struct Memory {
    pub(super) regions: Vec<Region, MAX_REGIONS>,
    pub(super) rx_tx: Option<RxTx>,
}

/// Reads `attributes`: whether it is the normal world's, and what may be done with it.
fn read_attributes(
    node: &Reader<'_>,
    allowed: &[u32],
    wanted: &'static str,
) -> Result<(bool, Access), ManifestError> {
    let found: u32 = node.number("attributes")?;
    if !allowed.contains(&(found & !NORMAL_WORLD)) {
        return Err(node.out_of_range("attributes", found.into(), wanted));
    }
    let access = Access {
        read: found & READ != 0,
        write: found & WRITE != 0,
        execute: found & EXECUTE != 0,
    };
    Ok((found & NORMAL_WORLD != 0, access))
}

/// Reads `pages-count`.
fn read_pages(node: &Reader<'_>) -> Result<u32, ManifestError> {
    match node.number("pages-count")? {
        0 => Err(node.out_of_range("pages-count", 0, "at least 1")),
        pages => Ok(pages),
    }
}

/// Reads an address or an offset, if it is there.
fn read_aligned(node: &Reader<'_>, property: &'static str) -> Result<Option<u64>, ManifestError> {
    match node.optional::<u64>(property)? {
        Some(found) if !found.is_multiple_of(PAGE) => {
            Err(node.out_of_range(property, found, "a multiple of 4 KiB"))
        }
        value => Ok(value),
    }
}

/// Adds a region.
fn push<T>(
    node: &Reader<'_>,
    regions: &mut Vec<T, MAX_REGIONS>,
    region: T,
    what: &'static str,
) -> Result<(), ManifestError> {
    let limit = MAX_REGIONS;
    regions
        .push(region)
        .map_err(|_| node.error(None, Problem::TooMany { limit, what }))
}

/// That a node has no region in it.
fn empty(node: &Reader<'_>) -> ManifestError {
    let wanted = "at least one node with a region".into();
    node.error(None, Problem::Missing { wanted })
}

/// Reads `memory-regions` and `rx_tx-info`.
pub(super) fn read_memory(root: &Reader<'_>) -> Result<Memory, ManifestError> {
    let mut regions = Vec::new();
    // What `rx_tx-info` calls the regions.
    let mut phandles: Vec<Option<u32>, MAX_REGIONS> = Vec::new();
    if let Some(list) = root.chapter("memory-regions", "arm,ffa-manifest-memory-regions")? {
        table::refuse_streams(&list)?;
        for node in list.children() {
            let listed = Listed::properties_of(&node);
            let node = node.with(&listed);
            table::refuse_streams(&node)?;
            let phandle = read_phandle(&node, &regions, &phandles)?;
            let region = read_region(&node)?;
            push(&list, &mut regions, region, "memory regions")?;
            push(&list, &mut phandles, phandle, "memory regions")?;
        }
        if regions.is_empty() {
            return Err(empty(&list));
        }
    }
    let rx_tx = match root.chapter("rx_tx-info", "arm,ffa-manifest-rx_tx-buffer")? {
        Some(node) => Some(read_rx_tx(&node, &regions, &phandles)?),
        None => None,
    };
    Ok(Memory { regions, rx_tx })
}

/// Reads what `rx_tx-info` may call a region.
fn read_phandle(
    node: &Reader<'_>,
    regions: &[Region],
    phandles: &[Option<u32>],
) -> Result<Option<u32>, ManifestError> {
    let Some(phandle) = node.optional("phandle")? else {
        return Ok(None);
    };
    let earlier = phandles.iter().position(|other| *other == Some(phandle));
    match earlier.and_then(|index| regions.get(index)) {
        None => Ok(Some(phandle)),
        Some(earlier) => {
            let problem = Problem::Duplicate {
                found: Found::Number(phandle.into()),
                by: Owner::Node(earlier.name.clone()),
            };
            Err(node.error(Some("phandle"), problem))
        }
    }
}

/// Reads one memory region.
fn read_region(node: &Reader<'_>) -> Result<Region, ManifestError> {
    let (address, offset) = ("base-address", "load-address-relative-offset");
    let base = match (read_aligned(node, address)?, read_aligned(node, offset)?) {
        (Some(address), None) => Base::Address(address),
        (None, Some(offset)) => Base::Offset(offset),
        (Some(_), Some(found)) => {
            let wanted = "nothing, since base-address says where the region is";
            return Err(node.out_of_range(offset, found, wanted));
        }
        (None, None) => {
            let wanted = "this or load-address-relative-offset, since the SPMC picks no memory";
            return Err(node.missing(address, wanted));
        }
    };
    // It informs; but it has to be a text.
    node.optional_text("description")?;
    let (normal_world, access) = read_attributes(
        node,
        &[READ, READ | WRITE, READ | EXECUTE, READ | WRITE | EXECUTE],
        "1 (read), perhaps with 2 (write), 4 (execute) and 8 (normal world), and no other",
    )?;
    Ok(Region {
        base,
        pages: read_pages(node)?,
        access,
        normal_world,
        name: clip(node.name()),
    })
}

/// Reads `rx_tx-info`.
fn read_rx_tx(
    node: &Reader<'_>,
    regions: &[Region],
    phandles: &[Option<u32>],
) -> Result<RxTx, ManifestError> {
    let buffer = |property| -> Result<usize, ManifestError> {
        let found: u32 = node.number(property)?;
        let fail = |wanted| Err(node.out_of_range(property, found.into(), wanted));
        let Some(index) = phandles.iter().position(|phandle| *phandle == Some(found)) else {
            return fail("the phandle of a node in memory-regions");
        };
        let secure = |region: &&Region| {
            region.access.write && !region.access.execute && !region.normal_world
        };
        match regions.get(index).filter(secure) {
            None => fail("a region whose attributes are 3 (read, write)"),
            Some(region) if region.pages > MAX_RXTX_PAGES => fail("a region of 1 to 4 pages"),
            Some(_) => Ok(index),
        }
    };
    let (rx, tx) = (buffer("rx-buffer")?, buffer("tx-buffer")?);
    let found = node.number::<u32>("tx-buffer")?.into();
    if rx == tx {
        return Err(node.out_of_range("tx-buffer", found, "another region than rx-buffer"));
    }
    let pages = |index: usize| regions.get(index).map(|region| region.pages);
    if pages(rx) != pages(tx) {
        let wanted = "a region with as many pages as rx-buffer";
        return Err(node.out_of_range("tx-buffer", found, wanted));
    }
    Ok(RxTx { rx, tx })
}

/// Reads `device-regions`.
pub(super) fn read_devices(
    root: &Reader<'_>,
) -> Result<Vec<DeviceRegion, MAX_REGIONS>, ManifestError> {
    let mut regions = Vec::new();
    let Some(list) = root.chapter("device-regions", "arm,ffa-manifest-device-regions")? else {
        return Ok(regions);
    };
    table::refuse_streams(&list)?;
    for node in list.children() {
        let listed = Listed::properties_of(&node);
        let region = read_device(&node.with(&listed), &regions)?;
        push(&list, &mut regions, region, "device regions")?;
    }
    if regions.is_empty() {
        return Err(empty(&list));
    }
    Ok(regions)
}

/// Reads one device region; `earlier` are those before it.
fn read_device(node: &Reader<'_>, earlier: &[DeviceRegion]) -> Result<DeviceRegion, ManifestError> {
    table::refuse_streams(node)?;
    node.optional_text("description")?;
    let address = "base-address";
    let base = read_aligned(node, address)?
        .ok_or_else(|| node.missing(address, Wanted::Words("one or two 32-bit cells")))?;
    let (normal_world, access) = read_attributes(
        node,
        &[READ, READ | WRITE],
        "1 (read), perhaps with 2 (write) and 8 (normal world), and no other",
    )?;
    Ok(DeviceRegion {
        base,
        pages: read_pages(node)?,
        access,
        normal_world,
        exclusive: node.flag("exclusive-access")?,
        interrupts: interrupts::read_device(node, earlier)?,
        name: clip(node.name()),
    })
}
