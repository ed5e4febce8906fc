//! What partitions owe to VMs: requests that were interrupted or yielded before their answer came.
//!
//! The SPMC lets any caller of the normal world run a partition that was preempted, and gives it the
//! answer whoever it is for. So who may run what is decided here. Nothing on a message's path looks
//! at it.

use crate::vcpu::VmIndex;
use ffa_abi::{EndpointId, Regs, TargetInfo};
use heapless::Vec;

/// The most requests that are owed an answer: the contexts of all partitions.
pub(crate) const MAX_OWED: usize = 128;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    target: TargetInfo,
    to: VmIndex,
    /// The answer, if somebody else got it: between the end of a partition's run and its being
    /// noted here another core may run it.
    answer: Option<Regs>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owed(Vec<Entry, MAX_OWED>);

/// What there is to know before a partition is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Debt {
    /// It owes nothing.
    None,
    /// It owes an answer to this VM.
    To(VmIndex),
    /// Its answer to this VM is here.
    Answered(VmIndex),
}

impl Owed {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn find(&mut self, target: TargetInfo) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.target == target)
    }

    /// The partition's context was taken off the core, or yielded, before it answered this VM.
    pub fn note(&mut self, target: TargetInfo, to: VmIndex) {
        match self.find(target) {
            // Its answer was faster.
            Some(entry) if entry.to == to => {}
            Some(entry) => {
                entry.to = to;
                entry.answer = None;
            }
            None => {
                // One for each context of each partition: there is room.
                let noted = self.0.push(Entry {
                    target,
                    to,
                    answer: None,
                });
                debug_assert!(noted.is_ok());
            }
        }
    }

    /// What this context owes.
    pub fn debt(&self, target: TargetInfo) -> Debt {
        match self.0.iter().find(|entry| entry.target == target) {
            None => Debt::None,
            Some(entry) if entry.answer.is_some() => Debt::Answered(entry.to),
            Some(entry) => Debt::To(entry.to),
        }
    }

    /// It owes nothing any more; gives an answer that was kept.
    pub fn settle(&mut self, target: TargetInfo) -> Option<Regs> {
        let place = self.0.iter().position(|entry| entry.target == target)?;
        self.0.swap_remove(place).answer
    }

    /// Somebody else got this VM's answer: it is kept for it.
    pub fn keep(&mut self, target: TargetInfo, to: VmIndex, answer: Regs) {
        self.note(target, to);
        if let Some(entry) = self.find(target) {
            entry.answer = Some(answer);
        }
    }

    /// A context of this partition that owes an answer to one of the VMs that `is_gone` names, and can
    /// be run on `core`: its context of that core, or the only one, which runs anywhere.
    pub fn orphan(
        &self,
        partition: EndpointId,
        core: u16,
        is_gone: impl Fn(VmIndex) -> bool,
    ) -> Option<TargetInfo> {
        let on = |context| TargetInfo {
            endpoint: partition,
            context,
        };
        [on(core), on(0)].into_iter().find(|target| {
            let mut entries = self.0.iter();
            entries.any(|entry| entry.target == *target && is_gone(entry.to))
        })
    }
}

#[cfg(any(test, feature = "snapshot"))]
impl Owed {
    /// All of it.
    pub fn note_all(&self) -> Vec<(TargetInfo, VmIndex, Option<Regs>), MAX_OWED> {
        let entries = self.0.iter();
        entries
            .map(|entry| (entry.target, entry.to, entry.answer))
            .collect()
    }

    /// The reverse of [`note_all`](Self::note_all).
    pub fn restored(noted: &[(TargetInfo, VmIndex, Option<Regs>)]) -> Self {
        let entries = noted.iter();
        Self(
            entries
                .map(|(target, to, answer)| Entry {
                    target: *target,
                    to: *to,
                    answer: *answer,
                })
                .collect(),
        )
    }
}
