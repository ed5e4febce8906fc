//! What the proxy does for a VM, if that is the only one.

use super::{Answer, Expect, error, success};
use crate::{
    calls::{Kind, W2, fid, ids},
    label,
    state::{Debt, El3, Form, Now, Secure},
    world::{VM_ID, World},
};
use ffa_abi::{
    FfaError::{self, Aborted, Busy, Denied, InvalidParameters, NotSupported},
    contract::Mode,
};

/// The version of the proxy and EL3's side together: 1.2.
const UPSTREAM: u8 = 2;

impl Expect<'_> {
    /// The core is the proxy's for the first time.
    pub(super) fn begin(&mut self) {
        let vcpu = &mut self.view.s.vcpus[0];
        vcpu.state = proxy_el2::vcpu::State::Running;
        vcpu.at = Some(0);
        self.view.s.core[0].chain[0] = Some(0);
    }

    /// A call of the VM.
    pub(super) fn vm(&mut self, call: Kind) {
        if !matches!(
            call,
            Kind::Version(_)
                | Kind::Console { count: 3 }
                | Kind::SmcccVersion
                | Kind::UnknownSmc
                | Kind::Psci
        ) {
            self.view.s.vms[0].version.locked = true;
        }
        match call {
            Kind::Request { .. } => match self.vm_request(call) {
                Ok(()) => self.forward(call, call),
                Err(code) => self.answer_vm(error(code)),
            },
            Kind::Run { wide, id, index } => match self.vm_run(wide, id) {
                Ok(true) => {
                    let narrow = Kind::Run {
                        wide: false,
                        id,
                        index,
                    };
                    self.forward(call, narrow);
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
        self.view.s.vms[0].version.minor >= 3 || self.world.vms[0].mode == Mode::SmcccStrict
    }

    fn answer_vm(&mut self, answer: Answer) {
        self.unchanged = true;
        self.view.vcpus[0][..8].copy_from_slice(&answer);
    }

    fn vm_question(&mut self, call: Kind) {
        let answer = match call {
            Kind::Version(raw) => Self::negotiate(&mut self.view.s.vms[0].version, UPSTREAM, raw),
            Kind::IdGet => success(VM_ID.into()),
            Kind::SpmIdGet => success(0x8000),
            Kind::Console { count: 3 } => success(0),
            Kind::Console { .. } => error(InvalidParameters),
            Kind::Features(asked) => {
                let there = if asked == fid::request(Form::Two) {
                    self.view.s.vms[0].version.minor >= 2
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
                self.view.vcpus[0][0] = 0x1_0002;
                return;
            }
            Kind::UnknownSmc => {
                self.view.vcpus[0][0] = u64::MAX;
                return;
            }
            Kind::Psci => {
                // CPU_OFF of the only core: DENIED.
                self.view.vcpus[0][0] = 0xffff_fffd;
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
            if self.view.s.vms[0].version.minor < 2 {
                return Err(NotSupported);
            }
            if self.view.s.vcpus[0].kept.is_some() {
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
        if let Some(from) = self.view.s.vcpus[0].kept
            && crate::view::id_of(self.world, from) == id
        {
            if !wide {
                return Err(Denied);
            }
            let message = self.view.vcpus_kept[0].take().unwrap_or_default();
            self.view.vcpus[0][..18].copy_from_slice(&message);
            self.view.s.vcpus[0].kept = None;
            return Ok(false);
        }
        if self.view.s.vcpus[0].kept.is_some() && !wide {
            return Err(Denied);
        }
        Ok(true)
    }

    /// Forwards a call; the proxy fills what the VM does not say with zero.
    fn forward(&mut self, made: Kind, call: Kind) {
        let vm = self.view.vcpus[0];
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
        // Whom nobody knows is refused at once.
        let slot = |id| self.slot_of(id).unwrap_or_default();
        self.view.s.core[self.core].pending = match made {
            Kind::Request { form, receiver, .. } => Some(Secure::Request {
                form,
                to: slot(receiver),
            }),
            Kind::Run { wide, id, .. } => Some(Secure::Run {
                wide,
                context: self.own(slot(id)) as u8,
            }),
            _ => None,
        };
        self.normal_world(call);
        self.unchanged = false;
        self.ends_for_vm(false);
    }

    /// If the normal world has the core again, the VM's call ends with what is in its registers,
    /// unless an interrupt of the proxy's own is the reason.
    pub(super) fn ends_for_vm(&mut self, own: bool) {
        let core = &mut self.view.s.core[self.core];
        let (Some(pending), Now::NormalWorld) = (core.pending, core.now) else {
            return;
        };
        let nwd = self.view.nwd[self.core];
        let ended = self.slot_of((nwd[1] >> 16) as u16);
        let ended = self.own(ended.unwrap_or_default());
        let core = &mut self.view.s.core[self.core];
        if own {
            core.el3 = Some(El3::Run(ended as u8));
            if let Secure::Request { form, .. } | Secure::Resumed { form, .. } = pending {
                core.pending = Some(Secure::Resumed {
                    form,
                    context: ended as u8,
                });
                self.view.s.owed[ended] = Debt::InFlight(0);
            } else {
                match &mut self.view.s.owed[ended] {
                    Debt::None => self.view.s.lent[ended] = Some(0),
                    owed => *owed = Debt::InFlight(0),
                }
            }
            return;
        }
        core.pending = None;
        let (run, wide, two) = match pending {
            Secure::Run { wide, .. } => (true, wide, false),
            Secure::Request { form, .. }
            | Secure::Resumed { form, .. }
            | Secure::Drain { form, .. } => (false, form.is_wide(), form == Form::Two),
        };
        let interrupted = matches!(nwd[0], fid::INTERRUPT | fid::YIELD);
        // What the SPMC says without having let the partition run.
        let refused = nwd[0] == fid::ERROR && nwd[2] as i32 != Aborted as i32;
        match pending {
            Secure::Run { context, .. } | Secure::Resumed { context, .. }
                if !interrupted && !refused =>
            {
                self.view.s.owed[usize::from(context)] = Debt::None;
                self.view.s.lent[usize::from(context)] = None;
            }
            Secure::Run { context, .. } => {
                let owed = &mut self.view.s.owed[usize::from(context)];
                if *owed == Debt::InFlight(0) {
                    *owed = Debt::Told(0);
                }
                self.view.s.lent[usize::from(context)] = None;
            }
            Secure::Request { .. } | Secure::Resumed { .. } if interrupted => {
                self.view.s.owed[ended] = Debt::Told(0);
            }
            _ => {}
        }
        let vcpu = &mut self.view.vcpus[0];
        if nwd[0] != fid::response(Form::Two) {
            vcpu[..8].copy_from_slice(&nwd[..8]);
        } else if run && self.view.s.vms[0].version.minor < 2 {
            vcpu[..8].copy_from_slice(&error(Aborted));
        } else if run && self.world.vms[0].mode == Mode::SmcccStrict && !wide {
            self.view.vcpus_kept[0] = Some(nwd);
            self.view.s.vcpus[0].kept = label::origin(nwd[4]);
            vcpu[..8].copy_from_slice(&error(Denied));
        } else if run || two {
            vcpu[..18].copy_from_slice(&nwd);
        } else {
            vcpu[..8].copy_from_slice(&error(Aborted));
        }
    }

    /// The proxy runs the partition again that its own interrupt took away.
    pub(super) fn again(&mut self) {
        let Some(El3::Run(context)) = self.view.s.core[self.core].el3.take() else {
            return;
        };
        let id = World::id(usize::from(self.world.contexts[usize::from(context)].0));
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
