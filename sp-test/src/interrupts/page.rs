//! The page that a context shares with the client: scripts, a few words, the log. Words of 64 bits, each written by
//! one side only; with no caches in between, plain loads and stores are all that is needed.

use super::log::Event;
use super::script::{Op, WORDS};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a context is entered by, and so the script that it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A direct request.
    Request,
    /// FFA_RUN.
    Run,
    /// FFA_INTERRUPT.
    Interrupt,
}

/// Bits of the mode word.
pub mod mode {
    /// An interrupt's handler leaves the line as it is.
    pub const KEEP_LINE: u64 = 1;
    /// It does not deactivate the interrupt.
    pub const KEEP_ACTIVE: u64 = 2;
    /// It takes one interrupt, not all.
    pub const TAKE_ONE: u64 = 4;
    /// A wait that ends with FFA_INTERRUPT takes none.
    pub const TAKE_NONE: u64 = 8;
    /// CPU_OFF is refused.
    pub const REFUSE_OFF: u64 = 16;
    /// Interrupts are not masked while it waits: the vector comes first.
    pub const OPEN_WAIT: u64 = 32;
    /// A timer that fired is armed again: so many microseconds stand from this bit on.
    pub const AGAIN_SHIFT: u64 = 16;
}

const GO: usize = 0;
const MODE: usize = 1;
const EXIT: usize = 2;
const LOGGED: usize = 3;
const SEEN: usize = 4;
const ONCE: usize = 5;
const REQUEST: usize = 8;
const RUN: usize = REQUEST + 20 * WORDS;
const INTERRUPT: usize = RUN + 12 * WORDS;
const LOG: usize = INTERRUPT + 12 * WORDS;
/// Words of an entry: the event, the time.
const ENTRY: usize = 4;
/// Words of a page.
const PAGE_WORDS: usize = 512;
/// Entries of a log.
pub const ENTRIES: usize = (PAGE_WORDS - LOG) / ENTRY;
const _: () = assert!(ENTRIES > 70);

/// A context's page.
#[derive(Clone, Copy)]
pub struct Page(&'static [AtomicU64; PAGE_WORDS]);

impl Page {
    /// The page at an address.
    ///
    /// # Safety
    /// There is memory for as long as this image runs, shared with nobody that does not follow this layout.
    pub const unsafe fn at(address: u64) -> Self {
        // SAFETY: the caller vouches for it.
        Self(unsafe { &*(address as *const [AtomicU64; PAGE_WORDS]) })
    }

    fn word(self, n: usize) -> u64 {
        self.0.get(n).map_or(0, |word| word.load(Relaxed))
    }

    fn set(self, n: usize, value: u64) {
        if let Some(word) = self.0.get(n) {
            word.store(value, Relaxed);
        }
    }

    /// Makes it as new: no scripts, an empty log, mode 0.
    pub fn reset(self) {
        for n in (0..PAGE_WORDS).rev() {
            self.set(n, 0);
        }
    }

    /// Empties the log only.
    pub fn forget(self) {
        self.set(LOGGED, 0);
    }

    const fn place(entry: Entry) -> (usize, usize) {
        match entry {
            Entry::Request => (REQUEST, RUN),
            Entry::Run => (RUN, INTERRUPT),
            Entry::Interrupt => (INTERRUPT, LOG),
        }
    }

    /// Writes a script. What has no room is missing: it is an error of the case.
    pub fn script(self, entry: Entry, ops: &[Op]) {
        let (start, end) = Self::place(entry);
        let words = ops.iter().chain([&Op::End]).flat_map(|op| op.encode());
        for (n, word) in (start..end).zip(words) {
            self.set(n, word);
        }
    }

    /// The step of a script with this number.
    pub fn step(self, entry: Entry, number: usize) -> Op {
        let (start, end) = Self::place(entry);
        let first = start + number * WORDS;
        if first + WORDS > end {
            return Op::End;
        }
        Op::decode(core::array::from_fn(|n| self.word(first + n))).unwrap_or(Op::End)
    }

    /// Lets a spinning context go on; withdraws it.
    pub fn go(self, go: bool) {
        self.set(GO, go.into());
    }

    /// Whether it may go on.
    pub fn goes(self) -> bool {
        self.word(GO) != 0
    }

    /// Sets how interrupts are handled: bits of [`mode`].
    pub fn set_mode(self, mode: u64) {
        self.set(MODE, mode);
    }

    /// That.
    pub fn mode(self) -> u64 {
        self.word(MODE)
    }

    /// Notes that a managed exit was asked for, or that it was made.
    pub fn ask_exit(self, asked: bool) {
        self.set(EXIT, asked.into());
    }

    /// Whether a managed exit was asked for.
    pub fn exit_asked(self) -> bool {
        self.word(EXIT) != 0
    }

    /// Whether this is the first time since the page was new.
    pub fn first_time(self) -> bool {
        let before = self.word(ONCE);
        self.set(ONCE, 1);
        before == 0
    }

    /// Counts an interrupt that was taken, beyond what the log can hold.
    pub fn count(self) {
        self.set(SEEN, self.word(SEEN).wrapping_add(1));
    }

    /// How many were taken.
    pub fn counted(self) -> u64 {
        self.word(SEEN)
    }

    /// Adds to the log; what has no room is only counted.
    pub fn log(self, event: Event, time: u64) {
        let number = self.word(LOGGED);
        let first = LOG + (number as usize).min(ENTRIES) * ENTRY;
        if (number as usize) < ENTRIES {
            let [code, a, b] = event.encode();
            for (n, word) in [code, a, b, time].into_iter().enumerate() {
                self.set(first + n, word);
            }
        }
        // Last: who reads the number finds the entry.
        self.set(LOGGED, number + 1);
    }

    /// How many entries there were, with those that had no room.
    pub fn logged(self) -> u64 {
        self.word(LOGGED)
    }

    /// An entry, and its time.
    pub fn entry(self, number: usize) -> Option<(Event, u64)> {
        if number as u64 >= self.logged() || number >= ENTRIES {
            return None;
        }
        let first = LOG + number * ENTRY;
        let event = Event::decode(core::array::from_fn(|n| self.word(first + n)));
        Some((event, self.word(first + 3)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Line;

    fn page() -> Page {
        let words: Box<[AtomicU64; PAGE_WORDS]> = Box::new([const { AtomicU64::new(7) }; 512]);
        let page = Page(Box::leak(words));
        page.reset();
        page
    }

    #[test]
    fn scripts_are_read_as_they_were_written() {
        let page = page();
        page.script(Entry::Request, &[Op::Mark(1), Op::Raise(Line::Secure)]);
        page.script(Entry::Run, &[Op::Yield; 12]);
        assert_eq!(page.step(Entry::Request, 1), Op::Raise(Line::Secure));
        assert_eq!(page.step(Entry::Request, 2), Op::End);
        assert_eq!(page.step(Entry::Run, 11), Op::Yield);
        assert_eq!(page.step(Entry::Run, 12), Op::End);
        assert_eq!(page.step(Entry::Interrupt, 0), Op::End);
    }

    #[test]
    fn a_log_keeps_what_fits_and_counts_the_rest() {
        let page = page();
        assert_eq!(page.entry(0), None);
        for n in 0..200 {
            page.log(Event::Mark(n), 10 * n);
        }
        assert_eq!(page.logged(), 200);
        assert_eq!(page.entry(3), Some((Event::Mark(3), 30)));
        assert_eq!(page.entry(ENTRIES), None);
        page.forget();
        assert_eq!(page.entry(0), None);
    }
}
