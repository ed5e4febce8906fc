//! FFA_PARTITION_INFO_GET: every error, and the content of RX byte by byte.

use super::{Case, Env, PAGE, Pair, Problem, Verdict, Wrong, case, dirty, for_, read, write};
use crate::abi::{self, BUSY, INVALID_PARAMETERS, UuidWords};
use crate::discovery::info::{Descriptor, NIL, queries, size, wanted};
use crate::discovery::{SHARED, SUBJECTS};
use crate::expect::{Expect, Want};

pub(super) const CASES: &[Case] = &[
    case("info_not_mapped", for_::maps, not_mapped),
    case("info_count_not_mapped", for_::all, counts),
    case("info_reserved_flags", for_::all, reserved),
    case("info_unknown_uuid", for_::all, unknown),
    case("info_all", for_::all, all),
    case("info_each_uuid", for_::all, each),
    case("info_shared_uuid", for_::all, shared),
    case("info_image_uuid", for_::all, image),
    case("info_in_4_pages", for_::maps, in_4_pages),
    case("info_upper_halves", for_::all, upper_halves),
];

/// What a query in `me`'s version tells in w2 and w3.
fn count(env: &Env, query: UuidWords, count_only: bool) -> Expect {
    let size = match size(env.me.version) {
        _ if count_only => 0,
        // Callers of 1.0 know no size.
        8 => 0,
        size => size as u64,
    };
    Expect::Success {
        w2: Want::Is(wanted(&env.me, query).count() as u64),
        w3: Want::Is(size),
    }
}

/// Queries, and compares RX to its end.
fn content(env: &mut Env, query: UuidWords, Pair { rx, pages, .. }: Pair) -> Verdict {
    let expect = count(env, query, false);
    let name = u64::from(query[3]);
    env.expect_turn(
        "FFA_PARTITION_INFO_GET",
        name,
        abi::PARTITION_INFO_GET,
        &Env::info(query, 0),
        &expect,
    )?;
    let me = env.me;
    let words = size(me.version) as u64 / 8;
    let number = wanted(&me, query).count() as u64;
    // In any order, but each as often as it must be.
    let place = |index: u64| rx + index * words * 8;
    let same = |index: u64, descriptor: &Descriptor| {
        (0..words)
            .zip(descriptor)
            .all(|(word, want)| read(place(index) + 8 * word) == *want)
    };
    for descriptor in wanted(&me, query) {
        let want = wanted(&me, query).filter(|d| *d == descriptor).count();
        let got = (0..number).filter(|n| same(*n, &descriptor)).count();
        if got != want {
            return Err(closest(&me, query, rx, words, number, &descriptor));
        }
    }
    for at in (place(number)..rx + pages * PAGE).step_by(8) {
        let got = read(at);
        if got != 0 {
            return Err(wrong("behind the descriptors", name, at, got, 0));
        }
    }
    Ok(())
}

/// The first word that differs in what is there for the partition of a wanted descriptor.
fn closest(
    me: &crate::discovery::Me,
    query: UuidWords,
    rx: u64,
    words: u64,
    number: u64,
    descriptor: &Descriptor,
) -> Wrong {
    let name = u64::from(query[3]);
    let of_partition = |n: &u64| read(rx + n * words * 8) as u16 == descriptor[0] as u16;
    // The descriptors of one partition come in the order of its services.
    let turn = wanted(me, query)
        .filter(|d| d[0] as u16 == descriptor[0] as u16)
        .position(|d| d == *descriptor)
        .unwrap_or(0);
    let Some(index) = (0..number).filter(of_partition).nth(turn) else {
        return wrong(
            "a descriptor's first word",
            name,
            rx,
            read(rx),
            descriptor[0],
        );
    };
    for (word, want) in (0..words).zip(descriptor) {
        let at = rx + (index * words + word) * 8;
        if read(at) != *want {
            return wrong("a descriptor", name, at, read(at), *want);
        }
    }
    wrong(
        "a descriptor that is there twice",
        name,
        rx,
        0,
        descriptor[0],
    )
}

fn wrong(step: &'static str, turn: u64, at: u64, got: u64, want: u64) -> Wrong {
    Wrong {
        step,
        turn,
        problem: Problem::Memory { at, got, want },
    }
}

