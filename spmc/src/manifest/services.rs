//! What a partition offers: its services, their protocols' UUIDs and messaging methods, in both
//! formats of the manifest (DEN0077A, "Partition manifest").

use ffa_abi::{Uuid, Version};
use heapless::Vec;

use super::error::{Found, ManifestError, Problem, Wanted};
use super::tree::Reader;

/// The most services of a partition.
pub const MAX_SERVICES: usize = 16;

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
    /// How: [`RECEIVES_DIRECT`], [`SENDS_DIRECT`], [`INDIRECT`], [`RECEIVES_DIRECT2`],
    /// [`SENDS_DIRECT2`]; at least one.
    pub messaging_method: u32,
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
    if found & INDIRECT != 0 && version < Version::V1_1 {
        let wanted = "bit 2 (indirect) clear with an ffa-version below 1.1";
        return Err(node.out_of_range(property, found.into(), wanted));
    }
    Ok(found)
}

/// Format 1.0: lists of numbers. One method stands for all UUIDs, or there is one for each.
pub(super) fn read_1_0(
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
pub(super) fn read_1_1(
    node: &Reader<'_>,
    version: Version,
) -> Result<Vec<Service, MAX_SERVICES>, ManifestError> {
    if !node.is_compatible("arm,ffa-manifest-services") {
        return Err(node.incompatible(Wanted::Name("arm,ffa-manifest-services")));
    }
    let mut services = Vec::new();
    for service in node.children() {
        let uuid = parse_uuid(&service, "uuid", service.text("uuid")?)?;
        let messaging_method = method(&service, service.number("messaging-method")?, version)?;
        push(&service, &mut services, uuid, messaging_method)?;
    }
    if services.is_empty() {
        let wanted = "at least one node with a service".into();
        return Err(node.error(None, Problem::Missing { wanted }));
    }
    Ok(services)
}

/// `image-uuid`, in either format's way to write a UUID.
pub(super) fn read_image_uuid(root: &Reader<'_>) -> Result<Option<Uuid>, ManifestError> {
    let property = "image-uuid";
    let Some(value) = root.bytes(property) else {
        return Ok(None);
    };
    if let (&[a, b, c, d], []) = value.as_chunks::<4>() {
        return Ok(Some(Uuid::from_words([a, b, c, d].map(u32::from_be_bytes))));
    }
    parse_uuid(root, property, root.text(property)?).map(Some)
}

/// Reads a UUID's text form, as format 1.1 has it. A partition keeps its UUID when its manifest
/// changes format.
fn parse_uuid(
    node: &Reader<'_>,
    property: &'static str,
    text: &str,
) -> Result<Uuid, ManifestError> {
    Uuid::from_manifest_text(text).ok_or_else(|| {
        node.error(
            Some(property),
            Problem::OutOfRange {
                found: Found::text(text),
                wanted: "a UUID: 8, 4, 4, 4 and 12 hexadecimal digits".into(),
            },
        )
    })
}
