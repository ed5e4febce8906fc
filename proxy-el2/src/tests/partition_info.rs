//! `FFA_PARTITION_INFO_GET` and `FFA_PARTITION_INFO_GET_REGS`: what a VM of each version is told.

use super::{spmc::*, told::*};
use ffa_abi::{FfaError::*, Version, fid::raw::*};

const RELEASE: [u64; 1] = [RX_RELEASE as u64];

/// Every UUID that is asked for: none, each service's, each image's (102 is both), and a stranger's.
const QUERIES: [u64; 9] = [0, 1, 2, 3, 4, 101, 102, 103, 999];

fn query(n: u64) -> Words {
    if n == 0 { NIL } else { uuid(n) }
}

/// What the proxy and the SPMC may have agreed on, and the VM with one of them.
fn pairs() -> impl Iterator<Item = (Version, Version)> {
    [Version::V1_1, Version::V1_2, Version::V1_3]
        .into_iter()
        .flat_map(|upstream| VERSIONS.map(|version| (upstream, version)))
        .filter(|(upstream, version)| version <= upstream)
}

/// Asks for the number, then for the descriptors, and holds them against the list.
#[track_caller]
fn check_get(rig: &mut Rig, uuid: Words) {
    let version = rig.vm.version();
    let list = told(&rig.spmc.partitions, version, uuid);
    let size = size(version);
    if list.is_empty() {
        rig.refuses(&get(uuid, 1), InvalidParameters);
        rig.refuses(&get(uuid, 0), InvalidParameters);
        return;
    }
    let count = list.len() as u64;
    rig.spmc.memory.fill(0xee);
    rig.sees(&get(uuid, 1), &[SUCCESS_32.into(), 0, count, 0]);
    assert!(
        rig.spmc.memory.iter().all(|byte| *byte == 0xee),
        "count only"
    );
    rig.refuses(&RELEASE, Denied);
    let stated = if version == Version::V1_0 { 0 } else { size };
    rig.sees(&get(uuid, 0), &[SUCCESS_32.into(), 0, count, stated as u64]);
    let mut expected = bytes(&list, size);
    expected.resize(4096, 0);
    assert_eq!(rig.rx(4, 1), expected);
    // Nothing beyond, and nothing in TX.
    let touched = |byte: &&u8| **byte != 0xee;
    assert_eq!(rig.rx(0, 4).iter().filter(touched).count(), 0);
    assert_eq!(rig.rx(5, PAGES - 5).iter().filter(touched).count(), 0);
    rig.succeeds(&RELEASE);
}

#[test]
fn descriptors_are_those_of_the_vms_version() {
    for (upstream, version) in pairs() {
        let mut rig = Rig::above(upstream, version);
        rig.map(0, 4, 1);
        for n in QUERIES {
            check_get(&mut rig, query(n));
        }
    }
}

#[test]
fn each_versions_first_descriptor_by_its_bytes() {
    // 0x8002 has three services: receives REQ, receives and sends REQ2, and 0x210c.
    let ids = [0x02, 0x80, 0x02, 0x00];
    for (version, properties) in [
        (Version::V1_0, 0x0005u32),
        (Version::V1_1, 0x010d),
        (Version::V1_2, 0x030d),
        (Version::V1_3, 0x230d),
    ] {
        let mut rig = Rig::new(version);
        rig.map(0, 4, 1);
        rig.spmc.partitions.remove(0);
        rig.spmc.partitions.truncate(1);
        rig.call(&get(NIL, 0));
        let rx = rig.rx(4, 1);
        assert_eq!(rx[..4], ids);
        assert_eq!(rx[4..8], properties.to_le_bytes(), "{version}");
        let words = |at: usize| -> Vec<u64> {
            let words = rx[at..at + 16].chunks(8);
            words
                .map(|w| u64::from_le_bytes(w.try_into().unwrap()))
                .collect()
        };
        match version {
            Version::V1_0 => assert_eq!(rx[8..48], [0; 40]),
            Version::V1_1 => {
                assert_eq!(words(8), uuid(2));
                assert_eq!(rx[24..], [0; 4096 - 24]);
            }
            Version::V1_2 => {
                assert_eq!((words(8), words(32)), (uuid(2).into(), uuid(1).into()));
            }
            _ => {
                assert_eq!((words(8), words(24)), (uuid(2).into(), uuid(102).into()));
                assert_eq!(rx[40..48], [3, 0, 1, 0, 0, 0, 0, 0]);
            }
        }
    }
}

