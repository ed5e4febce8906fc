//! The boot core of a storm: it talks as the others do, and has each of them go off and come on again, at any moment.

use super::interrupts::raised;
use super::schedule::Schedule;
use super::station::{self, Count, Order, State};
use super::talk::{Talker, work};
use super::{Check, PATIENCE, contexts, page};
use crate::client::report::{Failure, equal};
use crate::interrupts::SINGLE;
use crate::random::Random;
use crate::rt::{cores, regs};
use crate::storm::page::Count as Seen;

/// PSCI AFFINITY_INFO: it is off.
const OFF: i64 = 1;

/// Where a core is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Off,
    Coming,
    On,
    Leaving,
}

/// Another core, as the boot core sees it.
#[derive(Clone, Copy, Debug)]
struct Other {
    core: u64,
    phase: Phase,
    /// Since when something should have happened.
    since: u64,
    /// Its answers then.
    answers: u64,
}

impl Other {
    const fn new(core: u64) -> Self {
        Self {
            core,
            phase: Phase::Off,
            since: 0,
            answers: 0,
        }
    }

    /// It is somewhere else, or has talked.
    fn moves(&mut self, phase: Phase, answers: u64) {
        *self = Self {
            core: self.core,
            phase,
            since: regs::cntvct(),
            answers,
        };
    }

    /// Switches it on, if it is off and shall be on; looks where it is; has it leave, if it is on and shall not be.
    fn step(&mut self, on: bool) -> Check {
        let station = station::of(self.core);
        match self.phase {
            Phase::Off if on => {
                station.tell(Order::Talk);
                station.add(Count::On);
                equal("CPU_ON", cores::start(self.core, work, self.core) as u64, 0)?;
                self.moves(Phase::Coming, 0);
            }
            Phase::Off => {}
            Phase::Coming if station.is(State::Talks) => {
                self.moves(Phase::On, station.answers());
            }
            Phase::On if !on => {
                station.tell(Order::Leave);
                self.moves(Phase::Leaving, 0);
            }
            Phase::On if station.answers() != self.answers => {
                self.moves(Phase::On, station.answers());
            }
            Phase::Leaving if cores::done(self.core) && cores::affinity_info(self.core) == OFF => {
                self.moves(Phase::Off, 0);
            }
            _ => self.patience()?,
        }
        Ok(())
    }

    fn patience(&self) -> Check {
        if regs::cntvct().wrapping_sub(self.since) < PATIENCE * regs::cntfrq() {
            return Ok(());
        }
        let [x0, x1] = station::of(self.core).doing();
        crate::say!(
            "@note core {} does not get on: {:?}, its last call {x0:#x} {x1:#x}",
            self.core,
            self.phase
        );
        equal("a core that gets on", self.core, 0)
    }
}

/// All of them.
type Others = [Other; cores::VCPUS - 1];

/// A storm.
pub fn run(seconds: u64) -> Check {
    let station = station::of(0);
    station.add(Count::On);
    station.now(State::Talks);
    let mut talker = Talker::new(0);
    let verdict = storm(&mut talker, seconds);
    if let (Err(failure), None) = (verdict, station::failure()) {
        station.fail(failure);
    }
    // The others end by themselves now, wherever they are.
    for (_, station) in station::all() {
        station.tell(Order::Leave);
    }
    cores::patiently(PATIENCE / 2, || {
        station::all()
            .skip(1)
            .all(|(core, _)| cores::affinity_info(core) == OFF)
    });
    match station::failure() {
        Some((core, failure)) => {
            let [x0, x1] = station::of(core).doing();
            crate::say!("@note core {core} failed, its last call {x0:#x} {x1:#x}");
            Err(failure)
        }
        None => all_off(),
    }
}

fn all_off() -> Check {
    for (core, _) in station::all().skip(1) {
        equal(
            "AFFINITY_INFO",
            cores::affinity_info(core) as u64,
            OFF as u64,
        )?;
    }
    Ok(())
}

fn storm(talker: &mut Talker, seconds: u64) -> Check {
    let mut others: Others = core::array::from_fn(|n| Other::new(n as u64 + 1));
    let mut schedule = Schedule::default();
    let mut random = Random::new(super::SEED);
    let start = regs::cntvct();
    while regs::cntvct().wrapping_sub(start) < seconds * regs::cntfrq() {
        over()?;
        let choice = random.next();
        let number = (choice % others.len() as u64) as usize;
        for (n, other) in others.iter_mut().enumerate() {
            other.step(n != number || choice >> 8 & 63 != 0)?;
        }
        talker.once()?;
        schedule.run(talker)?;
    }
    rest(talker, &mut others, &mut schedule)
}

/// Somebody else failed.
fn over() -> Check {
    match station::failure() {
        Some((_, failure)) => Err(failure),
        None => Ok(()),
    }
}

/// All are on and rest, until nothing is under way any more.
fn rest(talker: &mut Talker, others: &mut Others, schedule: &mut Schedule) -> Check {
    while others.iter().any(|other| other.phase != Phase::On) {
        over()?;
        for other in others.iter_mut() {
            other.step(true)?;
        }
        talker.once()?;
        schedule.run(talker)?;
    }
    for (_, station) in station::all().skip(1) {
        station.tell(Order::Rest);
    }
    let start = regs::cntvct();
    loop {
        over()?;
        talker.rest()?;
        schedule.run(talker)?;
        let all_rest = station::all()
            .skip(1)
            .all(|(_, station)| station.is(State::Rests));
        let missing = missing();
        if all_rest && missing.is_none() {
            return Ok(());
        }
        if regs::cntvct().wrapping_sub(start) > PATIENCE * regs::cntfrq() {
            equal("all cores rest", all_rest.into(), 1)?;
            return missing.map_or(Ok(()), Err);
        }
    }
}

/// What has not come yet.
fn missing() -> Option<Failure> {
    let late = contexts().find(|(who, context)| {
        let page = page(*who, *context);
        page.due() != 0 || page.is_asked()
    });
    if let Some((who, context)) = late {
        return Some(Failure::Value {
            what: match page(who, context).due() {
                0 => "context whose IPI has not come, of the partition",
                _ => "context whose timer has not fired, of the partition",
            },
            got: context,
            want: who.id.into(),
        });
    }
    equal(
        "interrupts of the device",
        page(SINGLE, 0).count(Seen::Device),
        raised(),
    )
    .err()
}
