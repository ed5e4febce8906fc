//! The SPMC's run loop between EL3 and partitions: the image's, on a model of the machine.

use super::{Actor, Core, Landing, Who, World, chip};
use crate::{
    fid,
    oracle::{self, Kind},
    spmd::To,
};
use ffa_abi::Regs;
use spmc::{
    context::Slot,
    spm::{self, Next, Outcome},
    state::State,
};

impl World<'_> {
    /// EL3 has entered the SPMC.
    pub(super) fn enter_spmc(&mut self, core: usize) -> Result<Landing, String> {
        // EL3 may bounce what the SPMC completes with, once.
        for _ in 0..3 {
            let before = self.views(core);
            let mut regs = Regs::ZERO;
            regs.0.copy_from_slice(&self.spmd.cpus[core].secure[..18]);
            let memory = self.memory_before(fid::of(regs.0[0]));
            let Core { pe, entry, .. } = &mut self.cores[core];
            pe.nwd = regs;
            *entry = regs.0;
            let mut chip = chip!(self, core);
            let outcome = if self.general {
                self.spmc.handle_normal_world_general(pe, &mut chip)
            } else {
                self.spmc.handle_normal_world(pe, &mut chip)
            };
            let fid = fid::of(regs.0[0]);
            if outcome.next != Next::NormalWorld {
                return self.settle(core, Actor::Normal, outcome);
            }
            let failed = self.cores[core].pe.nwd[0] == u64::from(fid::ERROR);
            self.memory_after(memory, &regs.0, failed)?;
            if failed {
                self.nothing_changed(core, &before, None)?;
            } else if fid::is_request(fid) && regs.0[2] >> 31 & 1 == 0 {
                return Err("a request of the normal world was answered at once".to_owned());
            }
            match self.leave_spmc(core, outcome)? {
                To::Secure => {}
                To::Off => {
                    self.cores[core].now = Who::Off;
                    return Ok(Landing {
                        who: Who::Off,
                        kind: Kind::Resumed,
                    });
                }
                To::Normal => {
                    let landing = self.normal_lands(core)?;
                    return self.book(core, Actor::Normal, landing);
                }
            }
        }
        Err("EL3 and the SPMC bounce a call for ever".to_owned())
    }

    /// The SPMC completes towards EL3.
    fn leave_spmc(&mut self, core: usize, outcome: Outcome) -> Result<To, String> {
        let c = &mut self.cores[core];
        c.machine.restore_normal_world(&mut c.pe);
        c.left = outcome.left;
        if outcome.next == Next::NormalWorldResume {
            c.pe.nwd = spm::resume();
        } else {
            oracle::towards_el3(&c.entry, &c.pe.nwd.0)?;
        }
        let mut x = self.spmd.cpus[core].secure;
        x[..18].copy_from_slice(&c.pe.nwd.0);
        Ok(self.spmd.from_secure(core, &x))
    }

    pub(super) fn settle(
        &mut self,
        core: usize,
        actor: Actor,
        outcome: Outcome,
    ) -> Result<Landing, String> {
        if let Actor::Partition(from) = actor {
            self.note_response(core, from)?;
        }
        let landing = match outcome.next {
            Next::Partition(slot) => {
                let c = &mut self.cores[core];
                let Core { machine, pe, .. } = c;
                // The image does the same before it says that the registers are saved.
                if let Some(left) = outcome.left.as_ref().filter(|left| left.migrates()) {
                    machine.leave(pe, left.slot());
                }
                c.machine.make_resident(&mut c.pe, slot);
                c.left = outcome.left;
                c.now = Who::Partition(slot);
                self.partition_lands(core, slot, actor)?
            }
            Next::Booted => {
                let c = &mut self.cores[core];
                c.machine.restore_normal_world(&mut c.pe);
                c.left = outcome.left;
                c.now = Who::Normal;
                Landing {
                    who: Who::Normal,
                    kind: Kind::Resumed,
                }
            }
            Next::Reload(_) | Next::Wipe(_) | Next::PowerOff => {
                return Err("no partition here has a life after its first".to_owned());
            }
            Next::NormalWorld | Next::NormalWorldResume => {
                if self.leave_spmc(core, outcome)? == To::Secure {
                    // A bounced completion: the SPMC says so in its place.
                    self.save(core);
                    self.ledger.bounced(core, actor);
                    return self.enter_spmc(core);
                }
                self.normal_lands(core)?
            }
        };
        self.book(core, actor, landing)
    }

    fn book(&mut self, core: usize, actor: Actor, landing: Landing) -> Result<Landing, String> {
        let mut views = self.views(core);
        // One that ends itself has died like one that fails.
        let actor = match actor {
            Actor::Partition(slot) if self.ended_itself(core, slot) => Actor::Abort(slot),
            actor => actor,
        };
        crate::ledger::book(self, core, actor, landing, &views)?;
        if let Actor::Abort(_) = actor {
            // What is kept from it counts no more.
            views = self.views(core);
        }
        crate::ledger::sound(self, core, landing.who, &views)?;
        self.interrupts_hold(core)?;
        Ok(landing)
    }

    /// Whether the partition's last call here was an `FFA_ABORT` that was carried out.
    pub(crate) fn ended_itself(&mut self, core: usize, slot: Slot) -> bool {
        self.cores[core].pe.context(slot).is_some_and(|context| {
            let call = fid::of(context.machine.sent[0]);
            call & !fid::WIDE == fid::ABORT_32 && context.state() == State::Aborted
        })
    }
}
