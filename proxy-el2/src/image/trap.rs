//! Synchronous exceptions of VMs that are no calls: what is emulated, and what is given to their own EL1.

use super::{
    BOARD,
    boot::{Core, PeState},
    cpu::{Cpu, Live},
    estates::covers,
    vcpu::Guest,
    vms::Vm,
};
use defmt::warn;
use platform::{
    confine,
    guest::{self, GuestRegs},
    idregs::{self, Shown},
    inject::reflect,
    trap::{Fault, SystemAccess, Trap, sysreg_name},
};
use proxy_el2::{
    proxy::Next,
    vgic::{Frame, REDISTRIBUTOR_SIZE, VGic, mmio},
};

const ICC_DIR: u32 = sysreg_name(3, 0, 12, 11, 1);
const ICC_SGI1R: u32 = sysreg_name(3, 0, 12, 11, 5);
const ICC_ASGI1R: u32 = sysreg_name(3, 0, 12, 11, 6);
const ICC_SGI0R: u32 = sysreg_name(3, 0, 12, 11, 7);
/// The classes of exceptions of MCR and MRC, and of MCRR and MRRC.
const CLASS_CP15_32: u8 = 0x03;
const CLASS_CP15_64: u8 = 0x04;
/// The class of exceptions of SVE, and not SME.
const CLASS_SVE: u64 = 0x19;

impl Cpu {
    /// Deals with a trap of the vCPU that runs. `None` if it goes on.
    pub(super) fn trapped(&mut self, core: &Core, pe: &mut PeState) -> Option<Next> {
        let fault = guest::fault();
        match fault.trap() {
            Trap::Wait => {
                let vcpu = pe.running()?;
                let regs = &mut vcpu.machine.regs;
                regs.pc = regs.pc.wrapping_add(fault.instruction_bytes());
                return Some(core.wait(pe, self));
            }
            Trap::Fp | Trap::Vector
                if self.many && !self.has_vectors() && self.is_vectors(&fault) =>
            {
                self.give_vectors(pe);
                return None;
            }
            _ => {}
        }
        let guest = &mut pe.running()?.machine;
        if !guest.uses_seldom && may_be_seldom(&fault) {
            // Its instruction is executed again.
            self.use_seldom(guest);
            return None;
        }
        let done = match fault.trap() {
            Trap::SystemRegister(access) => self.system_register(guest, access),
            Trap::DataAbort { .. } => self.gic_access(&mut guest.regs, &fault),
            _ => false,
        };
        // Another core may have been in the middle of changing what the VM sees: it tries again.
        if !done && !covers(guest.vm, &fault) {
            report(guest.vm, &guest.regs, &fault);
            reflect(&mut guest.regs, &fault);
        }
        None
    }

    /// Whether a VM has what it uses there: FP, AdvSIMD, and SVE if the CPU has it.
    fn is_vectors(&self, fault: &Fault) -> bool {
        fault.trap() == Trap::Fp || (fault.esr >> 26 & 0x3f == CLASS_SVE && self.features.sve)
    }

    /// Emulates a trapped system register. `false` if the VM has none of that name.
    fn system_register(&mut self, guest: &mut Guest, access: SystemAccess) -> bool {
        let register = guest.regs.x.get(access.register()).copied();
        let written = register.unwrap_or_default();
        let value = match (access.name(), access.is_read()) {
            (ICC_SGI1R, false) => {
                self.send_sgi(written);
                None
            }
            // Of groups that no interrupt is in.
            (ICC_ASGI1R | ICC_SGI0R, false) => None,
            (ICC_DIR, false) => {
                let intid = written as u32 & 0xff_ffff;
                let kick = self.with_vgic(|vgic, vcpu| vgic.deactivate(vcpu, intid));
                if let (Some(kick), Some(Live { id, vm })) = (kick, self.live()) {
                    vm.kick(kick, Some(id.vcpu));
                }
                None
            }
            _ if !self.many => return false,
            _ if idregs::is_debug(access) => Some(0),
            _ => {
                let value = idregs::read(access, Shown::Vm)
                    .or_else(|| idregs::cache(access, written, &mut guest.csselr));
                match value {
                    Some(value) => Some(value),
                    None => return false,
                }
            }
        };
        if access.is_read()
            && let Some(value) = value
            && let Some(register) = guest.regs.x.get_mut(access.register())
        {
            *register = value;
        }
        guest.regs.pc = guest.regs.pc.wrapping_add(4);
        true
    }

    fn send_sgi(&mut self, sgi1r: u64) {
        let Some(Live { id, vm }) = self.live() else {
            return;
        };
        let kick = vm.gic.lock().sgi(id.vcpu, sgi1r);
        vm.kick(kick, Some(id.vcpu));
    }

    /// An access to the VM's interrupt controller, at the addresses of the machine's. `false` if it is none.
    fn gic_access(&mut self, regs: &mut GuestRegs, fault: &Fault) -> bool {
        let Some(Live { vm, .. }) = self.live() else {
            return false;
        };
        let ipa = fault.ipa();
        let distributor = &BOARD.gic.distributor;
        let first = BOARD.gic.redistributors.base;
        let redistributors = REDISTRIBUTOR_SIZE.saturating_mul(vm.vcpus.into());
        let (frame, offset) = if distributor.contains(ipa, 1) {
            (Frame::Distributor, ipa.wrapping_sub(distributor.base))
        } else if (first..first.saturating_add(redistributors)).contains(&ipa) {
            (Frame::Redistributor, ipa.wrapping_sub(first))
        } else {
            return false;
        };
        let Some(access) = mmio::decode(fault.esr) else {
            return false;
        };
        let write = access.write.then(|| access.value(&regs.x));
        let done = self.with_vgic(|vgic: &mut VGic, vcpu| {
            vgic.access(vcpu, frame, offset, access.size, write)
        });
        let Some(done) = done else { return false };
        let own = self.live().map(|live| live.id.vcpu);
        vm.kick(done.kick, own);
        if !access.write {
            access.complete(&mut regs.x, done.value);
        }
        regs.pc = regs.pc.wrapping_add(fault.instruction_bytes());
        true
    }
}

/// Whether a trap may be the first access to what traps until then: from AArch32 it is not looked at which one it is.
const fn may_be_seldom(fault: &Fault) -> bool {
    match fault.trap() {
        Trap::SystemRegister(access) => confine::is_seldom(access),
        Trap::Other { class } => class == CLASS_CP15_32 || class == CLASS_CP15_64,
        _ => false,
    }
}

/// Logs a fault that the VM is going to be told of itself.
fn report(vm: &Vm, regs: &GuestRegs, fault: &Fault) {
    let Some(what) = fault.abort_name() else {
        return;
    };
    if !vm.may_log() {
        return;
    }
    warn!(
        "VM {=u16}: {=str} outside of its memory at {=u64:#x} (IPA {=u64:#x}), pc {=u64:#x}, ESR {=u64:#x}: abort injected",
        vm.id,
        what,
        fault.far,
        fault.ipa(),
        regs.pc,
        fault.esr,
    );
}
