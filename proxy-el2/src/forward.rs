//! EL3's side: what the proxy asks of it in its own name.

use crate::buffers::OwnPair;
use ffa_abi::{
    Call, Completion, EndpointId, FfaError, Regs, Version, features::FeatureId, fid::raw,
};

/// The way to EL3.
pub trait El3 {
    /// Calls EL3 with these registers and puts what came back in their place: for calls of the
    /// proxy's own, which none of a VM's waits for.
    fn smc(&mut self, regs: &mut Regs);
}

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
    /// The SGI with which the SPMC asks for cycles for partitions (the schedule receiver interrupt). It is the
    /// primary's, whose the cores are.
    pub sri: Option<u32>,
    /// Whether the SPMC exchanges indirect messages with VMs: it has `FFA_MSG_SEND2`, and `FFA_RX_ACQUIRE`.
    pub indirect: bool,
    /// Whether the SPMC keeps the notifications of VMs (`FFA_NOTIFICATION_BITMAP_CREATE`), and there is an interrupt with
    /// which the primary is told.
    pub notifications: bool,
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
    pub fn negotiate(machine: &mut impl El3) -> Result<Self, UpstreamError> {
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

    fn ask(machine: &mut impl El3, version: Version) -> Result<Self, UpstreamError> {
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
        Ok(Self {
            version,
            spm_id,
            direct2: feature(machine, raw::DIRECT_REQ2).is_some(),
            rx: 0,
            info_regs: false,
            sri: feature(
                machine,
                u8::from(FeatureId::ScheduleReceiverInterrupt).into(),
            )
            .filter(|intid| *intid < SGIS),
            indirect: false,
            notifications: false,
        })
    }
}

/// INTIDs below this are SGIs.
const SGIS: u32 = 16;

/// What EL3's side has to say of a function or feature, if it has it.
fn feature(machine: &mut impl El3, query: u32) -> Option<u32> {
    let mut regs = Regs::ZERO;
    regs[0] = raw::FEATURES.into();
    regs[1] = query.into();
    machine.smc(&mut regs);
    (regs.w::<0>() == raw::SUCCESS_32).then(|| regs.w::<2>())
}

/// How often a message of a partition's is put out of the way of a call: each partition may have sent one, and one
/// that goes on sending is not waited for.
const MOST_RELEASES: usize = 8;

/// A call of the proxy's own whose answer comes into its RX. Partitions may send it messages, as to any endpoint: it
/// reads none, and gives RX back for its own use. The proxy's RX must be nobody else's meanwhile.
///
/// # Errors
/// As [`ask`]; BUSY if partitions fill RX again and again.
pub(crate) fn ask_for_rx(call: Call, machine: &mut impl El3) -> Result<Regs, FfaError> {
    for _ in 0..MOST_RELEASES {
        match ask(call, machine) {
            Err(FfaError::Busy) => release_rx(machine),
            answer => return answer,
        }
    }
    Err(FfaError::Busy)
}

/// The proxy's own RX is the SPMC's again. If it was already, that is refused, and does no harm.
pub(crate) fn release_rx(machine: &mut impl El3) {
    let release = Call::RxRelease {
        vm: EndpointId::HYPERVISOR,
    };
    let _ = ask(release, machine);
}

/// A call of the proxy's own: its registers if it succeeded, and the error if not.
///
/// NOT_SUPPORTED as well for EL3's bare -1, and ABORTED for what completes no such call.
pub(crate) fn ask(call: Call, machine: &mut impl El3) -> Result<Regs, FfaError> {
    let mut regs = call.encode();
    machine.smc(&mut regs);
    match Completion::decode(call.fid(), &regs) {
        Ok(Completion::Success { .. }) => Ok(regs),
        Ok(Completion::Unknown) => Err(FfaError::NotSupported),
        Ok(Completion::Error { code: Ok(code), .. }) => Err(code),
        _ => Err(FfaError::Aborted),
    }
}
