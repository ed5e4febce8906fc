//! The client that is a VM behind the proxy: secure interrupts while it runs, and its own while partitions work for
//! it.

use super::{Check, Failure, Suite, WORD, answer_of, equal, exits};
use crate::expect::Mismatch;
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{
    ALONE, EXIT_FIQ, EXIT_IRQ, MANAGED_EXIT, QUEUED, SIGNALLED, SINGLE, SRI_WAITING, TIMER, Who,
};
use crate::rt::{call::Conduit, entry::Boot, gic, interrupt, spin};

const REQUEST: Event = Event::Request(WORD);
const GOT: Event = Event::Got(TIMER as u64);
const WOKEN: Event = Event::Interrupt(0, TIMER as u64);
/// The SGI that the VM sends to itself.
const SGI: u32 = 2;
/// Microseconds until a timer fires.
const SOON: u64 = 1000;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut suite = Suite::start("client-interrupts-vm", boot);
    gic::open();
    for (name, case) in [
        ("vm/secure/vm_runs", vm_runs as fn(&Suite) -> Check),
        ("vm/secure/vm_runs/single_context", vm_runs_single),
        ("vm/secure/vm_waits_for_an_interrupt", vm_waits),
        ("vm/secure/partition_works_for_vm", partition_works),
        ("vm/secure/blocked_callee_works", blocked),
        ("vm/secure/many_times", many),
        ("vm/ns/signalled", signalled),
        ("vm/ns/signalled/chain", chain),
        ("vm/ns/queued", queued),
        ("vm/ns/alone", |suite| kept(suite, ALONE)),
        ("vm/ns/managed_exit/vfiq", |suite| exit(suite, EXIT_FIQ)),
        ("vm/ns/managed_exit/virq", |suite| exit(suite, EXIT_IRQ)),
        ("vm/ns/preempted_then_secure", preempted_then_secure),
        ("vm/controller/pending_interrupt_stays_pending", controller),
        ("vm/sri/runs_whom_it_is_asked_to", sri),
    ] {
        suite.case(name, case);
    }
    suite.client.end()
}

/// All registers stay.
fn watched(us: u64) -> Check {
    keeps(spin::watched(super::ticks(us)))
}

fn keeps(result: Result<(), Mismatch>) -> Check {
    result.map_err(|mismatch| Failure::Partition {
        conduit: Conduit::Smc,
        mismatch,
    })
}

/// Has a partition set its timer.
fn arms(suite: &Suite, who: Who) -> Check {
    suite.request(who, &[Op::Arm(SOON, true)]);
    suite.answered(&suite.send(who), who)
}

fn runs(suite: &Suite, who: Who) -> Check {
    arms(suite, who)?;
    watched(3 * SOON)?;
    suite.saw(who, &[REQUEST, WOKEN, GOT])
}

fn vm_runs(suite: &Suite) -> Check {
    runs(suite, SIGNALLED)
}

fn vm_runs_single(suite: &Suite) -> Check {
    runs(suite, SINGLE)
}

/// Its own timer comes behind the partition's.
fn vm_waits(suite: &Suite) -> Check {
    arms(suite, SINGLE)?;
    gic::arm(super::ticks(3 * SOON));
    while gic::highest_pending() != gic::VIRTUAL_TIMER {
        keeps(spin::watched_wait())?;
    }
    take(gic::VIRTUAL_TIMER)?;
    suite.saw(SINGLE, &[REQUEST, WOKEN, GOT])
}

/// Takes exactly this interrupt of the VM's.
fn take(id: u32) -> Check {
    let taken = gic::acknowledge();
    if taken == gic::VIRTUAL_TIMER {
        gic::disarm();
    }
    if taken < gic::SPECIAL {
        gic::end(taken);
    }
    equal("interrupt of the VM", taken.into(), id.into())
}

fn partition_works(suite: &Suite) -> Check {
    arms(suite, SINGLE)?;
    suite.request(SIGNALLED, &[Op::Watch(3 * SOON), Op::Mark(1)]);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(SINGLE, &[REQUEST, WOKEN, GOT])?;
    suite.order(&[(SINGLE, GOT), (SIGNALLED, Event::Mark(1))])
}

fn blocked(suite: &Suite) -> Check {
    suite.request(
        SINGLE,
        &[
            Op::Arm(SOON, true),
            Op::Call(SIGNALLED.id, WORD),
            Op::Run(SIGNALLED.id, 0),
        ],
    );
    suite.request(SIGNALLED, &[Op::Watch(3 * SOON)]);
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Irq,
            GOT,
            super::normal::preempted(SIGNALLED),
            Event::Response(answer_of(SIGNALLED, WORD)),
        ],
    )
}

