//! FFA_RXTX_MAP and FFA_RXTX_UNMAP for oneself: every error, and that a refused call changes nothing.

use super::{Case, Env, PAGE, Pair, Verdict, case, error, for_, places};
use crate::abi::{self, DENIED, INVALID_PARAMETERS};
use crate::board::{NORMAL_RAM, place};
use crate::contract::Boundary;
use crate::discovery::Me;

pub(super) const CASES: &[Case] = &[
    case("rxtx_unmap_nothing", for_::maps, unmap_nothing),
    case("rxtx_map_and_unmap", for_::maps, map_and_unmap),
    case("rxtx_map_twice", for_::maps, twice),
    case("rxtx_map_2_pages", for_::maps, |env| sizes(env, 2)),
    case("rxtx_map_3_pages", for_::maps, |env| sizes(env, 3)),
    case("rxtx_map_4_pages", for_::maps, |env| sizes(env, 4)),
    case("rxtx_map_adjacent", for_::maps, adjacent),
    case("rxtx_map_32", for_::maps, narrow),
    case("rxtx_map_count", for_::maps, counts),
    case("rxtx_map_count_upper_half", for_::maps, count_upper_half),
    case("rxtx_map_misaligned", for_::maps, misaligned),
    case("rxtx_map_equal", for_::maps, equal),
    case("rxtx_map_overlapping", for_::maps, overlapping),
    case("rxtx_map_wrapping", for_::maps, wrapping),
    case("rxtx_map_order_of_checks", for_::maps, order),
    case("rxtx_map_secure_memory", for_::maps, secure),
    case("rxtx_map_device", for_::maps, device),
    case("rxtx_map_nowhere", for_::maps, nowhere),
    case("rxtx_map_past_own_memory", for_::maps, past_own),
    case("rxtx_map_memory_of_others", confined, others),
    case("rxtx_map_read_only_region", has_regions, read_only),
    case("rxtx_map_region", has_regions, region),
    case("rxtx_map_device_region", has_device, device_region),
    case("rxtx_map_static", is_static, static_twice),
    case("rxtx_unmap_static_and_back", is_static, static_and_back),
    case("rxtx_unmap_twice", for_::maps, unmap_twice),
    case("rxtx_unmap_of_others", for_::maps, unmap_others),
];

fn confined(me: &Me) -> bool {
    me.maps() && !me.is_physical()
}

fn has_regions(me: &Me) -> bool {
    me.subject.is_some_and(|subject| subject.has_regions())
}

fn has_device(me: &Me) -> bool {
    me.subject.is_some_and(|subject| subject.has_device())
}

fn is_static(me: &Me) -> bool {
    !me.maps()
}

/// The error for pages that are not the caller's to use.
fn not_yours(me: &Me) -> i32 {
    match me.boundary {
        Boundary::Physical => DENIED,
        _ => INVALID_PARAMETERS,
    }
}

/// Maps and unmaps, to see that what was refused has left nothing.
fn still_works(env: &mut Env) -> Verdict {
    env.map(1)?;
    env.unmap()
}

/// A map that must be refused.
fn refused(
    env: &mut Env,
    step: &'static str,
    turn: u64,
    [tx, rx, pages]: [u64; 3],
    code: i32,
) -> Verdict {
    env.refused_turn(step, turn, abi::RXTX_MAP_64, &[tx, rx, pages], code)
}

/// The same page as TX, then as RX, beside a good one; then both.
fn bad_page(env: &mut Env, step: &'static str, page: u64, code: i32) -> Verdict {
    let Pair { tx, rx, .. } = env.pair(1);
    refused(env, step, page, [page, rx, 1], code)?;
    refused(env, step, page, [tx, page, 1], code)?;
    refused(env, step, page, [page, page + PAGE, 1], code)
}

fn unmap_nothing(env: &mut Env) -> Verdict {
    env.refused("nothing mapped", abi::RXTX_UNMAP, &[], INVALID_PARAMETERS)?;
    still_works(env)
}

