//! What was found by reading the code.

use super::*;
use crate::{
    context::AbortAction,
    spm::{Next, TimerRegister},
};
use ffa_abi::Function;

/// A device's interrupt that another core takes while a partition is loaded anew.
#[test]
fn taken_while_its_partition_is_loaded_anew() {
    let specs = [
        Spec::up(Version::V1_3)
            .devices([OF_A, 0])
            .on_abort(AbortAction::Restart),
        Spec::up(Version::V1_2),
    ];
    let mut f = Fixture::booted(&specs);
    f.nwd_runs(A);
    assert_eq!(f.hypercall(&[ENABLE, OF_A.into(), 1, 0]), 0);
    let pe = &mut f.pes[0];
    let x = &mut pe.context(A).unwrap().machine.x;
    x[..8].fill(0);
    x[0] = Function::Abort.raw64().into();
    let outcome = f.spmc.handle_partition(pe, A, &mut f.machine);
    assert_eq!(outcome.next, Next::Reload(A));
    // Acknowledged before it was switched off.
    f.on(1).take(&[Taken::Device(OF_A)]);
    let outcome = f.spmc.reloaded(&mut f.pes[0], A, true, &mut f.machine);
    assert_eq!(outcome.next, Next::Partition(A));
    f.now[0] = Next::Partition(A);
    f.on(0).apply_mask();
    assert_eq!(f.hypercall(&[ENABLE, OF_A.into(), 1, 0]), 0);
    let pending = f.hypercall(&[GET]);
    assert_eq!(f.hypercall(&[DEACTIVATE, OF_A.into(), OF_A.into()]), 0);
    assert!(
        may_come_again(&mut f, OF_A),
        "still active in the machine; GET gave {pending:#x}"
    );
}

/// The schedule receiver interrupt is not forgotten.
#[test]
fn sri_after_a_timer_access() {
    let mut waiting = signalled();
    waiting.sri_waiting = true;
    let mut f = world_of([signalled(), signalled(), waiting]);
    f.nwd_requests(A, DIRECT_REQ2);
    assert_eq!(f.take(&[Taken::Device(OF_C)]), Next::Partition(A));
    // What the image does on `msr CNTP_CTL_EL0, xzr`.
    f.spmc
        .write_timer(&mut f.pes[0], A, TimerRegister::Control, 0, &mut f.machine);
    f.responds_to_nwd(DIRECT_RESP2);
    assert_eq!(f.machine.interrupts.schedule_receiver, [0]);
}

#[test]
fn sri_after_a_hypercall() {
    let mut waiting = signalled();
    waiting.sri_waiting = true;
    let mut f = world_of([signalled(), signalled(), waiting]);
    f.nwd_requests(A, DIRECT_REQ2);
    assert_eq!(f.take(&[Taken::Device(OF_C)]), Next::Partition(A));
    assert_eq!(f.hypercall(&[GET]), NONE);
    f.responds_to_nwd(DIRECT_RESP2);
    assert_eq!(f.machine.interrupts.schedule_receiver, [0]);
}

/// A private interrupt of two cores, of a partition with a single context.
#[test]
fn private_ones_of_two_cores() {
    const PRIVATE: u32 = 23;
    let specs = [Spec::up(Version::V1_2).devices([PRIVATE, 0])];
    let mut f = Fixture::booted(&specs);
    for pe in 0..2 {
        f.on(pe).nwd_runs(A);
        assert_eq!(f.hypercall(&[ENABLE, PRIVATE.into(), 1, 0]), 0);
        f.sp(msg_wait());
    }
    assert_eq!(f.on(0).take(&[Taken::Device(PRIVATE)]), Next::Partition(A));
    assert_eq!(
        f.on(1).take(&[Taken::Device(PRIVATE)]),
        Next::NormalWorldResume
    );
    f.on(0);
    gets(&mut f, PRIVATE);
    f.sp(msg_wait());
    f.looks();
    f.on(1).looks();
    let all = &f.machine.interrupts.deactivated;
    assert!(
        all.contains(&(PRIVATE, 0)) && all.contains(&(PRIVATE, 1)),
        "{all:?}"
    );
}

/// What a partition made of its interrupt is not what the next life finds.
#[test]
fn the_next_life_has_its_interrupt_as_the_manifest_says() {
    let specs = [Spec::up(Version::V1_3)
        .devices([OF_A, 0])
        .on_abort(AbortAction::Restart)];
    let mut f = Fixture::booted(&specs);
    f.on(1).nwd_runs(A);
    assert_eq!(f.hypercall(&[RECONFIGURE, OF_A.into(), 0, 1]), 0);
    assert_eq!(f.hypercall(&[RECONFIGURE, OF_A.into(), 1, 0]), 0);
    f.sp(frame(&[Function::Abort.raw64().into(), 0, 0]));
    f.sp(msg_wait());
    let all = &f.machine.interrupts;
    assert_eq!(
        all.secured.last(),
        Some(&(OF_A, true)),
        "{:?} {:?}",
        all.secured,
        all.routed
    );
}

/// A core goes off to which the interrupt of a partition is routed that other cores serve.
#[test]
fn interrupts_of_a_core_that_goes_off() {
    let mut f = world();
    f.on(1).nwd_runs(A);
    assert_eq!(f.hypercall(&[RECONFIGURE, OF_A.into(), 0, 1]), 0);
    f.sp(msg_wait());
    f.nwd(core_off());
    f.sp(super::timers::power_response(B, 0));
    assert_eq!(f.machine.interrupts.routed.last(), Some(&(OF_A, 0)));
}
