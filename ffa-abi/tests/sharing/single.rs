//! The short way against the general one: what it does, both do, and leave the same; what it does not do, it leaves as it
//! was.

use crate::rig::*;
use ffa_abi::{
    EndpointId,
    memory::{
        Attributes, DataAccess, Handle, InstructionAccess, ReclaimFlags, RelinquishFlags,
        TransactionFlags,
    },
    sharing::{Borrow, Borrowed, Pages, Party, Receiver, Retrieve, Send, Single},
};

struct Random(u64);

impl Random {
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        all[(self.0 >> 11) as usize % all.len()]
    }
}

const ALL: [Party; 5] = [NORMAL_WORLD, A, B, C, D];
const VALUES: [Option<[u8; 16]>; 4] = [None, Some([0; 16]), Some([0; 16]), Some([3; 16])];
const BASES: [u64; 9] = [
    MEMORY,
    MEMORY + 0x3_f000,
    2 * MEMORY,
    4 * MEMORY,
    CODE,
    DEVICE,
    OF_NORMAL_WORLD,
    KEPT,
    DRAM,
];

/// The same, as the general way takes it.
fn sends(single: &Single) -> Send {
    Send {
        kind: if single.share { Share } else { Lend },
        sender: single.sender,
        attributes: single.attributes,
        flags: TransactionFlags::empty(),
        tag: single.tag,
        receivers: [single.receiver].into_iter().collect(),
        pages: single.pages.count as u32,
        count: 1,
    }
}

fn retrieves(request: &Borrow) -> Retrieve {
    let entry = Receiver {
        instruction: request.instruction,
        implementation: Some([0; 16]),
        ..receiver(request.caller, None, request.data)
    };
    Retrieve {
        handle: request.handle,
        caller: request.caller,
        sender: request.sender,
        attributes: Attributes::NORMAL,
        flags: TransactionFlags::empty().with_kind(request.kind),
        tag: request.tag,
        receivers: [entry].into_iter().collect(),
    }
}

struct Twins {
    short: World,
    general: World,
    random: Random,
    /// Who sent what to whom.
    given: Vec<(Party, Party, Handle)>,
    /// How often the short way was gone.
    counts: [usize; 2],
}

impl Twins {
    fn endpoint(&mut self, party: Party) -> EndpointId {
        let vm = self.random.of(&[VM1, VM2, EndpointId(3), EndpointId(4)]);
        if party == NORMAL_WORLD { vm } else { id(party) }
    }

    fn send(&mut self) {
        let (owner, to) = (self.random.of(&ALL), self.random.of(&ALL));
        if owner == to {
            return;
        }
        let base = self.random.of(&BASES) + self.random.of(&[0, 1, 2, 3, 4]) * 0x1000;
        let data = self.random.of(&[ReadOnly, ReadWrite]);
        let sender = self.endpoint(owner);
        let single = Single {
            share: self.random.of(&[true, false]),
            sender,
            attributes: Attributes(self.random.of(&[0, 3, 0x2f])),
            tag: self.random.of(&[0, 7]),
            receiver: Receiver {
                implementation: self.random.of(&VALUES),
                ..receiver(self.endpoint(to), Some(to), data)
            },
            pages: Pages {
                base,
                count: self.random.of(&[1, 1, 2, 3, 1 << 33]),
            },
        };
        let before = self.short.clone();
        let World { map, machine } = &mut self.short;
        let short = map.send_single(owner, &single, machine);
        // What is sent in more pieces than one is sent so now and then.
        let part = (base, single.pages.count as u32);
        let mut send = sends(&single);
        match short {
            Some(handle) => {
                self.counts[0] += 1;
                assert_eq!(self.general.give(owner, &send, &[part]), Ok(handle));
                self.given.push((owner, to, handle));
            }
            None => {
                assert!(self.short == before, "something has changed");
                if self.random.of(&[true, false]) {
                    send.flags = TransactionFlags::ZERO;
                }
                let twice = (base + 0x2000, 1);
                let parts = &[part, twice][..self.random.of(&[1, 2])];
                send.pages = parts.iter().map(|(_, pages)| pages).sum();
                send.count = parts.len() as u32;
                let given = self.general.give(owner, &send, parts);
                assert_eq!(self.short.give(owner, &send, parts), given);
                self.given.extend(given.ok().map(|it| (owner, to, it)));
            }
        }
    }

