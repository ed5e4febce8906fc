//! The partition `sp-storm`: does what requests say, and counts.

mod context;
mod take;
mod work;

use crate::abi;
use crate::board::Line;
use crate::interrupts::{CONTEXTS, QUEUED, SIGNALLED, SINGLE, Who};
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
    fault::take_interrupts(take::vector);
    let who = who();
    for context in (0..CONTEXTS).filter(|context| who.many || *context == 0) {
        Context::new(who, context).page.reset();
    }
    crate::say!("sp-storm {id:#x} ({}) up: FF-A {version:#x}", who.name);
    if who.many {
        // SAFETY: the entry needs nothing.
        unsafe { entry::next_time(context::first_entry) };
        if who != QUEUED {
            // That one starts its other contexts where it started itself.
            query(
                abi::SECONDARY_EP_REGISTER,
                context::registered_entry as *const () as u64,
            );
        }
    }
    let context = Context::begin(who, boot.regs[4]);
    if let Some(line) = line_of(who) {
        assert!(take::device(line).prepare(), "{line:?} is not ready");
    }
    context.open();
    context.serve()
}

/// Runs another context, or one that starts anew.
extern "C" fn run_again(x0: u64, index: u64, registered: u64) -> ! {
    mmu::open();
    let context = Context::begin(who(), index);
    context.starts(x0, registered != 0);
    context.open();
    context.serve()
}

fn who() -> Who {
    // One that is nobody has the name of the first, and its page: its lines in the log say so.
    Who::with_id(ID.load(Relaxed) as u16).unwrap_or(SIGNALLED)
}

/// The line of a partition of these boots.
const fn line_of(who: Who) -> Option<Line> {
    match who.id {
        id if id == SINGLE.id => Some(Line::Shared),
        _ => None,
    }
}
