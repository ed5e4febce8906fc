//! The short way of calls about memory against the general one: whatever is called, both answer and leave the same.

use super::*;
use std::fmt::Debug;

/// Two worlds in which the same happens. The second one knows the general way only.
struct Twins([Fixture; 2]);

impl Twins {
    fn of(make: impl Fn() -> Fixture) -> Self {
        let at = marks();
        let short = make();
        set_marks(at);
        let mut general = make();
        general.general = true;
        Self([short, general])
    }

    /// Does this in both, which must find the same; and what both are then must be the same.
    #[track_caller]
    fn both<R: PartialEq + Debug>(&mut self, what: impl Fn(&mut Fixture) -> R) -> R {
        let Self([short, general]) = self;
        let at = marks();
        let found = what(short);
        set_marks(at);
        assert_eq!(found, what(general), "what was found");
        general.snapshot().is(&short.snapshot());
        assert!(short.machine.pages == general.machine.pages, "memory");
        assert_eq!(short.machine.ground, general.machine.ground);
        locks::run(|held| {
            short.spmc.memory.with(held, |one, _| {
                let other = locks::run(|held| {
                    let other = &general.spmc.memory;
                    other.with(held, |other, _| {
                        other.sharing == one.sharing && other.heads == one.heads
                    })
                });
                assert!(other, "the map");
            });
        });
        found
    }

    /// `who` calls with these bytes at the start of TX.
    #[track_caller]
    fn call(&mut self, who: Who, call: &[u64], bytes: &[u8]) -> [u64; 8] {
        self.both(|f| {
            f.turn_of(who);
            let tx = f.tx();
            f.machine.poke(tx, bytes);
            f.call(frame(call));
            f.result()
        })
    }

    /// A descriptor that lies in TX in one piece.
    #[track_caller]
    fn describe(&mut self, who: Who, fid: u64, bytes: &[u8]) -> [u64; 8] {
        let length = bytes.len() as u64;
        self.call(who, &[fid, length, length], bytes)
    }

    /// Nothing is left of what an offer, a retrieval or the giving back of one may have done.
    #[track_caller]
    fn clear(&mut self, from: Who, to: Slot, handle: Handle) {
        let (low, high) = handle.words();
        let borrower = Who::Partition(to);
        self.call(borrower, &[0x8400_0065], &[]);
        self.call(borrower, &[RELINQUISH], &returned(handle, id(to), 0));
        self.call(from, &[RECLAIM, low.into(), high.into(), 0], &[]);
    }
}

/// What gives a handle back.
fn returned(handle: Handle, endpoint: EndpointId, flags: u32) -> [u8; 24] {
    let mut bytes = [0; 24];
    let head = Relinquish {
        handle,
        flags: RelinquishFlags::from_bits_retain(flags),
        count: 1,
    };
    head.write(&[endpoint], &mut bytes).expect("a descriptor");
    bytes
}

fn handle(answer: &[u64; 8]) -> Option<Handle> {
    (answer[0] == u64::from(SUCCESS_32)).then(|| Handle(answer[3] << 32 | answer[2]))
}

fn draft(kind: u64, from: Who, to: Slot) -> Draft {
    match kind & 0xff {
        0x71 => donate(from, to),
        0x72 => lend(from, to),
        _ => share(from, to),
    }
}

fn request(kind: u64, from: Who, to: Slot, handle: Handle) -> Draft {
    match kind & 0xff {
        0x73 => retrieve(from, to, handle),
        _ => borrow(from, to, handle),
    }
}

/// Each bit of these bytes, changed.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    })
}

const KINDS: [u64; 3] = [SHARE, LEND, DONATE];

#[test]
fn every_bit_of_an_offer_means_the_same() {
    for who in Who::ALL {
        let mut twins = Twins::of(Fixture::with_pairs);
        for kind in KINDS {
            let good = draft(kind, who, B).bytes(Version::V1_2);
            let all = [good.clone()].into_iter().chain(flipped(&good));
            for bytes in all {
                let answer = twins.describe(who, kind, &bytes);
                if let Some(handle) = handle(&answer) {
                    twins.clear(who, B, handle);
                }
            }
        }
    }
}