fn map_and_unmap(env: &mut Env) -> Verdict {
    for _ in 0..3 {
        still_works(env)?;
    }
    Ok(())
}

fn twice(env: &mut Env) -> Verdict {
    let Pair { tx, rx, .. } = env.map(1)?;
    refused(env, "the same", 0, [tx, rx, 1], DENIED)?;
    refused(env, "exchanged", 0, [rx, tx, 1], DENIED)?;
    let other = tx + 0x10 * PAGE;
    refused(env, "others", 0, [other, other + PAGE, 1], DENIED)?;
    // Before all other checks.
    refused(env, "none", 0, [0, 0x800, 0], DENIED)?;
    refused(env, "misaligned", 0, [tx + 8, rx, 1], DENIED)?;
    env.unmap()?;
    still_works(env)
}

fn sizes(env: &mut Env, pages: u64) -> Verdict {
    env.map(pages)?;
    env.unmap()?;
    still_works(env)
}

fn adjacent(env: &mut Env) -> Verdict {
    let base = env.pair(1).tx;
    for [tx, rx, pages] in [
        [base, base + PAGE, 1],
        [base + PAGE, base, 1],
        [base, base + 4 * PAGE, 4],
        [base + 4 * PAGE, base, 4],
    ] {
        env.succeeds("adjacent", abi::RXTX_MAP_64, &[tx, rx, pages])?;
        env.unmap()?;
    }
    Ok(())
}

fn narrow(env: &mut Env) -> Verdict {
    let Pair { tx, rx, .. } = env.pair(1);
    env.succeeds("32-bit form", abi::RXTX_MAP_32, &[tx, rx, 1])?;
    env.unmap()?;
    // Upper halves are no arguments of it.
    let garbage = 0xdead_beef << 32;
    let arguments = [tx | garbage, rx | garbage, 2 | garbage];
    env.succeeds("upper halves", abi::RXTX_MAP_32, &arguments)?;
    env.unmap()?;
    let arguments = [tx, tx, 1];
    env.refused("equal", abi::RXTX_MAP_32, &arguments, INVALID_PARAMETERS)
}

fn counts(env: &mut Env) -> Verdict {
    let Pair { tx, .. } = env.pair(1);
    let rx = tx + 0x10 * PAGE;
    for pages in [0, 5, 6, 63, 0x40, 0x41, 0x1_0001, 0x8000_0001, 0xffff_ffff] {
        let arguments = [tx, rx, pages];
        refused(env, "pages", pages, arguments, INVALID_PARAMETERS)?;
        env.refused_turn(
            "pages, 32-bit form",
            pages,
            abi::RXTX_MAP_32,
            &arguments,
            INVALID_PARAMETERS,
        )?;
    }
    still_works(env)
}

fn count_upper_half(env: &mut Env) -> Verdict {
    let Pair { tx, rx, .. } = env.pair(1);
    // The count is w3 in either form.
    env.succeeds("1 page", abi::RXTX_MAP_64, &[tx, rx, 1 | 7 << 32])?;
    env.unmap()?;
    refused(env, "none", 0, [tx, rx, 1 << 32], INVALID_PARAMETERS)
}

fn misaligned(env: &mut Env) -> Verdict {
    let Pair { tx, rx, .. } = env.pair(1);
    for by in [1, 8, 0x10, 0x800, 0xfff] {
        refused(env, "TX", by, [tx + by, rx, 1], INVALID_PARAMETERS)?;
        refused(env, "RX", by, [tx, rx + by, 1], INVALID_PARAMETERS)?;
        refused(env, "both", by, [tx + by, rx + by, 1], INVALID_PARAMETERS)?;
    }
    still_works(env)
}

fn equal(env: &mut Env) -> Verdict {
    let Pair { tx, .. } = env.pair(1);
    for pages in 1..=4 {
        refused(env, "equal", pages, [tx, tx, pages], INVALID_PARAMETERS)?;
    }
    still_works(env)
}

