//! States of an execution context and runtime models (DEN0077A, "Partition runtime models"), each
//! as one table. Every change of state in the core goes through [`next`].

/// The state of an execution context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Loaded, never run.
    Created,
    /// Initialising: it runs for the first time.
    Starting,
    /// In `FFA_MSG_WAIT`: it can be called.
    Waiting,
    /// It has the core.
    Running,
    /// It called another partition and waits for the answer, or it yielded.
    Blocked,
    /// An interrupt took the core away.
    Preempted,
    /// It failed, for good or until it is restarted.
    Aborted,
    /// Its core is off.
    Off,
}

/// What happens to an execution context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// First entry, or the first after its core was off.
    Start,
    /// It is given a direct request or `FFA_RUN` while it waits.
    Enter,
    /// It calls `FFA_MSG_WAIT`, or answers a request.
    Wait,
    /// It calls another partition, or yields.
    Block,
    /// Its callee returned, or it is run again after a yield.
    Unblock,
    /// A physical interrupt takes the core away.
    Preempt,
    /// It is run again after a preemption.
    Resume,
    /// It fails.
    Abort,
    /// Its core is switched off.
    SwitchOff,
    /// It was loaded anew after it failed, and runs for the first time again.
    Restart,
}

/// The one table of state transitions; `None` where an event is impossible in a state.
///
/// A context that was [`State::Starting`] when it was blocked comes back as `Running`; that it
/// still initialises is told by its [`Model`].
#[cfg(not(feature = "damage"))]
#[inline(always)]
pub const fn next(state: State, event: Event) -> Option<State> {
    transition(state, event)
}

const fn transition(state: State, event: Event) -> Option<State> {
    Some(match (state, event) {
        (State::Created | State::Off, Event::Start) => State::Starting,
        (State::Waiting, Event::Enter) => State::Running,
        (State::Starting | State::Running, Event::Wait) => State::Waiting,
        (State::Starting | State::Running, Event::Block) => State::Blocked,
        (State::Blocked, Event::Unblock) => State::Running,
        (State::Starting | State::Running, Event::Preempt) => State::Preempted,
        (State::Preempted, Event::Resume) => State::Running,
        (
            State::Created
            | State::Starting
            | State::Waiting
            | State::Running
            | State::Blocked
            | State::Preempted,
            Event::Abort,
        ) => State::Aborted,
        (
            State::Created | State::Waiting | State::Blocked | State::Preempted | State::Aborted,
            Event::SwitchOff,
        ) => State::Off,
        (State::Aborted, Event::Restart) => State::Starting,
        _ => return None,
    })
}

/// The runtime model: what gave the context its cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// First run, until its first `FFA_MSG_WAIT`.
    Init,
    /// The same after a restart: it has somebody waiting who must be told that it had failed.
    Restart,
    /// `FFA_RUN`.
    Run,
    /// A direct request.
    DirectRequest,
    /// A secure interrupt, while it waited: the SPMC gave it the core, and nothing but the SPMC's own
    /// interrupts is taken until it waits again.
    SecureInterrupt,
    /// The message that its core goes off.
    PowerOff,
}

/// The calls whose legality depends on the runtime model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CycleCall {
    /// `FFA_MSG_SEND_DIRECT_REQ` or `REQ2` to another partition.
    Request,
    /// `FFA_MSG_SEND_DIRECT_RESP` or `RESP2`.
    Response,
    /// `FFA_RUN` of another partition.
    Run,
    /// `FFA_MSG_WAIT`.
    Wait,
    /// `FFA_YIELD`.
    Yield,
}

/// The one table of runtime models: whether a partition may make `call`. A violation is DENIED.
#[cfg(not(feature = "damage"))]
#[inline(always)]
pub const fn permitted(model: Model, call: CycleCall) -> bool {
    allowed(model, call)
}

const fn allowed(model: Model, call: CycleCall) -> bool {
    match (model, call) {
        (Model::Init | Model::Restart, CycleCall::Request | CycleCall::Wait) => true,
        // Unlike the first time it can be interrupted, and so can whom it calls.
        (Model::Restart, CycleCall::Run) => true,
        (Model::Init | Model::Restart, _) => false,
        (Model::Run, CycleCall::Response) => false,
        (Model::Run, _) => true,
        (Model::DirectRequest, CycleCall::Wait) => false,
        (Model::DirectRequest, _) => true,
        // Its yield is accepted and has no effect; whom it may run is looked at there.
        (Model::SecureInterrupt, CycleCall::Response) => false,
        (Model::SecureInterrupt, _) => true,
        (Model::PowerOff, CycleCall::Response) => true,
        (Model::PowerOff, _) => false,
    }
}

