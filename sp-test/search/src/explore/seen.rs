//! The states that were seen, with their numbers: a map in parts, so that threads seldom meet.

use crate::state::S;
use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, BuildHasherDefault, Hasher},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// A fast hash of small numbers; what it is given is the search's own.
#[derive(Clone, Copy, Debug, Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        let mut mixed = self.0;
        mixed ^= mixed >> 32;
        mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(value.into());
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

type Part = HashMap<S, u32, BuildHasherDefault<Mix>>;

const PARTS: usize = 64;

/// The map. States are kept whole, so that none is taken for another.
pub struct Seen {
    parts: Vec<Mutex<Part>>,
    next: AtomicU32,
}

impl Seen {
    /// An empty map.
    pub fn new() -> Self {
        Self {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            next: AtomicU32::new(0),
        }
    }

    /// The number of a state, and whether it is new. Numbers are given in the order of first sight.
    pub fn number(&self, s: S) -> (u32, bool) {
        let hash = BuildHasherDefault::<Mix>::default().hash_one(s);
        let part = &self.parts[(hash >> 40) as usize % PARTS];
        match part.lock().unwrap_or_else(PoisonError::into_inner).entry(s) {
            Entry::Occupied(entry) => (*entry.get(), false),
            Entry::Vacant(entry) => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                entry.insert(number);
                (number, true)
            }
        }
    }
}
