//! A secure interrupt on one core for a partition that is on another, in each state there; and what else is refused
//! of one that is elsewhere.

use super::{Core, FAR, LONG, REQUEST};
use crate::abi::{self, ABORTED, BUSY, DENIED};
use crate::board::{CORES, Line};
use crate::client::interrupts::{Check, Suite, WORD, answer_of, gic, normal, ticks};
use crate::client::report::Seen;
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{INTERRUPT_RECONFIGURE, PMU, QUEUED, SIGNALLED, SINGLE, TIMER};
use crate::rt::spin;

const SECURE: u64 = Line::Secure.intid() as u64;
const SHARED: u64 = Line::Shared.intid() as u64;
const GOT: Event = Event::Got(SECURE);
const WOKEN: Event = Event::Interrupt(0, SECURE);

/// The chapter.
pub fn run(suite: &mut Suite) {
    suite.far_case("smp/secure/running", running);
    suite.far_case("smp/secure/waiting/last_on_the_other_core", waiting);
    suite.far_case("smp/secure/blocked/in_a_chain_there", blocked);
    suite.far_case("smp/secure/yielded", yielded);
    suite.far_case("smp/secure/preempted", preempted);
    suite.far_case("smp/secure/handles_another_interrupt", handles);
    suite.far_case("smp/secure/spi_routed_there/waiting", routed_waiting);
    suite.far_case("smp/secure/spi_routed_there/running", routed_running);
    suite.case("smp/secure/ppi_on_each_core", each_ppi);
    suite.far_case("smp/run/running_elsewhere", run_running);
    suite.far_case("smp/run/blocked_elsewhere", run_blocked);
}

/// The line is raised in the partition that runs there.
fn running(suite: &Suite, core: &Core) -> Check {
    suite.spins_far(core, SINGLE, &[Op::Mark(1), Op::Spin(LONG)], 2)?;
    suite.raise_secure()?;
    suite.until(SINGLE, FAR, 4)?;
    suite.page(SINGLE).go(true);
    suite.answered(&core.end()?, SINGLE)?;
    suite.saw(
        SINGLE,
        &[REQUEST, Event::Mark(1), Event::Irq, GOT, Event::Went],
    )
}

/// It runs where the interrupt is.
fn waiting(suite: &Suite, core: &Core) -> Check {
    suite.answered(&core.call(&suite.message(SINGLE))?, SINGLE)?;
    core.begin_watch(1000);
    suite.raise_secure()?;
    suite.until(SINGLE, FAR, 3)?;
    core.end_watch()?;
    suite.saw(SINGLE, &[REQUEST, WOKEN, GOT])
}

/// Its callee is preempted there.
fn blocked(suite: &Suite, core: &Core) -> Check {
    suite.request_on(SIGNALLED, FAR, &[Op::Mark(1), Op::Spin(LONG)]);
    suite.request(
        SINGLE,
        &[
            Op::Call(SIGNALLED.id, WORD),
            Op::Mark(3),
            Op::Run(SIGNALLED.id, FAR as u16),
        ],
    );
    core.begin(&suite.message(SINGLE));
    suite.until(SIGNALLED, FAR, 2)?;
    suite.raise_secure()?;
    suite.until(SINGLE, FAR, 5)?;
    suite.page_of(SIGNALLED, FAR).go(true);
    suite.answered(&core.end()?, SINGLE)?;
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Irq,
            GOT,
            Event::Interrupt(u64::from(SIGNALLED.id) << 16 | FAR, 0),
            Event::Mark(3),
            Event::Response(answer_of(SIGNALLED, WORD)),
        ],
    )?;
    suite.saw_in(SIGNALLED, FAR, &[REQUEST, Event::Mark(1), Event::Went])
}

fn yielded(suite: &Suite, core: &Core) -> Check {
    suite.request(SINGLE, &[Op::Yield, Op::Mark(1)]);
    suite.yields(&core.call(&suite.message(SINGLE))?)?;
    suite.raise_secure()?;
    let _ = spin::watched(ticks(200));
    suite.saw(SINGLE, &[REQUEST])?;
    suite.answered(&suite.run(SINGLE), SINGLE)?;
    suite.saw(
        SINGLE,
        &[REQUEST, Event::Irq, GOT, Event::Success(0), Event::Mark(1)],
    )
}

fn preempted(suite: &Suite, core: &Core) -> Check {
    suite.request(SINGLE, &normal::MEETS);
    // The line of the normal world goes to the boot core: it meets the partition there only by an SGI.
    suite.request(SINGLE, &[Op::Mark(1), Op::Spin(LONG)]);
    core.begin(&suite.message(SINGLE));
    suite.until(SINGLE, FAR, 2)?;
    gic::send(FAR);
    suite.interrupted(&core.end()?, SINGLE)?;
    core.taken(&[gic::SGI])?;
    suite.raise_secure()?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1)])?;
    suite.page(SINGLE).go(true);
    let run = crate::client::registers(abi::RUN, &[u64::from(SINGLE.id) << 16]);
    suite.answered(&core.call(&run)?, SINGLE)?;
    suite.saw(
        SINGLE,
        &[REQUEST, Event::Mark(1), Event::Irq, GOT, Event::Went],
    )
}

