//! The states of vCPUs as one table.

/// The state of a vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Switched off.
    Off,
    /// Switched on, and never run since.
    Ready,
    /// In `FFA_MSG_WAIT`: it can be called.
    Waiting,
    /// It has a core, or a partition has it on its behalf.
    Running,
    /// It called or runs another vCPU, which has the core.
    Blocked,
    /// An interrupt that is not its own took the core away.
    Preempted,
    /// It gave the core back, by `FFA_YIELD` or by waiting for an interrupt.
    Yielded,
    /// Its VM has ended.
    Dead,
}

/// What happens to a vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// `CPU_ON` for it.
    SwitchOn,
    /// It is given the core by `FFA_RUN` or a direct request, or because the core is its own.
    Enter,
    /// It calls `FFA_MSG_WAIT`, or answers a request.
    Wait,
    /// It calls or runs another vCPU.
    Block,
    /// That vCPU gave the core back.
    Unblock,
    /// The core is taken from it, or from whom it called.
    Preempt,
    /// It is run again after it was preempted, or had yielded.
    Resume,
    /// It gives the core back.
    Yield,
    /// `CPU_OFF`.
    SwitchOff,
    /// Its VM ends.
    Die,
}

/// The one table of state transitions; `None` where an event is impossible in a state.
#[cfg(not(feature = "damage"))]
#[inline(always)]
pub const fn next(state: State, event: Event) -> Option<State> {
    transition(state, event)
}

const fn transition(state: State, event: Event) -> Option<State> {
    Some(match (state, event) {
        (State::Off, Event::SwitchOn) => State::Ready,
        (State::Ready | State::Waiting, Event::Enter) => State::Running,
        (State::Running, Event::Wait) => State::Waiting,
        (State::Running, Event::Block) => State::Blocked,
        (State::Blocked, Event::Unblock) => State::Running,
        (State::Running | State::Blocked, Event::Preempt) => State::Preempted,
        (State::Preempted | State::Yielded, Event::Resume) => State::Running,
        (State::Running, Event::Yield) => State::Yielded,
        (State::Running, Event::SwitchOff) => State::Off,
        (State::Dead, _) => return None,
        (_, Event::Die) => State::Dead,
        _ => return None,
    })
}

/// The table with one damaged row, to prove that a search sees it. Only with the feature `damage`,
/// which nothing but that search may enable.
#[cfg(feature = "damage")]
mod damage {
    use super::{Event, State, transition};
    use crate::sync::Mutex;
    use core::sync::atomic::{AtomicBool, Ordering};

    /// A row, and what stands there instead.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Damage {
        /// The state.
        pub state: State,
        /// What happens in it.
        pub event: Event,
        /// What comes of it.
        pub instead: Option<State>,
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
            && let Some(damage) = current()
            && (damage.state, damage.event) == (state, event)
        {
            return damage.instead;
        }
        transition(state, event)
    }
}

#[cfg(feature = "damage")]
pub use damage::{Damage, damage, next};

#[cfg(all(feature = "damage", target_os = "none"))]
compile_error!("the feature `damage` is for tests on the host");
