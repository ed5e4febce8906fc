//! The ledger: what is bound, pending and told, whose RX is and what lies there, kept from what endpoints
//! have done.
//!
//! It is written otherwise than the cores: one entry for each notification and for whom it is pending, and
//! one for each thing that the scheduler has to hear of. Each call is answered as it says, or something is broken.

mod bindings;
mod info;
mod messages;

use super::{
    deed::Deed,
    party::{Kind, Party, is_secure},
};
use ffa_abi::Version;
pub(super) use messages::{Pair, Rx};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const NOT_SUPPORTED: i32 = -1;
pub(super) const INVALID: i32 = -2;
pub(super) const NO_MEMORY: i32 = -3;
pub(super) const BUSY: i32 = -4;
pub(super) const DENIED: i32 = -6;
pub(super) const NO_DATA: i32 = -9;

/// The most VMs that have a bitmap, or a pair that their hypervisor has mapped.
const MOST_VMS: usize = 16;

/// Whose notifications those are: the four results of `FFA_NOTIFICATION_GET`, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Partitions,
    Vms,
    Spm,
    Hypervisor,
}

impl Source {
    pub const ALL: [Self; 4] = [Self::Partitions, Self::Vms, Self::Spm, Self::Hypervisor];

    /// That of a sender's.
    pub const fn of(sender: u16) -> Self {
        if is_secure(sender) {
            Self::Partitions
        } else {
            Self::Vms
        }
    }

    /// The flag that asks for it.
    const fn flag(self) -> u32 {
        1 << self as u32
    }
}

/// What a call is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Refused(i32),
    /// By [`Source`].
    Pending([u64; 4]),
    /// How many descriptors there are, and their size if they lie in RX.
    Counted,
    /// Whoever is to be named; see [`Books::named`].
    Lists,
    /// The id of a virtual interrupt, or none.
    Interrupt(Option<u64>),
}

impl From<Result<(), i32>> for Answer {
    fn from(result: Result<(), i32>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) => Self::Refused(error),
        }
    }
}

/// What happened, for reports: calls that were good, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Notifications bound and unbound.
    pub bound: u64,
    /// See [`bound`](Self::bound).
    pub unbound: u64,
    /// Notifications that became pending, were read, and went with their receiver.
    pub set: u64,
    /// See [`set`](Self::set).
    pub read: u64,
    /// See [`set`](Self::set).
    pub gone: u64,
    /// Messages that arrived.
    pub messages: u64,
    /// RX buffers that were released.
    pub released: u64,
    /// Endpoints and contexts that were named to the scheduler, and answers that had no room for all.
    pub named: u64,
    /// See [`named`](Self::named).
    pub more: u64,
    /// Schedule receiver interrupts, and those of them that were delayed.
    pub scheduler: u64,
    /// See [`scheduler`](Self::scheduler).
    pub delayed: u64,
    /// Notification pending interrupts that were taken.
    pub taken: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Endpoints that have ended.
    pub ended: u64,
    /// Times that all was read and nothing was left.
    pub drained: u64,
}

impl Counts {
    /// Adds another run's.
    pub const fn add(&mut self, other: &Self) {
        self.bound += other.bound;
        self.unbound += other.unbound;
        self.set += other.set;
        self.read += other.read;
        self.gone += other.gone;
        self.messages += other.messages;
        self.released += other.released;
        self.named += other.named;
        self.more += other.more;
        self.scheduler += other.scheduler;
        self.delayed += other.delayed;
        self.taken += other.taken;
        self.refused += other.refused;
        self.ended += other.ended;
        self.drained += other.drained;
    }
}

/// The books.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub parties: BTreeMap<u16, Party>,
    /// Whether the normal world's VMs are behind the proxy, which is 0 then and calls for itself.
    pub proxied: bool,
    /// The version that the SPMC knows of the normal world.
    pub upstream: Version,
    /// Who of the normal world has a bitmap at the SPMC, and for how many contexts.
    pub bitmaps: BTreeMap<u16, u16>,
    /// Receiver, class and bit: to whom it is bound, and whether for each context by itself.
    pub bound: BTreeMap<(u16, Source, u8), (u16, bool)>,
    /// What is pending: receiver, class, bit, and for which context.
    pub pending: BTreeSet<(u16, Source, u8, Option<u16>)>,
    /// What the scheduler has not heard of: receiver, whose, and for which context.
    pub news: BTreeSet<(u16, Source, Option<u16>)>,
    pub pairs: BTreeMap<u16, Pair>,
    /// Messages of which the receiver has not read, and who tells of them.
    pub unread: BTreeMap<u16, Source>,
    /// Contexts of partitions whose notification pending interrupt is pending.
    pub interrupts: BTreeSet<(u16, u16)>,
    /// Whether the scheduler was interrupted, and has not asked until there was nothing.
    pub scheduler: bool,
    /// Cores on which a partition runs that has delayed that.
    pub promised: BTreeSet<usize>,
    /// VMs that the proxy is to interrupt for the call that was just answered, and which of their vCPUs.
    pub vm_interrupts: Vec<(u16, Option<u16>)>,
    /// What may have been told or not, since not all of it could be.
    pub perhaps: BTreeSet<(u16, Option<u16>)>,
    pub counts: Counts,
}

