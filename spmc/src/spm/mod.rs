//! The core: who may call what, who runs next, and which registers that leaves.
//!
//! [`Spmc`] is shared by all cores of the machine; [`Pe`] is one core's own. An execution context
//! belongs to exactly one [`Pe`] at a time, by `&mut`: those of multi-context partitions for ever,
//! a single migrating one from the moment a call claims it until it has [left](Outcome::left), by
//! waiting, yielding, being preempted or failing, and its registers are [saved](Spmc::saved). So no lock is taken on a message's path.
//!
//! Each call goes one way: decode, check, prepare (may fail), commit (cannot). An error leaves no
//! trace but in the caller's result registers.

mod availability;
mod cycles;
mod direct;
mod discovery;
mod fast;
mod from_normal_world;
mod from_partition;
mod indirect;
mod interrupts;
mod life;
mod machine;
mod mailbox;
mod memory;
mod notifications;
mod partition_info;
mod power;
mod smc;
#[cfg(feature = "snapshot")]
mod snapshot;
#[cfg(all(test, not(feature = "loom")))]
mod tests;
#[cfg(all(test, feature = "loom"))]
mod timings;

pub use from_normal_world::{ready, resume};
pub use interrupts::{Mask, TimerRegister};
pub use machine::{Interrupts, Machine, Mem, Notice, Owner, Window};
pub use mailbox::{MAX_BUFFER_PAGES, MAX_VM_BUFFERS};
#[cfg(feature = "snapshot")]
pub use mailbox::{PairNote, RxNote};
#[cfg(feature = "snapshot")]
pub use memory::Shares;
#[cfg(feature = "snapshot")]
pub use snapshot::{CoreNote, Negotiation};

use crate::{
    MAX_CPUS, MAX_PARTITIONS,
    context::{Context, Giver, PartitionInfo, Registers, Request, Slot, WaitsFor},
    locks::{self, Held, Lock},
    state::{Event, Model, State},
    sync::{AtomicU32, AtomicU64, Ordering, constructor},
};
use core::sync::atomic::{AtomicBool, AtomicU16};
use ffa_abi::{
    EndpointId, FfaError, Negotiated, Regs, Reply, TargetInfo, Uuid, Version, contract::Mode,
};
use heapless::Vec;
use interrupts::{News, Owners, Virtuals};
use life::Life;
use mailbox::{Mailbox, NormalWorldMailboxes};
use memory::Memory;
use notifications::Notifications;

/// Who runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The normal world, with the registers in [`Pe::nwd`].
    NormalWorld,
    /// The normal world, where an interrupt took it away: nothing of it is to be written.
    NormalWorldResume,
    /// This partition's context on this core, with the registers in its context.
    Partition(Slot),
    /// The partition that was initialising has finished or failed; the boot goes on.
    Booted,
    /// This partition has failed and is to be loaded anew: memory and registers as at its first
    /// entry. Then [`Spmc::reloaded`] says who runs.
    Reload(Slot),
    /// This partition was destroyed: its memory is to be wiped and given back. Then
    /// [`Spmc::wiped`] says who runs.
    Wipe(Slot),
    /// The SPMC itself, which tells partitions that this core goes off. It never leaves the core.
    PowerOff,
}

/// A context has left the core and its registers must be saved before [`Spmc::saved`] makes it
/// callable from elsewhere.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Left {
    slot: Slot,
    migrates: bool,
}

impl Left {
    /// The context's partition.
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// Whether another core may run it next: then everything of it must be in memory, not only
    /// what this core needs the registers for.
    pub const fn migrates(&self) -> bool {
        self.migrates
    }
}

/// What handling a call or an event led to.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// Who runs next.
    pub next: Next,
    /// The context that this core does not need any more: it waits, was preempted, has yielded or
    /// has failed. (One that is blocked in a call stays: its chain is this core's.)
    pub left: Option<Left>,
}

impl Outcome {
    #[inline(always)]
    const fn to(next: Next) -> Self {
        Self { next, left: None }
    }
}

