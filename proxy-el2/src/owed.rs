//! What partitions owe to VMs: requests that were interrupted or yielded before their answer came.
//!
//! The SPMC lets any caller of the normal world run a partition that was preempted, and gives it the
//! answer whoever it is for. So who may run what is decided here. Nothing on a message's path looks
//! at it.

use crate::vcpu::VmIndex;
use ffa_abi::{EndpointId, FfaError, Regs, Reply, TargetInfo, fid::raw};
use heapless::Vec;

/// The most requests that are owed an answer: the contexts of all partitions.
pub(crate) const MAX_OWED: usize = 128;

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The VM was told that its partition was interrupted, or yielded: it runs it again.
    Told,
    /// The VM was told nothing: the proxy runs the partition again, and nobody else does.
    InFlight,
    /// The same of a partition that the VM merely runs: no answer is owed.
    Lent,
    /// The answer, if somebody else got it: between the end of a partition's run and its being
    /// noted here another core may run it. An error if there will be none: the request was lost with
    /// its core.
    Answered(Regs),
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    target: TargetInfo,
    to: VmIndex,
    progress: Progress,
}

impl Entry {
    const fn is_answered(&self) -> bool {
        matches!(self.progress, Progress::Answered(_))
    }

    /// Whether all that is left of the request is that it was lost: a new one takes its place.
    const fn is_lost(&self) -> bool {
        matches!(&self.progress, Progress::Answered(answer) if answer.w::<0>() == raw::ERROR)
    }
}

/// All of them: for each context the one it works on, and answers that wait for their VMs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owed(Vec<Entry, MAX_OWED>);

/// What a VM has to know before it runs a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Debt {
    /// It owes nothing that matters.
    None,
    /// It owes this VM an answer.
    Own,
    /// The same, and the proxy is at it.
    InFlight,
    /// Its answer to this VM is here.
    Answered,
    /// It owes an answer to another VM.
    Other {
        /// Which.
        to: VmIndex,
        /// Whether the proxy is at it.
        in_flight: bool,
    },
    /// It is merely run, by this VM, and the proxy is at it.
    Lent(VmIndex),
}

impl Owed {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The partition's context was taken off the core, or yielded, before it answered this VM.
    pub fn note(&mut self, target: TargetInfo, to: VmIndex, progress: Progress) {
        let own = |entry: &&mut Entry| entry.target == target && entry.to == to;
        match self.0.iter_mut().find(own) {
            // Its answer was faster.
            Some(entry) if entry.is_answered() && !entry.is_lost() => {}
            Some(entry) if !entry.is_lost() => entry.progress = progress,
            lost => {
                if lost.is_some() {
                    self.take(target, to);
                }
                self.done(target);
                self.add(target, to, progress);
            }
        }
    }

    fn add(&mut self, target: TargetInfo, to: VmIndex, progress: Progress) {
        // What was lost, and nobody asks for, may be more.
        if self.0.is_full()
            && let Some(lost) = self.0.iter().position(Entry::is_lost)
        {
            self.0.swap_remove(lost);
        }
        // One for each context of each partition: there is room.
        let noted = self.0.push(Entry {
            target,
            to,
            progress,
        });
        debug_assert!(noted.is_ok());
    }

    /// What this context owes, as `asker` has to know it.
    pub fn debt(&self, target: TargetInfo, asker: VmIndex) -> Debt {
        let mut entries = self.0.iter().filter(|entry| entry.target == target);
        if entries
            .clone()
            .any(|entry| entry.to == asker && entry.is_answered())
        {
            return Debt::Answered;
        }
        if let Some(entry) = entries
            .clone()
            .find(|entry| entry.progress == Progress::Lent)
        {
            return Debt::Lent(entry.to);
        }
        match entries.find(|entry| !entry.is_answered()) {
            None => Debt::None,
            Some(entry) if entry.to != asker => Debt::Other {
                to: entry.to,
                in_flight: entry.progress == Progress::InFlight,
            },
            Some(entry) if entry.progress == Progress::InFlight => Debt::InFlight,
            Some(_) => Debt::Own,
        }
    }

