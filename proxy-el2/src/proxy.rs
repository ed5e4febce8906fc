//! The proxy: its VMs, one core's chain of vCPUs, and what both need of the machine.
//!
//! [`Proxy`] is shared by all cores; [`Pe`] is one core's own. A vCPU belongs to one core's chain, by
//! `&mut`, or is parked in its VM. The chain's first is the primary's vCPU of that core; whom it runs
//! or calls is the next, and so on: the last one runs. So a message's path takes a lock only to fetch
//! the receiver.
//!
//! Calls of EL3 on a VM's behalf are not made here: [`Next::El3`] asks for one, and
//! [`Proxy::returned`] takes what came back. In between the core may have been a partition's for
//! long.

use crate::{
    MAX_VCPUS, MAX_VMS,
    availability::{News, Outcome},
    buffers::Memory,
    forward::{El3, Upstream},
    memory::{Bereaved, Shares},
    notifications::Bitmaps,
    owed::Owed,
    sync::Mutex,
    untold::UntoldList,
    vcpu::{Event, Model, Registers, Secure, State, Vcpu, VcpuId, VmIndex, Waits},
    vm::{Vm, VmInfo},
};
use core::ops::Range;
use ffa_abi::{EndpointId, Regs, Reply, TargetInfo, Version, sharing::Estates};
use heapless::Vec;

/// Whose turn it is after an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// What was pending was the proxy's own: everybody goes on.
    Nobody,
    /// The lowest member of the chain that an interrupt is for; 0 as well when the first one's time
    /// slice is over.
    Level(usize),
    /// Nothing was pending at all.
    None,
}

impl Turn {
    /// The member of the chain, if it is one's.
    pub(crate) const fn level(self) -> Option<usize> {
        match self {
            Self::Level(level) => Some(level),
            Self::Nobody | Self::None => None,
        }
    }
}

/// What the core asks of the machine. As an [`Estates`], what it does to the stage 2 of VMs: `Party(1 + index)` is a VM,
/// and there is nothing to be done for the secure world.
pub trait Machine<R>: Memory + El3 + Estates {
    /// A character that a VM wrote with `FFA_CONSOLE_LOG`.
    fn console(&mut self, from: EndpointId, character: u8);

    /// Takes all interrupts that are pending on this core: handles those that are the proxy's own,
    /// and makes the others pending for the vCPUs they are for. `chain` are the vCPUs on this core,
    /// the first one's being its time.
    fn interrupts(&mut self, chain: &[VcpuId]) -> Turn;

    /// Whether a vCPU has an interrupt that it would take now, so that waiting for one is over.
    fn has_interrupt(&mut self, vcpu: VcpuId) -> bool;

    /// Nanoseconds until the vCPU's own timer fires; `None` if it does not.
    fn timer_ns(&mut self, vcpu: VcpuId) -> Option<u64>;

    /// A vCPU leaves this core, and another core may run it next: all of it goes to memory.
    fn leave(&mut self, vcpu: &mut Vcpu<R>);

    /// The chain's first has given the core away, or has it back: its time slice starts or ends.
    fn slice(&mut self, away: bool);

    /// Makes a virtual interrupt pending for a vCPU, wherever it is: one of the proxy's own, for which there is no
    /// physical one. It is told as soon as it can take it; if it is off, when it is on.
    fn raise(&mut self, vcpu: VcpuId, intid: u32);

    /// Has another core look after its chain ([`Proxy::interrupt`]), if it is on.
    fn kick(&mut self, core: u16);

    /// Switches a core on, if it is not: it calls [`Proxy::begin`] then. `false` if that failed.
    fn power_on(&mut self, core: u16) -> bool;

    /// Whether this core is switched off when its last vCPU is ([`Next::Off`]). One that is not waits for
    /// interrupts instead ([`Next::Idle`]).
    ///
    /// Core 0 must stay on: what the single context of a partition owes is not lost with any core.
    fn goes_off(&mut self) -> bool {
        false
    }

    /// Whether a core on which no vCPU is on can be switched on: not while it is going off.
    fn is_off(&mut self, core: u16) -> bool {
        let _ = core;
        true
    }

    /// What became of telling a partition of a VM, for the log. The partition is the SPMC where it
    /// refused to say who is to be told.
    fn told(&mut self, news: News, partition: EndpointId, outcome: Outcome) {
        let _ = (news, partition, outcome);
    }
}

