//! What must be true after a storm, whatever happened in it.

use super::interrupts::raised;
use super::station::{self, Count};
use super::{Check, contexts, page};
use crate::abi;
use crate::board::CORES;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{Client, ECHO, Peer, RELAY, compare};
use crate::expect::VECTORS;
use crate::interrupts::{ALL, EXIT_FIQ, EXIT_IRQ, QUEUED, SIGNALLED, SINGLE, Who};
use crate::rt::{
    call::{Conduit, checked_call, fresh},
    regs,
};
use crate::storm::page::Count as Of;

/// Reports all of it. `verdict` is how the storm itself ended.
pub fn all(client: &mut Client, verdict: Check) {
    say();
    client.case(
        "storm/every_message_is_answered",
        verdict.and_then(|()| answers()),
    );
    mistakes(client);
    for (name, check) in [
        ("storm/each_core_goes_off_and_on", power as fn() -> Verdict),
        (
            "storm/each_timer_fires_once_for_each_time_it_is_set",
            timers,
        ),
        ("storm/each_interrupt_of_the_device_is_seen_once", device),
        ("storm/each_interrupt_of_the_pmu_is_seen_once", pmu),
        ("storm/interrupts_between_contexts_are_seen", ipis),
        ("storm/normal_interrupts_preempt", preempted),
        ("storm/managed_exit_by_vfiq", || exits(EXIT_FIQ)),
        ("storm/managed_exit_by_virq", || exits(EXIT_IRQ)),
        ("storm/cycles_are_given_to_who_asks", cycles),
        ("storm/vector_registers_are_kept", vectors),
    ] {
        client.case(name, verdict.and_then(|()| check()));
    }
    for peer in [&ECHO, &RELAY] {
        let answer = talk(client, peer);
        client.case(format_args!("storm/afterwards/{}", peer.name), answer);
    }
}

/// What the contexts found wrong: nothing.
pub fn mistakes(client: &mut Client) {
    for who in ALL {
        let name = format_args!("partition/{}/found_no_mistake", who.name);
        client.case(name, mistakes_of(who));
    }
}

fn mistakes_of(who: Who) -> Verdict {
    let mut mistakes = 0;
    for (_, context) in contexts().filter(|(other, _)| *other == who) {
        let page = page(who, context);
        let [mistake, a, b] = page.first_mistake();
        if page.count(Of::Mistakes) != 0 {
            crate::say!(
                "@note {}.{context}: {} mistakes, the first: no. {mistake}, {a:#x}, {b:#x}",
                who.name,
                page.count(Of::Mistakes)
            );
        }
        mistakes += page.count(Of::Mistakes);
    }
    equal("mistakes", mistakes, 0)?;
    Ok(Seen::Count("requests", sum(who, Of::Served)))
}

/// Over a partition's contexts.
fn sum(who: Who, count: Of) -> u64 {
    contexts()
        .filter(|(other, _)| *other == who)
        .map(|(who, context)| page(who, context).count(count))
        .sum()
}

/// Over all contexts.
fn total(count: Of) -> u64 {
    ALL.into_iter().map(|who| sum(who, count)).sum()
}

fn say() {
    let here = station::sum;
    crate::say!(
        "@note messages: {} of 32 bits, {} of 64, {} of 18 registers; {} chains; {} passed on; {} and {} times busy",
        here(Count::Req32),
        here(Count::Req64),
        here(Count::Req2),
        here(Count::Chains),
        total(Of::Answered),
        here(Count::Busy),
        total(Of::Busy),
    );
    crate::say!(
        "@note interrupts of the normal world: {} of timers, {} between cores, {} requests for cycles ({} runs); {} and {} preemptions; {} managed exits",
        here(Count::Timers),
        here(Count::Sgis),
        here(Count::Sris),
        here(Count::Runs),
        here(Count::Preempted),
        total(Of::Preempted),
        total(Of::Exits),
    );
    crate::say!(
        "@note secure interrupts: {} of the device, {} of PMUs, {} of timers ({} set, {} moved, {} cancelled, {} us late at most), {} between contexts ({} sent); {} wake-ups, {} IRQs, {} FIQs",
        total(Of::Device),
        total(Of::Pmu),
        total(Of::Fired),
        total(Of::Armed),
        total(Of::Moved),
        total(Of::Cancelled),
        latest(),
        total(Of::Ipis),
        total(Of::IpisSent),
        total(Of::Woken),
        total(Of::Irqs),
        total(Of::Fiqs),
    );
    crate::say!(
        "@note power: {} times on, {} contexts told of CPU_OFF; {} yields",
        here(Count::On),
        total(Of::Off),
        here(Count::Yielded) + total(Of::Yielded),
    );
}

