//! The notifications of one receiver: as they are noted, and as the real code has them. They are made, and read back, by
//! what anybody may do with them.

use crate::{
    state::{Bit, GLOBAL, Notes, Unread},
    world::{Notification, Who, World},
};
use ffa_abi::{
    EndpointId,
    notification::{GetFlags, InfoLists},
    notifications::{Manager, Receiver},
};
use std::collections::HashMap;

/// What one keeper knows of one receiver: its notifications, and whether it has not read of a message.
pub(super) type Known = ([Bit; crate::state::BITS], Option<Unread>);

/// Receivers as they were put there or found.
#[derive(Debug)]
pub(super) struct Book<const N: usize> {
    by_note: HashMap<Known, Receiver<N>>,
    /// What was put there last, of each receiver.
    loaded: Vec<(Who, Known)>,
}

impl<const N: usize> Default for Book<N> {
    fn default() -> Self {
        Self {
            by_note: HashMap::new(),
            loaded: Vec::new(),
        }
    }
}

/// Who keeps a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    Spmc,
    Proxy,
}

impl Keeper {
    const fn manager(self) -> Manager {
        match self {
            Self::Spmc => Manager::Spm,
            Self::Proxy => Manager::Hypervisor,
        }
    }

    fn keeps(self, one: &Notification) -> bool {
        one.is_proxys() == (self == Self::Proxy)
    }
}

const ALL: GetFlags = GetFlags::all();

/// The class of a sender, and the other.
fn classes(sender: Who) -> (GetFlags, GetFlags) {
    match sender.is_partition() {
        true => (GetFlags::PARTITIONS, ALL - GetFlags::PARTITIONS),
        false => (GetFlags::VMS, ALL - GetFlags::VMS),
    }
}

/// What `keeper` keeps for `who` of a state.
pub(super) fn known(world: &World, notes: &Notes, who: Who, keeper: Keeper) -> Known {
    let mut bits = [Bit::default(); crate::state::BITS];
    for place in world.received_by(who) {
        if keeper.keeps(&world.list()[place]) {
            bits[place] = notes.bits[place];
        }
    }
    (bits, notes.unread[who.buffer()][keeper as usize])
}

/// To whom a notification is bound while a receiver is made: one that is pending and not bound was set by a
/// sender that is no more.
fn sender(one: &Notification, bit: &Bit) -> EndpointId {
    EndpointId(match (bit.bound, one.sender.is_partition()) {
        (true, _) => one.sender.id(),
        (false, true) => 0x80fe,
        (false, false) => 0x7ffe,
    })
}

/// Makes pending what is, and what the scheduler was told of or was not.
fn put<const N: usize>(
    receiver: &mut Receiver<N>,
    list: &[Notification],
    known: &Known,
    news: Unread,
) {
    for (one, bit) in list.iter().zip(&known.0) {
        let groups = (0..8).map(|n| 1 << n);
        for group in groups.filter(|group| bit.pending & group != 0) {
            if (bit.news & group != 0) == (news == Unread::New) {
                let context = (group != GLOBAL).then_some(group.trailing_zeros() as u16);
                let set = receiver.set(sender(one, bit), context, 1 << one.number);
                assert_eq!(set, Ok(()), "{one:?} {bit:?}");
            }
        }
    }
    if known.1 == Some(news) {
        receiver.rx_full();
    }
}

/// A receiver of which that is known.
fn made<const N: usize>(world: &World, keeper: Keeper, who: Who, known: &Known) -> Receiver<N> {
    let list = world.list();
    let mut receiver = Receiver::new(keeper.manager());
    for (one, bit) in list.iter().zip(&known.0) {
        if bit.bound || bit.pending != 0 {
            let bound = receiver.bind(sender(one, bit), one.per_context, 1 << one.number);
            assert_eq!(bound, Ok(()), "{one:?} {bit:?}");
        }
    }
    put(&mut receiver, list, known, Unread::Told);
    let _all = receiver.info(EndpointId(who.id()), &mut InfoLists::new(true));
    put(&mut receiver, list, known, Unread::New);
    for (one, bit) in list.iter().zip(&known.0) {
        if !bit.bound && bit.pending != 0 {
            receiver.forget_sender(sender(one, bit));
        }
    }
    receiver
}

/// What is named for an endpoint: whether it is as a whole, and for which contexts.
fn named<const N: usize>(receiver: &mut Receiver<N>, who: Who) -> u8 {
    let mut lists = InfoLists::new(true);
    let _all = receiver.info(EndpointId(who.id()), &mut lists);
    let contexts = |contexts: &[u16]| match contexts {
        [] => GLOBAL,
        some => some.iter().fold(0, |bits, n| bits | 1 << n),
    };
    lists.iter().fold(0, |bits, (_, of)| bits | contexts(of))
}

