//! Random calls: mostly ones that can work now, often slightly wrong.

use super::{
    books::{Books, Rx, Source},
    deed::{Deed, Ids},
    party::{Head, Kind, PAGE, Party, header_bytes},
};
use crate::random::Rng;

/// The bits in use: few, so that they meet; none that makes a register look like a label.
const BITS: [u8; 8] = [0, 1, 2, 31, 32, 33, 40, 63];
/// Ids that are nobody's.
const NOBODY: [u16; 6] = [0x7fff, 0x8000, 0x800f, 0xffff, 0x7000, 0x0055];

fn bits(rng: &mut Rng) -> u64 {
    let one = |rng: &mut Rng| 1 << rng.pick(&BITS);
    match rng.below(8) {
        0 => one(rng) | one(rng) | one(rng),
        1 => one(rng) | one(rng),
        _ => one(rng),
    }
}

/// An endpoint, nearly always one that there is.
fn anybody(books: &Books, rng: &mut Rng) -> u16 {
    if rng.chance(1, 24) {
        return rng.pick(&NOBODY);
    }
    one_of(rng, books.parties.keys().copied()).unwrap_or(0)
}

fn one_of<T>(rng: &mut Rng, all: impl Iterator<Item = T>) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    match all.is_empty() {
        true => None,
        false => Some(all.swap_remove(rng.below(all.len()))),
    }
}

/// Whom `by` may speak for.
fn speaks_for(books: &Books, rng: &mut Rng, by: &Party) -> u16 {
    match by.kind {
        // A hypervisor mostly of those that have something.
        Kind::NormalWorld => {
            let all = books.parties.values();
            let own = all.filter(|party| party.kind == Kind::NormalWorld);
            one_of(rng, own.map(|party| party.id)).unwrap_or(0)
        }
        Kind::Vm | Kind::Partition => by.id,
    }
}

/// A call of `by`. Where the scheduler is `patient` it seldom asks.
pub(super) fn deed(books: &Books, rng: &mut Rng, by: &Party, patient: bool) -> Deed {
    let own = speaks_for(books, rng, by);
    let deed = match rng.below(1000) {
        0..110 => bind(books, rng, own),
        110..160 => unbind(books, rng, own),
        160..440 => set(books, rng, by, own),
        440..590 => get(books, rng, by, own),
        590..760 => send(books, rng, by, own),
        760..840 => release(books, rng, by, own),
        840..855 => Deed::Discover {
            count_only: rng.chance(1, 2),
        },
        850..880 if by.is_partition() => Deed::Take,
        850..880 if by.kind == Kind::NormalWorld => lives(books, rng),
        880..905 => map(books, rng, by, own),
        905..915 => Deed::Unmap {
            vm: named(rng, by, own),
        },
        915..930 => Deed::Acquire {
            vm: named(rng, by, own),
        },
        _ if by.is_partition() && rng.chance(3, 4) => Deed::Take,
        _ if patient && rng.chance(15, 16) => set(books, rng, by, own),
        _ => Deed::Info {
            wide: rng.chance(2, 3),
        },
    };
    spoiled(books, rng, deed)
}

/// What stands for `own` where a hypervisor names a VM.
fn named(rng: &mut Rng, by: &Party, own: u16) -> u16 {
    match by.kind {
        Kind::NormalWorld => own,
        _ => u16::from(rng.chance(1, 16)),
    }
}

fn bind(books: &Books, rng: &mut Rng, own: u16) -> Deed {
    let sender = anybody(books, rng);
    let class = Source::of(sender);
    let free = BITS
        .into_iter()
        .filter(|n| !books.bound.contains_key(&(own, class, *n)));
    let bits = match one_of(rng, free).filter(|_| rng.chance(3, 4)) {
        Some(free) => 1 << free,
        None => bits(rng),
    };
    Deed::Bind {
        ids: Ids {
            sender,
            receiver: own,
        },
        flags: rng.chance(1, 3).into(),
        bits,
    }
}

