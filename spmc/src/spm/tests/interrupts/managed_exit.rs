//! Interrupts of the normal world while a partition runs, by its action.

use super::*;
use crate::spm::{Mask, Next};

fn managed(virq: bool) -> InterruptRules {
    InterruptRules {
        ns_action: NsAction::ManagedExit,
        managed_exit_virq: virq,
        ..signalled()
    }
}

const MANAGED_EXIT: u32 = 4;

#[test]
fn it_is_asked_by_a_virtual_interrupt_and_ends_with_its_answer_or_wait() {
    for virq in [false, true] {
        for takes in [false, true] {
            for general in [false, true] {
                let mut f = world_of([managed(virq), signalled(), signalled()]);
                f.general = general;
                f.nwd_requests(A, DIRECT_REQ2);
                let own = f.view(A).gp.x;
                assert_eq!(f.preempt(), Next::Partition(A));
                f.sp_got_all(A, &own);
                let lines = f.lines(A);
                assert_eq!((lines.irq, lines.fiq), (virq, !virq));
                assert_eq!(f.masks[0], Mask::Secure, "it is not asked twice");
                if takes {
                    gets(&mut f, MANAGED_EXIT);
                    assert_eq!(f.masks[0], Mask::Secure);
                }
                f.responds_to_nwd(DIRECT_RESP2);
                assert_eq!(f.masks[0], Mask::Open);
                assert!(!f.lines(A).any());
                // The next time anew.
                f.nwd_runs(A);
                assert_eq!(f.masks[0], Mask::Open);
                assert_eq!(f.preempt(), Next::Partition(A));
                assert!(f.lines(A).any());
                assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
                f.nwd_got(&[MSG_WAIT.into()]);
                assert!(!f.lines(A).any());
            }
        }
    }
}

#[test]
fn secure_interrupts_are_taken_meanwhile() {
    let mut f = world_of([managed(false), signalled(), signalled()]);
    f.nwd_requests(A, DIRECT_REQ2);
    f.preempt();
    assert_eq!(f.take(&[Taken::Device(OF_C)]), Next::Partition(C));
    gets(&mut f, OF_C);
    assert_eq!(f.sp(msg_wait()), Next::Partition(A));
    assert_eq!(f.masks[0], Mask::Secure);
    assert!(f.lines(A).fiq);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn each_of_a_chain_is_treated_as_it_asks() {
    let mut f = world_of([managed(false), signalled(), signalled()]);
    f.nwd_requests(A, DIRECT_REQ2);
    f.sp_requests(B, DIRECT_REQ2);
    // The callee is preempted, its caller is asked.
    assert_eq!(f.preempt(), Next::Partition(A));
    told_of_preemption(&mut f, A, B, 0);
    assert_eq!(f.masks[0], Mask::Open);
    assert_eq!(f.preempt(), Next::Partition(A));
    assert!(f.lines(A).fiq);
    assert_eq!(f.masks[0], Mask::Secure);
    gets(&mut f, MANAGED_EXIT);
    // Whom it calls has the same mask.
    assert_eq!(f.sp(run(B, 0)), Next::Partition(B));
    assert_eq!(f.masks[0], Mask::Secure);
    f.responds_to(A, DIRECT_RESP2);
    f.responds_to_nwd(DIRECT_RESP2);
    assert_eq!(f.masks[0], Mask::Open);
}

#[test]
fn one_that_yields_has_made_room() {
    let mut f = world_of([managed(true), signalled(), signalled()]);
    f.nwd_requests(A, DIRECT_REQ2);
    f.preempt();
    assert_eq!(f.sp(yields(0)), Next::NormalWorld);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    assert!(!f.lines(A).any());
    assert_eq!(f.masks[0], Mask::Open);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn one_that_fails_has_made_room() {
    let mut f = world_of([managed(true), signalled(), signalled()]);
    f.nwd_requests(A, DIRECT_REQ2);
    f.preempt();
    assert_eq!(f.abort(), Next::NormalWorld);
    assert_eq!(f.masks[0], Mask::Open);
}

#[test]
fn a_group_0_interrupt_is_el3s() {
    let mut f = world();
    f.nwd_requests(A, DIRECT_REQ2);
    let before = f.snapshot();
    let outcome = f.spmc.group0(A, &mut f.machine);
    assert_eq!((outcome.next, outcome.left), (Next::Partition(A), None));
    let [call] = &f.machine.el3_calls[..] else {
        panic!("one call")
    };
    assert_eq!(call.0, {
        let mut regs = [0; 18];
        regs[0] = 0x8400_008c;
        regs
    });
    f.snapshot().is(&before);
}