/// Tables with one damaged row, to prove that a search sees it. Only with the feature `damage`,
/// which nothing but that search may enable.
#[cfg(feature = "damage")]
mod damage {
    use super::{CycleCall, Event, Model, State, allowed, transition};
    use crate::sync::Mutex;
    use core::sync::atomic::{AtomicBool, Ordering};

    /// A row and what stands there instead.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Damage {
        /// A row of [`next`].
        Transition(State, Event, Option<State>),
        /// A row of [`permitted`].
        Model(Model, CycleCall, bool),
    }

    static ANY: AtomicBool = AtomicBool::new(false);
    static CURRENT: Mutex<Option<Damage>> = Mutex::new(None);

    /// Damages a row, or none. It holds for the whole process: tests that use it must not run beside
    /// others.
    pub fn damage(damage: Option<Damage>) {
        *CURRENT.lock() = damage;
        ANY.store(damage.is_some(), Ordering::SeqCst);
    }

    #[cold]
    fn current() -> Option<Damage> {
        *CURRENT.lock()
    }

    /// The table of state transitions, with its damage.
    #[inline]
    pub fn next(state: State, event: Event) -> Option<State> {
        if ANY.load(Ordering::Relaxed)
            && let Some(Damage::Transition(from, by, to)) = current()
            && (from, by) == (state, event)
        {
            return to;
        }
        transition(state, event)
    }

    /// The table of runtime models, with its damage.
    #[inline]
    pub fn permitted(model: Model, call: CycleCall) -> bool {
        if ANY.load(Ordering::Relaxed)
            && let Some(Damage::Model(of, what, instead)) = current()
            && (of, what) == (model, call)
        {
            return instead;
        }
        allowed(model, call)
    }
}

#[cfg(feature = "damage")]
pub use damage::{Damage, damage, next, permitted};

#[cfg(all(feature = "damage", target_os = "none"))]
compile_error!("the feature `damage` is for tests on the host");

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 8] = [
        State::Created,
        State::Starting,
        State::Waiting,
        State::Running,
        State::Blocked,
        State::Preempted,
        State::Aborted,
        State::Off,
    ];

    #[test]
    fn only_a_waiting_context_can_be_entered() {
        for state in STATES {
            assert_eq!(
                next(state, Event::Enter).is_some(),
                state == State::Waiting,
                "{state:?}"
            );
        }
    }

    #[test]
    fn nothing_leaves_aborted_but_a_restart_and_its_core_going_off() {
        for event in [
            Event::Start,
            Event::Enter,
            Event::Wait,
            Event::Block,
            Event::Unblock,
            Event::Preempt,
            Event::Resume,
            Event::Abort,
        ] {
            assert_eq!(next(State::Aborted, event), None, "{event:?}");
        }
    }

    #[test]
    fn what_is_off_only_starts_anew() {
        for event in [
            Event::Enter,
            Event::Wait,
            Event::Block,
            Event::Unblock,
            Event::Preempt,
            Event::Resume,
            Event::Abort,
            Event::SwitchOff,
            Event::Restart,
        ] {
            assert_eq!(next(State::Off, event), None, "{event:?}");
        }
        assert_eq!(next(State::Off, Event::Start), Some(State::Starting));
    }

    #[test]
    fn only_what_has_failed_is_restarted() {
        for state in STATES {
            assert_eq!(
                next(state, Event::Restart).is_some(),
                state == State::Aborted,
                "{state:?}"
            );
        }
    }

    #[test]
    fn runtime_models_bar_what_the_specification_bars() {
        assert!(!permitted(Model::DirectRequest, CycleCall::Wait));
        assert!(!permitted(Model::Run, CycleCall::Response));
        for call in [CycleCall::Response, CycleCall::Run, CycleCall::Yield] {
            assert!(!permitted(Model::Init, call));
            assert_eq!(permitted(Model::Restart, call), call == CycleCall::Run);
        }
        assert!(permitted(Model::DirectRequest, CycleCall::Response));
        assert!(permitted(Model::Run, CycleCall::Wait));
        assert!(!permitted(Model::SecureInterrupt, CycleCall::Response));
        assert!(permitted(Model::SecureInterrupt, CycleCall::Wait));
        for call in [
            CycleCall::Request,
            CycleCall::Run,
            CycleCall::Wait,
            CycleCall::Yield,
        ] {
            assert!(!permitted(Model::PowerOff, call));
        }
    }
}
