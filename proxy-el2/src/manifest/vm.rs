//! One VM's manifest: its root node, resolved to plain data.

use super::PAGE;
use super::devices::{self, MAX_DEVICES, VmDevice};
use super::error::{File, Found, Name, Owner, Problem, VmManifestError, Wanted, clip};
use super::names;
use super::services::{self, Limits};
use super::tree::{self, Reader};
use crate::{MAX_VCPUS, vm::VmInfo};
use core::ops::Range;
use ffa_abi::{
    EndpointId, Version,
    contract::Mode,
    messaging::{MAX_SERVICES, Messaging, Service},
};
use heapless::Vec;

/// The largest manifest, in bytes.
pub const LIMIT: usize = 64 * 1024;
/// The messaging methods of a VM that names none: it sends direct messages of both kinds and receives
/// none.
pub const DEFAULT_METHODS: u32 = 1 << 1 | 1 << 10;
/// The time slice of a primary that names none, in microseconds.
pub const DEFAULT_TIME_SLICE_US: u32 = 10_000;

/// The VM that is the primary without saying so.
const PRIMARY: EndpointId = EndpointId(1);

/// What the root may have beside what every node may.
const PROPERTIES: &[&str] = &[
    "id",
    "description",
    "load-address",
    "memory-size",
    "entrypoint-offset",
    "vcpu-count",
    "vcpu-cores",
    "primary",
    "ffa-version",
    "uuid",
    "messaging-method",
    "notification-support",
    "tantalum,smccc-strict",
    "housekeeping-us",
    "time-slice-us",
];
const CHILDREN: &[&str] = &["services", "device-regions"];

/// A VM's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmManifest {
    /// Its id.
    pub id: EndpointId,
    /// A name for the log, cut to 32 bytes; may be empty.
    pub name: Name,
    /// Its memory, page aligned: physical and intermediate physical addresses are the same.
    pub memory: Range<u64>,
    /// Its first instruction.
    pub entrypoint: u64,
    /// How mixed 32- and 64-bit completions are handled for it.
    pub mode: Mode,
    /// The highest version that it may negotiate.
    pub version: Version,
    /// Whether the cores' time is its own.
    pub primary: bool,
    /// How many vCPUs it has, 1 to [`MAX_VCPUS`].
    pub vcpus: u8,
    /// The linear number of the core that each vCPU is pinned to; `None`: it runs where it is called.
    /// No two are pinned to the same core, and the primary's are all pinned, the first to core 0.
    pub cores: [Option<u16>; MAX_VCPUS],
    /// What it offers. Without any it is not discovered.
    pub services: Vec<Service, MAX_SERVICES>,
    /// How it exchanges messages: the methods of all services together. The primary receives none.
    pub messaging: Messaging,
    /// Whether it receives notifications. The primary does.
    pub notifications: bool,
    /// Its devices.
    pub devices: Vec<VmDevice, MAX_DEVICES>,
    /// Period of the proxy's own timer interrupt, in microseconds. The primary's only.
    pub housekeeping_us: Option<u32>,
    /// How long others may have the primary's core before it has it back, in microseconds.
    pub time_slice_us: u32,
}

impl VmManifest {
    /// Reads a manifest at the start of `blob`, which may go on behind it.
    ///
    /// # Errors
    /// It is no manifest, or not one of a VM that this proxy can have.
    pub fn parse(blob: &[u8]) -> Result<Self, VmManifestError> {
        let node = tree::open(blob, LIMIT)?;
        let file = whose(&Reader::root(&File::Unnamed, node));
        let root = Reader::root(&file, node);
        root.check_compatible("tantalum,vm-manifest-1.0")?;
        names::check(&root, PROPERTIES, Some(CHILDREN))?;

        let id: u16 = root.number("id", |id| EndpointId(*id).is_vm(), "0x1 to 0x7ffe")?;
        let id = EndpointId(id);
        let (memory, entrypoint) = read_memory(&root)?;
        let primary = root.flag("primary")? || id == PRIMARY;
        let (vcpus, cores) = read_vcpus(&root, primary)?;
        let version = read_version(&root)?;
        let notifications = read_notifications(&root, version, primary)?;
        let (services, messaging) = services::read(&root, Limits { version, primary })?;
        if !primary {
            for property in ["housekeeping-us", "time-slice-us"] {
                if let Some(value) = root.bytes(property) {
                    let problem = Problem::Refused {
                        found: Found::Bytes(value.len()),
                        wanted: "nothing for a VM that is not the primary",
                        why: "the cores' time is the primary's",
                    };
                    return Err(root.error(property, problem));
                }
            }
        }
        Ok(Self {
            id,
            name: clip(root.optional_text("description")?.unwrap_or_default()),
            memory,
            entrypoint,
            mode: match root.flag("tantalum,smccc-strict")? {
                true => Mode::SmcccStrict,
                false => Mode::Permissive,
            },
            version,
            primary,
            vcpus,
            cores,
            services,
            messaging,
            notifications,
            devices: devices::read(&root)?,
            housekeeping_us: root.optional(
                "housekeeping-us",
                |period: &u32| *period >= 100,
                "100 to 0xffffffff",
            )?,
            time_slice_us: root
                .optional(
                    "time-slice-us",
                    |slice: &u32| (100..=1_000_000).contains(slice),
                    "100 to 1000000",
                )?
                .unwrap_or(DEFAULT_TIME_SLICE_US),
        })
    }

