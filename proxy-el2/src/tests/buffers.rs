//! RX/TX buffers: the proxy's own, and the VM's in every order.

use super::{spmc::*, told::*};
use crate::{
    buffers::OwnPair,
    forward::{Upstream, UpstreamError},
};
use ffa_abi::{
    FfaError::{self, *},
    Regs, Version,
    fid::raw::*,
};

const RELEASE: [u64; 1] = [RX_RELEASE as u64];
const UNMAP: [u64; 1] = [RXTX_UNMAP as u64];

fn fill(rig: &mut Rig) {
    let count = told(&three(), rig.vm.version(), NIL).len() as u64;
    let size = match rig.vm.version() {
        Version::V1_0 => 0,
        version => size(version) as u64,
    };
    rig.sees(&get(NIL, 0), &[SUCCESS_32.into(), 0, count, size]);
}

#[test]
fn every_order_of_map_fill_release_and_unmap() {
    for version in VERSIONS {
        let mut rig = Rig::new(version);
        // Nothing is mapped.
        rig.refuses(&RELEASE, Denied);
        rig.refuses(&UNMAP, InvalidParameters);
        rig.refuses(&get(NIL, 0), Busy);
        // EMPTY.
        rig.map(0, 4, 1);
        rig.refuses(&map(0, 4, 1), Denied);
        rig.refuses(&map(8, 12, 1), Denied);
        rig.refuses(&map(8, 8, 0), Denied);
        rig.refuses(&RELEASE, Denied);
        // FULL.
        fill(&mut rig);
        rig.refuses(&get(NIL, 0), Busy);
        rig.refuses(&map(8, 12, 1), Denied);
        // EMPTY again, and FULL again.
        rig.succeeds(&RELEASE);
        rig.refuses(&RELEASE, Denied);
        fill(&mut rig);
        // What RX holds does not keep it; the new one is EMPTY.
        rig.succeeds(&UNMAP);
        assert!(rig.spmc.open.is_empty());
        rig.refuses(&UNMAP, InvalidParameters);
        rig.refuses(&RELEASE, Denied);
        rig.refuses(&get(NIL, 0), Busy);
        rig.map(2, 0, 2);
        rig.refuses(&RELEASE, Denied);
        fill(&mut rig);
        rig.succeeds(&RELEASE);
        rig.succeeds(&UNMAP);
        // The same pages, other roles.
        rig.map(4, 0, 4);
    }
}

#[test]
fn what_is_written_while_rx_is_full_or_unmapped_is_nothing() {
    let mut rig = Rig::new(Version::V1_3);
    rig.map(0, 4, 1);
    fill(&mut rig);
    rig.spmc.memory.fill(0x77);
    rig.refuses(&get(NIL, 0), Busy);
    rig.refuses(&get(uuid(1), 0), Busy);
    rig.succeeds(&UNMAP);
    rig.refuses(&get(NIL, 0), Busy);
    assert!(rig.spmc.memory.iter().all(|byte| *byte == 0x77));
}

#[test]
fn a_pair_that_can_not_be_is_refused() {
    let page = |n: u64| BASE + n * 4096;
    let end = PAGES;
    for (tx, rx, pages) in [
        // Counts.
        (page(0), page(4), 0),
        (page(0), page(8), 5),
        (page(0), page(8), 0x41),
        (page(0), page(8), 0x1_0001),
        (page(0), page(8), 0xffff_ffff),
        (0, 0, 0),
        // Alignment.
        (page(0) + 1, page(4), 1),
        (page(0), page(4) + 0x800, 1),
        (page(0) + 0xfff, page(4) + 0xfff, 1),
        // Equal and overlapping.
        (page(0), page(0), 1),
        (page(0), page(1), 2),
        (page(3), page(0), 4),
        (page(5), page(4), 2),
        // Outside of the memory, or partly.
        (page(0) - 4096, page(4), 1),
        (page(0), page(end), 1),
        (page(0), page(end - 1), 2),
        (page(end - 3), page(0), 4),
        (0, page(0), 1),
        (page(0), 0x6010_0000, 1),
        (page(0), 0xe10_0000, 1),
        // Ends beyond the address space.
        (page(0), u64::MAX - 4095, 1),
        (u64::MAX - 4095, page(0), 2),
        (page(0) | 1 << 63, page(4), 1),
        (page(0) | 1 << 48, page(4), 1),
    ] {
        for version in VERSIONS {
            let mut rig = Rig::new(version);
            rig.refuses(&[RXTX_MAP_64.into(), tx, rx, pages], InvalidParameters);
            assert!(rig.spmc.open.is_empty());
            // It may still map a good one.
            rig.map(0, end - 4, 4);
        }
    }
}

