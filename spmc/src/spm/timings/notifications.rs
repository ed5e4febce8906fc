//! A notification that is set on one core while its receiver reads, or begins to wait, on another.

use super::*;
use crate::virtual_interrupts::Interrupt;
use ffa_abi::id::Endpoints;

/// The OS sends to the partition.
const IDS: Endpoints = Endpoints {
    sender: EndpointId::HYPERVISOR,
    receiver: EndpointId(0x8001),
};

/// The normal world on `pe` makes a call.
fn by_normal_world(spmc: &Core, pe: &mut PeState, chip: &mut Chip, args: &[u64]) -> Next {
    pe.nwd.0 = [0; 18];
    pe.nwd.0[..args.len()].copy_from_slice(args);
    spmc.handle_normal_world(pe, chip).next
}

/// The partition runs on the first core and has bound notification 0 of the OS.
fn running() -> (Arc<Core>, [PeState; 2], Chip) {
    let (spmc, [mut first, mut second], mut chip, left) = waiting();
    spmc.saved(&mut first, left);
    let version = [Function::Version.raw32().into(), Version::V1_2.raw().into()];
    assert_eq!(
        by_normal_world(&spmc, &mut second, &mut chip, &version),
        Next::NormalWorld
    );
    runs(&spmc, &mut first, &mut chip);
    let bind = Function::NotificationBind.raw32().into();
    let done = call(&spmc, &mut first, &mut chip, &[bind, IDS.register(), 0, 1]);
    assert_eq!(done.next, Next::Partition(A));
    assert_eq!(x(&mut first)[0], raw::SUCCESS_32.into());
    (spmc, [first, second], chip)
}

fn x(pe: &mut PeState) -> [u64; 31] {
    pe.context(A).expect("it is here").machine.0
}

/// The normal world runs the partition, which waits.
fn runs(spmc: &Core, pe: &mut PeState, chip: &mut Chip) {
    let run = [raw::RUN.into(), 0x8001_0000];
    assert_eq!(by_normal_world(spmc, pe, chip, &run), Next::Partition(A));
}

/// The OS sets it on this core.
fn sets(spmc: &Core, pe: &mut PeState, chip: &mut Chip) {
    let set = [raw::NOTIFICATION_SET.into(), IDS.register(), 0, 1];
    assert_eq!(by_normal_world(spmc, pe, chip, &set), Next::NormalWorld);
    assert_eq!(pe.nwd[0], raw::SUCCESS_32.into());
}

/// What the partition reads on this core.
fn reads(spmc: &Core, pe: &mut PeState, chip: &mut Chip) -> u64 {
    let get = Function::NotificationGet.raw32().into();
    let done = call(spmc, pe, chip, &[get, IDS.receiver.0.into(), 2]);
    assert_eq!(done.next, Next::Partition(A));
    let x = x(pe);
    assert_eq!(x[0], raw::SUCCESS_32.into());
    x[4]
}

#[test]
fn one_that_is_set_while_its_receiver_reads_is_read_once_and_its_interrupt_tells_of_it() {
    model(|| {
        let (spmc, [mut first, mut second], mut chip) = running();
        let other = {
            let (spmc, mut chip) = (spmc.clone(), chip.clone());
            on_core(move || sets(&spmc, &mut second, &mut chip))
        };
        let early = reads(&spmc, &mut first, &mut chip);
        other.join().expect("it sets it");
        while chip.kicked(0) {
            looks(&spmc, &mut first, &mut chip, true);
        }
        let irq = |pe: &mut PeState| pe.context(A).is_some_and(|context| context.lines().irq);
        assert_eq!(irq(&mut first), early == 0);
        assert_eq!(early + reads(&spmc, &mut first, &mut chip), 1);
        assert!(!irq(&mut first));
        let pending = spmc
            .virtuals(A, 0)
            .with(|queue| queue.is_pending(Interrupt::NOTIFICATION_PENDING));
        assert!(!pending);
    });
}

#[test]
fn one_that_is_set_while_its_receiver_begins_to_wait_is_found_when_it_runs() {
    model(|| {
        let (spmc, [mut first, mut second], mut chip) = running();
        let done = call(
            &spmc,
            &mut first,
            &mut chip,
            &[Function::MsgWait.raw32().into()],
        );
        assert_eq!(done.next, Next::NormalWorld);
        let other = {
            let (spmc, mut chip) = (spmc.clone(), chip.clone());
            on_core(move || {
                sets(&spmc, &mut second, &mut chip);
                second
            })
        };
        spmc.saved(&mut first, done.left.expect("it has left"));
        let mut second = other.join().expect("it sets it");
        for (core, pe) in [(0, &mut first), (1, &mut second)] {
            while chip.kicked(core) {
                assert!(!looks(&spmc, pe, &mut chip, false), "nobody is woken");
            }
        }
        runs(&spmc, &mut second, &mut chip);
        assert!(second.context(A).is_some_and(|context| context.lines().irq));
        assert_eq!(reads(&spmc, &mut second, &mut chip), 1);
    });
}
