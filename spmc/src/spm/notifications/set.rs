//! `FFA_NOTIFICATION_SET`, by senders.

use super::super::{Machine, Next, Outcome, Pe, Spmc, direct::Sender};
use super::signal::Contexts;
use crate::context::Registers;
use ffa_abi::{FfaError, Reply, Version, id::Endpoints, notification::SetFlags, regs::join};

/// What `FFA_NOTIFICATION_SET` sets, and for whom.
#[derive(Clone, Copy, Debug)]
pub(in crate::spm) struct Setting {
    /// Who sets it, and for whom.
    pub ids: Endpoints,
    /// For which context, and when the scheduler is told.
    pub flags: SetFlags,
    /// The notifications.
    pub bitmap: u64,
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// The call, by the normal world for one of its endpoints or by a partition. An error changes
    /// nothing.
    ///
    /// # Errors
    /// INVALID_PARAMETERS for flags or ids that the caller may not use, a receiver or a context of it that
    /// there is not, and an empty bitmap. DENIED if the receiver has no notifications, or has not bound
    /// them to the sender as they are set.
    pub(in crate::spm) fn notification_set(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Sender,
        setting: Setting,
        machine: &mut impl Machine,
    ) -> Result<(), FfaError> {
        let Setting { ids, flags, bitmap } = setting;
        let context = flags.target()?;
        let delay = flags.delay_schedule_receiver;
        let from_normal_world = matches!(caller, Sender::NormalWorld);
        if !self.is_own(caller, ids.sender)
            || !Self::is_other(caller, ids, ids.receiver)
            || bitmap == 0
            || (delay && from_normal_world)
        {
            return Err(FfaError::InvalidParameters);
        }
        if !ids.receiver.is_secure() {
            return self.set_for_normal_world(pe, (caller, ids), context, bitmap, delay, machine);
        }
        let (slot, partition) = self
            .look_up(ids.receiver)
            .ok_or(FfaError::InvalidParameters)?;
        let info = &partition.info;
        if context.is_some_and(|n| n >= info.contexts) {
            return Err(FfaError::InvalidParameters);
        }
        if !info.notifications {
            return Err(FfaError::Denied);
        }
        let contexts = Contexts::of(context, info.contexts);
        let own = self.notifications.of(slot);
        let (new, untold) = own.with(&mut pe.held, |own, _| {
            own.set(ids.sender, context, bitmap)?;
            // In one step: who reads what is pending takes its interrupt back.
            let new = self.pend_npi(slot, contexts);
            Ok::<_, FfaError>((new, own.has_news()))
        })?;
        self.show_npi(pe, slot, new, machine);
        if untold {
            Self::ask_scheduler(pe, caller, delay, machine);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn set_for_normal_world(
        &self,
        pe: &mut Pe<'c, M>,
        (caller, ids): (Sender, Endpoints),
        context: Option<u16>,
        bitmap: u64,
        delay: bool,
        machine: &mut impl Machine,
    ) -> Result<(), FfaError> {
        let all = &self.notifications.normal_world;
        let untold = all.with(&mut pe.held, |all, _| {
            let of = all.find(ids.receiver).ok_or(FfaError::InvalidParameters)?;
            if context.is_some_and(|n| n >= of.contexts) {
                return Err(FfaError::InvalidParameters);
            }
            of.receiver.set(ids.sender, context, bitmap)?;
            Ok::<_, FfaError>(of.receiver.has_news())
        })?;
        if untold {
            Self::ask_scheduler(pe, caller, delay, machine);
        }
        Ok(())
    }

    /// The call by the normal world in the short way: without the general decoding of calls. `None` if
    /// that is needed.
    #[inline(never)]
    pub(in crate::spm) fn normal_world_set(
        &self,
        pe: &mut Pe<'c, M>,
        machine: &mut impl Machine,
    ) -> Option<Outcome> {
        if !self.normal_world.is_locked_at(Version::V1_1) || self.is_halted() {
            return None;
        }
        let setting = Setting {
            ids: Endpoints::from_register(pe.nwd.x::<1>()),
            flags: SetFlags::from_w2(pe.nwd.w::<2>())?,
            bitmap: join(pe.nwd.w::<3>(), pe.nwd.w::<4>()),
        };
        let set = self.notification_set(pe, Sender::NormalWorld, setting, machine);
        let reply = match set {
            Ok(()) => Reply::success(0),
            Err(error) => Reply::error(error),
        };
        reply.write(&mut pe.nwd.0);
        Some(Outcome::to(Next::NormalWorld))
    }
}