    fn retrieve(&mut self, (_, to, handle): (Party, Party, Handle)) {
        let who = self.random.of(&[to, to, to, A]);
        let Some(it) = self.general.map.find(handle) else {
            return;
        };
        let receiver = it.receivers()[0].receiver();
        let mut request = Borrow {
            handle,
            caller: receiver.endpoint,
            sender: it.sender(),
            kind: it.kind(),
            tag: it.tag(),
            data: receiver.data,
            instruction: match it.kind() {
                Share => InstructionAccess::Unspecified,
                _ => NotExecutable,
            },
        };
        match self.random.of(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) {
            0 => request.caller = self.endpoint(who),
            1 => request.sender = self.endpoint(A),
            2 => request.kind = self.random.of(&[Share, Lend, Donate]),
            3 => request.kind = ffa_abi::memory::TransactionKind::Unspecified,
            4 => request.tag ^= 7,
            5 => {
                request.data = self
                    .random
                    .of(&[ReadOnly, ReadWrite, DataAccess::Unspecified])
            }
            6 => request.instruction = self.random.of(&[NotExecutable, Executable]),
            7 => request.handle.0 ^= 1 << self.random.of(&[0, 16, 40, 63]),
            8 => {
                self.short.machine.fails = Some(0);
                self.general.machine.fails = Some(0);
            }
            _ => {}
        }
        let before = self.short.clone();
        let World { map, machine } = &mut self.short;
        let short = map.retrieve_single(who, &request, machine);
        let all = retrieves(&request);
        match short {
            Some(told) => {
                self.counts[1] += 1;
                let got = self.general.retrieve(who, &all).expect("as the short way");
                let same = Borrowed {
                    sender: got.sender,
                    normal_world: got.attributes.is_non_secure(),
                    flags: got.flags,
                    tag: got.tag,
                    receiver: got.receiver,
                    pages: self.general.map.pieces(handle).next().expect("a page"),
                };
                assert_eq!(told, same);
                let normal = Attributes::NORMAL;
                assert_eq!(got.attributes.with_non_secure(false), normal);
                assert_eq!((u64::from(got.pages), got.count), (same.pages.count, 1));
            }
            None => {
                let failed = self.short.machine.fails != before.machine.fails;
                self.short.machine.fails = before.machine.fails;
                assert!(self.short == before, "something has changed");
                let got = self.general.retrieve(who, &all);
                assert_eq!(failed, got == Err(NoMemory));
                assert_eq!(self.short.retrieve(who, &all), got);
            }
        }
        self.short.machine.fails = None;
        self.general.machine.fails = None;
    }

    fn step(&mut self) {
        if self.given.is_empty() || self.random.of(&[true, false, false]) {
            self.send();
        } else {
            let all = self.given.clone();
            let one @ (owner, to, handle) = self.random.of(&all);
            match self.random.of(&[0, 0, 1, 2, 3]) {
                0 => self.retrieve(one),
                1 => {
                    let none = RelinquishFlags::empty();
                    let got = self.general.relinquish(to, handle, none);
                    assert_eq!(self.short.relinquish(to, handle, none), got);
                }
                2 => {
                    let none = ReclaimFlags::empty();
                    let got = self.general.reclaim(owner, handle, none);
                    assert_eq!(self.short.reclaim(owner, handle, none), got);
                }
                _ if self.random.of(&[true, false, false, false]) => {
                    let who = self.random.of(&[A, B, C, D]);
                    assert_eq!(self.short.ends(who), self.general.ends(who));
                }
                _ => {}
            }
        }
        assert!(self.short == self.general);
        let known = |it: &(Party, Party, Handle)| self.general.map.find(it.2).is_some();
        self.given.retain(known);
    }
}

#[test]
fn the_short_way_leaves_what_the_general_one_does() {
    let mut counts = [0; 2];
    for seed in 1..60 {
        let mut twins = Twins {
            short: World::new(),
            general: World::new(),
            random: Random(seed * 0x9e37_79b9),
            given: Vec::new(),
            counts: [0; 2],
        };
        for _ in 0..120 {
            twins.step();
        }
        counts[0] += twins.counts[0];
        counts[1] += twins.counts[1];
    }
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
}
