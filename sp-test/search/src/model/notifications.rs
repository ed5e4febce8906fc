//! What must come of the calls of notifications (DEN0077A, "Notifications"), and of what else changes them: one state for
//! each notification of the world's list, and none of the core's bitmaps.

use super::{Answer, error, indirect, legal, scheduling::has_news, success};
use crate::{
    calls::{Kind, Notes as Call, Set, fid},
    events::Event,
    state::{GLOBAL, Life, Notes, Now, Rx, S},
    view::View,
    world::{Who, World},
};
use ffa_abi::FfaError::{self, Aborted, Denied, InvalidParameters, NotSupported};

/// What must come of an event.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Notifications and RX buffers.
    pub notes: Notes,
    /// What the caller is answered, if this is a call of notifications.
    pub answer: Option<Answer>,
    /// Whether the schedule receiver interrupt is raised at once.
    pub raised: bool,
    /// Whether it is to be raised when the normal world has the core.
    pub delayed: bool,
    /// Contexts of partitions for which the notification pending interrupt has become pending, one bit for each.
    pub pended: u8,
    /// Contexts for which nothing is pending any more.
    pub quiet: u8,
    /// Virtual interrupts that the proxy raises: the VM, its vCPU, and which.
    pub for_vms: Vec<(u8, u8, u32)>,
}

/// One of the calls: who makes it, and in what state.
pub(super) struct Calls<'w> {
    pub(super) world: &'w World,
    pub(super) s: &'w S,
    pub(super) core: usize,
    pub(super) caller: Who,
    pub(super) wanted: Wanted,
}

/// What must come of `event` on `core`.
pub fn wanted(world: &World, before: &View, core: usize, event: Event) -> Wanted {
    let mut wanted = Wanted {
        notes: before.s.notes,
        answer: None,
        raised: false,
        delayed: false,
        pended: 0,
        quiet: 0,
        for_vms: Vec::new(),
    };
    let s = &before.s;
    let Event::Call(kind) = event else {
        return wanted;
    };
    let mut calls = Calls {
        world,
        s,
        core,
        caller: world.who(s, core),
        wanted: wanted.clone(),
    };
    let done = match kind {
        Kind::InfoGet => calls.info(),
        Kind::Notes(call) => match calls.call(call) {
            Some(done) => done,
            None => return wanted,
        },
        Kind::Wait { w1: 0, .. } => {
            if let Now::Slot(slot) = s.core[core].now
                && let Some(number) = world.context(slot, core)
                && legal(s.ctx[number].model, &kind)
            {
                indirect::waits(&mut wanted.notes, Who::Slot(slot));
            }
            return wanted;
        }
        _ => return wanted,
    };
    match done {
        Ok(answer) => {
            calls.wanted.answer = Some(answer);
            calls.wanted
        }
        Err(code) => {
            wanted.answer = Some(error(code));
            wanted
        }
    }
}

/// What is left of notifications when the partition in `slot` has failed.
pub fn forget(world: &World, notes: &mut Notes, slot: u8) {
    let who = Who::Slot(slot);
    for (one, bit) in world.list().iter().zip(&mut notes.bits) {
        if one.receiver == who {
            *bit = Default::default();
        } else if one.sender == who {
            bit.bound = false;
        }
    }
    notes.rx[who.buffer()] = Rx::None;
    notes.unread[who.buffer()] = [None; 2];
}

/// What is left of them when a VM has ended. Partitions are not told of its end, so what they have bound to it is bound
/// still.
pub fn forget_vm(world: &World, notes: &mut Notes, vm: u8) {
    let who = Who::Vm(vm);
    for (one, bit) in world.list().iter().zip(&mut notes.bits) {
        if one.receiver == who {
            *bit = Default::default();
        } else if one.sender == who && one.is_proxys() {
            bit.bound = false;
        }
    }
    notes.rx[who.buffer()] = Rx::None;
    notes.unread[who.buffer()] = [None; 2];
}

