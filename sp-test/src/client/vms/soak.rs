//! Everybody talks to everybody, on all cores, with interrupts at random times; every answer is checked.

use super::{Env, ask, cores, good, matrix_ask, millisecond};
use crate::abi::{self, BUSY, Regs};
use crate::client::registers;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::suite::{S12, V12, is_response};
use crate::contract::{Kind, SUBJECTS, Subject, response};
use crate::expect::Exchange;
use crate::rt::{call::fresh, gic, interrupt, regs};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Seconds that it takes, unless the environment variable `TANTALUM_SOAK_SECONDS` said otherwise at compile time.
const SECONDS: u64 = match option_env!("TANTALUM_SOAK_SECONDS") {
    None => 60,
    Some(text) => {
        let bytes = text.as_bytes();
        let mut n = 0;
        let mut value = 0;
        while n < bytes.len() {
            assert!(bytes[n].is_ascii_digit(), "a number of seconds");
            value = value * 10 + (bytes[n] - b'0') as u64;
            n += 1;
        }
        value
    }
};

/// What each vCPU has done. Each writes its own.
struct Score {
    answers: AtomicU64,
    busy: AtomicU64,
    interrupts: AtomicU64,
    yields: AtomicU64,
}

static SCORES: [Score; 8] = [const {
    Score {
        answers: AtomicU64::new(0),
        busy: AtomicU64::new(0),
        interrupts: AtomicU64::new(0),
        yields: AtomicU64::new(0),
    }
}; 8];

fn score() -> &'static Score {
    SCORES.get(gic::vcpu() as usize).unwrap_or(&SCORES[0])
}

fn add(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

fn sum(of: fn(&Score) -> &AtomicU64) -> u64 {
    SCORES.iter().map(|score| of(score).load(Relaxed)).sum()
}

/// Runs it.
pub fn run(env: &mut Env) {
    env.case(format_args!("soak/all_cores"), all);
    env.case(format_args!("soak/everybody_is_alive"), |env| {
        for subject in SUBJECTS.iter().chain([env.two, env.three]) {
            env.suite
                .answered(Kind::Req64, subject, crate::client::suite::How::Clean)?;
        }
        good()
    });
    super::taint::everything(env);
}

fn all(env: &mut Env) -> Verdict {
    for core in 1..cores::VCPUS {
        cores::begin(core, env, talk)?;
    }
    let own = talk(env);
    let mut verdicts = [own; cores::VCPUS as usize];
    for (core, verdict) in (0..).zip(&mut verdicts).skip(1) {
        *verdict = cores::finish(core);
    }
    for verdict in verdicts {
        verdict?;
    }
    crate::say!(
        "@note {} answers, {} times busy, {} interrupts, {} yields in {SECONDS} s",
        sum(|score| &score.answers),
        sum(|score| &score.busy),
        sum(|score| &score.interrupts),
        sum(|score| &score.yields),
    );
    for (core, score) in (0u64..).zip(&SCORES).take(cores::VCPUS as usize) {
        let enough = score.answers.load(Relaxed) > 10 * SECONDS;
        equal("a vCPU has talked enough", enough.into(), 1).map_err(|_| Failure::Value {
            what: "answers of a vCPU that has talked too little",
            got: score.answers.load(Relaxed),
            want: core,
        })?;
    }
    Ok(Seen::Count("answers", sum(|score| &score.answers)))
}

/// One vCPU's part.
fn talk(env: &mut Env) -> Verdict {
    let start = regs::cntvct();
    let end = SECONDS * regs::cntfrq();
    let mut random = fresh();
    while regs::cntvct().wrapping_sub(start) < end {
        // Between a tenth and three milliseconds from now, or not at all.
        if random.next() & 3 != 0 {
            interrupt::arm(millisecond() / 10 + random.next() % (3 * millisecond()));
        }
        once(env, random.next(), random.next())?;
        // It may have come while this one ran itself.
        env.suite.take_interrupt()?;
    }
    let _ = interrupt::take();
    Ok(Seen::Count("answers", score().answers.load(Relaxed)))
}

/// One exchange, as `choice` says.
fn once(env: &mut Env, choice: u64, detail: u64) -> Result<(), Failure> {
    let core = gic::vcpu();
    let [two, three] = [env.two, env.three];
    // Those that can be called here. Partitions with a context for each core have them on the boot core alone.
    let who: &'static Subject = match choice % 6 {
        0 | 1 => two,
        2 if core < 2 => three,
        3 if core == 0 => V12,
        4 => S12,
        _ => two,
    };
    let vm = who.id < abi::SPMC;
    match choice >> 8 & 7 {
        // Does something first.
        0 | 1 if vm => busy_for(env, who, matrix_ask::SPIN, detail % (4 * millisecond())),
        2 if vm => busy_for(env, who, matrix_ask::YIELD, 1 + detail % 3),
        3 if vm => busy_for(env, who, ask::WAIT, 1 + detail % 2),
        4 | 5 if vm => forward(env, who, detail),
        6 => message(env, who, Kind::Req32),
        7 if who.is_extended() && !who.strict => message(env, who, Kind::Req2),
        _ => message(env, who, Kind::Req64),
    }
}