/// RX with a pattern in it, then [`content`], then as before.
fn fresh_content(env: &mut Env, query: UuidWords, pages: u64) -> Verdict {
    let pair = if env.me.maps() {
        dirty(env.pair(pages).rx, pages);
        env.map(pages)?
    } else {
        // It is the SPMC's as long as it is empty, but nothing keeps its reader from writing.
        let pair = env.buffers()?;
        dirty(pair.rx, pair.pages);
        pair
    };
    // TX is the caller's: nothing may be written there.
    write(pair.tx, 0x5a5a);
    content(env, query, pair)?;
    super::equal("TX", 0, read(pair.tx), 0x5a5a)?;
    env.succeeds("FFA_RX_RELEASE", abi::RX_RELEASE, &[])?;
    env.no_buffers()
}

fn not_mapped(env: &mut Env) -> Verdict {
    for query in [NIL, SHARED] {
        let arguments = Env::info(query, 0);
        env.refused("nothing mapped", abi::PARTITION_INFO_GET, &arguments, BUSY)?;
    }
    Ok(())
}

fn counts(env: &mut Env) -> Verdict {
    for query in queries(&env.me) {
        let expect = count(env, query, true);
        env.expect_turn(
            "count",
            query[3].into(),
            abi::PARTITION_INFO_GET,
            &Env::info(query, 1),
            &expect,
        )?;
    }
    Ok(())
}

fn reserved(env: &mut Env) -> Verdict {
    for mapped in [false, true] {
        if mapped {
            env.buffers()?;
        }
        for flags in [2, 3, 4, 1 << 16, 1 << 31, 0xffff_fffe, 0xffff_ffff] {
            for query in [NIL, SHARED] {
                env.refused_turn(
                    "flags",
                    flags,
                    abi::PARTITION_INFO_GET,
                    &Env::info(query, flags),
                    INVALID_PARAMETERS,
                )?;
            }
        }
    }
    env.no_buffers()
}

fn unknown(env: &mut Env) -> Verdict {
    // Near misses of a good one among them.
    let [a, b, c, d] = SHARED;
    let unknown = [
        abi::UNKNOWN_UUID,
        [1, 0, 0, 0],
        [0, 0, 0, 1],
        [u32::MAX; 4],
        [a ^ 1, b, c, d],
        [a, b ^ 1 << 31, c, d],
        [a, b, c ^ 0x100, d],
        [a, b, c, d ^ 0x8000_0000],
    ];
    for mapped in [false, true] {
        if mapped {
            env.buffers()?;
        }
        for (turn, query) in (0..).zip(unknown) {
            for flags in [0, 1] {
                env.refused_turn(
                    "unknown",
                    turn,
                    abi::PARTITION_INFO_GET,
                    &Env::info(query, flags),
                    INVALID_PARAMETERS,
                )?;
            }
        }
    }
    env.no_buffers()
}

fn all(env: &mut Env) -> Verdict {
    fresh_content(env, NIL, 1)
}

fn each(env: &mut Env) -> Verdict {
    for query in queries(&env.me).skip(1) {
        fresh_content(env, query, 1)?;
    }
    Ok(())
}

fn shared(env: &mut Env) -> Verdict {
    super::equal(
        "the table's own count",
        0,
        wanted(&env.me, SHARED).count() as u64,
        3,
    )?;
    fresh_content(env, SHARED, 1)
}

/// Callers below 1.3 can't ask for an image.
fn image(env: &mut Env) -> Verdict {
    for image in SUBJECTS.iter().filter_map(|subject| subject.image) {
        if env.me.version >= abi::V1_3 {
            fresh_content(env, image, 1)?;
        } else {
            env.refused(
                "an image's UUID",
                abi::PARTITION_INFO_GET,
                &Env::info(image, 1),
                INVALID_PARAMETERS,
            )?;
        }
    }
    Ok(())
}

fn in_4_pages(env: &mut Env) -> Verdict {
    for pages in [2, 4] {
        fresh_content(env, NIL, pages)?;
        fresh_content(env, SHARED, pages)?;
    }
    Ok(())
}

/// It is a 32-bit call: upper halves are no arguments.
fn upper_halves(env: &mut Env) -> Verdict {
    let expect = count(env, SHARED, true);
    let arguments = Env::info(SHARED, 1).map(|word| word | 0xfeed_0000 << 32);
    env.expect("garbage", abi::PARTITION_INFO_GET, &arguments, &expect)
        .map(|_| ())
}
