//! The proxy in front of the SPMC. A call of the VM may last for many events: the proxy handles it
//! from the start each time EL3 answers, and is told what EL3 has said before.

use super::{Rig, Silent};
use crate::{
    calls::{fid, ids},
    label,
    state::Negotiated,
    view::View,
    world::World,
};
use core::ops::Range;
use ffa_abi::{EndpointId, Regs, Version};
use proxy_el2::{
    buffers::{Memory, Unreachable},
    forward::Upstream,
    vm,
};
use spmc::spm::Outcome;

/// What EL3 answers to the proxy in one call of a VM: what it has answered so far, then the call
/// that has no answer yet is noted.
#[derive(Debug)]
struct Script {
    answers: Vec<Regs>,
    asked: usize,
    /// The first call without an answer.
    pending: Option<Regs>,
    /// Whether interrupts are the proxy's own, by which the interrupted partition is run again.
    own: bool,
}

/// There is no memory here.
impl Memory for Script {
    fn open(&mut self, _: Range<u64>) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn close(&mut self, _: Range<u64>) {}

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn zero(&mut self, _: Range<u64>) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn read_rx(&mut self, _: usize, _: &mut [u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }
}

impl vm::Machine for Script {
    fn smc(&mut self, regs: &mut Regs) {
        match self.answers.get(self.asked) {
            Some(answer) => *regs = *answer,
            None => {
                self.pending.get_or_insert(*regs);
                // Ends the call; what it leads to is thrown away.
                *regs = Regs::ZERO;
                regs[0] = fid::ERROR;
            }
        }
        self.asked += 1;
    }

    fn console(&mut self, _: EndpointId, _: u8) {}

    fn take_own_interrupts(&mut self) -> bool {
        self.own && self.asked == 1
    }
}

/// What the proxy has learned of EL3's side.
const UPSTREAM: Upstream = Upstream {
    version: Version::V1_2,
    spm_id: EndpointId::SPMC,
    direct2: true,
    // Buffers and discovery are not searched.
    rx: 0,
    info_regs: false,
};

impl Rig {
    /// Lets the proxy handle the VM's call, `answers` being what EL3 has said so far; gives what the
    /// proxy asks EL3 for to the SPMC.
    pub(super) fn proxy(
        &mut self,
        core: usize,
        after: &mut View,
        answers: &[Regs],
    ) -> Result<Option<Outcome>, String> {
        let vm = self.vm.as_mut().ok_or("there is no VM")?;
        let noted = vm.note();
        let mut script = Script {
            answers: answers.to_vec(),
            asked: 0,
            pending: None,
            own: !answers.is_empty(),
        };
        let mut x = after.vm;
        let next = vm.handle(&UPSTREAM, &mut x, &mut script);
        if next != vm::Next::Resume {
            return Err(format!("the VM ended with {next:?}"));
        }
        match script.pending {
            None => {
                after.vm = x;
                after.s.vm.call = None;
                Ok(None)
            }
            Some(regs) => {
                // The call goes on: all that it has changed so far is that the version is fixed.
                vm.restore((noted.0, vm.note().1, noted.2));
                self.cores[core].nwd = regs;
                let pe = &mut self.cores[core];
                let outcome = if self.general {
                    self.spmc.handle_normal_world_general(pe, &mut Silent)
                } else {
                    self.spmc.handle_normal_world(pe, &mut Silent)
                };
                Ok(Some(outcome))
            }
        }
    }

    /// EL3 gives the core back to the proxy, which ends the VM's call or runs the partition again.
    pub(super) fn completed(
        &mut self,
        core: usize,
        after: &mut View,
        call: u16,
        own: bool,
    ) -> Result<(), String> {
        let answer = self.cores[core].nwd;
        let vm = self.vm.as_mut().ok_or("there is no VM")?;
        if after.s.vm.call.is_none() {
            return Ok(());
        }
        let noted = vm.note();
        let mut script = Script {
            answers: vec![answer],
            asked: 0,
            pending: None,
            own,
        };
        let mut x = after.vm;
        let _ = vm.handle(&UPSTREAM, &mut x, &mut script);
        match script.pending {
            Some(regs) => {
                vm.restore(noted);
                // Only what it was told names who is run again; the model knows who that must be.
                after.s.vm.again = Some((regs[1] >> 16).wrapping_sub(0x8001) as u8);
                after.s.vm.call = Some(call);
                let wanted = ids((regs[1] >> 16) as u16, 0);
                if regs[0] != fid::RUN || regs[1] != wanted {
                    return Err(format!("the proxy made {:x?} after its interrupt", regs.0));
                }
            }
            None => {
                after.vm = x;
                after.s.vm.call = None;
            }
        }
        Ok(())
    }

    pub(super) fn note_vm(&self, after: &mut View) -> Result<(), String> {
        let Some(vm) = &self.vm else {
            return Ok(());
        };
        let (version, locked, kept) = vm.note();
        after.s.vm.version = Negotiated {
            minor: version.minor() as u8,
            locked,
        };
        after.vm_kept = kept.map(|regs| regs.0);
        after.s.vm.kept = match &after.vm_kept {
            Some(message) => Some(label::origin(message[4]).ok_or("kept is no message")?),
            None => None,
        };
        Ok(())
    }
}

/// FFA_INTERRUPT as the answer to the proxy.
pub(super) fn interrupt(slot: u8) -> Regs {
    let mut regs = Regs::ZERO;
    regs[0] = fid::INTERRUPT;
    regs[1] = ids(World::id(usize::from(slot)), 0);
    regs
}
