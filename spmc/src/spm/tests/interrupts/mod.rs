//! Interrupts: of the normal world, of devices, timers and other contexts; cores that go off and on.

mod delivery;
mod el0;
mod found;
mod hypercalls;
mod left_behind;
mod managed_exit;
mod power;
mod published;
mod shown;
mod timers;

use super::fixture::*;
use crate::context::{InterruptRules, NsAction, Slot};
use ffa_abi::{Version, fid::raw::*};

/// The device of [`A`], of [`B`] and of [`C`] in [`world`].
const OF_A: u32 = 39;
const OF_B: u32 = 34;
const OF_C: u32 = 32;

const ENABLE: u64 = 0xff03;
const GET: u64 = 0xff04;
const DEACTIVATE: u64 = 0xff08;
const RECONFIGURE: u64 = 0xff09;
const SEND: u64 = 0xff0a;
const NONE: u64 = 0xffff_ffff;
const FAILED: u64 = u64::MAX;

const fn signalled() -> InterruptRules {
    InterruptRules {
        ns_action: NsAction::Signalled,
        managed_exit_virq: false,
        other_s_queued: false,
        sri_waiting: false,
        sri_leaving: false,
    }
}

/// A and C with one context, B with one on each of two cores, each with a device whose interrupt is
/// enabled.
fn world_of(rules: [InterruptRules; 3]) -> Fixture {
    let [a, b, c] = rules;
    let specs = [
        Spec::up(Version::V1_2).devices([OF_A, 0]).rules(a),
        Spec::mp(Version::V1_2)
            .devices([OF_B, 0])
            .rules(b)
            .on_power_off(),
        Spec::up(Version::V1_3).devices([OF_C, 0]).rules(c),
    ];
    let mut f = Fixture::booted(&specs);
    for (slot, device) in [(A, OF_A), (B, OF_B), (C, OF_C)] {
        for pe in 0..if slot == B { 2 } else { 1 } {
            f.on(pe).nwd_runs(slot);
            assert_eq!(f.hypercall(&[ENABLE, device.into(), 1, 0]), 0);
            f.sp(msg_wait());
        }
    }
    f.on(0);
    f
}

fn world() -> Fixture {
    world_of([signalled(); 3])
}

/// Who runs takes its interrupt, and there is no other.
#[track_caller]
fn gets(f: &mut Fixture, intid: u32) {
    assert_eq!(f.hypercall(&[GET]), intid.into());
    assert_eq!(f.hypercall(&[GET]), NONE);
}

/// Whether the interrupt of a device may come again.
fn may_come_again(f: &mut Fixture, intid: u32) -> bool {
    let all = std::mem::take(&mut f.machine.interrupts.deactivated);
    all.iter().any(|(id, _)| *id == intid)
}

/// `slot` is told with `FFA_INTERRUPT` that its callee was preempted.
#[track_caller]
fn told_of_preemption(f: &mut Fixture, slot: Slot, callee: Slot, context: u16) {
    f.sp_got(slot, &[INTERRUPT.into(), target(callee, context)]);
}
