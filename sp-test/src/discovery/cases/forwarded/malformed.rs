//! Forwarded maps that must be refused for what they say, and what nobody looks at.

use super::super::{DONE, Env, PAGE, Pair, Verdict};
use super::descriptor::{Descriptor, RX_AT, TX_AT, word};
use super::{MAP, map, of_vm, refused, unmap};
use crate::abi::{self, DENIED, INVALID_PARAMETERS};
use crate::board::{NORMAL_RAM, place};

pub(super) fn ids(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    let pair = of_vm(env, 1, 1);
    for id in [0, 0x7fff, 0x8000, 0x8001, 0x8006, 0xffff] {
        let descriptor = Descriptor::new(id, pair);
        refused(env, "no VM", id, own, &descriptor, INVALID_PARAMETERS)?;
    }
    map(env, own, 1, pair)?;
    unmap(env, 1)?;
    env.unmap()
}

pub(super) fn sizes(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    for pages in 1..=4 {
        map(env, own, 1, of_vm(env, 1, pages))?;
        unmap(env, 1)?;
    }
    for pages in [0, 5, 8, 0x1_0001, 0xffff_ffff] {
        let descriptor = Descriptor::new(1, of_vm(env, 1, pages));
        refused(env, "pages", pages, own, &descriptor, INVALID_PARAMETERS)?;
    }
    // RX and TX of different sizes.
    for (region, pages) in [(word::RX, 2), (word::TX, 2), (word::RX, 4), (word::TX, 0)] {
        let descriptor = Descriptor::new(1, of_vm(env, 1, 1))
            .with(region + word::PAGES, pages)
            .with(region + word::COUNT, pages);
        refused(
            env,
            "different sizes",
            pages.into(),
            own,
            &descriptor,
            INVALID_PARAMETERS,
        )?;
    }
    env.unmap()
}

/// One word wrong in each.
pub(super) fn malformed(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    let good = Descriptor::new(1, of_vm(env, 1, 1));
    let of_regions = |word: usize, value: u32| [(word::RX + word, value), (word::TX + word, value)];
    let offsets = [
        0,
        8,
        4,
        0x11,
        0x14,
        0xff8,
        0xffc,
        0x1000,
        0x1_0000,
        0xffff_fff0,
    ]
    .map(|offset| [(word::RX_OFFSET, offset), (word::TX_OFFSET, offset)]);
    let regions = [
        (word::PAGES, 0),
        (word::PAGES, 2),
        (word::CONSTITUENTS, 0),
        (word::CONSTITUENTS, 2),
        (word::CONSTITUENTS, 0xffff_ffff),
        (word::COUNT, 0),
        (word::COUNT, 2),
        (word::COUNT, 0x8000_0001),
        (word::BASE, place(0x6810_1008) as u32),
        (word::BASE, place(0x6810_1800) as u32),
    ]
    .map(|(word, value)| of_regions(word, value));
    for [first, second] in offsets.into_iter().chain(regions) {
        for (word, value) in [first, second] {
            let turn = (word as u64) << 32 | u64::from(value);
            refused(
                env,
                "word and its value",
                turn,
                own,
                &good.with(word, value),
                INVALID_PARAMETERS,
            )?;
        }
    }
    // The same region for both.
    refused(
        env,
        "one region for both",
        0,
        own,
        &good.with(word::TX_OFFSET, RX_AT as u32),
        INVALID_PARAMETERS,
    )?;
    // RX and TX that are the same page, or overlap.
    let pair = of_vm(env, 1, 2);
    for rx in [pair.tx, pair.tx + PAGE, pair.tx - PAGE] {
        let descriptor = Descriptor::new(1, Pair { rx, ..pair });
        refused(env, "overlapping", rx, own, &descriptor, INVALID_PARAMETERS)?;
    }
    map(env, own, 1, of_vm(env, 1, 1))?;
    unmap(env, 1)?;
    env.unmap()
}

/// Nobody looks at them.
pub(super) fn reserved(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    let good = Descriptor::new(1, of_vm(env, 1, 1));
    for (word, value) in [
        (word::ID, 0xffff_0001),
        (word::PADDING, u32::MAX),
        (word::RX + word::RESERVED, 1),
        (word::TX + word::RESERVED + 1, 1),
        (word::RX + word::LAST, u32::MAX),
    ] {
        good.with(word, value).put(own.tx);
        env.expect_turn(
            "a reserved word",
            word as u64,
            abi::RXTX_MAP_64,
            &MAP,
            &DONE,
        )?;
        unmap(env, 1)?;
    }
    env.unmap()
}

pub(super) fn bad_pages(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    let good = Descriptor::new(1, of_vm(env, 1, 1));
    for page in [
        place(0x0e10_0000),
        place(0x0e38_0000),
        place(0x0900_0000),
        NORMAL_RAM.start - PAGE,
        NORMAL_RAM.end,
        0x70_0000_0000,
        1 << 48,
    ] {
        for region in [word::RX, word::TX] {
            let descriptor = good
                .with(region + word::BASE, page as u32)
                .with(region + word::BASE_UPPER, (page >> 32) as u32);
            refused(env, "page", page, own, &descriptor, DENIED)?;
        }
    }
    // The last page there is, and one more.
    let wrapping = Descriptor::new(1, of_vm(env, 1, 2))
        .with(word::RX + word::BASE, 0xffff_f000)
        .with(word::RX + word::BASE_UPPER, 0xffff_ffff);
    refused(env, "wrapping", 0, own, &wrapping, INVALID_PARAMETERS)?;
    env.unmap()
}

/// A TX of four pages, and regions at the end of the first: all of the description must lie there.
pub(super) fn far_offsets(env: &mut Env) -> Verdict {
    let own = env.map(4)?;
    let at = |far: u64| {
        let mut descriptor = Descriptor::new(1, of_vm(env, 1, 1));
        for (offset, _) in descriptor.0.iter_mut().skip(word::RX) {
            *offset += far;
        }
        descriptor
            .with(word::RX_OFFSET, (RX_AT + far) as u32)
            .with(word::TX_OFFSET, (TX_AT + far) as u32)
    };
    let [last, past, far] = [PAGE - 0x50, PAGE - 0x48, 3 * PAGE].map(at);
    last.put(own.tx);
    env.succeeds("to the end of the page", abi::RXTX_MAP_64, &MAP)?;
    unmap(env, 1)?;
    refused(env, "past it", 0, own, &past, INVALID_PARAMETERS)?;
    refused(env, "in the last page", 0, own, &far, INVALID_PARAMETERS)?;
    env.unmap()
}
