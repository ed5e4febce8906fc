//! One core: which vCPU's registers are in the machine, and running it.
//!
//! The one that runs is live. Whoever was live before it is put away when it is entered, not before: a core whose
//! one vCPU calls partitions switches nothing. Vector registers move later still, at their first use.

use super::{
    boot::{Core, PeState},
    interrupts::{Interrupts, Times},
    lists::{self, Listed},
    side::Side,
    vcpu::Guest,
    vms::{self, Vm},
};
use platform::{
    confine::{self, Guests, confine},
    cpu::{self, Features},
    fp,
    gic::virt::{self, Interface, Shape},
    guest::{self, Exit},
    read_sysreg,
    sysreg::isb,
    vm_state::{self, Seldom, Timer},
    write_sysreg,
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
    pub(super) features: Features,
    pub(super) shape: Shape,
    /// There are several VMs: what they have beside the EL1 registers is switched, or traps.
    pub(super) many: bool,
    /// Where the live vCPU is in memory, 0 for nobody: only ever compared.
    live_at: usize,
    /// What others may know of the live vCPU.
    side: &'static Side,
    /// What its list registers may hold that it has not taken.
    listed: Listed,
    /// What HCR_EL2 is for all.
    hcr: u64,
    /// Whose vector registers are in the machine, where they are switched.
    fp_owner: Option<VcpuId>,
}

/// Of nobody.
static NOBODYS: Side = Side::new(VcpuId {
    vm: VmIndex(0),
    vcpu: 0,
});

