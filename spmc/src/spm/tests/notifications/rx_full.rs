//! The framework's notification: a message lies in the RX buffer.

use super::*;
use crate::spm::{Next, direct::Sender};
use FfaError::Denied;

fn full(f: &mut Fixture, receiver: EndpointId, delay: bool) {
    let pe = &mut f.pes[f.pe];
    if f.spmc.note_rx_full(receiver, &mut pe.held) {
        f.spmc
            .signal_rx_full(pe, Sender::NormalWorld, receiver, delay, &mut f.machine);
    }
}

fn unread(f: &Fixture, receiver: EndpointId) -> bool {
    crate::locks::run(|held| f.spmc.has_unread_rx_full(receiver, held))
}

#[test]
fn a_partition_reads_it_before_it_gives_the_buffer_back() {
    let mut f = world();
    let own = Fake::memory(A);
    f.nwd_runs(A);
    let map = Function::RxtxMap.raw64();
    f.answers(frame(&[map.into(), own, own + 0x1000, 1]));
    f.call(frame(&[Function::PartitionInfoGet.raw32().into()]));
    full(&mut f, id(A), false);
    assert!(unread(&f, id(A)) && f.lines(A).irq);
    assert_eq!(f.scheduled(), 1);
    let release = frame(&[Function::RxRelease.raw32().into()]);
    f.refused(release, Denied);
    f.finds(get(id(A), 0, PARTITIONS | VMS), Pending::default());
    f.refused(release, Denied);
    f.finds(
        get(id(A), 0, SPM),
        Pending {
            spm: 1,
            ..Pending::default()
        },
    );
    assert!(!unread(&f, id(A)) && !f.lines(A).any());
    f.answers(release);
}

#[test]
fn an_endpoint_of_the_normal_world_is_named_to_its_scheduler() {
    let mut f = world();
    full(&mut f, ONE, true);
    assert_eq!(f.scheduled(), 0);
    assert!(f.pes[0].sri);
    assert_eq!(f.told(), [(ONE, vec![])]);
    f.finds(
        get(ONE, 0, PARTITIONS | SPM),
        Pending {
            spm: 1,
            ..Pending::default()
        },
    );
    assert!(!unread(&f, ONE));
}

#[test]
fn who_has_no_notifications_is_told_nothing() {
    let mut f = world();
    for receiver in [id(C), TWO, EndpointId(0x9000)] {
        full(&mut f, receiver, false);
        assert!(!unread(&f, receiver));
    }
    assert_eq!((f.scheduled(), f.npi()), (0, vec![]));
    assert!(f.told().is_empty());
}

#[test]
fn no_interrupt_tells_of_a_message_whose_buffer_is_gone() {
    for slot in [A, B] {
        let mut f = world();
        f.by(slot, &[bind(OS, id(slot), 0, 1)]);
        let own = Fake::memory(slot);
        f.nwd_runs(slot);
        let map = frame(&[Function::RxtxMap.raw64().into(), own, own + 0x1000, 1]);
        let unmap = frame(&[Function::RxtxUnmap.raw32().into()]);
        f.answers(map);
        full(&mut f, id(slot), false);
        assert!(f.lines(slot).irq && !f.npi().is_empty());
        f.answers(unmap);
        assert!(f.npi().is_empty() && !f.lines(slot).any());
        if slot == B {
            assert_eq!(f.on(1).looks(), Some(Next::NormalWorldResume));
            f.now[1] = Next::NormalWorld;
            assert!(!f.lines(B).any());
            f.on(0);
        }
        // What else is pending is told as before.
        f.answers(map);
        full(&mut f, id(slot), false);
        f.sp(msg_wait());
        f.answers(set(OS, id(slot), 0, 1));
        f.nwd_runs(slot);
        f.answers(unmap);
        assert!(f.lines(slot).irq && !f.npi().is_empty());
    }
}