/// The most that a timer was late, in microseconds.
fn latest() -> u64 {
    let ticks = contexts()
        .map(|(who, context)| page(who, context).latest())
        .max();
    ticks.unwrap_or(0) * 1_000_000 / regs::cntfrq()
}

fn answers() -> Verdict {
    for (core, station) in station::all() {
        if station.answers() == 0 {
            return Err(Failure::Value {
                what: "answers on a core",
                got: 0,
                want: core,
            });
        }
    }
    let all = station::all().map(|(_, station)| station.answers()).sum();
    Ok(Seen::Count("answers", all))
}

/// Something that has to happen in a storm of any length.
fn some(what: &'static str, count: u64) -> Verdict {
    match count {
        0 => Err(Failure::Value {
            what,
            got: 0,
            want: 1,
        }),
        _ => Ok(Seen::Count(what, count)),
    }
}

fn power() -> Verdict {
    let mut times = 0;
    for (core, station) in station::all().skip(1) {
        let on = station.count(Count::On);
        equal("it came on more than once", (on > 1).into(), 1)?;
        for who in ALL.into_iter().filter(|who| who.many) {
            let page = page(who, core);
            equal("starts", page.count(Of::Started), on)?;
            let told = if who == SIGNALLED || who == QUEUED {
                on
            } else {
                0
            };
            equal("told of CPU_OFF", page.count(Of::Off), told)?;
        }
        times += on;
    }
    Ok(Seen::Count("times on", times))
}

fn timers() -> Verdict {
    for (who, context) in contexts() {
        let page = page(who, context);
        let ended = page.count(Of::Fired) + page.count(Of::Cancelled);
        // One that was set when its core went off for the last time can't be told from one that was lost: all rested
        // before.
        equal("timers that fired", ended, page.count(Of::Armed))?;
    }
    some("timers", total(Of::Fired))
}

fn device() -> Verdict {
    equal("interrupts", sum(SINGLE, Of::Device), raised())?;
    some("interrupts", raised())
}

fn pmu() -> Verdict {
    for core in 0..CORES.into() {
        let seen = page(SIGNALLED, core).count(Of::Pmu);
        equal("interrupts", seen, station::of(core).count(Count::Pmu))?;
    }
    some("interrupts", station::sum(Count::Pmu))
}

fn ipis() -> Verdict {
    let (seen, sent) = (total(Of::Ipis), total(Of::IpisSent));
    equal("interrupts, at most", seen.max(sent), sent)?;
    some("interrupts", seen)
}

fn preempted() -> Verdict {
    some(
        "preemptions of partitions by partitions",
        total(Of::Preempted),
    )?;
    some("preemptions", station::sum(Count::Preempted))
}

fn exits(who: Who) -> Verdict {
    some("managed exits", sum(who, Of::Exits))
}

fn cycles() -> Verdict {
    some("requests for cycles", station::sum(Count::Sris))?;
    some("runs", station::sum(Count::Runs))
}

fn vectors() -> Verdict {
    some("spins", total(Of::Vectors))
}

/// A bystander answers as ever.
fn talk(client: &Client, peer: &Peer) -> Verdict {
    let mut payload = [0; 14];
    fresh().fill(&mut payload);
    let request = client.req2(peer, &payload);
    let exchange = checked_call(Conduit::Smc, &request);
    compare(peer, &request, &exchange).map_err(|wrong| {
        let value = if wrong.register == VECTORS {
            0
        } else {
            wrong.got
        };
        Failure::Value {
            what: "a register of the answer",
            got: value,
            want: wrong.want,
        }
    })?;
    equal("x0", exchange.got[0], abi::DIRECT_RESP2.into())?;
    Ok(Seen::Nothing)
}
