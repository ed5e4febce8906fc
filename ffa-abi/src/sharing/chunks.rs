//! Where constituents are kept: in the order in which they came, in chunks of a pool.

use super::{Pages, pages::Piece};
use crate::error::FfaError;

/// Constituents of a chunk.
pub(super) const PER_CHUNK: usize = 16;

/// How many chunks so many constituents need.
pub(super) const fn chunks_for(count: u32) -> u32 {
    count.div_ceil(PER_CHUNK as u32)
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    pieces: [Piece; PER_CHUNK],
    /// 1 + index of the next one of the same list; 0 at the end.
    next: u16,
}

/// The constituents of a transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct List {
    /// 1 + index of the first chunk; 0 if there is none.
    pub(super) head: u16,
    /// The same for the last one.
    pub(super) tail: u16,
    /// How many constituents.
    pub(super) len: u32,
}

/// The pool. All zero at first, so that a static of it needs no room in an image.
#[derive(Clone)]
pub(super) struct Chunks<const CHUNKS: usize> {
    pool: [Chunk; CHUNKS],
    /// 1 + index of the first chunk that was given back; 0 if there is none.
    free: u16,
    /// How many have ever been used.
    fresh: u16,
    /// Room for one list's order by address: places in the pool.
    order: [[u16; PER_CHUNK]; CHUNKS],
}

/// The piece at `place` of the pool, counted over all chunks.
fn at(pool: &[Chunk], place: u16) -> Piece {
    let (chunk, offset) = (
        usize::from(place) / PER_CHUNK,
        usize::from(place) % PER_CHUNK,
    );
    pool.get(chunk)
        .and_then(|chunk| chunk.pieces.get(offset))
        .copied()
        .unwrap_or_default()
}

impl<const CHUNKS: usize> Chunks<CHUNKS> {
    pub(super) const fn new() -> Self {
        const { assert!(CHUNKS * PER_CHUNK <= 1 << 16, "places have 16 bits") };
        Self {
            pool: [Chunk {
                pieces: [Piece { first: 0, count: 0 }; PER_CHUNK],
                next: 0,
            }; CHUNKS],
            free: 0,
            fresh: 0,
            order: [[0; PER_CHUNK]; CHUNKS],
        }
    }

    /// A chunk that is in no list: 1 + its index.
    fn take(&mut self) -> Option<u16> {
        let link = if self.free != 0 {
            self.free
        } else {
            self.fresh + 1
        };
        let chunk = self.pool.get_mut(usize::from(link) - 1)?;
        if link == self.free {
            self.free = chunk.next;
        } else {
            self.fresh = link;
        }
        chunk.next = 0;
        Some(link)
    }

    /// Appends a constituent. NO_MEMORY if the pool is used up.
    pub(super) fn push(&mut self, list: &mut List, piece: Piece) -> Result<(), FfaError> {
        let offset = list.len as usize % PER_CHUNK;
        if offset == 0 {
            let link = self.take().ok_or(FfaError::NoMemory)?;
            match usize::from(list.tail)
                .checked_sub(1)
                .and_then(|tail| self.pool.get_mut(tail))
            {
                Some(tail) => tail.next = link,
                None => list.head = link,
            }
            list.tail = link;
        }
        let place = usize::from(list.tail)
            .checked_sub(1)
            .and_then(|tail| self.pool.get_mut(tail))
            .and_then(|tail| tail.pieces.get_mut(offset));
        *place.ok_or(FfaError::NoMemory)? = piece;
        list.len += 1;
        Ok(())
    }

    /// A list of one constituent. `None` if the pool is used up.
    #[inline(always)]
    pub(super) fn single(&mut self, piece: Piece) -> Option<List> {
        let link = self.take()?;
        let chunk = self.pool.get_mut(usize::from(link).checked_sub(1)?)?;
        *chunk.pieces.first_mut()? = piece;
        Some(List {
            head: link,
            tail: link,
            len: 1,
        })
    }

    /// Gives back all of a list.
    pub(super) fn release(&mut self, list: &mut List) {
        let tail = usize::from(list.tail).checked_sub(1);
        if let Some(tail) = tail.and_then(|tail| self.pool.get_mut(tail)) {
            tail.next = self.free;
            self.free = list.head;
        }
        *list = List::default();
    }

    /// A list in the order in which it came.
    pub(super) fn pieces(&self, list: &List) -> Pieces<'_> {
        Pieces {
            pool: &self.pool,
            link: list.head,
            offset: 0,
            left: list.len,
        }
    }

    /// A list in the order of its addresses.
    pub(super) fn sorted(&mut self, list: &List) -> Sorted<'_> {
        let Self { pool, order, .. } = self;
        let order = order.as_flattened_mut();
        let order = order.get_mut(..list.len as usize).unwrap_or_default();
        let (mut link, mut last, mut ascending) = (list.head, 0, true);
        for part in order.chunks_mut(PER_CHUNK) {
            let Some(chunk) = usize::from(link)
                .checked_sub(1)
                .and_then(|index| pool.get(index))
            else {
                break;
            };
            let start = (link - 1) * PER_CHUNK as u16;
            for ((place, piece), number) in part.iter_mut().zip(&chunk.pieces).zip(start..) {
                *place = number;
                ascending &= last <= piece.first;
                last = piece.first;
            }
            link = chunk.next;
        }
        if !ascending {
            order.sort_unstable_by_key(|place| at(pool, *place).first);
        }
        Sorted { pool, order }
    }

    /// The list that was [`sorted`](Self::sorted) last, again.
    pub(super) fn again(&self, list: &List) -> Sorted<'_> {
        let order = self.order.as_flattened();
        Sorted {
            pool: &self.pool,
            order: order.get(..list.len as usize).unwrap_or_default(),
        }
    }

    /// How many chunks are in no list; `None` if one of them is there twice.
    pub(super) fn unused(&self) -> Option<usize> {
        let mut count = 0;
        let mut link = self.free;
        while let Some(index) = usize::from(link).checked_sub(1) {
            count += 1;
            link = self.pool.get(index)?.next;
            if count > usize::from(self.fresh) {
                return None;
            }
        }
        Some(count + CHUNKS - usize::from(self.fresh))
    }

    /// How many chunks a list has.
    pub(super) fn length(&self, list: &List) -> usize {
        let (mut count, mut link) = (0, list.head);
        while let Some(chunk) = usize::from(link)
            .checked_sub(1)
            .and_then(|index| self.pool.get(index))
        {
            count += 1;
            if link == list.tail || count > CHUNKS {
                break;
            }
            link = chunk.next;
        }
        count
    }
}

