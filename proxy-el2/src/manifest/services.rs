//! What a VM offers and how it exchanges messages: `uuid` and `messaging-method`, written as a
//! partition's manifest has them (DEN0077A, "Partition manifest").

use super::error::{Found, Problem, VmManifestError};
use super::names;
use super::tree::Reader;
use super::vm::DEFAULT_METHODS;
use ffa_abi::{
    Uuid, Version,
    messaging::{MAX_SERVICES, Messaging, Service},
};
use heapless::Vec;

const RECEIVES: u32 = 1 << 0 | 1 << 9;
const DIRECT: u32 = 1 << 0 | 1 << 1;
const DIRECT2: u32 = 1 << 9 | 1 << 10;
const INDIRECT: u32 = 1 << 2;

const METHOD: &str = "messaging-method";
const PER_UUID: &str = "four 32-bit cells for each UUID";
const PER_METHOD: &str = "one 32-bit cell, or one for each UUID";
const NODE: &str = "services";

/// What decides which methods a VM may have.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// The highest version that it may negotiate.
    pub(super) version: Version,
    /// Whether it is the primary.
    pub(super) primary: bool,
}

/// Reads what a VM offers, and its methods: those of all services together.
///
/// # Errors
/// As the sentences say: a wrong type, the nil UUID, more than 16, a method that VMs do not have.
pub(super) fn read(
    root: &Reader<'_>,
    limits: Limits,
) -> Result<(Vec<Service, MAX_SERVICES>, Messaging), VmManifestError> {
    let mut services = Vec::new();
    if let Some(list) = root.chapter(NODE, "arm,ffa-manifest-services")? {
        for property in ["uuid", METHOD] {
            if let Some(value) = root.bytes(property) {
                let found = Found::Bytes(value.len());
                let wanted = "nothing, since the node services says it";
                return Err(root.wrong(property, found, wanted));
            }
        }
        names::check(&list, &["description"], None)?;
        read_nodes(&list, limits, &mut services)?;
    } else {
        let methods = read_methods(root, limits)?;
        let Some(cells) = root.cells("uuid", PER_UUID)? else {
            let method = match methods.as_slice() {
                [] => Messaging(DEFAULT_METHODS),
                [method] => *method,
                more => {
                    let found = Found::Bytes(more.len() * 4);
                    return Err(root.wrong(
                        METHOD,
                        found,
                        "one 32-bit cell, since there is no uuid",
                    ));
                }
            };
            return Ok((services, method));
        };
        read_cells(root, cells, &methods, &mut services)?;
    }
    let all = services
        .iter()
        .fold(0, |all, service| all | service.messaging.0);
    Ok((services, Messaging(all)))
}

/// A node for each service.
fn read_nodes(
    list: &Reader<'_>,
    limits: Limits,
    services: &mut Vec<Service, MAX_SERVICES>,
) -> Result<(), VmManifestError> {
    for node in list.children() {
        names::check(&node, &["uuid", METHOD, "description"], Some(&[]))?;
        let text = node.text("uuid")?;
        let Some(uuid) = Uuid::from_manifest_text(text) else {
            let wanted = "a UUID: 8, 4, 4, 4 and 12 hexadecimal digits";
            return Err(node.wrong("uuid", Found::text(text), wanted));
        };
        let messaging = match read_methods(&node, limits)?.as_slice() {
            [] => Messaging(DEFAULT_METHODS),
            [method] => *method,
            more => {
                let found = Found::Bytes(more.len() * 4);
                return Err(node.wrong(METHOD, found, "one 32-bit cell"));
            }
        };
        push(&node, services, Service { uuid, messaging })?;
    }
    match services.is_empty() {
        true => Err(list.empty("at least one node with a service")),
        false => Ok(()),
    }
}

/// Lists of numbers. One method stands for all UUIDs, or there is one for each.
fn read_cells(
    root: &Reader<'_>,
    cells: &[[u8; 4]],
    methods: &[Messaging],
    services: &mut Vec<Service, MAX_SERVICES>,
) -> Result<(), VmManifestError> {
    let (uuids, []) = cells.as_chunks::<4>() else {
        let found = Found::Bytes(cells.as_flattened().len());
        return Err(root.wrong("uuid", found, PER_UUID));
    };
    if methods.len() > 1 && methods.len() != uuids.len() {
        let found = Found::Bytes(methods.len() * 4);
        return Err(root.wrong(METHOD, found, PER_METHOD));
    }
    for (index, words) in uuids.iter().enumerate() {
        let uuid = Uuid::from_words(words.map(u32::from_be_bytes));
        let method = methods.get(index).or(methods.first());
        let messaging = method.copied().unwrap_or(Messaging(DEFAULT_METHODS));
        push(root, services, Service { uuid, messaging })?;
    }
    Ok(())
}

/// Adds a service.
fn push(
    node: &Reader<'_>,
    services: &mut Vec<Service, MAX_SERVICES>,
    service: Service,
) -> Result<(), VmManifestError> {
    if service.uuid.is_nil() {
        return Err(node.wrong("uuid", Found::NilUuid, "another"));
    }
    services.push(service).map_err(|_| {
        let problem = Problem::TooMany {
            limit: MAX_SERVICES,
            what: "UUIDs",
        };
        node.error("uuid", problem)
    })
}

/// Reads `messaging-method`: one for each cell, none if the property is not there.
fn read_methods(
    node: &Reader<'_>,
    limits: Limits,
) -> Result<Vec<Messaging, MAX_SERVICES>, VmManifestError> {
    let mut methods = Vec::new();
    for cell in node.cells(METHOD, PER_METHOD)?.unwrap_or_default() {
        let method = method(node, u32::from_be_bytes(*cell), limits)?;
        methods.push(method).map_err(|_| {
            let problem = Problem::TooMany {
                limit: MAX_SERVICES,
                what: "cells",
            };
            node.error(METHOD, problem)
        })?;
    }
    Ok(methods)
}

/// Checks a messaging method.
fn method(node: &Reader<'_>, found: u32, limits: Limits) -> Result<Messaging, VmManifestError> {
    let number = Found::Number(found.into());
    if found == 0 || found & !(DIRECT | DIRECT2 | INDIRECT) != 0 {
        let wanted = "at least one of bits 0, 1, 2, 9 and 10, and no other";
        return Err(node.wrong(METHOD, number, wanted));
    }
    if found & DIRECT2 != 0 && !limits.version.has_extended_registers() {
        let wanted = "bits 9 and 10 clear with an ffa-version below 1.2";
        return Err(node.wrong(METHOD, number, wanted));
    }
    if found & INDIRECT != 0 && limits.version < Version::V1_1 {
        let wanted = "bit 2 clear with an ffa-version below 1.1";
        return Err(node.wrong(METHOD, number, wanted));
    }
    let refused = |wanted, why| {
        let found = Found::Number(found.into());
        Err(node.error(METHOD, Problem::Refused { found, wanted, why }))
    };
    if found & RECEIVES != 0 && limits.primary {
        return refused(
            "bits 0 and 9 (receive) clear for the primary",
            "it is never in FFA_MSG_WAIT",
        );
    }
    Ok(Messaging(found))
}
