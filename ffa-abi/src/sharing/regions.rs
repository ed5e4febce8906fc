//! Who owns what: sorted runs of pages. They change at boot, and with what is donated.

use super::{
    PAGE, Party, Region,
    chunks::Sorted,
    pages::{Kind, Piece},
    quota::Quota,
};
use crate::error::FfaError;
use heapless::Vec;

/// Contiguous pages of one owner and one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) owner: Party,
    pub(super) kind: Kind,
}

impl Run {
    pub(super) const fn piece(self) -> Piece {
        Piece {
            first: self.first,
            count: self.count,
        }
    }

    pub(super) const fn end(self) -> u64 {
        self.piece().end()
    }

    /// Both as one, if `next` goes on where this ends.
    fn joined(self, next: Self) -> Option<Self> {
        let same = self.end() == next.first && self.owner == next.owner && self.kind == next.kind;
        let count = self.count.checked_add(next.count)?;
        same.then_some(Self { count, ..self })
    }
}

/// All that is owned here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Regions<const PARTIES: usize, const RUNS: usize> {
    runs: Vec<Run, RUNS>,
    /// How many runs each party owns: donating scattered pages makes many.
    quota: Quota<PARTIES>,
}

impl<const PARTIES: usize, const RUNS: usize> Regions<PARTIES, RUNS> {
    pub(super) const fn new() -> Self {
        Self {
            runs: Vec::new(),
            quota: Quota::new(),
        }
    }

    pub(super) fn all(&self) -> &[Run] {
        &self.runs
    }

    /// The index of the first run that ends behind page `first`.
    fn position(&self, first: u64) -> usize {
        self.runs.partition_point(|run| run.end() <= first)
    }

    /// Adds a region. INVALID_PARAMETERS if it is none; DENIED if somebody owns some of it, NO_MEMORY
    /// if there is no room.
    pub(super) fn add(&mut self, owner: Party, region: &Region) -> Result<(), FfaError> {
        let piece = Piece::of(region.pages).ok_or(FfaError::InvalidParameters)?;
        if owner.index() >= PARTIES {
            return Err(FfaError::InvalidParameters);
        }
        let at = self.position(piece.first);
        if self.runs.get(at).is_some_and(|run| run.first < piece.end()) {
            return Err(FfaError::Denied);
        }
        let run = Run {
            first: piece.first,
            count: piece.count,
            owner,
            kind: Kind::of(region),
        };
        self.runs.insert(at, run).map_err(|_| FfaError::NoMemory)?;
        self.join(at.saturating_sub(1), at + 1);
        self.recount(owner);
        Ok(())
    }

    /// The part of the pages from `from` to before `to` that nobody owns, the lowest first: its start
    /// and end.
    pub(super) fn gap(&self, from: u64, to: u64) -> Option<(u64, u64)> {
        let mut start = from;
        for run in self.runs.get(self.position(from)..).unwrap_or_default() {
            if start < run.first {
                return (start < to).then(|| (start, run.first.min(to)));
            }
            start = run.end();
        }
        (start < to).then_some((start, to))
    }

    /// What kind of memory `piece` is, if all of it is `owner`'s and of one kind.
    pub(super) fn cover(&self, owner: Party, piece: Piece) -> Option<Kind> {
        self.run(owner, piece).map(|run| run.kind)
    }

    /// The run of `owner`'s that has all of `piece`. Runs that could be joined are, so pages of one kind
    /// lie in one.
    pub(super) fn run(&self, owner: Party, piece: Piece) -> Option<&Run> {
        let run = self.runs.get(self.position(piece.first))?;
        let covered = run.owner == owner && run.first <= piece.first && piece.end() <= run.end();
        covered.then_some(run)
    }

    /// How many runs more there are after `sorted`, which is `from`'s, was made a run each, before
    /// equal ones are joined. NO_MEMORY if there is no room for that, or it is more than `from` or `to`
    /// may have.
    pub(super) fn room(
        &self,
        sorted: &Sorted<'_>,
        from: Party,
        to: Party,
    ) -> Result<usize, FfaError> {
        let (mut more, mut pieces, mut rest) = (0usize, 0u32, None);
        for piece in sorted.iter().rev() {
            pieces += 1;
            let at = self.position(piece.first);
            let Some(run) = self.runs.get(at) else {
                continue;
            };
            let end = match rest {
                Some((run, end)) if run == at => end,
                _ => run.end(),
            };
            more += 1 + usize::from(piece.end() < end);
            more = more.saturating_sub(usize::from(piece.first == run.first));
            rest = Some((at, piece.first));
        }
        if self.runs.len() + more > RUNS {
            return Err(FfaError::NoMemory);
        }
        let of_sender = u32::try_from(more).unwrap_or(u32::MAX);
        let (from, to) = (from.index(), to.index());
        self.quota
            .allows_both((from, of_sender), (to, pieces), RUNS)?;
        Ok(more)
    }

