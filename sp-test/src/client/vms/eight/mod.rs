//! Eight cores, with a vCPU of this VM and one of VM 3 on each. VM 2 runs where it is called. The partitions are those
//! of the suite [`interrupts`](crate::interrupts), and do what stands in their pages.

mod death;
mod interrupts;
mod power;
mod rounds;
mod schedule;

use super::{Env, ask, boot, cores, good, matrix_ask, soak};
use crate::abi::{self, Regs, ids};
use crate::client::report::{Failure, Verdict, equal};
use crate::expect::Exchange;
use crate::interrupts::{
    Who,
    log::Event,
    page::{Entry, Page},
    page_of,
    script::Op,
};
use crate::rt::{gic, irq, regs};
use crate::transform::Transform;

/// Cores, and vCPUs of this VM and of VM 3.
const CORES: u64 = crate::board::CORES as u64;
/// The first word of each request to a partition.
const WORD: u64 = 0x1234_5678_9abc_def0;
const REQUEST: Event = Event::Request(WORD);
const OFF: Event = Event::Framework(0, abi::PSCI_CPU_OFF as u64);
/// The SGI with which one vCPU of this VM takes another one's core from whom that one runs.
const NUDGE: u32 = 5;
/// Seconds until something must have happened.
const SOON: u64 = 10;
/// Milliseconds for which somebody spins who is to be met.
const LONG: u64 = 20_000;

/// A page's place by partition and core.
fn page(who: Who, core: u64) -> Page {
    // SAFETY: the end of this VM's memory, which its image leaves alone; partitions keep to the layout.
    unsafe { Page::at(page_of(who.id, if who.many { core } else { 0 })) }
}

/// Runs it.
pub fn run(env: &mut Env) {
    let up = env.case(format_args!("eight/boot"), up);
    if !up {
        return;
    }
    schedule::run(env);
    power::run(env);
    interrupts::run(env);
    rounds::run(env);
    death::run(env);
}

/// VM 2 waits, and all vCPUs of VM 3.
fn up(env: &mut Env) -> Verdict {
    for who in crate::interrupts::ALL {
        for core in 0..CORES {
            page(who, core).reset();
        }
    }
    env.suite.vms = [Some(env.two), None];
    env.until_it_waits(2, 0)?;
    env.two = boot::who(env, 2)?;
    env.until_it_waits(3, 0)?;
    env.three = boot::who(env, 3)?;
    for core in 1..CORES {
        let [status, ..] = tell(env, ask::START, [core, 0, 0, 0])?;
        equal("CPU_ON of VM 3", status, 0)?;
        cores::on(core, env, |env| {
            env.until_it_waits(3, gic::vcpu() as u16)?;
            good()
        })?;
    }
    good()
}

/// x0-x17 of a request to a partition.
fn message(env: &Env, who: Who) -> Regs {
    let mut regs = [0; 18];
    regs[0] = abi::DIRECT_REQ_64.into();
    regs[1] = ids(env.suite.client.me, who.id);
    regs[3] = WORD;
    regs
}

/// Has a partition do this on a request, which is sent.
fn send(env: &mut Env, who: Who, ops: &[Op]) -> Result<Exchange, Failure> {
    page(who, gic::vcpu()).script(Entry::Request, ops);
    let request = message(env, who);
    env.suite.call(&request)
}

/// The call was completed by the partition's answer.
fn answered(env: &Env, exchange: &Exchange, who: Who) -> Result<(), Failure> {
    let ids = ids(who.id, env.suite.client.me);
    equal("x0", exchange.got[0], abi::DIRECT_RESP_64.into())?;
    equal("x1", exchange.got[1], ids)?;
    let answer = Transform::of(who.id).wide(0, WORD);
    equal("the answer", exchange.got[3], answer)
}

