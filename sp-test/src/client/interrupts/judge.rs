//! What a call must have come back with, what contexts must have seen, and what must be pending.

use super::{Check, Suite, WORD, answer_of, gic};
use crate::abi::{self, ids};
use crate::client::Refusal;
use crate::client::report::{Failure, equal};
use crate::expect::{self, Exchange, Expect, Mismatch};
use crate::interrupts::log::Event;
use crate::interrupts::{self as suite, Who};
use crate::rt::call::Conduit;

impl Suite {
    /// Fails unless the call was completed by the partition's answer.
    pub(super) fn answered(&self, exchange: &Exchange, who: Who) -> Check {
        let want = [
            abi::DIRECT_RESP_64.into(),
            ids(who.id, self.client.me),
            0,
            answer_of(who, WORD),
            0,
            0,
            0,
            0,
        ];
        let mut exchange = *exchange;
        if exchange.sent[0] >> 30 & 1 == 0 && exchange.got[8..18] == [0; 10] {
            // A 64-bit answer to a 32-bit call: the SPMC can't know what was in them.
            exchange.sent[8..18].fill(0);
        }
        completed(&exchange, &want)
    }

    /// Fails unless it was completed by FFA_INTERRUPT of a partition's context on this core.
    pub(super) fn interrupted_in(&self, exchange: &Exchange, who: Who, context: u64) -> Check {
        let x1 = u64::from(who.id) << 16 | context;
        completed(exchange, &[abi::INTERRUPT.into(), x1, 0, 0, 0, 0, 0, 0])
    }

    /// The same on the boot core.
    pub(super) fn interrupted(&self, exchange: &Exchange, who: Who) -> Check {
        self.interrupted_in(exchange, who, 0)
    }

    /// Fails unless it was completed by FFA_MSG_WAIT.
    pub(super) fn waits(&self, exchange: &Exchange) -> Check {
        expect::check(exchange, &Expect::Completion(abi::MSG_WAIT))
            .map_err(|wrong| failure(exchange, wrong))
    }

    /// Fails unless it was completed by FFA_YIELD.
    pub(super) fn yields(&self, exchange: &Exchange) -> Check {
        expect::check(exchange, &Expect::Completion(abi::YIELD))
            .map_err(|wrong| failure(exchange, wrong))
    }

    /// Fails unless it was refused with one of these.
    pub(super) fn refused(&self, exchange: &Exchange, codes: &'static [i32]) -> Check {
        expect::check(exchange, &Expect::Error(codes)).map_err(|wrong| failure(exchange, wrong))
    }

    /// Fails unless a context has seen exactly this.
    pub(super) fn saw_in(&self, who: Who, context: u64, events: &[Event]) -> Check {
        let page = self.page_of(who, context);
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

    /// The same on the boot core.
    pub(super) fn saw(&self, who: Who, events: &[Event]) -> Check {
        self.saw_in(who, 0, events)
    }

    /// When the boot core's context has seen this for the first time, after `since`.
    pub(super) fn time_of(&self, who: Who, event: Event, since: u64) -> Result<u64, Failure> {
        let page = self.page(who);
        (0..page.logged() as usize)
            .filter_map(|number| page.entry(number))
            .find(|(seen, time)| *seen == event && *time > since)
            .map(|(_, time)| time)
            .ok_or(Failure::Order {
                of: who.name,
                event,
            })
    }

    /// Fails unless these were seen in this order.
    pub(super) fn order(&self, events: &[(Who, Event)]) -> Check {
        let mut time = 0;
        for (who, event) in events {
            time = self.time_of(*who, *event, time)?;
        }
        Ok(())
    }

    /// Takes all interrupts of the normal world that are pending here: exactly these.
    pub(super) fn taken(&self, wanted: &[u32]) -> Check {
        if !self.client.direct {
            return Ok(());
        }
        for wanted in wanted {
            let taken = gic::take();
            equal(
                "interrupt of the normal world",
                taken.map_or(suite::NONE, u64::from),
                u64::from(*wanted),
            )?;
        }
        match gic::take() {
            None => Ok(()),
            Some(id) => equal(
                "one more interrupt of the normal world",
                id.into(),
                suite::NONE,
            ),
        }
    }
}

/// Fails unless x0-x7 are these, and all other registers the caller's own.
fn completed(exchange: &Exchange, want: &[u64; 8]) -> Check {
    for (register, (got, want)) in exchange.got.iter().zip(want).enumerate() {
        if got != want {
            let mismatch = Mismatch {
                register: register as u8,
                got: *got,
                want: *want,
            };
            return Err(failure(exchange, mismatch));
        }
    }
    expect::own(exchange, 8).map_err(|wrong| failure(exchange, wrong))
}

pub(super) fn failure(exchange: &Exchange, mismatch: Mismatch) -> Failure {
    Failure::Register {
        conduit: Conduit::Smc,
        call: exchange.sent[0],
        mismatch,
        result: Refusal {
            x0: exchange.got[0],
            x2: exchange.got[2],
        },
    }
}
