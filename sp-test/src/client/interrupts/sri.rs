//! `sri-interrupts-policy`: the normal world is asked to give the cycles, and finds out to whom.

use super::{Check, Suite, WORD, equal, gic};
use crate::abi::{self, NO_DATA};
use crate::client::plain;
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{
    MANAGED_EXIT, NOTIFICATION, SCHEDULE_RECEIVER, SIGNALLED, SINGLE, SRI_LEAVING, SRI_WAITING,
    TIMER, Who,
};
use crate::rt::spin;

const REQUEST: Event = Event::Request(WORD);
const GOT: Event = Event::Got(TIMER as u64);
const NPI: u64 = 1;
const SRI: u64 = 2;
const MEI: u64 = 3;

/// The chapter.
pub fn run(suite: &mut Suite) {
    suite.case("sri/waiting/normal_world_runs", waiting);
    suite.case("sri/waiting/partition_runs", other_runs);
    suite.case("sri/waiting/running_has_its_line_raised", running);
    suite.case("sri/waiting/is_intercepted_when_it_leaves", intercepted);
    suite.case("sri/leaving/response", leaving_response);
    suite.case("sri/leaving/wait", leaving_wait);
    suite.case("sri/leaving/is_woken_while_it_waits", woken);
    suite.case("sri/both_are_named", both);
    suite.case("sri/named_once", once);
    suite.case("sri/nobody_is_named", nobody);
    suite.case("features/normal_world", features);
    suite.case("features/partitions", partitions_features);
}

/// Its timer is set and it waits; then this much time passes.
fn arms(suite: &Suite, who: Who) -> Check {
    suite.request(who, &[Op::Arm(1000, false)]);
    suite.answered(&suite.send(who), who)
}

fn pass(us: u64) {
    // What it interrupts is others' to check.
    let _ = spin::watched(super::ticks(us));
}

/// Fails unless exactly these are named, each with its first context.
pub(super) fn named(all: &[Who]) -> Check {
    let regs = plain(abi::NOTIFICATION_INFO_GET_64, &[]);
    if all.is_empty() {
        equal("x0", regs[0], abi::ERROR.into())?;
        return equal("x2", regs[2], abi::code(NO_DATA));
    }
    equal("x0", regs[0], abi::SUCCESS_64.into())?;
    // The number of lists; each has an id and one context.
    let mut x2 = (all.len() as u64) << 7;
    for number in 0..all.len() {
        x2 |= 1 << (12 + 2 * number);
    }
    equal("x2", regs[2], x2)?;
    let halves = all.iter().flat_map(|who| [who.id, 0]);
    for (number, half) in halves.enumerate() {
        let register = regs.get(3 + number / 4).copied().unwrap_or(0);
        let found = register >> (16 * (number % 4)) & 0xffff;
        equal("an id, or a context", found, half.into())?;
    }
    Ok(())
}

fn waiting(suite: &Suite) -> Check {
    arms(suite, SRI_WAITING)?;
    pass(2500);
    suite.saw(SRI_WAITING, &[REQUEST])?;
    suite.taken(&[SCHEDULE_RECEIVER])?;
    named(&[SRI_WAITING])?;
    suite.waits(&suite.run(SRI_WAITING))?;
    suite.saw(SRI_WAITING, &[REQUEST, Event::Run, Event::Irq, GOT])
}

/// The interrupt waits in the normal world's half while the partition that runs goes on, if it is not its own.
fn other_runs(suite: &Suite) -> Check {
    arms(suite, SRI_WAITING)?;
    suite.request(crate::interrupts::QUEUED, &[Op::Watch(2500), Op::Mark(1)]);
    suite.answered(
        &suite.send(crate::interrupts::QUEUED),
        crate::interrupts::QUEUED,
    )?;
    suite.saw(SRI_WAITING, &[REQUEST])?;
    suite.taken(&[SCHEDULE_RECEIVER])?;
    named(&[SRI_WAITING])?;
    // A request gives it cycles too.
    suite.request(SRI_WAITING, &[Op::Mark(1)]);
    suite.answered(&suite.send(SRI_WAITING), SRI_WAITING)?;
    suite.saw(
        SRI_WAITING,
        &[REQUEST, REQUEST, Event::Irq, GOT, Event::Mark(1)],
    )
}

fn running(suite: &Suite) -> Check {
    suite.request(
        SRI_WAITING,
        &[Op::Arm(50, true), Op::Watch(200), Op::Mark(1)],
    );
    suite.answered(&suite.send(SRI_WAITING), SRI_WAITING)?;
    suite.saw(SRI_WAITING, &[REQUEST, Event::Irq, GOT, Event::Mark(1)])?;
    named(&[])
}

