//! Execution contexts and partitions, as the core sees them.

use crate::state::{Event, Model, State, next};
pub use ffa_abi::messaging::{Messaging, Service};
use ffa_abi::{
    EndpointId, Regs, Uuid,
    availability::{VmEvent, VmEvents},
    contract::Mode,
    id::Endpoints,
    messaging::MAX_SERVICES,
};
use heapless::Vec;

/// What the core needs of the machine's part of an execution context: its general registers.
pub trait Registers {
    /// x0 to x30.
    fn x(&mut self) -> &mut [u64; 31];
}

/// Index of a partition in the core's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub u8);

impl Slot {
    /// The index, below [`MAX_PARTITIONS`](crate::MAX_PARTITIONS) whatever the number is, so that
    /// no access needs a check.
    #[inline(always)]
    pub const fn index(self) -> usize {
        const { assert!(crate::MAX_PARTITIONS.is_power_of_two()) };
        self.0 as usize & (crate::MAX_PARTITIONS - 1)
    }
}

/// Who gave a context its cycles, and gets them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Giver {
    /// The SPMC itself, while partitions initialise.
    Spmc,
    /// The normal world.
    NormalWorld,
    /// Another partition, which is blocked.
    Partition(Slot),
    /// Nobody: a secure interrupt took the core from this partition, which was preempted and goes on
    /// where it was.
    Interrupted(Slot),
    /// Nobody: a secure interrupt took the core from the normal world, which is resumed.
    InterruptedNormalWorld,
    /// Nobody: it had answered the normal world, and a virtual interrupt of its own was pending. The
    /// normal world's registers are complete.
    AnsweredNormalWorld,
    /// Nobody: it had initialised, and a virtual interrupt of its own was pending.
    InterruptedBoot,
    /// The SPMC, which tells partitions that their core goes off.
    PowerOff,
}

impl Giver {
    /// Whether the SPMC gave the cycles, and nobody who knows of it.
    pub const fn is_spmc(self) -> bool {
        match self {
            Self::NormalWorld | Self::Partition(_) => false,
            Self::Spmc
            | Self::Interrupted(_)
            | Self::InterruptedNormalWorld
            | Self::AnsweredNormalWorld
            | Self::InterruptedBoot
            | Self::PowerOff => true,
        }
    }
}

/// The form of a direct request; an answer must match it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// `FFA_MSG_SEND_DIRECT_REQ`, 32- or 64-bit.
    Direct {
        /// Whether it was the 64-bit form.
        wide: bool,
    },
    /// `FFA_MSG_SEND_DIRECT_REQ2`.
    Direct2,
    /// A framework message in `FFA_MSG_SEND_DIRECT_REQ`, 32-bit: a VM has come or gone.
    VmAvailability(VmEvent),
    /// The same, of the SPMC's own: the core goes off.
    PowerOff,
}

/// A request that a context is serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The sender's id, to which the answer must be addressed.
    pub sender: EndpointId,
    /// Where the answer goes, or `None` if the sender has died: into the void.
    pub origin: Option<Giver>,
    /// The core on which it was sent, which tells the contexts of one sender apart.
    pub core: u16,
    /// The sender's life in which it was sent: a sender that was restarted is another one.
    pub life: u16,
    /// The form.
    pub kind: RequestKind,
}

/// A response that found its receiver in strict mode and in a 32-bit call: kept until a 64-bit
/// `FFA_RUN` of its sender fetches it, or either side dies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Who sent it.
    pub from: Slot,
    /// The core on which it was sent, which tells the contexts of one sender apart.
    pub core: u16,
    /// The sender's life in which it was sent.
    pub life: u16,
    /// `FFA_MSG_SEND_DIRECT_RESP2` in x0-x17.
    pub message: Regs,
}

/// What a blocked context waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// Cycles, after `FFA_YIELD`.
    Cycles,
    /// The answer, or the end of the run, of this partition.
    Callee(Slot),
}

