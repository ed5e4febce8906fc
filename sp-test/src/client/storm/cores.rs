//! What is refused about cores and contexts, and what goes off with a core.

use super::station::{self, Count, Order, State};
use super::talk::{Talker, work};
use super::{Check, PATIENCE, page, ticks};
use crate::abi::{self, INVALID_PARAMETERS, PSCI_ALREADY_ON, PSCI_INVALID_PARAMETERS};
use crate::board::CORES;
use crate::client::report::{Failure, Seen, equal};
use crate::client::{Client, Refusal, plain, registers};
use crate::expect::{self, Expect};
use crate::interrupts::{ALL, EXIT_FIQ, QUEUED, SIGNALLED, SINGLE, Who};
use crate::random::Random;
use crate::rt::{
    call::{Conduit, checked_call},
    cores, spin,
};
use crate::storm::Peer;
use crate::storm::order::Order as Says;
use crate::storm::page::Count as Pages;

/// A core that is not the boot core.
const FAR: u64 = 5;
/// PSCI AFFINITY_INFO: it is off.
const OFF: i64 = 1;
/// An entry that is one: some boards look at it first.
const ENTRY: fn(u64) = work;

/// The chapter.
pub fn run(client: &mut Client) {
    for (name, check) in [
        (
            "cores/run/context_of_a_core_that_is_off",
            off as fn() -> Check,
        ),
        ("cores/run/context_of_another_core", another),
        ("cores/run/no_such_context", nowhere),
        ("cores/on/already_on", already),
        ("cores/on/no_such_core", nobody),
        ("cores/on/affinity_info", info),
        ("cores/off/timer_goes_with_it", timer),
        ("cores/off/timer_of_single_context_stays", single_timer),
        ("cores/off/ipi_waits_for_it", ipi),
        ("cores/entry_is_for_initialisation_only", entry),
    ] {
        client.case(name, check().map(|()| Seen::Nothing));
    }
}

fn refused(target: u64) -> Check {
    let exchange = checked_call(Conduit::Smc, &registers(abi::RUN, &[target]));
    expect::check(&exchange, &Expect::Error(&[INVALID_PARAMETERS])).map_err(|mismatch| {
        Failure::Register {
            conduit: Conduit::Smc,
            call: abi::RUN.into(),
            mismatch,
            result: Refusal {
                x0: exchange.got[0],
                x2: exchange.got[2],
            },
        }
    })
}

/// FFA_RUN of a core's contexts from the boot core.
fn runs(core: u64) -> Check {
    for who in ALL.into_iter().filter(|who| who.many) {
        let page = page(who, core);
        let before = [Pages::Run, Pages::Started].map(|of| page.count(of));
        refused(u64::from(who.id) << 16 | core)?;
        let after = [Pages::Run, Pages::Started].map(|of| page.count(of));
        equal("it did not run", (before == after).into(), 1)?;
    }
    Ok(())
}

fn off() -> Check {
    equal(
        "AFFINITY_INFO",
        cores::affinity_info(FAR) as u64,
        OFF as u64,
    )?;
    runs(FAR)?;
    own()
}

/// The boot core's contexts are not meant.
fn own() -> Check {
    let mut talker = Talker::new(0);
    (0..8).try_for_each(|_| talker.once())
}

fn another() -> Check {
    with_core(|| runs(FAR))
}

fn nowhere() -> Check {
    for who in [SIGNALLED, EXIT_FIQ, QUEUED] {
        for context in [CORES, 63, u16::MAX] {
            refused(u64::from(who.id) << 16 | u64::from(context))?;
        }
    }
    for context in [1, CORES, u16::MAX] {
        refused(u64::from(SINGLE.id) << 16 | u64::from(context))?;
    }
    own()
}

fn on(core: u64) -> u64 {
    cores::start(core, |_| {}, 0) as u64
}

fn already() -> Check {
    equal(
        "CPU_ON of the boot core",
        on(0),
        PSCI_ALREADY_ON as i64 as u64,
    )?;
    with_core(|| {
        // Not by `start`: it would change what that core is switched on for.
        let regs = plain(
            abi::PSCI_CPU_ON_64,
            &[crate::board::affinity(FAR), ENTRY as *const () as u64, 0],
        );
        let want = abi::code(PSCI_ALREADY_ON);
        equal("CPU_ON of one that is on", regs[0] & 0xffff_ffff, want)
    })
}