/// Which requests a partition takes from the normal world in the short way, worked out whenever its
/// version changes. A hint that is exact: what it says no to goes the general way.
#[derive(Debug)]
struct Open(AtomicU32);

impl Open {
    /// `FFA_MSG_SEND_DIRECT_REQ`.
    const DIRECT: u32 = 1;
    /// `FFA_MSG_SEND_DIRECT_REQ2` to any service.
    const DIRECT2: u32 = 2;
    /// `FFA_MSG_SEND_DIRECT_REQ2` to the first service.
    const DIRECT2_FIRST: u32 = 4;

    fn work_out(&self, info: &PartitionInfo, version: Version) {
        let mut open = 0;
        if info.messaging.receives_direct() {
            open |= Self::DIRECT;
        }
        // In strict mode it depends on the call that waits.
        let extended = version.has_extended_registers() && info.mode == Mode::Permissive;
        if extended && info.messaging.receives_direct2() {
            open |= Self::DIRECT2;
        }
        let first = info.services.first();
        if extended && first.is_some_and(|first| first.messaging.receives_direct2()) {
            open |= Self::DIRECT2_FIRST;
        }
        self.0.store(open, Ordering::Relaxed);
    }

    /// Nothing goes the short way any more.
    fn close(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    #[inline(always)]
    fn has(&self, what: u32) -> bool {
        self.0.load(Ordering::Relaxed) & what != 0
    }
}

/// A partition in the core's table.
#[derive(Debug)]
struct Partition<'c, M> {
    info: PartitionInfo,
    version: Negotiated,
    open: Open,
    first_service: Uuid,
    /// What it speaks until it says otherwise.
    first_version: Version,
    /// Whether a partition of 1.0 has said that it understands the NS bit of memory attributes.
    knows_ns_bit: AtomicBool,
    /// One bit for each context that has failed for good, or is off with its core.
    dead: AtomicU32,
    /// Whether it can be called, and how often it was restarted.
    life: Life,
    /// Its RX/TX pair.
    mailbox: Lock<Option<Mailbox>, { locks::PAIRS }>,
    /// The context of a single-context partition while no core has it.
    parked: Lock<Option<&'c mut Context<M>>, { locks::CONTEXT }>,
    /// The core that has, or had last, the context of a single-context partition.
    at: AtomicU32,
    /// How often the core of each context went off.
    epochs: [AtomicU16; MAX_CPUS],
    /// Where its other contexts start, 0 for where the first one did.
    secondary_entry: AtomicU64,
}

impl<M> Partition<'_, M> {
    /// `FFA_VERSION` by one of its contexts. Others may negotiate on their cores at the same time;
    /// one after the other, so that what the short way knows is of the version that holds.
    fn negotiate(&self, requested: Option<Version>, held: &mut Held<0>) -> Reply {
        self.parked.with(held, |_, _| {
            let reply = self.version.negotiate(requested, Version::OWN);
            if self.life.is_alive() {
                self.open.work_out(&self.info, self.version.get());
            }
            reply
        })
    }
}

/// What all cores share.
#[derive(Debug)]
pub struct Spmc<'c, M> {
    partitions: Vec<Partition<'c, M>, MAX_PARTITIONS>,
    normal_world: Negotiated,
    /// The RX/TX pairs of the normal world's hypervisor and of its VMs.
    mailboxes: Lock<NormalWorldMailboxes, { locks::NORMAL_WORLD_PAIRS }>,
    /// Whose all memory is, and who gave it to whom.
    memory: Lock<Memory, { locks::SHARES }>,
    /// How often a partition was destroyed: the tag of `FFA_PARTITION_INFO_GET_REGS`.
    destroyed: AtomicU32,
    /// A partition's failure has stopped all of them.
    halted: AtomicBool,
    /// Whose each device's interrupt is.
    owners: Owners,
    /// The virtual interrupts of all contexts.
    virtuals: Virtuals,
    /// The notifications of all endpoints.
    notifications: Notifications,
    /// What cores have left for each other to look at, and which are on.
    news: News,
    /// The partitions in the order of booting.
    order: Vec<Slot, MAX_PARTITIONS>,
}