/// What happens next on a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Next {
    /// [`Pe::running`] goes on with its registers.
    Vcpu,
    /// EL3 is to be called with [`Pe::el3`]; then [`Proxy::returned`].
    El3,
    /// There is nothing to do but to wait for an interrupt; then [`Proxy::interrupt`].
    Idle,
    /// The core is to be switched off. When it is on again: [`Proxy::begin`]; if it can't be switched off, it waits as
    /// in [`Idle`](Self::Idle), and [`Machine::goes_off`] says so from then on.
    Off,
    /// The primary asked for SYSTEM_OFF, or has failed.
    PowerOff,
    /// The primary asked for SYSTEM_RESET.
    Reset,
}

/// One core's own: the chain of its vCPUs, and the call of EL3 that is being made.
#[derive(Debug)]
pub struct Pe<'v, R> {
    /// x0-x17 towards EL3, and from there.
    pub el3: Regs,
    /// The linear index of this core.
    pub index: u16,
    /// What the call of EL3 is for.
    pub(crate) pending: Option<Secure>,
    pub(crate) chain: Vec<&'v mut Vcpu<R>, MAX_VMS>,
}

impl<'v, R> Pe<'v, R> {
    /// A core on which nobody runs.
    pub const fn new(index: u16) -> Self {
        Self {
            el3: Regs::ZERO,
            index,
            pending: None,
            chain: Vec::new(),
        }
    }

    /// The vCPU that runs here.
    #[inline(always)]
    pub fn running(&mut self) -> Option<&mut Vcpu<R>> {
        self.chain.last_mut().map(|vcpu| &mut **vcpu)
    }

    /// Which vCPU runs here.
    #[inline(always)]
    pub fn running_id(&self) -> Option<VcpuId> {
        self.chain.last().map(|vcpu| vcpu.id())
    }

    /// A vCPU of this core's chain.
    pub fn get(&mut self, id: VcpuId) -> Option<&mut Vcpu<R>> {
        let mut chain = self.chain.iter_mut();
        chain.find(|vcpu| vcpu.id() == id).map(|vcpu| &mut **vcpu)
    }

    /// The vCPU that runs here, and those of this core's chain below it.
    #[inline(always)]
    pub fn split(&mut self) -> Option<(&mut Vcpu<R>, &mut [&'v mut Vcpu<R>])> {
        let (running, below) = self.chain.split_last_mut()?;
        Some((running, below))
    }

    /// The vCPUs of this core's chain, the one whose time it is first.
    pub fn chain(&self) -> Vec<VcpuId, MAX_VMS> {
        self.chain.iter().map(|vcpu| vcpu.id()).collect()
    }

    /// What EL3 is called for, while it is.
    pub const fn pending(&self) -> Option<Secure> {
        self.pending
    }
}

/// What all cores share.
#[derive(Debug)]
pub struct Proxy<'v, R> {
    /// What EL3's side can do.
    pub upstream: Upstream,
    pub(crate) vms: Vec<Vm<'v, R>, MAX_VMS>,
    /// What partitions owe to VMs.
    pub(crate) owed: Mutex<Owed>,
    /// Held while the proxy's own RX is used.
    pub(crate) rx: Mutex<()>,
    /// News that partitions could not be told yet.
    pub(crate) untold: UntoldList,
    /// Memory of VMs, and in whose hands it is.
    pub(crate) shares: Option<&'v Shares>,
    pub(crate) bereaved: Bereaved,
    pub(crate) bitmaps: Bitmaps,
}

impl<'v, R: Registers> Proxy<'v, R> {
    /// A proxy without VMs.
    pub const fn new(upstream: Upstream) -> Self {
        Self {
            upstream,
            vms: Vec::new(),
            owed: Mutex::new(Owed::new()),
            rx: Mutex::new(()),
            untold: UntoldList::new(),
            shares: None,
            bereaved: Bereaved::new(false),
            bitmaps: Bitmaps::new(false),
        }
    }

    /// Has the proxy serve the memory management of VMs, which are added after this, and keep there what it notes of
    /// it. Nobody else's.
    pub const fn share_memory(&mut self, shares: &'v Shares) {
        self.shares = Some(shares);
    }