fn many(suite: &Suite) -> Check {
    use crate::interrupts::page::mode;
    let page = suite.page(SINGLE);
    page.set_mode(2000 << mode::AGAIN_SHIFT);
    arms(suite, SINGLE)?;
    for _ in 0..20 {
        watched(2000)?;
        suite.others()?;
    }
    page.set_mode(0);
    watched(4000)?;
    equal("times that it came, at least", page.counted().min(10), 10)
}

/// Has a partition spin until the VM's timer meets it.
fn met(suite: &Suite, who: Who, ops: &[Op]) -> crate::expect::Exchange {
    suite.request(who, ops);
    interrupt::arm(super::ticks(SOON));
    suite.send(who)
}

fn signalled(suite: &Suite) -> Check {
    let ops = [Op::Mark(1), Op::Watch(3 * SOON), Op::Mark(2)];
    suite.interrupted(&met(suite, SIGNALLED, &ops), SIGNALLED)?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Mark(1)])?;
    take(gic::VIRTUAL_TIMER)?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Mark(1), Event::Mark(2)])
}

fn chain(suite: &Suite) -> Check {
    suite.request(SINGLE, &[Op::Mark(1), Op::Watch(3 * SOON), Op::Mark(2)]);
    let ops = [Op::Call(SINGLE.id, WORD), Op::Run(SINGLE.id, 0)];
    suite.interrupted(&met(suite, SIGNALLED, &ops), SIGNALLED)?;
    take(gic::VIRTUAL_TIMER)?;
    suite.answered(&suite.run(SIGNALLED), SIGNALLED)?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1), Event::Mark(2)])
}

fn queued(suite: &Suite) -> Check {
    kept(suite, QUEUED)
}

/// It is not disturbed.
fn kept(suite: &Suite, who: Who) -> Check {
    let ops = [Op::Mark(1), Op::Watch(3 * SOON), Op::Mark(2)];
    suite.answered(&met(suite, who, &ops), who)?;
    suite.saw(who, &[REQUEST, Event::Mark(1), Event::Mark(2)])?;
    take(gic::VIRTUAL_TIMER)
}

fn exit(suite: &Suite, who: Who) -> Check {
    let ops = [Op::Mark(1), Op::Spin(20), Op::Mark(2)];
    suite.answered(&met(suite, who, &ops), who)?;
    suite.saw(
        who,
        &[
            REQUEST,
            Event::Mark(1),
            exits::vector(who),
            Event::Got(MANAGED_EXIT.into()),
            Event::ExitAsked,
            Event::Mark(2),
        ],
    )?;
    take(gic::VIRTUAL_TIMER)
}

/// Its timer fires while it is preempted for the VM: it finds it when it runs again.
fn preempted_then_secure(suite: &Suite) -> Check {
    let ops = [
        Op::Arm(2 * SOON, true),
        Op::Mark(1),
        Op::Watch(4 * SOON),
        Op::Mark(2),
    ];
    suite.interrupted(&met(suite, SINGLE, &ops), SINGLE)?;
    take(gic::VIRTUAL_TIMER)?;
    watched(3 * SOON)?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1)])?;
    suite.answered(&suite.run(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[REQUEST, Event::Mark(1), Event::Irq, GOT, Event::Mark(2)],
    )
}

/// The partition touches all registers of the controller while one of the VM's interrupts is pending.
fn controller(suite: &Suite) -> Check {
    gic::send(SGI, 1);
    super::controller::hammers(suite)?;
    take(SGI)
}

/// Nobody tells a VM; but it may run any partition.
/// The schedule receiver interrupt.
const SCHEDULE_RECEIVER: u32 = 8;

fn sri(suite: &Suite) -> Check {
    arms(suite, SRI_WAITING)?;
    watched(3 * SOON)?;
    suite.saw(SRI_WAITING, &[REQUEST])?;
    // The VM is asked by an interrupt of its own, which would take the core from whom it runs.
    if gic::highest_pending() == SCHEDULE_RECEIVER {
        gic::end(gic::acknowledge());
    }
    suite.waits(&suite.run(SRI_WAITING))?;
    suite.saw(SRI_WAITING, &[REQUEST, Event::Run, Event::Irq, GOT])
}
