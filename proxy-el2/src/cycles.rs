//! Who has the core (DEN0077A, "CPU cycle management"): `FFA_RUN`, `FFA_MSG_WAIT`, `FFA_YIELD`,
//! waiting for interrupts, and interrupts.

use crate::{
    MAX_VMS,
    proxy::{Machine, Next, Pe, Proxy, Turn},
    secure::fetch_kept,
    vcpu::{Event, Model, Registers, Request, State, Vcpu, VcpuId, Waits},
    vm::VmInfo,
};
use ffa_abi::{FfaError, Reply, TargetInfo};
use heapless::Vec;

/// The vCPUs that a run brings onto the core, the first one below the others.
type Claimed<'v, R> = Vec<&'v mut Vcpu<R>, MAX_VMS>;

/// How a vCPU goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    event: Event,
    /// Nobody waits for the answer to the request that it serves any more.
    orphan: bool,
}

impl<'v, R: Registers> Proxy<'v, R> {
    /// `FFA_RUN` of a VM's vCPU by the one that runs. An error changes nothing.
    pub(crate) fn run_vcpu(
        &self,
        pe: &mut Pe<'v, R>,
        target: TargetInfo,
        wide: bool,
        machine: &mut impl Machine<R>,
    ) -> Result<Next, FfaError> {
        let runner = pe.running_id().ok_or(FfaError::Denied)?;
        let vm = self
            .find(target.endpoint)
            .ok_or(FfaError::InvalidParameters)?;
        if vm == runner.vm {
            return Err(FfaError::InvalidParameters);
        }
        let info = self.info(vm).ok_or(FfaError::InvalidParameters)?;
        let vcpu = u8::try_from(target.context).map_err(|_| FfaError::InvalidParameters)?;
        if vcpu >= info.vcpus || !info.may_run(vcpu, pe.index) {
            return Err(FfaError::InvalidParameters);
        }
        // The primary gives cycles and is given none.
        if info.primary {
            return Err(FfaError::Denied);
        }
        let running = pe.running().ok_or(FfaError::Denied)?;
        if fetch_kept(running, target.endpoint, wide)? {
            return Ok(Next::Vcpu);
        }
        if self.is_dead(vm) {
            return Err(FfaError::Aborted);
        }
        let id = VcpuId { vm, vcpu };
        let look = self.parked_note(id).ok_or(FfaError::Busy)?;
        let orphan = self.is_orphan(look.request);
        let run = self.how_to_run(runner, look, orphan)?;
        let claimed = self.claim_chain(id, &look, pe.index)?;

        // Commit.
        let mut first = true;
        for vcpu in claimed {
            let callee_wide = match pe.running().map(|caller| caller.waits) {
                Some(Waits::Callee { wide, .. }) if !first => wide,
                _ => wide,
            };
            let waits = vcpu.waits;
            if first {
                vcpu.transition(run.event);
                match run.event {
                    Event::Enter => {
                        vcpu.model = Model::Run;
                        if let Waits::Message { .. } = waits {
                            Reply::run(target).write(vcpu.machine.x());
                        }
                        vcpu.waits = Waits::Cycles;
                    }
                    _ if run.orphan => {
                        let request = vcpu.request();
                        vcpu.set_request(request.map(|request| Request {
                            origin: None,
                            ..request
                        }));
                    }
                    _ => {}
                }
            } else {
                vcpu.transition(Event::Resume);
            }
            self.push(pe, vcpu, callee_wide, machine);
            first = false;
        }
        Ok(self.go_on(pe))
    }

    /// The vCPU on top of the chain goes on where it was when it was taken off.
    fn go_on(&self, pe: &mut Pe<'v, R>) -> Next {
        let Some(vcpu) = pe.running() else {
            return self.begin(pe);
        };
        match vcpu.waits {
            Waits::Partition { call, preempted } => {
                vcpu.waits = Waits::Cycles;
                self.run_again(pe, call, preempted)
            }
            // Whom it called is not there any more.
            Waits::Callee { .. } => {
                vcpu.waits = Waits::Cycles;
                Reply::error(FfaError::Aborted).write(vcpu.machine.x());
                Next::Vcpu
            }
            Waits::Message { .. } | Waits::Cycles => {
                vcpu.waits = Waits::Cycles;
                Next::Vcpu
            }
        }
    }

