//! FFA_PARTITION_INFO_GET_REGS: paging, tags, and every register of every reply.

use super::{Case, Env, Problem, Verdict, Wrong, case, for_, wrong_register};
use crate::abi::{self, INVALID_PARAMETERS, NOT_SUPPORTED, RETRY, UuidWords, uuid_registers};
use crate::discovery::info::{Descriptor, NIL, queries, size, wanted};
use crate::discovery::{Me, SHARED, SUBJECTS};
use crate::expect::{self, Mismatch};

pub(super) const CASES: &[Case] = &[
    case("info_regs_below_1_2", old, below_1_2),
    case("info_regs_all", for_::extended, all),
    case("info_regs_each_uuid", for_::extended, each),
    case("info_regs_from_each_index", for_::extended, from_each),
    case("info_regs_unknown_uuid", for_::extended, unknown),
    case("info_regs_image_uuid", for_::extended, image),
    case("info_regs_start_out_of_range", for_::extended, start),
    case("info_regs_tag", for_::extended, tags),
];

/// The most descriptors that any query gives.
const MOST: usize = 32;

fn old(me: &Me) -> bool {
    !me.is_extended()
}

fn arguments(query: UuidWords, start: u64, tag: u64) -> [u64; 7] {
    let [low, high] = uuid_registers(query);
    [low, high, start | tag << 16, 0, 0, 0, 0]
}

/// A call that must be refused.
fn refused(
    env: &mut Env,
    step: &'static str,
    query: UuidWords,
    [start, tag]: [u64; 2],
    code: i32,
) -> Verdict {
    env.refused_turn(
        step,
        start | tag << 16,
        abi::PARTITION_INFO_GET_REGS,
        &arguments(query, start, tag),
        code,
    )
}

/// One reply from `start` on: x0, x2 and every register that is no descriptor. Gives the index behind
/// its last descriptor, and the tag.
fn page(
    env: &mut Env,
    query: UuidWords,
    start: u64,
    tag: u64,
    found: &mut [Descriptor; MOST],
) -> Result<(u64, u64), Wrong> {
    let (conduit, exchange) = env.call(abi::PARTITION_INFO_GET_REGS, &arguments(query, start, tag));
    let step = "FFA_PARTITION_INFO_GET_REGS";
    let got = &exchange.got;
    let bytes = size(env.me.version) as u64;
    let each = bytes as usize / 8;
    let most = 15 / each as u64;
    let count = wanted(&env.me, query).count() as u64;
    let end = count.min(start + most);
    let wrong = |register: usize, want: u64| {
        let mismatch = Mismatch {
            register: register as u8,
            got: got[register],
            want,
        };
        wrong_register(step, start, conduit, &exchange, mismatch)
    };
    let is = |register: usize, want: u64| {
        if got[register] == want {
            Ok(())
        } else {
            Err(wrong(register, want))
        }
    };
    is(0, abi::SUCCESS_64.into())?;
    is(1, 0)?;
    let tag = got[2] >> 32 & 0xffff;
    is(2, (count - 1) | (end - 1) << 16 | tag << 32 | bytes << 48)?;
    let used = (end - start) as usize * each;
    for register in 3 + used..18 {
        is(register, 0)?;
    }
    expect::own(&exchange, 18)
        .map_err(|mismatch| wrong_register(step, start, conduit, &exchange, mismatch))?;
    let descriptors = got.get(3..3 + used).unwrap_or(&[]).chunks(each);
    for (slot, words) in found.iter_mut().skip(start as usize).zip(descriptors) {
        *slot = [0; 6];
        for (to, from) in slot.iter_mut().zip(words) {
            *to = *from;
        }
    }
    Ok((end, tag))
}

