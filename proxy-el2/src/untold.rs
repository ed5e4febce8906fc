//! Who is still to be told of a VM that came or went.
//!
//! A partition can be busy when a VM ends: it works for another one, or has not been run to the end
//! of what the dead VM had asked. It is told later, whenever an interrupt brings a core here.

use crate::{
    availability::{self, Caller, News, Outcome},
    buffers::Unreachable,
    forward::El3,
    owed::Progress,
    proxy::{Machine, Pe, Proxy, Turn},
    secure::goes_on_owing,
    vcpu::{Registers, VcpuId, VmIndex},
};
use core::{
    marker::PhantomData,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};
use ffa_abi::{
    Call, EndpointId, FfaError, Regs, TargetInfo, availability::VmEvent, fid::raw, memory::Handle,
};
use heapless::Vec;

/// How many news wait at most: more than that are given up, and said to be.
const MAX_UNTOLD: usize = 64;

/// How often a partition that is busy is run towards the end of what a VM that is gone had asked: each
/// of them takes a time slice at most.
const MOST_TRIES: u8 = 8;

/// Who is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// All that subscribed: who they are could not be asked.
    Subscribers,
    /// A partition that was busy.
    One(EndpointId),
}

/// News that somebody has not been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Untold {
    pub news: News,
    pub whom: Whom,
    /// How often it did not come to the end of earlier work.
    pub tries: u8,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct UntoldList {
    list: crate::sync::Mutex<Vec<Untold, MAX_UNTOLD>>,
    /// Whether there are any: looked at without the lock.
    any: AtomicBool,
}

impl UntoldList {
    pub const fn new() -> Self {
        Self {
            list: crate::sync::Mutex::new(Vec::new()),
            any: AtomicBool::new(false),
        }
    }

    /// Takes all of them.
    fn take(&self) -> Vec<Untold, MAX_UNTOLD> {
        let mut list = self.list.lock();
        self.any.store(false, Relaxed);
        core::mem::take(&mut *list)
    }

    /// Keeps one for later; `false` if there is no room.
    pub fn keep(&self, untold: Untold) -> bool {
        let mut list = self.list.lock();
        self.any.store(true, Relaxed);
        list.push(untold).is_ok()
    }
}

/// The machine while partitions are told: it notes whose turn it would have been meanwhile.
struct Telling<'a, M, R> {
    machine: &'a mut M,
    chain: &'a [VcpuId],
    turn: Option<usize>,
    registers: PhantomData<R>,
}

impl<M: Machine<R>, R> El3 for Telling<'_, M, R> {
    fn smc(&mut self, regs: &mut Regs) {
        self.machine.smc(regs);
    }
}

impl<M: Machine<R>, R> Caller for Telling<'_, M, R> {
    fn read_rx(&mut self, offset: usize, to: &mut [u8]) -> Result<(), Unreachable> {
        self.machine.read_rx(offset, to)
    }

    fn interrupted(&mut self) -> bool {
        if let Turn::Level(level) = self.machine.interrupts(self.chain) {
            self.turn = Some(self.turn.map_or(level, |lower| lower.min(level)));
        }
        self.turn.is_none()
    }
}

impl<'v, R: Registers> Proxy<'v, R> {
    /// Tells the partitions that subscribed that a VM was created or destroyed. The lowest level of
    /// the chain that an interrupt came for meanwhile, if there was one.
    pub fn tell(
        &self,
        event: VmEvent,
        index: VmIndex,
        pe: &Pe<'v, R>,
        machine: &mut impl Machine<R>,
    ) -> Option<usize> {
        let vm = self.vm(index)?.info.id;
        let news = News {
            event,
            vm,
            handle: Handle::INVALID,
        };
        let chain = pe.chain();
        let mut telling = Telling {
            machine,
            chain: &chain,
            turn: None,
            registers: PhantomData,
        };
        self.tell_subscribers(news, pe.index, &mut telling);
        telling.turn
    }

    /// Tells all that subscribed. If a partition keeps the proxy from asking who they are, that is done later.
    fn tell_subscribers<M: Machine<R>>(
        &self,
        news: News,
        core: u16,
        telling: &mut Telling<'_, M, R>,
    ) {
        let later = Untold {
            news,
            whom: Whom::Subscribers,
            tries: 0,
        };
        let subscribers = {
            let _rx = self.rx.lock();
            availability::subscribers(news.event, &self.upstream, telling)
        };
        match subscribers {
            Ok(subscribers) => {
                for partition in subscribers {
                    let whom = Whom::One(partition);
                    self.tell_one(Untold { whom, ..later }, core, telling);
                }
            }
            Err(FfaError::Busy) if self.untold.keep(later) => {}
            Err(error) => {
                telling
                    .machine
                    .told(news, EndpointId::SPMC, Outcome::Error(error));
            }
        }
    }

