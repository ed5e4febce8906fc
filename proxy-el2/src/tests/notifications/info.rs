//! `FFA_NOTIFICATION_INFO_GET`: the SPMC's list and the proxy's as one.

use super::{super::indirect::rig::*, *};
use ffa_abi::{FfaError::*, Version, fid::raw::*};

/// Asks, and reads the answer: whether there is more, and the lists.
fn ask(rig: &mut Rig, wide: bool) -> Option<(bool, Vec<Vec<u16>>)> {
    let fid = if wide { PENDING_64 } else { PENDING_32 };
    let x = rig.call(1, &[fid.into()]);
    if x[0] == u64::from(ERROR) {
        assert_eq!(x, [ERROR.into(), 0, NoData.register(), 0, 0, 0, 0, 0]);
        return None;
    }
    let success = if wide { SUCCESS_64 } else { SUCCESS_32 };
    assert_eq!((x[0], x[1]), (success.into(), 0));
    let per_register = if wide { 4 } else { 2 };
    let mut ids = (0..5 * per_register)
        .map(|n| (x[3 + n / per_register] >> (16 * (n % per_register))) as u16);
    let lists = (0..(x[2] >> 7 & 0x1f)).map(|n| {
        let length = (x[2] >> (12 + 2 * n) & 3) as usize;
        ids.by_ref().take(length + 1).collect()
    });
    Some((x[2] & 1 != 0, lists.collect()))
}

/// x2 to x7 of an answer: lists of an endpoint and its contexts.
pub(super) fn lists(wide: bool, more: bool, lists: &[&[u16]]) -> [u64; 6] {
    let mut x = [0; 6];
    x[0] = u64::from(more) | (lists.len() as u64) << 7;
    let per_register = if wide { 4 } else { 2 };
    let mut place = 0;
    for (n, list) in lists.iter().enumerate() {
        x[0] |= (list.len() as u64 - 1) << (12 + 2 * n);
        for id in *list {
            x[1 + place / per_register] |= u64::from(*id) << (16 * (place % per_register));
            place += 1;
        }
    }
    x
}

/// VMs with something bound: each by its neighbour, globally and for a vCPU.
fn bound() -> Rig {
    let mut rig = Rig::new();
    for (receiver, sender) in [(1, 3), (2, 1), (3, 2)] {
        rig.succeeds(receiver, &bind(sender, receiver, 0, 1));
        rig.succeeds(receiver, &bind(sender, receiver, 1, 2));
    }
    rig
}

#[test]
fn partitions_come_first_and_each_is_named_once_until_it_is_read() {
    for wide in [true, false] {
        let mut rig = bound();
        assert_eq!(ask(&mut rig, wide), None);
        rig.succeeds(2, &set(2, 3, 0, 1));
        rig.succeeds(1, &set(1, 2, 1 << 16 | 1, 2));
        rig.raised();
        rig.host.spmc.lists = Some(lists(wide, false, &[&[0x8001], &[0x8002, 0, 3]]));
        let told = ask(&mut rig, wide);
        let all = vec![vec![0x8001], vec![0x8002, 0, 3], vec![2, 1], vec![3]];
        assert_eq!(told, Some((false, all)));
        assert_eq!(rig.raised(), [(2, 1, NPI), (3, 0, NPI)]);
        // Once, though it is set again.
        rig.succeeds(2, &set(2, 3, 0, 1));
        assert_eq!(rig.raised(), []);
        assert_eq!(ask(&mut rig, wide), None);
        rig.sees(3, &get(3, 0, 2), &pending(0, 1, 0, 0));
        assert_eq!(ask(&mut rig, wide), None);
        rig.succeeds(2, &set(2, 3, 0, 1));
        assert_eq!(ask(&mut rig, wide), Some((false, vec![vec![3]])));
    }
}

