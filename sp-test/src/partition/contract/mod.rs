//! A partition of the contract matrix: one source, built once for each version of FF-A.
//!
//! It answers, and does what a client of the matrix asks for (see
//! [`protocol`](crate::contract::protocol)). Every call it makes is watched: x0-x30 and SP by
//! [`judge`](crate::contract::judge), V0-V31, FPCR and FPSR by a fresh pattern. It never stops on
//! what it finds: it tells when it is asked.

mod command;
mod pass;
mod tally;

use crate::abi::{self, Regs, ids};
use crate::contract::{
    self, Boundary, Kind, SVE_HINT, Subject, is_extended_call,
    protocol::{self as ask, GARBAGE, HINT, WAIT_64},
};
use crate::expect::{self, Exchange, Mismatch};
use crate::rt::{
    call::{self, Conduit, fresh},
    cores,
    entry::Boot,
    fp::Vectors,
    spin,
};
use pass::with_payload;
use tally::Tally;

/// x4-x17, or as many of x3-x7.
type Payload = [u64; 14];

/// An action that a client has ordered for the next request or run.
#[derive(Clone, Copy)]
struct Armed {
    action: u64,
    first: u64,
    second: u64,
}

/// What happens next.
enum Step {
    /// This call.
    Call(Regs),
    /// A call has been made, and this is what completed it.
    Got(Regs),
}

/// One that answers by the protocol of the matrix.
pub(crate) struct Partition {
    me: &'static Subject,
    boundary: Boundary,
    /// What it is asked for beyond the matrix.
    more: More,
    /// What FFA_VERSION answered, x4 at entry.
    start: [u64; 2],
    tally: Tally,
    setup: u64,
    armed: Option<Armed>,
    calls: u64,
}

/// What is done about commands and actions that the matrix does not know.
#[derive(Clone, Copy)]
pub(crate) struct More {
    /// Runs a command with its arguments; gives the status and the details, if there is such a command.
    pub command: fn(&mut Partition, u16, [u64; 4]) -> Option<[u64; 5]>,
    /// Does what was ordered for the next request or run, with its arguments.
    pub act: fn(&mut Partition, u64, [u64; 2]),
}

/// Runs the partition, which speaks `version`.
pub fn run(version: u32, boot: &Boot) -> ! {
    let answer = ask_firmware(abi::VERSION, version.into())[0];
    let id = ask_firmware(abi::ID_GET, 0)[2] as u16;
    let Some(me) = Subject::find(id).filter(|me| me.version == version) else {
        panic!("a partition of version {version:#x} has the id {id:#x}");
    };
    crate::say!(
        "{} {:#x} up: asked for FF-A {version:#x}, got {answer:#x}, context {}, at {:#x}",
        me.name,
        id,
        boot.regs[4],
        boot.base,
    );
    cores::others(run_other);
    Partition::new(me, Boundary::Partition, [answer, boot.regs[4]], NO_MORE).serve()
}

/// Nothing beyond the matrix.
const NO_MORE: More = More {
    command: |_, _, _| None,
    act: |_, _, _| {},
};

/// Runs the context of another core, each time that it is switched on. The version is the first one's.
fn run_other(context: u64) -> ! {
    let id = ask_firmware(abi::ID_GET, 0)[2] as u16;
    let Some(me) = Subject::find(id) else {
        panic!("a context of nobody: {id:#x}");
    };
    let start = [me.version.into(), context];
    Partition::new(me, Boundary::Partition, start, NO_MORE).serve()
}

fn ask_firmware(id: u32, x1: u64) -> Regs {
    let mut regs = [0; 18];
    regs[0] = id.into();
    regs[1] = x1;
    call::call(Conduit::Smc, &mut regs);
    regs
}

impl Partition {
    /// It has not called anything yet that is watched. `start` is what FFA_VERSION answered, and x4 at entry.
    pub(crate) const fn new(
        me: &'static Subject,
        boundary: Boundary,
        start: [u64; 2],
        more: More,
    ) -> Self {
        Self {
            me,
            boundary,
            more,
            start,
            tally: Tally::new(),
            setup: 0,
            armed: None,
            calls: 0,
        }
    }

    /// Waits and answers.
    pub(crate) fn serve(&mut self) -> ! {
        let mut step = Step::Call(self.wait());
        loop {
            step = match step {
                Step::Call(regs) => Step::Got(self.exchange(&regs)),
                Step::Got(regs) => self.handle(&regs),
            };
        }
    }

    /// x0-x17 of the wait that is set up.
    fn wait(&self) -> Regs {
        let mut regs = [0; 18];
        regs[0] = match self.setup & WAIT_64 {
            0 => abi::MSG_WAIT,
            _ => abi::MSG_WAIT_64,
        }
        .into();
        regs
    }

    /// Makes a call, notes how it went and gives back x0-x17.
    pub(crate) fn exchange(&mut self, call: &Regs) -> Regs {
        let (exchange, result) = self.watch(call);
        let got = &exchange.got;
        self.tally
            .add(call[0], ask::key(got[0], got[2]), result.err());
        let mut regs = [0; 18];
        regs.copy_from_slice(&got[..18]);
        regs
    }