impl Cpu {
    /// Sets up the EL2 registers of this core that hold for all VMs, and its interrupts.
    pub fn new(index: u16, many: bool, first: bool, times: &Times) -> Self {
        let features = Features::read();
        let guests = if many { Guests::ManyVms } else { Guests::OneVm };
        // SAFETY: Nothing runs at EL1 on this core yet, and E2H was set at the entry.
        unsafe { confine(&features, guests) }
        if many {
            fp::prepare_vms(&features);
            Seldom::RESET.load(&features);
            confine::open_physical_timer(false);
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
            live_at: 0,
            side: &NOBODYS,
            listed: Listed::default(),
            hcr: confine::common_hcr(),
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
            if at(vcpu) != self.live_at {
                self.switch(pe);
            } else if self.side.has_news() {
                self.refresh();
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

    /// Makes the vCPU that runs live, with all interrupts that it has.
    #[inline(always)]
    fn switch(&mut self, pe: &mut PeState) {
        let live_at = self.live_at;
        if live_at != 0
            && let Some(previous) = pe.find(|vcpu| at(vcpu) == live_at)
        {
            let id = previous.id();
            self.put_away(&mut previous.machine, id, true);
        }
        if let Some(vcpu) = pe.running() {
            self.load(vcpu);
        }
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

    /// Saves the live vCPU's registers. If it stays in this core's chain its timer is this core's business, and what
    /// it would take now takes the core from whoever runs next.
    #[inline(always)]
    fn put_away(&mut self, guest: &mut Guest, id: VcpuId, stays: bool) {
        let side = guest.side;
        guest.el1.save();
        let timer = Timer::save();
        side.set_timer(timer);
        guest.vdisr = vm_state::deferred_error();
        if guest.uses_seldom {
            self.close_seldom(guest);
        }
        if self.listed.calm && !side.has_news() && !virt::is_handling() {
            guest.was_calm = true;
            side.set_settings(virt::settings());
        } else {
            self.depart(guest, id, stays);
        }
        self.interrupts.forget(id);
        if stays && timer.deadline().is_some() {
            self.watch(guest, id);
        }
    }

    /// Takes the live vCPU's interrupts out of the machine.
    #[cold]
    #[inline(never)]
    fn depart(&mut self, guest: &mut Guest, id: VcpuId, stays: bool) {
        guest.was_calm = false;
        self.listed = Listed::default();
        guest.side.set_interface(&Interface::save(self.shape));
        if lists::depart(self.shape, guest.vm, id.vcpu) && stays {
            vms::kick(self.index);
        }
    }

    /// The timer of one that stays is this core's business.
    #[cold]
    #[inline(never)]
    fn watch(&mut self, guest: &Guest, id: VcpuId) {
        if let Some(deadline) = guest.side.deadline() {
            self.interrupts.watch(id, deadline);
        }
    }

    /// Saves what is open to the live vCPU since it used it, and lets it trap again.
    #[cold]
    #[inline(never)]
    fn close_seldom(&self, guest: &mut Guest) {
        guest.seldom.save(&self.features);
        confine::open_physical_timer(false);
    }

    /// Opens what the vCPU that is live, or is becoming it, uses, though not all do.
    #[cold]
    #[inline(never)]
    fn open_seldom(&self, guest: &Guest) {
        confine::open_physical_timer(true);
        guest.seldom.load(&self.features);
    }

    /// The first access of the live vCPU to what traps until then.
    #[cold]
    pub(super) fn use_seldom(&self, guest: &mut Guest) {
        guest.use_seldom();
        confine::set_hcr(self.hcr | guest.hcr);
        self.open_seldom(guest);
    }

    /// Makes a vCPU live. Nobody is.
    #[inline(always)]
    fn load(&mut self, vcpu: &mut Vcpu<Guest>) {
        let id = vcpu.id();
        let live_at = at(vcpu);
        let guest = &mut vcpu.machine;
        let side = guest.side;
        let news = side.arrives(self.index);
        // SAFETY: The tables are this VM's, under a VMID of its own; nothing runs at EL1 now.
        unsafe {
            write_sysreg!("vttbr_el2", guest.vttbr);
            write_sysreg!("vmpidr_el2", guest.vmpidr);
        }
        confine::set_hcr(self.hcr | guest.hcr);
        if self.fp_owner.is_some() {
            self.show_vectors(id);
        }
        // SAFETY: The earlier one's were saved.
        unsafe {
            guest.el1.load();
            virt::set_settings(side.settings());
        }
        side.timer().load();
        vm_state::set_deferred_error(guest.vdisr);
        if guest.uses_seldom {
            self.open_seldom(guest);
        }
        if guest.was_calm && !news {
            // So is what the last one left.
            self.listed.calm = true;
        } else {
            self.arrive(guest, id);
        }
        self.live_at = live_at;
        self.side = side;
    }

    /// Puts the interrupts of a vCPU that is becoming live into the machine.
    #[cold]
    #[inline(never)]
    fn arrive(&mut self, guest: &mut Guest, id: VcpuId) {
        if !self.many && !guest.uses_seldom {
            // There is nobody else whose they could be.
            self.use_seldom(guest);
        }
        // SAFETY: The earlier one's were saved.
        unsafe { guest.side.interface().load(self.shape) }
        isb();
        let (listed, other) = lists::arrive(self.shape, guest.vm, id.vcpu);
        self.listed = listed;
        if let Some(other) = other {
            self.take_one(other);
            // Whose turn it is now is looked at as soon as the vCPU is entered.
            vms::kick(self.index);
        }
    }

    /// Opens the vector registers to a vCPU whose they are, and lets others trap.
    #[cold]
    #[inline(never)]
    fn show_vectors(&self, id: VcpuId) {
        if self.fp_owner == Some(id) {
            fp::open_vm();
        } else {
            fp::close_vm();
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
        self.fp_owner.is_some() && self.fp_owner == self.live().map(|live| live.id)
    }

    /// A vCPU leaves this core: everything of it that is in registers goes to memory.
    #[inline(always)]
    pub(super) fn let_go(&mut self, vcpu: &mut Vcpu<Guest>) {
        let id = vcpu.id();
        if self.live_at == at(vcpu) {
            self.put_away(&mut vcpu.machine, id, false);
            self.live_at = 0;
        } else {
            self.interrupts.forget(id);
        }
        if self.fp_owner == Some(id) {
            self.save_vectors(vcpu);
        }
        vcpu.machine.side.leaves();
    }

    /// Saves the vector registers of who has them; they are nobody's then.
    #[cold]
    #[inline(never)]
    fn save_vectors(&mut self, vcpu: &mut Vcpu<Guest>) {
        fp::open_vm();
        isb();
        vcpu.machine.vectors.save(&self.features);
        fp::close_vm();
        self.fp_owner = None;
    }
}

/// Where a vCPU is in memory.
#[inline(always)]
fn at(vcpu: &Vcpu<Guest>) -> usize {
    (&raw const *vcpu) as usize
}
