//! The partition `sp-irq`: each of its contexts follows the scripts of its page and logs what it sees.
//!
//! What it does in its initialisation does not come from there, since there is no client yet: it is the same in
//! each boot, by its id ([`initialise`]).

mod context;
mod controller;
mod steps;

use super::{EXIT_FIQ, QUEUED, SIGNALLED, SINGLE, TIMER, Who};
use crate::abi;
use crate::board::Line;
use crate::partition::query;
use crate::rt::{entry, entry::Boot, fault, mmu};
use context::Context;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// This partition's id.
static ID: AtomicU64 = AtomicU64::new(0);

/// Runs the boot core's context.
pub fn run(boot: &Boot) -> ! {
    let version = query(abi::VERSION, abi::V1_3.into())[0];
    let id = query(abi::ID_GET, 0)[2] as u16;
    ID.store(id.into(), Relaxed);
    mmu::open();
    fault::take_interrupts(context::vector);
    let who = who();
    for context in (0..super::CONTEXTS).filter(|context| who.many || *context == 0) {
        Context::new(who, context).page.reset();
    }
    crate::say!("sp-irq {id:#x} ({}) up: FF-A {version:#x}", who.name);
    let context = Context::begin(who, boot.regs[4], false);
    initialise(&context);
    context.serve()
}

/// Runs another context, or one that starts anew.
extern "C" fn run_again(x0: u64, index: u64, registered: u64) -> ! {
    mmu::open();
    let context = Context::begin(who(), index, registered != 0);
    if x0 != 0 {
        context.log(super::log::Event::Lost(0, x0));
    }
    context.open();
    context.serve()
}

fn who() -> Who {
    // One that is nobody has the name of the first, and its page: its lines in the log say so.
    Who::with_id(ID.load(Relaxed) as u16).unwrap_or(SIGNALLED)
}

/// What is done once, on the boot core.
fn initialise(context: &Context) {
    use super::script::Op;
    let who = context.who;
    if who.many {
        // SAFETY: the entry needs nothing.
        unsafe { entry::next_time(context::first_entry) };
    }
    if who != QUEUED {
        // The one without starts its other contexts where it started itself. With a single context there is nothing
        // to register.
        context.step(Op::Register(context::registered_entry as *const () as u64));
    }
    if who == SIGNALLED {
        for line in Line::ALL {
            if !context::device(line).prepare() {
                panic!("{line:?} is not ready");
            }
        }
    }
    context.open();
    if who == SINGLE {
        // Its own timer in its initialisation; then its device, whose interrupt must wait.
        context.step(Op::Arm(100, false));
        context.step(Op::Watch(300));
        context.step(Op::Raise(Line::Secure));
        context.step(Op::Watch(300));
        context.step(Op::Mark(1));
    }
    if who == EXIT_FIQ {
        // An interrupt for the first while this one initialises.
        context.step(Op::Raise(Line::Shared));
        context.step(Op::Watch(300));
        context.step(Op::Mark(1));
    }
}

/// The interrupts of a context, and whether each comes as FIQ.
fn own_interrupts(who: Who) -> impl Iterator<Item = (u32, bool)> {
    let line = who.line.map(Line::intid);
    let pmu = (who == SIGNALLED).then_some(super::PMU);
    let ipi = who.many.then_some(super::IPI);
    // One of them has its timer as FIQ.
    let timer = Some((TIMER, who == QUEUED));
    let irqs = [line, pmu, ipi].into_iter().flatten();
    irqs.map(|id| (id, false)).chain(timer)
}
