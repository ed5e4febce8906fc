//! From one vCPU of a core to another: all that is in registers beside the general ones. What nobody uses is left alone.

use super::{
    boot::PeState,
    cpu::{Cpu, at},
    lists::{self, Listed},
    vcpu::Guest,
    vms,
};
use platform::{
    confine, fp,
    gic::virt::{self, Interface},
    sysreg::isb,
    vm_state::{self, Timer},
    write_sysreg,
};
use proxy_el2::vcpu::{Vcpu, VcpuId};

impl Cpu {
    /// Makes a vCPU live, with all interrupts that it has, instead of whoever is: one of the chain below.
    #[inline(always)]
    pub(super) fn switch(&mut self, vcpu: &mut Vcpu<Guest>, below: &mut [&mut Vcpu<Guest>]) {
        match below.last_mut() {
            Some(previous) if at(previous) == self.live_at => self.put_away(previous, true),
            _ if self.live_at != 0 => self.put_away_other(below),
            _ => {}
        }
        self.load(vcpu);
    }

    /// Puts away whoever is live.
    #[cold]
    #[inline(never)]
    fn put_away_other(&mut self, below: &mut [&mut Vcpu<Guest>]) {
        let live_at = self.live_at;
        if let Some(previous) = below.iter_mut().find(|vcpu| at(vcpu) == live_at) {
            self.put_away(previous, true);
        }
    }

    /// Saves the live vCPU's registers. If it stays in this core's chain its timer is this core's business, and what
    /// it would take now takes the core from whoever runs next.
    #[inline(always)]
    fn put_away(&mut self, vcpu: &mut Vcpu<Guest>, stays: bool) {
        let guest = &mut vcpu.machine;
        let side = guest.side;
        guest.el1.save();
        let timer = Timer::save();
        guest.timer = timer;
        guest.vdisr = vm_state::deferred_error();
        if guest.uses_seldom {
            self.close_seldom(guest);
        }
        if self.listed.calm && !side.has_news() && !virt::is_handling() {
            guest.was_calm = true;
            side.set_settings(virt::settings());
        } else {
            self.depart(guest, stays);
        }
        if stays && (timer.is_on() || self.minds) {
            self.watch(vcpu);
        }
    }

    /// Takes the live vCPU's interrupts out of the machine.
    #[cold]
    #[inline(never)]
    fn depart(&mut self, guest: &mut Guest, stays: bool) {
        guest.was_calm = false;
        self.listed = Listed::default();
        guest.side.set_interface(&Interface::save(self.shape));
        if lists::depart(self.shape, guest.vm, guest.index) && stays {
            vms::kick(self.index);
        }
    }

    /// The timer of one that stays is this core's business.
    #[cold]
    #[inline(never)]
    fn watch(&mut self, vcpu: &Vcpu<Guest>) {
        let id = vcpu.id();
        let guest = &vcpu.machine;
        // It does not come while it is held.
        let deadline = guest.timer.deadline();
        match deadline.filter(|_| !guest.side.is_timer_held()) {
            Some(deadline) => self.interrupts.watch(id, deadline),
            None => self.interrupts.forget(id),
        }
        self.mind();
    }

    /// Has what is seldom so be looked at, if it is.
    fn mind(&mut self) {
        self.minds = self.fp_owner.is_some() || self.interrupts.watches();
    }

    /// Saves what is open to the live vCPU since it used it, and lets it trap again.
    #[cold]
    #[inline(never)]
    fn close_seldom(&self, guest: &mut Guest) {
        guest.seldom.save(&self.features);
        confine::open(false, &self.features);
    }

    /// Opens what the vCPU that is live, or is becoming it, uses, though not all do.
    #[cold]
    #[inline(never)]
    fn open_seldom(&self, guest: &Guest) {
        confine::open(true, &self.features);
        guest.seldom.load(&self.features);
    }

