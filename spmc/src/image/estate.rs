//! What each partition has of the machine beside its contexts: its memory, the tables that show it
//! to the partition, and what a restart needs.

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
    stage2::{
        Attr, Flush, IpaSpace, Mapping, Memory, Stage2, Stage2Error, TablePool, TableStore, Tlbi,
    },
};
use spmc::{
    MAX_PARTITIONS,
    context::Slot,
    locks::{self, Held, Lock},
    manifest::{Accepted, Access, Mapped},
};

/// Tables of the partitions' maps: two roots and a few levels for each.
const TABLES: usize = 128;
// SAFETY: Nothing is placed there but tables, which are cleared when they are taken.
#[unsafe(link_section = ".noinit")]
static STORE: TableStore<TABLES> = TableStore::new();
static STAGE2: TablePool<TABLES> = TablePool::new(&STORE);

/// Each partition's, once it is loaded.
static ESTATES: [Lock<Option<Estate>, { locks::MEMORY }>; MAX_PARTITIONS] =
    [const { Lock::new(None) }; MAX_PARTITIONS];

/// What is kept of a partition.
pub struct Estate {
    /// The memory that its package was loaded into.
    pub load: Range<u64>,
    /// Memory regions outside of it.
    pub others: Vec<Mapped, 16>,
    /// Device regions.
    pub devices: Vec<Mapped, 16>,
    /// Its address spaces; empty once it was destroyed.
    pub spaces: Spaces,
    /// What its package looked like before it ran first, boot information included.
    pub saved: Option<Range<u64>>,
    /// The general registers of its first entry.
    pub start: GuestRegs,
    /// RX and TX as its manifest fixes them.
    pub rx_tx: Option<(Range<u64>, Range<u64>)>,
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

/// A partition's two intermediate physical address spaces. Dropped, they last for ever.
pub struct Spaces {
    /// The non-secure one: its memory and devices of the normal world.
    pub normal: Stage2<'static>,
    /// The secure one: its own memory, and secure devices.
    pub secure: Stage2<'static>,
}

/// How memory of this kind is shown.
const fn attr(access: Access) -> Attr {
    Attr {
        memory: Memory::Normal,
        read: access.read,
        write: access.write,
        execute: access.execute,
    }
}

/// How registers of a device are shown.
const fn device_attr(access: Access) -> Attr {
    Attr {
        memory: Memory::Device,
        read: access.read,
        write: access.write,
        execute: false,
    }
}

impl Spaces {
    /// Builds both for a partition. After an error the pool has all its tables again.
    pub fn new(partition: &Accepted, vmid: u16) -> Result<Self, &'static str> {
        let no_tables = |_| "no tables left for its stage 2";
        let normal = Stage2::new(&STAGE2, vmid).map_err(no_tables)?;
        let secure = match Stage2::new(&STAGE2, vmid).map_err(no_tables) {
            Ok(secure) => secure,
            Err(error) => {
                let flush = flush(&normal, &normal, IpaSpace::Own);
                normal.destroy(&flush);
                return Err(error);
            }
        };
        let mut spaces = Self { normal, secure };
        match spaces.fill(partition) {
            Ok(()) => Ok(spaces),
            Err(_) => {
                spaces.destroy();
                Err("its memory could not be mapped")
            }
        }
    }

    fn fill(&mut self, partition: &Accepted) -> Result<(), Stage2Error> {
        let secure_flush = flush(&self.normal, &self.secure, IpaSpace::Own);
        let normal_flush = flush(&self.normal, &self.secure, IpaSpace::NonSecure);
        let load = &partition.region;
        let length = load.end.saturating_sub(load.start);
        self.secure
            .map(load.start, load.start, length, Attr::RWX, &secure_flush)?;
        let memory = partition.memory.iter().map(|m| (m, attr(m.access)));
        let devices = partition.devices.iter().map(|d| (d, device_attr(d.access)));
        for (region, attr) in memory.chain(devices) {
            let start = region.range.start;
            let length = region.range.end.saturating_sub(start);
            match (region.inside, region.normal_world) {
                (true, _) => self.secure.protect(start, length, attr, &secure_flush)?,
                (_, true) => self.normal.map(start, start, length, attr, &normal_flush)?,
                (_, false) => self.secure.map(start, start, length, attr, &secure_flush)?,
            }
        }
        Ok(())
    }

