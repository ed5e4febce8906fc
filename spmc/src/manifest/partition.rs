//! A partition's own manifest, `arm,ffa-manifest-1.0` and `arm,ffa-manifest-1.1`.
//!
//! Reads what the partition says about itself and refuses what this SPMC cannot give (see
//! [`table`](super::table)). Whether it fits the SPMC's manifest, the package and the other
//! partitions is said by [`check_partition`](super::check_partition).

use ffa_abi::{EndpointId, Uuid, Version};
use heapless::Vec;

use super::error::{File, Found, ManifestError, Name, Problem, clip};
use super::table;
use super::tree::Reader;

/// The largest manifest in bytes.
pub const PARTITION_MANIFEST_LIMIT: usize = 64 << 10;
/// The most services of a partition.
pub const MAX_SERVICES: usize = 16;
/// The boot order of a partition that names none: after all others.
pub const BOOT_ORDER_LAST: u16 = 0xffff;

/// The partition receives `FFA_MSG_SEND_DIRECT_REQ`.
pub const RECEIVES_DIRECT: u32 = 1 << 0;
/// It sends it.
pub const SENDS_DIRECT: u32 = 1 << 1;
/// It sends and receives indirect messages.
pub const INDIRECT: u32 = 1 << 2;
/// It receives `FFA_MSG_SEND_DIRECT_REQ2`.
pub const RECEIVES_DIRECT2: u32 = 1 << 9;
/// It sends it.
pub const SENDS_DIRECT2: u32 = 1 << 10;

/// The two messages that came with FF-A 1.2.
const DIRECT2: u32 = RECEIVES_DIRECT2 | SENDS_DIRECT2;
/// All that the specification has.
const METHODS: u32 = RECEIVES_DIRECT | SENDS_DIRECT | INDIRECT | DIRECT2;

/// A service: a protocol and how it is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The protocol. Never nil.
    pub uuid: Uuid,
    /// How: [`RECEIVES_DIRECT`], [`SENDS_DIRECT`], [`RECEIVES_DIRECT2`], [`SENDS_DIRECT2`]; at
    /// least one.
    pub messaging_method: u32,
}

/// Where a partition runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionLevel {
    /// S-EL1.
    SEl1,
}

/// A partition's own manifest (DEN0077A, "Partition manifest").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionManifest {
    /// The FF-A version it expects; one that this project serves.
    pub ffa_version: Version,
    /// What it offers: at least one service.
    pub services: Vec<Service, MAX_SERVICES>,
    /// Names the image rather than a protocol (FF-A 1.3).
    pub image_uuid: Option<Uuid>,
    /// Execution contexts.
    pub execution_ctx_count: u16,
    /// Where it runs.
    pub exception_level: ExceptionLevel,
    /// Where its package has to be loaded, if it says so: a physical address.
    pub load_address: Option<u64>,
    /// Its first instruction, in bytes from the load address.
    pub entrypoint_offset: u64,
    /// Lower boots first; [`BOOT_ORDER_LAST`] after all others.
    pub boot_order: u16,
    /// The register, x0 to x3, that carries the boot information's address.
    pub gp_register_num: Option<u8>,
    /// What an interrupt of the normal world does to it: 2, "signalled".
    pub ns_interrupts_action: u8,
    /// The endpoint identifier it asks for. A number without bit 15 names no secure partition;
    /// manifests in the field have such numbers, Hafnium ignores them, and so they are `None` here.
    pub id: Option<EndpointId>,
    /// What its author calls it, cut to 32 bytes; may be empty.
    pub description: Name,
    /// `tantalum,smccc-strict`: a 64-bit completion never reaches its 32-bit calls (see
    /// [`ffa_abi::contract`]).
    pub smccc_strict: bool,
    /// `tantalum,eager-fp`: its FP and SIMD registers are switched with the others.
    pub eager_fp: bool,
    /// Its boot information contains this manifest.
    pub boot_info_fdt: bool,
}