/// One core's own: the normal world's frame and the contexts that are here.
#[derive(Debug)]
pub struct Pe<'c, M> {
    /// The linear index of this core, which is also the index of the contexts on it.
    pub index: u16,
    /// x0-x17 of the normal world: as it entered, then as it is completed.
    pub nwd: Regs,
    contexts: [Option<&'c mut Context<M>>; MAX_PARTITIONS],
    /// What this core takes locks with.
    pub held: Held<0>,
    /// Partitions whose interrupts are to be looked at here, one bit for each.
    due: u32,
    /// The schedule receiver interrupt is to be raised when the normal world has this core again.
    sri: bool,
    /// How many partitions were told, or passed over, that this core goes off.
    told: u8,
}

impl<'c, M> Pe<'c, M> {
    /// A core without any context.
    pub const fn new(index: u16) -> Self {
        Self {
            index,
            nwd: Regs::ZERO,
            contexts: [const { None }; MAX_PARTITIONS],
            held: Held::nothing(),
            due: 0,
            sri: false,
            told: 0,
        }
    }

    /// The context of `slot`, if it is on this core.
    #[inline(always)]
    pub fn context(&mut self, slot: Slot) -> Option<&mut Context<M>> {
        self.contexts[slot.index()].as_deref_mut()
    }

    /// Gives `work` the context of `slot`, if it is on this core, and what to take locks with.
    pub fn with_context<R>(
        &mut self,
        slot: Slot,
        work: impl FnOnce(&mut Context<M>, &mut Held<0>) -> R,
    ) -> Option<R> {
        let context = self.contexts[slot.index()].as_deref_mut()?;
        Some(work(context, &mut self.held))
    }
}

/// What a context is like, looked at where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    state: State,
    model: Model,
    request: Option<Request>,
    waits_for: WaitsFor,
    wide: bool,
}

impl<M> Context<M> {
    const fn look(&self) -> Look {
        Look {
            state: self.state(),
            model: self.model,
            request: self.request(),
            waits_for: self.waits_for,
            wide: self.call_is_wide,
        }
    }

    #[inline(always)]
    const fn left(&self, slot: Slot) -> Left {
        Left {
            slot,
            migrates: self.migrates,
        }
    }
}