    /// Makes `sorted`, which is `from`'s, `to`'s; `more` is what [`room`](Self::room) has said.
    pub(super) fn hand_over(
        &mut self,
        sorted: &Sorted<'_>,
        more: usize,
        (from, to): (Party, Party),
        kind: Kind,
    ) {
        let (low, high) = sorted.bounds();
        let (mut read, old) = (self.position(high), self.runs.len());
        // A run that goes on behind the last piece is split as well.
        if self.runs.get(read).is_some_and(|run| run.first < high) {
            read += 1;
        }
        let filler = Run {
            first: 0,
            count: 0,
            owner: from,
            kind,
        };
        if self.runs.resize(old + more, filler).is_err() {
            return;
        }
        let runs = self.runs.as_mut_slice();
        runs.copy_within(read..old, read + more);
        let top = read + more;
        let mut write = top;
        let mut put = |runs: &mut [Run], run: Run| {
            write = write.saturating_sub(1);
            if let Some(entry) = runs.get_mut(write) {
                *entry = run;
            }
        };
        for piece in sorted.iter().rev() {
            while let Some(run) = read.checked_sub(1).and_then(|at| runs.get(at)).copied() {
                if run.first < piece.end() {
                    break;
                }
                put(runs, run);
                read -= 1;
            }
            let Some(run) = read.checked_sub(1).and_then(|at| runs.get_mut(at)) else {
                break;
            };
            let whole = *run;
            // What is below stays where it is until its turn comes.
            run.count = u32::try_from(piece.first.saturating_sub(run.first)).unwrap_or(0);
            let nothing_below = run.count == 0;
            if let Some(above @ 1..) = whole.end().checked_sub(piece.end()) {
                let rest = Run {
                    first: piece.end(),
                    count: u32::try_from(above).unwrap_or(0),
                    ..whole
                };
                put(runs, rest);
            }
            let handed = Run {
                first: piece.first,
                count: piece.count,
                owner: to,
                kind,
            };
            put(runs, handed);
            if nothing_below {
                read -= 1;
            }
        }
        let bottom = self.position(low).saturating_sub(1);
        self.join(bottom, top);
        self.recount(from);
        self.recount(to);
    }

    /// Joins those of the runs from index `from` to `to`, with both, that can be.
    fn join(&mut self, from: usize, to: usize) {
        let len = self.runs.len();
        let to = to.min(len.saturating_sub(1));
        let runs = self.runs.as_mut_slice();
        let mut write = from;
        for read in from + 1..=to {
            let (Some(run), Some(last)) = (runs.get(read).copied(), runs.get_mut(write)) else {
                break;
            };
            if let Some(joined) = last.joined(run) {
                *last = joined;
            } else {
                write += 1;
                if let Some(entry) = runs.get_mut(write) {
                    *entry = run;
                }
            }
        }
        if write < to {
            runs.copy_within(to + 1..len, write + 1);
            self.runs.truncate(len - (to - write));
        }
    }

    /// Counts the runs of a party.
    fn recount(&mut self, owner: Party) {
        let count = self.runs.iter().filter(|run| run.owner == owner).count();
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        self.quota.set(owner.index(), count, RUNS);
    }

    /// Whether the runs are sorted, don't overlap, can't be joined, and are counted.
    pub(super) fn are_sound(&self) -> Result<(), u64> {
        for pair in self.runs.windows(2) {
            if let [one, next] = pair
                && (one.end() > next.first || one.joined(*next).is_some())
            {
                return Err(next.first * PAGE);
            }
        }
        if let Some(run) = self.runs.iter().find(|run| run.count == 0) {
            return Err(run.first * PAGE);
        }
        let counted = (0..PARTIES).all(|party| {
            let of_party = |run: &&Run| run.owner.index() == party;
            self.runs.iter().filter(of_party).count() == usize::from(self.quota.used(party))
        });
        if !counted || !self.quota.adds_up(RUNS) {
            return Err(0);
        }
        Ok(())
    }
}