    /// Tells those that were busy, unless somebody waits for this core. Partitions have it for a time
    /// slice at most, and until an interrupt comes for a member of the chain.
    pub(crate) fn tell_again(
        &self,
        pe: &Pe<'v, R>,
        turn: Turn,
        machine: &mut impl Machine<R>,
    ) -> Option<usize> {
        if !self.untold.any.load(Relaxed) {
            return None;
        }
        let chain = pe.chain();
        if matches!(turn, Turn::Level(level) if level.saturating_add(1) < chain.len()) {
            return None;
        }
        // Of a longer chain the first one's time slice runs.
        let own_slice = chain.len() <= 1;
        if own_slice {
            machine.slice(true);
        }
        let mut telling = Telling {
            machine,
            chain: &chain,
            turn: None,
            registers: PhantomData,
        };
        for untold in self.untold.take() {
            self.tell_one(untold, pe.index, &mut telling);
        }
        let turn = telling.turn;
        if own_slice {
            machine.slice(false);
        }
        turn
    }

    fn tell_one<M: Machine<R>>(
        &self,
        mut untold: Untold,
        core: u16,
        telling: &mut Telling<'_, M, R>,
    ) {
        // The core is wanted back.
        if telling.turn.is_some() && self.untold.keep(untold) {
            return;
        }
        let news = untold.news;
        let partition = match untold.whom {
            Whom::One(partition) => partition,
            Whom::Subscribers => return self.tell_subscribers(news, core, telling),
        };
        let mut outcome = availability::tell(news, partition, telling);
        if outcome == Outcome::Error(FfaError::Busy) {
            match self.finish(news.vm, partition, core, telling) {
                Some(End::Reached(_)) if telling.turn.is_none() => {
                    outcome = availability::tell(news, partition, telling);
                }
                Some(End::Ahead) => untold.tries = untold.tries.saturating_add(1),
                Some(End::Reached(_) | End::Elsewhere) | None => {}
            }
        }
        match outcome {
            Outcome::Error(FfaError::Busy)
                if untold.tries < MOST_TRIES && self.untold.keep(untold) =>
            {
                return;
            }
            // Whoever needs it next runs it to its end: what it owes, it owes to one that is gone. Told
            // of one that has come, it owes nobody, and anybody may run it.
            Outcome::Unfinished(target) => {
                if let Some(vm) = self.find(news.vm).filter(|vm| self.is_dead(*vm)) {
                    self.owed.lock().note(target, vm, Progress::Told);
                }
            }
            _ => {}
        }
        telling.machine.told(news, partition, outcome);
    }

    /// Runs a partition's context that still works for a VM that is gone towards the end of that work, in
    /// the name of `vm`. `None` if there is none.
    fn finish<M: Machine<R>>(
        &self,
        vm: EndpointId,
        partition: EndpointId,
        core: u16,
        telling: &mut Telling<'_, M, R>,
    ) -> Option<End> {
        let by = self.find(vm)?;
        let mut owed = self.owed.lock();
        let target = owed.orphan(partition, core, |vm| self.is_dead(vm))?;
        owed.lend(target, by);
        drop(owed);
        let end = run_to_its_end(target, telling);
        match &end {
            End::Reached(regs) => self.drained(target, regs),
            End::Elsewhere | End::Ahead => self.owed.lock().came_back(target, by),
        }
        Some(end)
    }
}

/// Whether a context came to the end of its work.
enum End {
    /// It did, with these registers.
    Reached(Regs),
    /// It did not: it can't be run here, or another core runs it.
    Elsewhere,
    /// Not yet.
    Ahead,
}

/// Runs a context until it is neither interrupted nor has yielded, at most
/// [`MOST_RUNS`](availability::MOST_RUNS) times and until the core is wanted back.
fn run_to_its_end(target: TargetInfo, caller: &mut impl Caller) -> End {
    let call = Call::Run {
        wide: false,
        target,
    };
    for _ in 0..availability::MOST_RUNS {
        let mut regs = call.encode();
        caller.smc(&mut regs);
        match regs.w::<0>() {
            raw::INTERRUPT | raw::YIELD => {
                if !caller.interrupted() {
                    return End::Ahead;
                }
            }
            _ if goes_on_owing(&regs) => return End::Elsewhere,
            _ => return End::Reached(regs),
        }
    }
    End::Ahead
}