impl Calls<'_> {
    /// `None`: it is none of notifications.
    fn call(&mut self, call: Call) -> Option<Result<Answer, FfaError>> {
        let done = match call {
            Call::Bind {
                sender,
                receiver,
                per_context,
                bits,
            } => self.bind(sender, receiver, Some(per_context), bits),
            Call::Unbind {
                sender,
                receiver,
                bits,
            } => self.bind(sender, receiver, None, bits),
            Call::Set {
                sender,
                receiver,
                how,
                bits,
            } => self.set(sender, receiver, how, bits),
            Call::Get {
                receiver,
                context,
                flags,
            } => return Some(self.get(receiver, context, flags)),
            call => self.buffers(call)?,
        };
        Some(done.map(|()| success(0)))
    }

    /// The endpoint with an id that there is.
    pub(super) fn find(&self, id: u16) -> Option<Who> {
        let partitions = (0..self.world.partitions.len() as u8).map(Who::Slot);
        let vms = (0..self.world.vms.len() as u8).map(Who::Vm);
        let os = (!self.world.has_proxy()).then_some(Who::Os);
        let mut all = partitions.chain(vms).chain(os);
        all.find(|who| who.id() == id)
    }

    /// Whether the caller may name this one as itself.
    fn is_own(&self, id: u16) -> bool {
        match self.caller {
            // It answers for its VMs.
            Who::Os => id & 0x8000 == 0,
            who => id == who.id(),
        }
    }

    pub(super) fn is_alive(&self, who: Who) -> bool {
        match who {
            Who::Slot(slot) => self.s.lives[usize::from(slot)] == Life::Alive,
            Who::Vm(vm) => !self.s.vms[usize::from(vm)].dead,
            Who::Os => true,
        }
    }

    /// Places in the list of these notifications of a receiver's from a sender. There may be none.
    fn places(&self, sender: u16, receiver: u16, bits: u64) -> Vec<usize> {
        let list = self.world.list().iter().enumerate();
        list.filter(|(_, one)| {
            one.sender.id() == sender
                && one.receiver.id() == receiver
                && bits & 1 << one.number != 0
        })
        .map(|(place, _)| place)
        .collect()
    }

    /// Binding, as this says, or with `None` the reverse.
    fn bind(
        &mut self,
        sender: u16,
        receiver: u16,
        bind: Option<bool>,
        bits: u64,
    ) -> Result<(), FfaError> {
        if self.caller.is_partition() && !self.world.is_notified(self.caller) {
            return Err(NotSupported);
        }
        let from_partition = sender & 0x8000 != 0;
        // What is between VMs concerns the proxy alone.
        let reaches = from_partition || self.caller != Who::Os;
        if !self.is_own(receiver) || !reaches || sender == receiver || bits == 0 {
            return Err(InvalidParameters);
        }
        let of = self.find(receiver).ok_or(InvalidParameters)?;
        let from = match self.find(sender) {
            Some(from) => Some(from),
            // The SPMC does not know what VMs there are.
            None if self.caller.is_partition() && !from_partition => None,
            None => return Err(InvalidParameters),
        };
        if let (Who::Vm(_), Some(Who::Vm(_))) = (of, from)
            && !from.is_some_and(|from| self.is_alive(from))
        {
            return Err(InvalidParameters);
        }
        if !self.world.is_notified(of) {
            return Err(InvalidParameters);
        }
        if !self.is_alive(of) {
            return Err(Aborted);
        }
        let list = self.world.list();
        let places = self.places(sender, receiver, bits);
        let mut notes = self.wanted.notes;
        match bind {
            Some(_) => {
                let taken = |place: &usize| {
                    let others = (0..list.len()).filter(|n| list[*n].excludes(&list[*place]));
                    let mut others = others.map(|n| notes.bits[n]);
                    others.any(|bit| bit.bound || bit.pending != 0)
                };
                if places.iter().any(taken) {
                    return Err(Denied);
                }
            }
            None => {
                let free = |place: &usize| {
                    let bit = notes.bits[*place];
                    bit.bound && bit.pending == 0
                };
                if !self.covers(&places, bits) || !places.iter().all(free) {
                    return Err(Denied);
                }
            }
        }
        for place in places {
            notes.bits[place].bound = bind.is_some();
        }
        self.wanted.notes = notes;
        Ok(())
    }

    /// Whether these are all of the notifications with these numbers.
    fn covers(&self, places: &[usize], bits: u64) -> bool {
        let all = places.iter();
        bits == all.fold(0, |all, place| all | 1 << self.world.list()[*place].number)
    }

    fn set(&mut self, sender: u16, receiver: u16, how: Set, bits: u64) -> Result<(), FfaError> {
        let Set {
            per_context,
            delay,
            context,
        } = how;
        let reaches = receiver & 0x8000 != 0 || self.caller != Who::Os;
        if (!per_context && context != 0)
            || !self.is_own(sender)
            || !reaches
            || sender == receiver
            || bits == 0
            || (delay && self.caller == Who::Os)
        {
            return Err(InvalidParameters);
        }
        let to = self.find(receiver).ok_or(InvalidParameters)?;
        if per_context && context >= self.world.contexts_of(to) {
            return Err(InvalidParameters);
        }
        let ended = matches!(to, Who::Vm(_)) && !self.is_alive(to);
        if !self.world.is_notified(to) || ended {
            return Err(match to {
                Who::Slot(_) => Denied,
                Who::Os | Who::Vm(_) => InvalidParameters,
            });
        }
        let places = self.places(sender, receiver, bits);
        let list = self.world.list();
        let mut notes = self.wanted.notes;
        let settable =
            |place: &usize| notes.bits[*place].bound && list[*place].per_context == per_context;
        if !self.covers(&places, bits) || !places.iter().all(settable) {
            return Err(Denied);
        }
        let group = if per_context { 1 << context } else { GLOBAL };
        let new = places
            .iter()
            .any(|place| notes.bits[*place].pending & group == 0);
        for place in &places {
            notes.bits[*place].pending |= group;
        }
        let class = sender & 0x8000 != 0;
        for (one, bit) in list.iter().zip(&mut notes.bits) {
            let same = one.receiver == to && one.sender.is_partition() == class;
            if new && same && bit.pending & group != 0 {
                bit.news |= group;
            }
        }
        self.wanted.notes = notes;
        match (self.caller, to) {
            (Who::Vm(_), Who::Vm(vm)) => {
                if has_news(self.world, &notes, to, true) {
                    self.tell_vm(vm, group);
                }
            }
            _ => self.tell(to, group, delay && self.caller.is_partition()),
        }
        Ok(())
    }

    fn get(&mut self, receiver: u16, context: u16, flags: u64) -> Result<Answer, FfaError> {
        let of = self.caller;
        if of.is_partition() && !self.world.is_notified(of) {
            return Err(NotSupported);
        }
        let of = match of {
            // It reads for its VMs, and not what it keeps itself.
            Who::Os if flags & 0b1010 != 0 => return Err(InvalidParameters),
            Who::Os => self.find(receiver).filter(|of| !of.is_partition()),
            own => (own.id() == receiver).then_some(own),
        };
        let of = of.ok_or(InvalidParameters)?;
        let bitmap = self.world.is_notified(of);
        if !bitmap || context >= self.world.contexts_of(of) || flags & !0xf != 0 {
            return Err(InvalidParameters);
        }
        let mut notes = self.wanted.notes;
        let mut read = [0_u64; 2];
        for place in self.world.received_by(of) {
            let one = &self.world.list()[place];
            let class = usize::from(!one.sender.is_partition());
            let bit = &mut notes.bits[place];
            if flags & 1 << class != 0 && bit.is_for(context) {
                read[class] |= 1 << one.number;
                bit.pending &= !(GLOBAL | 1 << context);
                bit.news &= bit.pending;
            }
        }
        let mut framework = [0; 2];
        for (by, told) in framework.iter_mut().enumerate() {
            if flags & 4 << by != 0 {
                *told = notes.unread[of.buffer()][by].take().is_some().into();
            }
        }
        self.wanted.notes = notes;
        self.quiet(of);
        let [partitions, vms] = read;
        Ok([
            fid::SUCCESS,
            0,
            partitions & 0xffff_ffff,
            partitions >> 32,
            vms & 0xffff_ffff,
            vms >> 32,
            framework[0],
            framework[1],
        ])
    }
}
