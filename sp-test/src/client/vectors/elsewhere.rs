//! A partition that is interrupted while it uses its vector registers and goes on on another core. Both partitions of
//! these boots have one context.

use super::{Check, Suite, equal};
use crate::abi;
use crate::client::{ECHO, RELAY, plain};
use crate::protocol;
use crate::rt::call::{self, Conduit, fresh};
use crate::rt::{cores, interrupt, regs, sve};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The core that goes on with it.
const OTHER: u64 = 1;
/// Seconds until that has done so.
const SOON: u64 = 20;
/// Milliseconds that the partition looks at its registers, and until it is interrupted.
const BUSY: u64 = 20;
const UNTIL_INTERRUPT: u64 = 4;

/// What the other core found: x0 and the partition's count of its last run, and what changed of its own registers.
static FOUND: [AtomicU64; 3] = [const { AtomicU64::new(u64::MAX) }; 3];

/// Runs the chapter.
pub fn run(suite: &mut Suite) {
    interrupt::open();
    let verdict = preempted(suite, false);
    suite.case("preempted-in-the-middle-goes-on-here", verdict);
    let verdict = preempted(suite, true);
    suite.case("preempted-in-the-middle-goes-on-on-another-core", verdict);
}

/// Interrupts `sp-relay`, which compares its registers with its pattern all the time.
fn preempted(suite: &Suite, elsewhere: bool) -> Check {
    let milliseconds = regs::cntfrq() / 1000;
    let seed = fresh().next();
    let mut payload = [0; 14];
    payload[0] = protocol::command(protocol::FP_BUSY);
    payload[1] = seed;
    payload[2] = BUSY * milliseconds;
    let mut request = suite.client.req2(&RELAY, &payload);
    let changed = with_pattern(suite, 0, || {
        interrupt::arm(UNTIL_INTERRUPT * milliseconds);
        call::call(Conduit::Smc, &mut request);
    });
    let taken = interrupt::take();
    equal("x0 of the request", request[0], abi::INTERRUPT.into())?;
    equal("the interrupt", u64::from(taken == Ok(true)), 1)?;
    equal("words that changed", changed, 0)?;
    // Somebody else uses them meanwhile.
    suite.with_fp_of(&ECHO, |suite| suite.client.talk(&ECHO))?;
    for found in &FOUND {
        found.store(u64::MAX, Relaxed);
    }
    if elsewhere {
        equal("CPU_ON", cores::start(OTHER, go_on, 0) as u64, 0)?;
        let done = cores::patiently(SOON, || cores::done(OTHER));
        equal("the other core's end", u64::from(done), 1)?;
    } else {
        go_on(u64::MAX);
    }
    let [x0, differences, changed] = [0, 1, 2].map(|n: usize| FOUND[n].load(Relaxed));
    equal("x0 of FFA_RUN", x0, abi::DIRECT_RESP2.into())?;
    equal("words of the partition's that changed", differences, 0)?;
    equal("words that changed there", changed, 0)?;
    // What it left there is here, too.
    let answer = suite.client.command(&RELAY, protocol::USE_FP, &[seed])?;
    equal("words of the partition's that changed", answer[1], 0)
}

/// Runs it to its answer, on whichever core.
fn go_on(here: u64) {
    let suite = Suite {
        client: crate::client::Client {
            direct: true,
            me: abi::HYPERVISOR,
            version: 0,
            count: 0,
            failures: 0,
        },
        present: sve::present(),
    };
    if here == 0 {
        sve::open(suite.present);
    }
    let mut result = [0; 18];
    let set = usize::from(here == 0);
    let changed = with_pattern(&suite, set, || {
        result = plain(abi::RUN, &[u64::from(RELAY.id) << 16]);
    });
    for (found, value) in FOUND.iter().zip([result[0], result[5], changed]) {
        found.store(value, Relaxed);
    }
}

/// Makes a call with a pattern in all vector registers; gives how many words of it changed.
fn with_pattern(suite: &Suite, set: usize, call: impl FnOnce()) -> u64 {
    if !suite.present.sve {
        let put = crate::rt::fp::Vectors::fresh();
        put.load();
        call();
        return put.differences(&crate::rt::fp::Vectors::store());
    }
    // SAFETY: each core has a set of its own, and no other reference to it.
    let [(put, _), (found, _)] = unsafe { sve::sets(set) };
    let bytes = sve::length();
    put.fill(fresh().next(), bytes, true);
    put.load(true);
    call();
    found.store(true);
    put.differences(found, bytes).all()
}