fn overlapping(env: &mut Env) -> Verdict {
    let Pair { tx, .. } = env.pair(1);
    for (by, pages) in [(1, 2), (1, 4), (2, 3), (3, 4)] {
        let other = tx + by * PAGE;
        refused(env, "RX behind", by, [tx, other, pages], INVALID_PARAMETERS)?;
        refused(env, "TX behind", by, [other, tx, pages], INVALID_PARAMETERS)?;
    }
    still_works(env)
}

fn wrapping(env: &mut Env) -> Verdict {
    let Pair { tx, rx, .. } = env.pair(1);
    let last = 0u64.wrapping_sub(PAGE);
    for (base, pages) in [(last, 2), (last - PAGE, 4), (last, 4)] {
        refused(env, "TX", base, [base, rx, pages], INVALID_PARAMETERS)?;
        refused(env, "RX", base, [tx, base, pages], INVALID_PARAMETERS)?;
    }
    still_works(env)
}

/// What is malformed is so wherever it lies.
fn order(env: &mut Env) -> Verdict {
    let secure = place(0x0e10_0000);
    let Pair { tx, .. } = env.pair(1);
    for (turn, arguments) in [
        [secure, secure, 1],
        [secure + 8, tx, 1],
        [secure, tx, 0],
        [secure, tx, 5],
        [tx, secure + PAGE / 2, 1],
    ]
    .into_iter()
    .enumerate()
    {
        refused(env, "malformed", turn as u64, arguments, INVALID_PARAMETERS)?;
    }
    still_works(env)
}

fn secure(env: &mut Env) -> Verdict {
    let code = not_yours(&env.me);
    // TF-A, the SPMC, a partition that is not the caller, secure memory that nobody has.
    let partition = if env.me.id == 0x8001 {
        place(0x0e48_0000)
    } else {
        place(0x0e38_0000)
    };
    for page in [
        place(0x0e00_2000),
        place(0x0e10_0000),
        place(0x0e1f_e000),
        partition,
        place(0x0efe_0000),
    ] {
        bad_page(env, "secure memory", page, code)?;
    }
    still_works(env)
}

fn device(env: &mut Env) -> Verdict {
    let code = not_yours(&env.me);
    // Both UARTs, the interrupt controller, flash.
    for page in [
        place(0x0900_0000),
        place(0x0904_0000),
        place(0x0800_0000),
        place(0x080a_0000),
        place(0x0400_0000),
    ] {
        bad_page(env, "device", page, code)?;
    }
    if env.me.subject.is_none() {
        bad_page(env, "secure device", places::DEVICE, code)?;
    }
    still_works(env)
}

fn nowhere(env: &mut Env) -> Verdict {
    let code = not_yours(&env.me);
    for page in [
        // Not 0: with TX at 0 and RX at 0 the hypervisor's call would be a forwarded map.
        0x1000,
        0x3000_0000,
        NORMAL_RAM.end,
        0x70_0000_0000,
        1 << 40,
        1 << 47,
        1 << 48,
        0x000f_ffff_ffff_e000,
        1 << 52,
        1 << 63,
    ] {
        bad_page(env, "nobody's", page, code)?;
    }
    still_works(env)
}

fn past_own(env: &mut Env) -> Verdict {
    let code = not_yours(&env.me);
    let Pair { tx, rx, .. } = env.pair(4);
    let memory = env.me.memory();
    for (base, pages) in [
        (memory.end - PAGE, 2),
        (memory.end - 3 * PAGE, 4),
        (memory.end, 1),
        (memory.start - PAGE, 2),
        (memory.start - PAGE, 1),
    ] {
        refused(env, "TX", base, [base, rx, pages], code)?;
        refused(env, "RX", base, [tx, base, pages], code)?;
    }
    still_works(env)
}

