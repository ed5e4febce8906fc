//! What the proxy remembers of VMs.

use super::{Form, Negotiated};
use proxy_el2::vcpu;

/// What a VM, or the proxy for it, wants of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Secure {
    /// The answer to a request of this form, to the partition in this slot.
    Request {
        /// The form.
        form: Form,
        /// The partition.
        to: u8,
    },
    /// The same of a context that was taken off the core, and is run again.
    Resumed {
        /// The form.
        form: Form,
        /// The context's number.
        context: u8,
    },
    /// `FFA_RUN` of a context.
    Run {
        /// Whether the VM used the 64-bit form.
        wide: bool,
        /// The context's number.
        context: u8,
    },
    /// The end of what a context owes a dead VM, so that it can take a request of this form.
    Drain {
        /// The form.
        form: Form,
        /// The context's number.
        context: u8,
    },
}

/// A call that the proxy makes once the core is its own again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum El3 {
    /// `FFA_RUN` of a context.
    Run(u8),
    /// The request of the vCPU that runs.
    Request,
}

/// A request that a vCPU serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The sender's id.
    pub sender: u16,
    /// The vCPU that waits for the answer; `None`: nobody.
    pub origin: Option<u8>,
    /// The form.
    pub form: Form,
}

/// In what a vCPU waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waits {
    /// Cycles.
    Cycles,
    /// A message.
    Message {
        /// Whether its call is a 64-bit one.
        wide: bool,
    },
    /// The vCPU with this number.
    Callee {
        /// Which.
        callee: u8,
        /// Whether its call is a 64-bit one.
        wide: bool,
    },
    /// A context that was taken off the core with it.
    Partition {
        /// What it wants.
        call: Secure,
        /// The context's number.
        preempted: u8,
    },
}

/// A vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vcpu {
    /// Its state.
    pub state: vcpu::State,
    /// What gave it its cycles.
    pub model: vcpu::Model,
    /// The request that it serves.
    pub serves: Option<Asked>,
    /// In what it waits.
    pub waits: Waits,
    /// Whose response is kept for it, as the origin of its label.
    pub kept: Option<u8>,
    /// The core that has it.
    pub at: Option<u8>,
    /// The event with which it made a request that waits for the end of another one.
    pub call: Option<u16>,
}

/// A VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vm {
    /// Its version.
    pub version: Negotiated,
    /// Whether it has ended.
    pub dead: bool,
}

/// What a context owes a VM, by the proxy's books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Debt {
    /// Nothing.
    None,
    /// An answer to this VM, which knows that it has to run the partition.
    Told(u8),
    /// An answer to this VM, and the proxy is at it.
    InFlight(u8),
}

impl Debt {
    /// The VM.
    pub const fn to(self) -> Option<u8> {
        match self {
            Self::None => None,
            Self::Told(vm) | Self::InFlight(vm) => Some(vm),
        }
    }
}

impl Vcpu {
    /// One that is off, or a place that is not used.
    pub const OFF: Self = Self {
        state: vcpu::State::Off,
        model: vcpu::Model::Run,
        serves: None,
        waits: Waits::Cycles,
        kept: None,
        at: None,
        call: None,
    };
}