#[test]
fn pages_at_both_ends_of_the_memory_and_side_by_side_will_do() {
    for (tx, rx, pages) in [
        (0, PAGES - 1, 1),
        (PAGES - 4, 0, 4),
        (0, 1, 1),
        (4, 0, 4),
        (0, 3, 3),
    ] {
        let mut rig = Rig::new(Version::V1_2);
        rig.map(tx, rx, pages);
        let open = [tx, rx].map(|n| BASE + n * 4096..BASE + (n + pages) * 4096);
        assert_eq!(rig.spmc.open, open);
    }
}

#[test]
fn the_32_bit_form_has_32_bit_addresses_and_both_ignore_the_upper_half_of_w3() {
    let high = 0xdead_beef << 32;
    let mut rig = Rig::new(Version::V1_1);
    let [_, tx, rx, pages] = map(0, 4, 1);
    rig.succeeds(&[RXTX_MAP_32.into(), tx | high, rx | high, pages | high]);
    rig.succeeds(&UNMAP);
    rig.succeeds(&[RXTX_MAP_64.into(), tx, rx, pages | high]);
    rig.succeeds(&UNMAP);
    rig.refuses(
        &[RXTX_MAP_64.into(), tx | high, rx, pages],
        InvalidParameters,
    );
}

#[test]
fn without_tables_nothing_is_mapped_and_nothing_stays_open() {
    for tables in [0, 1] {
        let mut rig = Rig::new(Version::V1_3);
        rig.spmc.tables = tables;
        rig.refuses(&map(0, 4, 1), NoMemory);
        assert!(rig.spmc.open.is_empty());
        rig.refuses(&UNMAP, InvalidParameters);
        rig.spmc.tables = 2;
        rig.map(0, 4, 1);
    }
}

#[test]
fn only_a_hypervisor_names_a_vm() {
    for id in [1, 2, 0x7ffe, 0x8001, 0xffff] {
        let mut rig = Rig::new(Version::V1_2);
        rig.refuses(&[RX_RELEASE.into(), id], InvalidParameters);
        rig.refuses(&[RXTX_UNMAP.into(), id << 16], InvalidParameters);
        rig.map(0, 4, 1);
        fill(&mut rig);
        rig.refuses(&[RX_RELEASE.into(), id], InvalidParameters);
        rig.refuses(&[RXTX_UNMAP.into(), id << 16], InvalidParameters);
        rig.refuses(&[RX_ACQUIRE.into(), id], NotSupported);
        rig.refuses(&get(NIL, 0), Busy);
        // The other half of w1 is not looked at, nor the upper half of x1.
        rig.succeeds(&[RX_RELEASE.into(), 0xdead_beef_0001_0000]);
        rig.succeeds(&[RXTX_UNMAP.into(), 0xdead_beef_0000_0001]);
    }
}

#[test]
fn features_of_buffers_and_discovery_by_version() {
    for version in VERSIONS {
        let mut rig = Rig::new(version);
        let late = version >= Version::V1_2;
        for (fid, w2) in [
            (RXTX_MAP_64, Some(if late { 4 << 16 } else { 0 })),
            (RXTX_MAP_32, None),
            (RXTX_UNMAP, Some(0)),
            (RX_RELEASE, Some(0)),
            (RX_ACQUIRE, None),
            (INFO_GET, Some(0)),
            (INFO_GET_REGS, late.then_some(0)),
        ] {
            let query = [FEATURES.into(), fid.into()];
            match w2 {
                Some(w2) => rig.sees(&query, &[SUCCESS_32.into(), 0, w2]),
                None => rig.refuses(&query, NotSupported),
            }
        }
        rig.refuses(&[RX_ACQUIRE.into()], NotSupported);
        assert!(rig.spmc.asked.is_empty());
    }
}

#[test]
fn an_spmc_of_1_1_has_no_discovery_in_registers() {
    let mut rig = Rig::above(Version::V1_1, Version::V1_1);
    assert!(!rig.upstream.info_regs);
    // Even if versions were mixed up.
    rig.upstream.version = Version::V1_2;
    rig.call(&[VERSION.into(), Version::V1_2.raw().into()]);
    rig.refuses(&[FEATURES.into(), INFO_GET_REGS.into()], NotSupported);
    rig.refuses(&get_regs(NIL, 0, 0), NotSupported);
}

