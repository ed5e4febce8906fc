//! What the proxy does for a VM.

use super::{Answer, Expect, error, success};
use crate::{
    calls::{Kind, W2, fid, ids},
    label,
    state::{Form, Now},
    world::{VM_ID, World},
};
use ffa_abi::{
    FfaError::{self, Aborted, Busy, Denied, InvalidParameters, NotSupported},
    contract::Mode,
};

/// The version of the proxy and EL3's side together: 1.2.
const UPSTREAM: u8 = 2;

impl Expect<'_> {
    /// A call of the VM, which is event `number`.
    pub(super) fn vm(&mut self, number: usize, call: Kind) {
        if !matches!(
            call,
            Kind::Version(_)
                | Kind::Console { count: 3 }
                | Kind::SmcccVersion
                | Kind::UnknownSmc
                | Kind::Psci
        ) {
            self.view.s.vm.version.locked = true;
        }
        match call {
            Kind::Request { .. } => match self.vm_request(call) {
                Ok(()) => self.forward(number, call),
                Err(code) => self.answer_vm(error(code)),
            },
            Kind::Run { wide, id, index } => match self.vm_run(wide, id) {
                Ok(true) => {
                    let call = Kind::Run {
                        wide: false,
                        id,
                        index,
                    };
                    self.forward(number, call);
                }
                Ok(false) => {}
                Err(code) => self.answer_vm(error(code)),
            },
            _ => {
                self.unchanged = true;
                self.vm_question(call);
            }
        }
    }

    fn vm_wide(&self) -> bool {
        self.view.s.vm.version.minor >= 3 || self.world.proxy == Some(Mode::SmcccStrict)
    }

    fn answer_vm(&mut self, answer: Answer) {
        self.unchanged = true;
        self.view.vm[..8].copy_from_slice(&answer);
    }

    fn vm_question(&mut self, call: Kind) {
        let answer = match call {
            Kind::Version(raw) => Self::negotiate(&mut self.view.s.vm.version, UPSTREAM, raw),
            Kind::IdGet => success(VM_ID.into()),
            Kind::SpmIdGet => success(0x8000),
            Kind::Console { count: 3 } => success(0),
            Kind::Console { .. } => error(InvalidParameters),
            Kind::Features(asked) => {
                let there = if asked == fid::request(Form::Two) {
                    self.view.s.vm.version.minor >= 2
                } else {
                    asked == fid::RUN | fid::WIDE && self.vm_wide()
                };
                if there {
                    success(0)
                } else {
                    error(NotSupported)
                }
            }
            Kind::SmcccVersion => {
                self.view.vm[0] = 0x1_0002;
                return;
            }
            Kind::UnknownSmc => {
                self.view.vm[0] = u64::MAX;
                return;
            }
            Kind::Psci => {
                // CPU_OFF of the only core: DENIED.
                self.view.vm[0] = 0xffff_fffd;
                return;
            }
            _ => error(NotSupported),
        };
        self.answer_vm(answer);
    }

    fn vm_request(&self, call: Kind) -> Result<(), FfaError> {
        let Kind::Request {
            form,
            sender,
            receiver,
            w2,
            ..
        } = call
        else {
            return Err(NotSupported);
        };
        if form == Form::Two {
            if self.view.s.vm.version.minor < 2 {
                return Err(NotSupported);
            }
            if self.view.s.vm.kept.is_some() {
                return Err(Busy);
            }
        } else if w2 != W2::Message {
            return Err(InvalidParameters);
        }
        if sender != VM_ID || receiver & 0x8000 == 0 {
            return Err(InvalidParameters);
        }
        Ok(())
    }

    /// Whether the run is forwarded; else it is answered from what is kept.
    fn vm_run(&mut self, wide: bool, id: u16) -> Result<bool, FfaError> {
        if wide && !self.vm_wide() {
            return Err(NotSupported);
        }
        if !(0x8001..0xffc0).contains(&id) {
            return Err(InvalidParameters);
        }
        if let Some(from) = self.view.s.vm.kept
            && World::id(usize::from(self.world.contexts[usize::from(from)].0)) == id
        {
            if !wide {
                return Err(Denied);
            }
            let message = self.view.vm_kept.take().unwrap_or_default();
            self.view.vm[..18].copy_from_slice(&message);
            self.view.s.vm.kept = None;
            return Ok(false);
        }
        if self.view.s.vm.kept.is_some() && !wide {
            return Err(Denied);
        }
        Ok(true)
    }

    /// Forwards a call; the proxy fills what the VM does not say with zero.
    fn forward(&mut self, number: usize, call: Kind) {
        let vm = self.view.vm;
        let nwd = &mut self.view.nwd[self.core];
        nwd.fill(0);
        nwd[0] = call.fid() & !fid::SVE_HINT;
        match call {
            Kind::Run { id, index, .. } => nwd[1] = ids(id, index),
            Kind::Request {
                form,
                sender,
                receiver,
                ..
            } => {
                nwd[1] = ids(sender, receiver);
                let mask = if form.is_wide() {
                    u64::MAX
                } else {
                    0xffff_ffff
                };
                let registers = if form == Form::Two { 2..18 } else { 3..8 };
                for register in registers {
                    nwd[register] = vm[register] & mask;
                }
            }
            _ => {}
        }
        self.view.s.vm.call = Some(number as u16);
        self.normal_world(call);
        self.unchanged = false;
        self.ends_for_vm(false);
    }

    /// If the normal world has the core again, the VM's call ends with what is in its registers,
    /// unless an interrupt of the proxy's own is the reason.
    pub(super) fn ends_for_vm(&mut self, own: bool) {
        let (Some(_), Now::NormalWorld) = (self.view.s.vm.call, self.view.s.core[self.core].now)
        else {
            return;
        };
        let nwd = self.view.nwd[self.core];
        if own {
            let id = (nwd[1] >> 16) as u16;
            self.view.s.vm.again = self.slot_of(id);
            return;
        }
        self.view.s.vm.call = None;
        // The VM's own call: its frame still holds the identifier.
        let call = self.view.vm[0] & 0xffff_ffff & !fid::SVE_HINT;
        let run = call & !fid::WIDE == fid::RUN;
        if nwd[0] != fid::response(Form::Two) {
            self.view.vm[..8].copy_from_slice(&nwd[..8]);
        } else if run && self.view.s.vm.version.minor < 2 {
            self.view.vm[..8].copy_from_slice(&error(Aborted));
        } else if run && self.world.proxy == Some(Mode::SmcccStrict) && call & fid::WIDE == 0 {
            self.view.vm_kept = Some(nwd);
            self.view.s.vm.kept = label::origin(nwd[4]);
            self.view.vm[..8].copy_from_slice(&error(Denied));
        } else if run || call == fid::request(Form::Two) {
            self.view.vm[..18].copy_from_slice(&nwd);
        } else {
            self.view.vm[..8].copy_from_slice(&error(Aborted));
        }
    }

    /// The proxy runs the partition again that its own interrupt took away.
    pub(super) fn again(&mut self) {
        let Some(slot) = self.view.s.vm.again.take() else {
            return;
        };
        let id = World::id(usize::from(slot));
        let nwd = &mut self.view.nwd[self.core];
        nwd.fill(0);
        nwd[0] = fid::RUN;
        nwd[1] = ids(id, 0);
        self.normal_world(Kind::Run {
            wide: false,
            id,
            index: 0,
        });
        self.unchanged = false;
        self.ends_for_vm(false);
    }
}