    /// What a parked vCPU is like.
    fn parked_note(&self, id: VcpuId) -> Option<Look> {
        let place = self.place(id)?.lock();
        place.as_ref().map(|vcpu| Look::at(vcpu))
    }

    /// Whether nobody waits for the answer to a request any more: its sender has ended, or goes its
    /// own way without the answer.
    fn is_orphan(&self, request: Option<Request>) -> bool {
        match request.map(|request| request.origin) {
            None => false,
            Some(None) => true,
            Some(Some(origin)) => {
                self.is_dead(origin.vm)
                    || matches!(
                        self.parked_state(origin),
                        Some(State::Waiting | State::Off | State::Ready | State::Dead)
                    )
            }
        }
    }

    /// What `FFA_RUN` by `runner` does to a vCPU. One that serves a request is run by who sent it,
    /// so that the answer finds its sender waiting; everything else is the primary's.
    fn how_to_run(&self, runner: VcpuId, look: Look, orphan: bool) -> Result<Run, FfaError> {
        let primary = self.info(runner.vm).is_some_and(|info| info.primary);
        let permitted = match look.request {
            Some(request) if !orphan => request.origin == Some(runner),
            _ => primary,
        };
        let event = match look.state {
            State::Off => return Err(FfaError::InvalidParameters),
            State::Dead => return Err(FfaError::Aborted),
            State::Ready | State::Waiting => Event::Enter,
            State::Preempted | State::Yielded => Event::Resume,
            // Parked ones are none of these.
            State::Running | State::Blocked => return Err(FfaError::Busy),
        };
        match permitted {
            true => Ok(Run { event, orphan }),
            false => Err(FfaError::Denied),
        }
    }

