//! Partition information: which descriptors who gets, in memory and in registers.

use super::fixture::*;
use crate::context::AbortAction;
use ffa_abi::{
    FfaError::{InvalidParameters, NoMemory, NotSupported, Retry},
    Function, Regs, Uuid, Version,
    fid::raw::*,
    partition_info::{InfoRegs, PartitionInfo, PartitionProperties as Properties},
};

const PAGE: u64 = 4096;
const DONE: [u64; 1] = [SUCCESS_32 as u64];
const IMAGE: Uuid = Uuid(*b"image of A's own");

fn get(uuid: Uuid, flags: u64) -> Frame {
    let [a, b, c, d] = uuid.words().map(u64::from);
    frame(&[Function::PartitionInfoGet.raw32().into(), a, b, c, d, flags])
}

fn get_regs(uuid: Uuid, start: u64, tag: u64) -> Frame {
    let (low, high) = uuid.registers();
    frame(&[PARTITION_INFO_GET_REGS.into(), low, high, start | tag << 16])
}

/// The second service of a partition.
fn own(slot: crate::context::Slot) -> Uuid {
    let mut uuid = SERVICE;
    uuid.0[15] = slot.0;
    uuid
}

/// Three partitions, the first with an image UUID, and a normal world of `version`.
fn world(version: Version) -> Fixture {
    let mut f = Fixture::with(
        1,
        &[
            Spec::up(Version::V1_2).image(IMAGE),
            Spec::mp(Version::V1_3).methods(1 | 1 << 10),
            Spec::up(Version::V1_1).methods(1).strict(),
        ],
    );
    f.boot();
    f.nwd(frame(&[VERSION.into(), version.raw().into()]));
    let size = 4 * PAGE;
    let map = Function::RxtxMap.raw64().into();
    let start = NORMAL_MEMORY.start;
    f.answered(frame(&[map, start + size, start, 4]), &DONE);
    f
}

/// Reads `count` descriptors of `size` bytes, and checks that the rest of RX is zero.
#[track_caller]
fn read(f: &mut Fixture, rx: u64, count: usize, size: usize) -> Vec<PartitionInfo> {
    let bytes = f.machine.peek(rx, 4 * PAGE as usize);
    assert!(bytes[count * size..].iter().all(|byte| *byte == 0), "tail");
    bytes[..count * size]
        .chunks(size)
        .map(|bytes| PartitionInfo::read(size, bytes).unwrap())
        .collect()
}

#[test]
fn each_version_gets_its_own_descriptors() {
    for (version, size, count) in [
        (Version::V1_0, 8, 3),
        (Version::V1_1, 24, 3),
        (Version::V1_2, 24, 6),
        (Version::V1_3, 48, 6),
    ] {
        let mut f = world(version);
        let told = if version == Version::V1_0 {
            0
        } else {
            size as u64
        };
        let success = u64::from(SUCCESS_32);
        f.answered(get(Uuid::NIL, 1), &[success, 0, count as u64]);
        f.answered(get(Uuid::NIL, 0), &[success, 0, count as u64, told]);
        let list = read(&mut f, NORMAL_MEMORY.start, count, size);
        let each = count / 3;
        for (n, info) in list.iter().enumerate() {
            let slot = crate::context::Slot((n / each) as u8);
            assert_eq!(info.id, id(slot));
            assert_eq!(info.contexts, [1, 2, 1][n / each]);
            let receives = Properties::RECEIVES_DIRECT;
            // What the normal world may know: nothing of sending, in any version.
            let bits = match n / each {
                0 => receives | Properties::AARCH64 | Properties::RECEIVES_DIRECT2,
                1 => receives | Properties::AARCH64 | Properties::WIDE_CYCLES,
                _ => receives | Properties::AARCH64 | Properties::WIDE_CYCLES,
            };
            assert_eq!(
                info.properties,
                bits & Properties::known(version),
                "{version}"
            );
            let service = [SERVICE, own(slot)][n % each];
            let known = version >= Version::V1_1;
            assert_eq!(info.protocol, if known { service } else { Uuid::NIL });
            if version == Version::V1_3 {
                assert_eq!(info.image, if n < 2 { IMAGE } else { Uuid::NIL });
                let own = [Version::V1_2, Version::V1_3, Version::V1_1][n / each];
                assert_eq!(info.version, Some(own));
            }
        }
    }
}

