//! The rules one by one. `model` holds random calls against a naive model.

mod model;

use super::{Manager, Receiver, Set};
use crate::{
    error::FfaError::{Denied, InvalidParameters},
    id::EndpointId,
    notification::{GetFlags, InfoLists, Pending, SetFlags},
};

const ONE: EndpointId = EndpointId(0x8001);
const OTHER: EndpointId = EndpointId(0x8002);
const VM: EndpointId = EndpointId(1);

fn with(calls: impl FnOnce(&mut Set<4>)) -> Set<4> {
    let mut set = Set::new();
    calls(&mut set);
    set
}

/// The call has this error, and changes nothing.
fn fails(
    set: &Set<4>,
    error: crate::FfaError,
    call: impl FnOnce(&mut Set<4>) -> Result<(), crate::FfaError>,
) {
    let mut after = set.clone();
    assert_eq!(call(&mut after), Err(error));
    assert_eq!(after, *set);
}

#[test]
fn what_is_bound_is_bound_once() {
    let set = with(|set| set.bind(ONE, false, 0b110).unwrap());
    fails(&set, Denied, |set| set.bind(ONE, false, 0b10));
    fails(&set, Denied, |set| set.bind(OTHER, true, 0b1100));
    fails(&set, InvalidParameters, |set| set.bind(OTHER, false, 0));
    let mut set = set;
    set.bind(OTHER, true, 1 << 63 | 1).unwrap();
    set.unbind(OTHER, 1 << 63).unwrap();
    set.bind(ONE, false, 1 << 63).unwrap();
    set.set(ONE, None, 1 << 63).unwrap();
}

#[test]
fn only_what_is_bound_to_the_sender_and_read_is_unbound() {
    let set = with(|set| {
        set.bind(ONE, false, 0b0011).unwrap();
        set.bind(OTHER, true, 0b1100).unwrap();
        set.set(ONE, None, 0b0001).unwrap();
        set.set(OTHER, Some(3), 0b0100).unwrap();
    });
    fails(&set, InvalidParameters, |set| set.unbind(ONE, 0));
    fails(&set, Denied, |set| set.unbind(OTHER, 0b0010));
    fails(&set, Denied, |set| set.unbind(ONE, 0b1_0010));
    // Pending, globally or for one context.
    fails(&set, Denied, |set| set.unbind(ONE, 0b0011));
    fails(&set, Denied, |set| set.unbind(OTHER, 0b0100));
    let mut set = set;
    set.unbind(ONE, 0b0010).unwrap();
    assert_eq!(set.take(3), 0b0101);
    set.unbind(ONE, 0b0001).unwrap();
    set.unbind(OTHER, 0b1100).unwrap();
    assert_eq!(set, Set::new());
}

#[test]
fn only_the_sender_sets_and_as_it_was_bound() {
    let set = with(|set| {
        set.bind(ONE, false, 0b0011).unwrap();
        set.bind(OTHER, true, 0b1100).unwrap();
    });
    fails(&set, InvalidParameters, |set| set.set(ONE, None, 0));
    fails(&set, Denied, |set| set.set(OTHER, None, 0b0001));
    fails(&set, Denied, |set| set.set(ONE, None, 0b1_0001));
    fails(&set, Denied, |set| set.set(ONE, None, 0b0111));
    fails(&set, Denied, |set| set.set(ONE, Some(0), 0b0001));
    fails(&set, Denied, |set| set.set(OTHER, None, 0b0100));
    fails(&set, InvalidParameters, |set| {
        set.set(OTHER, Some(4), 0b0100)
    });
    fails(&set, InvalidParameters, |set| {
        set.set(OTHER, Some(0xffff), 0b0100)
    });
}

#[test]
fn a_context_reads_what_is_global_and_its_own() {
    let mut set = with(|set| {
        set.bind(ONE, false, 0b0011).unwrap();
        set.bind(OTHER, true, 0b1100).unwrap();
        set.set(ONE, None, 0b0011).unwrap();
        set.set(OTHER, Some(1), 0b0100).unwrap();
        set.set(OTHER, Some(2), 0b1100).unwrap();
    });
    assert!(set.pending_for(0) && set.pending_for(1) && set.is_pending());
    assert_eq!(set.take(1), 0b0111);
    assert!(!set.pending_for(0) && !set.pending_for(1) && set.pending_for(2));
    assert_eq!((set.take(1), set.take(4), set.take(0xffff)), (0, 0, 0));
    assert_eq!(set.take(2), 0b1100);
    assert!(!set.is_pending() && !set.pending_for(2));
}

#[test]
fn what_a_sender_that_is_no_more_has_set_is_read_and_then_free() {
    let mut set = with(|set| {
        set.bind(ONE, false, 0b0011).unwrap();
        set.bind(OTHER, true, 0b1100).unwrap();
        set.set(ONE, None, 0b0001).unwrap();
        set.forget_sender(ONE);
    });
    fails(&set, Denied, |set| set.set(ONE, None, 0b0001));
    // Else the receiver took it for the new sender's.
    fails(&set, Denied, |set| set.bind(VM, false, 0b0001));
    set.bind(VM, false, 0b0010).unwrap();
    set.set(OTHER, Some(0), 0b0100).unwrap();
    assert_eq!(set.take(0), 0b0101);
    set.bind(VM, true, 0b0001).unwrap();
}

fn named(receiver: &mut Receiver<64>) -> Vec<Vec<u16>> {
    let mut lists = InfoLists::new(true);
    assert!(receiver.info(VM, &mut lists));
    assert!(lists.iter().all(|(id, _)| id == VM));
    lists
        .iter()
        .map(|(_, contexts)| contexts.to_vec())
        .collect()
}

