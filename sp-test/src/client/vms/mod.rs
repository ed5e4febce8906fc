//! The clients of suite `vms`: the primary VM, with several vCPUs, and other VMs beside it that answer like
//! the partitions of the [contract matrix](super::contract), which are there as well.
//!
//! Cells that are the matrix's own are reported as `vms/vm2/<boundary>/…`, everything else as
//! `vms/<chapter>/<case>`:
//!
//! | chapter | cases |
//! | --- | --- |
//! | `boot` | the others' first FFA_RUN, CPU_ON, who they are |
//! | `matrix` | messages, waits, cycles and chains of VMs, by version and mode |
//! | `errors` | calls that must be refused, by this VM and by the others |
//! | `cycles` | interrupts for each member of a chain, yields, WFI, time slices |
//! | `taint` | what one VM leaves in registers is nobody else's |
//! | `gic` | the virtual interrupt controller and timer |
//! | `discovery` | what VMs are told of one another, and their buffers |
//! | `isolation` | memory and system registers of others |
//! | `storm` | a VM that does its worst for a while |
//! | `death` | VMs that end, in every state |
//! | `soak` | everybody talks to everybody, on all cores |
//! | `eight` | eight cores: power, interrupts of both worlds, ends of VMs |
//!
//! vCPU 0 alone prints; what the others find comes to it through shared memory.

mod boot;
mod cores;
mod cycles;
mod death;
mod discovery;
mod eight;
mod errors;
mod gic;
mod isolation;
mod matrix;
mod soak;
mod storm;
mod taint;

use super::report::{Failure, Seen, Verdict, equal};
use super::suite::{Suite, is_response, starts_with};
use super::{Client, registers};
use crate::abi;
use crate::contract::{Kind, Subject, protocol as matrix_ask};
use crate::expect::Exchange;
use crate::rt::{entry::Boot, interrupt, regs};
use crate::vms::{peer, protocol as ask};
use core::fmt;

/// What a client of the suite does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The matrix of one version and mode.
    Matrix,
    /// Every chapter.
    All,
    /// VMs that end.
    Death,
    /// Everybody talks to everybody.
    Soak,
    /// Eight cores, with the partitions of the suite `interrupts`.
    Eight,
}

/// The VMs as the primary knows them.
#[derive(Clone, Copy)]
struct Env {
    suite: Suite,
    /// VM 2, with one vCPU that runs where it is called.
    two: &'static Subject,
    /// VM 3, with two vCPUs, pinned to the first two cores.
    three: &'static Subject,
}

/// A case of a chapter.
struct Case {
    name: &'static str,
    run: fn(&mut Env) -> Verdict,
}

const fn case(name: &'static str, run: fn(&mut Env) -> Verdict) -> Case {
    Case { name, run }
}

/// The image's start. `version` and `strict` are those of this client.
pub fn main(name: &str, version: u32, strict: bool, role: Role, boot: &Boot) -> ! {
    let client = Client::start_at(name, version, boot);
    let unknown = peer(2, abi::V1_2, false).zip(peer(3, abi::V1_2, false));
    let Some((two, three)) = unknown else {
        panic!("no peers");
    };
    let mut env = Env {
        suite: Suite::new(client, "vms", version, strict),
        two,
        three,
    };
    crate::rt::gic::open();
    match role {
        Role::Death => death::run(&mut env),
        Role::Eight => eight::run(&mut env),
        Role::Soak => {
            if boot::run(&mut env) {
                soak::run(&mut env);
            }
        }
        Role::Matrix | Role::All => {
            if boot::run(&mut env) {
                chapters(&mut env, role);
            }
        }
    }
    env.suite.client.end()
}

fn chapters(env: &mut Env, role: Role) {
    if role == Role::All {
        errors::run(env);
        cycles::run(env);
        taint::run(env);
        gic::run(env);
        discovery::run(env);
        isolation::run(env);
        storm::run(env);
    }
    matrix::run(env);
    taint::everything(env);
}

impl Env {
    /// Runs and reports a case. After a failure everybody is run until they wait.
    fn case(&mut self, name: fmt::Arguments<'_>, run: impl FnOnce(&mut Self) -> Verdict) -> bool {
        let verdict = run(self);
        let good = verdict.is_ok();
        self.suite.client.case(format_args!("vms/{name}"), verdict);
        if !good {
            crate::rt::irq::mask();
            self.suite.recover();
        }
        good
    }

    fn each(&mut self, chapter: &str, cases: &[Case]) {
        for case in cases {
            self.case(format_args!("{chapter}/{}", case.name), case.run);
        }
    }