#[test]
fn every_bit_of_a_retrieval_and_of_what_gives_it_back_means_the_same() {
    for who in Who::ALL {
        let mut twins = Twins::of(Fixture::with_pairs);
        for kind in [SHARE, LEND] {
            let offer = draft(kind, who, B).bytes(Version::V1_2);
            let given = handle(&twins.describe(who, kind, &offer)).expect("a handle");
            let good = request(kind, who, B, given).bytes(Version::V1_2);
            let all = [good.clone()].into_iter().chain(flipped(&good));
            let b = Who::Partition(B);
            for bytes in all {
                if twins.describe(b, RETRIEVE, &bytes)[0] == RETRIEVED {
                    twins.call(b, &[0x8400_0065], &[]);
                    twins.call(b, &[RELINQUISH], &returned(given, id(B), 0));
                }
            }
            assert_eq!(twins.describe(b, RETRIEVE, &good)[0], RETRIEVED);
            twins.call(b, &[0x8400_0065], &[]);
            for bytes in flipped(&returned(given, id(B), 0)) {
                if twins.call(b, &[RELINQUISH], &bytes)[0] == u64::from(SUCCESS_32) {
                    twins.describe(b, RETRIEVE, &good);
                    twins.call(b, &[0x8400_0065], &[]);
                }
            }
            twins.clear(who, B, given);
        }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn once_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize]
    }

    /// Sometimes one bit, or one word, is another.
    fn spoil(&mut self, bytes: &mut [u8]) {
        let at = (self.next() % bytes.len() as u64) as usize;
        if self.once_in(4) {
            bytes[at] ^= 1 << (self.next() % 8);
        } else if self.once_in(8) {
            let values = [0, 1, 2, 0x2f, 48, 80, 1 << 31, u32::MAX];
            bytes[at / 4 * 4..][..4].copy_from_slice(&self.of(&values).to_le_bytes());
        }
    }
}

/// What was sent: who sent it, to whom, how, and its handle.
type Sent = (Who, Slot, u64, Handle);

