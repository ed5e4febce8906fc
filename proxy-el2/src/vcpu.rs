//! Virtual CPUs: what each remembers.

pub use crate::state::{Event, State, next};
use ffa_abi::{EndpointId, Regs, TargetInfo, id::Endpoints};

/// What the core needs of the machine's part of a vCPU.
pub trait Registers {
    /// x0 to x30.
    fn x(&mut self) -> &mut [u64; 31];

    /// Everything as at a core's reset, the first instruction at `entry` and `context` in x0
    /// (PSCI, `CPU_ON`).
    fn start(&mut self, entry: u64, context: u64);
}

/// A VM's place in the proxy's table; not its FF-A id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VmIndex(pub u8);

impl VmIndex {
    /// The index, below [`MAX_VMS`](crate::MAX_VMS) whatever the number is, so that no access needs a
    /// check.
    #[inline(always)]
    pub const fn index(self) -> usize {
        const { assert!(crate::MAX_VMS.is_power_of_two()) };
        self.0 as usize & (crate::MAX_VMS - 1)
    }
}

/// One vCPU of one VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VcpuId {
    /// The VM.
    pub vm: VmIndex,
    /// The vCPU's index, which is also its affinity level 0.
    pub vcpu: u8,
}

/// What gave a vCPU its cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// It is the primary's, or was run with `FFA_RUN`.
    Run,
    /// A direct request.
    DirectRequest,
}

/// The form of a direct message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `FFA_MSG_SEND_DIRECT_REQ` and `RESP`, 32- or 64-bit.
    Direct {
        /// Whether it is the 64-bit form.
        wide: bool,
    },
    /// `FFA_MSG_SEND_DIRECT_REQ2` and `RESP2`.
    Direct2,
}

/// A request that a vCPU serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Who sent it, to whom the answer must be addressed.
    pub sender: EndpointId,
    /// The vCPU that waits for the answer; `None` if it does no more: the answer goes into the void.
    pub origin: Option<VcpuId>,
    /// The form.
    pub kind: Kind,
}

/// A call of EL3 on a vCPU's behalf, which its completion must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Secure {
    /// A direct request to a partition.
    Request {
        /// w0 of the request.
        fid: u32,
        /// The partition.
        to: EndpointId,
    },
    /// The same, whose partition was taken off the core before it answered, and is run again.
    Resumed {
        /// w0 of the request.
        fid: u32,
        /// The partition's context.
        target: TargetInfo,
    },
    /// `FFA_RUN` of a partition.
    Run {
        /// Whether the VM used the 64-bit form.
        wide: bool,
        /// What it runs.
        target: TargetInfo,
    },
    /// The end of a request by a VM that is no more, which keeps the partition busy that `fid` is
    /// sent to.
    Drain {
        /// w0 of the request that waits.
        fid: u32,
        /// The partition's context that has something to finish.
        target: TargetInfo,
    },
}

/// In what a vCPU waits, for as long as it is not running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waits {
    /// Nothing but cycles.
    Cycles,
    /// `FFA_MSG_WAIT` in its 32- or 64-bit form: for a message or `FFA_RUN`.
    Message {
        /// Whether it is the 64-bit form.
        wide: bool,
    },
    /// A vCPU that it has called or runs.
    Callee {
        /// Which.
        callee: VcpuId,
        /// Whether its call is a 64-bit one.
        wide: bool,
    },
    /// A partition that was taken off the core with it, and is to be run again first.
    Partition {
        /// The call that is to be completed.
        call: Secure,
        /// What is to be run.
        preempted: TargetInfo,
    },
}

/// A response that found its receiver in strict mode and in a 32-bit `FFA_RUN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Who sent it.
    pub from: EndpointId,
    /// x0-x17 of `FFA_MSG_SEND_DIRECT_RESP2`.
    pub message: Regs,
}

/// A vCPU. `R` is the machine's part of it and comes first: its general registers are what a
/// message's path touches most.
#[derive(Debug)]
#[repr(C)]
pub struct Vcpu<R> {
    /// The machine's part.
    pub machine: R,
    id: VcpuId,
    /// Its VM's FF-A id.
    pub(crate) endpoint: EndpointId,
    state: State,
    pub(crate) model: Model,
    pub(crate) request: Option<Request>,
    pub(crate) waits: Waits,
    pub(crate) kept: Option<Kept>,
}

impl<R> Vcpu<R> {
    /// A vCPU that is off.
    pub const fn new(machine: R, id: VcpuId) -> Self {
        Self {
            machine,
            id,
            endpoint: EndpointId::HYPERVISOR,
            state: State::Off,
            model: Model::Run,
            request: None,
            waits: Waits::Cycles,
            kept: None,
        }
    }

