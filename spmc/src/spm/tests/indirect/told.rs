//! The framework's notification of a full RX buffer, and what that does to its ownership.

use super::*;
use crate::virtual_interrupts::Interrupt;

/// As [`SPECS`], with notifications.
const NOTIFIED: [Spec; 5] = [
    SPECS[0].notified(),
    SPECS[1].notified(),
    SPECS[2].notified(),
    SPECS[3].notified(),
    SPECS[4],
];

/// All have notifications, the normal world's endpoints too.
pub(super) fn world() -> World {
    let mut w = World::of(Version::V1_2, &NOTIFIED);
    for vm in [0, VM.0] {
        let create = Function::NotificationBitmapCreate.raw32();
        w.call(frame(&[create.into(), vm.into(), 1]));
        w.got(&DONE);
    }
    w
}

impl World {
    /// `who` reads whether its RX is full (w6).
    fn reads(&mut self, who: Who) -> bool {
        self.turn(who);
        let get = Function::NotificationGet.raw32();
        self.call(frame(&[get.into(), who.id().0.into(), 1 << 2]));
        let x = self.result();
        assert_eq!(x[..6], [DONE[0], 0, 0, 0, 0, 0]);
        x[6] == 1
    }

    /// How often the schedule receiver interrupt was raised since.
    pub(super) fn raised(&mut self) -> usize {
        core::mem::take(&mut self.machine.interrupts.schedule_receiver).len()
    }

    /// Whether each context of a partition has the NPI pending.
    fn npi(&self, slot: Slot) -> Vec<bool> {
        let contexts = self.spmc.info(slot).unwrap().contexts;
        (0..contexts)
            .map(|index| {
                let queue = self.spmc.virtuals(slot, index);
                queue.with(|queue| queue.is_pending(Interrupt::NOTIFICATION_PENDING))
            })
            .collect()
    }
}

#[test]
fn each_receiver_is_told_once_and_reads_before_it_releases() {
    let mut w = world();
    for (from, to) in [
        (Sp(A), Sp(B)),
        (Sp(OLD), Sp(C)),
        (Os, Sp(A)),
        (Vm, Sp(OLD)),
        (Sp(A), Os),
        (Sp(C), Vm),
    ] {
        for _ in 0..2 {
            let version = w.version_of(from);
            let head = Head::new(from, to, version, 4);
            assert!(!w.reads(to));
            w.raised();
            w.sends(from, head, &payload(4), 0);
            assert_eq!(w.raised(), 1, "{from:?} {to:?}");
            if let Sp(slot) = to {
                assert!(w.npi(slot).iter().all(|pending| *pending));
            }
            assert_eq!(w.release(to), Err(Denied), "not read yet");
            assert!(w.reads(to));
            assert!(!w.reads(to));
            if let Sp(slot) = to {
                assert!(!w.npi(slot).contains(&true));
            }
            assert_eq!(w.release(to), Ok(()));
            assert_eq!(w.release(to), Err(Denied));
        }
    }
}

#[test]
fn the_scheduler_is_told_who_it_is() {
    let mut w = world();
    for to in [Sp(B), Os, Vm] {
        w.sends(
            Sp(A),
            Head::new(Sp(A), to, Version::V1_2, 4),
            &payload(4),
            0,
        );
    }
    w.turn(Os);
    let info = Function::NotificationInfoGet.raw64();
    w.call(frame(&[info.into()]));
    let x = w.result();
    assert_eq!(x[0] as u32, SUCCESS_64);
    // Three lists of an id each.
    assert_eq!(x[2], 3 << 7);
    assert_eq!(x[3], u64::from(id(B).0) | u64::from(VM.0) << 32);
    w.refused(frame(&[info.into()]), FfaError::NoData);
}

#[test]
fn a_partition_may_let_the_scheduler_wait_until_the_normal_world_has_the_core() {
    let mut w = world();
    w.raised();
    let head = Head::new(Sp(A), Sp(B), Version::V1_2, 4);
    w.sends(Sp(A), head, &payload(4), DELAY);
    assert_eq!(w.raised(), 0);
    w.turn(Os);
    assert_eq!(w.raised(), 1);
    assert!(w.reads(Sp(B)));
    // A refused message tells nobody anything.
    w.refuses_message(Sp(A), head, Busy);
    w.turn(Os);
    assert_eq!(w.raised(), 0);
    assert!(!w.reads(Sp(B)));
}

#[test]
fn who_has_no_notifications_is_told_nothing() {
    let mut w = World::new();
    for to in [Sp(B), Os, Vm] {
        let head = Head::new(Sp(A), to, Version::V1_2, 4);
        w.sends(Sp(A), head, &payload(4), 0);
        w.turn(Os);
        assert_eq!(w.raised(), 0);
        w.refused(
            frame(&[Function::NotificationInfoGet.raw64().into()]),
            FfaError::NoData,
        );
        assert_eq!(w.release(to), Ok(()));
    }
    assert_eq!(w.npi(B), [false; 2]);
}

#[test]
fn a_message_that_comes_while_its_receiver_is_about_to_wait_is_not_lost() {
    let mut w = world();
    let head = Head::new(Vm, Sp(A), Version::V1_2, 4);
    w.nwd_runs(A);
    w.pe = 1;
    w.put(Vm, head, &payload(4));
    w.nwd(World::send2(Vm, 0));
    w.nwd_got(&DONE);
    w.pe = 0;
    // It does not know of it yet.
    w.sp(msg_wait());
    w.nwd_runs(A);
    w.holds(Sp(A), head, &payload(4));
    assert!(w.reads(Sp(A)));
    // Now it does, and gives RX back by waiting.
    w.sp(msg_wait());
    w.nwd_runs(A);
    assert_eq!(w.release(Sp(A)), Err(Denied));
}

#[test]
fn answers_in_rx_are_released_without_any_reading() {
    let mut w = world();
    w.turn(Sp(A));
    w.call(frame(&[Function::PartitionInfoGet.raw32().into()]));
    assert_eq!(w.result()[0], DONE[0]);
    assert_eq!(w.release(Sp(A)), Ok(()));
}

#[test]
fn a_pair_that_goes_takes_the_unread_notification_with_it() {
    let mut w = world();
    for to in [Sp(B), Vm, Os] {
        let head = Head::new(Sp(A), to, Version::V1_2, 4);
        w.sends(Sp(A), head, &payload(4), 0);
        w.unmap(to);
        assert!(!w.reads(to));
        // The hypervisor forwards maps by its own pair.
        w.turn(Os);
        w.map(to);
        w.sends(Sp(A), head, &payload(4), 0);
        assert!(w.reads(to));
        assert_eq!(w.release(to), Ok(()));
    }
}

#[test]
fn who_gives_its_pair_up_is_told_of_nothing() {
    let mut w = world();
    for to in [Sp(A), Sp(B)] {
        let Sp(slot) = to else { unreachable!() };
        let head = Head::new(Os, to, Version::V1_2, 4);
        w.sends(Os, head, &payload(4), 0);
        w.turn(to);
        assert!(w.lines(slot).irq);
        w.unmap(to);
        assert!(w.npi(slot).iter().all(|pending| !pending), "{to:?}");
        assert!(!w.lines(slot).irq, "{to:?}");
        assert!(!w.reads(to));
    }
}