#[test]
fn a_service_is_found_at_each_partition_that_offers_it() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3] {
        let mut f = world(version);
        for (uuid, count) in [(SERVICE, 3), (own(B), 1)] {
            f.call(get(uuid, 0));
            assert_eq!(f.result()[2], count as u64);
            let size = [8, 24, 24, 48][usize::from(version.minor())];
            let list = read(&mut f, NORMAL_MEMORY.start, count, size);
            // What was asked for is not told again.
            assert!(list.iter().all(|info| info.protocol.is_nil()));
            assert_eq!(list[0].id, id(if count == 1 { B } else { A }));
            assert_eq!(
                list[0].image.is_nil(),
                version < Version::V1_3 || count == 1
            );
            let release = frame(&[Function::RxRelease.raw32().into()]);
            f.answered(release, &DONE);
        }
        for nobody in [Uuid(*b"nobody's service"), Uuid([0xff; 16])] {
            f.refused(get(nobody, 0), InvalidParameters);
            f.refused(get(nobody, 1), InvalidParameters);
        }
        // Images are asked for from 1.3 on.
        if version < Version::V1_3 {
            f.refused(get(IMAGE, 1), InvalidParameters);
        } else {
            f.call(get(IMAGE, 0));
            let list = read(&mut f, NORMAL_MEMORY.start, 2, 48);
            let uuids: Vec<_> = list
                .iter()
                .map(|info| (info.protocol, info.image))
                .collect();
            assert_eq!(uuids, [(SERVICE, Uuid::NIL), (own(A), Uuid::NIL)]);
        }
        for flags in [2, 3, 1 << 31] {
            f.refused(get(Uuid::NIL, flags), InvalidParameters);
        }
    }
}

#[test]
fn a_partition_is_told_what_others_send() {
    let mut f = world(Version::V1_2);
    f.nwd_runs(A);
    let own = Fake::memory(A);
    let map = Function::RxtxMap.raw64().into();
    f.answered(frame(&[map, own, own + 4 * PAGE, 4]), &DONE);
    f.call(get(Uuid::NIL, 0));
    let list = read(&mut f, own + 4 * PAGE, 6, 24);
    let all = Properties::RECEIVES_DIRECT
        | Properties::SENDS_DIRECT
        | Properties::RECEIVES_DIRECT2
        | Properties::SENDS_DIRECT2;
    // Itself included.
    assert_eq!(list[0].properties, all | Properties::AARCH64);
    let second = Properties::RECEIVES_DIRECT | Properties::SENDS_DIRECT2 | Properties::AARCH64;
    assert_eq!(list[2].properties, second);
}

#[test]
fn a_list_that_does_not_fit_is_refused_whole() {
    let specs = [Spec::up(Version::V1_3); 16];
    let mut f = Fixture::with(1, &specs);
    f.boot();
    f.nwd(frame(&[VERSION.into(), Version::V1_3.raw().into()]));
    // 32 descriptors of 48 bytes fit in a page; three times as many services don't.
    let many = (0..16).flat_map(|n| [n, n + 16, n + 32, n + 48, n + 64, n + 80]);
    let services: heapless::Vec<_, 16> = many
        .take(16)
        .map(|n| crate::context::Service {
            uuid: Uuid([n + 1; 16]),
            messaging: crate::context::Messaging(1),
        })
        .collect();
    for partition in &mut f.spmc.partitions {
        partition.info.services = services.clone();
    }
    let start = NORMAL_MEMORY.start;
    let map = Function::RxtxMap.raw64().into();
    f.answered(frame(&[map, start, start + PAGE, 1]), &DONE);
    f.machine.poke(start + PAGE, &[0x5a; 4096]);
    f.answered(get(Uuid::NIL, 1), &[SUCCESS_32.into(), 0, 256]);
    f.refused(get(Uuid::NIL, 0), NoMemory);
    assert_eq!(f.machine.peek(start + PAGE, 4096), [0x5a; 4096]);
    // What is asked for in registers comes in as many calls as it takes.
    let mut seen = 0;
    while seen < 256 {
        f.nwd(get_regs(Uuid::NIL, seen, 0));
        let info = InfoRegs::decode(&f.pes[0].nwd).unwrap();
        assert_eq!((info.last, info.tag, info.size), (255, 0, 48));
        assert_eq!(u64::from(info.current), seen + 1);
        seen += info.descriptors(seen as u16).count() as u64;
    }
    f.refused(get_regs(Uuid::NIL, 256, 0), InvalidParameters);
}