#[test]
fn each_is_named_once_until_it_is_read() {
    let mut receiver = Receiver::<64>::new(Manager::Spm);
    receiver.bind(ONE, false, 0b0011).unwrap();
    receiver.bind(OTHER, true, 0b1100).unwrap();
    assert!(named(&mut receiver).is_empty() && !receiver.has_news());
    receiver.set(ONE, None, 0b0001).unwrap();
    receiver.set(OTHER, Some(5), 0b0100).unwrap();
    assert!(receiver.has_news());
    assert_eq!(named(&mut receiver), [vec![], vec![5]]);
    assert!(named(&mut receiver).is_empty() && receiver.is_pending());
    // The same again: they know. Another one: they don't.
    receiver.set(ONE, None, 0b0001).unwrap();
    receiver.set(OTHER, Some(5), 0b0100).unwrap();
    assert!(named(&mut receiver).is_empty());
    receiver.set(ONE, None, 0b0010).unwrap();
    receiver.rx_full();
    assert_eq!(named(&mut receiver), [Vec::<u16>::new()]);
    receiver.rx_full();
    assert!(named(&mut receiver).is_empty());
    // Read, and set anew.
    let read = receiver.get(5, GetFlags::all());
    let expected = Pending {
        partitions: 0b0111,
        spm: 1,
        ..Pending::default()
    };
    assert_eq!(read, expected);
    receiver.set(OTHER, Some(5), 0b0100).unwrap();
    assert_eq!(named(&mut receiver), [vec![5]]);
    // What was read before it was named is not named.
    receiver.set(ONE, None, 0b0001).unwrap();
    receiver.set(OTHER, Some(6), 0b0100).unwrap();
    receiver.get(6, GetFlags::all());
    assert!(named(&mut receiver).is_empty());
}

#[test]
fn what_does_not_fit_is_named_next_time() {
    let mut receiver = Receiver::<64>::new(Manager::Hypervisor);
    receiver.bind(VM, true, 1).unwrap();
    receiver.bind(ONE, false, 1).unwrap();
    receiver.set(ONE, None, 1).unwrap();
    for context in 0..64 {
        receiver.set(VM, Some(context), 1).unwrap();
    }
    let mut seen = Vec::new();
    for round in 0.. {
        let mut lists = InfoLists::new(round % 2 == 0);
        // Something else is there already, by each count.
        for n in 0..round {
            lists.push(EndpointId(0x8001 + n), &[]).unwrap();
        }
        let all = receiver.info(VM, &mut lists);
        assert_eq!(all, !lists.more);
        seen.extend(
            lists
                .iter()
                .filter(|(id, _)| *id == VM)
                .map(|(_, contexts)| contexts.to_vec()),
        );
        if all {
            break;
        }
    }
    assert!(seen.first().unwrap().is_empty());
    let contexts: Vec<u16> = seen.concat();
    assert_eq!(contexts, (0..64).collect::<Vec<_>>());
}

#[test]
fn flags_say_whose_are_read() {
    let mut receiver = Receiver::<64>::new(Manager::Hypervisor);
    for sender in [ONE, VM] {
        receiver.bind(sender, false, 0b11).unwrap();
    }
    receiver.set(ONE, None, 0b01).unwrap();
    receiver.set(VM, None, 0b10).unwrap();
    receiver.rx_full();
    // It is no secure partition manager that keeps these.
    assert_eq!(receiver.get(0, GetFlags::SPM), Pending::default());
    let vms = Pending {
        vms: 0b10,
        ..Pending::default()
    };
    assert_eq!(receiver.get(0, GetFlags::VMS | GetFlags::SPM), vms);
    assert!(receiver.has_unread_rx_full() && receiver.pending_for(63));
    let hypervisor = Pending {
        hypervisor: 1,
        ..Pending::default()
    };
    assert_eq!(receiver.get(7, GetFlags::HYPERVISOR), hypervisor);
    assert!(!receiver.has_unread_rx_full());
    let partitions = Pending {
        partitions: 0b01,
        ..Pending::default()
    };
    assert_eq!(receiver.get(0, GetFlags::all()), partitions);
    assert!(!receiver.is_pending());
    receiver.rx_full();
    receiver.rx_emptied();
    assert!(!receiver.is_pending() && !receiver.has_news());
    receiver.clear();
    assert_eq!(receiver, Receiver::new(Manager::Hypervisor));
}

#[test]
fn a_context_is_named_only_for_what_is_per_context() {
    let flags = |per_context, context| SetFlags {
        per_context,
        context,
        ..SetFlags::default()
    };
    assert_eq!(flags(false, 0).target(), Ok(None));
    assert_eq!(flags(true, 0).target(), Ok(Some(0)));
    assert_eq!(flags(true, 9).target(), Ok(Some(9)));
    assert_eq!(flags(false, 1).target(), Err(InvalidParameters));
}

#[test]
fn who_is_named_alone_already_is_not_named_alone_again() {
    let mut receiver = Receiver::<4>::new(Manager::Hypervisor);
    receiver.rx_full();
    receiver.bind(VM, true, 1).unwrap();
    receiver.set(VM, Some(2), 1).unwrap();
    let mut lists = InfoLists::new(true);
    // With a context it is not.
    lists.push(ONE, &[1]).unwrap();
    let mut other = receiver.clone();
    assert!(other.info(ONE, &mut lists));
    assert_eq!(lists.iter().count(), 3);
    let mut lists = InfoLists::new(true);
    lists.push(OTHER, &[]).unwrap();
    lists.push(ONE, &[]).unwrap();
    assert!(receiver.info(ONE, &mut lists));
    let named: Vec<_> = lists.iter().skip(2).collect();
    assert_eq!(named, [(ONE, &[2][..])]);
    assert!(!receiver.has_news());
}
