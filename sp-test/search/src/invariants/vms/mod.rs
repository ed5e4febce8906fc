//! What must hold of several VMs and the proxy: in every state, and of every event.

mod messages;
mod registers;
mod running;

use crate::{
    calls::Kind,
    events::Event,
    state::{By, Debt, Now, S, Secure, Vcpu, Waits},
    view::View,
    world::World,
};
use proxy_el2::vcpu::{Model, State};
use spmc::state::State as ContextState;

/// The vCPUs of a core's chain, by their numbers.
fn chain(s: &S, core: usize) -> Vec<usize> {
    let chain = s.core[core].chain.iter().flatten();
    chain.map(|number| usize::from(*number)).collect()
}

/// Whether `waiting` waits for what `callee` answers or gives back.
fn waits_for(s: &S, waiting: usize, callee: usize) -> bool {
    let Vcpu { state, waits, .. } = s.vcpus[waiting];
    matches!(state, State::Blocked | State::Preempted)
        && matches!(waits, Waits::Callee { callee: of, .. } if usize::from(of) == callee)
}

/// Checks a state.
///
/// # Errors
/// The invariant that is broken, in words.
pub fn check(world: &World, s: &S) -> Result<(), String> {
    for core in 0..world.cores {
        on_core(world, s, core)?;
    }
    for number in 0..world.vcpus.len() {
        vcpu(world, s, number)?;
    }
    for number in 0..world.contexts.len() {
        debt(world, s, number)?;
    }
    Ok(())
}

/// One runs on a core, and each below it waits for the next.
fn on_core(world: &World, s: &S, core: usize) -> Result<(), String> {
    let noted = &s.core[core];
    let chain = chain(s, core);
    for (level, number) in chain.iter().enumerate() {
        let vcpu = &s.vcpus[*number];
        let (vm, index) = world.vcpus[*number];
        if (level == 0) != (vm == 0) {
            return Err(format!("vCPU {number} is level {level} of core {core}"));
        }
        if world.pinned(vm) && usize::from(index) != core {
            return Err(format!("vCPU {number} is on core {core}"));
        }
        if vcpu.at != Some(core as u8) {
            return Err(format!("vCPU {number} of core {core} is {vcpu:?}"));
        }
        let right = match chain.get(level + 1) {
            None => vcpu.state == State::Running,
            Some(next) => vcpu.state == State::Blocked && waits_for(s, *number, *next),
        };
        if !right {
            return Err(format!(
                "vCPU {number} is level {level} of {chain:?}: {vcpu:?}"
            ));
        }
        let dead = s.vms[usize::from(vm)].dead;
        if dead && !noted.kicked {
            return Err(format!("vCPU {number} of a dead VM has core {core}"));
        }
    }
    let works = match noted.now {
        Now::Slot(_) => !chain.is_empty(),
        _ => noted.el3.is_some(),
    };
    if noted.pending.is_some() != works {
        return Err(format!(
            "core {core} is {:?}'s, and EL3 is called for {:?}",
            noted.now, noted.pending
        ));
    }
    Ok(())
}

/// What a vCPU's fields say of each other.
fn vcpu(world: &World, s: &S, number: usize) -> Result<(), String> {
    let vcpu = &s.vcpus[number];
    let wrong = |what: &str| Err(format!("vCPU {number} {what}: {vcpu:?}"));
    let has_core = matches!(vcpu.state, State::Running | State::Blocked);
    if vcpu.at.is_some() != has_core {
        return wrong("is parked, or not, and should not be");
    }
    let dead = s.vms[usize::from(world.vcpus[number].0)].dead;
    if vcpu.at.is_none() && dead != (vcpu.state == State::Dead) {
        return wrong("is dead, or its VM is");
    }
    let lives = has_core || matches!(vcpu.state, State::Preempted | State::Yielded);
    if vcpu.serves.is_some() != (lives && vcpu.model == Model::DirectRequest) {
        return wrong("serves a request, or not");
    }
    if let Some(asked) = vcpu.serves
        && let Some(origin) = asked.origin.map(usize::from)
    {
        let vm = world.vcpus.get(origin).map(|vcpu| vcpu.0);
        if origin == number || vm.map(World::vm_id) != Some(asked.sender) {
            return wrong("serves a request of a false sender");
        }
    }
    if vcpu.waits == (Waits::Message { wide: true })
        || vcpu.waits == (Waits::Message { wide: false })
    {
        if vcpu.state != State::Waiting {
            return wrong("waits for a message and has cycles");
        }
    } else if vcpu.state == State::Waiting {
        return wrong("is called, and nobody knows how it waits");
    }
    if vcpu.kept.is_some() && matches!(vcpu.state, State::Dead | State::Off) {
        return wrong("is kept a response");
    }
    Ok(())
}