/// Memory of the normal world that is the proxy's or nobody's.
fn others(env: &mut Env) -> Verdict {
    let pages = [0x4000_0000, 0x4800_0000, 0x6000_0000, 0x7fff_e000].map(place);
    for page in pages {
        bad_page(env, "another's", page, INVALID_PARAMETERS)?;
    }
    if env.me.is_partition() {
        bad_page(env, "a VM's", place(0x5000_0000), INVALID_PARAMETERS)?;
    }
    still_works(env)
}

fn read_only(env: &mut Env) -> Verdict {
    let own = env.me.memory().start + places::OWN_READ_ONLY;
    let Pair { tx, rx, .. } = env.pair(1);
    for page in [places::READ_ONLY, own] {
        refused(env, "as TX", page, [page, rx, 1], INVALID_PARAMETERS)?;
        refused(env, "as RX", page, [tx, page, 1], INVALID_PARAMETERS)?;
    }
    // The page before it is good, and so is a buffer of that alone.
    refused(
        env,
        "reaching into it",
        0,
        [own - PAGE, rx, 2],
        INVALID_PARAMETERS,
    )?;
    env.succeeds("before it", abi::RXTX_MAP_64, &[own - PAGE, rx, 1])?;
    env.unmap()
}

/// A region that is readable and writable is as good as any memory.
fn region(env: &mut Env) -> Verdict {
    let Pair { tx, .. } = env.pair(1);
    let region = places::READ_WRITE;
    env.succeeds("as RX", abi::RXTX_MAP_64, &[tx, region, 2])?;
    env.fill_rx("FFA_PARTITION_INFO_GET into it")?;
    super::equal(
        "first descriptor's id",
        0,
        super::read(region) & 0xffff,
        0x8001,
    )?;
    env.unmap()?;
    env.succeeds("both", abi::RXTX_MAP_64, &[region, region + PAGE, 1])?;
    env.unmap()?;
    refused(
        env,
        "past it",
        0,
        [tx, region + PAGE, 2],
        INVALID_PARAMETERS,
    )
}

fn device_region(env: &mut Env) -> Verdict {
    bad_page(env, "device", places::DEVICE, INVALID_PARAMETERS)?;
    still_works(env)
}

fn static_twice(env: &mut Env) -> Verdict {
    let Pair { tx, rx, .. } = env.pair(1);
    refused(env, "other pages", 0, [tx, rx, 1], DENIED)?;
    refused(env, "the same", 0, [places::TX, places::RX, 2], DENIED)?;
    refused(env, "none", 0, [0, 0, 0], DENIED)
}

fn static_and_back(env: &mut Env) -> Verdict {
    env.unmap()?;
    env.refused("again", abi::RXTX_UNMAP, &[], INVALID_PARAMETERS)?;
    still_works(env)?;
    // They are memory of the partition all the same.
    env.succeeds(
        "the manifest's",
        abi::RXTX_MAP_64,
        &[places::TX, places::RX, 2],
    )?;
    env.fill_rx("FFA_PARTITION_INFO_GET")?;
    env.succeeds("FFA_RX_RELEASE", abi::RX_RELEASE, &[])
}

fn unmap_twice(env: &mut Env) -> Verdict {
    env.map(1)?;
    env.unmap()?;
    for _ in 0..2 {
        env.refused("again", abi::RXTX_UNMAP, &[], INVALID_PARAMETERS)?;
    }
    still_works(env)
}

/// Ids in w1 that are no VM of the caller; its own pair stays.
fn unmap_others(env: &mut Env) -> Verdict {
    let own = u64::from(env.me.id);
    let Pair { tx, rx, .. } = env.map(1)?;
    for id in [own, 1, 2, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0x8006, 0xffff] {
        if id == 0 {
            continue;
        }
        env.expect_turn(
            "of an id",
            id,
            abi::RXTX_UNMAP,
            &[id << 16],
            &error(INVALID_PARAMETERS),
        )?;
    }
    refused(env, "still mapped", 0, [tx, rx, 1], DENIED)?;
    env.unmap()
}
