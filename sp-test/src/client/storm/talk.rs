//! What each core does: it sends one message after the other and checks every register of each answer, while its own
//! timer, the other cores and the devices of partitions interrupt whoever runs.

use super::choice::Message;
use super::interrupts;
use super::station::{self, Count, Order, State, Station};
use super::{Check, SEED, page, ticks};
use crate::abi::{self, BUSY, HYPERVISOR, Regs, ids, uuid_registers};
use crate::client::interrupts::gic;
use crate::client::report::{Failure, equal};
use crate::client::{Peer as Known, Refusal, compare};
use crate::expect::{self, Exchange};
use crate::interrupts::{ALL, QUEUED, SIGNALLED};
use crate::random::Random;
use crate::rt::{
    call::{Conduit, checked_call},
    spin,
};
use crate::storm::Peer;
use crate::storm::order::Order as Says;
use crate::storm::page::Count as Seen;

/// FFA_RUNs until something answers.
const RUNS: u32 = 100_000;

/// A core that talks.
pub struct Talker {
    pub(super) core: u64,
    pub(super) station: &'static Station,
    pub(super) random: Random,
}

/// What a core that was switched on does.
pub fn work(core: u64) {
    gic::open(core);
    gic::pmu::open();
    let mut talker = Talker::new(core);
    let station = talker.station;
    if let Err(failure) = talker.begin().and_then(|()| talker.talk()) {
        station.fail(failure);
    }
    talker.end();
    station.now(State::Away);
}

impl Talker {
    /// The core that runs this.
    pub fn new(core: u64) -> Self {
        let station = station::of(core);
        // Each time that it is switched on it makes other choices.
        let mut seed = Random::new(SEED ^ core << 56 ^ station.count(Count::On) << 40);
        Self {
            core,
            station,
            random: Random::new(seed.next()),
        }
    }

    /// Its contexts have started as often as it was switched on, and were told each time that it went off.
    fn begin(&mut self) -> Check {
        let on = self.station.count(Count::On);
        for who in ALL.into_iter().filter(|who| who.many) {
            let page = page(who, self.core);
            equal("starts of a context", page.count(Seen::Started), on)?;
            let told = who == SIGNALLED || who == QUEUED;
            let offs = if told { on - 1 } else { 0 };
            equal("a context was told of CPU_OFF", page.count(Seen::Off), offs)?;
            let Some(peer) = Peer::of((who.id - abi::ECHO).into()) else {
                continue;
            };
            let says = Says::started(self.core, on);
            let message = Message::order(&mut self.random, peer, says);
            self.send(&message)?;
        }
        self.station.now(State::Talks);
        Ok(())
    }

    fn talk(&mut self) -> Check {
        while self.station.order() == Order::Talk as u64 && !station::over() {
            self.once()?;
        }
        if self.station.order() == Order::Rest as u64 {
            gic::disarm();
            self.station.now(State::Rests);
            while self.station.order() == Order::Rest as u64 && !station::over() {
                self.rest()?;
            }
        }
        Ok(())
    }

    /// It is not interrupted any more, and no turn is its own.
    fn end(&self) {
        gic::disarm();
        gic::pmu::lower();
        interrupts::leave(self.core);
        while gic::take().is_some() {}
    }

    /// Lets a little time pass, with all registers watched.
    pub fn rest(&mut self) -> Check {
        let kept = spin::watched(ticks(100)).map_or_else(|lost| lost.register.into(), |()| 32);
        equal("a register that a core at rest lost", kept, 32)?;
        self.take().map(|_| ())
    }

    /// One message, and what else comes to mind.
    pub fn once(&mut self) -> Check {
        if station::interrupts() {
            self.interrupt()?;
        }
        let message = Message::random(&mut self.random, self.core, station::interrupts());
        self.send(&message)?;
        self.take().map(|_| ())
    }

    fn request(&self, message: &Message) -> Regs {
        let mut regs = [0; 18];
        self.random.clone().fill(&mut regs[8..]);
        regs[0] = message.id.into();
        regs[1] = ids(HYPERVISOR, message.peer.id);
        match message.id {
            abi::DIRECT_REQ2 => {
                let [low, high] = uuid_registers(message.peer.uuid());
                regs[2..4].copy_from_slice(&[low, high]);
                regs[4..].copy_from_slice(&message.words);
            }
            id => {
                for (register, word) in regs[3..8].iter_mut().zip(message.words) {
                    *register = match id {
                        abi::DIRECT_REQ_32 => word & 0xffff_ffff,
                        _ => word,
                    };
                }
            }
        }
        regs
    }