fn intercepted(suite: &Suite) -> Check {
    suite.request(SRI_WAITING, &[Op::Mask, Op::Arm(10, false), Op::Watch(100)]);
    suite.answered(&suite.send(SRI_WAITING), SRI_WAITING)?;
    suite.saw(
        SRI_WAITING,
        &[REQUEST, Event::Interrupt(0, TIMER.into()), GOT],
    )
}

/// The response goes through.
fn leaving_response(suite: &Suite) -> Check {
    suite.request(SRI_LEAVING, &[Op::Mask, Op::Arm(10, false), Op::Watch(100)]);
    suite.answered(&suite.send(SRI_LEAVING), SRI_LEAVING)?;
    left(suite, REQUEST)
}

fn leaving_wait(suite: &Suite) -> Check {
    suite.when_run(SRI_LEAVING, &[Op::Mask, Op::Arm(10, false), Op::Watch(100)]);
    suite.waits(&suite.run(SRI_LEAVING))?;
    left(suite, Event::Run)
}

fn left(suite: &Suite, entered: Event) -> Check {
    suite.saw(SRI_LEAVING, &[entered])?;
    suite.taken(&[SCHEDULE_RECEIVER])?;
    named(&[SRI_LEAVING])?;
    suite.when_run(SRI_LEAVING, &[Op::Unmask, Op::Mark(1)]);
    suite.waits(&suite.run(SRI_LEAVING))?;
    suite.saw(
        SRI_LEAVING,
        &[entered, Event::Run, Event::Irq, GOT, Event::Mark(1)],
    )
}

fn woken(suite: &Suite) -> Check {
    arms(suite, SRI_LEAVING)?;
    pass(2500);
    suite.saw(
        SRI_LEAVING,
        &[REQUEST, Event::Interrupt(0, TIMER.into()), GOT],
    )
}

fn both(suite: &Suite) -> Check {
    suite.request(SRI_LEAVING, &[Op::Mask, Op::Arm(10, false), Op::Watch(100)]);
    suite.answered(&suite.send(SRI_LEAVING), SRI_LEAVING)?;
    suite.taken(&[SCHEDULE_RECEIVER])?;
    arms(suite, SRI_WAITING)?;
    pass(2500);
    suite.taken(&[SCHEDULE_RECEIVER])?;
    named(&[SRI_WAITING, SRI_LEAVING])?;
    for who in [SRI_WAITING, SRI_LEAVING] {
        suite.when_run(who, &[Op::Unmask]);
        suite.waits(&suite.run(who))?;
    }
    named(&[])
}

fn once(suite: &Suite) -> Check {
    arms(suite, SRI_WAITING)?;
    pass(2500);
    suite.taken(&[SCHEDULE_RECEIVER])?;
    named(&[SRI_WAITING])?;
    named(&[])?;
    suite.waits(&suite.run(SRI_WAITING))?;
    suite.saw(SRI_WAITING, &[REQUEST, Event::Run, Event::Irq, GOT])
}

fn nobody(_: &Suite) -> Check {
    named(&[])
}

/// The SRI is the normal world's, and no more than that.
fn features(_: &Suite) -> Check {
    let answer = plain(abi::FEATURES, &[SRI]);
    equal("x0 for SRI", answer[0], abi::SUCCESS_32.into())?;
    equal("x2 for SRI", answer[2], SCHEDULE_RECEIVER.into())?;
    for id in [NPI, MEI] {
        let answer = plain(abi::FEATURES, &[id]);
        equal("x0 for NPI or MEI", answer[0], abi::ERROR.into())?;
        equal("x2", answer[2], abi::code(abi::NOT_SUPPORTED))?;
    }
    Ok(())
}

/// Managed exit is theirs. These have no notifications, so nothing tells of them.
fn partitions_features(suite: &Suite) -> Check {
    const _: () = assert!(NOTIFICATION == 5);
    for who in [SIGNALLED, SINGLE] {
        suite.request(who, &[MEI, SRI, NPI].map(Op::Features));
        suite.answered(&suite.send(who), who)?;
        suite.saw(
            who,
            &[
                REQUEST,
                Event::Success(MANAGED_EXIT.into()),
                Event::Error(abi::NOT_SUPPORTED),
                Event::Error(abi::NOT_SUPPORTED),
            ],
        )?;
    }
    Ok(())
}

/// The interrupt of this client that is the partitions' word.
const _: () = assert!(gic::SGI != SCHEDULE_RECEIVER);
