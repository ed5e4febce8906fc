//! Virtual CPUs: what each remembers.

pub use crate::kind::Kind;
#[cfg(any(test, feature = "snapshot"))]
pub use crate::note::VcpuNote;
pub use crate::state::{Event, State, next};

use crate::route::{Answer, Route};
use ffa_abi::{EndpointId, Regs, TargetInfo};

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

impl VcpuId {
    /// Both in one.
    #[inline(always)]
    pub(crate) const fn word(self) -> u16 {
        u16::from_le_bytes([self.vm.0, self.vcpu])
    }
}

/// What gave a vCPU its cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// It is the primary's, or was run with `FFA_RUN`.
    Run,
    /// A direct request.
    DirectRequest,
}

/// A request that a vCPU serves.
// One word, so that it is copied as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(align(8))]
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
    request: Option<Request>,
    pub(crate) waits: Waits,
    pub(crate) kept: Option<Kept>,
    /// Which kinds of requests it may send, as far as that was found out: bits of [`Kind::bit`]. What it depends on
    /// changes no more, but for what is [kept](Self::keep).
    sends: u8,
    /// Where requests with these ids to this service go, as far as that was found out.
    pub(crate) route: Route,
    /// The answer to the request that it serves.
    answer: Answer,
    /// What it waits for, if it waits for an answer.
    pub(crate) awaited: Answer,
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
            sends: 0,
            route: Route::UNKNOWN,
            answer: Answer::NONE,
            awaited: Answer::waited_for(id),
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

    /// It serves this request from now on, or none.
    #[inline(always)]
    pub(crate) fn set_request(&mut self, request: Option<Request>) {
        self.request = request;
        self.answer = Answer::to(request, self.endpoint);
    }

    /// It serves what the route says.
    #[inline(always)]
    pub(crate) const fn serve(&mut self, route: &Route) {
        self.request = route.request;
        self.answer = route.answer;
    }

    /// The answer that the short way may deliver.
    #[inline(always)]
    pub(crate) const fn answer(&self) -> Answer {
        self.answer
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

    /// The same where the state is known.
    #[inline(always)]
    pub(crate) fn transition_from(&mut self, state: State, event: Event) {
        debug_assert_eq!(self.state, state);
        if let Some(state) = next(state, event) {
            self.state = state;
        }
    }

    /// It was found that it may send requests of this kind.
    pub(crate) const fn may_send(&mut self, kind: Kind) {
        self.sends |= kind.bit();
    }

    /// Whether it is known that it may send requests of this kind, and nothing is kept for it that is in their way.
    #[inline(always)]
    pub(crate) const fn sends(&self, kind: Kind) -> bool {
        self.sends & kind.bit() != 0
    }

    /// Keeps a response that can't be delivered. There is room for one: whether it may send `REQ2` is looked at anew.
    pub(crate) const fn keep(&mut self, kept: Kept) {
        self.kept = Some(kept);
        self.find_out_again();
    }

    /// What it may send is found out again.
    pub(crate) const fn find_out_again(&mut self) {
        self.sends = 0;
        self.route = Route::UNKNOWN;
    }

    /// Whatever the table says.
    #[cfg(any(test, feature = "snapshot"))]
    pub(crate) const fn set_state(&mut self, state: State) {
        self.state = state;
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
        self.set_request(None);
        self.kept = None;
        self.waits = Waits::Cycles;
    }
}
