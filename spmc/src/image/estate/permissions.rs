//! What partitions at S-EL0 may do with their pages, as they ask for it while they initialise.
//!
//! Whether any of it may be, the core has decided.

use super::with_estate;
use ffa_abi::{
    FfaError,
    memory::{PermissionRun, Permissions},
    sharing::{PAGE, Pages},
};
use platform::stage2::{Attr, Stage2Error};
use spmc::{
    context::Slot,
    locks::{self, Held},
};

type Shares = Held<{ locks::SHARES }>;

/// What these attributes permit; `None` if the page is not the partition's.
const fn permitted(attr: Attr) -> Option<Permissions> {
    match (attr.read, attr.write, attr.execute) {
        (false, ..) => None,
        (true, true, _) => Some(Permissions::ReadWrite),
        (true, false, true) => Some(Permissions::ReadExecute),
        (true, false, false) => Some(Permissions::ReadOnly),
    }
}

/// What a partition may do with the first of these pages, and how many of them from there on are like it. `None` if
/// nothing is there.
pub fn permissions(slot: Slot, pages: Pages, held: &mut Shares) -> Option<PermissionRun> {
    with_estate(slot, held, |estate| {
        let mut run: Option<(Permissions, u64)> = None;
        let space = estate.spaces.secure();
        for leaf in space.translate_range(pages.base, pages.bytes()) {
            let Some((leaf, found)) = leaf
                .ok()
                .and_then(|leaf| Some((leaf, permitted(leaf.attr)?)))
            else {
                break;
            };
            let (permissions, bytes) = run.get_or_insert((found, 0));
            if *permissions != found {
                break;
            }
            *bytes = bytes.saturating_add(leaf.len);
        }
        let (permissions, bytes) = run?;
        Some(PermissionRun {
            permissions,
            pages: u32::try_from(bytes / PAGE).ok()?,
        })
    })
    .flatten()
}

/// From now on a partition may do this with these pages.
pub fn set_permissions(
    slot: Slot,
    pages: Pages,
    permissions: Permissions,
    held: &mut Shares,
) -> Result<(), FfaError> {
    with_estate(slot, held, |estate| {
        let (space, flush) = estate.spaces.one(false);
        // Only what changes is what may be done: what kind of memory it is, it has been.
        let first = space.walk(pages.base).ok_or(FfaError::InvalidParameters)?.1;
        let attr = Attr {
            write: permissions == Permissions::ReadWrite,
            execute: permissions == Permissions::ReadExecute,
            ..first
        };
        space
            .protect(pages.base, pages.bytes(), attr, &flush)
            .map_err(|error| match error {
                Stage2Error::OutOfTables => FfaError::NoMemory,
                _ => FfaError::InvalidParameters,
            })
    })
    .unwrap_or(Err(FfaError::Denied))
}
