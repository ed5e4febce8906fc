//! Forwarding to EL3 and completing a VM's call with what comes back, by the register contract.

use crate::{buffers::OwnPair, vm::Machine};
use ffa_abi::{
    Call, Completion, EndpointId, FfaError, Regs, Reply, TargetInfo, Version,
    contract::{self, Layout},
    copy_registers,
    fid::raw,
};

/// What the proxy learned of EL3's side at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The version that VMs can have: the lower of the proxy's own and EL3's.
    pub version: Version,
    /// The SPMC's id.
    pub spm_id: EndpointId,
    /// Whether `FFA_MSG_SEND_DIRECT_REQ2` is implemented there.
    pub direct2: bool,
    /// Bytes of the proxy's own RX. 0 without one: then VMs have no RX/TX buffers either, and can't
    /// discover partitions.
    pub rx: usize,
    /// Whether `FFA_PARTITION_INFO_GET_REGS` is implemented there, for a proxy with an RX.
    pub info_regs: bool,
}

/// Why the proxy can't work with EL3's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// `FFA_VERSION` was refused.
    #[error(
        "EL3 answered FFA_VERSION({asked}) with {answer:#x}, wanted a version 1.x: is there an SPMC?"
    )]
    Version {
        /// What the proxy asked for.
        asked: Version,
        /// What came back in w0.
        answer: u32,
    },
    /// `FFA_SPM_ID_GET` failed.
    #[error("EL3 answered FFA_SPM_ID_GET with x0 {x0:#x}, x2 {x2:#x}, wanted FFA_SUCCESS")]
    SpmId {
        /// x0 of the answer.
        x0: u64,
        /// x2 of the answer.
        x2: u64,
    },
    /// `FFA_RXTX_MAP` of the proxy's own pair was refused.
    #[error(
        "EL3 answered FFA_RXTX_MAP (TX {:#x}, RX {:#x}, {pages} pages) with {error}: is this normal-world memory in the SPMC's manifest?",
        own.tx,
        own.rx
    )]
    Buffers {
        /// The pair.
        own: OwnPair,
        /// How many pages of it were asked for.
        pages: u16,
        /// What came back, `ABORTED` for what is no completion.
        error: FfaError,
    },
}

impl Upstream {
    /// Negotiates with EL3's side. The proxy's first calls, before any VM runs.
    pub fn negotiate(machine: &mut impl Machine) -> Result<Self, UpstreamError> {
        let mut answered = 0;
        // EL3's dispatcher may be older than this project: ask for the newest first.
        for asked in [Version::OWN, Version::V1_2, Version::V1_1] {
            let mut regs = Regs::ZERO;
            regs[0] = raw::VERSION.into();
            regs[1] = asked.raw().into();
            machine.smc(&mut regs);
            answered = regs.w::<0>();
            if let Some(version) = Version::from_raw(answered)
                && version.serves(asked)
            {
                return Self::ask(machine, asked.min(version));
            }
        }
        Err(UpstreamError::Version {
            asked: Version::V1_1,
            answer: answered,
        })
    }

    fn ask(machine: &mut impl Machine, version: Version) -> Result<Self, UpstreamError> {
        let mut regs = Regs::ZERO;
        regs[0] = raw::SPM_ID_GET.into();
        machine.smc(&mut regs);
        if regs.w::<0>() != raw::SUCCESS_32 {
            return Err(UpstreamError::SpmId {
                x0: regs[0],
                x2: regs[2],
            });
        }
        let spm_id = EndpointId(regs[2] as u16);
        let mut regs = Regs::ZERO;
        regs[0] = raw::FEATURES.into();
        regs[1] = raw::DIRECT_REQ2.into();
        machine.smc(&mut regs);
        Ok(Self {
            version,
            spm_id,
            direct2: regs.w::<0>() == raw::SUCCESS_32,
            rx: 0,
            info_regs: false,
        })
    }
}

/// A call of the proxy's own: its registers if it succeeded, and the error if not.
///
/// NOT_SUPPORTED as well for EL3's bare -1, and ABORTED for what completes no such call.
pub(crate) fn ask(call: Call, machine: &mut impl Machine) -> Result<Regs, FfaError> {
    let mut regs = call.encode();
    machine.smc(&mut regs);
    match Completion::decode(call.fid(), &regs) {
        Ok(Completion::Success { .. }) => Ok(regs),
        Ok(Completion::Unknown) => Err(FfaError::NotSupported),
        Ok(Completion::Error { code: Ok(code), .. }) => Err(code),
        _ => Err(FfaError::Aborted),
    }
}