    /// The proxy runs a partition again that a VM runs: nobody else does so now.
    pub fn lend(&mut self, target: TargetInfo, to: VmIndex) {
        match self.debt(target, to) {
            Debt::Own | Debt::InFlight => self.note(target, to, Progress::InFlight),
            Debt::Lent(by) if by == to => {}
            // What it owes a VM that is no more, it owes.
            _ => self.add(target, to, Progress::Lent),
        }
    }

    /// A run by this VM came back without an end of what the partition works on.
    pub fn came_back(&mut self, target: TargetInfo, to: VmIndex) {
        let mut entries = self.0.iter_mut();
        let own = |entry: &&mut Entry| entry.target == target && entry.to == to;
        let entry = entries.find(|entry| own(entry) && !entry.is_answered());
        match entry.map(|entry| (entry.progress, entry)) {
            Some((Progress::InFlight, entry)) => entry.progress = Progress::Told,
            Some((Progress::Lent, _)) => {
                let lent = |entry: &Entry| entry.progress == Progress::Lent && entry.to == to;
                self.0
                    .retain(|entry| entry.target != target || !lent(entry));
            }
            _ => {}
        }
    }

    /// Works on nothing any more. Answers stay for those who have not got them.
    pub fn done(&mut self, target: TargetInfo) {
        self.0
            .retain(|entry| entry.target != target || entry.is_answered());
    }

    /// Takes the answer that is here for a VM.
    pub fn take(&mut self, target: TargetInfo, to: VmIndex) -> Option<Regs> {
        let mut entries = self.0.iter();
        let place = entries
            .position(|entry| entry.target == target && entry.to == to && entry.is_answered())?;
        match self.0.swap_remove(place).progress {
            Progress::Answered(answer) => Some(answer),
            Progress::Told | Progress::InFlight | Progress::Lent => None,
        }
    }

    /// Somebody else got this VM's answer: it is kept for it.
    pub fn keep(&mut self, target: TargetInfo, to: VmIndex, answer: Regs) {
        self.done(target);
        self.take(target, to);
        self.add(target, to, Progress::Answered(answer));
    }

    /// Nobody will ask for the answers to this VM any more.
    pub fn forget_answers(&mut self, to: VmIndex) {
        self.0
            .retain(|entry| entry.to != to || !entry.is_answered());
    }

    /// This core goes off, and with it whatever its contexts work on. A VM that `waits` names is told so when it asks
    /// for the answer. A single context is none of a core's, though its index is 0: core 0 must not go off.
    pub fn core_goes_off(&mut self, core: u16, waits: impl Fn(VmIndex) -> bool) {
        let stays = |entry: &Entry| entry.target.context != core || entry.is_answered();
        self.0.retain(|entry| {
            let owes = entry.progress != Progress::Lent;
            stays(entry) || (owes && waits(entry.to))
        });
        let mut lost = Regs::ZERO;
        Reply::error(FfaError::Aborted).write(&mut lost.0);
        for entry in self.0.iter_mut().filter(|entry| !stays(entry)) {
            entry.progress = Progress::Answered(lost);
        }
    }

    /// A context of this partition that owes an answer to one of the VMs that `is_gone` names, and can
    /// be run on `core`: its context of that core, or the only one, which runs anywhere. None that the
    /// proxy runs already.
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
            let mut entries = self.0.iter().filter(|entry| entry.target == *target);
            let lent = |entry: &Entry| entry.progress == Progress::Lent;
            !entries.clone().any(lent)
                && entries.any(|entry| entry.progress == Progress::Told && is_gone(entry.to))
        })
    }
}

#[cfg(any(test, feature = "snapshot"))]
impl Owed {
    /// All of it.
    pub fn note_all(&self) -> Vec<(TargetInfo, VmIndex, Progress), MAX_OWED> {
        let entries = self.0.iter();
        entries
            .map(|entry| (entry.target, entry.to, entry.progress))
            .collect()
    }

    /// The reverse of [`note_all`](Self::note_all).
    pub fn restored(noted: &[(TargetInfo, VmIndex, Progress)]) -> Self {
        let entries = noted.iter();
        Self(
            entries
                .map(|(target, to, progress)| Entry {
                    target: *target,
                    to: *to,
                    progress: *progress,
                })
                .collect(),
        )
    }
}
