//! The machine, as the core's calls see it.

use super::{
    BOARD,
    cpu::{Cpu, Live},
    interrupts::Receiver,
    memory::Port,
    vcpu::Guest,
    vms::{self, KICK},
};
use core::{
    ops::Range,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};
use defmt::{error, info, warn};
use ffa_abi::{EndpointId, Regs, availability::VmEvent, smccc::psci};
use platform::{endpoint_console, entry, gic, gic::virt::Interface, timer, vm_state};
use proxy_el2::{
    availability::{News, Outcome},
    buffers::{Memory, Unreachable},
    forward::El3,
    proxy::{Machine, Turn},
    vcpu::{Vcpu, VcpuId, VmIndex},
};

/// The most cores.
pub const MAX_CORES: usize = 8;
/// Which cores are on, or about to be.
static ON: [AtomicBool; MAX_CORES] = [const { AtomicBool::new(false) }; MAX_CORES];
/// Which of them are never switched off, beside the first one: see [`Machine::goes_off`].
static STAYS: [AtomicBool; MAX_CORES] = [const { AtomicBool::new(false) }; MAX_CORES];

fn set(cores: &[AtomicBool; MAX_CORES], core: u16, value: bool) {
    if let Some(of) = cores.get(usize::from(core)) {
        of.store(value, Ordering::Release);
    }
}

fn get(cores: &[AtomicBool; MAX_CORES], core: u16) -> bool {
    let of = cores.get(usize::from(core));
    of.is_some_and(|of| of.load(Ordering::Acquire))
}

/// Whether a core that is on stays so.
fn stays(core: u16) -> bool {
    core == 0 || get(&STAYS, core)
}

/// The core that boots is on, and looks after consoles.
pub fn is_on_for_good(core: u16) {
    set(&ON, core, true);
    set(&STAYS, core, true);
}

impl El3 for Cpu {
    fn smc(&mut self, regs: &mut Regs) {
        Port.smc(regs);
    }
}

impl Memory for Cpu {
    fn open(&mut self, pages: Range<u64>) -> Result<(), Unreachable> {
        Port.open(pages)
    }

    fn close(&mut self, pages: Range<u64>) {
        Port.close(pages);
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Unreachable> {
        Port.write(at, bytes)
    }

    fn zero(&mut self, range: Range<u64>) -> Result<(), Unreachable> {
        Port.zero(range)
    }

    fn read(&mut self, at: u64, to: &mut [u8]) -> Result<(), Unreachable> {
        Port.read(at, to)
    }

    #[inline(always)]
    fn pass_words<const N: usize>(&mut self, at: u64) -> Result<[u64; N], Unreachable> {
        Port.pass_words(at)
    }

    fn read_rx(&mut self, offset: usize, to: &mut [u8]) -> Result<(), Unreachable> {
        Port.read_rx(offset, to)
    }

    fn write_tx(&mut self, bytes: &[u8]) -> Result<(), Unreachable> {
        Port.write_tx(bytes)
    }

    fn stand_in(&mut self, vm: VmIndex) -> Option<u64> {
        Port.stand_in(vm)
    }

    fn write_stand_in(
        &mut self,
        vm: VmIndex,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Unreachable> {
        Port.write_stand_in(vm, offset, bytes)
    }
}

impl Machine<Guest> for Cpu {
    fn console(&mut self, from: EndpointId, character: u8) {
        endpoint_console::write(from.0, character);
    }

    fn interrupts(&mut self, chain: &[VcpuId]) -> Turn {
        let any = self.take(chain.is_empty());
        let live = self.live().map(|live| live.id);
        let over = self.interrupts.expire(live);
        // Everybody is looked at: the live one's list registers are filled anew at that.
        let pending = chain.iter().map(|id| self.would_take(*id));
        let lowest = pending
            .enumerate()
            .fold(None, |lowest: Option<usize>, (level, pending)| {
                lowest.or_else(|| pending.then_some(level))
            });
        match lowest {
            _ if over => Turn::Level(0),
            Some(level) => Turn::Level(level),
            None if any => Turn::Nobody,
            None => Turn::None,
        }
    }

    fn has_interrupt(&mut self, vcpu: VcpuId) -> bool {
        let due = match self.live() {
            Some(Live { id, .. }) if id == vcpu => {
                vm_state::live_deadline().is_some_and(|at| at <= timer::ticks())
            }
            _ => false,
        };
        if !due {
            return self.would_take(vcpu);
        }
        // Its timer has fired, and is not acknowledged yet.
        let threshold = Interface::live_threshold(self.shape);
        self.with_vgic(|vgic, index| {
            let _ = vgic.level(index, BOARD.virtual_timer, true);
            let pending = vgic.deliverable(index, threshold, true);
            let _ = vgic.level(index, BOARD.virtual_timer, false);
            pending
        })
        .unwrap_or(false)
    }

    fn timer_ns(&mut self, vcpu: VcpuId) -> Option<u64> {
        let deadline = match self.live() {
            Some(Live { id, .. }) if id == vcpu => vm_state::live_deadline(),
            _ => self.interrupts.watched(vcpu),
        };
        deadline.map(timer::ns_until)
    }

    #[inline(always)]
    fn leave(&mut self, vcpu: &mut Vcpu<Guest>) {
        self.let_go(vcpu);
    }

    #[inline(always)]
    fn slice(&mut self, away: bool) {
        self.interrupts.slice(away);
    }

    fn raise(&mut self, vcpu: VcpuId, intid: u32) {
        let Some(vm) = vms::of(vcpu) else { return };
        let kick = vm.gic.lock().pend(vcpu.vcpu, intid);
        // The one that is live here looks before it goes on.
        let own = self.live().filter(|live| live.id == vcpu);
        vm.kick(kick, own.map(|_| vcpu.vcpu));
    }

    fn kick(&mut self, core: u16) {
        // One that is off has nothing to look at.
        if get(&ON, core) {
            vms::kick(core);
        }
    }

    fn power_on(&mut self, core: u16) -> bool {
        // One that stays on waits, and is told to look.
        let waits = stays(core) && get(&ON, core);
        waits || switch_on(core)
    }

    fn goes_off(&mut self) -> bool {
        !stays(self.index)
    }

    fn is_off(&mut self, core: u16) -> bool {
        if stays(core) {
            return true;
        }
        BOARD
            .affinity(core.into())
            .is_some_and(|affinity| psci(psci::AFFINITY_INFO_64, [affinity, 0, 0]) == psci::OFF)
    }

    fn told(&mut self, news: News, partition: EndpointId, outcome: Outcome) {
        let event = match news.event {
            VmEvent::Created => "created",
            VmEvent::Destroyed => "destroyed",
        };
        match outcome {
            Outcome::Told => info!(
                "partition {=u16:#x} was told that VM {=u16} was {=str}",
                partition.0, news.vm.0, event
            ),
            problem => warn!(
                "partition {=u16:#x}, VM {=u16} was {=str}: {}",
                partition.0,
                news.vm.0,
                event,
                defmt::Display2Format(&problem)
            ),
        }
    }
}

/// A call of PSCI to EL3: its status.
fn psci(fid: u32, arguments: [u64; 3]) -> i32 {
    let mut regs = Regs::ZERO;
    regs[0] = fid.into();
    let [first, second, third] = arguments;
    (regs[1], regs[2], regs[3]) = (first, second, third);
    Port.smc(&mut regs);
    regs[0] as i32
}

/// An interrupt that is dropped. Said at the first, second, fourth … of all.
fn nobodys(intid: u32) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    if count.is_power_of_two() {
        warn!(
            "interrupt {=u32} belongs to nobody: dropped, {=u32} by now",
            intid, count
        );
    }
}

fn switch_on(core: u16) -> bool {
    let Some(affinity) = BOARD.affinity(core.into()) else {
        return false;
    };
    set(&ON, core, true);
    let entry = entry::secondary_entry() as u64;
    let status = psci(psci::CPU_ON_64, [affinity, entry, 0]);
    if status == psci::SUCCESS {
        return true;
    }
    error!("core {=u16} can't be switched on: {=i32}", core, status);
    set(&ON, core, false);
    false
}

impl Cpu {
    /// Switches this core off. Comes back if that can't be done: then it waits from now on instead.
    pub fn switch_off(&mut self) {
        self.interrupts.stop();
        set(&ON, self.index, false);
        let status = psci(psci::CPU_OFF, [0; 3]);
        error!(
            "core {=u16} can't be switched off: {=i32}",
            self.index, status
        );
        set(&STAYS, self.index, true);
        set(&ON, self.index, true);
        self.interrupts.go_on();
    }