/// The constituents of a transaction, in the order in which its sender listed them.
#[derive(Clone)]
pub struct Pieces<'a> {
    pool: &'a [Chunk],
    link: u16,
    offset: u16,
    left: u32,
}

impl Pieces<'_> {
    /// None.
    pub const fn none() -> Self {
        Self {
            pool: &[],
            link: 0,
            offset: 0,
            left: 0,
        }
    }

    /// The chunk to be read next.
    fn chunk(&self) -> Option<&Chunk> {
        self.pool.get(usize::from(self.link).checked_sub(1)?)
    }
}

impl Iterator for Pieces<'_> {
    type Item = Pages;

    fn next(&mut self) -> Option<Pages> {
        let left = self.left.checked_sub(1)?;
        let chunk = self.chunk()?;
        let piece = *chunk.pieces.get(usize::from(self.offset))?;
        let next = chunk.next;
        self.left = left;
        self.offset += 1;
        if usize::from(self.offset) == PER_CHUNK {
            self.offset = 0;
            self.link = next;
        }
        Some(piece.pages())
    }

    fn nth(&mut self, n: usize) -> Option<Pages> {
        // Whole chunks are jumped over.
        let mut skip = u32::try_from(n).unwrap_or(u32::MAX).min(self.left);
        while skip != 0 {
            let here = (PER_CHUNK as u32 - u32::from(self.offset)).min(skip);
            self.left -= here;
            skip -= here;
            self.offset += here as u16;
            if usize::from(self.offset) == PER_CHUNK {
                self.offset = 0;
                self.link = self.chunk()?.next;
            }
        }
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Pieces<'_> {}

impl core::fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// The constituents of a transaction in the order of their addresses.
#[derive(Clone)]
pub(super) struct Sorted<'a> {
    pool: &'a [Chunk],
    order: &'a [u16],
}

impl Sorted<'_> {
    /// Each of them.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Piece> + ExactSizeIterator {
        self.order.iter().map(|place| at(self.pool, *place))
    }

    /// The first page, and the one behind the last.
    pub(super) fn bounds(&self) -> (u64, u64) {
        let first = self.iter().next().map_or(0, |piece| piece.first);
        (first, self.iter().next_back().map_or(0, Piece::end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(first: u64) -> Piece {
        Piece { first, count: 1 }
    }

    #[test]
    fn lists_keep_their_order_and_give_all_back() {
        let mut chunks = Chunks::<8>::new();
        let mut lists = [List::default(); 3];
        for round in 0..50u64 {
            let which = (round % 3) as usize;
            for number in 0..(round * 7 % 40) {
                let wanted = number * 13 % 40;
                chunks.push(&mut lists[which], piece(wanted)).unwrap();
            }
            let list = lists[which];
            let pieces = chunks.pieces(&list);
            assert_eq!(pieces.len(), (round * 7 % 40) as usize);
            for (number, pages) in pieces.clone().enumerate() {
                assert_eq!(pages.base, number as u64 * 13 % 40 * 0x1000);
                assert_eq!(pieces.clone().nth(number), Some(pages));
            }
            assert_eq!(pieces.clone().nth(pieces.len()), None);
            assert_eq!(chunks.length(&list), chunks_for(list.len) as usize);
            let sorted = chunks.sorted(&list);
            assert!(sorted.iter().is_sorted_by(|a, b| a.first < b.first));
            assert_eq!(sorted.iter().len(), list.len as usize);
            // The oldest goes.
            chunks.release(&mut lists[((round + 1) % 3) as usize]);
        }
        for list in &mut lists {
            chunks.release(list);
        }
        assert_eq!(chunks.unused(), Some(8));
    }

    #[test]
    fn a_pool_that_is_used_up_says_so() {
        let mut chunks = Chunks::<2>::new();
        let (mut one, mut other) = (List::default(), List::default());
        for number in 0..16 {
            chunks.push(&mut one, piece(number)).unwrap();
        }
        chunks.push(&mut other, piece(1)).unwrap();
        assert_eq!(chunks.push(&mut one, piece(16)), Err(FfaError::NoMemory));
        assert_eq!((one.len, chunks.unused()), (16, Some(0)));
        chunks.release(&mut other);
        assert_eq!(chunks.push(&mut one, piece(16)), Ok(()));
    }
}