    /// Adds a VM; its vCPUs are given with [`adopt`](Self::adopt). `None` if there are
    /// [`MAX_VMS`], the id is taken or is none of a VM, the number of vCPUs is
    /// impossible, some of the memory is another VM's, or there is a primary already.
    pub fn add(&mut self, info: VmInfo) -> Option<VmIndex> {
        let fits = info.id.is_vm()
            && (1..=MAX_VCPUS).contains(&usize::from(info.vcpus))
            && self.find(info.id).is_none()
            && !(info.primary && self.vms.iter().any(|vm| vm.info.primary));
        if !fits {
            return None;
        }
        let index = VmIndex(self.vms.len() as u8);
        if let Some(shares) = self.shares {
            shares.lock().add_memory(index, &info.memory).ok()?;
        }
        self.vms.push(Vm::new(info)).ok()?;
        Some(index)
    }

    /// Parks a vCPU in its VM. The first of each VM is switched on, the others are off. Gives it back
    /// if there is no place for it.
    pub fn adopt(&self, vcpu: &'v mut Vcpu<R>) -> Result<(), &'v mut Vcpu<R>> {
        let id = vcpu.id();
        let Some(vm) = self.vms.get(usize::from(id.vm.0)) else {
            return Err(vcpu);
        };
        if id.vcpu >= vm.info.vcpus {
            return Err(vcpu);
        }
        vcpu.endpoint = vm.info.id;
        if id.vcpu == 0 && vcpu.state() == State::Off {
            vcpu.transition(Event::SwitchOn);
        }
        match vm.parked.get(usize::from(id.vcpu)) {
            Some(place) => {
                let mut place = place.lock();
                if place.is_some() {
                    return Err(vcpu);
                }
                *place = Some(vcpu);
                Ok(())
            }
            None => Err(vcpu),
        }
    }

    /// What is known of a VM.
    pub fn info(&self, vm: VmIndex) -> Option<&VmInfo> {
        self.vms.get(usize::from(vm.0)).map(|vm| &vm.info)
    }

    /// The version that a VM negotiated, 1.0 before.
    pub fn version(&self, vm: VmIndex) -> Option<Version> {
        self.vms.get(usize::from(vm.0)).map(|vm| vm.version.get())
    }

    /// Whether a VM has ended.
    pub fn is_dead(&self, vm: VmIndex) -> bool {
        self.vm(vm).is_none_or(Vm::is_dead)
    }

    /// The VM with this id.
    pub fn find(&self, id: EndpointId) -> Option<VmIndex> {
        let place = self.vms.iter().position(|vm| vm.info.id == id)?;
        Some(VmIndex(place as u8))
    }

    #[inline(always)]
    pub(crate) fn vm(&self, vm: VmIndex) -> Option<&Vm<'v, R>> {
        self.vms.get(usize::from(vm.0))
    }