/// An execution context. `M` is the machine's part of it, and comes first: its general registers
/// are what a message's path touches most.
#[derive(Debug)]
#[repr(C)]
pub struct Context<M> {
    /// The machine's part.
    pub machine: M,
    state: State,
    /// The runtime model, meaningful while it is running, blocked or preempted.
    pub model: Model,
    /// Who gets the core back.
    pub giver: Giver,
    /// The request of a partition that it serves.
    request: Option<Request>,
    /// What x1 and the kind of the one fitting response are ([`Context::answer_code`]), while a
    /// request of the normal world is being served; else 0, which no response has. With
    /// [`ATTENTION`] none goes the short way.
    expected: u64,
    /// What it waits for while blocked.
    pub waits_for: WaitsFor,
    /// Whether the call in which it waits or is blocked was a 64-bit form.
    pub call_is_wide: bool,
    /// Whether it is the single context of its partition, which any core may claim.
    pub migrates: bool,
    /// Whether it runs at S-EL0.
    pub el0: bool,
    /// The response that is kept for it.
    pub parked: Option<Parked>,
    /// Which virtual interrupt lines are raised for it: HCR_EL2.VI and VF while it has the core.
    lines: Lines,
    /// It was asked to make room for an interrupt of the normal world, and has not done so yet.
    pub managed_exit: bool,
    /// It was told of an interrupt of its own while its callee ran, which it runs again when it has
    /// dealt with it.
    pub drains: bool,
    /// CNTP_CTL_EL0 (ENABLE and IMASK) of its emulated timer.
    pub timer_control: u64,
    /// CNTP_CVAL_EL0 of it.
    pub timer_compare: u64,
}

/// Virtual interrupt lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lines {
    /// A virtual IRQ is pending.
    pub irq: bool,
    /// A virtual FIQ is pending.
    pub fiq: bool,
}

impl Lines {
    /// None is raised.
    pub const DOWN: Self = Self {
        irq: false,
        fiq: false,
    };

    /// Whether any is raised.
    #[inline(always)]
    pub const fn any(self) -> bool {
        self.irq || self.fiq
    }
}

/// In [`Context::expected`]: the response must not go the short way, since something is to be done
/// when the context leaves the core. No answer code has it.
const ATTENTION: u64 = 1 << 63;

impl<M> Context<M> {
    /// A context that was never run.
    pub const fn new(machine: M) -> Self {
        Self {
            state: State::Created,
            model: Model::Init,
            giver: Giver::Spmc,
            request: None,
            expected: 0,
            waits_for: WaitsFor::Cycles,
            call_is_wide: false,
            migrates: false,
            el0: false,
            parked: None,
            lines: Lines::DOWN,
            managed_exit: false,
            drains: false,
            timer_control: 0,
            timer_compare: 0,
            machine,
        }
    }

    /// Which virtual interrupt lines are raised for it.
    #[inline(always)]
    pub const fn lines(&self) -> Lines {
        self.lines
    }

    /// Raises these lines and no others. With `attention` something is to be done when it next leaves
    /// the core.
    pub fn set_lines(&mut self, lines: Lines, attention: bool) {
        self.lines = lines;
        match lines.any() || attention || self.managed_exit || self.drains {
            true => self.expected |= ATTENTION,
            false => self.expected &= !ATTENTION,
        }
    }

    /// It does not go the short way the next time that it is entered or leaves the core.
    pub fn call_attention(&mut self) {
        self.expected |= ATTENTION;
    }

    /// Whether something is to be done when it next leaves the core, and who enters it has to look at its lines and its
    /// mask.
    #[inline(always)]
    pub const fn wants_attention(&self) -> bool {
        self.expected & ATTENTION != 0
    }

    /// Nothing of interrupts and timers is left from an earlier life.
    pub fn forget_interrupts(&mut self) {
        self.managed_exit = false;
        self.drains = false;
        self.timer_control = 0;
        self.timer_compare = 0;
        self.set_lines(Lines::DOWN, false);
    }

    /// It was running and waits from now on: [`transition`](Self::transition) with the table
    /// consulted while compiling.
    #[inline(always)]
    pub fn stop_running(&mut self) {
        debug_assert_eq!(self.state, State::Running);
        #[cfg(feature = "damage")]
        self.transition(Event::Wait);
        #[cfg(not(feature = "damage"))]
        {
            const WAITING: State = match next(State::Running, Event::Wait) {
                Some(state) => state,
                None => panic!("a running context may wait"),
            };
            self.state = WAITING;
        }
    }