/// Gives up RX, mostly of somebody who has read that something lies there.
fn release(books: &Books, rng: &mut Rng, by: &Party, own: u16) -> Deed {
    let full = books.pairs.iter().filter(|(id, pair)| {
        let hypervisors = by.kind == Kind::NormalWorld && **id & 0x8000 == 0;
        pair.state != Rx::Empty && !books.unread.contains_key(id) && (hypervisors || **id == by.id)
    });
    let full = one_of(rng, full.map(|(id, _)| *id));
    if full.is_none() && rng.chance(3, 4) {
        return get(books, rng, by, own);
    }
    Deed::Release {
        vm: named(rng, by, full.unwrap_or(own)),
    }
}

fn unbind(books: &Books, rng: &mut Rng, own: u16) -> Deed {
    let bound = books.bound.iter().filter(|((of, ..), _)| *of == own);
    let one = one_of(rng, bound.map(|((.., n), (to, _))| (*n, *to)));
    let (bit, sender) = one.unwrap_or((0, anybody(books, rng)));
    Deed::Unbind {
        ids: Ids {
            sender,
            receiver: own,
        },
        flags: 0,
        bits: 1 << bit,
    }
}

fn set(books: &Books, rng: &mut Rng, by: &Party, own: u16) -> Deed {
    let bound = books.bound.iter().filter(|(_, (to, _))| *to == own);
    let all = bound.map(|((of, _, n), (_, per_context))| (*of, *n, *per_context));
    let one = one_of(rng, all).filter(|_| rng.chance(15, 16));
    let (receiver, bit, per_context) = match one {
        Some(one) => one,
        None => (anybody(books, rng), rng.pick(&BITS), rng.chance(1, 4)),
    };
    let party = books.parties.get(&receiver);
    let count = books.bitmaps.get(&receiver).copied();
    let count = count.or(party.map(|party| party.contexts)).unwrap_or(1);
    let context = match rng.chance(1, 24) {
        true => count,
        false => rng.below(count.into()) as u16,
    };
    let mut flags = u32::from(per_context);
    if per_context || rng.chance(1, 40) {
        flags |= u32::from(context) << 16;
    }
    if by.is_partition() && rng.chance(1, 3) || rng.chance(1, 60) {
        flags |= 2;
    }
    Deed::Set {
        ids: Ids {
            sender: own,
            receiver,
        },
        flags,
        bits: 1 << bit,
    }
}

fn get(books: &Books, rng: &mut Rng, by: &Party, own: u16) -> Deed {
    let count = books.bitmaps.get(&own).copied();
    let beyond = usize::from(rng.chance(1, 16));
    let count = usize::from(count.unwrap_or(by.contexts)) + beyond;
    let all = match by.kind {
        Kind::NormalWorld => 0b101,
        _ => 0b1111,
    };
    Deed::Get {
        receiver: own,
        context: rng.below(count) as u16,
        flags: match rng.below(4) {
            0 => rng.below(16) as u32 & all,
            1 => rng.below(18) as u32,
            _ => all,
        },
    }
}

/// A bitmap is created or destroyed.
fn lives(books: &Books, rng: &mut Rng) -> Deed {
    let vm = anybody(books, rng);
    match rng.below(3) {
        0 => Deed::Destroy { vm },
        _ => Deed::Create {
            vm,
            contexts: rng.pick(&[1, 1, 2, 3, 5, 8, 64, 0, 65]),
        },
    }
}

fn map(books: &Books, rng: &mut Rng, by: &Party, own: u16) -> Deed {
    let pages = 1 + rng.below(2) as u32;
    let party = books.parties.get(&own).unwrap_or(by);
    if by.kind == Kind::NormalWorld && own != 0 {
        return Deed::Forward {
            vm: own,
            base: party.base,
            pages,
        };
    }
    let (tx, rx) = (party.base, party.base + u64::from(pages) * PAGE);
    match rng.below(12) {
        0 => Deed::Map { tx, rx: tx, pages },
        1 => Deed::Map {
            tx: tx + 8,
            rx,
            pages,
        },
        2 => Deed::Map { tx, rx, pages: 5 },
        _ => Deed::Map { tx, rx, pages },
    }
}