    /// Where a vCPU is parked while no core has it.
    pub(crate) fn place(&self, id: VcpuId) -> Option<&Mutex<Option<&'v mut Vcpu<R>>>> {
        self.vm(id.vm)?.parked.get(usize::from(id.vcpu))
    }

    /// The state of a vCPU that no core has.
    pub(crate) fn parked_state(&self, id: VcpuId) -> Option<State> {
        let place = self.place(id)?.lock();
        place.as_ref().map(|vcpu| vcpu.state())
    }

    /// The core starts, or a vCPU may have been switched on for a core without one: the primary's
    /// vCPU of this core begins.
    pub fn begin(&self, pe: &mut Pe<'v, R>) -> Next {
        if !pe.chain.is_empty() {
            return Next::Vcpu;
        }
        let primary = self.vms.iter().position(|vm| vm.info.primary);
        let Some(vm) = primary.map(|place| VmIndex(place as u8)) else {
            return Next::Idle;
        };
        if self.is_dead(vm) {
            return Next::PowerOff;
        }
        let own = self.info(vm).and_then(|info| info.vcpu_on(pe.index));
        let Some(place) = own.and_then(|vcpu| self.place(VcpuId { vm, vcpu })) else {
            return Next::Idle;
        };
        let mut place = place.lock();
        match place.as_ref().map(|vcpu| vcpu.state()) {
            Some(State::Ready) => {}
            _ => return Next::Idle,
        }
        if let Some(vcpu) = place.take() {
            vcpu.transition(Event::Enter);
            vcpu.model = Model::Run;
            vcpu.waits = Waits::Cycles;
            // The chain is empty.
            let _ = pe.chain.push(vcpu);
        }
        Next::Vcpu
    }

    /// Puts a vCPU on top of the chain: it runs. The one below is blocked in a call of this width.
    #[inline(always)]
    pub(crate) fn push(
        &self,
        pe: &mut Pe<'v, R>,
        vcpu: &'v mut Vcpu<R>,
        wide: bool,
        machine: &mut impl Machine<R>,
    ) {
        let callee = vcpu.id();
        if let Some(caller) = pe.running() {
            caller.transition(Event::Block);
            caller.waits = Waits::Callee { callee, wide };
        }
        if pe.chain.len() == 1 {
            machine.slice(true);
        }
        self.push_on(pe, vcpu);
    }

    /// Puts a vCPU on top of the chain, and nothing else.
    #[inline(always)]
    pub(crate) fn push_on(&self, pe: &mut Pe<'v, R>, vcpu: &'v mut Vcpu<R>) {
        // No VM is twice in a chain, so that there is room for all.
        if let Err(vcpu) = pe.chain.push(vcpu) {
            debug_assert!(false, "a chain of more vCPUs than VMs");
            self.park(vcpu);
        }
    }

    /// Takes the vCPU that has run off the chain, after its state was changed; parks it.
    #[inline(always)]
    pub(crate) fn pop(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) {
        if let Some(vcpu) = pe.chain.pop() {
            machine.leave(vcpu);
            self.park(vcpu);
        }
        if pe.chain.len() == 1 {
            machine.slice(false);
        }
    }

    #[inline(always)]
    pub(crate) fn park(&self, vcpu: &'v mut Vcpu<R>) {
        let id = vcpu.id();
        if let Some(vm) = self.vm(id.vm) {
            let mut place = vm.place(id.vcpu).lock();
            // It may have ended while the lock was waited for.
            if vm.is_dead() {
                self.bury(vcpu);
            }
            *place = Some(vcpu);
        }
    }

    /// The vCPU that has run gave the core back: its caller goes on, its call completed with
    /// `reply`.
    pub(crate) fn give_back(
        &self,
        pe: &mut Pe<'v, R>,
        reply: Reply,
        machine: &mut impl Machine<R>,
    ) -> Next {
        self.pop(pe, machine);
        if pe.chain.is_empty() {
            return self.begin(pe);
        }
        self.resume_caller(pe, reply);
        Next::Vcpu
    }

    /// Takes everybody above `level` off the core, as an interrupt that is not theirs wants it; the
    /// call of the one at `level` completes with `FFA_INTERRUPT`.
    pub(crate) fn unwind(&self, pe: &mut Pe<'v, R>, level: usize, machine: &mut impl Machine<R>) {
        let above = level.saturating_add(1);
        let Some(preempted) = pe.chain.get(above).map(|vcpu| vcpu.target()) else {
            return;
        };
        self.take_off(pe, above, machine);
        self.resume_caller(pe, Reply::interrupt(preempted, 0));
    }

    /// Takes everybody from `level` upwards off the core; they are preempted.
    pub(crate) fn take_off(&self, pe: &mut Pe<'v, R>, level: usize, machine: &mut impl Machine<R>) {
        while pe.chain.len() > level {
            if let Some(vcpu) = pe.running() {
                vcpu.transition(Event::Preempt);
            }
            self.pop(pe, machine);
        }
    }

    /// The last of the chain goes on, its call completed with `reply`.
    pub(crate) fn resume_caller(&self, pe: &mut Pe<'v, R>, reply: Reply) {
        if let Some(caller) = pe.running() {
            caller.transition(Event::Unblock);
            caller.waits = Waits::Cycles;
            reply.write(caller.machine.x());
        }
    }

    /// The VM of the vCPU that runs.
    #[inline(always)]
    pub(crate) fn running_vm(&self, pe: &Pe<'v, R>) -> Option<&Vm<'v, R>> {
        self.vm(pe.running_id()?.vm)
    }

    /// Its FF-A name.
    pub(crate) fn running_target(&self, pe: &mut Pe<'v, R>) -> TargetInfo {
        pe.running().map_or(
            TargetInfo {
                endpoint: EndpointId::HYPERVISOR,
                context: 0,
            },
            |vcpu| vcpu.target(),
        )
    }
}

/// Whether two ranges share an address.
pub(crate) const fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}
