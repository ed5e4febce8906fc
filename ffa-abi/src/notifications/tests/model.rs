//! Random calls, with a model beside that keeps sets of single notifications.

use super::super::{Manager, Receiver};
use crate::{
    FfaError,
    id::EndpointId,
    notification::{GetFlags, InfoLists, Pending},
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const CONTEXTS: u16 = 5;
const ID: EndpointId = EndpointId(0x8003);

/// One notification: whether from a partition, which, and whose (`None`: global).
type One = (bool, u32, Option<u16>);

#[derive(Default)]
struct Model {
    bound: BTreeMap<(bool, u32), (EndpointId, bool)>,
    pending: BTreeSet<One>,
    told: BTreeSet<One>,
    rx_full: bool,
    rx_told: bool,
}

fn bits(bits: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |n| bits >> n & 1 != 0)
}

fn check(is: bool, error: FfaError) -> Result<(), FfaError> {
    if is { Ok(()) } else { Err(error) }
}

impl Model {
    fn is_pending(&self, class: bool, bit: u32) -> bool {
        self.pending
            .iter()
            .any(|one| (one.0, one.1) == (class, bit))
    }

    fn bind(&mut self, sender: EndpointId, per_context: bool, set: u64) -> Result<(), FfaError> {
        let class = sender.is_secure();
        check(set != 0, FfaError::InvalidParameters)?;
        let free = |n| !self.bound.contains_key(&(class, n)) && !self.is_pending(class, n);
        check(bits(set).all(free), FfaError::Denied)?;
        self.bound
            .extend(bits(set).map(|n| ((class, n), (sender, per_context))));
        Ok(())
    }

    fn unbind(&mut self, sender: EndpointId, set: u64) -> Result<(), FfaError> {
        let class = sender.is_secure();
        check(set != 0, FfaError::InvalidParameters)?;
        let theirs = |n| {
            self.bound
                .get(&(class, n))
                .is_some_and(|bound| bound.0 == sender)
                && !self.is_pending(class, n)
        };
        check(bits(set).all(theirs), FfaError::Denied)?;
        self.bound
            .retain(|(of, n), _| *of != class || set >> n & 1 == 0);
        Ok(())
    }

    fn set(&mut self, sender: EndpointId, context: Option<u16>, set: u64) -> Result<(), FfaError> {
        let class = sender.is_secure();
        check(set != 0, FfaError::InvalidParameters)?;
        check(
            context.is_none_or(|n| n < CONTEXTS),
            FfaError::InvalidParameters,
        )?;
        let bound = Some((sender, context.is_some()));
        check(
            bits(set).all(|n| self.bound.get(&(class, n)).copied() == bound),
            FfaError::Denied,
        )?;
        self.pending.extend(bits(set).map(|n| (class, n, context)));
        Ok(())
    }

    fn take(&mut self, class: bool, context: u16) -> u64 {
        let read = |one: &One| one.0 == class && one.2.is_none_or(|own| own == context);
        let taken = self
            .pending
            .iter()
            .filter(|one| read(one))
            .fold(0, |all, one| all | 1 << one.1);
        self.pending.retain(|one| !read(one));
        self.told.retain(|one| !read(one));
        taken
    }

    fn get(&mut self, context: u16, flags: GetFlags) -> Pending {
        let mut pending = Pending::default();
        if flags.contains(GetFlags::PARTITIONS) {
            pending.partitions = self.take(true, context);
        }
        if flags.contains(GetFlags::VMS) {
            pending.vms = self.take(false, context);
        }
        if flags.contains(GetFlags::SPM) {
            pending.spm = std::mem::take(&mut self.rx_full).into();
            self.rx_told = false;
        }
        pending
    }

    /// Who is to be named, all at once.
    fn news(&self) -> (bool, BTreeSet<u16>) {
        let news: Vec<_> = self.pending.difference(&self.told).collect();
        let global = news.iter().any(|one| one.2.is_none()) || (self.rx_full && !self.rx_told);
        (global, news.iter().filter_map(|one| one.2).collect())
    }

    fn told(&mut self, named: impl Fn(Option<u16>) -> bool) {
        self.told
            .extend(self.pending.iter().filter(|one| named(one.2)));
        self.rx_told |= self.rx_full && named(None);
    }
}

#[derive(Clone, Debug)]
enum Event {
    Bind(u16, bool, u64),
    Unbind(u16, u64),
    Set(u16, Option<u16>, u64),
    Get(u16, u32),
    Forget(u16),
    RxFull,
    RxEmptied,
    /// With so many ids in the lists already.
    Info(bool, u16),
}

