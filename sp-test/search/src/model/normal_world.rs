//! What the normal world, and EL3 for it, is answered.

use super::{Answer, Expect, error, success};
use crate::{
    calls::{Kind, fid, ids},
    state::{By, Form, Now},
};
use ffa_abi::FfaError::{InvalidParameters, NotSupported};
use spmc::state::State;

impl Expect<'_> {
    pub(super) fn normal_world(&mut self, call: Kind) {
        let counts = !matches!(
            call,
            Kind::Version(_)
                | Kind::Interrupt { wide: false }
                | Kind::UnknownFfa
                | Kind::Bounce
                | Kind::Spmd(..)
        );
        if counts {
            self.view.s.normal_world.locked = true;
        }
        let result = match call {
            Kind::Request { .. } => {
                let wide = call.is_wide();
                let result = self.request(None, call);
                self.view.s.core[self.core].wide_entry = wide;
                result
            }
            Kind::Run {
                wide: false,
                id,
                index,
            } => {
                let result = self.run(None, false, id, index);
                self.view.s.core[self.core].wide_entry = false;
                result
            }
            // The normal world is resumed where it was: nothing is written.
            Kind::Interrupt { wide: false } => {
                self.unchanged = true;
                return;
            }
            Kind::IdGet => return self.answer_nwd(success(0)),
            Kind::SpmIdGet => return self.answer_nwd(success(0x8000)),
            Kind::Features(asked) => return self.answer_nwd(features(asked)),
            Kind::Version(raw) => {
                let answer = Self::negotiate(&mut self.view.s.normal_world, 3, raw);
                return self.answer_nwd(answer);
            }
            Kind::Spmd(number, w3) => return self.spmd(number, w3),
            Kind::FalseSpmd => Err(InvalidParameters),
            // No addresses, and nobody has memory.
            Kind::RxtxMap => Err(InvalidParameters),
            _ => Err(NotSupported),
        };
        if let Err(code) = result {
            self.view.s.core[self.core].wide_entry = false;
            self.answer_nwd(error(code));
        }
    }

    /// The lives of this core's contexts end: what they sent is of an earlier life when they start again.
    fn end_lives(&mut self) {
        let s = &mut self.view.s;
        let here = |number: usize| {
            let (slot, index) = self.world.contexts[number];
            !self.world.partitions[usize::from(slot)].up && usize::from(index) == self.core
        };
        let ends: Vec<bool> = (0..self.world.contexts.len())
            .map(|number| here(number) && s.ctx[number].state != State::Off)
            .collect();
        for ctx in &mut s.ctx {
            if let Some(serves) = &mut ctx.serves
                && let Some(By::Slot(from)) = serves.origin
                && let Some(sender) = self.world.context(from, usize::from(serves.core))
                && ends[sender]
            {
                serves.old = true;
            }
            if let Some(kept) = ctx.kept
                && ends[usize::from(kept)]
            {
                ctx.kept_old = true;
            }
        }
    }

    fn spmd(&mut self, number: u8, w3: u32) {
        let response = |number: u64, w3: u64| {
            [
                fid::response(Form::Narrow),
                ids(0x8000, 0xffff),
                1 << 31 | number,
                w3,
                0,
                0,
                0,
                0,
            ]
        };
        match number {
            8 => {
                let answer = Self::negotiate(&mut self.view.s.normal_world, 3, w3);
                self.answer_nwd(response(9, answer[0]));
            }
            1 => self.answer_nwd(response(2, 0)),
            0 if u64::from(w3) == fid::PSCI_CPU_OFF => {
                self.end_lives();
                for (number, (slot, _)) in self.world.contexts.iter().enumerate() {
                    let here = self.world.context(*slot, self.core) == Some(number);
                    let ctx = &mut self.view.s.ctx[number];
                    if here && ctx.at == Some(self.core as u8) {
                        ctx.state = State::Off;
                        ctx.serves = None;
                        ctx.kept = None;
                        ctx.kept_old = false;
                        self.view.kept[number] = None;
                    }
                }
                self.answer_nwd(response(2, 0));
                self.unchanged = false;
                let noted = &mut self.view.s.core[self.core];
                noted.now = Now::Off;
                noted.kick = false;
                noted.news = 0;
                noted.due = 0;
            }
            0 => self.answer_nwd(response(2, 0xffff_ffff)),
            _ => self.answer_nwd(error(InvalidParameters)),
        }
    }
}

/// `FFA_FEATURES` by the normal world.
fn features(asked: u64) -> Answer {
    if asked == fid::request(Form::Two) {
        success(0)
    } else {
        error(NotSupported)
    }
}