/// One random call.
fn step(twins: &mut Twins, random: &mut Random, all: &mut Vec<Sent>) {
    let everybody = [
        Who::Partition(A),
        Who::Partition(B),
        Who::Partition(C),
        Who::Partition(OLD),
        Who::Hypervisor,
        Who::Vm,
    ];
    let (tables, broken) = match random.next() % 12 {
        0 => (Some(0), false),
        1 => (Some(1), false),
        2 => (None, random.once_in(4)),
        _ => (None, false),
    };
    let unwritable = random.once_in(20);
    for f in &mut twins.0 {
        (f.machine.tables, f.machine.broken, f.machine.unwritable) = (tables, broken, unwritable);
    }
    let version = |twins: &Twins, who: Who| match who {
        Who::Partition(slot) => twins.0[0].spmc.version(slot),
        _ => twins.0[0].spmc.normal_world.get(),
    };
    let sent = match all.is_empty() {
        true => (Who::Vm, B, SHARE, Handle(1)),
        false => random.of(all),
    };
    let (from, to, kind, given) = sent;
    let wide = random.of(&[0, WIDE]);
    match random.next() % 8 {
        0 | 1 => {
            let (who, to) = (random.of(&everybody), random.of(&[A, B, C, OLD, MUTE]));
            let kind = random.of(&[SHARE, LEND, SHARE, LEND, DONATE]);
            let base = who.memory() + random.next() % 4 * PAGE;
            let count = random.of(&[1, 1, 1, 2]);
            let mut draft = draft(kind, who, to).parts(&[(base, count)]);
            if random.once_in(6) {
                draft = draft.parts(&[(base, 1), (base + 2 * PAGE, 1)]);
            }
            if random.once_in(8) {
                let permissions = random.of(&[RO, RW, RW | NX, 0]);
                draft = draft.to(&[(id(to).0, permissions)]);
            }
            draft.implementation = [random.of(&[0, 0, 0, 9]); 16];
            let mut bytes = draft.bytes(version(twins, who));
            random.spoil(&mut bytes);
            let length = bytes.len() as u64;
            let mut call = [kind | wide, length, length, 0, 0];
            if random.once_in(6) {
                let at = random.of(&[1, 2, 3, 4]);
                call[at] ^= random.of(&[1, 16, 1 << 31, 1 << 32, 1 << 63]);
            }
            let answer = twins.call(who, &call, &bytes);
            if let Some(handle) = handle(&answer) {
                all.push((who, to, kind, handle));
            }
        }
        2..5 => {
            let borrower = match random.once_in(10) {
                true => random.of(&everybody),
                false => Who::Partition(to),
            };
            let mut draft = request(kind, from, to, given);
            draft.implementation = [random.of(&[0, 0, 0, 9]); 16];
            draft.flags = random.of(&[0, 0, 1 << 3, 2 << 3, 3 << 3, 1, 1 << 10]);
            if random.once_in(8) {
                let permissions = random.of(&[RO, RW, RW | NX, RO | NX, RW | X, 0, NX]);
                draft = draft.to(&[(id(to).0, permissions)]);
            }
            let mut bytes = draft.bytes(version(twins, borrower));
            random.spoil(&mut bytes);
            twins.describe(borrower, RETRIEVE | wide, &bytes);
            if !random.once_in(6) {
                twins.call(borrower, &[0x8400_0065], &[]);
            }
        }
        5 | 6 => {
            let mut bytes = returned(given, id(to), random.of(&[0, 0, 0, 1, 2]));
            random.spoil(&mut bytes);
            twins.call(Who::Partition(to), &[RELINQUISH], &bytes);
        }
        _ => {
            let who = match random.once_in(10) {
                true => random.of(&everybody),
                false => from,
            };
            let (low, high) = given.words();
            let mut call = [
                RECLAIM,
                low.into(),
                high.into(),
                random.of(&[0, 0, 0, 1, 2]),
            ];
            let at = random.of(&[0, 1, 2, 3]);
            call[at] ^= random.of(&[0, 0, 0, 1 << 30, 1 << 32, 1 << 63]);
            if handle_is_gone(&twins.call(who, &call, &[])) {
                all.retain(|one| *one != sent);
            }
        }
    }
}

fn handle_is_gone(answer: &[u64; 8]) -> bool {
    answer[0] == u64::from(SUCCESS_32)
}

#[test]
fn random_calls_are_answered_alike_and_leave_the_same() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let normal_world = random.of(&[Version::V1_1, Version::V1_2, Version::V1_3]);
        let mut twins = Twins::of(|| {
            let mut f = Fixture::with(2, &USUAL);
            f.boot();
            // The short way is for those whose version can't change any more.
            f.nwd(frame(&[0x8400_0063, normal_world.raw().into()]));
            Fixture::pairs(f)
        });
        let mut all = Vec::new();
        for _ in 0..150 {
            step(&mut twins, &mut random, &mut all);
        }
        twins.0[0].memory();
    }
}

#[test]
fn what_is_halted_or_has_no_buffers_is_answered_alike() {
    let mut twins = Twins::of(Fixture::new);
    for who in Who::ALL {
        for kind in KINDS {
            let bytes = draft(kind, who, B).bytes(Version::V1_2);
            assert_eq!(twins.describe(who, kind, &bytes)[0], u64::from(ERROR));
        }
        twins.describe(who, RETRIEVE, &[0; 80]);
        twins.call(who, &[RELINQUISH], &[0; 24]);
        twins.call(who, &[RECLAIM, 1, 0, 0], &[]);
        twins.call(who, &[0x8400_0070], &[]);
    }
    let propagates = || {
        use crate::context::AbortAction::Propagate;
        let mut specs = USUAL;
        specs[C.index()] = specs[C.index()].on_abort(Propagate);
        let mut f = Fixture::pairs(Fixture::booted(&specs));
        f.turn_of(Who::Partition(C));
        f.abort();
        f
    };
    let mut twins = Twins::of(propagates);
    let bytes = share(Who::Vm, B).bytes(Version::V1_2);
    twins.describe(Who::Vm, SHARE, &bytes);
    twins.call(Who::Vm, &[RECLAIM, 1, 0, 0], &[]);
}
