//! What this SPMC makes of each property and node of the specification's partition manifest that
//! [`PartitionManifest`](super::PartitionManifest) does not read.
//!
//! One rule: whatever would change what a partition can do, and is not implemented, is refused by
//! name; what only informs is accepted. Names that the specification does not have (a partition's
//! own properties and nodes) are accepted: they are between the partition and its author.

use super::error::{Found, ManifestError, Problem};
use super::tree::Reader;

/// What is made of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// A flag or a property that asks for something not implemented, whatever its value.
    Refused,
    /// A node that asks for something not implemented: by its name, or by this `compatible`.
    RefusedNode(&'static str),
    /// A number. Up to `legal` is what the specification allows, as one number or as a set of bits;
    /// `accepted`, described by `wanted`, is what is implemented, and the default.
    Number {
        legal: u32,
        accepted: u32,
        wanted: &'static str,
    },
    /// Informs only, or has an effect only together with something that is refused above.
    Accepted,
}

/// A number of which one value is implemented.
const fn only(accepted: u32, wanted: &'static str, legal: u32) -> Rule {
    Rule::Number {
        legal,
        accepted,
        wanted,
    }
}

/// The table (DEN0077A, "Partition manifest"; nodes as Hafnium's manifests name them).
#[rustfmt::skip]
pub(super) const TABLE: &[(&str, Rule)] = &[
    // Memory and devices.
    ("memory-regions",          Rule::RefusedNode("arm,ffa-manifest-memory-regions")),
    ("device-regions",          Rule::RefusedNode("arm,ffa-manifest-device-regions")),
    ("rx_tx-info",              Rule::RefusedNode("arm,ffa-manifest-rx_tx-buffer")),
    ("live-state-buffer-info",  Rule::RefusedNode("arm,ffa-manifest,live-state-buffer")),
    ("smmu-id",                 Rule::Refused),
    ("stream-ids",              Rule::Refused),
    ("time-slice-mem",          Rule::Accepted),
    // Interrupts.
    ("managed-exit",            Rule::Refused),
    ("managed-exit-virq",       Rule::Accepted),
    ("ns-interrupts-action",    only(2, "2 (signalled)", 2)),
    ("other-s-interrupts-action", only(1, "1 (signalled)", 1)),
    ("sri-interrupts-policy",   only(0, "0", 3)),
    // Messages and notifications.
    ("notification-support",    Rule::Refused),
    ("vm-availability-messages", only(0, "0 (none)", 3)),
    // Life cycle.
    ("lifecycle-support",       Rule::Refused),
    ("abort-action",            Rule::Refused),
    ("live-activation-support", Rule::Refused),
    ("live-activation-register", Rule::Refused),
    // Identity and scheduling.
    ("auxiliary-id",            Rule::Accepted),
    ("has-primary-scheduler",   Rule::Accepted),
    ("run-time-model",          Rule::Accepted),
];

/// Properties of a `vmN` node of the SPMC's manifest that ask for something not implemented.
const ENTRY: &[&str] = &["smc_whitelist", "smc_whitelist_permissive", "hyp_loaded"];

/// The first such property of a `vmN` node.
pub(super) fn unsupported_of_entry(vm: &Reader<'_>) -> Option<&'static str> {
    ENTRY
        .iter()
        .copied()
        .find(|property| vm.bytes(property).is_some())
}

/// Refuses a partition manifest that asks for something not implemented.
///
/// # Errors
/// [`Problem::NotImplemented`] or [`Problem::Unsupported`]; [`Problem::OutOfRange`] for a value that
/// the specification does not have; [`Problem::WrongType`].
pub(super) fn check(root: &Reader<'_>) -> Result<(), ManifestError> {
    for (name, rule) in TABLE.iter().copied() {
        match rule {
            Rule::Accepted => {}
            Rule::Refused => {
                if root.bytes(name).is_some() {
                    return Err(root.error(Some(name), Problem::NotImplemented));
                }
            }
            Rule::RefusedNode(compatible) => {
                let node = root
                    .children()
                    .find(|node| node.base_name() == name || node.is_compatible(compatible));
                if let Some(node) = node {
                    return Err(node.error(None, Problem::NotImplemented));
                }
            }
            Rule::Number {
                legal,
                accepted,
                wanted,
            } => match root.optional::<u32>(name)? {
                Some(value) if value > legal => {
                    let problem = Problem::OutOfRange {
                        found: Found::Number(value.into()),
                        wanted: wanted.into(),
                    };
                    return Err(root.error(Some(name), problem));
                }
                Some(value) if value != accepted => {
                    return Err(root.unsupported(name, value.into(), wanted));
                }
                _ => {}
            },
        }
    }
    Ok(())
}
