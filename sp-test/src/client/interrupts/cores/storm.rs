//! What matters is when it comes: again and again, at no known moment.

use super::{Core, FAR, REQUEST, SOON};
use crate::abi;
use crate::board::Line;
use crate::client::interrupts::{Check, Suite, gic};
use crate::client::report::equal;
use crate::interrupts::log::Event;
use crate::interrupts::script::Op;
use crate::interrupts::{INTERRUPT_RECONFIGURE, SIGNALLED, SINGLE};
use crate::rt::cores;

const SHARED: u64 = Line::Shared.intid() as u64;
/// Interrupts of the case about them, and calls meanwhile.
const TIMES: u64 = 300;
/// Lines raised and lowered at once.
const BLINKS: u64 = 300;

/// The chapter.
pub fn run(suite: &mut Suite) {
    suite.far_case(
        "smp/published_crash_2_for_context_that_is_being_saved_on_another_core",
        saved,
    );
    suite.far_case("smp/spurious/line_falls_before_it_is_taken", spurious);
}

/// One core calls the partition all the time; its device interrupts the other. None is lost, and each call is
/// answered, unless the partition is elsewhere at that moment.
fn saved(suite: &Suite, core: &Core) -> Check {
    let page = suite.page(SINGLE);
    suite.request(SIGNALLED, &[Op::Raise(Line::Secure)]);
    let message = suite.message(SINGLE);
    let mut answers = 0;
    for number in 1..=TIMES {
        core.begin_many(&message, 3, abi::DIRECT_RESP_64);
        suite.page(SIGNALLED).forget();
        suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
        let came = cores::patiently(SOON, || page.counted() >= number);
        equal("it came", came.into(), 1)?;
        equal("interrupts", page.counted(), number)?;
        core.end_many()?;
        let exchange = core.end()?;
        if exchange.got[0] == u64::from(abi::ERROR) {
            suite.refused(&exchange, &[abi::BUSY])?;
        } else {
            suite.answered(&exchange, SINGLE)?;
            answers += 1;
        }
        page.forget();
    }
    equal(
        "calls that were answered, at least",
        answers.min(TIMES / 4),
        TIMES / 4,
    )
}

/// It may come or not; what counts is that the next one does.
fn spurious(suite: &Suite, core: &Core) -> Check {
    let call = [INTERRUPT_RECONFIGURE as u16, FAR as u16];
    suite.request(SIGNALLED, &[Op::Hypercall(call, SHARED, 0)]);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)?;
    suite.saw(SIGNALLED, &[REQUEST, Event::Answer(0)])?;
    core.begin_watch(100_000);
    for number in 0..BLINKS {
        gic::SHARED.raise();
        // Sometimes it has just been seen by the core, and nobody has asked which it is.
        for _ in 0..number % 64 * 16 {
            core::hint::spin_loop();
        }
        gic::SHARED.lower();
    }
    core.end_watch()?;
    let page = suite.page_of(SIGNALLED, FAR);
    let before = page.counted();
    equal("interrupts, at most", before.max(BLINKS), BLINKS)?;
    page.forget();
    core.begin_watch(3000);
    gic::SHARED.raise();
    suite.until(SIGNALLED, FAR, 2)?;
    core.end_watch()?;
    suite.saw_in(
        SIGNALLED,
        FAR,
        &[Event::Interrupt(0, SHARED), Event::Got(SHARED)],
    )?;
    let call = [INTERRUPT_RECONFIGURE as u16, 0];
    suite.page(SIGNALLED).forget();
    suite.request(SIGNALLED, &[Op::Hypercall(call, SHARED, 0)]);
    suite.answered(&suite.send(SIGNALLED), SIGNALLED)
}
