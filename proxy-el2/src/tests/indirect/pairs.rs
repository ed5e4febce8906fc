//! Forwarded pairs, and whose RX is.

use super::rig::*;
use ffa_abi::{FfaError::*, Version, fid::raw::*};

/// All that the VMs of these tests offer, of which there is something to be told.
const INFO: [u64; 6] = [INFO_GET as u64, 0, 0, 0, 0, 0];

#[test]
fn the_pair_of_who_exchanges_messages_is_the_spmcs_as_well() {
    let mut rig = Rig::of(Setup {
        indirect: [false, true, true],
        vms: [Version::V1_3, Version::V1_1, Version::V1_0],
        ..SETUP
    });
    for vm in 1..=VMS {
        rig.succeeds(vm, &rig.map(vm));
    }
    // One of a VM that may send, in a version that can.
    assert_eq!(rig.asked(), [RXTX_MAP_64]);
    assert_eq!(rig.host.spmc.pairs.keys().copied().collect::<Vec<_>>(), [2]);
    rig.refuses(2, &rig.map(2), Denied);
    rig.refuses(2, &[RXTX_UNMAP.into(), 2 << 16], InvalidParameters);
    for vm in 1..=VMS {
        rig.succeeds(vm, &[RXTX_UNMAP.into()]);
        rig.refuses(vm, &[RXTX_UNMAP.into()], InvalidParameters);
    }
    assert_eq!(rig.asked(), [RXTX_UNMAP]);
    assert!(rig.host.spmc.pairs.is_empty() && rig.host.open.is_empty());
    // And again, elsewhere.
    let map = [RXTX_MAP_64.into(), page(2, 20), page(2, 30), 4];
    rig.succeeds(2, &map);
    let there = &rig.host.spmc.pairs[&2];
    assert_eq!(
        (there.tx, there.rx, there.pages),
        (stand_in(2), page(2, 30), 4)
    );
}

#[test]
fn an_spmc_that_refuses_leaves_nothing_behind() {
    for error in [NoMemory, Denied, InvalidParameters] {
        let mut rig = Rig::of(SETUP);
        rig.host.spmc.refuses = Some((RXTX_MAP_64, error));
        rig.sees(2, &rig.map(2), &[ERROR.into(), 0, error.register()]);
        assert!(rig.host.open.is_empty() && rig.host.spmc.pairs.is_empty());
        // Those pages are memory like any other.
        rig.map_all();
        // As long as the SPMC has it, the VM has it, too.
        rig.host.spmc.refuses = Some((RXTX_UNMAP, error));
        let unmap = [RXTX_UNMAP.into()];
        rig.sees(2, &unmap, &[ERROR.into(), 0, error.register()]);
        assert_eq!(rig.host.open.len(), 6);
        rig.succeeds(2, &unmap);
        assert_eq!(rig.host.open.len(), 4);
    }
    // Without tables the SPMC is not even asked.
    let mut rig = Rig::of(SETUP);
    rig.host.tables = 1;
    rig.refuses(2, &rig.map(2), NoMemory);
    assert_eq!(rig.asked(), []);
}

#[test]
fn the_proxy_acquires_rx_before_it_writes_and_gives_it_back_if_it_does_not() {
    let mut rig = Rig::new();
    let told = rig.call(2, &INFO);
    assert_eq!((told[0], told[2]), (SUCCESS_32.into(), 3));
    assert!(rig.asked().contains(&RX_ACQUIRE));
    assert_eq!(rig.host.spmc.pairs[&2].whose, Whose::Acquired);
    assert!(!rig.partition_sends(2, 0xaa));
    rig.refuses(2, &INFO, Busy);
    rig.succeeds(2, &[RX_RELEASE.into()]);
    assert_eq!(rig.host.spmc.pairs[&2].whose, Whose::Empty);
    // Only the number: RX is not touched.
    let count = [INFO_GET.into(), 0, 0, 0, 0, 1];
    assert_eq!(rig.call(2, &count)[2], 3);
    // A request that is none.
    let asked = rig.host.spmc.asked.len();
    rig.write(2, &[0; 64]);
    rig.refuses(2, &[MEM_RETRIEVE_REQ.into(), 64, 64], InvalidParameters);
    assert_eq!(rig.asked()[asked..], [RX_ACQUIRE, RX_RELEASE]);
    assert!(rig.partition_sends(2, 0xaa));
}

const MEM_RETRIEVE_REQ: u32 = 0x8400_0074;