impl PartitionManifest {
    /// Reads the manifest at the start of `blob`, which may be longer. `name` is for messages: the
    /// partition's name in the SPMC's manifest.
    ///
    /// # Errors
    /// Any refuses this partition.
    pub fn parse(name: &str, blob: &[u8]) -> Result<Self, ManifestError> {
        let file = File::partition(name);
        let root = Reader::open(&file, blob, PARTITION_MANIFEST_LIMIT)?;
        // What is not implemented first: it is the better message for a manifest made elsewhere.
        table::check(&root)?;
        let ffa_version = read_version(&root)?;
        let services = if root.is_compatible("arm,ffa-manifest-1.0") {
            read_services_1_0(&root, ffa_version)?
        } else if root.is_compatible("arm,ffa-manifest-1.1") {
            read_services_1_1(&root.child("services")?, ffa_version)?
        } else {
            let wanted = "\"arm,ffa-manifest-1.0\" or \"arm,ffa-manifest-1.1\"";
            return Err(root.incompatible(wanted));
        };
        let exception_level = match root.number::<u32>("exception-level")? {
            2 => ExceptionLevel::SEl1,
            other @ (0 | 1) => {
                return Err(root.unsupported("exception-level", other.into(), "2 (S-EL1)"));
            }
            other => return Err(root.out_of_range("exception-level", other.into(), "2 (S-EL1)")),
        };
        let state = root.number::<u32>("execution-state")?;
        if state != 0 {
            return Err(root.unsupported("execution-state", state.into(), "0 (AArch64)"));
        }
        let granule = root.optional::<u32>("xlat-granule")?.unwrap_or(0);
        if granule != 0 {
            return Err(root.unsupported("xlat-granule", granule.into(), "0 (4 KiB)"));
        }
        let execution_ctx_count: u16 = root.number("execution-ctx-count")?;
        let power = root.optional::<u32>("power-management-messages")?;
        // Bit 0 is CPU_OFF; the reference takes no notice of the others, and of none of them for a
        // partition with a single context.
        if let Some(found) = power.filter(|bits| bits & 1 != 0)
            && execution_ctx_count > 1
        {
            let wanted = "bit 0 (CPU_OFF) clear";
            return Err(root.unsupported("power-management-messages", found.into(), wanted));
        }
        let gp_register_num = root.optional::<u8>("gp-register-num")?;
        if let Some(found) = gp_register_num.filter(|register| *register > 3) {
            return Err(root.out_of_range("gp-register-num", found.into(), "0 to 3"));
        }
        Ok(Self {
            ffa_version,
            services,
            image_uuid: read_image_uuid(&root)?,
            execution_ctx_count,
            exception_level,
            // The specification's default, 0, means the same as nothing.
            load_address: root
                .optional("load-address")?
                .filter(|address| *address != 0),
            entrypoint_offset: root.optional("entrypoint-offset")?.unwrap_or(0),
            boot_order: root.optional("boot-order")?.unwrap_or(BOOT_ORDER_LAST),
            gp_register_num,
            // The table accepts no other.
            ns_interrupts_action: root.optional("ns-interrupts-action")?.unwrap_or(2),
            id: read_id(&root)?,
            description: clip(root.optional_text("description")?.unwrap_or_default()),
            smccc_strict: root.flag("tantalum,smccc-strict")?,
            eager_fp: root.flag("tantalum,eager-fp")?,
            boot_info_fdt: read_boot_info(&root)?,
        })
    }

    /// All messaging methods of all services together.
    pub fn messaging_method(&self) -> u32 {
        self.services
            .iter()
            .fold(0, |all, service| all | service.messaging_method)
    }

    /// The protocols, in the order of the file.
    pub fn uuids(&self) -> impl Iterator<Item = Uuid> {
        self.services.iter().map(|service| service.uuid)
    }
}

fn read_version(root: &Reader<'_>) -> Result<Version, ManifestError> {
    let raw: u32 = root.number("ffa-version")?;
    match Version::from_raw(raw) {
        Some(version) if Version::OWN.serves(version) => Ok(version),
        Some(_) => Err(root.unsupported("ffa-version", raw.into(), "0x10000 to 0x10003")),
        None => Err(root.out_of_range("ffa-version", raw.into(), "bit 31 clear")),
    }
}

fn read_id(root: &Reader<'_>) -> Result<Option<EndpointId>, ManifestError> {
    match root.optional::<u16>("id")?.map(EndpointId) {
        Some(id) if id.is_secure() && !id.is_partition() => {
            Err(root.out_of_range("id", id.0.into(), "0x8001 to 0xffbf"))
        }
        id => Ok(id.filter(|id| id.is_secure())),
    }
}

fn read_boot_info(root: &Reader<'_>) -> Result<bool, ManifestError> {
    let Some(node) = root.find("boot-info") else {
        return Ok(false);
    };
    if !node.is_compatible("arm,ffa-manifest-boot-info") {
        return Err(node.incompatible("\"arm,ffa-manifest-boot-info\""));
    }
    if node.flag("hob_list")? {
        return Err(node.error(Some("hob_list"), Problem::NotImplemented));
    }
    node.flag("ffa_manifest")
}

/// Adds a service.
fn push(
    node: &Reader<'_>,
    services: &mut Vec<Service, MAX_SERVICES>,
    uuid: Uuid,
    messaging_method: u32,
) -> Result<(), ManifestError> {
    if uuid.is_nil() {
        return Err(node.error(
            Some("uuid"),
            Problem::OutOfRange {
                found: Found::NilUuid,
                wanted: "another".into(),
            },
        ));
    }
    let service = Service {
        uuid,
        messaging_method,
    };
    services.push(service).map_err(|_| {
        let problem = Problem::TooMany {
            limit: MAX_SERVICES,
            what: "UUIDs",
        };
        node.error(Some("uuid"), problem)
    })
}

