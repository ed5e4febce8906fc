//! Each core but the boot core goes off and on a hundred times, one after the other, while all others send messages.

use super::station::{self, Count, Order, State};
use super::talk::{Talker, work};
use super::{PATIENCE, page};
use crate::board::CORES;
use crate::client::Client;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::interrupts::{ALL, QUEUED, SIGNALLED, Who};
use crate::rt::{cores, regs};
use crate::storm::page::Count as Pages;

/// How often each core goes off.
const ROUNDS: u64 = 100;
/// PSCI AFFINITY_INFO: it is off.
const OFF: i64 = 1;

/// The chapter.
pub fn run(client: &mut Client) {
    let mut talker = Talker::new(0);
    station::of(0).add(Count::On);
    station::of(0).now(State::Talks);
    let verdict = rounds(&mut talker);
    for core in 1..CORES.into() {
        let name = format_args!("cores/off_and_on_100_times/core_{core}");
        client.case(name, verdict.and_then(|()| times(core)));
    }
    for who in ALL.into_iter().filter(|who| who.many) {
        let name = format_args!("cores/contexts_start_each_time/{}", who.name);
        client.case(name, verdict.and_then(|()| starts(who)));
    }
    for who in [SIGNALLED, QUEUED] {
        let name = format_args!("cores/contexts_are_told_each_time/{}", who.name);
        client.case(name, verdict.and_then(|()| told(who)));
    }
    for who in ALL {
        let name = format_args!("cores/messages_flow/{}", who.name);
        client.case(name, verdict.and_then(|()| messages(who)));
    }
    client.case(
        "cores/single_contexts_are_busy_at_times",
        verdict.and_then(|()| busy()),
    );
}

fn rounds(talker: &mut Talker) -> Result<(), Failure> {
    for core in 1..CORES.into() {
        on(talker, core)?;
    }
    for round in 0..ROUNDS {
        for core in 1..CORES.into() {
            off(talker, core)?;
            on(talker, core)?;
        }
        if round % 25 == 24 {
            crate::say!("@note {} rounds", round + 1);
        }
    }
    for core in 1..CORES.into() {
        off(talker, core)?;
    }
    Ok(())
}

/// Talks until something has happened.
fn until(
    talker: &mut Talker,
    what: &'static str,
    mut there: impl FnMut() -> bool,
) -> Result<(), Failure> {
    let start = regs::cntvct();
    while !there() {
        talker.once()?;
        if let Some((core, failure)) = station::failure() {
            crate::say!("@note core {core} failed");
            return Err(failure);
        }
        if regs::cntvct().wrapping_sub(start) > PATIENCE * regs::cntfrq() {
            equal(what, 0, 1)?;
        }
    }
    Ok(())
}

fn on(talker: &mut Talker, core: u64) -> Result<(), Failure> {
    let station = station::of(core);
    station.tell(Order::Talk);
    station.add(Count::On);
    equal("CPU_ON", cores::start(core, work, core) as u64, 0)?;
    until(talker, "the core talks", || station.is(State::Talks))?;
    // It has sent something before it goes off again.
    let answers = station.answers();
    until(talker, "the core has answers", || {
        station.answers() > answers
    })
}

fn off(talker: &mut Talker, core: u64) -> Result<(), Failure> {
    station::of(core).tell(Order::Leave);
    until(talker, "the core is off", || {
        cores::done(core) && cores::affinity_info(core) == OFF
    })
}

/// The first time it came on does not count.
fn times(core: u64) -> Verdict {
    let station = station::of(core);
    equal(
        "times that it came on",
        station.count(Count::On),
        ROUNDS + 1,
    )?;
    equal(
        "AFFINITY_INFO",
        cores::affinity_info(core) as u64,
        OFF as u64,
    )?;
    Ok(Seen::Count("answers", station.answers()))
}

/// What each context says beside the boot core's.
fn each(who: Who, of: Pages, want: u64) -> Verdict {
    for core in 1..CORES.into() {
        equal("a context's count", page(who, core).count(of), want)?;
    }
    Ok(Seen::Count("times each", want))
}

fn starts(who: Who) -> Verdict {
    equal(
        "starts on the boot core",
        page(who, 0).count(Pages::Started),
        1,
    )?;
    each(who, Pages::Started, ROUNDS + 1)
}

fn told(who: Who) -> Verdict {
    equal("on the boot core", page(who, 0).count(Pages::Off), 0)?;
    each(who, Pages::Off, ROUNDS + 1)
}

fn messages(who: Who) -> Verdict {
    let contexts = if who.many { CORES.into() } else { 1 };
    let mut served = 0;
    for context in 0..contexts {
        let count = page(who, context).count(Pages::Served);
        equal("no request was served", (count == 0).into(), 0)?;
        served += count;
    }
    Ok(Seen::Count("requests", served))
}

fn busy() -> Verdict {
    let times = station::sum(Count::Busy);
    equal("never", (times == 0).into(), 0)?;
    Ok(Seen::Count("times", times))
}
