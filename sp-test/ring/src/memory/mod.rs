//! Memory management in the ring: what the machine has of it, what must hold after each call, and
//! random calls.
//!
//! Endpoints own a few pages each, so that what they give meets what others have. As soon as the SPMC
//! has read a buffer, its owner has written noise there; tables are missing now and then.

mod descriptor;
mod generate;
mod land;

pub use generate::call;
pub(crate) use land::{BUFFER_PAGES, Land, of_normal_world, of_partition, tx};

use crate::{
    fid,
    world::{Who, World},
};
use ffa_abi::{
    Version,
    memory::{Handle, TransactionKind},
    sharing::Pages,
};
use spmc::{context::Slot, spm::Shares};
use std::collections::BTreeSet;

/// Whether a call may change what the map knows.
pub(crate) const fn concerns(call: u32) -> bool {
    let number = call & 0xff;
    call & 0xbfff_ff00 == 0x8400_0000 && matches!(number, 0x66 | 0x67 | 0x71..=0x7b)
}

/// The map before a call, if it is one that may change it.
pub(crate) type Before = Option<Box<Shares>>;

impl World<'_> {
    /// The map, if `call` may change it.
    pub(crate) fn memory_before(&mut self, call: u32) -> Before {
        self.land.begin();
        let concerned = self.has_memory && concerns(call);
        concerned.then(|| self.spmc.with_sharing(|map| Box::new(map.clone())))
    }

    /// After a call that `failed` or not: the map is sound, partitions see what it says, and an error has
    /// left it as it was.
    pub(crate) fn memory_after(
        &mut self,
        before: Before,
        call: &[u64],
        failed: bool,
    ) -> Result<(), String> {
        if let Some(wrong) = self.land.take_wrong() {
            return Err(wrong);
        }
        let Some(mut before) = before else {
            return Ok(());
        };
        if failed {
            let same = self.spmc.with_sharing(|map| {
                // A fragment that is none ends its transaction.
                let handle = Handle(call[2] << 32 | call[1] & 0xffff_ffff);
                if fid::of(call[0]) == fid::FRAG_TX && map.find(handle).is_none() {
                    before.abandon(handle);
                }
                *map == *before
            });
            if !same {
                return Err("an error left something in the map".to_owned());
            }
        }
        self.memory_holds()
    }

    /// The map is sound, and partitions see what it says.
    pub(crate) fn memory_holds(&mut self) -> Result<(), String> {
        if let Some(wrong) = self.land.take_wrong() {
            return Err(wrong);
        }
        let Self { spmc, land, .. } = self;
        spmc.with_sharing(|map| {
            map.check().map_err(|fault| fault.to_string())?;
            let mut granted = BTreeSet::new();
            let mut hidden = BTreeSet::new();
            for known in map.transactions() {
                let pages = || land::pages(map.pieces(known.handle()));
                for borrower in known.receivers() {
                    let party = borrower.receiver().party.map_or(0, |party| party.0);
                    if borrower.retrievals() != 0 && party != 0 {
                        granted.extend(pages().map(|page| (party - 1, page)));
                    }
                }
                let sealed = known.complete() && !known.donated();
                let owner = known.owner().0;
                if sealed && known.kind() != TransactionKind::Share && owner != 0 {
                    hidden.extend(pages().map(|page| (owner - 1, page)));
                }
            }
            if *land.hidden() != hidden {
                return Err(format!(
                    "hidden: {:x?}, and the map says {hidden:x?}",
                    land.hidden()
                ));
            }
            // What was given to somebody for good is its own, as is what it had at first. The dead may
            // have kept something for want of tables.
            let owns = |slot: u8, page: u64| {
                let party = ffa_abi::sharing::Party(slot + 1);
                let page = Pages {
                    base: page,
                    count: 1,
                };
                map.regions_of(party)
                    .any(|region| region.pages.contains(page))
            };
            let alive = |slot: u8| spmc.is_alive(Slot(slot));
            let seen = land.granted().keys().copied();
            let seen: BTreeSet<_> = seen
                .filter(|(slot, page)| alive(*slot) && !owns(*slot, *page))
                .collect();
            if seen != granted {
                return Err(format!("granted: {seen:x?}, and the map says {granted:x?}"));
            }
            Ok(())
        })
    }

    /// Whoever has the core writes into its TX.
    pub(crate) fn put_tx(&mut self, core: usize, bytes: &[u8]) {
        let of = match self.now(core) {
            Who::Partition(slot) => Some(slot),
            _ => None,
        };
        self.land.put(tx(of), bytes);
    }

    /// How many of 16 changes of stage 2 find no tables.
    pub fn tables_are_scarce(&mut self, scarce: usize) {
        self.land.scarce = scarce;
    }

    /// Gives `work` the map.
    pub(crate) fn with_sharing<R>(&self, work: impl FnOnce(&Shares) -> R) -> R {
        self.spmc.with_sharing(work)
    }

    /// The version of a partition, or of the normal world.
    pub(crate) fn version_of(&self, of: Option<Slot>) -> Version {
        let known = self.spmc.negotiation(of);
        known.map_or(Version::V1_0, |known| known.version)
    }

    /// What is left of a descriptor of which fragments were accepted.
    pub(crate) fn rest_of(&self, handle: u64) -> Option<Vec<u8>> {
        self.land.rests.get(&handle).cloned()
    }

    /// Notes what came of a call: what is left of a descriptor whose fragment was accepted, and how much of an
    /// answer was fetched.
    pub(crate) fn note_answer(&mut self, core: usize, call: u64, tx: &[u8], rest: &[u8]) {
        let got = self.registers(core);
        let of = match self.now(core) {
            Who::Partition(slot) => Some(slot.0),
            _ => None,
        };
        match (got[0] as u32, tx.get(8..16)) {
            (fid::RETRIEVE_RESP, Some(handle)) => {
                let handle = handle.iter().rev();
                let handle = handle.fold(0, |word, byte| word << 8 | u64::from(*byte));
                self.land.fetches.insert(of, (handle, got[2]));
            }
            (fid::FRAG_TX, _) => {
                if let Some((_, offset)) = self.land.fetches.get_mut(&of) {
                    *offset += got[3];
                }
            }
            _ => {}
        }
        let counts = &mut self.ledger.counts;
        let narrow = fid::of(call) & !fid::WIDE;
        match (got[0] as u32, narrow) {
            (fid::SUCCESS_32, fid::MEM_DONATE | fid::MEM_LEND | fid::MEM_SHARE | fid::FRAG_TX) => {
                counts.sent += 1;
            }
            (fid::SUCCESS_32, fid::RELINQUISH | fid::RECLAIM) => counts.given_back += 1,
            (fid::RETRIEVE_RESP, _) => counts.retrieved += 1,
            (fid::FRAG_RX | fid::FRAG_TX, _) => counts.fragments += 1,
            _ => {}
        }
        if got[0] == u64::from(fid::FRAG_RX) && !rest.is_empty() {
            let handle = got[2] << 32 | got[1];
            self.land.rests.insert(handle, rest.to_vec());
        }
    }
}