    /// Takes every interrupt that is pending: a VM's becomes pending for the VM. `true` if there was any. `vacant`: this core
    /// has no vCPU now.
    fn take(&mut self, vacant: bool) -> bool {
        let mut any = false;
        while let Some(intid) = gic::acknowledge() {
            any = true;
            self.take_one(intid, vacant);
        }
        any
    }

    /// Deals with an interrupt that was acknowledged, and ends it.
    pub(super) fn take_one(&mut self, intid: u32, vacant: bool) {
        if self.is_given(intid) {
            // Only the priority is dropped: the VM deactivates it.
            gic::end(intid);
            return;
        }
        if intid == BOARD.normal_el2_timer {
            self.interrupts.fired();
        } else if intid == BOARD.gic_maintenance {
            // It goes as the list registers are filled.
            let _ = self.refresh();
        } else if let Some((_, receiver)) = self.sri.filter(|(sri, _)| *sri == intid) {
            // Whose turn it is then is looked at next. The primary's vCPU of a vacant core is off, and would lose it: the
            // others are told, of which one is on.
            let Receiver { vm, vcpu } = receiver;
            for other in (0..vm.vcpus).filter(|other| vacant != (*other == vcpu)) {
                let kick = vm.gic.lock().pend(other, intid);
                vm.kick(kick, Some(vcpu));
            }
        } else if intid != KICK {
            nobodys(intid);
        }
        gic::end(intid);
        gic::deactivate(intid);
    }

    /// Makes an interrupt pending for a VM. `false` if it is none's.
    fn is_given(&mut self, intid: u32) -> bool {
        if intid == BOARD.virtual_timer {
            let Some(Live { id, vm }) = self.live() else {
                return false;
            };
            // The one that is live is looked at in any case.
            let _ = vm.gic.lock().pend_hw(id.vcpu, intid, intid);
            return true;
        }
        let Some(vm) = vms::owner_of(intid) else {
            return false;
        };
        let kick = vm.gic.lock().pend_hw(0, intid, intid);
        vm.kick(kick, None);
        true
    }

    /// Whether a vCPU of this core's chain would take an interrupt now.
    fn would_take(&mut self, id: VcpuId) -> bool {
        if self.live().is_some_and(|live| live.id == id) {
            return self.refresh();
        }
        vms::of(id).is_some_and(|vm| vm.deliverable(id.vcpu, self.shape))
    }
}
