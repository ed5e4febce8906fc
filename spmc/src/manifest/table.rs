//! What this SPMC makes of each property and node of the specification's partition manifest that
//! [`PartitionManifest`](super::PartitionManifest) does not read.
//!
//! One rule: whatever would change what a partition can do, and is not implemented, is refused by
//! name; what only informs is accepted. Names that the specification does not have (a partition's
//! own properties and nodes) are accepted: they are between the partition and its author.

use super::error::{ManifestError, Problem};
use super::tree::Reader;

/// What is made of an entry. What is refused has its reason, in words for a manifest's author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// A flag or a property that asks for something not implemented, whatever its value.
    Refused(&'static str),
    /// A node that asks for something not implemented: by its name, or by this `compatible`.
    RefusedNode {
        compatible: &'static str,
        why: &'static str,
    },
    /// An id. One without bit 15 names no secure endpoint: manifests in the field have such ones, the
    /// reference takes no notice of them, and so they only inform. Others ask for what is not
    /// implemented.
    SecureId(&'static str),
    /// Informs only, or has an effect only together with something that is refused above.
    Accepted,
}

/// Why nothing that names an SMMU or its streams is accepted.
const NO_SMMU: &str =
    "there is no SMMU driver, so nothing would confine what the device reads and writes";
/// Why live activation is refused.
const NO_LIVE: &str = "an image is not exchanged while the system runs";

/// The table (DEN0077A, "Partition manifest"; nodes as Hafnium's manifests name them).
#[rustfmt::skip]
pub(super) const TABLE: &[(&str, Rule)] = &[
    // Memory and devices.
    ("live-state-buffer-info",  Rule::RefusedNode { compatible: "arm,ffa-manifest,live-state-buffer", why: NO_LIVE }),
    ("smmu-id",                 Rule::Refused(NO_SMMU)),
    ("stream-ids",              Rule::Refused(NO_SMMU)),
    ("stream-ids-access-permissions", Rule::Refused(NO_SMMU)),
    ("time-slice-mem",          Rule::Accepted),
    // Life cycle.
    ("live-activation-support", Rule::Refused(NO_LIVE)),
    ("live-activation-register", Rule::Refused(NO_LIVE)),
    // Identity and scheduling.
    ("auxiliary-id",            Rule::SecureId("nobody answers for a second id")),
    ("has-primary-scheduler",   Rule::Accepted),
    ("run-time-model",          Rule::Accepted),
];

/// Refuses a node of a memory or device region, or the one around them, that names an SMMU.
///
/// # Errors
/// [`Problem::NotImplemented`].
pub(super) fn refuse_streams(node: &Reader<'_>) -> Result<(), ManifestError> {
    for property in ["smmu-id", "stream-ids", "stream-ids-access-permissions"] {
        node.refuse(property, NO_SMMU)?;
    }
    Ok(())
}

/// Refuses a partition manifest that asks for something not implemented.
///
/// # Errors
/// [`Problem::NotImplemented`]; [`Problem::OutOfRange`] or [`Problem::WrongType`] for an id that is none.
pub(super) fn check(root: &Reader<'_>) -> Result<(), ManifestError> {
    for (name, rule) in TABLE.iter().copied() {
        match rule {
            Rule::Accepted => {}
            Rule::Refused(why) => root.refuse(name, why)?,
            Rule::SecureId(why) => {
                if root
                    .optional::<u16>(name)?
                    .is_some_and(|id| id & 0x8000 != 0)
                {
                    root.refuse(name, why)?;
                }
            }
            Rule::RefusedNode { compatible, why } => {
                if let Some(node) = root.chapters(name, compatible).next() {
                    return Err(node.error(None, Problem::NotImplemented(why)));
                }
            }
        }
    }
    Ok(())
}