#[test]
fn vms_that_the_spmc_names_get_their_interrupt() {
    let mut rig = Rig::new();
    rig.host.spmc.lists = Some(lists(true, false, &[&[3], &[2, 1], &[1, 0, 2], &[7], &[0]]));
    assert!(ask(&mut rig, true).is_some());
    let wanted = [(3, 0), (2, 1), (1, 0), (1, 2)];
    assert_eq!(rig.raised(), wanted.map(|(vm, vcpu)| (vm, vcpu, NPI)));
    // A message of a partition is one, too; of the primary the vCPU that asks is told.
    rig.host.spmc.lists = Some(lists(true, false, &[&[2], &[1]]));
    assert!(ask(&mut rig, true).is_some());
    assert_eq!(rig.raised(), [(2, 0, NPI), (2, 1, NPI), (1, 0, NPI)]);
}

#[test]
fn who_has_something_of_both_is_named_once() {
    for more in [false, true] {
        let mut rig = bound();
        rig.succeeds(1, &set(1, 2, 0, 1));
        rig.succeeds(1, &set(1, 2, 1, 2));
        // Even if that is all that there is room for.
        let mut theirs: Vec<Vec<u16>> = vec![vec![2]];
        if more {
            theirs.extend((0..19).map(|n| vec![0x8001 + n]));
        }
        let slices: Vec<&[u16]> = theirs.iter().map(Vec::as_slice).collect();
        rig.host.spmc.lists = Some(lists(true, false, &slices));
        if !more {
            theirs.push(vec![2, 0]);
        }
        assert_eq!(ask(&mut rig, true), Some((more, theirs)));
        let rest = more.then(|| (false, vec![vec![2, 0]]));
        assert_eq!(ask(&mut rig, true), rest);
    }
}

#[test]
fn a_message_of_a_vm_is_named() {
    let mut rig = Rig::new();
    rig.sends(2, &Message::new(2, 3));
    assert_eq!(ask(&mut rig, true), Some((false, vec![vec![3]])));
    assert_eq!(ask(&mut rig, true), None);
}

#[test]
fn nothing_is_lost_when_the_lists_are_full() {
    for (wide, room) in [(true, 20), (false, 10)] {
        for used in room - 4..=room {
            for theirs_more in [false, true] {
                let mut rig = bound();
                rig.succeeds(3, &set(3, 1, 0, 1));
                rig.succeeds(3, &set(3, 1, 2 << 16 | 1, 2));
                rig.succeeds(1, &set(1, 2, 0, 1));
                let theirs: Vec<Vec<u16>> = (0..used).map(|n| vec![0x8001 + n]).collect();
                let slices: Vec<&[u16]> = theirs.iter().map(Vec::as_slice).collect();
                rig.host.spmc.lists = Some(lists(wide, theirs_more, &slices));
                let mut named = Vec::new();
                let (mut more, all) = ask(&mut rig, wide).unwrap();
                assert_eq!(all[..usize::from(used)], theirs);
                named.extend_from_slice(&all[usize::from(used)..]);
                assert_eq!(more, theirs_more || named.len() < 3);
                while more {
                    let Some((again, rest)) = ask(&mut rig, wide) else {
                        break;
                    };
                    (more, _) = (again, named.extend(rest));
                }
                assert_eq!(named, [vec![1], vec![1, 2], vec![2]]);
            }
        }
    }
}

#[test]
fn an_error_of_the_spmcs_takes_nothing() {
    let mut rig = bound();
    rig.succeeds(2, &set(2, 3, 0, 1));
    rig.host.spmc.refuses = Some((PENDING_64, Busy));
    rig.sees(1, &[PENDING_64.into()], &[ERROR.into(), 0, Busy.register()]);
    assert_eq!(ask(&mut rig, true), Some((false, vec![vec![3]])));
    // Only the primary asks.
    rig.succeeds(1, &set(1, 2, 0, 1));
    for vm in [2, 3] {
        rig.refuses(vm, &[PENDING_64.into()], NotSupported);
    }
    assert_eq!(ask(&mut rig, false), Some((false, vec![vec![2]])));
    let mut old = Rig::of(Setup {
        vms: [Version::V1_0; 3],
        ..SETUP
    });
    old.refuses(1, &[PENDING_64.into()], NotSupported);
}
