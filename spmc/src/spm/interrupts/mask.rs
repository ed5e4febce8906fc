//! Which interrupts are taken while a partition runs.

use super::super::{Pe, Spmc};
use crate::{
    MAX_PARTITIONS,
    context::{Context, Giver, InterruptRules, NsAction, Registers, Slot},
    state::Model,
};

/// What the priority mask lets through while a partition runs, from loose to tight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mask {
    /// What the normal world's own mask does.
    #[default]
    Open,
    /// Secure interrupts, and none of the normal world's.
    Secure,
    /// The SPMC's own interrupts.
    Own,
}

impl<M> Context<M> {
    /// What this context asks for by itself.
    fn mask(&self, rules: &InterruptRules) -> Mask {
        match self.model {
            Model::Init | Model::SecureInterrupt | Model::PowerOff => return Mask::Own,
            // It failed while the SPMC gave it cycles: nobody else would run it again.
            Model::Restart if self.giver.is_spmc() => return Mask::Own,
            Model::Run | Model::DirectRequest | Model::Restart => {}
        }
        if rules.other_s_queued {
            Mask::Own
        } else if rules.ns_action == NsAction::Queued || self.managed_exit {
            Mask::Secure
        } else {
            Mask::Open
        }
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// Which interrupts are taken while `slot` runs: the tightest that anybody in its call chain asks
    /// for. It is worked out from the chain each time, so whatever ends, however it ends, leaves
    /// nothing behind.
    pub fn mask(&self, pe: &mut Pe<'c, M>, slot: Slot) -> Mask {
        let mut mask = Mask::Open;
        let mut current = slot;
        // A chain has no more members than there are partitions.
        for _ in 0..MAX_PARTITIONS {
            let rules = self
                .info(current)
                .map(|info| info.rules)
                .unwrap_or_default();
            let Some(context) = pe.context(current) else {
                break;
            };
            mask = mask.max(context.mask(&rules));
            match context.giver {
                _ if mask == Mask::Own => break,
                Giver::Partition(previous) | Giver::Interrupted(previous) => current = previous,
                _ => break,
            }
        }
        mask
    }
}
