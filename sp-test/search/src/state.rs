//! A state: all that the cores remember, without registers, which follow from it.

mod interrupts;
mod notifications;
mod vms;

pub use interrupts::{Device, Id, Irq, Life, Timer};
pub use notifications::{BITS, BUFFERS, Bit, GLOBAL, Notes, Rx, Unread, Writer};
pub use vms::{Asked, Debt, El3, Secure, Vcpu, Vm, Waits};

use spmc::state::{Model, State};

/// The most contexts of all partitions together.
pub const CONTEXTS: usize = 4;
/// The most cores.
pub const CORES: usize = 2;
/// The most partitions.
pub const SLOTS: usize = 3;
/// The most VMs.
pub const VMS: usize = 3;
/// The most vCPUs of all VMs together.
pub const VCPUS: usize = 5;

/// Who gave cycles, or sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The SPMC itself.
    Spmc,
    /// The normal world.
    NormalWorld,
    /// The partition in this slot.
    Slot(u8),
    /// Nobody: a secure interrupt took the core from the partition in this slot.
    Interrupted(u8),
    /// Nobody: a secure interrupt took the core from the normal world.
    InterruptedNormalWorld,
    /// Nobody: it had answered the normal world when an interrupt of its own was pending.
    AnsweredNormalWorld,
    /// Nobody: it had initialised when an interrupt of its own was pending.
    InterruptedBoot,
    /// The SPMC, which tells partitions that the core goes off.
    PowerOff,
}

/// The form of a direct message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `FFA_MSG_SEND_DIRECT_REQ`/`RESP`, 32-bit.
    Narrow,
    /// `FFA_MSG_SEND_DIRECT_REQ`/`RESP`, 64-bit.
    Wide,
    /// `FFA_MSG_SEND_DIRECT_REQ2`/`RESP2`.
    Two,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Narrow, Self::Wide, Self::Two];

    /// Whether the call is a 64-bit one.
    pub const fn is_wide(self) -> bool {
        !matches!(self, Self::Narrow)
    }
}

/// A request that a context serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Serves {
    /// The sender's id.
    pub sender: u16,
    /// Where the answer goes; `None`: into the void.
    pub origin: Option<By>,
    /// Where it was sent.
    pub core: u8,
    /// Whether its sender was restarted since.
    pub old: bool,
    /// The form.
    pub form: Form,
}

/// An execution context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ctx {
    /// Its state.
    pub state: State,
    /// Its runtime model.
    pub model: Model,
    /// Who gets the core back.
    pub giver: By,
    /// The request that it serves.
    pub serves: Option<Serves>,
    /// The slot of the callee that it waits for, or `None`: cycles.
    pub waits: Option<u8>,
    /// Whether it waits in a 64-bit call.
    pub wide: bool,
    /// The context whose response is kept for it.
    pub kept: Option<u8>,
    /// Whether that was restarted since.
    pub kept_old: bool,
    /// The core that has it, or `None`: all may claim it.
    pub at: Option<u8>,
    /// Its interrupts.
    pub irq: Irq,
}

/// Who has a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Now {
    /// It was never on.
    Unborn,
    /// It is off.
    Off,
    /// The SPMC, which starts partitions.
    Spmc,
    /// The normal world.
    NormalWorld,
    /// The partition in this slot.
    Slot(u8),
}

/// A core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Core {
    /// Who has it.
    pub now: Now,
    /// How many partitions it has started.
    pub started: u8,
    /// The partition whose context left and is not saved yet.
    pub unsaved: Option<u8>,
    /// Whether the normal world's call that is being served was a 64-bit one.
    pub wide_entry: bool,
    /// The numbers of the vCPUs on it, the one whose time it is first.
    pub chain: [Option<u8>; VMS],
    /// What the proxy calls EL3 for.
    pub pending: Option<Secure>,
    /// The call of EL3 that the proxy makes next.
    pub el3: Option<El3>,
    /// Whether the proxy of another core wants it to look.
    pub kicked: bool,
    /// Whether the SPMC's own interrupt is pending.
    pub kick: bool,
    /// Partitions that other cores want it to look at, one bit for each.
    pub news: u8,
    /// Whether the schedule receiver interrupt, which another core should have raised, is to be.
    pub news_sri: bool,
    /// Partitions whose interrupts are to be looked at, one bit for each.
    pub due: u8,
    /// Whether the schedule receiver interrupt is to be raised.
    pub sri: bool,
    /// Whether the core's own timer is set.
    pub alarm: bool,
    /// While partitions are told that it goes off: how many were told, or passed over.
    pub told: Option<u8>,
}