/// Reads back what is known of a receiver.
///
/// # Errors
/// It has what nobody in this world can have set or bound.
fn read<const N: usize>(
    world: &World,
    keeper: Keeper,
    who: Who,
    receiver: &Receiver<N>,
) -> Result<Known, String> {
    let contexts = world.contexts_of(who);
    let drain = |flags: GetFlags| {
        let mut rest = receiver.clone();
        for context in 0..contexts {
            rest.get(context, flags);
        }
        rest
    };
    let drained = drain(ALL);
    if drained.is_pending() {
        return Err(format!("of {who:?}, what is pending can't be read"));
    }
    let mut bits = [Bit::default(); crate::state::BITS];
    let mut seen = [(0_u64, 0_u64); 8];
    for place in world.received_by(who) {
        let one = &world.list()[place];
        if !keeper.keeps(one) {
            continue;
        }
        let sender = EndpointId(one.sender.id());
        let mask = 1_u64 << one.number;
        let (own, other) = classes(one.sender);
        let global = drained.clone().set(sender, None, mask).is_ok();
        let each = drained.clone().set(sender, Some(0), mask).is_ok();
        let is = if one.per_context { each } else { global };
        if is != (global || each) {
            return Err(format!("{one:?} is bound otherwise"));
        }
        let bit = &mut bits[place];
        bit.bound = is;
        for context in 0..contexts {
            let read = receiver.clone().get(context, own);
            if (read.partitions | read.vms) & mask != 0 {
                bit.pending |= 1 << context;
            }
        }
        let whole = (1 << contexts) - 1;
        if !one.per_context && bit.pending != 0 {
            if bit.pending != whole {
                return Err(format!("{one:?} is pending for {:#b} only", bit.pending));
            }
            bit.pending = GLOBAL;
        }
        bit.news = named(&mut drain(other), who) & bit.pending;
        for context in 0..contexts {
            if bit.is_for(context) {
                let seen = &mut seen[usize::from(context)];
                match one.sender.is_partition() {
                    true => seen.0 |= mask,
                    false => seen.1 |= mask,
                }
            }
        }
    }
    // What was set by one that is no more is whoever's comes first.
    for place in world.received_by(who) {
        let one = world.list()[place];
        let is_another = |other: usize| {
            let first = !bits[place].bound && (bits[other].bound || other < place);
            other != place && world.list()[other].excludes(&one) && first
        };
        if world.received_by(who).any(is_another) {
            bits[place] = Bit::default();
        }
    }
    for context in 0..contexts {
        let read = receiver.clone().get(context, ALL);
        if (read.partitions, read.vms) != seen[usize::from(context)] {
            return Err(format!("{who:?} has something that nobody set: {read:?}"));
        }
    }
    let unread = receiver.has_unread_rx_full().then(|| {
        let mut rest = drain(GetFlags::PARTITIONS | GetFlags::VMS);
        match named(&mut rest, who) {
            0 => Unread::Told,
            _ => Unread::New,
        }
    });
    Ok((bits, unread))
}

impl<const N: usize> Book<N> {
    /// The receiver to put there.
    pub(super) fn load(
        &mut self,
        world: &World,
        keeper: Keeper,
        who: Who,
        known: Known,
    ) -> &Receiver<N> {
        self.loaded.retain(|(of, _)| *of != who);
        self.loaded.push((who, known));
        let entry = self.by_note.entry(known);
        entry.or_insert_with(|| made(world, keeper, who, &known))
    }

    /// What is known of the receiver that is there now.
    pub(super) fn note(
        &self,
        world: &World,
        keeper: Keeper,
        who: Who,
        receiver: &Receiver<N>,
    ) -> Result<Known, String> {
        let same = self.loaded.iter().find(|(of, known)| {
            *of == who && self.by_note.get(known).is_some_and(|was| was == receiver)
        });
        match same {
            Some((_, known)) => Ok(*known),
            None => read(world, keeper, who, receiver),
        }
    }
}

/// Writes down what is known of a receiver.
pub(super) fn write_down(
    world: &World,
    notes: &mut Notes,
    (who, keeper): (Who, Keeper),
    (bits, unread): Known,
) {
    for place in world.received_by(who) {
        if keeper.keeps(&world.list()[place]) {
            notes.bits[place] = bits[place];
        }
    }
    notes.unread[who.buffer()][keeper as usize] = unread;
}