#[test]
fn services_of_a_partition_are_one_descriptor_below_1_2_wherever_the_spmc_lists_them() {
    for version in [Version::V1_0, Version::V1_1] {
        let mut rig = Rig::new(version);
        rig.map(0, 4, 1);
        // 0x8002 stands before, between and behind the others.
        let mut list = told(&rig.spmc.partitions, Version::V1_3, NIL);
        list.swap(0, 1);
        list.swap(3, 5);
        let [first, second] = [list[0], list[1]];
        let order = bytes(&list, 48);
        rig.spmc.tamper = Some(Box::new(move |fid, _, rx| {
            if fid == INFO_GET {
                rx[..order.len()].copy_from_slice(&order);
            }
        }));
        rig.call(&get(NIL, 0));
        assert_eq!(rig.x[2], 3);
        let stride = size(version);
        let at = |n: usize| rig.rx(4, 1)[n * stride..][..8].to_vec();
        assert_eq!(at(0)[..4], first[0].to_le_bytes()[..4]);
        assert_eq!(at(1)[..4], second[0].to_le_bytes()[..4]);
        assert_eq!(at(2)[..2], [0x03, 0x80]);
        assert_eq!(at(0)[4] & 1, 1, "methods of later descriptors count");
    }
}

#[test]
fn reserved_bits_and_strangers_come_before_a_busy_rx() {
    for version in VERSIONS {
        let mut rig = Rig::new(version);
        for full in [false, true] {
            if full {
                rig.map(0, 4, 1);
                rig.call(&get(NIL, 0));
            }
            for w5 in [2, 3, 1 << 31, 0xffff_fffe] {
                rig.refuses(&get(NIL, w5), InvalidParameters);
            }
            rig.refuses(&get(uuid(999), 0), InvalidParameters);
            rig.refuses(&get(uuid(999), 1), InvalidParameters);
            rig.refuses(&get(NIL, 0), Busy);
            // The number needs no RX; the upper half of x5 is not looked at.
            let count = told(&three(), version, NIL).len() as u64;
            let number = [SUCCESS_32.into(), 0, count, 0];
            rig.sees(&get(NIL, 1), &number);
            rig.sees(&get(NIL, 1 | 1 << 40), &number);
        }
    }
}

/// `count` partitions of `services` services each.
fn many(count: u16, services: u64) -> Vec<Partition> {
    (0..count)
        .map(|n| Partition {
            id: 0x8001 + n,
            contexts: 1,
            properties: 0x100,
            image: uuid(0x1000 + u64::from(n)),
            version: 0x1_0002,
            services: (0..services)
                .map(|s| (uuid(0x2000 + u64::from(n) * services + s), 0x1))
                .collect(),
        })
        .collect()
}

#[test]
fn what_does_not_fit_in_the_vms_rx_is_no_memory_and_leaves_it_empty() {
    for (version, fits) in [
        (Version::V1_0, 512),
        (Version::V1_1, 170),
        (Version::V1_2, 170),
        (Version::V1_3, 85),
    ] {
        let mut rig = Rig::new(version);
        rig.map(0, 4, 1);
        if fits <= 341 {
            rig.spmc.partitions = many(fits, 1);
            check_get(&mut rig, NIL);
            rig.spmc.partitions = many(fits + 1, 1);
            rig.refuses(&get(NIL, 0), NoMemory);
            assert!(rig.rx(4, 1)[..48].iter().any(|byte| *byte != 0));
        }
        rig.refuses(&RELEASE, Denied);
        let count = told(&rig.spmc.partitions, version, NIL).len() as u64;
        rig.sees(&get(NIL, 1), &[SUCCESS_32.into(), 0, count, 0]);
    }
}

#[test]
fn the_longest_list_of_the_spmc_reaches_a_vm_with_an_rx_as_long() {
    for version in VERSIONS {
        let mut rig = Rig::new(version);
        rig.map(8, 4, 4);
        rig.spmc.partitions = many(16, 16);
        rig.call(&get(NIL, 0));
        let list = told(&rig.spmc.partitions, version, NIL);
        assert_eq!(rig.x[..3], [SUCCESS_32.into(), 0, list.len() as u64]);
        let mut expected = bytes(&list, size(version));
        expected.resize(4 * 4096, 0);
        assert_eq!(rig.rx(4, 4), expected);
    }
}

