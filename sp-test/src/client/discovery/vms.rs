//! NS-EL2 tells partitions of VMs that come and go, and what takes both sides to see of that.

use super::{Suite, Text, Verdict, equal};
use crate::abi::{self, BUSY, INVALID_PARAMETERS, ids};
use crate::client::registers;
use crate::discovery::protocol::{GIVE_BACK, PASSED, TRIED, TRY, TRY_NOW, VMS};
use crate::discovery::vms::{EVENTS, Event};
use crate::discovery::{Me, Subject};
use crate::expect::{self, Exchange};
use crate::rt::call::{Conduit, checked_call};
use core::fmt::Write;

/// The VM that they are told of, with something in the register's reserved bits.
const VM: u64 = 0x1234;
const HANDLE: [u64; 2] = [0x89ab_cdef, 0x0123_4567];

impl Suite {
    /// All cases with one partition.
    pub(super) fn tell_of_vms(&mut self, subject: &'static Subject) {
        let me = Me::partition(subject);
        let verdict = self.tried(subject, TRY_NOW);
        self.report(&me, "answer_of_the_framework_denied", verdict);
        for event in &EVENTS {
            let reaches = event.reaches(self.env.me.version, subject);
            let verdict = if reaches {
                self.told(subject, event)
            } else {
                self.not_told(subject, event)
            };
            self.report(&me, event.name, verdict);
            if reaches {
                let verdict = self.wrong_answers(subject, event);
                let name = format_args!("{}_wrong_answers", event.name);
                self.report(&me, name, verdict);
            }
            if reaches && me.is_extended() {
                let verdict = self.busy(subject, event);
                self.report(&me, format_args!("{}_busy", event.name), verdict);
            }
        }
    }

    /// What the partition was told; how it answers from now on.
    fn news(&self, subject: &Subject, status: u64, before: u64) -> Result<[u64; 4], Text> {
        let (passed, news) = self.ask(subject, VMS, [status, before])?;
        equal("status of the command", passed.into(), PASSED.into())?;
        Ok(news)
    }

    fn send(event: &Event, subject: &Subject) -> Exchange {
        let [low, high] = HANDLE;
        let to = ids(abi::HYPERVISOR, subject.id);
        // What the message does not have is not the partition's to see.
        let arguments = [to, event.w2(), low, high, VM | 0xffff_0000, 0x77, 0x88];
        checked_call(Conduit::Smc, &registers(abi::DIRECT_REQ_32, &arguments))
    }

    /// The partition is told exactly this, and its status comes back.
    fn told(&self, subject: &Subject, event: &Event) -> Verdict {
        for status in [0, abi::code(abi::NO_MEMORY)] {
            self.news(subject, status, 0)?;
            answered(&Self::send(event, subject), subject, event, status)?;
            let [count, last, low, high] = self.news(subject, 0, 0)?;
            equal("messages", count, 1)?;
            equal("number and VM", last, event.request | VM << 16)?;
            equal("handle, low", low, HANDLE[0])?;
            equal("handle, high", high, HANDLE[1])?;
        }
        Ok(())
    }

    fn not_told(&self, subject: &Subject, event: &Event) -> Verdict {
        self.news(subject, 0, 0)?;
        let exchange = Self::send(event, subject);
        refused(&exchange, abi::code(INVALID_PARAMETERS))?;
        let [count, ..] = self.news(subject, 0, 0)?;
        equal("messages", count, 0)
    }

    /// How a partition's wrong answers went.
    fn tried(&self, subject: &Subject, command: u16) -> Verdict {
        let (_, [count, denied, w0, w2]) = self.ask(subject, command, [0; 2])?;
        equal("w0 of one that was not denied", w0, 0)?;
        equal("w2 of one that was not denied", w2, 0)?;
        equal("wrong answers denied", denied, count)?;
        match count {
            6 | 7 => Ok(()),
            _ => equal("wrong answers tried", count, 7),
        }
    }

    /// Every wrong answer is DENIED, and the right one then ends the message.
    fn wrong_answers(&self, subject: &Subject, event: &Event) -> Verdict {
        self.news(subject, 0, TRY)?;
        answered(&Self::send(event, subject), subject, event, 0)?;
        self.tried(subject, TRIED)?;
        self.news(subject, 0, 0).map(|_| ())
    }

    /// One that has yielded while it was told is busy, and answers when it is run again.
    fn busy(&self, subject: &Subject, event: &Event) -> Verdict {
        self.news(subject, 0, GIVE_BACK)?;
        let target = u64::from(subject.id) << 16;
        let yielded = Self::send(event, subject);
        equal("x0", yielded.got[0], abi::YIELD.into())?;
        equal("x1 of FFA_YIELD", yielded.got[1], target)?;
        refused(&Self::send(event, subject), abi::code(BUSY))?;
        let run = checked_call(Conduit::Smc, &registers(abi::RUN, &[target]));
        answered(&run, subject, event, 0)?;
        self.news(subject, 0, 0).map(|_| ())
    }
}

/// Fails unless the call came back with the one right answer, and nothing else.
fn answered(exchange: &Exchange, subject: &Subject, event: &Event, status: u64) -> Verdict {
    let wanted = [
        abi::DIRECT_RESP_32.into(),
        ids(subject.id, abi::HYPERVISOR),
        event.answer(),
        status,
        0,
        0,
        0,
        0,
    ];
    exact(exchange, wanted)
}

fn refused(exchange: &Exchange, code: u64) -> Verdict {
    exact(exchange, [abi::ERROR.into(), 0, code, 0, 0, 0, 0, 0])
}

fn exact(exchange: &Exchange, wanted: [u64; 8]) -> Verdict {
    for (n, (got, want)) in exchange.got.iter().zip(wanted).enumerate() {
        equal(format_args!("x{n}"), *got, want)?;
    }
    expect::own(exchange, 8).map_err(|wrong| {
        let mut text = Text::new();
        // A `Line` never fails: it cuts.
        let _ = write!(
            text,
            "x{}: got {:#x}, not its own",
            wrong.register, wrong.got
        );
        text
    })
}