fn nobody() -> Check {
    for affinity in [0xff_ffff, 0x7f00] {
        let regs = plain(
            abi::PSCI_CPU_ON_64,
            &[affinity, ENTRY as *const () as u64, 0],
        );
        let want = abi::code(PSCI_INVALID_PARAMETERS);
        equal("CPU_ON of nobody", regs[0] & 0xffff_ffff, want)?;
    }
    own()
}

fn info() -> Check {
    equal("AFFINITY_INFO", cores::affinity_info(0) as u64, 0)?;
    equal(
        "AFFINITY_INFO",
        cores::affinity_info(FAR) as u64,
        OFF as u64,
    )?;
    with_core(|| equal("AFFINITY_INFO", cores::affinity_info(FAR) as u64, 0))
}

/// Has a core run the test programs' talk, without this one taking part, for as long as `body` takes.
fn with_core(body: impl FnOnce() -> Check) -> Check {
    come()?;
    let verdict = body();
    go()?;
    verdict
}

fn come() -> Check {
    let station = station::of(FAR);
    station.tell(Order::Rest);
    station.add(Count::On);
    equal("CPU_ON", cores::start(FAR, work, FAR) as u64, 0)?;
    let rests = cores::patiently(PATIENCE, || station.is(State::Rests) || station::over());
    equal("the core rests", rests.into(), 1)
}

fn go() -> Check {
    station::of(FAR).tell(Order::Leave);
    let off = cores::patiently(PATIENCE, || cores::affinity_info(FAR) == OFF);
    equal("the core is off", off.into(), 1)?;
    match station::failure() {
        Some((_, failure)) => Err(failure),
        None => Ok(()),
    }
}

/// Has the other core send an order before it rests.
fn says(who: Who, says: Says) -> Check {
    fn send(packed: u64) {
        let id = (packed >> 32) as u16;
        let Some(peer) = Peer::of((id - abi::ECHO).into()) else {
            return;
        };
        let mut random = Random::new(packed);
        let message =
            super::choice::Message::order(&mut random, peer, Says::decode(packed & 0xffff_ffff));
        let station = station::of(FAR);
        if let Err(failure) = Talker::new(FAR).send(&message) {
            station.fail(failure);
        }
    }
    station::of(FAR).add(Count::On);
    let packed = u64::from(who.id) << 32 | says.encode(0);
    equal("CPU_ON", cores::start(FAR, send, packed) as u64, 0)?;
    let off = cores::patiently(PATIENCE, || {
        cores::done(FAR) && cores::affinity_info(FAR) == OFF
    });
    equal("the core is off", off.into(), 1)
}

fn pass(us: u64) -> Check {
    let kept = spin::watched(ticks(us)).map_or_else(|lost| lost.register.into(), |()| 32);
    equal("a register that was lost", kept, 32)
}

/// A context that is off has no timer.
fn timer() -> Check {
    let page = page(SIGNALLED, FAR);
    let before = [Pages::Armed, Pages::Fired, Pages::Cancelled].map(|of| page.count(of));
    says(SIGNALLED, Says::Arm(4000))?;
    pass(50_000)?;
    with_core(|| pass(50_000))?;
    let after = [Pages::Armed, Pages::Fired, Pages::Cancelled].map(|of| page.count(of));
    equal("set", after[0], before[0] + 1)?;
    equal("fired", after[1], before[1])?;
    equal("cancelled", after[2], before[2] + 1)
}

/// Another core sees to it.
fn single_timer() -> Check {
    let page = page(SINGLE, 0);
    let before = page.count(Pages::Fired);
    says(SINGLE, Says::Arm(4000))?;
    cores::patiently(PATIENCE, || page.due() == 0);
    equal("fired", page.count(Pages::Fired), before + 1)
}

/// It is there when the core comes on.
fn ipi() -> Check {
    let page = page(SIGNALLED, FAR);
    let before = page.count(Pages::Ipis);
    let Some(peer) = Peer::of((SIGNALLED.id - abi::ECHO).into()) else {
        return Ok(());
    };
    let mut random = Random::new(before);
    let message = super::choice::Message::order(&mut random, peer, Says::Ipi(FAR as u16));
    Talker::new(0).send(&message)?;
    pass(1000)?;
    equal("while it is off", page.count(Pages::Ipis), before)?;
    with_core(|| pass(1000))?;
    equal("when it is on", page.count(Pages::Ipis), before + 1)
}

/// FFA_SECONDARY_EP_REGISTER by the normal world.
fn entry() -> Check {
    let regs = plain(abi::SECONDARY_EP_REGISTER, &[0x1000]);
    equal("x0", regs[0], abi::ERROR.into())?;
    equal("x2", regs[2], abi::code(abi::NOT_SUPPORTED))
}
