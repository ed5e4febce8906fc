//! What a partition is answered.

use super::{Expect, error, legal, success};
use crate::{
    calls::{Kind, fid},
    state::Form,
    world::{Who, World},
};
use ffa_abi::FfaError::{self, Denied, InvalidParameters, NotSupported};
use spmc::state::{Model as Runtime, State};

impl Expect<'_> {
    pub(super) fn partition(&mut self, slot: u8, call: Kind) {
        if !matches!(
            call,
            Kind::Version(_)
                | Kind::Console { count: 3 }
                | Kind::SmcccVersion
                | Kind::UnknownSmc
                | Kind::Psci
        ) {
            self.view.s.versions[usize::from(slot)].locked = true;
        }
        let was = self.view.s.core[self.core].now;
        let result = match call {
            Kind::Request { .. } => self.request(Some(slot), call),
            Kind::Response { .. } => self.respond(slot, call),
            Kind::Run { wide, id, index } => self
                .cycles(slot, wide)
                .and_then(|()| self.run(Some(slot), wide, id, index)),
            Kind::Wait { wide, w1 } => self.wait(slot, wide, w1),
            Kind::Yield { wide, w4 } => self.yields(slot, wide, w4),
            Kind::Error { wide, code: -8 }
                if self.cycles(slot, wide).is_ok()
                    && matches!(
                        self.view.s.ctx[self.own(slot)].model,
                        Runtime::Init | Runtime::Restart
                    ) =>
            {
                self.abort(slot);
                return;
            }
            Kind::IdGet => {
                return self.answer_partition(slot, success(World::id(usize::from(slot)).into()));
            }
            Kind::SpmIdGet => return self.answer_partition(slot, success(0x8000)),
            Kind::Console { count: 3 } => return self.answer_partition(slot, success(0)),
            Kind::Console { .. } => Err(InvalidParameters),
            Kind::Features(asked) => {
                let there = asked == fid::request(Form::Two)
                    || asked == fid::MSG_WAIT
                    || (asked == fid::RUN | fid::WIDE && self.wide_cycles(slot));
                if there {
                    return self.answer_partition(slot, success(0));
                }
                Err(NotSupported)
            }
            Kind::Version(raw) => {
                let noted = &mut self.view.s.versions[usize::from(slot)];
                let answer = Self::negotiate(noted, 3, raw);
                return self.answer_partition(slot, answer);
            }
            Kind::SmcccVersion => return self.one(slot, 0x1_0002),
            Kind::UnknownSmc | Kind::Psci => return self.one(slot, u64::MAX),
            // No addresses, and nobody has memory.
            Kind::RxtxMap => Err(InvalidParameters),
            _ => Err(NotSupported),
        };
        if let Err(code) = result {
            self.answer_partition(slot, error(code));
        } else if was != self.view.s.core[self.core].now {
            self.ends_for_vm(false);
        }
    }

    /// An answer in x0 alone.
    fn one(&mut self, slot: u8, x0: u64) {
        self.unchanged = true;
        let own = self.own(slot);
        self.view.x[own][0] = x0;
    }

    fn cycles(&self, slot: u8, wide: bool) -> Result<(), FfaError> {
        if wide && !self.wide_cycles(slot) {
            Err(NotSupported)
        } else {
            Ok(())
        }
    }

    fn wait(&mut self, slot: u8, wide: bool, w1: u64) -> Result<(), FfaError> {
        self.cycles(slot, wide)?;
        if w1 != 0 {
            return Err(InvalidParameters);
        }
        let own = self.own(slot);
        let ctx = &mut self.view.s.ctx[own];
        if !legal(ctx.model, &Kind::Wait { wide, w1 }) {
            return Err(Denied);
        }
        ctx.state = State::Waiting;
        ctx.wide = wide;
        let giver = ctx.giver;
        super::indirect::waits(&mut self.view.s.notes, Who::Slot(slot));
        let ctx = &self.view.s.ctx[own];
        // Who waits for one that was restarted is told that its call failed.
        let answer = match ctx.model {
            Runtime::Restart => error(FfaError::Aborted),
            _ => [fid::MSG_WAIT, 0, 0, 0, 0, 0, 0, 0],
        };
        self.leave(slot);
        self.complete(giver, answer);
        Ok(())
    }

    fn yields(&mut self, slot: u8, wide: bool, w4: u64) -> Result<(), FfaError> {
        self.cycles(slot, wide)?;
        if w4 != 0 {
            return Err(InvalidParameters);
        }
        let minor = self.minor(slot);
        let own = self.own(slot);
        let ctx = &mut self.view.s.ctx[own];
        if matches!(ctx.model, Runtime::Init | Runtime::Restart)
            || (ctx.model == Runtime::DirectRequest && minor < 2)
        {
            return Err(Denied);
        }
        ctx.state = State::Blocked;
        ctx.waits = None;
        ctx.wide = wide;
        let giver = ctx.giver;
        let x = &mut self.view.x[own];
        let timeout = [x[2] & 0xffff_ffff, x[3] & 0xffff_ffff];
        x[..8].copy_from_slice(&success(0));
        self.leave(slot);
        let answer = [
            fid::YIELD,
            self.target(slot),
            timeout[0],
            timeout[1],
            0,
            0,
            0,
            0,
        ];
        self.complete(giver, answer);
        Ok(())
    }
}
