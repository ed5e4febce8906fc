//! Everything about memory, to be compared.

use super::*;
use std::collections::BTreeSet;

/// Everything about memory.
#[derive(Clone, PartialEq)]
pub struct State {
    pub map: Box<Shares>,
    pub ground: Ground,
    pub pages: BTreeMap<u64, Vec<u8>>,
}

impl State {
    /// All memory but what lies in TX buffers, which tests write between calls.
    pub fn pages_but_buffers(&self) -> BTreeMap<u64, &Vec<u8>> {
        let buffers = [A, B, C, OLD].map(Fake::memory);
        let starts = buffers.into_iter().chain([NORMAL_MEMORY.start]);
        let starts: Vec<_> = starts.collect();
        let is_tx = |page: u64| {
            starts
                .iter()
                .any(|tx| (*tx..tx + PAIR * PAGE).contains(&page))
        };
        let pages = self.pages.iter().filter(|(page, _)| !is_tx(**page));
        pages.map(|(page, bytes)| (*page, bytes)).collect()
    }

    /// What partitions see is what the map says.
    pub fn agrees(&self) {
        let mut granted = BTreeSet::new();
        let mut hidden = BTreeSet::new();
        for known in self.map.transactions() {
            let pages = || {
                let pieces = self.map.pieces(known.handle());
                pieces.flat_map(|part| (0..part.count).map(move |n| part.base + n * PAGE))
            };
            for borrower in known.receivers() {
                let party = borrower.receiver().party.map_or(0, |party| party.0);
                if borrower.retrievals() != 0 && party != 0 {
                    granted.extend(pages().map(|page| (party - 1, page)));
                }
            }
            let kind = known.kind();
            let hides = kind != ffa_abi::memory::TransactionKind::Share;
            if known.complete() && !known.donated() && hides && known.owner().0 != 0 {
                hidden.extend(pages().map(|page| (known.owner().0 - 1, page)));
            }
        }
        assert_eq!(self.ground.hidden, hidden, "hidden pages");
        let seen: BTreeSet<_> = self
            .ground
            .granted
            .keys()
            .copied()
            .filter(|(slot, page)| !self.owns(*slot, *page))
            .collect();
        let wanted: BTreeSet<_> = granted
            .into_iter()
            .filter(|(slot, page)| !self.owns(*slot, *page))
            .collect();
        assert_eq!(seen, wanted, "granted pages");
    }

    pub fn owns(&self, slot: u8, page: u64) -> bool {
        let pages = ffa_abi::sharing::Pages::new(page, 1).expect("a page");
        let party = ffa_abi::sharing::Party(slot + 1);
        self.map
            .regions_of(party)
            .any(|region| region.pages.contains(pages))
    }
}