    /// Makes a call with everything watched. Registers that are no arguments of it are random.
    fn watch(&mut self, call: &Regs) -> (Exchange, Result<(), Mismatch>) {
        let id = call[0] as u32;
        let mut random = fresh();
        let mut sent = [0; 31];
        random.fill(&mut sent);
        let arguments = if is_extended_call(id) { 18 } else { 8 };
        for (slot, value) in sent.iter_mut().zip(call).take(arguments) {
            *slot = *value;
        }
        if self.setup & GARBAGE != 0 {
            let narrow = id & 1 << 30 == 0;
            let count = if narrow { 8 } else { 1 };
            for register in sent.iter_mut().take(count) {
                *register |= random.next() << 32;
            }
        }
        if self.setup & HINT != 0 {
            sent[0] |= SVE_HINT;
        }
        // By both conduits in turn: partitions may mix them.
        self.calls += 1;
        let conduit = match self.calls & 1 {
            0 => Conduit::Smc,
            _ => Conduit::Hvc,
        };
        let left = Vectors::pattern(random.next());
        left.load();
        let exchange = call::watched_call(conduit, sent);
        let result = contract::judge(&exchange, self.boundary)
            .and_then(|()| vectors_kept(left.differences(&Vectors::store())));
        (exchange, result)
    }

    /// Spins with everything watched.
    fn spin(&mut self, ticks: u64) {
        self.own_registers(|| spin::watched(ticks));
    }

    /// Does something that must leave all registers as they were, and notes whether it did: `what` says
    /// so of x0-x30.
    pub(crate) fn own_registers(&mut self, what: impl FnOnce() -> Result<(), Mismatch>) {
        let left = Vectors::fresh();
        left.load();
        let result = what().and_then(|()| vectors_kept(left.differences(&Vectors::store())));
        self.tally.add(0, 0, result.err());
    }

    /// A completion of one of the calls that wait for requests.
    fn handle(&mut self, got: &Regs) -> Step {
        let id = got[0] as u32;
        match Kind::of(id) {
            Some(kind) if id == kind.request() => {
                if let Some(answer) = self.command(kind, got) {
                    return Step::Call(answer);
                }
                match self.armed.take() {
                    Some(armed) => self.act(armed, kind, got),
                    None => Step::Call(self.answer(kind, got)),
                }
            }
            _ => {
                if id == abi::ERROR {
                    // This wait is not to be had: the other one always is.
                    self.setup &= !WAIT_64;
                }
                if id == abi::RUN
                    && let Some(armed) = self.armed.take()
                {
                    self.act_run(armed);
                }
                Step::Call(self.wait())
            }
        }
    }

    /// The answer to a request.
    fn answer(&self, kind: Kind, request: &Regs) -> Regs {
        contract::response(self.me.transform(), request, kind.response())
    }

    /// Does what was ordered, then answers.
    fn act(&mut self, armed: Armed, kind: Kind, request: &Regs) -> Step {
        match armed.action {
            ask::OTHER_WIDTH => {
                let other = match kind {
                    Kind::Req32 => Kind::Req64,
                    _ => Kind::Req32,
                };
                let got = self.exchange(&self.answer(other, request));
                if got[0] as u32 != abi::ERROR {
                    return Step::Got(got);
                }
            }
            ask::PASS_ON => {
                let (first, count) = kind.payload();
                let mut payload = [0; 14];
                for (slot, value) in payload
                    .iter_mut()
                    .zip(request.iter().skip(first).take(count))
                {
                    *slot = *value;
                }
                let answer = self.pass_on(armed, &payload);
                return Step::Call(with_payload(kind, request, &answer));
            }
            _ => self.act_alone(armed),
        }
        Step::Call(self.answer(kind, request))
    }

    /// Does what was ordered before it waits again, having been run.
    fn act_run(&mut self, armed: Armed) {
        match armed.action {
            ask::PASS_ON => {
                let mut payload = [0; 14];
                fresh().fill(&mut payload);
                self.pass_on(armed, &payload);
            }
            _ => self.act_alone(armed),
        }
    }

    /// Does an action that is no request of its own.
    pub(crate) fn act_now(&mut self, action: u64, [first, second]: [u64; 2]) {
        self.act_alone(Armed {
            action,
            first,
            second,
        });
    }

    fn act_alone(&mut self, armed: Armed) {
        match armed.action {
            ask::SPIN => self.spin(armed.first),
            ask::YIELD => {
                let mut regs = [0; 18];
                regs[0] = match armed.second {
                    0 => abi::YIELD,
                    _ => abi::YIELD_64,
                }
                .into();
                for _ in 0..armed.first {
                    self.exchange(&regs);
                }
            }
            ask::UNASKED => {
                for kind in Kind::ALL {
                    let mut regs = [0; 18];
                    regs[0] = kind.response().into();
                    regs[1] = ids(self.me.id, armed.first as u16);
                    self.exchange(&regs);
                }
            }
            action => (self.more.act)(self, action, [armed.first, armed.second]),
        }
    }
}

fn vectors_kept(differences: u64) -> Result<(), Mismatch> {
    match differences {
        0 => Ok(()),
        got => Err(Mismatch {
            register: expect::VECTORS,
            got,
            want: 0,
        }),
    }
}
