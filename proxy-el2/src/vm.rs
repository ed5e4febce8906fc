//! A VM as the proxy sees it, and the one function that handles its calls.

use crate::{
    forward::{self, Upstream},
    psci,
};
use ffa_abi::{
    Call, DecodeError, EndpointId, FfaError, Fid, Function, Regs, Reply, Version,
    call::{FeatureQuery, console_characters},
    fid::raw,
    id::Endpoints,
    smccc,
};

/// What the core asks of the machine.
pub trait Machine {
    /// Calls EL3 with these registers and puts what came back in their place.
    fn smc(&mut self, regs: &mut Regs);

    /// A character that a VM wrote with `FFA_CONSOLE_LOG`.
    fn console(&mut self, from: EndpointId, character: u8);

    /// An interrupt took a partition away from the core while it worked for a VM. Takes those that
    /// are the proxy's own; `false` if there was none, so that it must be the VM's.
    fn take_own_interrupts(&mut self) -> bool;
}

/// What happens to the VM after its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// It goes on with its registers.
    Resume,
    /// It asked for SYSTEM_OFF.
    PowerOff,
    /// It asked for SYSTEM_RESET.
    Reset,
}

/// A VM.
#[derive(Debug)]
pub struct Vm {
    /// Its id, 1 to 0x7ffe.
    pub id: EndpointId,
    /// MPIDR_EL1 affinity of its only vCPU.
    pub affinity: u64,
    version: Version,
    /// Whether it made a call that fixes the version.
    version_locked: bool,
}

impl Vm {
    /// A VM that has not called anything yet.
    pub const fn new(id: EndpointId, affinity: u64) -> Self {
        Self {
            id,
            affinity,
            version: Version::V1_0,
            version_locked: false,
        }
    }

    /// The FF-A version it negotiated, 1.0 before.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Handles an SMC or HVC of this VM, whose x0-x30 are `x`.
    #[inline]
    pub fn handle(
        &mut self,
        upstream: &Upstream,
        x: &mut [u64; 31],
        machine: &mut impl Machine,
    ) -> Next {
        let fid = x[0] as u32 & !smccc::SVE_HINT;
        // The messages are worth a shortcut; they pass the same checks as any other call.
        if matches!(
            fid,
            raw::DIRECT_REQ2 | raw::DIRECT_REQ_32 | raw::DIRECT_REQ_64
        ) {
            self.version_locked = true;
            match self.check_request(upstream, fid, x) {
                Ok(()) => forward::message(fid, x, machine),
                Err(error) => Reply::error(error).write(x),
            }
            return Next::Resume;
        }
        self.handle_other(upstream, x, machine)
    }

    /// Whether a direct request may be forwarded: its version, its ids, its reserved bits.
    #[inline(always)]
    fn check_request(&self, upstream: &Upstream, fid: u32, x: &[u64; 31]) -> Result<(), FfaError> {
        let ids = Endpoints::from_register(x[1]);
        if fid == raw::DIRECT_REQ2 {
            if !self.version.has_extended_registers() || !upstream.direct2 {
                return Err(FfaError::NotSupported);
            }
        } else if x[2] as u32 != 0 {
            // Framework messages are the hypervisor's, and other bits are reserved.
            return Err(FfaError::InvalidParameters);
        }
        // There is one VM: every receiver is in the secure world.
        if ids.sender != self.id || !ids.receiver.is_secure() {
            return Err(FfaError::InvalidParameters);
        }
        Ok(())
    }

    #[inline(never)]
    fn handle_other(
        &mut self,
        upstream: &Upstream,
        x: &mut [u64; 31],
        machine: &mut impl Machine,
    ) -> Next {
        let regs = Regs::of(x);
        let call = match Call::decode(self.version, &regs) {
            Ok(call) => call,
            Err(DecodeError::NotFfa(fid)) => {
                let (reply, next) = psci::answer(self, fid, &regs);
                reply.write(x);
                return next;
            }
            Err(DecodeError::Unknown) => {
                self.version_locked = true;
                Reply::error(FfaError::NotSupported).write(x);
                return Next::Resume;
            }
            Err(DecodeError::Invalid(fid)) => {
                self.version_locked = true;
                let error = if implemented(fid, self.version, upstream) {
                    FfaError::InvalidParameters
                } else {
                    FfaError::NotSupported
                };
                Reply::error(error).write(x);
                return Next::Resume;
            }
        };
        if !matches!(call, Call::Version(_) | Call::ConsoleLog { .. }) {
            self.version_locked = true;
        }
        let reply = match call {
            Call::Version(requested) => self.negotiate(upstream, requested),
            Call::Features { query, .. } => match query {
                FeatureQuery::Function(fid) if implemented(fid, self.version, upstream) => {
                    Reply::success(0)
                }
                _ => Reply::error(FfaError::NotSupported),
            },
            Call::IdGet => Reply::success(self.id.0.into()),
            Call::SpmIdGet => Reply::success(upstream.spm_id.0.into()),
            Call::ConsoleLog { wide, count } => {
                let id = self.id;
                console_characters(&regs, wide, count, |c| machine.console(id, c));
                Reply::success(0)
            }
            Call::Run {
                wide: false,
                target,
            } => {
                if target.endpoint.is_partition() {
                    forward::run(target, x, machine);
                    return Next::Resume;
                }
                Reply::error(FfaError::InvalidParameters)
            }
            // Direct requests came here only to be decoded again: never.
            _ => Reply::error(FfaError::NotSupported),
        };
        reply.write(x);
        Next::Resume
    }

    /// `FFA_VERSION`: the proxy's own version is what both it and EL3's side speak.
    fn negotiate(&mut self, upstream: &Upstream, requested: Option<Version>) -> Reply {
        match requested {
            Some(version)
                if upstream.version.serves(version)
                    && (!self.version_locked || version == self.version) =>
            {
                self.version = version;
                Reply::Version(Some(upstream.version))
            }
            _ => Reply::Version(None),
        }
    }
}

/// Whether a VM may call a function: what is not here is answered NOT_SUPPORTED both by
/// `FFA_FEATURES` and when it is called.
fn implemented(fid: Fid, version: Version, upstream: &Upstream) -> bool {
    match fid.function {
        Function::Error | Function::Interrupt | Function::Run => !fid.wide,
        Function::Success
        | Function::Version
        | Function::Features
        | Function::IdGet
        | Function::SpmIdGet
        | Function::ConsoleLog
        | Function::MsgSendDirectReq => true,
        Function::MsgSendDirectReq2 => version.has_extended_registers() && upstream.direct2,
        _ => false,
    }
}
