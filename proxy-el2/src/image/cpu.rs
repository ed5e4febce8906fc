//! One core: which vCPU's registers are in the machine, and running it.
//!
//! The one that runs is live. Whoever was live before it is put away when it is entered, not before: a core whose
//! one vCPU calls partitions switches nothing. Vector registers move later still, at their first use.

use super::{
    boot::{Core, PeState},
    interrupts::{Interrupts, Times},
    lists,
    vcpu::Guest,
    vms::{self, Vm},
};
use core::sync::atomic::{AtomicBool, Ordering};
use platform::{
    confine::{Guests, confine, trap_wait},
    cpu::{self, Features},
    fp,
    gic::virt::{Interface, Shape},
    guest::{self, Exit},
    read_sysreg,
    sysreg::isb,
    write_sysreg,
};
use proxy_el2::{
    proxy::Next,
    vcpu::{Vcpu, VcpuId},
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
    pub(super) features: Features,
    pub(super) shape: Shape,
    /// There are several VMs: what they have beside the EL1 registers is switched, or traps.
    pub(super) many: bool,
    pub(super) live: Option<Live>,
    /// Where the live vCPU is in memory: only ever compared.
    live_at: usize,
    /// Whether the live vCPU's interrupt controller has something new.
    attention: &'static AtomicBool,
    /// How many list registers may hold something that it has not taken.
    used: usize,
    /// Whose vector registers are in the machine, where they are switched.
    fp_owner: Option<VcpuId>,
}

/// Of nobody.
static NOTHING_NEW: AtomicBool = AtomicBool::new(false);

impl Cpu {
    /// Sets up the EL2 registers of this core that hold for all VMs, and its interrupts.
    pub fn new(index: u16, many: bool, first: bool, times: &Times) -> Self {
        let features = Features::read();
        let guests = if many { Guests::ManyVms } else { Guests::OneVm };
        // SAFETY: Nothing runs at EL1 on this core yet, and E2H was set at the entry.
        unsafe { confine(&features, guests) }
        if many {
            fp::prepare_vms(&features);
        } else {
            // The VM owns the vector registers: nothing else at this level uses any.
            fp::open_all();
        }
        isb();
        Self {
            index,
            interrupts: Interrupts::start(first, times),
            features,
            shape: Shape::read(),
            many,
            live: None,
            live_at: 0,
            attention: &NOTHING_NEW,
            used: 0,
            fp_owner: None,
        }
    }