/// Checks a messaging method.
fn method(node: &Reader<'_>, found: u32, version: Version) -> Result<u32, ManifestError> {
    let property = "messaging-method";
    if found == 0 || found & !METHODS != 0 {
        let wanted = "at least one of bits 0, 1, 2, 9 and 10, and no other";
        return Err(node.out_of_range(property, found.into(), wanted));
    }
    if found & DIRECT2 != 0 && !version.has_extended_registers() {
        let wanted = "bits 9 and 10 clear with an ffa-version below 1.2";
        return Err(node.out_of_range(property, found.into(), wanted));
    }
    if found & INDIRECT != 0 {
        return Err(node.unsupported(property, found.into(), "bit 2 (indirect) clear"));
    }
    Ok(found)
}

/// Format 1.0: lists of numbers. One method stands for all UUIDs, or there is one for each.
fn read_services_1_0(
    root: &Reader<'_>,
    version: Version,
) -> Result<Vec<Service, MAX_SERVICES>, ManifestError> {
    let wanted = "four 32-bit cells for each UUID";
    let cells = root
        .cells("uuid", wanted)?
        .ok_or_else(|| root.missing("uuid", wanted))?;
    let (uuids, []) = cells.as_chunks::<4>() else {
        let found = Found::Bytes(cells.as_flattened().len());
        return Err(root.wrong_type("uuid", found, wanted));
    };
    let wanted = "one 32-bit cell, or one for each UUID";
    let methods = root
        .cells("messaging-method", wanted)?
        .ok_or_else(|| root.missing("messaging-method", wanted))?;
    if methods.len() != 1 && methods.len() != uuids.len() {
        let found = Found::Bytes(methods.as_flattened().len());
        return Err(root.wrong_type("messaging-method", found, wanted));
    }
    let mut services = Vec::new();
    for (words, found) in uuids.iter().zip(methods.iter().cycle()) {
        let messaging_method = method(root, u32::from_be_bytes(*found), version)?;
        let uuid = Uuid::from_words(words.map(u32::from_be_bytes));
        push(root, &mut services, uuid, messaging_method)?;
    }
    Ok(services)
}

/// Format 1.1: a node for each service.
fn read_services_1_1(
    node: &Reader<'_>,
    version: Version,
) -> Result<Vec<Service, MAX_SERVICES>, ManifestError> {
    if !node.is_compatible("arm,ffa-manifest-services") {
        return Err(node.incompatible("\"arm,ffa-manifest-services\""));
    }
    let mut services = Vec::new();
    for service in node.children() {
        let uuid = parse_uuid(&service, "uuid", service.text("uuid")?)?;
        let messaging_method = method(&service, service.number("messaging-method")?, version)?;
        push(&service, &mut services, uuid, messaging_method)?;
    }
    if services.is_empty() {
        let wanted = "at least one node with a service";
        return Err(node.error(None, Problem::Missing { wanted }));
    }
    Ok(services)
}

/// `image-uuid`, in either format's way to write a UUID.
fn read_image_uuid(root: &Reader<'_>) -> Result<Option<Uuid>, ManifestError> {
    let property = "image-uuid";
    let Some(value) = root.bytes(property) else {
        return Ok(None);
    };
    if let (&[a, b, c, d], []) = value.as_chunks::<4>() {
        return Ok(Some(Uuid::from_words([a, b, c, d].map(u32::from_be_bytes))));
    }
    parse_uuid(root, property, root.text(property)?).map(Some)
}

/// Reads a UUID's text form, as format 1.1 has it.
///
/// Its digits are the four words of format 1.0, written one behind the other, so that
/// "b4b5671e-4a90-…" and `<0xb4b5671e 0x4a90…>` are the same service. So Hafnium reads them, and a
/// partition keeps its UUID when its manifest changes format. (It is not the order in which the
/// specification writes the UUID that w1 to w4 of `FFA_PARTITION_INFO_GET` stand for: there each
/// word's bytes are swapped.)
fn parse_uuid(
    node: &Reader<'_>,
    property: &'static str,
    text: &str,
) -> Result<Uuid, ManifestError> {
    uuid_words(text).map(Uuid::from_words).ok_or_else(|| {
        node.error(
            Some(property),
            Problem::OutOfRange {
                found: Found::text(text),
                wanted: "a UUID: 8, 4, 4, 4 and 12 hexadecimal digits".into(),
            },
        )
    })
}

/// The 32 digits of a UUID's text form as four words.
fn uuid_words(text: &str) -> Option<[u32; 4]> {
    let mut bits: u128 = 0;
    let mut groups = text.split('-');
    for length in [8, 4, 4, 4, 12] {
        let group = groups.next()?;
        if group.len() != length {
            return None;
        }
        for digit in group.chars() {
            bits = bits << 4 | u128::from(digit.to_digit(16)?);
        }
    }
    if groups.next().is_some() {
        return None;
    }
    let word = |shift: u32| (bits >> shift) as u32;
    Some([word(96), word(64), word(32), word(0)])
}