/// The proxy's books say of a context's debts what the SPMC knows.
fn debt(world: &World, s: &S, number: usize) -> Result<(), String> {
    let ctx = &s.ctx[number];
    let asked_by = ctx.serves.and_then(|serves| match serves.origin {
        Some(By::NormalWorld) => world.vm_of(serves.sender),
        _ => None,
    });
    let owed = s.owed[number];
    // Of one that merely ran for a VM that is dead, somebody will see to the end.
    if let Debt::Told(vm) | Debt::InFlight(vm) = owed
        && asked_by != Some(vm)
        && !s.vms[usize::from(vm)].dead
    {
        return Err(format!(
            "context {number} is {owed:?} by the books, and serves {:?}",
            ctx.serves
        ));
    }
    let at_it = match owed {
        Debt::InFlight(vm) => Some(vm),
        _ => s.lent[number],
    };
    if let Some(vm) = at_it
        && !s.vms[usize::from(vm)].dead
        && !in_flight(world, s, number, vm)
    {
        return Err(format!("nobody is at what context {number} owes: {owed:?}"));
    }
    if s.held[number].is_some_and(|(vm, _)| s.vms[usize::from(vm)].dead) {
        return Err("an answer is held for a dead VM".into());
    }
    let Some(vm) = asked_by else {
        return Ok(());
    };
    let left = matches!(ctx.state, ContextState::Preempted | ContextState::Blocked);
    if left && owed.to() != Some(vm) {
        return Err(format!(
            "context {number} was left by VM {:#x}, the books say {owed:?}",
            World::vm_id(vm),
        ));
    }
    Ok(())
}

/// Whether a vCPU of this VM waits for the context to be run again by the proxy, or it is.
fn in_flight(world: &World, s: &S, number: usize, vm: u8) -> bool {
    let waits = (0..world.vcpus.len()).any(|vcpu| {
        world.vcpus[vcpu].0 == vm
            && matches!(
                s.vcpus[vcpu].waits,
                Waits::Partition { call: Secure::Request { .. }, preempted }
                    if usize::from(preempted) == number
            )
    });
    let runs = (0..world.cores).any(|core| {
        let resumed = matches!(
            s.core[core].pending,
            Some(
                Secure::Resumed { context, .. }
                | Secure::Run { context, .. }
                | Secure::Drain { context, .. }
            ) if usize::from(context) == number
        );
        let top = chain(s, core).last().map(|top| world.vcpus[*top].0);
        resumed && top == Some(vm)
    });
    waits || runs
}

/// What an event has to do with.
struct Of<'a> {
    world: &'a World,
    before: &'a View,
    after: &'a View,
    core: usize,
    event: Event,
}

impl Of<'_> {
    /// The vCPU whose call the event is.
    fn caller(&self) -> Option<usize> {
        match (self.before.s.core[self.core].now, self.event) {
            (Now::NormalWorld, Event::Call(_) | Event::Wfi(_) | Event::Abort) => {
                chain(&self.before.s, self.core).last().copied()
            }
            _ => None,
        }
    }

    /// The context that had the core.
    fn context(&self) -> Option<usize> {
        match self.before.s.core[self.core].now {
            Now::Slot(slot) => self.world.context(slot, self.core),
            _ => None,
        }
    }

    /// The call that the event is.
    const fn call(&self) -> Option<Kind> {
        match self.event {
            Event::Call(kind) => Some(kind),
            _ => None,
        }
    }

    /// Whether a VM ends by the event.
    fn dies(&self, vm: u8) -> bool {
        let vm = usize::from(vm);
        !self.before.s.vms[vm].dead && self.after.s.vms[vm].dead
    }

    /// Id and index of a vCPU, as in w1.
    fn target(&self, number: usize) -> u64 {
        let (vm, index) = self.world.vcpus[number];
        crate::calls::ids(World::vm_id(vm), index.into())
    }
}

/// Checks what an event did.
///
/// # Errors
/// The invariant that is broken, in words.
pub fn step(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
) -> Result<(), String> {
    let of = Of {
        world,
        before,
        after,
        core,
        event,
    };
    of.deaths()?;
    of.requests()?;
    of.secure_requests()?;
    of.kept()?;
    of.registers()?;
    of.runs()
}

impl Of<'_> {
    /// A VM ends by its own doing alone, and for ever.
    fn deaths(&self) -> Result<(), String> {
        for vm in 0..self.world.vms.len() as u8 {
            let own = self.caller().map(|number| self.world.vcpus[number].0) == Some(vm);
            let offered = self.before.s.vms[usize::from(vm)].version.minor >= 3;
            let asked = match self.event {
                Event::Call(Kind::Abort { .. }) => offered,
                event => event == Event::Abort,
            };
            let lived = !self.before.s.vms[usize::from(vm)].dead;
            if self.dies(vm) != (own && asked && lived) {
                return Err(format!("VM {:#x} dies, or does not", World::vm_id(vm)));
            }
            if self.before.s.vms[usize::from(vm)].dead && !self.after.s.vms[usize::from(vm)].dead {
                return Err(format!("VM {:#x} lives again", World::vm_id(vm)));
            }
        }
        Ok(())
    }
}