fn events() -> impl Strategy<Value = Event> {
    let sender = || prop_oneof![Just(1_u16), Just(2), Just(0x8001), Just(0x8002)];
    // Few notifications, so that they meet.
    let set = || prop_oneof![1_u64..16, 0_u64..16, Just(1 << 63), Just(u64::MAX)];
    let context = || proptest::option::of(0..=CONTEXTS);
    prop_oneof![
        1 => (sender(), any::<bool>(), set()).prop_map(|(s, p, b)| Event::Bind(s, p, b)),
        1 => (sender(), set()).prop_map(|(s, b)| Event::Unbind(s, b)),
        3 => (sender(), context(), set()).prop_map(|(s, c, b)| Event::Set(s, c, b)),
        2 => (0..=CONTEXTS, 0_u32..16).prop_map(|(c, f)| Event::Get(c, f)),
        1 => sender().prop_map(Event::Forget),
        1 => Just(Event::RxFull),
        1 => Just(Event::RxEmptied),
        2 => (any::<bool>(), 0_u16..10).prop_map(|(wide, used)| Event::Info(wide, used)),
    ]
}

fn step(receiver: &mut Receiver<{ CONTEXTS as usize }>, model: &mut Model, event: &Event) {
    let before = receiver.clone();
    let both = match *event {
        Event::Bind(sender, per_context, set) => Some((
            receiver.bind(EndpointId(sender), per_context, set),
            model.bind(EndpointId(sender), per_context, set),
        )),
        Event::Unbind(sender, set) => Some((
            receiver.unbind(EndpointId(sender), set),
            model.unbind(EndpointId(sender), set),
        )),
        Event::Set(sender, context, set) => Some((
            receiver.set(EndpointId(sender), context, set),
            model.set(EndpointId(sender), context, set),
        )),
        Event::Get(context, flags) => {
            let flags = GetFlags::from_bits_retain(flags);
            assert_eq!(receiver.get(context, flags), model.get(context, flags));
            None
        }
        Event::Forget(sender) => {
            receiver.forget_sender(EndpointId(sender));
            model.bound.retain(|_, bound| bound.0.0 != sender);
            None
        }
        Event::RxFull => {
            receiver.rx_full();
            model.rx_full = true;
            None
        }
        Event::RxEmptied => {
            receiver.rx_emptied();
            (model.rx_full, model.rx_told) = (false, false);
            None
        }
        Event::Info(wide, used) => {
            info(receiver, model, wide, used);
            None
        }
    };
    if let Some((done, expected)) = both {
        assert_eq!(done, expected);
        assert!(
            done.is_ok() || *receiver == before,
            "an error has changed something"
        );
    }
    for context in 0..CONTEXTS {
        let theirs = |one: &One| one.2.is_none_or(|own| own == context);
        let pending = model.rx_full || model.pending.iter().any(theirs);
        assert_eq!(receiver.pending_for(context), pending);
    }
    assert_eq!(
        receiver.is_pending(),
        model.rx_full || !model.pending.is_empty()
    );
    let (global, contexts) = model.news();
    assert_eq!(receiver.has_news(), global || !contexts.is_empty());
}

fn info(receiver: &mut Receiver<{ CONTEXTS as usize }>, model: &mut Model, wide: bool, used: u16) {
    let mut lists = InfoLists::new(wide);
    for n in 0..used {
        lists.push(EndpointId(n), &[]).unwrap();
    }
    let all = receiver.info(ID, &mut lists);
    let named: Vec<_> = lists.iter().skip(used.into()).collect();
    assert!(named.iter().all(|list| list.0 == ID));
    let alone = named.iter().filter(|list| list.1.is_empty()).count();
    let contexts: Vec<u16> = named.iter().flat_map(|list| list.1).copied().collect();
    let (global, theirs) = model.news();
    assert!(contexts.iter().all(|n| theirs.contains(n)) && contexts.is_sorted_by(|a, b| a < b));
    assert_eq!(
        alone,
        usize::from(global && lists.iter().count() > used.into())
    );
    assert_eq!(
        all,
        alone == usize::from(global) && contexts.len() == theirs.len()
    );
    assert_eq!(lists.more, !all);
    model.told(|one| one.map_or(alone == 1, |n| contexts.contains(&n)));
}

proptest! {
    #![proptest_config(crate::property())]

    #[test]
    fn a_receiver_does_what_the_model_does(events in proptest::collection::vec(events(), 1..80)) {
        let mut receiver = Receiver::new(Manager::Spm);
        let mut model = Model::default();
        for event in &events {
            step(&mut receiver, &mut model, event);
        }
        for context in 0..CONTEXTS {
            receiver.get(context, GetFlags::all());
        }
        prop_assert!(!receiver.is_pending() && !receiver.has_news());
        for sender in [1, 2, 0x8001, 0x8002] {
            receiver.forget_sender(EndpointId(sender));
        }
        prop_assert_eq!(receiver, Receiver::new(Manager::Spm));
    }
}