    /// FFA_RUN of this vCPU of a VM, once.
    fn run_vcpu(&mut self, id: u16, vcpu: u16) -> Result<Exchange, Failure> {
        let target = u64::from(id) << 16 | u64::from(vcpu);
        self.suite
            .call(&registers(abi::RUN, &[target, 0, 0, 0, 0, 0, 0]))
    }

    /// Makes a call and runs whom it names for as long as the time slice ends it.
    fn patiently(&mut self, call: &abi::Regs) -> Result<Exchange, Failure> {
        let mut exchange = self.suite.call(call)?;
        for _ in 0..1000 {
            if exchange.got[0] != abi::INTERRUPT.into() {
                break;
            }
            self.suite.take_interrupt()?;
            let target = exchange.got[1];
            let form = match self.suite.column.strict {
                true => abi::RUN_64,
                false => abi::RUN,
            };
            exchange = self
                .suite
                .call(&registers(form, &[target, 0, 0, 0, 0, 0, 0]))?;
        }
        Ok(exchange)
    }

    /// Runs a vCPU until it waits for messages.
    fn until_it_waits(&mut self, id: u16, vcpu: u16) -> Result<(), Failure> {
        let target = u64::from(id) << 16 | u64::from(vcpu);
        let run = registers(abi::RUN, &[target, 0, 0, 0, 0, 0, 0]);
        let exchange = self.patiently(&run)?;
        starts_with(&exchange, &[abi::MSG_WAIT.into(), target])
    }

    /// Has a VM do an action at once, in a `DIRECT_REQ_64`. Gives what came back.
    fn begin(
        &mut self,
        subject: &Subject,
        action: u64,
        first: u64,
        second: u64,
    ) -> Result<Exchange, Failure> {
        let mut request = self.suite.request(Kind::Req64, subject);
        request[3] = crate::protocol::command(ask::DO);
        request[4..8].copy_from_slice(&[action, first, second, 0]);
        self.suite.call(&request)
    }

    /// The same, to its end.
    fn perform(
        &mut self,
        subject: &Subject,
        action: u64,
        first: u64,
        second: u64,
    ) -> Result<(), Failure> {
        let mut exchange = self.begin(subject, action, first, second)?;
        for _ in 0..1000 {
            if exchange.got[0] != abi::INTERRUPT.into() {
                break;
            }
            self.suite.take_interrupt()?;
            exchange = self.suite.run(abi::RUN, subject)?;
        }
        done(&exchange, subject)
    }

    /// Everybody answers.
    fn alive(&mut self) -> Result<(), Failure> {
        let suite = &mut self.suite;
        for subject in [self.two, self.three, super::suite::V12] {
            for kind in [Kind::Req32, Kind::Req64] {
                let request = suite.request(kind, subject);
                let exchange = suite.call(&request)?;
                is_response(subject, &request, &exchange, kind.response())?;
            }
        }
        Ok(())
    }

    /// How often vCPU 0 of a VM took interrupt `id`; forgets it if `again`.
    fn taken(&mut self, subject: &Subject, id: u32, again: bool) -> Result<u64, Failure> {
        let [count, nothing, others, _] =
            self.suite
                .ask(subject, ask::TAKEN, [id.into(), again.into(), 0, 0])?;
        equal("interrupts that were none", nothing, 0)?;
        equal("interrupts of others", others, 0)?;
        Ok(count)
    }

    /// Has vCPU 0 of a VM be interrupted by its timer every `ticks`; 0 ends that.
    fn timer(&mut self, subject: &Subject, ticks: u64) -> Result<(), Failure> {
        self.suite
            .ask(subject, ask::TIMER, [ticks, 0, 0, 0])
            .map(|_| ())
    }
}

/// The answer to [`Env::begin`] has come.
fn done(exchange: &Exchange, subject: &Subject) -> Result<(), Failure> {
    let ids = abi::ids(subject.id, abi::VM1);
    starts_with(
        exchange,
        &[abi::DIRECT_RESP_64.into(), ids, 0, crate::protocol::OK],
    )
}

/// Ticks of a millisecond.
fn millisecond() -> u64 {
    regs::cntfrq() / 1000
}

/// This VM's timer is off, and its interrupt is not pending.
fn timer_off() -> Result<(), Failure> {
    match interrupt::take() {
        Ok(false) => Ok(()),
        Ok(true) => Err(Failure::Value {
            what: "an interrupt of this VM's timer",
            got: 1,
            want: 0,
        }),
        Err(id) => Err(Failure::Value {
            what: "an interrupt that is not this VM's",
            got: id,
            want: 0,
        }),
    }
}

/// Nothing worth a word was seen.
const fn good() -> Verdict {
    Ok(Seen::Nothing)
}

/// A spin of so many milliseconds, as the arguments of [`Env::begin`].
fn spin(milliseconds: u64) -> [u64; 3] {
    [matrix_ask::SPIN, milliseconds * millisecond(), 0]
}
