//! An interrupt of the normal world that another core sends while a partition runs, by each action.

use super::{Core, FAR, LONG, REQUEST};
use crate::client::interrupts::{Check, Suite, exits, gic};
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{ALONE, EXIT_FIQ, EXIT_IRQ, MANAGED_EXIT, QUEUED, SIGNALLED, SINGLE, Who};

/// The chapter.
pub fn run(suite: &mut Suite) {
    for who in [SIGNALLED, SINGLE] {
        let name = who.name;
        suite.far_case(format_args!("smp/ns/signalled/{name}"), |suite, core| {
            signalled(suite, core, who)
        });
    }
    for who in [QUEUED, ALONE] {
        let name = who.name;
        suite.far_case(format_args!("smp/ns/queued/{name}"), |suite, core| {
            queued(suite, core, who)
        });
    }
    for who in [EXIT_FIQ, EXIT_IRQ] {
        let name = who.name;
        suite.far_case(format_args!("smp/ns/managed_exit/{name}"), |suite, core| {
            exit(suite, core, who)
        });
    }
    suite.far_case("smp/ns/single_context_is_resumed_on_another_core", resumed);
}

/// A partition's context as w1 says it.
fn context(who: Who) -> u64 {
    if who.many { FAR } else { 0 }
}

fn signalled(suite: &Suite, core: &Core, who: Who) -> Check {
    suite.spins_far(core, who, &[Op::Mark(1), Op::Spin(LONG)], 2)?;
    gic::send(FAR);
    suite.interrupted_in(&core.end()?, who, context(who))?;
    core.taken(&[gic::SGI])?;
    suite.page_on(who, FAR).go(true);
    let run = crate::client::registers(crate::abi::RUN, &[u64::from(who.id) << 16 | context(who)]);
    suite.answered(&core.call(&run)?, who)?;
    suite.saw_on(who, FAR, &[REQUEST, Event::Mark(1), Event::Went])
}

fn queued(suite: &Suite, core: &Core, who: Who) -> Check {
    suite.spins_far(core, who, &[Op::Mark(1), Op::Spin(LONG)], 2)?;
    gic::send(FAR);
    // It goes on, and is not stopped.
    let _ = crate::rt::spin::watched(crate::client::interrupts::ticks(500));
    suite.page_on(who, FAR).go(true);
    suite.answered(&core.end()?, who)?;
    suite.saw_on(who, FAR, &[REQUEST, Event::Mark(1), Event::Went])?;
    core.taken(&[gic::SGI])
}

fn exit(suite: &Suite, core: &Core, who: Who) -> Check {
    suite.spins_far(core, who, &[Op::Mark(1), Op::Spin(LONG)], 2)?;
    gic::send(FAR);
    suite.answered(&core.end()?, who)?;
    suite.saw_on(
        who,
        FAR,
        &[
            REQUEST,
            Event::Mark(1),
            exits::vector(who),
            Event::Got(MANAGED_EXIT.into()),
            Event::ExitAsked,
        ],
    )?;
    core.taken(&[gic::SGI])
}

/// It was preempted there, and goes on here.
fn resumed(suite: &Suite, core: &Core) -> Check {
    suite.spins_far(core, SINGLE, &[Op::Mark(1), Op::Spin(LONG)], 2)?;
    gic::send(FAR);
    suite.interrupted(&core.end()?, SINGLE)?;
    core.taken(&[gic::SGI])?;
    suite.page(SINGLE).go(true);
    suite.answered(&suite.run(SINGLE), SINGLE)?;
    suite.saw(SINGLE, &[REQUEST, Event::Mark(1), Event::Went])
}