/// A request and what comes of it, whoever is interrupted or yields. `None` if the receiver is busy.
pub(super) fn exchange(env: &mut Env, request: &Regs) -> Result<Option<Exchange>, Failure> {
    let mut exchange = env.suite.call(request)?;
    for _ in 0..10_000 {
        match exchange.got[0] as u32 {
            abi::INTERRUPT => add(&score().interrupts),
            abi::YIELD => add(&score().yields),
            abi::ERROR if exchange.got[2] == abi::code(BUSY) => {
                if exchange.sent[0] == abi::RUN.into() {
                    equal("an error of FFA_RUN", exchange.got[2], 0)?;
                }
                add(&score().busy);
                return Ok(None);
            }
            _ => {
                add(&score().answers);
                return Ok(Some(exchange));
            }
        }
        env.suite.take_interrupt()?;
        let target = exchange.got[1];
        equal("who was interrupted", target >> 16, request[1] & 0xffff)?;
        exchange = env
            .suite
            .call(&registers(abi::RUN, &[target, 0, 0, 0, 0, 0, 0]))?;
    }
    equal("interrupts until the answer", 10_000, 0)?;
    Ok(None)
}

pub(super) fn message(env: &mut Env, who: &'static Subject, kind: Kind) -> Result<(), Failure> {
    let request = env.suite.request(kind, who);
    match exchange(env, &request)? {
        Some(exchange) => is_response(who, &request, &exchange, kind.response()),
        None => Ok(()),
    }
}

/// A command in a `DIRECT_REQ_64`: the details of its answer.
pub(super) fn command(
    env: &mut Env,
    who: &'static Subject,
    command: u16,
    arguments: [u64; 4],
) -> Result<Option<[u64; 4]>, Failure> {
    let mut request = env.suite.request(Kind::Req64, who);
    request[3] = crate::protocol::command(command);
    request[4..8].copy_from_slice(&arguments);
    let Some(exchange) = exchange(env, &request)? else {
        return Ok(None);
    };
    let got = &exchange.got;
    equal("x0 of a command", got[0], abi::DIRECT_RESP_64.into())?;
    equal("x1 of a command", got[1], abi::ids(who.id, abi::VM1))?;
    equal("its status", got[3], crate::protocol::OK)?;
    Ok(Some([got[4], got[5], got[6], got[7]]))
}

fn busy_for(env: &mut Env, who: &'static Subject, action: u64, first: u64) -> Result<(), Failure> {
    command(env, who, ask::DO, [action, first, 0, 0]).map(|_| ())
}

/// Has `who` ask somebody else, who may be busy.
fn forward(env: &mut Env, who: &'static Subject, detail: u64) -> Result<(), Failure> {
    let callee: &'static Subject = match detail % 3 {
        0 if who.id == env.two.id && gic::vcpu() < 2 => env.three,
        1 if who.id == env.three.id => env.two,
        _ => S12,
    };
    let words = [detail, !detail];
    let how = u64::from(abi::DIRECT_REQ_64);
    let arguments = [callee.id.into(), how, words[0], words[1]];
    let Some([first, second, ..]) = command(env, who, ask::FORWARD, arguments)? else {
        return Ok(());
    };
    if first == abi::ERROR.into() {
        return equal("an error of the forwarded request", second, abi::code(BUSY));
    }
    let mut sent = [0; 18];
    sent[0] = abi::DIRECT_REQ_64.into();
    sent[1] = abi::ids(who.id, callee.id);
    sent[3..5].copy_from_slice(&words);
    let want = response(callee.transform(), &sent, abi::DIRECT_RESP_64);
    equal("the first word of the forwarded answer", first, want[3])?;
    equal("the second word of the forwarded answer", second, want[4])
}
