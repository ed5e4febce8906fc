//! One core: which vCPU's registers are in the machine, and running it.
//!
//! The one that runs is live. Whoever was live before it is put away when it is entered, not before: a core whose
//! one vCPU calls partitions switches nothing. Vector registers move later still, at their first use.

use super::{
    boot::{Core, PeState},
    interrupts::{Interrupts, Receiver, Times},
    lists::{self, Listed},
    side::Side,
    vcpu::Guest,
    vms::{self, Vm},
};
use platform::{
    confine::{self, Guests, confine},
    cpu::{self, Features},
    fp,
    gic::virt::{Interface, Shape},
    guest::{self, Exit},
    read_sysreg,
    sysreg::isb,
    vm_state::Seldom,
};
use proxy_el2::{
    proxy::Next,
    vcpu::{Vcpu, VcpuId, VmIndex},
};

/// The vCPU whose registers are in the machine.
#[derive(Clone, Copy)]
pub struct Live {
    /// Which.
    pub id: VcpuId,
    /// Its VM.
    pub vm: &'static Vm,
}

/// A core's registers, and whose they are now.
pub struct Cpu {
    /// Its linear index.
    pub index: u16,
    /// Its own timer.
    pub interrupts: Interrupts,
    /// By which SGI the SPMC asks for cycles on this core, and who is told so.
    pub(super) sri: Option<(u32, Receiver)>,
    pub(super) features: Features,
    pub(super) shape: Shape,
    /// There are several VMs: what they have beside the EL1 registers is switched, or traps.
    pub(super) many: bool,
    /// Where the live vCPU is in memory, 0 for nobody: only ever compared.
    pub(super) live_at: usize,
    /// What others may know of the live vCPU.
    pub(super) side: &'static Side,
    /// What its list registers may hold that it has not taken.
    pub(super) listed: Listed,
    /// What HCR_EL2 is for all.
    pub(super) hcr: u64,
    /// Whose vector registers are in the machine, where they are switched.
    pub(super) fp_owner: Option<VcpuId>,
    /// Somebody's vector registers may be in the machine, or this core may be watching somebody's timer: what seldom is
    /// so is looked at only then.
    pub(super) minds: bool,
}

/// Of nobody.
static NOBODYS: Side = Side::new(VcpuId {
    vm: VmIndex(0),
    vcpu: 0,
});

impl Cpu {
    /// Sets up the EL2 registers of this core that hold for all VMs, and its interrupts.
    pub fn new(
        index: u16,
        many: bool,
        first: bool,
        times: &Times,
        sri: Option<(u32, Receiver)>,
    ) -> Self {
        let features = Features::read();
        let guests = if many { Guests::ManyVms } else { Guests::OneVm };
        // SAFETY: Nothing runs at EL1 on this core yet, and E2H was set at the entry.
        unsafe { confine(&features, guests) }
        if many {
            fp::prepare_vms(&features);
            Seldom::RESET.load(&features);
            confine::open(false, &features);
        } else {
            // The VM owns the vector registers: nothing else at this level uses any.
            fp::open_all();
            isb();
            fp::largest(&features);
        }
        isb();
        Self {
            index,
            interrupts: Interrupts::start(first, times, sri.map(|(intid, _)| intid)),
            sri,
            features,
            shape: Shape::read(),
            many,
            live_at: 0,
            side: &NOBODYS,
            listed: Listed::default(),
            hcr: confine::common_hcr(),
            fp_owner: None,
            minds: false,
        }
    }

    /// Enters the vCPU that runs, again and again until its exit concerns the core.
    #[inline(always)]
    pub fn run(&mut self, core: &Core, pe: &mut PeState) -> Next {
        loop {
            let Some((vcpu, below)) = pe.split() else {
                return Next::Idle;
            };
            if at(vcpu) != self.live_at {
                self.switch(vcpu, below);
            } else if self.side.has_news() {
                self.refresh();
            }
            let regs = &mut vcpu.machine.regs;
            // SAFETY: This vCPU is live: stage 2, identity and EL1 registers are its own, and HCR_EL2 confines it.
            let exit = unsafe { guest::enter(regs) };
            if exit == Exit::Sync {
                let esr = read_sysreg!("esr_el2");
                // SMC with immediate 0, which is behind ELR; HVC with immediate 0.
                let smc = esr & 0xfc00_ffff == 0x17 << 26;
                if smc {
                    regs.pc = regs.pc.wrapping_add(4);
                }
                if smc || esr & 0xfc00_ffff == 0x16 << 26 {
                    return core.call(pe, self);
                }
            }
            if let Some(next) = self.rare(core, pe, exit) {
                return next;
            }
        }
    }

    /// Everything but a call. `None` if the vCPU goes on.
    #[cold]
    #[inline(never)]
    fn rare(&mut self, core: &Core, pe: &mut PeState, exit: Exit) -> Option<Next> {
        match exit {
            Exit::Sync => self.trapped(core, pe),
            Exit::Irq | Exit::Fiq => Some(core.interrupt(pe, self)),
            Exit::SError => {
                // Nothing of the VM can be trusted any more.
                defmt::error!(
                    "VM {=u16}: SError, ESR {=u64:#x}: it ends",
                    self.live().map_or(0, |live| live.vm.id),
                    read_sysreg!("esr_el2")
                );
                Some(core.abort(pe, self))
            }
        }
    }

    /// What the vCPU that is live has not taken must be able to take the core from a partition: if there is any, the
    /// next call of EL3 is interrupted at once.
    #[inline(always)]
    pub fn before_el3(&mut self) {
        if self.listed.used != 0 {
            self.interrupt_partition();
        }
    }

    #[cold]
    #[inline(never)]
    fn interrupt_partition(&mut self) {
        if lists::is_pending(self.shape, self.listed.used) {
            vms::kick(self.index);
        }
    }

    /// The vCPU whose registers are in the machine.
    pub(super) fn live(&self) -> Option<Live> {
        if self.live_at == 0 {
            return None;
        }
        let id = self.side.id();
        vms::of(id).map(|vm| Live { id, vm })
    }

    /// Waits until an interrupt is pending.
    pub fn idle(&mut self) {
        cpu::wait();
    }

    /// Looks anew at what interrupts the live vCPU has. `true` if it would take one now.
    #[cold]
    #[inline(never)]
    pub(super) fn refresh(&mut self) -> bool {
        let Some(Live { id, vm }) = self.live() else {
            return false;
        };
        let threshold = Interface::live_threshold(self.shape);
        let (pending, listed) = lists::exchange(self.shape, vm, id.vcpu, |vgic| {
            vgic.deliverable(id.vcpu, threshold, true)
        });
        self.listed = listed;
        pending
    }

    /// Gives `f` the live vCPU's interrupt controller, with all of its interrupts in it.
    pub(super) fn with_vgic<T>(
        &mut self,
        f: impl FnOnce(&mut proxy_el2::vgic::VGic, u8) -> T,
    ) -> Option<T> {
        let Live { id, vm } = self.live()?;
        let (result, listed) = lists::exchange(self.shape, vm, id.vcpu, |vgic| f(vgic, id.vcpu));
        self.listed = listed;
        Some(result)
    }
}

/// Where a vCPU is in memory.
#[inline(always)]
pub(super) fn at(vcpu: &Vcpu<Guest>) -> usize {
    (&raw const *vcpu) as usize
}
