//! VMs that end: nothing of theirs is left at the SPMC, and nobody waits for them.

use super::rig::*;
use ffa_abi::FfaError::*;

#[test]
fn its_pair_is_given_up_whatever_is_in_rx() {
    for whose in [Whose::Empty, Whose::Full, Whose::Acquired] {
        let mut rig = Rig::new();
        match whose {
            Whose::Empty => {}
            Whose::Full => assert!(rig.partition_sends(3, 1)),
            Whose::Acquired => rig.sends(2, &Message::new(2, 3)),
        }
        rig.kill(3);
        assert!(!rig.host.spmc.pairs.contains_key(&3));
        assert_eq!(rig.host.open.len(), 4);
        // It is not known any more.
        rig.send_refused(2, &Message::new(2, 3), InvalidParameters);
        rig.sends(2, &Message::new(2, 1));
    }
}

#[test]
fn an_spmc_that_does_not_let_go_keeps_nobody_from_ending() {
    let mut rig = Rig::new();
    rig.host.spmc.refuses = Some((RXTX_UNMAP, Busy));
    rig.kill(3);
    assert_eq!(rig.host.open.len(), 4);
}

#[test]
fn what_it_has_sent_stays_with_who_has_it() {
    let mut rig = Rig::new();
    rig.sends(3, &Message::new(3, 2));
    rig.sends(3, &Message::new(3, SP));
    rig.kill(3);
    rig.call(2, &[GET.into(), 2, 8]);
    rig.succeeds(2, &[RX_RELEASE.into()]);
    rig.sends(1, &Message::new(1, 2));
    assert_eq!(rig.host.spmc.got.as_ref().unwrap().sender, 3);
}