    /// What the core has to know of the VM.
    pub fn info(&self) -> VmInfo {
        VmInfo {
            id: self.id,
            mode: self.mode,
            version: self.version,
            primary: self.primary,
            services: self.services.clone(),
            messaging: self.messaging,
            notifications: self.notifications,
            vcpus: self.vcpus,
            cores: self.cores,
            memory: self.memory.clone(),
        }
    }

    /// It for messages.
    pub fn file(&self) -> File {
        File::Vm(Some(self.id), self.name.clone())
    }
}

/// Whose manifest it is, for messages: as far as it can be read.
fn whose(root: &Reader<'_>) -> File {
    let id = root.optional("id", |id| EndpointId(*id).is_vm(), "");
    let id = id.ok().flatten().map(EndpointId);
    let name = root.optional_text("description").ok().flatten();
    match (id, name.map(clip).unwrap_or_default()) {
        (None, name) if name.is_empty() => File::Unnamed,
        (id, name) => File::Vm(id, name),
    }
}

/// Reads the memory and the address of the first instruction in it.
fn read_memory(root: &Reader<'_>) -> Result<(Range<u64>, u64), VmManifestError> {
    let aligned = |address: &u64| address.is_multiple_of(PAGE);
    let start: u64 = root.number("load-address", aligned, "a multiple of 4096")?;
    let size: u64 = root.number(
        "memory-size",
        |size| *size != 0 && aligned(size) && start.checked_add(*size).is_some(),
        "a multiple of 4096, not 0, that ends below 2^64",
    )?;
    let offset = root.optional(
        "entrypoint-offset",
        |offset: &u64| *offset < size && offset.is_multiple_of(4),
        "a multiple of 4 inside the memory",
    )?;
    let memory = start..start.wrapping_add(size);
    Ok((memory, start.wrapping_add(offset.unwrap_or(0))))
}

/// Reads how many vCPUs there are, and where they run.
fn read_vcpus(
    root: &Reader<'_>,
    primary: bool,
) -> Result<(u8, [Option<u16>; MAX_VCPUS]), VmManifestError> {
    let vcpus = root.optional(
        "vcpu-count",
        |count: &u8| (1..=MAX_VCPUS).contains(&usize::from(*count)),
        "1 to 8",
    )?;
    let vcpus = vcpus.unwrap_or(1);
    let property = "vcpu-cores";
    let wanted = Wanted::Cells(vcpus);
    let mut cores = [None; MAX_VCPUS];
    let Some(cells) = root.cells(property, wanted.clone())? else {
        if primary || vcpus > 1 {
            for (index, core) in (0..u16::from(vcpus)).zip(&mut cores) {
                *core = Some(index);
            }
        }
        return Ok((vcpus, cores));
    };
    if cells.len() != usize::from(vcpus) {
        let found = Found::Bytes(cells.as_flattened().len());
        return Err(root.wrong(property, found, wanted));
    }
    for (vcpu, cell) in (0..vcpus).zip(cells) {
        let core = u32::from_be_bytes(*cell);
        let found = Found::Number(core.into());
        let Ok(core) = u16::try_from(core) else {
            return Err(root.wrong(property, found, "at most 0xffff"));
        };
        if primary && vcpu == 0 && core != 0 {
            let wanted = "0x0 for the primary's vCPU 0, the core that boots";
            return Err(root.wrong(property, found, wanted));
        }
        let mut earlier = (0u8..).zip(&cores);
        if let Some((other, _)) = earlier.find(|(_, pinned)| **pinned == Some(core)) {
            let by = Owner::Vcpu(other);
            return Err(root.error(property, Problem::Duplicate { found, by }));
        }
        if let Some(place) = cores.get_mut(usize::from(vcpu)) {
            *place = Some(core);
        }
    }
    Ok((vcpus, cores))
}

/// Reads whether the VM receives notifications.
fn read_notifications(
    root: &Reader<'_>,
    version: Version,
    primary: bool,
) -> Result<bool, VmManifestError> {
    let property = "notification-support";
    let wished = root.flag(property)?;
    if wished && version < Version::V1_1 {
        let problem = Problem::Refused {
            found: Found::Bytes(0),
            wanted: "nothing with an ffa-version below 1.1",
            why: "notifications are of FF-A 1.1",
        };
        return Err(root.error(property, problem));
    }
    Ok((wished || primary) && version >= Version::V1_1)
}

/// Reads the highest version that the VM may negotiate.
fn read_version(root: &Reader<'_>) -> Result<Version, VmManifestError> {
    let served = |raw: &u32| Version::from_raw(*raw).is_some_and(|v| Version::OWN.serves(v));
    let raw = root.optional("ffa-version", served, "0x10000 to 0x10003")?;
    Ok(raw.and_then(Version::from_raw).unwrap_or(Version::OWN))
}
