//! Long random sequences, against a reference that is written differently: the same answers, the same
//! access of everybody to every page, and the same contents.
//!
//! `TANTALUM_MODEL_STEPS` says how many steps, `TANTALUM_MODEL_SEED` where to start.

mod borrowing;
mod draw;
mod naive;
mod rows;

use crate::rig::*;
use ffa_abi::{
    memory::{Constituents, Handle, ReclaimFlags, RelinquishFlags},
    sharing::{Party, Region, Sharing, Side},
};
use naive::{CHUNKS, HANDLES, Naive, PARTIES, Page, SENDERS};

type Tried = Sharing<PARTIES, SENDERS, 256, HANDLES, CHUNKS>;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn rarely(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

struct Trial {
    random: Random,
    map: Tried,
    machine: Machine,
    naive: Naive,
    /// How often each call succeeded, and failed.
    counts: [[u64; 2]; 10],
}

/// Owner, first page, pages, and what is special: normal world, device, read only, kept.
const LAYOUT: [(usize, u64, u64, [bool; 4]); 9] = [
    (1, 1, 6, [false; 4]),
    (1, 7, 2, [false, false, true, false]),
    (1, 9, 1, [false, true, false, false]),
    (1, 10, 2, [true, false, false, false]),
    (1, 12, 1, [false, false, false, true]),
    (2, 14, 5, [false; 4]),
    (3, 19, 4, [false; 4]),
    (3, 24, 2, [false, true, false, false]),
    (0, 27, 6, [true, false, false, false]),
];
const ALL: usize = 35;

impl Trial {
    fn new(seed: u64) -> Self {
        let mut trial = Self {
            random: Random(seed | 1),
            map: Tried::new(Side::Spmc),
            machine: Machine::default(),
            naive: Naive::default(),
            counts: [[0; 2]; 10],
        };
        trial.naive.pages = vec![Page::default(); ALL];
        for (owner, first, count, [normal_world, device, read_only, kept]) in LAYOUT {
            let region = Region {
                pages: pages(first * 0x1000, count),
                normal_world,
                device,
                write: !read_only,
                execute: !device,
                shareable: !kept,
            };
            let party = Party(owner as u8);
            trial.map.add_region(party, region).unwrap();
            trial.machine.add(party, &region);
            for page in first..first + count {
                trial.naive.pages[page as usize] = Page {
                    owner: Some(owner),
                    normal_world,
                    device,
                    write: !read_only,
                    execute: !device,
                    kept,
                    ..Page::default()
                };
            }
        }
        trial
    }

    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: usize, good: bool, one: T, two: T) {
        assert_eq!(one, two, "call {what}");
        self.counts[what][usize::from(!good)] += 1;
    }

    fn step(&mut self) {
        let fails = self.random.rarely(20);
        self.machine.fails = fails.then_some(0);
        self.naive.fails = fails;
        let machine_fails = |trial: &mut Self| {
            trial.machine.fails = None;
            trial.naive.fails = false;
        };
        let handle = self.handle();
        match self.random.below(28) {
            0..=5 => {
                let (owner, sender) = self.somebody();
                let parts = self.parts(owner);
                let send = self.send(owner, sender, &parts);
                let wanted = self.naive.may_begin(owner, &send);
                let begun = self.map.begin(Party(owner as u8), &send);
                self.compare(0, wanted.is_ok(), begun.map(|_| ()), wanted);
                if let Ok(handle) = begun {
                    self.naive.begin(owner, &send, handle);
                    let split = self.random.below(parts.len() + 1);
                    if self.extend(handle, &parts[..split])
                        && split < parts.len()
                        && !self.random.rarely(10)
                        && self.extend(handle, &parts[split..])
                    {
                        self.seal(handle);
                    }
                }
            }
            6 => {
                let (owner, _) = self.somebody();
                let parts = self.parts(owner);
                self.extend(handle, &parts);
            }
            7 => self.seal(handle),
            8 => {
                let handle = self.handle_of(|it| !it.sealed);
                self.map.abandon(handle);
                let open = |it: &naive::Deal| it.handle == handle && !it.sealed;
                for deal in &mut self.naive.deals {
                    if deal.as_ref().is_some_and(open) {
                        *deal = None;
                    }
                }
            }
            9..=15 => {
                let handle = self.handle_of(|it| it.sealed);
                let (who, request) = self.request(handle);
                let wanted = self.naive.retrieve(who, &request);
                let machine = &mut self.machine;
                let got = self.map.retrieve(Party(who as u8), &request, machine);
                self.compare(3, wanted.is_ok(), got.map(|_| ()), wanted);
            }
            16..=19 => {
                let handle = self.handle_of(naive::Deal::held);
                let (mut who, mut id) = self.somebody();
                let deal = self
                    .naive
                    .deals
                    .iter()
                    .flatten()
                    .find(|it| it.handle == handle);
                if let Some(deal) = deal
                    && !self.random.rarely(8)
                {
                    let to = &deal.send.receivers[self.random.below(deal.send.receivers.len())];
                    (who, id) = (to.party.unwrap().index(), to.endpoint);
                }
                let bits = self.random.of(&[0, 0, 0, 1, 1, 2, 1 << 20]);
                let wanted = self.naive.relinquish(who, id, handle, bits);
                let flags = RelinquishFlags::from_bits_retain(bits);
                let machine = &mut self.machine;
                let got = self
                    .map
                    .relinquish(Party(who as u8), id, handle, flags, machine);
                self.compare(4, wanted.is_ok(), got, wanted);
            }
            20..=21 | 26.. => {
                let handle = self.handle_of(|it| it.sealed && !it.held());
                let mut owner = self.somebody().0;
                if let Some(it) = self.map.find(handle)
                    && !self.random.rarely(8)
                {
                    owner = it.owner().index();
                }
                let bits = self.random.of(&[0, 0, 0, 1, 2, 1 << 20]);
                let wanted = self.naive.reclaim(owner, handle, bits);
                let flags = ReclaimFlags::from_bits_retain(bits);
                let machine = &mut self.machine;
                let got = self.map.reclaim(Party(owner as u8), handle, flags, machine);
                self.compare(5, wanted.is_ok(), got, wanted);
            }
            22 => {
                let handle = self.handle_of(|it| it.donated);
                self.map.told(handle);
                for deal in &mut self.naive.deals {
                    if deal
                        .as_ref()
                        .is_some_and(|it| it.handle == handle && it.donated)
                    {
                        *deal = None;
                    }
                }
            }
            23 => self.buffer(),
            24 => {
                let (party, page) = (self.random.below(PARTIES), self.random.below(ALL));
                let written = self.naive.access(party, page).is_some_and(|it| it.0);
                if written && !self.naive.pages[page].device {
                    let value = self.random.below(255) as u8 + 1;
                    self.naive.pages[page].content = value;
                    self.machine.content.insert(page as u64 * 0x1000, value);
                }
            }
            _ if self.random.rarely(6) => {
                machine_fails(self);
                let (who, id) = self.somebody();
                let wanted = self.naive.ended(who, id);
                let remains = self.map.ended(Party(who as u8), id, &mut self.machine);
                self.compare(8, true, remains.lent, wanted);
            }
            _ => (),
        }
        machine_fails(self);
        self.same();
    }

    fn extend(&mut self, handle: Handle, parts: &[(u64, u32)]) -> bool {
        let wanted = self.naive.extend(handle, parts);
        let bytes = bytes(parts);
        let got = self.map.extend(handle, Constituents::new(&bytes));
        self.compare(1, wanted.is_ok(), got.map(|_| ()), wanted);
        wanted.is_ok()
    }

    fn seal(&mut self, handle: Handle) {
        let wanted = self.naive.seal(handle);
        let got = self.map.seal(handle, &mut self.machine);
        self.compare(2, wanted.is_ok(), got, wanted);
    }

    fn buffer(&mut self) {
        let (mut owner, mut first) = (self.random.below(PARTIES), self.random.below(ALL));
        let count = 1 + self.random.below(2);
        let taken = self
            .naive
            .pages
            .iter()
            .find_map(|it| it.owner.zip(it.buffer));
        if let Some((of, at)) = taken
            && !self.random.rarely(3)
        {
            (owner, first) = (of, at);
        }
        let range = pages(first as u64 * 0x1000, count as u64);
        let party = Party(owner as u8);
        // No more than there is room for.
        let buffers = self.naive.pages.iter().filter(|it| it.buffer.is_some());
        if self.random.rarely(2) && buffers.count() < 10 {
            let wanted = self.naive.take_buffer(owner, first, count);
            let got = self.map.take_buffer(party, range);
            self.compare(6, wanted.is_ok(), got, wanted);
        } else {
            self.naive.free_buffer(owner, first, count);
            self.map.free_buffer(party, range);
        }
    }

    /// Both say the same of every page.
    fn same(&self) {
        if let Err(fault) = self.map.check() {
            panic!("{fault}: {:?}", self.map);
        }
        for page in 0..ALL {
            let address = page as u64 * 0x1000;
            for party in 0..PARTIES {
                let seen = self.machine.sight(Party(party as u8), address);
                let wanted = self.naive.access(party, page);
                // What the normal world borrows is in nobody's tables here.
                if party != 0 || self.naive.pages[page].owner == Some(0) {
                    let seen = seen.map(|it| (it.write, it.execute));
                    assert_eq!(seen, wanted, "{party} at page {page}");
                }
            }
            let content = self.machine.content.get(&address).copied().unwrap_or(0);
            assert_eq!(content, self.naive.pages[page].content, "page {page}");
            let owned = self.naive.pages[page].owner;
            let free =
                self.naive.pages[page].given.is_none() && self.naive.pages[page].buffer.is_none();
            if let Some(owner) = owned {
                let exclusive = self.map.exclusive(Party(owner as u8), pages(address, 1));
                assert_eq!(exclusive.is_some(), free, "page {page}");
            }
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn the_map_and_the_reference_never_differ() {
    let (steps, seed) = (
        number(
            "TANTALUM_MODEL_STEPS",
            if cfg!(miri) { 200 } else { 200_000 },
        ),
        number("TANTALUM_MODEL_SEED", 0x5eed),
    );
    let mut total = [[0; 2]; 10];
    // A new system now and then: donations and what ends leave their marks.
    for round in 0..steps.div_ceil(1000) {
        let mut trial = Trial::new((seed + round).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for step in 0..1000.min(steps) {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| trial.step()));
            if let Err(panic) = result {
                eprintln!(
                    "TANTALUM_MODEL_SEED={} differs at step {step}",
                    seed + round
                );
                std::panic::resume_unwind(panic);
            }
        }
        for (sum, counts) in total.iter_mut().zip(trial.counts) {
            *sum = [sum[0] + counts[0], sum[1] + counts[1]];
        }
    }
    let names = [
        "begin",
        "extend",
        "seal",
        "retrieve",
        "relinquish",
        "reclaim",
        "buffer",
        "",
        "ended",
    ];
    for (name, [good, bad]) in names.iter().zip(total) {
        println!("{name}: {good} succeeded, {bad} failed");
        if !name.is_empty() && steps > 100_000 {
            assert!(
                good > 200 && (bad > 200 || *name == "ended"),
                "{name} is hardly tried"
            );
        }
    }
}
