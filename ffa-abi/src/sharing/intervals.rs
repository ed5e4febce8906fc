//! Pages that are not simply their owner's: a sorted list.

use super::{Party, pages::Piece};
use crate::error::FfaError;

/// Pages that were given under a handle, or are a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Interval {
    pub(super) first: u64,
    pub(super) count: u32,
    /// The index of the transaction; 0 for a buffer.
    pub(super) slot: u16,
    pub(super) owner: Party,
}

impl Interval {
    pub(super) const fn new(piece: Piece, slot: u16, owner: Party) -> Self {
        Self {
            first: piece.first,
            count: piece.count,
            slot,
            owner,
        }
    }

    pub(super) const fn piece(self) -> Piece {
        Piece {
            first: self.first,
            count: self.count,
        }
    }
}

/// Up to `WIDTH` × `ROWS` intervals that don't overlap, in the order of their addresses.
#[derive(Clone)]
pub(super) struct Intervals<const WIDTH: usize, const ROWS: usize> {
    store: [[Interval; WIDTH]; ROWS],
    len: usize,
}

impl<const WIDTH: usize, const ROWS: usize> Intervals<WIDTH, ROWS> {
    pub(super) const fn new() -> Self {
        let empty = Interval {
            first: 0,
            count: 0,
            slot: 0,
            owner: Party(0),
        };
        Self {
            store: [[empty; WIDTH]; ROWS],
            len: 0,
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Interval] {
        self.store.as_flattened().get(..self.len).unwrap_or(&[])
    }

    /// The index of the first one that ends behind page `first`.
    fn position(&self, first: u64) -> usize {
        self.all()
            .partition_point(|interval| interval.piece().end() <= first)
    }

    /// Those that have some page of `piece`.
    pub(super) fn within(&self, piece: Piece) -> impl Iterator<Item = &Interval> {
        let from = self.all().get(self.position(piece.first)..);
        from.unwrap_or_default()
            .iter()
            .take_while(move |interval| interval.first < piece.end())
    }

    /// Whether there is one that has some page of `piece`.
    pub(super) fn touch(&self, piece: Piece) -> bool {
        self.free_until(piece).is_none()
    }

    /// The first page behind `piece` that one of them has; beyond all pages if there is none. `None` if
    /// one has some page of `piece`.
    pub(super) fn free_until(&self, piece: Piece) -> Option<u64> {
        let next = self.all().get(self.position(piece.first));
        let until = next.map_or(u64::MAX, |interval| interval.first);
        (piece.end() <= until).then_some(until)
    }

    /// Where an interval of `piece` goes. `None` if one has some page of it.
    #[inline(always)]
    pub(super) fn place(&self, piece: Piece) -> Option<usize> {
        let all = self.all();
        match all.last() {
            Some(last) if last.piece().end() > piece.first => {}
            // Often it is the highest of all.
            _ => return Some(all.len()),
        }
        let place = self.position(piece.first);
        let free = all.get(place).is_none_or(|next| piece.end() <= next.first);
        free.then_some(place)
    }

    /// Adds one at the [`place`](Self::place) that it has. Nothing happens if there is no room.
    #[inline(always)]
    pub(super) fn insert_at(&mut self, place: usize, interval: Interval) {
        let len = self.len;
        let store = self.store.as_flattened_mut();
        if len >= store.len() || place > len {
            return;
        }
        if place != len {
            store.copy_within(place..len, place + 1);
        }
        if let Some(entry) = store.get_mut(place) {
            *entry = interval;
        }
        self.len = len + 1;
    }

    /// Adds `new`, which are sorted, and overlap neither each other nor what there is. NO_MEMORY if
    /// there is no room. What lies above the lowest of them is moved once.
    pub(super) fn insert(
        &mut self,
        new: impl DoubleEndedIterator<Item = Interval> + ExactSizeIterator,
    ) -> Result<(), FfaError> {
        let mut left = new.len();
        let mut read = self.len;
        let len = read.saturating_add(left);
        let store = self.store.as_flattened_mut();
        if len > store.len() {
            return Err(FfaError::NoMemory);
        }
        for interval in new.rev() {
            let old = store.get(..read).unwrap_or_default();
            // Often all of them go to the same place.
            let above = match old.last() {
                Some(last) if last.first > interval.first => {
                    old.partition_point(|other| other.first < interval.first)
                }
                _ => read,
            };
            store.copy_within(above..read, above + left);
            read = above;
            left -= 1;
            if let Some(entry) = store.get_mut(above + left) {
                *entry = interval;
            }
        }
        self.len = len;
        Ok(())
    }

    /// Takes out the `count` intervals of `slot`, the lowest of which starts at page `lowest`.
    pub(super) fn remove(&mut self, slot: u16, lowest: u64, count: u32) {
        let (mut read, mut left) = (self.position(lowest), count);
        let mut write = read;
        let len = self.len;
        let store = self.store.as_flattened_mut();
        while left != 0 {
            let Some(interval) = store.get(..len).and_then(|all| all.get(read)).copied() else {
                break;
            };
            read += 1;
            if interval.slot == slot {
                left -= 1;
            } else if let Some(entry) = store.get_mut(write) {
                *entry = interval;
                write += 1;
            }
        }
        if read != write {
            store.copy_within(read..len, write);
            self.len = len - (read - write);
        }
    }

    /// Takes out the interval that is `piece`, whole, of `owner`, if there is one.
    pub(super) fn remove_one(&mut self, piece: Piece, owner: Party) {
        let at = self.position(piece.first);
        let found = self.all().get(at).copied();
        if found.is_some_and(|it| it.piece() == piece && it.owner == owner) {
            let len = self.len;
            self.store.as_flattened_mut().copy_within(at + 1..len, at);
            self.len = len - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn intervals_stay_sorted_and_whole() {
        let mut list = Intervals::<16, 16>::new();
        let mut model = BTreeMap::new();
        let mut seed = 1u64;
        let mut random = |bound: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
            (seed >> 33) % bound
        };
        for round in 0..2000u16 {
            let slot = round % 5;
            let mine: Vec<_> = model
                .iter()
                .filter(|(_, interval): &(_, &Interval)| interval.slot == slot)
                .map(|(first, _)| *first)
                .collect();
            if let Some(lowest) = mine.first() {
                list.remove(slot, *lowest, mine.len() as u32);
                model.retain(|_, interval| interval.slot != slot);
            }
            let mut new: Vec<_> = (0..random(20))
                .map(|_| Piece {
                    first: random(300) * 2,
                    count: 1 + random(2) as u32,
                })
                .filter(|piece| !list.touch(*piece))
                .map(|piece| Interval::new(piece, slot, Party(1)))
                .collect();
            new.sort_by_key(|interval| interval.first);
            new.dedup_by_key(|interval| interval.first);
            list.insert(new.iter().copied()).unwrap();
            model.extend(new.iter().map(|interval| (interval.first, *interval)));
            assert!(list.all().iter().eq(model.values()), "round {round}");
        }
    }

    #[test]
    fn a_full_list_stays_as_it_is() {
        let mut list = Intervals::<2, 1>::new();
        let interval = |first| Interval::new(Piece { first, count: 1 }, 0, Party(1));
        list.insert([interval(5)].into_iter()).unwrap();
        let full = list.insert([interval(1), interval(9)].into_iter());
        assert_eq!(full, Err(FfaError::NoMemory));
        assert_eq!(list.all(), [interval(5)]);
        list.insert([interval(1)].into_iter()).unwrap();
        list.remove_one(Piece { first: 5, count: 1 }, Party(2));
        list.remove_one(Piece { first: 5, count: 1 }, Party(1));
        assert_eq!(list.all(), [interval(1)]);
    }
}