#[test]
fn what_a_partition_has_written_nobody_writes_over() {
    let mut rig = Rig::new();
    assert!(rig.partition_sends(2, 0xaa));
    rig.refuses(2, &INFO, Busy);
    rig.send_refused(3, &Message::new(3, 2), Busy);
    rig.write(2, &[0; 64]);
    rig.refuses(2, &[MEM_RETRIEVE_REQ.into(), 64, 64], Busy);
    assert_eq!(rig.rx(2)[0], 0xaa);
    // It reads of the message, then releases RX.
    rig.refuses(2, &[RX_RELEASE.into()], Denied);
    let get = [GET.into(), 2, 4];
    rig.sees(2, &get, &[SUCCESS_32.into(), 0, 0, 0, 0, 0, 1, 0]);
    rig.refuses(2, &[RX_RELEASE.into(), 2], InvalidParameters);
    rig.succeeds(2, &[RX_RELEASE.into()]);
    rig.sends(3, &Message::new(3, 2));
}

#[test]
fn who_waits_has_an_empty_rx() {
    // With its core it leaves; its RX is looked at from the SPMC's side.
    let wait = |rig: &mut Rig, retain: u64| {
        rig.call(3, &[MSG_WAIT.into(), 0, retain]);
        rig.call(3, &[RUN.into(), 3 << 16]);
    };
    let mut rig = Rig::new();
    rig.sends(2, &Message::new(2, 3));
    // A message stays as long as the VM has not read of it.
    wait(&mut rig, 0);
    assert_eq!(rig.host.spmc.pairs[&3].whose, Whose::Acquired);
    let get = [GET.into(), 3, 8];
    rig.sees(3, &get, &[SUCCESS_32.into(), 0, 0, 0, 0, 0, 0, 1]);
    wait(&mut rig, 1);
    assert_eq!(rig.host.spmc.pairs[&3].whose, Whose::Acquired);
    wait(&mut rig, 0);
    assert_eq!(rig.host.spmc.pairs[&3].whose, Whose::Empty);
    // One of a partition as well.
    assert!(rig.partition_sends(3, 0xaa));
    wait(&mut rig, 0);
    assert_eq!(rig.host.spmc.pairs[&3].whose, Whose::Full);
    rig.call(3, &[GET.into(), 3, 4]);
    wait(&mut rig, 0);
    assert_eq!(rig.host.spmc.pairs[&3].whose, Whose::Empty);
}

#[test]
fn acquiring_is_the_proxys_alone() {
    let mut rig = Rig::new();
    for vm in 1..=VMS {
        for of in 0..=VMS {
            rig.refuses(vm, &[RX_ACQUIRE.into(), of.into()], NotSupported);
            if of != 0 {
                rig.refuses(vm, &[RX_RELEASE.into(), of.into()], InvalidParameters);
            }
        }
        rig.refuses(vm, &[FEATURES.into(), RX_ACQUIRE.into()], NotSupported);
    }
    assert_eq!(rig.asked(), []);
}

#[test]
fn a_message_that_goes_with_its_pair_is_told_of_no_more() {
    let mut rig = Rig::new();
    rig.sends(1, &Message::new(1, 2));
    // The scheduler knows of it.
    assert_eq!(rig.call(1, &[PENDING_64.into()])[0] as u32, SUCCESS_64);
    rig.succeeds(2, &[RXTX_UNMAP.into()]);
    rig.succeeds(2, &rig.map(2));
    rig.refuses(1, &[PENDING_64.into()], NoData);
    // The next one is news, and is read before it is released.
    rig.sends(1, &Message::new(1, 2));
    assert_eq!(rig.call(1, &[PENDING_64.into()])[3], 2);
    rig.refuses(2, &[RX_RELEASE.into()], Denied);
    assert_eq!(rig.call(2, &[GET.into(), 2, 8])[7], 1);
    rig.succeeds(2, &[RX_RELEASE.into()]);
}

#[test]
fn a_message_that_comes_just_before_its_receiver_waits_is_not_lost() {
    let mut rig = Rig::new();
    rig.sends(3, &Message::new(3, 2));
    rig.call(2, &[MSG_WAIT.into()]);
    let again = Message::new(1, 2);
    rig.send_refused(1, &again, Busy);
    // Run again, it reads it, and waits.
    rig.call(2, &[RUN.into(), 2 << 16]);
    assert_eq!(rig.call(2, &[GET.into(), 2, 8])[7], 1);
    rig.call(2, &[MSG_WAIT.into()]);
    rig.sends(1, &again);
}