    /// Sends a message, runs its receiver until it answers, and checks the answer.
    pub fn send(&mut self, message: &Message) -> Check {
        let request = self.request(message);
        let peer = message.peer;
        let Some(mut exchange) = self.exchange(peer, &request)? else {
            return Ok(());
        };
        if exchange.sent[0] == abi::RUN.into() && exchange.got[0] == abi::DIRECT_RESP_64.into() {
            // Of a 32-bit call with a 64-bit completion EL3 gives back what the SPMC leaves behind x7: nothing.
            let (sent, got) = (&exchange.sent[8..18], &mut exchange.got[8..18]);
            if got.iter().all(|word| *word == 0) {
                got.copy_from_slice(sent);
            }
        }
        let known = Known {
            name: "",
            id: peer.id,
            uuid: peer.uuid(),
            transform: peer.transform(),
        };
        compare(&known, &request, &exchange).map_err(|wrong| failed(&exchange, wrong))?;
        self.station.add(match message.id {
            abi::DIRECT_REQ_32 => Count::Req32,
            abi::DIRECT_REQ_64 => Count::Req64,
            _ => Count::Req2,
        });
        if message.is_chain {
            self.station.add(Count::Chains);
        }
        Ok(())
    }

    fn call(&self, regs: &Regs) -> Exchange {
        self.station.does(regs[0], regs[1]);
        checked_call(Conduit::Smc, regs)
    }

    /// A request and whatever comes of it. `None` if the receiver is busy elsewhere.
    fn exchange(&mut self, peer: Peer, request: &Regs) -> Result<Option<Exchange>, Failure> {
        let mut exchange = self.call(request);
        for number in 0..RUNS {
            let x0 = exchange.got[0] as u32;
            match x0 {
                abi::INTERRUPT => self.station.add(Count::Preempted),
                abi::YIELD => self.station.add(Count::Yielded),
                abi::ERROR => {
                    expect::check(&exchange, &expect::Expect::Error(&[BUSY]))
                        .map_err(|wrong| failed(&exchange, wrong))?;
                    if number != 0 || peer.many {
                        return Err(Failure::Refused(refusal(&exchange)));
                    }
                    self.station.add(Count::Busy);
                    return Ok(None);
                }
                _ => return Ok(Some(exchange)),
            }
            let context = if peer.many { self.core } else { 0 };
            let target = u64::from(peer.id) << 16 | context;
            equal("whom to run", exchange.got[1], target)?;
            expect::own(&exchange, 8).map_err(|wrong| failed(&exchange, wrong))?;
            if x0 == abi::INTERRUPT {
                let rest = exchange.got[2..8].iter().fold(0, |all, word| all | word);
                equal("the rest of FFA_INTERRUPT", rest, 0)?;
                self.take_what_preempted()?;
            } else {
                self.take()?;
            }
            let mut run = *request;
            run[0] = abi::RUN.into();
            run[1] = target;
            run[2..8].fill(0);
            exchange = self.call(&run);
        }
        equal("FFA_RUNs until the answer", RUNS.into(), 0)?;
        Ok(None)
    }

    /// Runs the context of a partition that asked for cycles, until it waits.
    pub fn run(&mut self, target: u64) -> Check {
        let mut run: Regs = [0; 18];
        self.random.fill(&mut run[8..]);
        run[0] = abi::RUN.into();
        run[1] = target;
        for _ in 0..RUNS {
            let exchange = self.call(&run);
            match exchange.got[0] as u32 {
                abi::MSG_WAIT => {
                    self.station.add(Count::Runs);
                    return expect::own(&exchange, 8).map_err(|wrong| failed(&exchange, wrong));
                }
                abi::INTERRUPT => {
                    equal("whom to run", exchange.got[1], target)?;
                    self.station.add(Count::Preempted);
                    self.take_what_preempted()?;
                }
                _ => return Err(Failure::Refused(refusal(&exchange))),
            }
        }
        equal("FFA_RUNs until it waits", RUNS.into(), 0)
    }
}

fn refusal(exchange: &Exchange) -> Refusal {
    Refusal {
        x0: exchange.got[0],
        x2: exchange.got[2],
    }
}

fn failed(exchange: &Exchange, mismatch: expect::Mismatch) -> Failure {
    Failure::Register {
        conduit: Conduit::Smc,
        call: exchange.sent[0],
        mismatch,
        result: refusal(exchange),
    }
}