/// A partition does this and answers, whatever interrupts of this VM come. `false` if it is busy.
fn asks(env: &mut Env, who: Who, ops: &[Op]) -> Result<bool, Failure> {
    // Somebody else may be at a single context's page.
    if who.many {
        page(who, gic::vcpu()).script(Entry::Request, ops);
    }
    let request = message(env, who);
    match soak::exchange(env, &request)? {
        Some(exchange) => answered(env, &exchange, who).map(|()| true),
        None => Ok(false),
    }
}

/// A command to VM 3's vCPU of this core, however often a busy host makes a time slice end meanwhile.
fn tell(env: &mut Env, command: u16, arguments: [u64; 4]) -> Result<[u64; 4], Failure> {
    let three = env.three;
    match soak::command(env, three, command, arguments)? {
        Some(details) => Ok(details),
        None => equal("VM 3 is busy", 1, 0).map(|()| [0; 4]),
    }
}

/// It does this when it is asked or run the next time.
fn arm(env: &mut Env, action: u64, first: u64, second: u64) -> Result<(), Failure> {
    tell(env, matrix_ask::ARM, [action, first, second, 0]).map(|_| ())
}

/// How often it saw a call completed so, with every register right.
fn count(env: &mut Env, call: u32, completion: u64) -> Result<u64, Failure> {
    let [counts, register, got, _] = tell(env, matrix_ask::TALLY, [call.into(), completion, 0, 0])?;
    if counts >> 32 != 0 {
        equal("a register of VM 3", got, register)?;
    }
    Ok(counts)
}

/// The call was completed by FFA_INTERRUPT of this context.
fn interrupted(exchange: &Exchange, id: u16, context: u64) -> Result<(), Failure> {
    equal("x0", exchange.got[0], abi::INTERRUPT.into())?;
    equal(
        "who was interrupted",
        exchange.got[1],
        u64::from(id) << 16 | context,
    )
}

/// A context has seen exactly this since its page was new.
fn saw(who: Who, core: u64, events: &[Event]) -> Result<(), Failure> {
    let page = page(who, core);
    let most = events.len().max(page.logged() as usize);
    for number in 0..most {
        let got = page
            .entry(number)
            .map_or(Event::Nothing, |(event, _)| event);
        let want = events.get(number).copied().unwrap_or(Event::Nothing);
        if got != want {
            return Err(Failure::Event {
                of: who.name,
                number,
                got,
                want,
            });
        }
    }
    Ok(())
}

/// No register of a partition's on this core was changed by anybody else.
fn kept(who: Who, core: u64) -> Result<(), Failure> {
    let page = page(who, core);
    let entries = (0..page.logged() as usize).filter_map(|number| page.entry(number));
    for (event, _) in entries {
        if let Event::Lost(register, got) = event {
            return equal("a register of a partition", got, register);
        }
    }
    Ok(())
}

/// Waits until a context works on a request.
fn until_asked(who: Who, core: u64) -> Result<(), Failure> {
    let page = page(who, core);
    let there = crate::rt::cores::patiently(SOON, || {
        let entries = (0..page.logged() as usize).filter_map(|n| page.entry(n));
        let mut events = entries.map(|(event, _)| event);
        events.any(|event| matches!(event, Event::Request(_)))
    });
    equal("the request has come", there.into(), 1)
}

/// Takes one interrupt of this vCPU, which must be this one.
fn take(id: u32) -> Result<(), Failure> {
    let start = regs::cntvct();
    loop {
        let taken = irq::poll();
        if taken.is_none() && regs::cntvct().wrapping_sub(start) < SOON * regs::cntfrq() {
            continue;
        }
        return equal(
            "interrupt of this vCPU",
            taken.map_or(1023, u64::from),
            id.into(),
        );
    }
}

/// Takes the core from whoever vCPU `core` runs.
fn nudge(core: u64) {
    gic::send(NUDGE, 1 << core);
}

/// Microseconds in ticks of the counter.
fn ticks(us: u64) -> u64 {
    us * regs::cntfrq() / 1_000_000
}