#[test]
fn a_list_longer_than_the_proxys_rx_is_refused_and_not_cut_off() {
    for version in VERSIONS {
        let mut rig = Rig::new(version);
        rig.map(0, 4, 1);
        rig.spmc.partitions = many(342, 1);
        rig.refuses(&get(NIL, 0), NoMemory);
        rig.refuses(&get(NIL, 1), NoMemory);
        if version >= Version::V1_2 {
            rig.refuses(&get_regs(NIL, 0, 0), NoMemory);
        }
    }
}

/// Walks the list in registers as a VM does, by the size it is told.
fn walk(rig: &mut Rig, uuid: Words, tag: u16) {
    let version = rig.vm.version();
    let list = told(&rig.spmc.partitions, version, uuid);
    let per_reply = [0, 0, 5, 2][usize::from(version.minor())];
    let mut start = 0;
    while start < list.len() {
        let given = if start == 0 { 0 } else { u64::from(tag) };
        let call = rig.call(&get_regs(uuid, start as u64, given));
        assert_eq!(rig.x[..18], registers(&list, version, start, tag).0);
        assert_eq!(rig.x[18..], call[18..]);
        assert!(!rig.spmc.full);
        start = (rig.x[2] >> 16 & 0xffff) as usize + 1;
        assert!(start == list.len() || start.is_multiple_of(per_reply));
    }
    for start in [list.len(), list.len() + 1, 0xffff] {
        let given = if start == 0 { 0 } else { u64::from(tag) };
        rig.refuses(&get_regs(uuid, start as u64, given), InvalidParameters);
    }
}

#[test]
fn the_list_in_registers_is_that_of_the_vms_version() {
    for (upstream, version) in pairs().filter(|(_, version)| *version >= Version::V1_2) {
        for tag in [0, 7, 0xffff] {
            let mut rig = Rig::above(upstream, version);
            rig.spmc.tag = tag;
            for n in QUERIES {
                walk(&mut rig, query(n), tag);
            }
            rig.spmc.partitions = many(16, 16);
            walk(&mut rig, NIL, tag);
        }
    }
}

#[test]
fn discovery_in_registers_needs_1_2() {
    for version in [Version::V1_0, Version::V1_1] {
        let mut rig = Rig::new(version);
        for (start, tag) in [(0, 0), (0, 1), (99, 0)] {
            rig.refuses(&get_regs(NIL, start, tag), NotSupported);
        }
        assert!(rig.spmc.asked.is_empty());
    }
}

#[test]
fn a_tag_that_is_not_the_spmcs_is_retried_before_anything_else_is_wrong() {
    for version in [Version::V1_2, Version::V1_3] {
        let mut rig = Rig::new(version);
        rig.spmc.tag = 5;
        for (start, tag) in [(0, 1), (0, 5), (1, 0), (1, 4), (99, 6)] {
            rig.refuses(&get_regs(NIL, start, tag), Retry);
            rig.refuses(&get_regs(uuid(999), start, tag), Retry);
        }
        rig.refuses(&get_regs(uuid(999), 0, 0), InvalidParameters);
        rig.refuses(&get_regs(uuid(999), 1, 5), InvalidParameters);
    }
}

#[test]
fn a_set_that_changes_within_the_call_is_retried() {
    for version in [Version::V1_2, Version::V1_3] {
        for start in [0, 2] {
            let mut rig = Rig::new(version);
            let mut calls = 0;
            // The tag of the second look is another.
            rig.spmc.tamper = Some(Box::new(move |fid, regs, _| {
                if fid == INFO_GET_REGS {
                    calls += 1;
                    regs[2] |= u64::from(calls > 1) << 32;
                }
            }));
            rig.refuses(&get_regs(NIL, start, 0), Retry);
        }
    }
}

#[test]
fn discovery_in_registers_needs_no_rx_of_the_vm() {
    let mut rig = Rig::new(Version::V1_3);
    walk(&mut rig, NIL, 0);
    rig.map(0, 4, 1);
    rig.call(&get(NIL, 0));
    walk(&mut rig, NIL, 0);
    rig.succeeds(&RELEASE);
}

#[test]
fn a_destroyed_partition_is_gone_from_the_next_list() {
    for version in VERSIONS {
        let mut rig = Rig::new(version);
        rig.map(0, 4, 1);
        check_get(&mut rig, NIL);
        rig.spmc.partitions.remove(1);
        rig.spmc.tag += 1;
        for n in QUERIES {
            check_get(&mut rig, query(n));
        }
        rig.spmc.partitions.clear();
        rig.refuses(&get(NIL, 0), InvalidParameters);
    }
}
