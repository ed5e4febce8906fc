//! What a secure interrupt costs whose partition waits while the normal world runs, and what a message costs with all
//! cores on.

use super::choice::Message;
use super::page;
use super::talk::Talker;
use crate::abi;
use crate::board::CORES;
use crate::client::bench::{ITERATIONS, measure};
use crate::client::interrupts::gic;
use crate::client::report::{Seen, Verdict, equal};
use crate::client::{Client, ECHO};
use crate::interrupts::SINGLE;
use crate::rt::{call::fresh, cores, entry::Boot};
use crate::storm::Peer;
use crate::storm::order::Order;
use crate::storm::page::Count;
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// Interrupts before the window.
const WARM: u64 = 4;
/// Seconds after which something should have happened.
const PATIENCE: u64 = 10;

/// Cores that are on and do nothing.
static IDLE: AtomicU64 = AtomicU64::new(0);

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut client = Client::start("client-bench-cores", boot);
    gic::open(0);
    for (name, told) in [("secure_interrupt", true), ("secure_interrupt_get", false)] {
        let verdict = secure_interrupt(&mut client, name, told);
        client.case(format_args!("bench/{name}"), verdict);
    }
    match all_on() {
        Ok(_) => measure(
            &mut client,
            "direct_req2_with_8_cores",
            &ECHO,
            abi::DIRECT_REQ2,
        ),
        failed => client.case("bench/direct_req2_with_8_cores", failed),
    }
    client.end()
}

/// The partition lowers its line and waits. Unless it is `told`, which is enough, it asks before what is pending until
/// there is nothing, and deactivates every other one.
fn secure_interrupt(client: &mut Client, name: &str, told: bool) -> Verdict {
    let page = page(SINGLE, 0);
    if let Some(peer) = Peer::of((SINGLE.id - abi::ECHO).into()) {
        let message = Message::order(&mut fresh(), peer, Order::Told(told.into()));
        Talker::new(0).send(&message)?;
    }
    let raise = |times: u64| {
        let until = page.count(Count::Device) + times;
        while page.count(Count::Device) < until {
            let before = page.count(Count::Device);
            gic::SHARED.raise();
            while page.count(Count::Device) == before {}
        }
    };
    raise(WARM);
    let woken = page.count(Count::Woken);
    client.count += 1;
    crate::say!("@bench {name} {ITERATIONS}");
    // SAFETY: nothing happens but that a counter sees it.
    unsafe { asm!("hint #0x60", options(nostack, preserves_flags)) }
    raise(ITERATIONS);
    // SAFETY: as above.
    unsafe { asm!("hint #0x61", options(nostack, preserves_flags)) }
    equal("mistakes", page.count(Count::Mistakes), 0)?;
    equal("wake-ups", page.count(Count::Woken) - woken, ITERATIONS)?;
    Ok(Seen::Count("interrupts", ITERATIONS))
}

fn all_on() -> Verdict {
    for core in 1..CORES.into() {
        equal("CPU_ON", cores::start(core, idle, core) as u64, 0)?;
        let on = cores::patiently(PATIENCE, || IDLE.load(Ordering::Acquire) == core);
        equal("the core is on", on.into(), 1)?;
    }
    Ok(Seen::Nothing)
}

fn idle(core: u64) {
    IDLE.store(core, Ordering::Release);
    loop {
        // SAFETY: waits.
        unsafe { asm!("wfi", options(nomem, nostack, preserves_flags)) }
    }
}