/// The proxy's first calls of an SPMC that answers each identifier like this.
fn mapped(
    limit: Option<u64>,
    answer: Result<(), u64>,
) -> (Result<Upstream, UpstreamError>, Vec<Regs>) {
    let mut rig = Rig::new(Version::V1_3);
    rig.spmc.mapped = 0;
    rig.spmc.limit = limit.unwrap_or(0);
    rig.spmc.tamper = Some(Box::new(move |fid, regs, _| match (fid, answer) {
        (FEATURES, _) if limit.is_none() => regs[0] = u64::MAX,
        (RXTX_MAP_64, Err(x0)) => regs[0] = x0,
        _ => (),
    }));
    let mut upstream = Upstream {
        rx: 0,
        info_regs: false,
        ..rig.upstream
    };
    let result = upstream.map_buffers(OWN, &mut rig.spmc);
    (result.map(|()| upstream), rig.spmc.asked)
}

#[test]
fn the_proxys_own_pair_is_as_large_as_both_sides_take() {
    for (limit, pages) in [
        (Some(4), 4),
        (Some(9), 4),
        (Some(2), 2),
        (Some(1), 1),
        // None is stated.
        (Some(0), 1),
        (None, 1),
    ] {
        let (upstream, asked) = mapped(limit, Ok(()));
        let upstream = upstream.unwrap();
        assert_eq!(upstream.rx, pages * 4096);
        assert_eq!(upstream.info_regs, limit.is_some());
        let map = [RXTX_MAP_64.into(), OWN.tx, OWN.rx, pages as u64];
        assert_eq!(asked[1].0[..4], map);
    }
}

#[test]
fn an_spmc_that_refuses_the_pair_is_told_of_with_the_pair() {
    // An error that came along with marks in w2, and things that are no completion.
    for x0 in [
        VERSION.into(),
        INTERRUPT.into(),
        DIRECT_RESP_64.into(),
        0u64,
        0x8400_0100,
    ] {
        let (result, _) = mapped(Some(4), Err(x0));
        let error = result.unwrap_err();
        assert!(
            matches!(error, UpstreamError::Buffers { own, .. } if own == OWN),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains("FFA_RXTX_MAP") && text.contains("0x60100000"),
            "{text}"
        );
    }
    let mut rig = Rig::new(Version::V1_3);
    let other = OwnPair { pages: 1, ..OWN };
    let error = rig.upstream.map_buffers(other, &mut rig.spmc).unwrap_err();
    assert_eq!(
        error,
        UpstreamError::Buffers {
            own: other,
            pages: 1,
            error: Denied,
        }
    );
}

#[test]
fn without_a_map_in_the_spmc_there_is_no_discovery_for_the_vm() {
    for x0 in [u64::MAX, 0xffff_ffff] {
        let (upstream, _) = mapped(Some(4), Err(x0));
        let mut rig = Rig::new(Version::V1_3);
        rig.upstream = upstream.unwrap();
        assert_eq!((rig.upstream.rx, rig.upstream.info_regs), (0, false));
        for fid in [
            RXTX_MAP_32,
            RXTX_MAP_64,
            RXTX_UNMAP,
            RX_RELEASE,
            INFO_GET,
            INFO_GET_REGS,
        ] {
            rig.refuses(&[fid.into()], NotSupported);
            rig.refuses(&[FEATURES.into(), fid.into()], NotSupported);
        }
        // A reserved bit makes no difference.
        rig.refuses(&get(NIL, 2), NotSupported);
        assert!(rig.spmc.asked.is_empty());
    }
    // The same with FFA_ERROR.
    let mut el3 = NotThere;
    let mut upstream = Rig::new(Version::V1_3).upstream;
    (upstream.rx, upstream.info_regs) = (0, false);
    assert_eq!(upstream.map_buffers(OWN, &mut el3), Ok(()));
    assert_eq!(upstream.rx, 0);
}

/// An SPMC that has nothing of this.
struct NotThere;

impl crate::forward::El3 for NotThere {
    fn smc(&mut self, regs: &mut Regs) {
        *regs = Regs::ZERO;
        regs[0] = ERROR.into();
        regs[2] = FfaError::NotSupported.register();
    }
}
