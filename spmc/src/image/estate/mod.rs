//! What each partition has of the machine beside its contexts: its memory, the tables that show it
//! to the partition, and what a restart needs.

mod permissions;
mod sharing;
mod spaces;

pub use permissions::{permissions, set_permissions};
pub use sharing::{clear, covers, give_up, grant, hide, revoke, show};
pub use spaces::{Roots, Spaces, add_tables, free_tables, share_tables};

use super::{
    boot::{self, Core},
    port::Port,
    vcpu::Vcpu,
};
use core::ops::Range;
use defmt::error;
use ffa_abi::FfaError;
use heapless::Vec;
use platform::{
    cache,
    guest::GuestRegs,
    stage1::Kind,
    stage2::{Flush, Mapping, Memory, Stage2},
};
use spmc::{
    MAX_PARTITIONS,
    context::Slot,
    locks::{self, Held, Lock},
    manifest::Mapped,
};

/// Each partition's, once it is loaded.
static ESTATES: [Lock<Option<Estate>, { locks::MEMORY }>; MAX_PARTITIONS] =
    [const { Lock::new(None) }; MAX_PARTITIONS];

/// What is kept of a partition.
pub struct Estate {
    /// The memory that its package was loaded into.
    pub load: Range<u64>,
    /// Memory regions, those inside of it among them.
    pub others: Vec<Mapped, 16>,
    /// Registers of devices.
    pub devices: Vec<Mapped, 16>,
    /// Its address spaces; empty once it was destroyed.
    pub spaces: Spaces,
    /// What its package looked like before it ran first, boot information included.
    pub saved: Option<Range<u64>>,
    /// The general registers of its first entry.
    pub start: GuestRegs,
    /// RX and TX as its manifest fixes them.
    pub rx_tx: Option<(Range<u64>, Range<u64>)>,
    /// How often its address spaces were changed, or were about to be.
    pub changes: u32,
}

impl Estate {
    /// Makes this the estate of `slot`.
    pub fn install(self, slot: Slot, held: &mut Held<0>) {
        if let Some(place) = ESTATES.get(slot.index()) {
            place.with(held, |estate, _| *estate = Some(self));
        }
    }

    /// The secure memory regions beside the load memory that the partition could write.
    fn written(&self) -> impl Iterator<Item = Range<u64>> {
        let own = self.others.iter().filter(|region| {
            let shared = region.normal_world || region.inside;
            !shared && region.access.write
        });
        own.map(|region| region.range.clone())
    }
}

/// In which way a partition's RX or TX buffer is to be mapped: what it names has to be read-write
/// normal memory of its own, in one of its address spaces.
pub fn kind_of(
    slot: Slot,
    address: u64,
    size: u64,
    held: &mut Held<{ locks::PAIRS }>,
) -> Result<Kind, FfaError> {
    with_estate(slot, held, |estate| kind_in(&estate.spaces, address, size))
        .unwrap_or(Err(FfaError::InvalidParameters))
}

/// The same, of one with these address spaces.
fn kind_in(spaces: &Spaces, address: u64, size: u64) -> Result<Kind, FfaError> {
    let all_of = |space: &Stage2<'_>, normal_world: bool| {
        space.translate_range(address, size).all(|part| {
            part.is_ok_and(|Mapping { ipa, pa, attr, .. }| {
                // At S-EL0 both worlds' memory is in one space.
                let world = attr.normal_world == (normal_world && spaces.is_el0());
                let normal = attr.memory == Memory::Normal;
                world && normal && attr.read && attr.write && ipa == pa
            })
        })
    };
    if all_of(spaces.secure(), false) {
        Ok(Kind::Data)
    } else if all_of(spaces.normal(), true) {
        Ok(Kind::DataNs)
    } else {
        Err(FfaError::InvalidParameters)
    }
}