fn send(books: &Books, rng: &mut Rng, by: &Party, own: u16) -> Deed {
    // Where there is room, mostly.
    let pairs = books.pairs.iter();
    let empty = pairs.filter(|(id, pair)| pair.state == Rx::Empty && **id != own);
    let all = match by.kind {
        Kind::NormalWorld => one_of(rng, empty.map(|(id, _)| *id).filter(|id| id & 0x8000 != 0)),
        _ => one_of(rng, empty.map(|(id, _)| *id)),
    };
    let receiver = all.filter(|_| rng.chance(15, 16));
    let receiver = receiver.unwrap_or_else(|| anybody(books, rng));
    let version = match by.kind {
        Kind::NormalWorld => books.upstream,
        _ => by.version,
    };
    let header = header_bytes(version) as u32;
    let room = books.pairs.get(&own).map_or(PAGE, |pair| pair.size()) as u32;
    let offset = match rng.below(4) {
        0 => header + rng.below(200) as u32,
        1 => 40,
        _ => header,
    };
    let size = match rng.below(16) {
        0 => room - offset,
        1 => rng.below((room - offset) as usize) as u32,
        2 => 0,
        _ => 1 + rng.below(64) as u32,
    };
    let services = books.parties.get(&receiver).map(|to| to.services.clone());
    let service = services.and_then(|all| one_of(rng, all.into_iter()));
    let service = service.filter(|_| rng.chance(1, 3));
    let mut head = Head {
        flags: rng.pick(&[0, 0, 0, 1]),
        offset,
        receiver,
        sender: own,
        size,
        service: service.map_or([0; 16], |(uuid, _)| uuid),
    };
    if rng.chance(1, 10) {
        match rng.below(8) {
            0 => head.offset = rng.below(header as usize) as u32,
            1 => head.offset = room - head.size.min(room) + 1,
            2 => head.offset = u32::MAX - rng.below(64) as u32,
            3 => head.size = u32::MAX - rng.below(64) as u32,
            4 => head.size = room - offset + 1,
            5 => head.sender = anybody(books, rng),
            6 => head.receiver = own,
            _ => head.service = [0x33; 16],
        }
    }
    let real = match head.fits(version, room.into()) {
        true => head.size,
        false => 4,
    };
    let flags = match (by.is_partition(), rng.below(16)) {
        (true, 0..6) | (false, 0) => 2,
        (_, 15) => 1 << rng.below(32),
        _ => 0,
    };
    let first = rng.word();
    Deed::Send {
        sender: own,
        named: named(rng, by, own),
        flags,
        head,
        payload: (0..real)
            .map(|n| (first >> (n % 56)) as u8 ^ n as u8)
            .collect(),
    }
}

/// Now and then a call is slightly wrong.
fn spoiled(books: &Books, rng: &mut Rng, deed: Deed) -> Deed {
    if !rng.chance(1, 20) {
        return deed;
    }
    let mut deed = deed;
    match &mut deed {
        Deed::Bind { ids, flags, bits }
        | Deed::Unbind { ids, flags, bits }
        | Deed::Set { ids, flags, bits } => match rng.below(5) {
            0 => ids.sender = anybody(books, rng),
            1 => ids.receiver = anybody(books, rng),
            2 => *flags ^= 1 << rng.below(18),
            3 => *bits = 0,
            _ => *bits |= 1 << rng.pick(&BITS),
        },
        Deed::Get {
            receiver, context, ..
        } => match rng.below(2) {
            0 => *receiver = anybody(books, rng),
            _ => *context = rng.word() as u16,
        },
        Deed::Create { vm, .. }
        | Deed::Destroy { vm }
        | Deed::Release { vm }
        | Deed::Acquire { vm }
        | Deed::Unmap { vm } => *vm = anybody(books, rng),
        _ => {}
    }
    deed
}