    /// Which one it is.
    #[inline(always)]
    pub const fn id(&self) -> VcpuId {
        self.id
    }

    /// Its state.
    #[inline(always)]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The request it serves.
    pub const fn request(&self) -> Option<Request> {
        self.request
    }

    /// In what it waits.
    pub const fn waits(&self) -> Waits {
        self.waits
    }

    /// Its name for FF-A: VM and index.
    #[inline(always)]
    pub(crate) fn target(&self) -> TargetInfo {
        TargetInfo {
            endpoint: self.endpoint,
            context: self.id.vcpu.into(),
        }
    }

    /// Changes the state by the table. An impossible event changes nothing; callers have checked
    /// before, so it is a bug that tests must see and firmware must survive.
    #[inline(always)]
    pub(crate) fn transition(&mut self, event: Event) -> bool {
        match next(self.state, event) {
            Some(state) => {
                self.state = state;
                true
            }
            None => {
                debug_assert!(false, "{event:?} in {:?}", self.state);
                false
            }
        }
    }

    /// It could not be switched on after all.
    pub(crate) fn take_back(&mut self) {
        debug_assert_eq!(self.state, State::Ready);
        self.state = State::Off;
    }

    /// Its VM has ended: nothing of its life matters any more.
    pub(crate) fn die(&mut self) {
        if self.state != State::Dead {
            self.transition(Event::Die);
        }
        self.request = None;
        self.kept = None;
        self.waits = Waits::Cycles;
    }
}

/// What a vCPU remembers, without its registers: for tests that look at every state.
#[cfg(any(test, feature = "snapshot"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcpuNote {
    /// Its state.
    pub state: State,
    /// What gave it its cycles.
    pub model: Model,
    /// What it serves.
    pub request: Option<Request>,
    /// In what it waits.
    pub waits: Waits,
    /// What is kept for it.
    pub kept: Option<Kept>,
}

#[cfg(any(test, feature = "snapshot"))]
impl<R> Vcpu<R> {
    /// What it remembers now.
    pub const fn note(&self) -> VcpuNote {
        VcpuNote {
            state: self.state,
            model: self.model,
            request: self.request,
            waits: self.waits,
            kept: self.kept,
        }
    }

    /// Goes on from what was [noted](Self::note).
    pub const fn restore(&mut self, note: VcpuNote) {
        self.state = note.state;
        self.model = note.model;
        self.request = note.request;
        self.waits = note.waits;
        self.kept = note.kept;
    }
}

impl Kind {
    /// The kind of a direct message by its identifier; `None` if it is none.
    pub(crate) const fn of(fid: u32) -> Option<Self> {
        use ffa_abi::fid::raw;
        match fid {
            raw::DIRECT_REQ_32 | raw::DIRECT_RESP_32 => Some(Self::Direct { wide: false }),
            raw::DIRECT_REQ_64 | raw::DIRECT_RESP_64 => Some(Self::Direct { wide: true }),
            raw::DIRECT_REQ2 | raw::DIRECT_RESP2 => Some(Self::Direct2),
            _ => None,
        }
    }

    /// Whether the call that carries it is a 64-bit one.
    pub(crate) const fn is_wide(self) -> bool {
        !matches!(self, Self::Direct { wide: false })
    }

    /// The identifier of the request.
    pub(crate) const fn request_fid(self) -> u64 {
        use ffa_abi::fid::raw;
        (match self {
            Self::Direct { wide: false } => raw::DIRECT_REQ_32,
            Self::Direct { wide: true } => raw::DIRECT_REQ_64,
            Self::Direct2 => raw::DIRECT_REQ2,
        }) as u64
    }

    /// The identifier of the response.
    pub(crate) const fn response_fid(self) -> u64 {
        use ffa_abi::fid::raw;
        (match self {
            Self::Direct { wide: false } => raw::DIRECT_RESP_32,
            Self::Direct { wide: true } => raw::DIRECT_RESP_64,
            Self::Direct2 => raw::DIRECT_RESP2,
        }) as u64
    }

    /// Whether `response` answers a request of this kind, in the responder's version.
    pub(crate) fn is_answered_by(self, response: Self, version: ffa_abi::Version) -> bool {
        match (self, response) {
            (Self::Direct2, Self::Direct2) => true,
            // A response of the other width is delivered in its own below 1.3.
            (Self::Direct { wide: asked }, Self::Direct { wide }) => {
                asked == wide || version < ffa_abi::Version::V1_3
            }
            _ => false,
        }
    }
}

/// The ids of a message in x1.
pub(crate) const fn ids(x: &[u64; 31]) -> Endpoints {
    Endpoints::from_register(x[1])
}
