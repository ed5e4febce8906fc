//! Bitmaps live as long as their VMs.

use super::{super::indirect::rig::*, *};
use ffa_abi::FfaError::*;

#[test]
fn who_receives_any_has_a_bitmap_from_the_start_to_the_end() {
    let mut rig = Rig::of(Setup {
        notified: [true, true, false],
        ..SETUP
    });
    let contexts = |rig: &Rig| -> Vec<(u16, u64)> {
        let bitmaps = rig.host.spmc.bitmaps.iter();
        bitmaps.map(|(vm, bitmap)| (*vm, bitmap.contexts)).collect()
    };
    assert_eq!(contexts(&rig), [(1, 3), (2, 2)]);
    rig.kill(3);
    assert!(!rig.asked().contains(&BITMAP_DESTROY));
    rig.kill(2);
    assert_eq!(contexts(&rig), [(1, 3)]);
}

#[test]
fn a_vm_whose_bitmap_is_refused_receives_none() {
    let mut rig = Rig::of(SETUP);
    rig.kill(2);
    rig.host.spmc.refuses = Some((BITMAP_CREATE, NoMemory));
    let mut refused = Vec::new();
    let Rig { proxy, host, .. } = &mut rig;
    host.spmc.bitmaps.clear();
    proxy.create_bitmaps(host, |vm, error| refused.push((vm.0, error)));
    assert_eq!(refused, [(1, NoMemory)]);
}

#[test]
fn what_is_pending_is_read_before_it_ends() {
    let mut rig = Rig::new();
    rig.succeeds(2, &bind(SP, 2, 0, 1));
    rig.succeeds(2, &bind(SP, 2, 1, 2));
    let bitmap = rig.host.spmc.bitmaps.get_mut(&2).unwrap();
    (bitmap.global, bitmap.rx_full) = (1, true);
    bitmap.own.insert(1, 2);
    rig.kill(2);
    assert!(!rig.host.spmc.bitmaps.contains_key(&2));
}

#[test]
fn a_partition_that_sets_some_meanwhile_delays_the_end_of_the_bitmap_alone() {
    let mut rig = Rig::new();
    rig.host.spmc.stubborn = true;
    rig.kill(2);
    assert!(!rig.host.spmc.bitmaps.contains_key(&2));
    // For ever, as it looks.
    let mut rig = Rig::new();
    rig.host.spmc.endless = true;
    rig.kill(2);
    assert!(rig.host.spmc.bitmaps.contains_key(&2));
    let asked = rig.asked();
    assert!(asked.len() < 32, "{}", asked.len());
    rig.interrupt();
    assert!(rig.asked().len() <= 3);
    rig.host.spmc.endless = false;
    rig.interrupt();
    assert!(!rig.host.spmc.bitmaps.contains_key(&2));
    // Nor is it asked again.
    rig.asked();
    rig.interrupt();
    assert_eq!(rig.asked(), []);
}

#[test]
fn nothing_is_bound_to_it_or_by_it_any_more() {
    let mut rig = Rig::new();
    rig.succeeds(2, &bind(3, 2, 0, 3));
    rig.succeeds(2, &bind(1, 2, 0, 4));
    rig.succeeds(3, &bind(2, 3, 0, 1));
    rig.succeeds(3, &set(3, 2, 0, 1));
    rig.succeeds(2, &set(2, 3, 0, 1));
    rig.kill(3);
    rig.raised();
    for call in [set(2, 3, 0, 1), bind(3, 2, 0, 8), unbind(3, 2, 2)] {
        rig.refuses(2, &call, InvalidParameters);
    }
    // It is not named.
    assert_eq!(rig.call(1, &[PENDING_64.into()])[3], 2);
    // What it had set is there, and the number is free when it was read.
    rig.sees(2, &get(2, 0, 2), &pending(0, 1, 0, 0));
    rig.succeeds(2, &bind(1, 2, 0, 3));
    rig.succeeds(1, &set(1, 2, 0, 7));
}