/// Maps the RX/TX pair that a partition's manifest fixes, if it does.
pub fn map_static_buffers(core: &Core, slot: Slot, port: &mut Port, held: &mut Held<0>) -> bool {
    let rx_tx = with_estate(slot, held, |estate| estate.rx_tx.clone());
    let Some((rx, tx)) = rx_tx.flatten() else {
        return true;
    };
    // Both have the same size, of at most four pages.
    let pages = rx.end.saturating_sub(rx.start) / 4096;
    let mapped = core.map_of_partition(slot, tx.start, rx.start, pages as u32, port, held);
    if let Err(error) = mapped {
        error!(
            "slot {=u8}: rx_tx-info could not be mapped ({=i32}): it has no RX/TX pair",
            slot.0, error as i32
        );
    }
    mapped.is_ok()
}

/// Loads a partition anew: memory and the registers of its only context as at its first entry.
/// `false` if that can't be.
#[cold]
#[inline(never)]
pub fn reload(slot: Slot, vcpu: &mut Vcpu, held: &mut Held<0>) -> bool {
    // The work takes time, and others look at estates meanwhile: none of it is done under the lock.
    // Nobody else touches a partition that has ended.
    let facts = with_estate(slot, held, |estate| {
        let saved = estate.saved.clone()?;
        let written: Ranges = estate.written().collect();
        let tlbi = estate.spaces.secure_flush();
        let vmid = estate.spaces.secure().vmid();
        Some((
            saved,
            estate.load.clone(),
            written,
            (tlbi, vmid),
            estate.start.clone(),
        ))
    });
    let Some((saved, load, written, (tlbi, vmid), start)) = facts.flatten() else {
        return false;
    };
    let done = boot::with_memory(saved, |saved| {
        boot::with_memory(load, |memory| {
            let (head, tail) = memory.split_at_mut(saved.len().min(memory.len()));
            head.copy_from_slice(saved.get(..head.len()).unwrap_or_default());
            tail.fill(0);
            cache::clean(memory);
        })
    });
    if done != Some(Some(())) {
        error!("a partition's memory could not be mapped to restart it");
        return false;
    }
    if !written.into_iter().all(wipe_range) {
        return false;
    }
    cache::invalidate_instructions();
    // What any core cached of the partition's own translations.
    tlbi.all(vmid);
    let reset = with_estate(slot, held, |estate| {
        let Estate {
            spaces,
            load,
            others,
            devices,
            ..
        } = estate;
        spaces.reset(load, others, devices)
    });
    if reset != Some(true) {
        error!("a partition's permissions could not be what they were");
        return false;
    }
    vcpu.begin(start);
    true
}

/// Where a partition's first context started.
pub fn entry_point(slot: Slot, held: &mut Held<0>) -> Option<u64> {
    with_estate(slot, held, |estate| estate.start.pc)
}

/// Wipes what a destroyed partition has, and gives its tables back. What others still hold of it is wiped when they
/// give it back.
#[cold]
#[inline(never)]
pub fn wipe(core: &Core, slot: Slot, vcpu: &mut Vcpu, held: &mut Held<0>) {
    let _ = with_estate(slot, held, |estate| {
        estate.spaces.clear();
        estate.others.clear();
        estate.devices.clear();
    });
    // The work takes time, and others need the locks meanwhile: none of it is done under one. Nobody gets memory
    // of a partition that has ended.
    let (mut at, mut bytes) = (0, 0u64);
    while let Some(region) = core.own_memory(slot, at, held) {
        let pages = region.pages;
        at = pages.end();
        if region.write && !region.device && !region.normal_world {
            bytes = bytes.saturating_add(pages.bytes());
            sharing::zero(pages, region.normal_world);
        }
    }
    *vcpu = Vcpu::RESET;
    defmt::info!(
        "slot {=u8}: {=u64} KiB wiped, {=usize} tables free",
        slot.0,
        bytes / 1024,
        free_tables()
    );
}

/// The ranges of a partition's own memory.
type Ranges = Vec<Range<u64>, 17>;

/// Looks at, or changes, what is kept of a partition.
fn with_estate<const HELD: u8, R>(
    slot: Slot,
    held: &mut Held<HELD>,
    f: impl FnOnce(&mut Estate) -> R,
) -> Option<R> {
    let estate = ESTATES.get(slot.index())?;
    estate.with(held, |estate, _| estate.as_mut().map(f))
}

fn wipe_range(range: Range<u64>) -> bool {
    boot::with_memory(range, |memory| {
        memory.fill(0);
        cache::clean(memory);
    })
    .is_some()
}
