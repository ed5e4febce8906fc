//! Which names the format has, and what of a partition's manifest is refused in a VM's.
//!
//! One rule: nothing is ignored. The format is this project's own, so a name that it does not have is
//! a slip of its author's. What a partition may ask for and a VM may not is refused with its reason.
//! Names with a vendor's prefix ("vendor,name"), and the properties that every device tree may have,
//! inform.

use super::error::{Problem, VmManifestError, clip};
use super::tree::Reader;
use dtoolkit::Property;

const NO_MEMORY: &str = "a VM has one range of memory, which load-address and memory-size name, and the VM maps its RX/TX \
     buffers itself";
const NO_SMMU: &str =
    "there is no SMMU driver, so nothing would confine what the device reads and writes";
const NO_ROUTES: &str = "interrupts of devices go to core 0";

/// What partitions' manifests have and a VM's has not.
const REFUSED: &[(&str, &str)] = &[
    ("memory-regions", NO_MEMORY),
    ("rx_tx-info", NO_MEMORY),
    ("smmu-id", NO_SMMU),
    ("stream-ids", NO_SMMU),
    ("stream-ids-access-permissions", NO_SMMU),
    ("interrupts-target", NO_ROUTES),
];

/// Properties that any node may have.
const ANY: [&str; 4] = ["compatible", "phandle", "#address-cells", "#size-cells"];

/// Refuses properties and children of a node that are not among these; `None`: the children are the
/// author's to name.
///
/// # Errors
/// [`Problem::NotImplemented`], [`Problem::Unknown`].
pub(super) fn check(
    node: &Reader<'_>,
    properties: &[&str],
    children: Option<&[&str]>,
) -> Result<(), VmManifestError> {
    for property in node.properties() {
        let name = property.name();
        if ANY.contains(&name) || properties.contains(&name) {
            continue;
        }
        refuse(node, "property", name)?;
    }
    if let Some(children) = children {
        for child in node.children() {
            let name = child.base_name();
            if !children.contains(&name) {
                refuse(node, "node", name)?;
            }
        }
    }
    Ok(())
}

/// Refuses a name, if it has no vendor's prefix.
fn refuse(node: &Reader<'_>, what: &'static str, name: &str) -> Result<(), VmManifestError> {
    // This project's own prefix is the format's.
    let foreign = name
        .split_once(',')
        .is_some_and(|(vendor, _)| vendor != "tantalum");
    if foreign {
        return Ok(());
    }
    let known = REFUSED.iter().find(|(refused, _)| *refused == name);
    Err(match known {
        Some((refused, why)) => node.error(*refused, Problem::NotImplemented(why)),
        None => {
            let name = clip(name);
            node.error(None, Problem::Unknown { what, name })
        }
    })
}
