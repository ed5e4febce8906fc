//! A context's page: counts of what it did and saw, and its first mistake or that of whoever it met. Words of 64 bits;
//! a context writes its own page, but for what others ask of it. With no caches in between, plain loads and stores are
//! all that is needed.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Count {
    /// The context started.
    Started,
    /// It was told that its core goes off.
    Off,
    /// Requests that it served.
    Served,
    /// Requests of its own that were answered, rightly.
    Answered,
    /// Requests of its own whose receiver was busy.
    Busy,
    /// FFA_INTERRUPT instead of an answer: whoever it called was preempted.
    Preempted,
    /// FFA_YIELD instead of an answer.
    Yielded,
    /// FFA_RUN ended its wait.
    Run,
    /// FFA_INTERRUPT ended its wait, or came instead of the result of a response.
    Woken,
    /// IRQs by the vector.
    Irqs,
    /// FIQs by the vector.
    Fiqs,
    /// Interrupts of its device.
    Device,
    /// Interrupts of the PMU.
    Pmu,
    /// Interrupts from its partition's contexts.
    Ipis,
    /// Those that it sent.
    IpisSent,
    /// Managed exits that it was asked for.
    Exits,
    /// Its timer was set.
    Armed,
    /// It was set while it was set.
    Moved,
    /// It fired.
    Fired,
    /// It was set when the context's core went off.
    Cancelled,
    /// Spins with vector registers.
    Vectors,
    /// Mistakes.
    Mistakes,
}

impl Count {
    /// How many there are.
    const ALL: usize = Self::Mistakes as usize + 1;
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Mistake {
    /// A register was not kept: its number, its value.
    Lost = 1,
    /// A completion that makes no sense: x0, x1.
    Completion = 2,
    /// A wrong answer: the register's number, its value.
    Answer = 3,
    /// FFA_ERROR: its code, whom it was about.
    Error = 4,
    /// A timer that was not set fired, or too early: when it was due, when it came.
    Timer = 5,
    /// An interrupt that is not the context's: its number.
    Interrupt = 6,
    /// The interrupt that woke it is not the first that it got: the one, the other.
    Order = 7,
    /// A hypercall was refused: x0 and x1 of it.
    Hypercall = 8,
    /// It did not start as it should: what it found, what it wanted.
    Start = 9,
    /// Words of vector registers that were not kept.
    Vectors = 10,
    /// Its device's interrupt came although the line is low.
    Device = 11,
}

const FIRST: usize = Count::ALL;
const DUE: usize = FIRST + 3;
const LATEST: usize = DUE + 1;
const EXIT: usize = LATEST + 1;
const TOLD: usize = EXIT + 1;
const ASKED: usize = 64;
const SEEN: usize = ASKED + CONTEXTS;
const CONTEXTS: usize = 8;
/// Words of a page that are used.
pub const WORDS: usize = SEEN + CONTEXTS;

/// A context's page.
#[derive(Clone, Copy)]
pub struct Page(&'static [AtomicU64; WORDS]);

impl Page {
    /// The page at an address.
    ///
    /// # Safety
    /// There is memory for as long as this image runs, shared with nobody that does not follow this layout.
    pub const unsafe fn at(address: u64) -> Self {
        // SAFETY: the caller vouches for it.
        Self(unsafe { &*(address as *const [AtomicU64; WORDS]) })
    }

    fn word(self, n: usize) -> u64 {
        self.0.get(n).map_or(0, |word| word.load(Relaxed))
    }

    fn set(self, n: usize, value: u64) {
        if let Some(word) = self.0.get(n) {
            word.store(value, Relaxed);
        }
    }

    /// Makes it as new.
    pub fn reset(self) {
        for n in 0..WORDS {
            self.set(n, 0);
        }
    }

    /// One more. What vectors count, nothing else does.
    pub fn add(self, count: Count) {
        self.set(count as usize, self.word(count as usize).wrapping_add(1));
    }

    /// How many.
    pub fn count(self, count: Count) -> u64 {
        self.word(count as usize)
    }

    /// Notes a mistake; the first stays. Vectors are masked meanwhile.
    pub fn mistake(self, mistake: Mistake, a: u64, b: u64) {
        if self.count(Count::Mistakes) == 0 {
            for (n, word) in [mistake as u64, a, b].into_iter().enumerate() {
                self.set(FIRST + n, word);
            }
        }
        self.add(Count::Mistakes);
    }

    /// The first mistake: which, and two words about it.
    pub fn first_mistake(self) -> [u64; 3] {
        core::array::from_fn(|n| self.word(FIRST + n))
    }

    /// When the timer is due, 0 if it is not set.
    pub fn due(self) -> u64 {
        self.word(DUE)
    }

    /// Sets or forgets that.
    pub fn set_due(self, due: u64) {
        self.set(DUE, due);
    }

    /// Notes how many ticks after it was due the timer came.
    pub fn late(self, ticks: u64) {
        self.set(LATEST, self.word(LATEST).max(ticks));
    }

    /// The most of that.
    pub fn latest(self) -> u64 {
        self.word(LATEST)
    }

    /// Notes that a managed exit was asked for, or that it was made.
    pub fn ask_exit(self, asked: bool) {
        self.set(EXIT, asked.into());
    }

    /// Whether it was.
    pub fn exit_asked(self) -> bool {
        self.word(EXIT) != 0
    }

    /// Whether the context deals with what FFA_INTERRUPT names, without asking for more.
    pub fn is_told(self) -> bool {
        self.word(TOLD) != 0
    }

    /// Sets that.
    pub fn tell(self, told: bool) {
        self.set(TOLD, told.into());
    }

    /// Context `by` is about to send an interrupt to this page's.
    pub fn ask(self, by: u64) {
        let n = ASKED + by as usize % CONTEXTS;
        self.set(n, self.word(n).wrapping_add(1));
    }

    /// This context has the interrupt: all that asked for it so far are seen.
    pub fn see(self) {
        for n in 0..CONTEXTS {
            self.set(SEEN + n, self.word(ASKED + n));
        }
    }

    /// Whether somebody asked and was not seen.
    pub fn is_asked(self) -> bool {
        (0..CONTEXTS).any(|n| self.word(SEEN + n) != self.word(ASKED + n))
    }
}

const _: () = assert!(TOLD < ASKED && WORDS * 8 <= 4096);

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let words: Box<[AtomicU64; WORDS]> = Box::new([const { AtomicU64::new(7) }; WORDS]);
        let page = Page(Box::leak(words));
        page.reset();
        page
    }

    #[test]
    fn the_first_mistake_stays() {
        let page = page();
        page.mistake(Mistake::Lost, 3, 4);
        page.mistake(Mistake::Order, 5, 6);
        assert_eq!(page.count(Count::Mistakes), 2);
        assert_eq!(page.first_mistake(), [1, 3, 4]);
    }

    #[test]
    fn whoever_asks_is_seen_once_the_interrupt_is_there() {
        let page = page();
        page.ask(3);
        page.ask(7);
        assert!(page.is_asked());
        page.see();
        assert!(!page.is_asked());
        page.ask(3);
        assert!(page.is_asked());
    }
}
