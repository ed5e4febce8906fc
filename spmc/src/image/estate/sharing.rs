//! What memory transactions do to the partitions' address spaces, and to memory.
//!
//! Whether any of it may be, the core has decided. Every page is at its own physical address.

use super::with_estate;
use crate::image::boot;
use core::ops::Range;
use defmt::error;
use ffa_abi::{
    FfaError,
    sharing::{Pages, Pieces, View},
};
use platform::{
    stage1::Kind,
    stage2::{Attr, Mapping, Memory, Regime, Stage2, Stage2Error, Tlbi},
    trap::Fault,
};
use spmc::{
    context::Slot,
    locks::{self, Held},
};

type Shares = Held<{ locks::SHARES }>;

/// The addresses of these pages.
fn ranges(pieces: Pieces<'_>) -> impl Iterator<Item = Range<u64>> + Clone {
    pieces.map(|pages| pages.base..pages.end())
}

/// Changes one of a partition's address spaces.
fn change<R>(
    slot: Slot,
    normal_world: bool,
    held: &mut Shares,
    work: impl FnOnce(&mut Stage2<'static>, &Tlbi) -> R,
) -> Option<R> {
    with_estate(slot, held, |estate| {
        estate.changes = estate.changes.wrapping_add(1);
        let (space, flush) = estate.spaces.one(normal_world);
        work(space, &flush)
    })
}

/// The error for a change that was refused. Tables are all that may be missing.
fn refused(slot: Slot, error: Stage2Error) -> FfaError {
    if error != Stage2Error::OutOfTables {
        error!(
            "slot {=u8}: its address space is not what it should be: {}",
            slot.0,
            defmt::Debug2Format(&error)
        );
    }
    FfaError::NoMemory
}

/// A borrower gets pages.
pub fn grant(
    slot: Slot,
    pieces: Pieces<'_>,
    view: View,
    held: &mut Shares,
) -> Result<(), FfaError> {
    let attr = Attr {
        memory: match view.device {
            true => Memory::Device,
            false => Memory::Normal,
        },
        read: true,
        write: view.write,
        execute: view.execute,
        normal_world: false,
    };
    let changed = change(slot, view.normal_world, held, |space, flush| {
        let mut attr = attr;
        if space.regime() == Regime::El0 {
            // What it can write it can't execute, wherever it has it from.
            if view.write && view.execute {
                return Err(FfaError::Denied);
            }
            attr.normal_world = view.normal_world;
        }
        let mappings = pieces.map(|pages| Mapping {
            ipa: pages.base,
            pa: pages.base,
            len: pages.bytes(),
            attr,
        });
        let mapped = space.map_all(mappings, flush);
        mapped.map_err(|error| refused(slot, error))
    });
    changed.unwrap_or(Err(FfaError::NoMemory))
}

/// A borrower loses pages.
pub fn revoke(
    slot: Slot,
    pieces: Pieces<'_>,
    view: View,
    held: &mut Shares,
) -> Result<(), FfaError> {
    let changed = change(slot, view.normal_world, held, |space, flush| {
        space.unmap_all(ranges(pieces), flush)
    });
    changed
        .ok_or(FfaError::NoMemory)?
        .map_err(|error| refused(slot, error))
}

/// An owner loses sight of pages.
pub fn hide(
    slot: Slot,
    pieces: Pieces<'_>,
    normal_world: bool,
    held: &mut Shares,
) -> Result<(), FfaError> {
    let changed = change(slot, normal_world, held, |space, flush| {
        space.hide(ranges(pieces), flush)
    });
    changed
        .ok_or(FfaError::NoMemory)?
        .map_err(|error| refused(slot, error))
}

/// An owner sees hidden pages again.
pub fn show(slot: Slot, pieces: Pieces<'_>, normal_world: bool, held: &mut Shares) {
    let _ = change(slot, normal_world, held, |space, flush| {
        space.show(ranges(pieces), flush);
    });
}

/// Hidden pages are another's for good.
pub fn give_up(slot: Slot, pieces: Pieces<'_>, normal_world: bool, held: &mut Shares) {
    let _ = change(slot, normal_world, held, |space, flush| {
        space.give_up(ranges(pieces), flush);
    });
}

/// Zeroes pages.
pub fn clear(pieces: Pieces<'_>, normal_world: bool) {
    for pages in pieces {
        zero(pages, normal_world);
    }
}

/// The same, of one piece.
pub fn zero(pages: Pages, normal_world: bool) {
    let kind = match normal_world {
        true => Kind::DataNs,
        false => Kind::Data,
    };
    let range = pages.base as usize..pages.end() as usize;
    // SAFETY: Normal memory that an endpoint owns, which is no object of the image. Its map has a window.
    if unsafe { boot::map().zero(range, kind) }.is_err() {
        error!("memory at {=u64:#x} could not be zeroed", pages.base);
    }
}

/// Whether a translation fault of a partition is none any more: it was met in the middle of a change by another core,
/// such as the splitting of a block. Gives how many changes there have been.
///
/// Which of its two spaces it looked at HPFAR_EL2 says, but not on every CPU (QEMU 10.0.2 says the opposite). So this
/// may say so of what the partition will never find: without another change, it is to be asked a few times in a row only.
pub fn covers(slot: Slot, fault: &Fault, held: &mut Held<0>) -> Option<u32> {
    with_estate(slot, held, |estate| {
        let spaces = &estate.spaces;
        let covered = match spaces.is_el0() {
            true => spaces.secure().covers(fault.far),
            false => spaces.secure().covers(fault.ipa()) || spaces.normal().covers(fault.ipa()),
        };
        covered.then_some(estate.changes)
    })
    .flatten()
}