#[test]
fn registers_carry_five_short_or_two_long_descriptors() {
    for (version, each) in [(Version::V1_2, 5), (Version::V1_3, 2)] {
        let mut f = world(version);
        let mut found = Vec::new();
        while found.len() < 6 {
            let start = found.len() as u64;
            f.nwd(get_regs(Uuid::NIL, start, 0));
            let regs = f.pes[0].nwd;
            assert_eq!(regs[0], u64::from(SUCCESS_64));
            let info = InfoRegs::decode(&regs).unwrap();
            let before = found.len();
            found.extend(info.descriptors(start as u16));
            assert_eq!(found.len() - before, each.min(6 - before));
            // What is left of the registers is zero.
            let used = 3 + (found.len() - before) * usize::from(info.size) / 8;
            assert!(regs.0[used..].iter().all(|x| *x == 0));
        }
        assert_eq!(found[5].id, id(C));
        f.refused(get_regs(Uuid::NIL, 6, 0), InvalidParameters);
        f.refused(get_regs(Uuid::NIL, 0xffff, 0), InvalidParameters);
        f.refused(get_regs(Uuid([7; 16]), 0, 0), InvalidParameters);
        for (start, tag) in [(0, 1), (1, 1), (0, 0xffff), (9, 1)] {
            f.refused(get_regs(Uuid::NIL, start, tag), Retry);
        }
    }
}

#[test]
fn callers_below_1_2_have_no_such_registers() {
    let mut f = world(Version::V1_1);
    f.refused(get_regs(Uuid::NIL, 0, 0), NotSupported);
    f.nwd_runs(C);
    f.refused(get_regs(Uuid::NIL, 0, 0), NotSupported);
    f.sp(msg_wait());
    f.nwd_runs(A);
    // x0-x17 are written, x18-x30 are its own.
    let call = get_regs(Uuid::NIL, 0, 0);
    f.call(call);
    let x = f.view(A).gp.x;
    assert_eq!(x[0], u64::from(SUCCESS_64));
    assert_eq!(x[18..], call[18..]);
}

#[test]
fn a_destroyed_partition_is_gone_and_the_tag_says_so() {
    let mut f = Fixture::with(
        1,
        &[
            Spec::up(Version::V1_2),
            Spec::up(Version::V1_3).on_abort(AbortAction::Destroy),
            Spec::up(Version::V1_3).on_abort(AbortAction::Stop),
        ],
    );
    f.boot();
    f.nwd(frame(&[VERSION.into(), Version::V1_3.raw().into()]));
    let success = u64::from(SUCCESS_32);
    for (victim, left) in [(C, 6), (B, 4)] {
        f.nwd_runs(victim);
        f.abort();
        f.answered(get(Uuid::NIL, 1), &[success, 0, left]);
    }
    f.refused(get(own(B), 1), InvalidParameters);
    f.nwd(get_regs(Uuid::NIL, 0, 0));
    let info = InfoRegs::decode(&f.pes[0].nwd).unwrap();
    assert_eq!((info.tag, info.last), (1, 3));
    f.refused(get_regs(Uuid::NIL, 2, 0), Retry);
    f.refused(get_regs(Uuid::NIL, 0, 1), Retry);
    f.nwd(get_regs(Uuid::NIL, 2, 1));
    let info = InfoRegs::decode(&f.pes[0].nwd).unwrap();
    assert_eq!(info.descriptors(2).next().unwrap().id, id(C));
}

#[test]
fn el3_may_ask_before_the_normal_world_runs() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2), Spec::mp(Version::V1_3)]);
    f.boot();
    // As often as it likes: that is no call of the normal world's, whose version stays open.
    for _ in 0..2 {
        f.nwd(get_regs(Uuid::NIL, 0, 0));
        let info = InfoRegs::decode(&f.pes[0].nwd).unwrap();
        assert_eq!(info.last, 3);
    }
    f.nwd(frame(&[VERSION.into(), Version::V1_1.raw().into()]));
    f.refused(get_regs(Uuid::NIL, 0, 0), NotSupported);
}

