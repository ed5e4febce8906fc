//! The VM's manifest, `tantalum,vm-manifest-1.0`: a device tree in front of the VM's image.
//!
//! | property | type | |
//! | --- | --- | --- |
//! | `id` | number | 1 to 0x7ffe |
//! | `load-address` | number | where the VM's memory starts: physical and intermediate physical |
//! | `memory-size` | number | its size in bytes |
//! | `entrypoint-offset` | number, optional | the first instruction, from the load address |
//! | `description` | string, optional | a name for the log |
//! | `tantalum,smccc-strict` | empty, optional | 64-bit messages never complete its 32-bit calls |
//! | `housekeeping-us` | number, optional | period of the proxy's own timer interrupt, which shows lines that the VM left unfinished; at least 100 |
//!
//! Numbers are one or two 32-bit cells. An error says which property, what was found and what is
//! wanted.

use core::ops::Range;
use dtoolkit::{Node, Property, fdt::Fdt};
use ffa_abi::{EndpointId, contract::Mode};
use heapless::String;
use thiserror::Error;

/// The largest manifest, in bytes.
pub const LIMIT: usize = 64 * 1024;
const PAGE: u64 = 4096;
const HEADER: usize = 40;

/// A VM's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmManifest {
    /// Its id.
    pub id: EndpointId,
    /// Its memory, page aligned: physical and intermediate physical addresses are the same.
    pub memory: Range<u64>,
    /// Its first instruction.
    pub entrypoint: u64,
    /// A name for the log.
    pub description: String<32>,
    /// How mixed 32- and 64-bit completions are handled for it.
    pub mode: Mode,
    /// Period of the proxy's own timer interrupt, in microseconds.
    pub housekeeping_us: Option<u32>,
}

/// Why a VM's manifest was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VmManifestError {
    /// No device tree.
    #[error(
        "VM manifest: found no device tree ({found} bytes), wanted one of at most {LIMIT} bytes"
    )]
    Unreadable {
        /// Bytes that were there.
        found: usize,
    },
    /// The compatible string is another.
    #[error("VM manifest: node /: property compatible: wanted \"tantalum,vm-manifest-1.0\"")]
    Incompatible,
    /// A property is missing.
    #[error("VM manifest: node /: property {property}: missing")]
    Missing {
        /// Which.
        property: &'static str,
    },
    /// A property has another type.
    #[error(
        "VM manifest: node /: property {property}: found {found} bytes, wanted one or two 32-bit cells"
    )]
    WrongType {
        /// Which.
        property: &'static str,
        /// Its size.
        found: usize,
    },
    /// A value can't be.
    #[error("VM manifest: node /: property {property}: found {found:#x}, wanted {wanted}")]
    OutOfRange {
        /// Which.
        property: &'static str,
        /// Its value.
        found: u64,
        /// What would be right.
        wanted: &'static str,
    },
}

impl VmManifest {
    /// Reads a manifest at the start of `blob`, which may go on behind it.
    pub fn parse(blob: &[u8]) -> Result<Self, VmManifestError> {
        let unreadable = VmManifestError::Unreadable { found: blob.len() };
        // How long the tree is stands in its header.
        let size = match blob.get(4..8).map(<[u8; 4]>::try_from) {
            Some(Ok(bytes)) if blob.len() >= HEADER => u32::from_be_bytes(bytes) as usize,
            _ => return Err(unreadable),
        };
        let tree = match blob.get(..size) {
            Some(tree) if (HEADER..=LIMIT).contains(&size) => tree,
            _ => return Err(unreadable),
        };
        // The parser checks the whole tree here; later reads rely on it.
        let fdt = Fdt::new(tree).map_err(|_| unreadable)?;
        let root = fdt.root();
        let compatible = root
            .property("compatible")
            .is_some_and(|property| property.value() == b"tantalum,vm-manifest-1.0\0");
        if !compatible {
            return Err(VmManifestError::Incompatible);
        }
        let optional = |property: &'static str| match root.property(property) {
            None => Ok(None),
            Some(found) => number(property, found.value()).map(Some),
        };
        let required = |property: &'static str| {
            optional(property)?.ok_or(VmManifestError::Missing { property })
        };

        let id = required("id")?;
        let id = u16::try_from(id)
            .ok()
            .map(EndpointId)
            .filter(|id| id.is_vm())
            .ok_or(VmManifestError::OutOfRange {
                property: "id",
                found: id,
                wanted: "1 to 0x7ffe",
            })?;
        let start = required("load-address")?;
        if !start.is_multiple_of(PAGE) {
            return Err(VmManifestError::OutOfRange {
                property: "load-address",
                found: start,
                wanted: "a multiple of 4096",
            });
        }
        let size = required("memory-size")?;
        let end = start.checked_add(size);
        let (Some(end), true) = (end, size != 0 && size.is_multiple_of(PAGE)) else {
            return Err(VmManifestError::OutOfRange {
                property: "memory-size",
                found: size,
                wanted: "a multiple of 4096, not 0, that ends below 2^64",
            });
        };
        let offset = optional("entrypoint-offset")?.unwrap_or(0);
        if offset >= size || !offset.is_multiple_of(4) {
            return Err(VmManifestError::OutOfRange {
                property: "entrypoint-offset",
                found: offset,
                wanted: "a multiple of 4 inside the memory",
            });
        }
        let mut description = String::new();
        if let Some(property) = root.property("description")
            && let Some(text) = property
                .value()
                .strip_suffix(b"\0")
                .and_then(|bytes| core::str::from_utf8(bytes).ok())
        {
            for character in text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ') {
                // What does not fit is cut.
                if description.push(character).is_err() {
                    break;
                }
            }
        }
        let mode = match root.property("tantalum,smccc-strict") {
            Some(_) => Mode::SmcccStrict,
            None => Mode::Permissive,
        };
        let housekeeping_us = match optional("housekeeping-us")? {
            None => None,
            Some(period) => Some(
                u32::try_from(period)
                    .ok()
                    .filter(|period| *period >= 100)
                    .ok_or(VmManifestError::OutOfRange {
                        property: "housekeeping-us",
                        found: period,
                        wanted: "100 to 0xffffffff",
                    })?,
            ),
        };
        Ok(Self {
            mode,
            housekeeping_us,
            id,
            memory: start..end,
            entrypoint: start.wrapping_add(offset),
            description,
        })
    }
}

fn number(property: &'static str, value: &[u8]) -> Result<u64, VmManifestError> {
    match value.len() {
        4 | 8 => Ok(value.iter().fold(0, |n, byte| n << 8 | u64::from(*byte))),
        found => Err(VmManifestError::WrongType { property, found }),
    }
}
