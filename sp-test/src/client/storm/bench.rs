//! What a secure interrupt costs whose partition waits while the normal world runs, and what a message costs with all
//! cores on.

use super::page;
use crate::abi;
use crate::board::CORES;
use crate::client::bench::{ITERATIONS, measure};
use crate::client::interrupts::gic;
use crate::client::report::{Seen, Verdict, equal};
use crate::client::{Client, ECHO};
use crate::interrupts::SINGLE;
use crate::rt::{cores, entry::Boot};
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
    let verdict = secure_interrupt(&mut client);
    client.case("bench/secure_interrupt", verdict);
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

/// The partition lowers its line, asks for what is pending until there is nothing, and waits.
fn secure_interrupt(client: &mut Client) -> Verdict {
    gic::open(0);
    let page = page(SINGLE, 0);
    let raise = |until: u64| {
        while page.count(Count::Device) < until {
            let before = page.count(Count::Device);
            gic::SHARED.raise();
            while page.count(Count::Device) == before {}
        }
    };
    raise(WARM);
    client.count += 1;
    crate::say!("@bench secure_interrupt {ITERATIONS}");
    // SAFETY: nothing happens but that a counter sees it.
    unsafe { asm!("hint #0x60", options(nostack, preserves_flags)) }
    raise(WARM + ITERATIONS);
    // SAFETY: as above.
    unsafe { asm!("hint #0x61", options(nostack, preserves_flags)) }
    equal("mistakes", page.count(Count::Mistakes), 0)?;
    equal("wake-ups", page.count(Count::Woken), WARM + ITERATIONS)?;
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
