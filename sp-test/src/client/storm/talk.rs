//! What each core does: it sends one message after the other and checks every register of each answer, while its own
//! timer, the other cores and the devices of partitions interrupt whoever runs.

use super::choice::Message;
use super::station::{self, Count, Order, State, Station};
use super::{Check, PATIENCE, SEED, page, ticks};
use crate::abi::{self, BUSY, HYPERVISOR, Regs, ids, uuid_registers};
use crate::client::interrupts::gic;
use crate::client::report::{Failure, equal};
use crate::client::{Peer as Known, Refusal, compare};
use crate::expect::{self, Exchange};
use crate::interrupts::{ALL, QUEUED, SCHEDULE_RECEIVER, SIGNALLED, SINGLE};
use crate::random::Random;
use crate::rt::{
    call::{Conduit, checked_call},
    cores, regs, spin,
};
use crate::storm::Peer;
use crate::storm::order::Order as Says;
use crate::storm::page::Count as Seen;
use core::sync::atomic::{AtomicU64, Ordering};

/// FFA_RUNs until something answers.
const RUNS: u32 = 100_000;
/// Interrupts of the normal world that can be pending at once, and more.
const PENDING: u32 = 64;

/// Whose turn it is to raise the line of a partition's device.
static TURN: AtomicU64 = AtomicU64::new(0);
/// How often it was raised.
static RAISED: AtomicU64 = AtomicU64::new(0);
/// When, the last time.
static SINCE: AtomicU64 = AtomicU64::new(0);
/// A partition has asked for cycles, so many times by all cores, of which the boot core knows so many.
static ASKED: [AtomicU64; cores::VCPUS] = [const { AtomicU64::new(0) }; cores::VCPUS];

/// How often the device's line was raised.
pub fn raised() -> u64 {
    RAISED.load(Ordering::Acquire)
}

/// How often partitions have asked for cycles.
pub fn asked() -> u64 {
    ASKED
        .iter()
        .map(|asked| asked.load(Ordering::Acquire))
        .sum()
}

/// A core that talks.
pub struct Talker {
    core: u64,
    station: &'static Station,
    random: Random,
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
        if TURN.load(Ordering::Acquire) == self.core {
            TURN.store(0, Ordering::Release);
        }
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

    /// Sees to it that somebody is interrupted soon.
    fn interrupt(&mut self) -> Check {
        let choice = self.random.next();
        if choice & 3 == 0 {
            gic::arm(ticks(10 + self.random.next() % 700));
        }
        if choice >> 2 & 7 == 0 {
            let to = self.random.next() % cores::VCPUS as u64;
            if station::of(to).is(State::Talks) {
                gic::send(to);
            }
        }
        if choice >> 5 & 15 == 0 {
            self.raise_pmu()?;
        }
        if TURN.load(Ordering::Acquire) == self.core {
            self.raise_device(choice >> 9)?;
        }
        Ok(())
    }

    /// This core's own interrupt of a partition: it comes at once, since nothing is masked here.
    fn raise_pmu(&mut self) -> Check {
        let page = page(SIGNALLED, self.core);
        gic::pmu::lower();
        self.station.add(Count::Pmu);
        gic::pmu::raise();
        let want = self.station.count(Count::Pmu);
        cores::patiently(PATIENCE, || page.count(Seen::Pmu) >= want);
        equal("interrupts of the PMU", page.count(Seen::Pmu), want)
    }

    /// The line of a partition that is anywhere: it is raised when the last time was seen.
    fn raise_device(&mut self, choice: u64) -> Check {
        let (seen, raised) = (page(SINGLE, 0).count(Seen::Device), raised());
        if seen != raised {
            equal("interrupts of the device, at most", seen.min(raised), seen)?;
            let waits = regs::cntvct().wrapping_sub(SINCE.load(Ordering::Acquire));
            if waits > PATIENCE * regs::cntfrq() {
                equal("interrupts of the device", seen, raised)?;
            }
            return Ok(());
        }
        match choice & 7 {
            0..=3 => {
                SINCE.store(regs::cntvct(), Ordering::Release);
                RAISED.store(raised + 1, Ordering::Release);
                self.station.add(Count::Device);
                gic::SHARED.raise();
            }
            4 => {
                let next = self.random.next() % cores::VCPUS as u64;
                // One that is off gets it when it is on; nobody else has it meanwhile.
                TURN.store(next, Ordering::Release);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes all interrupts of the normal world that are pending here. Gives how many.
    pub fn take(&mut self) -> Result<u32, Failure> {
        for number in 0..PENDING {
            match gic::take() {
                None => return Ok(number),
                Some(gic::TIMER) => self.station.add(Count::Timers),
                Some(gic::SGI) => self.station.add(Count::Sgis),
                Some(SCHEDULE_RECEIVER) => {
                    self.station.add(Count::Sris);
                    if let Some(asked) = ASKED.get(self.core as usize) {
                        asked.store(asked.load(Ordering::Relaxed) + 1, Ordering::Release);
                    }
                }
                Some(id) => equal("an interrupt that is nobody's", id.into(), 0)?,
            }
        }
        equal("interrupts at once", PENDING.into(), 0)?;
        Ok(PENDING)
    }

    /// Takes what a partition was preempted for: there is something. A more urgent interrupt, which is the secure
    /// world's, may hide it for a moment.
    fn take_what_preempted(&mut self) -> Check {
        let start = regs::cntvct();
        while self.take()? == 0 {
            let waits = regs::cntvct().wrapping_sub(start) > regs::cntfrq();
            equal("preempted for nothing", waits.into(), 0)?;
        }
        Ok(())
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