    /// Puts it into `state`, serving `request`, without a transition: for tests that go on from a
    /// state that they have noted. The normal world's request is one whose origin is
    /// [`Giver::NormalWorld`], and `own` is the id of this context's partition. The public fields
    /// are the caller's to set.
    #[cfg(feature = "snapshot")]
    pub fn restore(&mut self, own: EndpointId, state: State, request: Option<Request>) {
        self.state = state;
        self.expected = 0;
        self.request = None;
        match request {
            Some(Request {
                sender,
                origin: Some(Giver::NormalWorld),
                kind,
                ..
            }) => {
                let ids = Endpoints {
                    sender,
                    receiver: own,
                };
                self.serve(ids, kind, Giver::NormalWorld, (0, 0));
            }
            request => self.request = request,
        }
    }

    /// Whether it is tied to its core: it runs there, or waits for a callee that does. (One that was
    /// never run is tied to the core that starts it.)
    pub const fn is_in_chain(&self) -> bool {
        match self.state {
            State::Created | State::Starting | State::Running => true,
            State::Blocked => matches!(self.waits_for, WaitsFor::Callee(_)),
            State::Waiting | State::Preempted | State::Aborted | State::Off => false,
        }
    }

    /// The request it serves.
    pub const fn request(&self) -> Option<Request> {
        let expected = self.expected & !ATTENTION;
        if expected == 0 {
            return self.request;
        }
        let kind = match expected >> 32 {
            1 => RequestKind::Direct { wide: false },
            2 => RequestKind::Direct { wide: true },
            3 => RequestKind::Direct2,
            4 => RequestKind::VmAvailability(VmEvent::Created),
            _ => RequestKind::VmAvailability(VmEvent::Destroyed),
        };
        Some(Request {
            sender: Endpoints::from_register(expected).receiver,
            origin: Some(Giver::NormalWorld),
            core: 0,
            life: 0,
            kind,
        })
    }

    /// One number for x1 of a response and its kind, never 0.
    #[inline(always)]
    pub const fn answer_code(ids: Endpoints, kind: RequestKind) -> u64 {
        let kind = match kind {
            RequestKind::Direct { wide: false } => 1,
            RequestKind::Direct { wide: true } => 2,
            RequestKind::Direct2 => 3,
            RequestKind::VmAvailability(VmEvent::Created) => 4,
            RequestKind::VmAvailability(VmEvent::Destroyed) => 5,
            // Never the normal world's.
            RequestKind::PowerOff => 6,
        };
        kind << 32 | ids.register()
    }

    /// The [`answer_code`](Self::answer_code) of the one response that ends a request of the normal
    /// world; 0 if it serves none.
    #[inline(always)]
    pub const fn expected(&self) -> u64 {
        self.expected
    }

    /// It serves a request from now on, which came with `ids`, sent on a core in one of its sender's
    /// lives.
    #[inline(always)]
    pub fn serve(
        &mut self,
        ids: Endpoints,
        kind: RequestKind,
        origin: Giver,
        (core, life): (u16, u16),
    ) {
        if let Giver::NormalWorld = origin {
            self.expected = self.expected & ATTENTION | Self::answer_code(ids.reversed(), kind);
        } else {
            self.request = Some(Request {
                sender: ids.sender,
                origin: Some(origin),
                core,
                life,
                kind,
            });
        }
    }

    /// Nobody waits for the answer to the request that it serves any more.
    pub fn orphan(&mut self) {
        if let Some(request) = &mut self.request {
            request.origin = None;
        }
    }

    /// It serves no request any more.
    #[inline(always)]
    pub fn served(&mut self) {
        self.request = None;
        self.expected &= ATTENTION;
    }

    /// The request of the normal world that it served is answered.
    #[inline(always)]
    pub fn served_normal_world(&mut self) {
        debug_assert!(self.request.is_none());
        self.expected = 0;
    }