impl Books {
    pub fn new(parties: impl IntoIterator<Item = Party>, upstream: Version) -> Self {
        let parties = parties.into_iter().map(|party| (party.id, party));
        let parties: BTreeMap<_, _> = parties.collect();
        Self {
            proxied: parties.values().any(|party| party.kind == Kind::Vm),
            parties,
            upstream,
            bitmaps: BTreeMap::new(),
            bound: BTreeMap::new(),
            pending: BTreeSet::new(),
            news: BTreeSet::new(),
            pairs: BTreeMap::new(),
            unread: BTreeMap::new(),
            interrupts: BTreeSet::new(),
            scheduler: false,
            promised: BTreeSet::new(),
            vm_interrupts: Vec::new(),
            perhaps: BTreeSet::new(),
            counts: Counts::default(),
        }
    }

    /// Whether there is a partition with this id. (It may have failed.)
    fn is_partition(&self, id: u16) -> bool {
        self.parties.get(&id).is_some_and(Party::is_partition)
    }

    /// How many contexts `id` has for notifications; `None` if it receives none.
    fn contexts(&self, id: u16) -> Option<u16> {
        match self.parties.get(&id) {
            Some(party) if party.is_partition() => party.notified.then_some(party.contexts),
            _ => self.bitmaps.get(&id).copied(),
        }
    }

    /// Whether something of a receiver's that the SPMC keeps is news to the scheduler.
    fn has_news(&self, id: u16) -> bool {
        let first = (id, Source::Partitions, None);
        let mut its = self.news.range(first..).take_while(|(of, ..)| *of == id);
        its.any(|(_, source, _)| {
            is_secure(id) || matches!(source, Source::Partitions | Source::Spm)
        })
    }

    /// Whether a context would read anything.
    fn has_for(&self, id: u16, context: u16) -> bool {
        let all = self.pending.range((id, Source::Partitions, 0, None)..);
        let mut all = all.take_while(|(of, ..)| *of == id);
        self.unread.contains_key(&id) || all.any(|(.., to)| to.is_none_or(|to| to == context))
    }

    /// A partition's contexts, or this one, have the interrupt pending.
    fn interrupt(&mut self, id: u16, context: Option<u16>) {
        let Some(party) = self.parties.get(&id).filter(|party| party.is_partition()) else {
            return;
        };
        for index in 0..party.contexts {
            if context.is_none_or(|one| one == index) {
                self.interrupts.insert((id, index));
            }
        }
    }

    /// It tells of nothing where there is nothing.
    fn quiet(&mut self, id: u16) {
        let mut interrupts = std::mem::take(&mut self.interrupts);
        interrupts.retain(|(of, context)| *of != id || self.has_for(id, *context));
        self.interrupts = interrupts;
    }

    /// What `deed` by the endpoint `caller` on `core` is answered with; it is done then.
    pub fn answer(&mut self, caller: u16, core: usize, deed: &Deed) -> Answer {
        let Some(by) = self.parties.get(&caller).cloned() else {
            return Answer::Refused(NOT_SUPPORTED);
        };
        self.vm_interrupts.clear();
        let answer = match deed {
            Deed::Bind { ids, flags, bits } => self.bind(&by, *ids, *flags, *bits).into(),
            Deed::Unbind { ids, flags, bits } => self.unbind(&by, *ids, *flags, *bits).into(),
            Deed::Set { ids, flags, bits } => self.set(&by, core, *ids, *flags, *bits).into(),
            Deed::Get {
                receiver,
                context,
                flags,
            } => match self.get(&by, *receiver, *context, *flags) {
                Ok(pending) => Answer::Pending(pending),
                Err(error) => Answer::Refused(error),
            },
            Deed::Info { .. } if by.is_partition() || by.kind == Kind::Vm && caller != 1 => {
                Answer::Refused(NOT_SUPPORTED)
            }
            Deed::Info { .. } => Answer::Lists,
            Deed::Create { vm, contexts } => self.create(&by, *vm, *contexts).into(),
            Deed::Destroy { vm } => self.destroy(&by, *vm).into(),
            Deed::Send {
                sender,
                named,
                flags,
                head,
                payload,
            } => {
                let message = (head, payload.as_slice());
                self.send(&by, core, (*sender, *named), *flags, message)
                    .into()
            }
            Deed::Release { vm } => self.release(&by, *vm).into(),
            Deed::Acquire { vm } => self.acquire(&by, *vm).into(),
            Deed::Map { tx, rx, pages } => self.map(&by, *tx, *rx, *pages).into(),
            Deed::Forward { vm, base, pages } => self.forward(&by, *vm, *base, *pages).into(),
            Deed::Unmap { vm } => self.unmap(&by, *vm).into(),
            Deed::Discover { count_only } => {
                if by.kind == Kind::Vm {
                    self.proxy_reads();
                }
                match self.discover(&by, *count_only) {
                    Ok(()) => Answer::Counted,
                    Err(error) => Answer::Refused(error),
                }
            }
            Deed::Take => {
                let context = core as u16 % by.contexts.max(1);
                let taken = self.interrupts.remove(&(caller, context));
                self.counts.taken += u64::from(taken);
                Answer::Interrupt(taken.then_some(5))
            }
        };
        if let Answer::Refused(_) = answer {
            self.counts.refused += 1;
        }
        answer
    }

    /// The proxy has used its own RX. What lay there was for nobody.
    fn proxy_reads(&mut self) {
        if let Some(pair) = self.pairs.get_mut(&0) {
            (pair.state, pair.holds) = (Rx::Empty, None);
        }
    }

    /// Whether only the normal world's hypervisor may do this, and `by` is none.
    fn is_no_hypervisor(by: &Party) -> bool {
        by.kind != Kind::NormalWorld
    }

    /// The scheduler has to hear of what `by` has just done for `receiver`, unless it has heard.
    fn tell(&mut self, by: &Party, core: usize, receiver: u16, delay: bool) {
        if delay && by.is_partition() && self.has_news(receiver) {
            self.promised.insert(core);
        }
    }
}