/// A negotiated version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Negotiated {
    /// The minor number of 1.x.
    pub minor: u8,
    /// Whether it is fixed.
    pub locked: bool,
}

/// A state. Places that a world does not use hold [`Ctx::NONE`] and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct S {
    /// Contexts, by their number in the world.
    pub ctx: [Ctx; CONTEXTS],
    /// Cores.
    pub core: [Core; CORES],
    /// Versions of partitions.
    pub versions: [Negotiated; SLOTS],
    /// The normal world's version at the SPMC.
    pub normal_world: Negotiated,
    /// VMs.
    pub vms: [Vm; VMS],
    /// Their vCPUs, by their number in the world.
    pub vcpus: [Vcpu; VCPUS],
    /// What each context owes.
    pub owed: [Debt; CONTEXTS],
    /// The VM that merely runs a context, which the proxy is at.
    pub lent: [Option<u8>; CONTEXTS],
    /// The VM that has not got a context's answer yet, which the proxy has, and its form.
    pub held: [Option<(u8, Form)>; CONTEXTS],
    /// Whether each partition has failed.
    pub lives: [Life; SLOTS],
    /// The interrupts of devices, in the machine.
    pub devices: [Device; SLOTS],
    /// Notifications and RX buffers.
    pub notes: Notes,
}

impl Ctx {
    /// A place that is not used.
    pub const NONE: Self = Self {
        state: State::Off,
        model: Model::Init,
        giver: By::Spmc,
        serves: None,
        waits: None,
        wide: false,
        kept: None,
        kept_old: false,
        at: None,
        irq: Irq::FIRST,
    };

    /// A context that was never run, on core `at`.
    pub const fn created(at: u8) -> Self {
        Self {
            state: State::Created,
            at: Some(at),
            ..Self::NONE
        }
    }

    /// Whether it has failed or is off.
    pub const fn is_gone(&self) -> bool {
        matches!(self.state, State::Aborted | State::Off)
    }

    /// Whether it has the core.
    pub const fn runs(&self) -> bool {
        matches!(self.state, State::Starting | State::Running)
    }

    /// Whether it is blocked on a callee.
    pub const fn calls(&self) -> bool {
        matches!(self.state, State::Blocked) && self.waits.is_some()
    }

    /// Replaces what means nothing in its state by values that do harm if they are used: `own` is
    /// its slot, so that it would be its own caller and callee, and `in_chain` whether it is in a call
    /// chain.
    pub fn poison(&mut self, own: u8, in_chain: bool) {
        let lives = matches!(
            self.state,
            State::Starting | State::Running | State::Blocked | State::Preempted
        );
        if !lives && !in_chain {
            self.model = Model::Init;
        }
        if !in_chain {
            self.giver = By::Slot(own);
        }
        if self.state != State::Blocked {
            self.waits = Some(own);
        }
        if self.state != State::Waiting && !self.calls() {
            self.wide = true;
        }
    }
}

impl Core {
    /// A core that was never on.
    pub const UNBORN: Self = Self {
        now: Now::Unborn,
        started: 0,
        unsaved: None,
        wide_entry: false,
        chain: [None; VMS],
        pending: None,
        el3: None,
        kicked: false,
        kick: false,
        news: 0,
        news_sri: false,
        due: 0,
        sri: false,
        alarm: false,
        told: None,
    };
}

impl S {
    /// Nothing has happened yet: the first core boots.
    pub const START: Self = Self {
        ctx: [Ctx::NONE; CONTEXTS],
        core: [
            Core {
                now: Now::Spmc,
                ..Core::UNBORN
            },
            Core::UNBORN,
        ],
        versions: [Negotiated {
            minor: 0,
            locked: false,
        }; SLOTS],
        normal_world: Negotiated {
            minor: 0,
            locked: false,
        },
        vms: [Vm {
            version: Negotiated {
                minor: 0,
                locked: false,
            },
            dead: false,
        }; VMS],
        vcpus: [Vcpu::OFF; VCPUS],
        owed: [Debt::None; CONTEXTS],
        lent: [None; CONTEXTS],
        held: [None; CONTEXTS],
        lives: [Life::Alive; SLOTS],
        devices: [Device {
            enabled: false,
            active: None,
        }; SLOTS],
        notes: Notes::NONE,
    };
}