    /// Its state.
    #[inline(always)]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Changes the state by the table. An impossible event changes nothing and says so; callers
    /// have checked before, so it is a bug that tests must see and firmware must survive.
    #[inline(always)]
    pub fn transition(&mut self, event: Event) -> bool {
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
}

/// The most services (UUIDs) of a partition.
pub const MAX_UUIDS: usize = MAX_SERVICES;

/// What becomes of a partition that aborts: `lifecycle-support` and `abort-action` of its manifest
/// (DEN0077A 1.3, "Partition lifecycle").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AbortAction {
    /// No lifecycle support: it has failed for good, and who calls it is told ABORTED.
    #[default]
    Fail,
    /// It is stopped: who calls it is told BUSY.
    Stop,
    /// It is destroyed: nobody finds it any more, and its memory is wiped.
    Destroy,
    /// It is loaded anew and initialises at once.
    Restart,
    /// All partitions stop.
    Propagate,
}

/// The most function identifiers in `smc_whitelist`.
pub const MAX_WHITELIST: usize = 32;

/// Which calls that are not FF-A a partition may make to EL3, beyond those that everybody may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmcFilter {
    /// `smc_whitelist`.
    pub whitelist: Vec<u32, MAX_WHITELIST>,
    /// `smc_whitelist_permissive`: those that are not in the list too.
    pub permissive: bool,
}

/// What an interrupt of the normal world does to a partition (`ns-interrupts-action`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NsAction {
    /// It waits until the partition gives up the core.
    Queued,
    /// The partition is asked to give up the core.
    ManagedExit,
    /// The partition is preempted.
    #[default]
    Signalled,
}

/// The most interrupts of devices of a partition.
pub const MAX_DEVICE_INTERRUPTS: usize = 32;

/// What interrupts do to a partition, and how it hears of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterruptRules {
    /// `ns-interrupts-action`.
    pub ns_action: NsAction,
    /// `managed-exit-virq`: the managed exit interrupt is a virtual IRQ, not a virtual FIQ.
    pub managed_exit_virq: bool,
    /// `other-s-interrupts-action` is queued: no secure interrupt is taken while it runs.
    pub other_s_queued: bool,
    /// `sri-interrupts-policy` bit 0: if it waits, the normal world is asked to run it.
    pub sri_waiting: bool,
    /// Bit 1: so it is if one is pending when it waits or answers.
    pub sri_leaving: bool,
}

/// What does not change of a partition after boot.
#[derive(Clone, Debug)]
pub struct PartitionInfo {
    /// Its id.
    pub id: EndpointId,
    /// Its services.
    pub services: Vec<Service, MAX_UUIDS>,
    /// How it exchanges messages: the methods of all services together.
    pub messaging: Messaging,
    /// 1, or the number of cores.
    pub contexts: u16,
    /// How mixed 32- and 64-bit completions are handled for it.
    pub mode: Mode,
    /// The UUID of its image, nil if it has none (FF-A 1.3).
    pub image: Uuid,
    /// What becomes of it when it aborts. Other than [`AbortAction::Fail`] only with a single
    /// context.
    pub abort_action: AbortAction,
    /// Which of its calls EL3 gets to see.
    pub smc: SmcFilter,
    /// What it wants to be told of VMs.
    pub vm_events: VmEvents,
    /// What interrupts do to it.
    pub rules: InterruptRules,
    /// The interrupts of its devices.
    pub devices: Vec<u32, MAX_DEVICE_INTERRUPTS>,
    /// Whether its contexts are told that their core goes off (`power-management-messages`). Only
    /// with several contexts.
    pub power_off_messages: bool,
    /// It runs at S-EL0: the SPMC makes its translations, and it has no virtual interrupt lines, so it
    /// hears of its interrupts only when it waits. Only with a single context.
    pub el0: bool,
    /// It receives notifications (`notification-support`).
    pub notifications: bool,
}

impl PartitionInfo {
    /// A partition with these services and nothing special.
    pub fn new(id: EndpointId, services: Vec<Service, MAX_UUIDS>, contexts: u16) -> Self {
        let all = services
            .iter()
            .fold(0, |all, service| all | service.messaging.0);
        Self {
            id,
            services,
            messaging: Messaging(all),
            contexts,
            mode: Mode::Permissive,
            image: Uuid::NIL,
            abort_action: AbortAction::Fail,
            smc: SmcFilter::default(),
            vm_events: VmEvents::empty(),
            rules: InterruptRules::default(),
            devices: Vec::new(),
            power_off_messages: false,
            el0: false,
            notifications: false,
        }
    }

    /// Whether it has one context, which migrates to the caller's core.
    pub const fn is_up(&self) -> bool {
        self.contexts == 1
    }
}
