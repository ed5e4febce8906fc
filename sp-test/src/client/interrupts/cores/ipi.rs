//! Interrupts from one context of a partition to another, in each state of the other.

use super::{Core, FAR, LONG, REQUEST};
use crate::client::interrupts::{Check, Suite, WORD, answer_of, gic};
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{INTERRUPT_SEND_IPI, IPI, SIGNALLED, SINGLE};

const GOT: Event = Event::Got(IPI as u64);

/// The chapter.
pub fn run(suite: &mut Suite) {
    suite.far_case("smp/ipi/waiting", waiting);
    suite.far_case("smp/ipi/running", running);
    suite.far_case("smp/ipi/blocked", blocked);
    suite.far_case("smp/ipi/yielded", yielded);
    suite.far_case("smp/ipi/preempted", preempted);
    suite.far_case("smp/ipi/many", many);
    suite.case("smp/ipi/off", off);
}

/// The boot core's context sends one.
fn send(suite: &Suite) -> Check {
    suite.page(SIGNALLED).forget();
    let call = [INTERRUPT_SEND_IPI as u16, 0];
    suite.request(SIGNALLED, &[Op::Hypercall(call, FAR, 0)]);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Answer(0)])
}

fn waiting(suite: &Suite, core: &Core) -> Check {
    core.begin_watch(3000);
    send(suite)?;
    suite.until(SIGNALLED, FAR, 2)?;
    core.end_watch()?;
    suite.saw_in(SIGNALLED, FAR, &[Event::Interrupt(0, IPI.into()), GOT])
}

fn running(suite: &Suite, core: &Core) -> Check {
    suite.spins_far(core, SIGNALLED, &[Op::Spin(LONG)], 1)?;
    send(suite)?;
    suite.until(SIGNALLED, FAR, 3)?;
    suite.page_of(SIGNALLED, FAR).go(true);
    suite.answered(&core.end()?, SIGNALLED)?;
    suite.saw_in(SIGNALLED, FAR, &[REQUEST, Event::Irq, GOT, Event::Went])
}

fn blocked(suite: &Suite, core: &Core) -> Check {
    suite.request(SINGLE, &[Op::Spin(LONG), Op::Mark(1)]);
    suite.request_on(
        SIGNALLED,
        FAR,
        &[Op::Call(SINGLE.id, WORD), Op::Run(SINGLE.id, 0)],
    );
    core.begin(&suite.message(SIGNALLED));
    suite.until(SINGLE, FAR, 1)?;
    send(suite)?;
    suite.until(SIGNALLED, FAR, 4)?;
    suite.page(SINGLE).go(true);
    suite.answered(&core.end()?, SIGNALLED)?;
    suite.saw_in(
        SIGNALLED,
        FAR,
        &[
            REQUEST,
            Event::Irq,
            GOT,
            Event::Interrupt(u64::from(SINGLE.id) << 16, 0),
            Event::Response(answer_of(SINGLE, WORD)),
        ],
    )?;
    suite.saw(SINGLE, &[REQUEST, Event::Went, Event::Mark(1)])
}

/// Runs the context that is on the other core.
fn run_there(suite: &Suite, core: &Core) -> Check {
    let target = u64::from(SIGNALLED.id) << 16 | FAR;
    let run = crate::client::registers(crate::abi::RUN, &[target]);
    suite.answered(&core.call(&run)?, SIGNALLED)
}

fn yielded(suite: &Suite, core: &Core) -> Check {
    suite.request_on(SIGNALLED, FAR, &[Op::Yield]);
    suite.yields(&core.call(&suite.message(SIGNALLED))?)?;
    send(suite)?;
    suite.saw_in(SIGNALLED, FAR, &[REQUEST])?;
    run_there(suite, core)?;
    suite.saw_in(
        SIGNALLED,
        FAR,
        &[REQUEST, Event::Irq, GOT, Event::Success(0)],
    )
}

fn preempted(suite: &Suite, core: &Core) -> Check {
    suite.spins_far(core, SIGNALLED, &[Op::Mark(1), Op::Spin(LONG)], 2)?;
    gic::send(FAR);
    suite.interrupted_in(&core.end()?, SIGNALLED, FAR)?;
    core.taken(&[gic::SGI])?;
    send(suite)?;
    suite.saw_in(SIGNALLED, FAR, &[REQUEST, Event::Mark(1)])?;
    suite.page_of(SIGNALLED, FAR).go(true);
    run_there(suite, core)?;
    suite.saw_in(
        SIGNALLED,
        FAR,
        &[REQUEST, Event::Mark(1), Event::Irq, GOT, Event::Went],
    )
}

/// While it has not taken one, further ones are the same.
fn many(suite: &Suite, core: &Core) -> Check {
    suite.spins_far(core, SIGNALLED, &[Op::Mask, Op::Spin(LONG), Op::Unmask], 1)?;
    for _ in 0..5 {
        send(suite)?;
    }
    suite.page_of(SIGNALLED, FAR).go(true);
    suite.answered(&core.end()?, SIGNALLED)?;
    suite.saw_in(SIGNALLED, FAR, &[REQUEST, Event::Went, Event::Irq, GOT])
}

/// It is there when the core comes on.
fn off(suite: &Suite) -> Check {
    send(suite)?;
    let core = Core::start(FAR)?;
    suite.answered(&core.call(&suite.message(SIGNALLED))?, SIGNALLED)?;
    core.stop()?;
    let page = suite.page_of(SIGNALLED, FAR);
    let got = (0..page.logged() as usize)
        .filter_map(|number| page.entry(number))
        .filter(|(event, _)| *event == GOT)
        .count();
    crate::client::report::equal("times that it came", got as u64, 1)
}