impl<M: Registers> Default for Spmc<'_, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    constructor! {
        /// A core without partitions.
        pub fn new() -> Self {
            Self {
                partitions: Vec::new(),
                // The version that an SPMD assumes of a normal world that never asked.
                normal_world: Negotiated::unasked(),
                mailboxes: Lock::new(NormalWorldMailboxes::new()),
                memory: Lock::new(const { Memory::new() }),
                destroyed: AtomicU32::new(0),
                halted: AtomicBool::new(false),
                owners: Owners::new(),
                virtuals: Virtuals::new(),
                notifications: Notifications::new(),
                news: News::new(),
                order: Vec::new(),
            }
        }
    }

    /// Adds a partition; its contexts are given with [`Spmc::adopt`]. `None` if there are
    /// [`MAX_PARTITIONS`], the id is taken, or an interrupt of a device of its is another's or none.
    pub fn add(&mut self, info: PartitionInfo, version: Version) -> Option<Slot> {
        if self.find(info.id).is_some() || self.partitions.is_full() {
            return None;
        }
        let slot = Slot(self.partitions.len() as u8);
        let mut owners = self.owners.clone();
        if !info.devices.iter().all(|intid| owners.give(*intid, slot)) {
            return None;
        }
        self.owners = owners;
        for index in 0..MAX_CPUS as u16 {
            self.virtuals(slot, index)
                .with(|queue| queue.reset(&info.rules));
        }
        // There is room for as many as there are partitions.
        let _ = self.order.push(slot);
        let open = Open(AtomicU32::new(0));
        open.work_out(&info, version);
        self.partitions
            .push(Partition {
                first_service: info
                    .services
                    .first()
                    .map_or(Uuid::NIL, |service| service.uuid),
                open,
                first_version: version,
                knows_ns_bit: AtomicBool::new(false),
                dead: AtomicU32::new(0),
                life: Life::new(),
                mailbox: Lock::new(None),
                info,
                version: Negotiated::new(version),
                parked: Lock::new(None),
                at: AtomicU32::new(0),
                epochs: [const { AtomicU16::new(0) }; MAX_CPUS],
                secondary_entry: AtomicU64::new(0),
            })
            .ok()?;
        Some(slot)
    }

    /// The order in which partitions boot, and are told that a core goes off. Without it they are in
    /// the order in which they were added.
    pub fn set_boot_order(&mut self, order: &[Slot]) {
        self.order.clear();
        let known = order.iter().copied();
        self.order.extend(
            known
                .filter(|slot| slot.index() < self.partitions.len())
                .take(MAX_PARTITIONS),
        );
    }

    /// The partitions in that order.
    pub fn boot_order(&self) -> &[Slot] {
        &self.order
    }

    /// Gives a core its context of a partition.
    pub fn adopt(&self, pe: &mut Pe<'c, M>, slot: Slot, context: &'c mut Context<M>) {
        context.migrates = self.info(slot).is_some_and(PartitionInfo::is_up);
        context.el0 = self.is_el0(slot);
        if let Some(partition) = self.partitions.get(slot.index()) {
            partition.at.store(pe.index.into(), Ordering::Release);
        }
        pe.contexts[slot.index()] = Some(context);
    }

    /// What is known of a partition.
    pub fn info(&self, slot: Slot) -> Option<&PartitionInfo> {
        self.partitions.get(slot.0 as usize).map(|p| &p.info)
    }

    /// Whether a partition runs at S-EL0.
    pub fn is_el0(&self, slot: Slot) -> bool {
        self.info(slot).is_some_and(|info| info.el0)
    }

    /// The partition with this id, unless it was destroyed. Ids given out in sequence are found at
    /// once.
    #[inline(always)]
    pub fn find(&self, id: EndpointId) -> Option<Slot> {
        self.look_up(id).map(|(slot, _)| slot)
    }

    #[inline(always)]
    fn look_up(&self, id: EndpointId) -> Option<(Slot, &Partition<'c, M>)> {
        let guess = id.0.wrapping_sub(0x8001) as usize;
        match self.partitions.get(guess) {
            Some(partition) if partition.info.id == id && !partition.life.is_destroyed() => {
                Some((Slot(guess as u8), partition))
            }
            _ => self.search(id),
        }
    }

    #[cold]
    #[inline(never)]
    fn search(&self, id: EndpointId) -> Option<(Slot, &Partition<'c, M>)> {
        self.partitions
            .iter()
            .enumerate()
            .find(|(_, partition)| partition.info.id == id && !partition.life.is_destroyed())
            .map(|(index, partition)| (Slot(index as u8), partition))
    }

    /// Starts the initialisation of a partition's context, for the first time or after its core was
    /// off. `false` if it is not here, has run before, or its partition has failed.
    pub fn start(&self, pe: &mut Pe<'c, M>, slot: Slot) -> bool {
        let alive = self.is_alive(slot) && !self.is_buried(slot);
        let Some(context) = pe.context(slot) else {
            return false;
        };
        if !alive || crate::state::next(context.state(), Event::Start).is_none() {
            return false;
        }
        context.model = Model::Init;
        context.giver = Giver::Spmc;
        context.call_is_wide = false;
        let started = context.transition(Event::Start);
        self.reset_interrupts(pe, slot);
        if !self.dig_up(slot, pe.index) {
            // Its partition has failed on another core just now.
            self.kill(pe, slot);
            return false;
        }
        started
    }

    /// Where a partition's contexts on other cores start, if it said so (`FFA_SECONDARY_EP_REGISTER`).
    pub fn secondary_entry(&self, slot: Slot) -> Option<u64> {
        let partition = self.partitions.get(slot.index())?;
        let entry = partition.secondary_entry.load(Ordering::Acquire);
        (entry != 0).then_some(entry)
    }

    /// Whether a partition has not failed.
    #[inline(always)]
    pub fn is_alive(&self, slot: Slot) -> bool {
        self.partitions
            .get(slot.index())
            .is_some_and(|partition| partition.life.is_alive())
    }

    /// The registers of a context that left are in memory: a migrating one may be called from any
    /// core now.
    #[inline(always)]
    pub fn saved(&self, pe: &mut Pe<'c, M>, left: Left) {
        if left.migrates {
            self.park(pe, left.slot);
        }
    }

    #[cold]
    #[inline(never)]
    fn park(&self, pe: &mut Pe<'c, M>, slot: Slot) {
        let index = slot.index();
        let Pe { contexts, held, .. } = pe;
        if let (Some(partition), Some(place)) =
            (self.partitions.get(index), contexts.get_mut(index))
        {
            partition
                .parked
                .with(held, |parked, _| *parked = place.take());
        }
    }

    /// Looks at the context of a partition for this core, without taking it: `None` if another core
    /// has it. What a call is refused for is seen so; a context that is taken only to be given back
    /// would look busy to other cores meanwhile.
    fn look(&self, pe: &mut Pe<'c, M>, slot: Slot) -> Option<Look> {
        if let Some(context) = pe.context(slot) {
            let mut look = context.look();
            // Its partition has failed on another core, and this one has not been told yet.
            if !self.is_alive(slot) && look.state != State::Off {
                look.state = State::Aborted;
            }
            return Some(look);
        }
        let parked = &self.partitions.get(slot.index())?.parked;
        parked.with(&mut pe.held, |parked, _| {
            parked.as_ref().map(|context| context.look())
        })
    }

    /// Takes a migrating context to this core, if no other has it and it is as it is wanted: another
    /// core may have had it since it was looked at. One that is not wanted stays where it is, or it
    /// would look busy to those whose it is.
    #[cold]
    #[inline(never)]
    fn claim(&self, pe: &mut Pe<'c, M>, slot: Slot, wanted: impl FnOnce(&Look) -> bool) -> bool {
        let index = slot.index();
        let Pe {
            index: core,
            contexts,
            held,
            ..
        } = pe;
        let (Some(partition), Some(place)) = (self.partitions.get(index), contexts.get_mut(index))
        else {
            return false;
        };
        if let Some(context) = place {
            return wanted(&context.look());
        }
        partition.parked.with(held, |parked, _| {
            if parked
                .as_ref()
                .is_some_and(|context| wanted(&context.look()))
            {
                *place = parked.take();
                partition.at.store((*core).into(), Ordering::Release);
            }
            place.is_some()
        })
    }

    /// The core that has, or had last, a partition's context of this core.
    fn whereabouts(&self, slot: Slot) -> u16 {
        self.partitions
            .get(slot.index())
            .map_or(0, |partition| partition.at.load(Ordering::Acquire) as u16)
    }

    /// The index of the context that a partition has on core `core`.
    fn context_index(&self, slot: Slot, core: u16) -> u16 {
        match self.info(slot) {
            Some(info) if !info.is_up() => core,
            _ => 0,
        }
    }

    /// Its bit among the dead of a partition.
    fn bit(&self, slot: Slot, core: u16) -> u32 {
        1 << (self.context_index(slot, core) & 31)
    }

    /// Whether the context that a partition has on core `core` has failed for good, or is off with
    /// it.
    pub fn is_dead(&self, slot: Slot, core: u16) -> bool {
        let bit = self.bit(slot, core);
        self.partitions
            .get(slot.index())
            .is_none_or(|partition| partition.dead.load(Ordering::Acquire) & bit != 0)
    }

    /// The context that a partition has on core `core` has failed for good, or is off with it.
    fn bury(&self, slot: Slot, core: u16) {
        let bit = self.bit(slot, core);
        if let Some(partition) = self.partitions.get(slot.index()) {
            partition.dead.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// A context lives, perhaps again. `false` if all of them are no more: nothing of it may begin then.
    fn dig_up(&self, slot: Slot, core: u16) -> bool {
        let bit = self.bit(slot, core);
        self.partitions.get(slot.index()).is_some_and(|partition| {
            partition
                .dead
                .fetch_update(Ordering::Release, Ordering::Relaxed, |dead| {
                    (dead != u32::MAX).then_some(dead & !bit)
                })
                .is_ok()
        })
    }

    /// All contexts of a partition are no more.
    fn bury_all(&self, slot: Slot) {
        if let Some(partition) = self.partitions.get(slot.index()) {
            partition.dead.store(u32::MAX, Ordering::Release);
        }
    }

    /// Whether who was a partition's context on core `core` in its life `life` is no more.
    fn is_gone(&self, slot: Slot, core: u16, life: u16) -> bool {
        self.is_dead(slot, core) || self.incarnation(slot, core) != life
    }

    /// Where the answer to a request goes: `None` if its sender has died meanwhile.
    fn origin(&self, request: &Request) -> Option<Giver> {
        match request.origin {
            Some(Giver::Partition(slot)) if self.is_gone(slot, request.core, request.life) => None,
            origin => origin,
        }
    }

    /// Id and context index of a partition's context on this core, as w1 names it.
    fn target(&self, pe: &Pe<'c, M>, slot: Slot) -> TargetInfo {
        TargetInfo {
            endpoint: self.info(slot).map_or(EndpointId(0), |info| info.id),
            context: self.context_index(slot, pe.index),
        }
    }

    /// Completes what `giver` is blocked in with `reply`, and says that it runs next. One whose
    /// partition has failed meanwhile is dead now, and whoever gave it cycles is told that.
    fn complete(&self, pe: &mut Pe<'c, M>, giver: Giver, reply: Reply) -> Next {
        let (mut giver, mut reply) = (giver, reply);
        // A chain has no more members than there are partitions.
        for _ in 0..=MAX_PARTITIONS {
            let slot = match giver {
                Giver::Spmc | Giver::InterruptedBoot => return Next::Booted,
                Giver::NormalWorld => {
                    reply.write(&mut pe.nwd.0);
                    return Next::NormalWorld;
                }
                Giver::AnsweredNormalWorld => return Next::NormalWorld,
                Giver::InterruptedNormalWorld => return Next::NormalWorldResume,
                Giver::PowerOff => return Next::PowerOff,
                Giver::Partition(slot) | Giver::Interrupted(slot) => slot,
            };
            let alive = self.is_alive(slot);
            let Some(context) = pe.context(slot) else {
                return Next::Partition(slot);
            };
            if alive {
                if let Giver::Partition(_) = giver {
                    reply.write(context.machine.x());
                    context.transition(Event::Unblock);
                } else {
                    context.transition(Event::Resume);
                }
                // What has come meanwhile it finds.
                self.refresh_if_needed(pe, slot);
                return Next::Partition(slot);
            }
            giver = context.giver;
            reply = Reply::error(FfaError::Aborted);
            self.kill(pe, slot);
        }
        Next::NormalWorld
    }

    /// What follows from an outcome before it leaves the core.
    fn finish(&self, pe: &mut Pe<'c, M>, outcome: Outcome, machine: &mut impl Machine) -> Outcome {
        let Outcome { next, left } = outcome;
        let next = match next {
            Next::PowerOff => self.power_off(pe, machine).next,
            next => next,
        };
        if pe.sri {
            match next {
                // The end of a boot is the normal world's turn, or another boot's.
                Next::NormalWorld | Next::NormalWorldResume | Next::Booted => {
                    pe.sri = false;
                    machine.schedule_receiver();
                }
                // Its answer must not go to the normal world in the short way.
                Next::Partition(slot) => {
                    if let Some(context) = pe.context(slot) {
                        context.call_attention();
                    }
                }
                _ => {}
            }
        }
        Outcome { next, left }
    }
}