/// Forwards a checked direct request and completes the VM's call.
#[inline(always)]
pub(crate) fn message(fid: u32, x: &mut [u64; 31], machine: &mut impl Machine) {
    let ids = x[1] & 0xffff_ffff;
    let mut regs = match fid {
        raw::DIRECT_REQ2 => {
            let mut regs = Regs::of(x);
            regs[0] = fid.into();
            regs[1] = ids;
            regs
        }
        _ => {
            let mask = if fid == raw::DIRECT_REQ_64 {
                u64::MAX
            } else {
                0xffff_ffff
            };
            let mut regs = Regs::eight([
                fid.into(),
                ids,
                0,
                x[3] & mask,
                x[4] & mask,
                x[5] & mask,
                x[6] & mask,
                x[7] & mask,
            ]);
            // Not the VM's business on the way back, and nothing of it on the way there.
            copy_registers!(regs, [0u64; 18], 0, 8 9, 10 11, 12 13, 14 15, 16 17);
            regs
        }
    };
    machine.smc(&mut regs);
    // The one completion that a request of this kind wants; x8-x17 are written for no other.
    match (fid, regs.w::<0>()) {
        (raw::DIRECT_REQ2, raw::DIRECT_RESP2)
            if contract::message_layout(true, true) == Layout::Eighteen =>
        {
            copy_registers!(x, regs, u64::MAX, 0 1, 2 3, 4 5, 6 7, 8 9, 10 11, 12 13, 14 15, 16 17);
        }
        (_, raw::DIRECT_RESP_64) if contract::message_layout(false, true) == Layout::Eight => {
            copy_registers!(x, regs, u64::MAX, 0 1, 2 3, 4 5, 6 7);
        }
        (_, raw::DIRECT_RESP_32) if contract::message_layout(false, false) == Layout::Eight => {
            copy_registers!(x, regs, 0xffff_ffff, 0 1, 2 3, 4 5, 6 7);
        }
        _ => complete_rare(&mut regs, fid == raw::DIRECT_REQ2, x, machine),
    }
}

/// Forwards `FFA_RUN` of a partition, and again for as long as interrupts of the proxy's own end
/// it. Returns what EL3 gave at last.
pub(crate) fn run(target: TargetInfo, machine: &mut impl Machine) -> Regs {
    let mut regs = Regs::ZERO;
    regs[0] = raw::RUN.into();
    regs[1] = target.register();
    machine.smc(&mut regs);
    go_on(&mut regs, machine);
    regs
}

/// Completions other than the wanted response: errors, interrupts, yields, ends of runs.
///
/// The call stays the VM's: a partition that an interrupt of the proxy's own took away from the
/// core is run again here, and its answer completes what the VM asked for.
#[cold]
#[inline(never)]
fn complete_rare(regs: &mut Regs, extended: bool, x: &mut [u64; 31], machine: &mut impl Machine) {
    go_on(regs, machine);
    // A response in x0-x17 to a request in x0-x7 is nothing that a VM could have asked for.
    if layout(regs) == Layout::Eighteen && !extended {
        Reply::error(FfaError::Aborted).write(x);
    } else {
        write(regs, x);
    }
}

/// Runs a partition again that interrupts of the proxy's own took away from the core.
fn go_on(regs: &mut Regs, machine: &mut impl Machine) {
    while regs.w::<0>() == raw::INTERRUPT && machine.take_own_interrupts() {
        let preempted = TargetInfo::from_register(regs[1]);
        *regs = Regs::ZERO;
        regs[0] = raw::RUN.into();
        regs[1] = preempted.register();
        machine.smc(regs);
    }
}

/// The layout of what EL3 returned.
pub(crate) fn layout(regs: &Regs) -> Layout {
    contract::layout(None, regs[0])
}

/// Writes what EL3 returned into the VM's registers by the contract.
pub(crate) fn write(regs: &Regs, x: &mut [u64; 31]) {
    if contract::is_bare_unknown(regs[0]) {
        Reply::error(FfaError::NotSupported).write(x);
        return;
    }
    match layout(regs) {
        // EL3 answered with something that is no completion of FF-A.
        Layout::None | Layout::One | Layout::Four => Reply::error(FfaError::Aborted).write(x),
        layout => contract::write(layout, regs, x),
    }
}