    /// The first access of the live vCPU to what traps until then.
    #[cold]
    pub(super) fn use_seldom(&self, guest: &mut Guest) {
        guest.uses_seldom = true;
        guest.hcr = self.hcr | guest.traps();
        confine::set_hcr(guest.hcr);
        self.open_seldom(guest);
    }

    /// Makes a vCPU live. Nobody is.
    #[inline(always)]
    fn load(&mut self, vcpu: &mut Vcpu<Guest>) {
        if self.minds {
            self.show_vectors(vcpu.id());
        }
        let live_at = at(vcpu);
        let guest = &mut vcpu.machine;
        let side = guest.side;
        let news = side.arrives(self.index);
        // All that goes by pairs is read first.
        let (vttbr, vmpidr) = (guest.vttbr, guest.vmpidr);
        // SAFETY: The tables are this VM's, under a VMID of its own; nothing runs at EL1 now.
        unsafe {
            write_sysreg!("vttbr_el2", vttbr);
            write_sysreg!("vmpidr_el2", vmpidr);
        }
        // SAFETY: The earlier one's were saved.
        unsafe {
            guest.el1.load();
            virt::set_settings(side.settings());
        }
        guest.timer.load();
        vm_state::set_deferred_error(guest.vdisr);
        if guest.uses_seldom {
            self.open_seldom(guest);
        }
        if guest.was_calm && !news {
            confine::set_hcr(guest.hcr);
            // So is what the last one left.
            self.listed.calm = true;
        } else {
            self.arrive(guest);
        }
        self.live_at = live_at;
        self.side = side;
    }

    /// Puts the interrupts of a vCPU that is becoming live into the machine, and what else is to be done the first time.
    #[cold]
    #[inline(never)]
    fn arrive(&mut self, guest: &mut Guest) {
        // Where nobody else is, nothing is switched; and what does not trap can't be found out.
        let finds_out = self.many && self.features.fgt;
        if !finds_out && !guest.uses_seldom {
            self.use_seldom(guest);
        }
        guest.hcr = self.hcr | guest.traps();
        confine::set_hcr(guest.hcr);
        // SAFETY: The earlier one's were saved.
        unsafe { guest.side.interface().load(self.shape) }
        isb();
        let (listed, other) = lists::arrive(self.shape, guest.vm, guest.index);
        self.listed = listed;
        if let Some(other) = other {
            self.take_one(other, false);
            // Whose turn it is now is looked at as soon as the vCPU is entered.
            vms::kick(self.index);
        }
    }

    /// Opens the vector registers to a vCPU whose they are, and lets others trap.
    #[cold]
    #[inline(never)]
    fn show_vectors(&self, id: VcpuId) {
        match self.fp_owner {
            Some(owner) if owner == id => fp::open_vm(),
            Some(_) => fp::close_vm(),
            // They trap, or there is nobody else.
            None => {}
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
        self.mind();
    }

    /// Whether the live vCPU has the vector registers.
    pub(super) fn has_vectors(&self) -> bool {
        self.fp_owner.is_some() && self.fp_owner == self.live().map(|live| live.id)
    }

    /// A vCPU leaves this core: everything of it that is in registers goes to memory.
    #[inline(always)]
    pub(super) fn let_go(&mut self, vcpu: &mut Vcpu<Guest>) {
        if self.live_at == at(vcpu) {
            self.put_away(vcpu, false);
            self.live_at = 0;
        }
        if self.minds {
            self.mind_no_more(vcpu);
        }
        vcpu.machine.side.leaves();
    }

    /// A vCPU leaves this core: its timer is none of this core's business, and its vector registers are saved, which are
    /// nobody's then.
    #[cold]
    #[inline(never)]
    fn mind_no_more(&mut self, vcpu: &mut Vcpu<Guest>) {
        let id = vcpu.id();
        self.interrupts.forget(id);
        if self.fp_owner == Some(id) {
            fp::open_vm();
            isb();
            vcpu.machine.vectors.save(&self.features);
            fp::close_vm();
            self.fp_owner = None;
        }
        self.mind();
    }
}