    /// Enters the vCPU that runs, again and again until its exit concerns the core.
    #[inline(always)]
    pub fn run(&mut self, core: &Core, pe: &mut PeState) -> Next {
        loop {
            let Some(vcpu) = pe.running() else {
                return Next::Idle;
            };
            if at(vcpu) != self.live_at || self.attention.load(Ordering::Relaxed) {
                self.prepare(pe);
            }
            let Some(vcpu) = pe.running() else {
                return Next::Idle;
            };
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
                    self.live.map_or(0, |live| live.vm.id),
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
        if self.used != 0 {
            self.interrupt_partition();
        }
    }

    #[cold]
    #[inline(never)]
    fn interrupt_partition(&mut self) {
        if lists::is_pending(self.shape, self.used) {
            vms::kick(self.index);
        }
    }

    /// Waits until an interrupt is pending.
    pub fn idle(&mut self) {
        cpu::wait();
    }

    /// Makes the vCPU that runs live, with all interrupts that it has.
    #[cold]
    #[inline(never)]
    fn prepare(&mut self, pe: &mut PeState) {
        let Some(vcpu) = pe.running() else { return };
        if at(vcpu) == self.live_at {
            self.refresh();
            return;
        }
        if let Some(live) = self.live
            && let Some(previous) = pe.get(live.id)
        {
            self.put_away(&mut previous.machine, live, true);
        }
        if let Some(vcpu) = pe.running() {
            self.load(vcpu);
        }
    }

    /// Looks anew at what interrupts the live vCPU has. `true` if it would take one now.
    pub(super) fn refresh(&mut self) -> bool {
        let Some(Live { id, vm }) = self.live else {
            return false;
        };
        let threshold = Interface::live_threshold(self.shape);
        let (pending, used) = lists::exchange(self.shape, vm, id.vcpu, |vgic| {
            vgic.deliverable(id.vcpu, threshold, true)
        });
        self.used = used;
        pending
    }

    /// Gives `f` the live vCPU's interrupt controller, with all of its interrupts in it.
    pub(super) fn with_vgic<T>(
        &mut self,
        f: impl FnOnce(&mut proxy_el2::vgic::VGic, u8) -> T,
    ) -> Option<T> {
        let Live { id, vm } = self.live?;
        let (result, used) = lists::exchange(self.shape, vm, id.vcpu, |vgic| f(vgic, id.vcpu));
        self.used = used;
        Some(result)
    }

    /// Saves the live vCPU's registers. If it stays in this core's chain its timer is this core's business, and what
    /// it would take now takes the core from whoever runs next.
    fn put_away(&mut self, guest: &mut Guest, live: Live, stays: bool) {
        guest.el1.save();
        guest.state.save(&self.features);
        guest.interface = Interface::save(self.shape);
        let deadline = guest.state.deadline();
        let pending = lists::depart(
            self.shape,
            live.vm,
            live.id.vcpu,
            &guest.interface,
            deadline,
        );
        if stays {
            self.interrupts.watch(live.id, live.deadline());
            if pending {
                vms::kick(self.index);
            }
        }
        self.live = None;
        self.live_at = 0;
        self.attention = &NOTHING_NEW;
        self.used = 0;
    }

    /// Makes a vCPU live. Nobody is.
    fn load(&mut self, vcpu: &Vcpu<Guest>) {
        let id = vcpu.id();
        let guest = &vcpu.machine;
        let vm = guest.vm;
        vm.arrives(id.vcpu, self.index);
        self.interrupts.forget(id);
        // SAFETY: The tables are this VM's, under a VMID of its own; nothing runs at EL1 now.
        unsafe {
            write_sysreg!("vttbr_el2", vm.vttbr);
            write_sysreg!("vmpidr_el2", guest.vmpidr());
        }
        if self.many {
            // The primary's waiting is the core's.
            trap_wait(!vm.primary);
            if self.fp_owner == Some(id) {
                fp::open_vm();
            } else {
                fp::close_vm();
            }
        }
        // SAFETY: The earlier one's were saved.
        unsafe {
            guest.el1.load();
            guest.interface.load(self.shape);
        }
        guest.state.load(&self.features);
        isb();
        let (used, other) = lists::arrive(self.shape, vm, id.vcpu);
        self.used = used;
        self.live = Some(Live { id, vm });
        self.live_at = at(vcpu);
        self.attention = vm.attention(id.vcpu);
        if let Some(other) = other {
            self.take_one(other);
            // Whose turn it is now is looked at as soon as the vCPU is entered.
            vms::kick(self.index);
        }
    }

    /// Gives the vector registers to the vCPU that is live, whose instruction is then executed again.
    pub(super) fn give_vectors(&mut self, pe: &mut PeState) {
        fp::open_vm();
        isb();
        if let Some(owner) = self.fp_owner.take()
            && let Some(owner) = pe.get(owner)
        {
            owner.machine.vectors.save(&self.features);
        }
        if let Some(vcpu) = pe.running() {
            vcpu.machine.vectors.load(&self.features);
            self.fp_owner = Some(vcpu.id());
        }
    }

    /// Whether the live vCPU has the vector registers.
    pub(super) fn has_vectors(&self) -> bool {
        self.fp_owner.is_some() && self.fp_owner == self.live.map(|live| live.id)
    }

    /// A vCPU leaves this core: everything of it that is in registers goes to memory.
    pub(super) fn let_go(&mut self, vcpu: &mut Vcpu<Guest>) {
        let id = vcpu.id();
        if let Some(live) = self.live
            && live.id == id
        {
            self.put_away(&mut vcpu.machine, live, false);
        }
        if self.fp_owner == Some(id) {
            fp::open_vm();
            isb();
            vcpu.machine.vectors.save(&self.features);
            fp::close_vm();
            self.fp_owner = None;
        }
        self.interrupts.forget(id);
        vcpu.machine.vm.leaves(id.vcpu);
    }
}

impl Live {
    /// When its timer fires, as it was when it was put away.
    fn deadline(self) -> Option<u64> {
        let gic = self.vm.gic.lock();
        let side = gic.sides.get(usize::from(self.id.vcpu))?;
        side.deadline
    }
}

/// Where a vCPU is in memory.
#[inline(always)]
fn at(vcpu: &Vcpu<Guest>) -> usize {
    (&raw const *vcpu) as usize
}