/// All replies to a query.
fn walk(env: &mut Env, query: UuidWords) -> Verdict {
    let me = env.me;
    let mut found = [[0; 6]; MOST];
    let count = wanted(&me, query).count();
    let (mut next, mut tag) = (0, 0);
    while next < count as u64 {
        (next, tag) = page(env, query, next, tag, &mut found)?;
    }
    let found = found.get(..count).unwrap_or(&[]);
    for descriptor in wanted(&me, query) {
        let want = wanted(&me, query).filter(|d| *d == descriptor).count();
        let got = found.iter().filter(|d| **d == descriptor).count();
        if got != want {
            return Err(closest(query, found, &descriptor));
        }
    }
    Ok(())
}

/// The first word that differs from a wanted descriptor, in one of the same partition.
fn closest(query: UuidWords, found: &[Descriptor], descriptor: &Descriptor) -> Wrong {
    let alike = |d: &&Descriptor| d[0] as u16 == descriptor[0] as u16;
    let best = found.iter().filter(alike).max_by_key(|d| {
        d.iter()
            .zip(descriptor)
            .filter(|(got, want)| got == want)
            .count()
    });
    let (got, want) = best
        .unwrap_or(&[0; 6])
        .iter()
        .zip(descriptor)
        .find(|(got, want)| got != want)
        .unwrap_or((&0, &0));
    Wrong {
        step: "a word of a descriptor",
        turn: query[3].into(),
        problem: Problem::Value {
            got: *got,
            want: *want,
        },
    }
}

fn below_1_2(env: &mut Env) -> Verdict {
    for query in [NIL, SHARED, abi::UNKNOWN_UUID] {
        for place in [[0, 0], [1, 0], [0, 1]] {
            refused(env, "below 1.2", query, place, NOT_SUPPORTED)?;
        }
    }
    Ok(())
}

fn all(env: &mut Env) -> Verdict {
    walk(env, NIL)
}

fn each(env: &mut Env) -> Verdict {
    for query in queries(&env.me).skip(1) {
        walk(env, query)?;
    }
    Ok(())
}

/// A reply may begin anywhere.
fn from_each(env: &mut Env) -> Verdict {
    let mut found = [[0; 6]; MOST];
    let (_, tag) = page(env, NIL, 0, 0, &mut found)?;
    let count = wanted(&env.me, NIL).count() as u64;
    for start in 0..count {
        let tag = if start == 0 { 0 } else { tag };
        page(env, NIL, start, tag, &mut found)?;
    }
    Ok(())
}

fn unknown(env: &mut Env) -> Verdict {
    let [a, b, c, d] = SHARED;
    for query in [
        abi::UNKNOWN_UUID,
        [u32::MAX; 4],
        [1, 0, 0, 0],
        [a, b, c, d ^ 1 << 31],
        // As FFA_PARTITION_INFO_GET has it, one word in each register.
        [a, 0, b, 0],
    ] {
        refused(env, "unknown", query, [0, 0], INVALID_PARAMETERS)?;
    }
    Ok(())
}

fn image(env: &mut Env) -> Verdict {
    for image in SUBJECTS.iter().filter_map(|subject| subject.image) {
        if env.me.version >= abi::V1_3 {
            walk(env, image)?;
        } else {
            refused(env, "an image's UUID", image, [0, 0], INVALID_PARAMETERS)?;
        }
    }
    Ok(())
}

fn start(env: &mut Env) -> Verdict {
    for query in [NIL, SHARED] {
        let count = wanted(&env.me, query).count() as u64;
        for start in [count, count + 1, 0x7fff, 0xffff] {
            refused(env, "start", query, [start, 0], INVALID_PARAMETERS)?;
        }
    }
    Ok(())
}

/// The set of partitions never changes here: the tag is 0, and no other is current.
fn tags(env: &mut Env) -> Verdict {
    let mut found = [[0; 6]; MOST];
    let (_, tag) = page(env, NIL, 0, 0, &mut found)?;
    super::equal("tag", 0, tag, 0)?;
    for wrong in [1, 2, 0x7fff, 0x8000, 0xffff] {
        for start in [0, 1] {
            refused(env, "another tag", NIL, [start, wrong], RETRY)?;
        }
    }
    Ok(())
}