    /// Takes a parked vCPU, and those that it waits for, to this core: all of them, or none.
    /// DENIED if one of them is pinned to another core.
    fn claim_chain(
        &self,
        first: VcpuId,
        look: &Look,
        core: u16,
    ) -> Result<Claimed<'v, R>, FfaError> {
        let mut claimed: Claimed<'v, R> = Vec::new();
        let mut error = FfaError::Busy;
        let mut wanted = Some(first);
        while let Some(id) = wanted.take() {
            let may_run = |info: &VmInfo| info.may_run(id.vcpu, core);
            if !self.info(id.vm).is_some_and(may_run) {
                error = FfaError::Denied;
                break;
            }
            let Some(place) = self.place(id) else { break };
            let mut place = place.lock();
            let Some(seen) = place.as_ref().map(|vcpu| Look::at(vcpu)) else {
                break;
            };
            let fits = match claimed.last() {
                // Another core may have had it since it was looked at.
                None => seen == *look,
                // It is still the request of the one below, or run by it, that it was taken off with.
                Some(below) => {
                    seen.state == State::Preempted
                        && seen
                            .request
                            .is_none_or(|request| request.origin == Some(below.id()))
                }
            };
            // It stays where it is then, or it would look busy to those whose it is.
            let Some(vcpu) = fits.then(|| place.take()).flatten() else {
                break;
            };
            drop(place);
            if let (State::Preempted, Waits::Callee { callee, .. }) = (seen.state, seen.waits)
                && !self.is_dead(callee.vm)
            {
                wanted = Some(callee);
            }
            if let Err(vcpu) = claimed.push(vcpu) {
                self.park(vcpu);
                break;
            }
            if wanted.is_none() {
                return Ok(claimed);
            }
        }
        for vcpu in claimed {
            self.park(vcpu);
        }
        Err(error)
    }

    /// `FFA_MSG_WAIT`. An error changes nothing.
    pub(crate) fn msg_wait(
        &self,
        pe: &mut Pe<'v, R>,
        wide: bool,
        retain_rx: bool,
        machine: &mut impl Machine<R>,
    ) -> Result<Next, FfaError> {
        let vm = self.running_vm(pe).ok_or(FfaError::Denied)?;
        let vcpu = pe.running().ok_or(FfaError::Denied)?;
        // What it owes an answer, it answers.
        if vcpu.model == Model::DirectRequest {
            return Err(FfaError::Denied);
        }
        if !retain_rx {
            vm.empty_rx(machine);
        }
        let own = vcpu.target();
        vcpu.transition(Event::Wait);
        vcpu.waits = Waits::Message { wide };
        Ok(self.give_back(pe, waits(own), machine))
    }

    /// `FFA_YIELD`. Up to 1.1 the text bars it while a request is served.
    pub(crate) fn yield_core(
        &self,
        pe: &mut Pe<'v, R>,
        timeout: u64,
        machine: &mut impl Machine<R>,
    ) -> Result<Next, FfaError> {
        let may = self
            .running_vm(pe)
            .is_some_and(|vm| vm.peer().version.has_extended_registers());
        let vcpu = pe.running().ok_or(FfaError::Denied)?;
        if vcpu.request().is_some() && !may {
            return Err(FfaError::Denied);
        }
        // What it finds when it is run again.
        Reply::success(0).write(vcpu.machine.x());
        Ok(self.give_cycles_back(pe, timeout, machine))
    }

    fn give_cycles_back(
        &self,
        pe: &mut Pe<'v, R>,
        timeout: u64,
        machine: &mut impl Machine<R>,
    ) -> Next {
        let Some(vcpu) = pe.running() else {
            return self.begin(pe);
        };
        let own = vcpu.target();
        vcpu.transition(Event::Yield);
        vcpu.waits = Waits::Cycles;
        self.give_back(pe, Reply::yielded(own, timeout), machine)
    }

    /// The vCPU that runs waits for an interrupt (WFI, `CPU_SUSPEND`), which a secondary can't do on
    /// somebody else's time: who gave it cycles is told `FFA_YIELD`, with the time until its own
    /// timer fires, 0 if it does not.
    pub fn wait(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Next {
        let Some(id) = pe.running_id() else {
            return self.begin(pe);
        };
        if machine.has_interrupt(id) {
            return Next::Vcpu;
        }
        if pe.chain.len() == 1 {
            return Next::Idle;
        }
        // 0 is no timer; one that is due is an interrupt already, or as good as one.
        let timeout = machine.timer_ns(id).map_or(0, |ns| ns.max(1));
        self.give_cycles_back(pe, timeout, machine)
    }

    /// A physical interrupt took a vCPU off the core, or woke a core that has nothing to do.
    pub fn interrupt(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Next {
        let mut turn = machine.interrupts(&pe.chain());
        self.take_back_again(machine);
        self.destroy_bitmaps_again(machine);
        if let Some(level) = self.tell_again(pe, turn, machine) {
            turn = match turn {
                Turn::Level(lower) => Turn::Level(lower.min(level)),
                Turn::Nobody | Turn::None => Turn::Level(level),
            };
        }
        if let Some(level) = self.lowest_dead(pe) {
            return self.reap(pe, level, turn.level(), machine);
        }
        if pe.chain.is_empty() {
            return self.begin(pe);
        }
        self.take_turn(pe, turn.level(), machine)
    }

    /// It is the turn of this member of the chain: if others are above it, they are taken off.
    pub(crate) fn take_turn(
        &self,
        pe: &mut Pe<'v, R>,
        turn: Option<usize>,
        machine: &mut impl Machine<R>,
    ) -> Next {
        if let Some(level) = turn
            && level.saturating_add(1) < pe.chain.len()
        {
            self.unwind(pe, level, machine);
        }
        Next::Vcpu
    }
}

/// `FFA_MSG_WAIT` as who ran a vCPU sees it: with its name in w1.
pub(crate) fn waits(vcpu: TargetInfo) -> Reply {
    let mut values = Reply::msg_wait().values();
    values[1] = vcpu.register();
    Reply::Ffa(values)
}

/// What a parked vCPU is like, as far as running it is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    state: State,
    request: Option<Request>,
    waits: Waits,
}

impl Look {
    const fn at<R>(vcpu: &Vcpu<R>) -> Self {
        Self {
            state: vcpu.state(),
            request: vcpu.request(),
            waits: vcpu.waits(),
        }
    }
}