    /// Unmaps everything and gives all tables but the roots back: a core that ran the partition may
    /// still have them in its registers.
    fn clear(&mut self) {
        let normal = flush(&self.normal, &self.secure, IpaSpace::NonSecure);
        let secure = flush(&self.normal, &self.secure, IpaSpace::Own);
        self.normal.clear(&normal);
        self.secure.clear(&secure);
    }

    /// Gives their tables back. The partition never ran.
    pub fn destroy(self) {
        let normal = flush(&self.normal, &self.secure, IpaSpace::NonSecure);
        let secure = flush(&self.normal, &self.secure, IpaSpace::Own);
        self.normal.destroy(&normal);
        self.secure.destroy(&secure);
    }
}

/// Flushes one space of a partition with these two.
fn flush(normal: &Stage2<'_>, secure: &Stage2<'_>, space: IpaSpace) -> Tlbi {
    Tlbi::secure(normal.vttbr(), secure.root_pa(), space)
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
    let all_of = |space: &Stage2<'_>| {
        space.translate_range(address, size).all(|part| {
            part.is_ok_and(|Mapping { ipa, pa, attr, .. }| {
                attr.memory == Memory::Normal && attr.read && attr.write && ipa == pa
            })
        })
    };
    if all_of(&spaces.secure) {
        Ok(Kind::Data)
    } else if all_of(&spaces.normal) {
        Ok(Kind::DataNs)
    } else {
        Err(FfaError::InvalidParameters)
    }
}

/// Whether a partition was given any of this address space of the normal world.
pub fn anybody_has(range: &Range<u64>, held: &mut Held<{ locks::PAIRS }>) -> bool {
    (0..MAX_PARTITIONS).any(|slot| {
        with_estate(Slot(slot as u8), held, |estate| {
            let mut all = estate.others.iter().chain(&estate.devices);
            all.any(|region| {
                region.normal_world
                    && region.range.start < range.end
                    && range.start < region.range.end
            })
        })
        .unwrap_or(false)
    })
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
        let tlbi = flush(&estate.spaces.normal, &estate.spaces.secure, IpaSpace::Own);
        let vmid = estate.spaces.secure.vmid();
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
    vcpu.begin(start);
    true
}

/// Where a partition's first context started.
pub fn entry_point(slot: Slot, held: &mut Held<0>) -> Option<u64> {
    with_estate(slot, held, |estate| estate.start.pc)
}

/// Wipes what a destroyed partition has had, and gives its tables back.
#[cold]
#[inline(never)]
pub fn wipe(slot: Slot, vcpu: &mut Vcpu, held: &mut Held<0>) {
    // As in `reload`.
    let facts = with_estate(slot, held, |estate| {
        let mut ranges: Ranges = estate.written().collect();
        // There is room for one more than regions.
        let _ = ranges.push(estate.load.clone());
        ranges
    });
    let Some(ranges) = facts else {
        return;
    };
    let bytes = ranges.iter().fold(0, |bytes: u64, range| {
        bytes.saturating_add(range.end.saturating_sub(range.start))
    });
    let mut whole = true;
    for range in ranges {
        whole &= wipe_range(range);
    }
    let _ = with_estate(slot, held, |estate| {
        estate.spaces.clear();
        estate.others.clear();
        estate.devices.clear();
    });
    *vcpu = Vcpu::RESET;
    match whole {
        true => defmt::info!(
            "slot {=u8}: {=u64} KiB wiped, {=usize} tables free",
            slot.0,
            bytes / 1024,
            platform::stage2::Tables::available(&STAGE2)
        ),
        false => error!("slot {=u8}: its memory could not all be wiped", slot.0),
    }
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