#[test]
fn a_normal_world_that_never_asked_is_of_version_1_0() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_2)]);
    f.boot();
    f.answered(get(Uuid::NIL, 1), &[SUCCESS_32.into(), 0, 1]);
    f.refused(get_regs(Uuid::NIL, 0, 0), NotSupported);
    let ask = |version: Version| frame(&[VERSION.into(), version.raw().into()]);
    f.nwd(ask(Version::V1_1));
    assert_eq!(f.pes[0].nwd.w::<0>() as i32, -1);
    f.nwd(ask(Version::V1_0));
    assert_eq!(f.pes[0].nwd.w::<0>(), Version::OWN.raw());
}

/// A logical partition of EL3.
fn logical(n: u16) -> PartitionInfo {
    PartitionInfo {
        id: ffa_abi::EndpointId(0xffc0 + n),
        contexts: 1,
        properties: Properties::SENDS_DIRECT | Properties::AARCH64,
        protocol: Uuid([0xc0 + n as u8; 16]),
        image: Uuid::NIL,
        version: None,
    }
}

/// What an SPMD with `count` of them answers, five at a time.
fn spmd(count: u16) -> Vec<Regs> {
    (0..count)
        .step_by(5)
        .map(|start| {
            let layout = ffa_abi::partition_info::DescriptorLayout::Medium;
            InfoRegs::new(layout, count, start, 7, (start..count).map(logical))
                .unwrap()
                .encode()
        })
        .collect()
}

#[test]
fn logical_partitions_of_el3_are_told_to_partitions_only() {
    let mut f = world(Version::V1_2);
    f.machine.el3_answers = spmd(7);
    f.answered(get(Uuid::NIL, 1), &[SUCCESS_32.into(), 0, 6]);
    assert!(f.machine.el3_calls.is_empty());
    f.nwd_runs(A);
    f.answered(get(Uuid::NIL, 1), &[SUCCESS_32.into(), 0, 13]);
    let asked: Vec<_> = f.machine.el3_calls.iter().map(|regs| regs.0).collect();
    let ask = |x3| {
        let mut regs = [0; 18];
        (regs[0], regs[3]) = (PARTITION_INFO_GET_REGS.into(), x3);
        regs
    };
    assert_eq!(asked, [ask(0), ask(5 | 7 << 16)]);
    f.machine.el3_answers = spmd(1);
    f.call(get_regs(logical(0).protocol, 0, 0));
    let mut regs = Regs::ZERO;
    regs.0.copy_from_slice(&f.view(A).gp.x[..18]);
    let info = InfoRegs::decode(&regs).unwrap();
    let told: Vec<_> = info.descriptors(0).collect();
    let expected = PartitionInfo {
        protocol: Uuid::NIL,
        ..logical(0)
    };
    assert_eq!(told, [expected]);
}

#[test]
fn an_spmd_that_makes_no_sense_ends_the_list() {
    let good = spmd(3).remove(0);
    let bad = |change: fn(&mut Regs)| {
        let mut regs = good;
        change(&mut regs);
        regs
    };
    for (answers, count) in [
        (vec![], 6),
        (vec![bad(|x| x[0] = u64::from(ERROR))], 6),
        (vec![bad(|x| x[0] = u64::from(SUCCESS_32))], 6),
        // A size of nothing; more than there is; the id of a partition of ours.
        (vec![bad(|x| x[2] &= 0xffff_ffff)], 6),
        (vec![bad(|x| x[2] = 24 << 48 | 0xffff_ffff)], 9),
        (vec![bad(|x| x[3] = 0x1_8001)], 8),
        // The same for ever; more than there is room for.
        (vec![bad(|x| x[2] = 24 << 48 | 2 << 16 | 0xff); 40], 9),
        (spmd(40), 22),
    ] {
        let mut f = world(Version::V1_2);
        f.nwd_runs(A);
        f.machine.el3_answers = answers;
        f.answered(get(Uuid::NIL, 1), &[SUCCESS_32.into(), 0, count]);
    }
}
