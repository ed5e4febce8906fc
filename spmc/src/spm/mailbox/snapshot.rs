//! Taking pairs of buffers apart and putting them together again, for tests that go on from a state that they
//! have noted.

use super::{
    super::{Machine, Owner, Spmc},
    Mailbox, PAGE, Rx,
};
use crate::{
    context::{Registers, Slot},
    locks::{self, Held},
};
use ffa_abi::{EndpointId, FfaError};

/// Whose an RX buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RxNote {
    /// The SPMC's.
    Empty,
    /// Its endpoint's.
    Full,
    /// The hypervisor's.
    Acquired,
}

/// A pair, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PairNote {
    /// The address of TX.
    pub tx: u64,
    /// The address of RX.
    pub rx: u64,
    /// Pages of each.
    pub pages: u32,
    /// Whose RX is.
    pub state: RxNote,
}

impl Mailbox {
    const fn note(&self) -> PairNote {
        PairNote {
            tx: self.tx.base,
            rx: self.rx.base,
            pages: (self.rx.size as u64 / PAGE) as u32,
            state: match self.state {
                Rx::Empty => RxNote::Empty,
                Rx::Full => RxNote::Full,
                Rx::Acquired => RxNote::Acquired,
            },
        }
    }

    const fn set(&mut self, state: RxNote) {
        self.state = match state {
            RxNote::Empty => Rx::Empty,
            RxNote::Full => Rx::Full,
            RxNote::Acquired => Rx::Acquired,
        };
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    fn with_pair_of<R>(
        &self,
        of: EndpointId,
        held: &mut Held<0>,
        look: impl FnOnce(Option<&mut Mailbox>) -> R,
    ) -> R {
        match self.slot_with(of) {
            Some(partition) => partition.mailbox.with(held, |pair, _| look(pair.as_mut())),
            None => self.with_normal_world(held, |all, _| look(all.find(of))),
        }
    }

    fn slot_with(&self, of: EndpointId) -> Option<&super::super::Partition<'c, M>> {
        let mut all = self.partitions.iter();
        all.find(|partition| partition.info.id == of)
    }

    /// What is noted of an endpoint's pair.
    pub fn note_pair(&self, of: EndpointId) -> Option<PairNote> {
        locks::run(|held| self.with_pair_of(of, held, |pair| pair.map(|pair| pair.note())))
    }

    /// Goes back to what was noted: the pair is mapped or unmapped, if it was not so, with what comes of that. One
    /// that is mapped at both times stays where it is.
    ///
    /// # Errors
    /// Those of `FFA_RXTX_MAP`.
    pub fn restore_pair(
        &self,
        of: EndpointId,
        noted: Option<PairNote>,
        machine: &mut impl Machine,
    ) -> Result<(), FfaError> {
        let slot = (0..self.partitions.len()).map(|slot| Slot(slot as u8));
        let slot = slot
            .into_iter()
            .find(|slot| self.info(*slot).is_some_and(|info| info.id == of));
        locks::run(|held| {
            let there = self.with_pair_of(of, held, |pair| pair.is_some());
            match (there, noted, slot) {
                (true, None, Some(slot)) => {
                    let _ = self.unmap_of_partition(slot, machine, held);
                }
                (true, None, None) => self.rxtx_unmap_by_normal_world(of, machine, held)?,
                (false, Some(pair), Some(slot)) => {
                    self.map_of_partition(slot, pair.tx, pair.rx, pair.pages, machine, held)?;
                }
                (false, Some(pair), None) => self.with_normal_world(held, |all, held| {
                    let (tx, rx) = ((pair.tx, pair.pages), (pair.rx, pair.pages));
                    let pair = self.open_pair(machine, held, Owner::NormalWorld, tx, rx)?;
                    self.push(all, of, pair, machine, held)
                })?,
                _ => {}
            }
            self.with_pair_of(of, held, |pair| {
                if let (Some(pair), Some(noted)) = (pair, noted) {
                    pair.set(noted.state);
                }
            });
            Ok(())
        })
    }
}