/// It has been woken there by its timer, and its device comes here.
fn handles(suite: &Suite, core: &Core) -> Check {
    suite.when_interrupted(SINGLE, &[Op::Once, Op::Mark(2), Op::Spin(LONG)]);
    suite.request(SINGLE, &[Op::Arm(2000, true)]);
    suite.answered(&core.call(&suite.message(SINGLE))?, SINGLE)?;
    core.begin_watch(10_000);
    suite.until(SINGLE, FAR, 4)?;
    suite.raise_secure()?;
    suite.until(SINGLE, FAR, 6)?;
    suite.page(SINGLE).go(true);
    core.end_watch()?;
    let timer = TIMER.into();
    suite.saw(
        SINGLE,
        &[
            REQUEST,
            Event::Interrupt(0, timer),
            Event::Got(timer),
            Event::Mark(2),
            Event::Irq,
            GOT,
            Event::Went,
        ],
    )
}

/// Has the partition route its line to a core.
fn route(suite: &Suite, core: u64) -> Check {
    suite.page(SIGNALLED).forget();
    let call = [INTERRUPT_RECONFIGURE as u16, core as u16];
    suite.request(SIGNALLED, &[Op::Hypercall(call, SHARED, 0)]);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Answer(0)])?;
    suite.page(SIGNALLED).forget();
    Ok(())
}

fn routed_waiting(suite: &Suite, core: &Core) -> Check {
    route(suite, FAR)?;
    core.begin_watch(3000);
    gic::SHARED.raise();
    suite.until(SIGNALLED, FAR, 2)?;
    core.end_watch()?;
    suite.saw_in(
        SIGNALLED,
        FAR,
        &[Event::Interrupt(0, SHARED), Event::Got(SHARED)],
    )?;
    suite.saw(SIGNALLED, &[])?;
    route(suite, 0)
}

fn routed_running(suite: &Suite, core: &Core) -> Check {
    route(suite, FAR)?;
    suite.spins_far(core, SIGNALLED, &[Op::Spin(LONG)], 1)?;
    gic::SHARED.raise();
    suite.until(SIGNALLED, FAR, 3)?;
    suite.page_of(SIGNALLED, FAR).go(true);
    suite.answered(&core.end()?, SIGNALLED)?;
    suite.saw_in(
        SIGNALLED,
        FAR,
        &[REQUEST, Event::Irq, Event::Got(SHARED), Event::Went],
    )?;
    route(suite, 0)
}

/// Each core has its own, for its own context.
fn each_ppi(suite: &Suite) -> Check {
    let pmu = u64::from(PMU);
    for number in 1..CORES.into() {
        let core = Core::start(number)?;
        suite.fresh();
        core.raise_pmu()?;
        suite.saw_in(
            SIGNALLED,
            number,
            &[Event::Interrupt(0, pmu), Event::Got(pmu)],
        )?;
        core.lower_pmu()?;
        suite.saw(SIGNALLED, &[])?;
        core.stop()?;
    }
    Ok(())
}

fn run_running(suite: &Suite, core: &Core) -> Check {
    suite.spins_far(core, SINGLE, &[Op::Spin(LONG)], 1)?;
    for _ in 0..3 {
        suite.refused(&suite.run(SINGLE), &[BUSY])?;
        suite.refused(&suite.send(SINGLE), &[BUSY])?;
    }
    suite.page(SINGLE).go(true);
    suite.answered(&core.end()?, SINGLE)
}

/// It waits there for its callee.
fn run_blocked(suite: &Suite, core: &Core) -> Check {
    suite.request_on(QUEUED, FAR, &[Op::Spin(LONG)]);
    suite.request(SINGLE, &[Op::Call(QUEUED.id, WORD)]);
    core.begin(&suite.message(SINGLE));
    suite.until(QUEUED, FAR, 1)?;
    for _ in 0..3 {
        suite.refused(&suite.run(SINGLE), &[BUSY, DENIED])?;
        suite.refused(&suite.send(SINGLE), &[BUSY])?;
    }
    suite.page_of(QUEUED, FAR).go(true);
    suite.answered(&core.end()?, SINGLE)?;
    suite.saw(SINGLE, &[REQUEST, Event::Response(answer_of(QUEUED, WORD))])
}

/// The last chapter: a partition fails here while another context of it runs there.
pub fn dead(suite: &mut Suite) {
    for (name, run) in [
        (
            "smp/dead/running_on_another_core",
            dead_running as fn(&Suite) -> Check,
        ),
        ("smp/dead/its_interrupts_are_nobodys", dead_interrupts),
    ] {
        suite.fresh();
        let verdict = run(suite);
        if verdict.is_err() {
            suite.show();
        }
        suite.client.case(name, verdict.map(|()| Seen::Nothing));
    }
}

fn dead_running(suite: &Suite) -> Check {
    let core = Core::start(FAR)?;
    suite.fresh();
    suite.spins_far(&core, SIGNALLED, &[Op::Spin(LONG)], 1)?;
    suite.request(SIGNALLED, &[Op::Abort]);
    suite.refused(&suite.send(SIGNALLED), &[ABORTED])?;
    suite.refused(&core.end()?, &[ABORTED])?;
    suite.saw_in(SIGNALLED, FAR, &[REQUEST])?;
    suite.refused(&core.call(&suite.message(SIGNALLED))?, &[ABORTED])?;
    suite.answered(&core.call(&suite.message(QUEUED))?, QUEUED)?;
    core.stop()
}

fn dead_interrupts(suite: &Suite) -> Check {
    let core = Core::start(FAR)?;
    suite.fresh();
    gic::SHARED.raise();
    core.raise_pmu()?;
    suite.answered(&core.call(&suite.message(QUEUED))?, QUEUED)?;
    suite.answered(&suite.send(SINGLE), SINGLE)?;
    core.begin_watch(500);
    core.end_watch()?;
    gic::SHARED.lower();
    core.lower_pmu()?;
    core.taken(&[])?;
    core.stop()?;
    suite.saw_in(SIGNALLED, FAR, &[])
}
