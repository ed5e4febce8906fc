//! Systems that do something wrong from some call on: a ledger that does not see it is none.

use super::{
    behind::{Behind, index},
    books::{Answer, Rx},
    deed::Deed,
    run::Run,
    stage::{Direct, Stage, slot_of},
};

/// What goes wrong, so that it must be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A notification that was set is not pending.
    Lost,
    /// One that was read is pending again.
    Twice,
    /// A byte behind a message in RX is not zero.
    Tail,
    /// The scheduler is not interrupted.
    Silent,
    /// What the scheduler was told of it is told again.
    ToldAgain,
}

/// A system whose states can be put back by what goes wrong.
pub(super) trait Damage {
    /// What is noted of a receiver's notifications.
    type Note;

    /// Notes what is kept of it, if that can be put back.
    fn note(&self, id: u16) -> Option<Self::Note>;

    /// Puts it back.
    fn put_back(&self, id: u16, note: &Self::Note);
}

impl<S: Stage + Damage> Run<S> {
    pub(super) fn is_due(&self, sabotage: Sabotage) -> bool {
        self.wrong
            .is_some_and(|(wrong, from)| wrong == sabotage && self.calls >= from)
    }

    /// What is put back after a call that is to go wrong.
    pub(super) fn notes_before(&self, deed: &Deed) -> Option<(u16, S::Note)> {
        let (of, sabotage) = match deed {
            Deed::Set { ids, .. } => (ids.receiver, Sabotage::Lost),
            Deed::Get { receiver, .. } => (*receiver, Sabotage::Twice),
            Deed::Info { .. } => {
                let mut news = self.books.news.iter();
                (news.next_back()?.0, Sabotage::ToldAgain)
            }
            _ => return None,
        };
        let due = self.is_due(sabotage);
        due.then(|| Some((of, self.stage.note(of)?))).flatten()
    }

    /// Something goes wrong, if a call just did what it takes.
    pub(super) fn go_wrong(&mut self, deed: &Deed, done: &Answer, before: Option<(u16, S::Note)>) {
        if let Some((of, note)) = before {
            self.stage.put_back(of, &note);
        }
        if let (Deed::Send { head, .. }, Answer::Done) = (deed, done)
            && self.is_due(Sabotage::Tail)
            && let Some(pair) = self.books.pairs.get(&head.receiver)
            && pair.state == Rx::Full
        {
            let last = pair.rx + pair.size() - 1;
            let byte = self.stage.bytes(last, 1);
            self.stage.put(last, &[byte[0] ^ 1]);
        }
    }
}

/// What the SPMC has of a partition.
type OfPartition = ffa_abi::notifications::Receiver<{ spmc::MAX_CPUS }>;
/// What the proxy has of a VM.
type OfVm = ffa_abi::notifications::Receiver<{ proxy_el2::MAX_VCPUS }>;

impl Damage for Direct<'_> {
    type Note = OfPartition;

    fn note(&self, id: u16) -> Option<Self::Note> {
        let slot = slot_of(id)?;
        Some(self.world.spmc.notifications(slot, Clone::clone))
    }

    fn put_back(&self, id: u16, note: &Self::Note) {
        if let Some(slot) = slot_of(id) {
            self.world.spmc.set_notifications(slot, note);
        }
    }
}

/// Either.
#[derive(Debug)]
pub(super) enum OfEither {
    Partition(OfPartition),
    Vm((OfVm, bool)),
}

impl Damage for Behind<'_> {
    type Note = OfEither;

    fn note(&self, id: u16) -> Option<Self::Note> {
        match slot_of(id) {
            Some(slot) => {
                let note = self.world.spmc.notifications(slot, Clone::clone);
                Some(OfEither::Partition(note))
            }
            None if id > 0 && id < 4 => {
                let note = self.proxy.note_notifications(index(id))?;
                Some(OfEither::Vm(note))
            }
            None => None,
        }
    }

    fn put_back(&self, id: u16, note: &Self::Note) {
        match (slot_of(id), note) {
            (Some(slot), OfEither::Partition(note)) => {
                self.world.spmc.set_notifications(slot, note);
            }
            (None, OfEither::Vm(note)) => self.proxy.restore_notifications(index(id), note),
            _ => {}
        }
    }
}
