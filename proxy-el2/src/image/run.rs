//! The VM runs; each of its exits is handled, for ever.

use super::{
    interrupts::{self, Interrupts, Taken},
    memory::Windows,
};
use defmt::{info, warn};
use embedded_io::Write;
use ffa_abi::{EndpointId, Regs, smccc::psci};
use platform::{
    cpu, endpoint_console,
    guest::{self, Exit, GuestRegs},
    inject::reflect,
    read_sysreg,
    stage2::Stage2,
    trap::Fault,
    uart::CONSOLE,
};
use proxy_el2::{
    forward::Upstream,
    vm::{Machine, Next, Vm},
};

/// The VM and everything that it needs.
pub struct Guest {
    /// The VM, as the core sees it.
    pub vm: Vm,
    /// What EL3's side can do.
    pub upstream: Upstream,
    /// Its registers.
    pub regs: GuestRegs,
    /// The machine, for its calls.
    pub port: Port,
    /// Its memory; the tables must live as long as it runs.
    pub _stage2: Stage2<'static>,
}

/// The machine, as the core sees it.
pub struct Port {
    /// Its interrupts; `None` while the proxy boots.
    pub interrupts: Option<Interrupts>,
    /// What it reaches of the VM's memory.
    pub windows: Windows,
}

impl Machine for Port {
    #[inline(always)]
    fn smc(&mut self, regs: &mut Regs) {
        // What the VM has not taken must be able to take the core from a partition.
        if interrupts::is_pending_for_vm() {
            interrupts::recall();
        }
        platform::smc::smc(&mut regs.0);
    }

    fn console(&mut self, from: EndpointId, character: u8) {
        endpoint_console::write(from.0, character);
    }

    fn take_own_interrupts(&mut self) -> bool {
        let taken = self.take();
        taken.own && !taken.vm
    }
}

impl Port {
    fn take(&self) -> Taken {
        self.interrupts
            .map(|interrupts| interrupts.take())
            .unwrap_or_default()
    }
}

/// Runs the VM until it asks for the machine's end.
pub fn serve(mut guest: Guest) -> ! {
    loop {
        // SAFETY: `boot` has set stage 2 and HCR_EL2 so that this, the only VM, reaches only its
        // own memory, and its EL1 registers are live.
        let exit = unsafe { guest::enter(&mut guest.regs) };
        if exit == Exit::Sync {
            let esr = read_sysreg!("esr_el2");
            // SMC with immediate 0, which is behind ELR; HVC with immediate 0.
            let smc = esr & 0xfc00_ffff == 0x17 << 26;
            if smc {
                guest.regs.pc = guest.regs.pc.wrapping_add(4);
            }
            if smc || esr & 0xfc00_ffff == 0x16 << 26 {
                let next = guest
                    .vm
                    .handle(&guest.upstream, &mut guest.regs.x, &mut guest.port);
                if next != Next::Resume {
                    end(&guest, next);
                }
                continue;
            }
        }
        rare(&mut guest, exit);
    }
}

/// Everything but a call.
#[cold]
#[inline(never)]
fn rare(guest: &mut Guest, exit: Exit) {
    let id = guest.vm.id.0;
    match exit {
        Exit::Sync => {
            let fault = guest::fault();
            report(id, &guest.regs, &fault);
            reflect(&mut guest.regs, &fault);
        }
        Exit::Irq | Exit::Fiq => {
            guest.port.take();
        }
        Exit::SError => {
            // Nothing of the VM can be trusted any more, and it is the only one.
            defmt::error!(
                "VM {=u16}: SError, ESR {=u64:#x}: powering off",
                id,
                read_sysreg!("esr_el2")
            );
            end(guest, Next::PowerOff);
        }
    }
}

/// The VM's wish for the machine.
#[cold]
fn end(guest: &Guest, next: Next) -> ! {
    let (fid, what) = match next {
        Next::Reset => (psci::SYSTEM_RESET, "reset"),
        _ => (psci::SYSTEM_OFF, "off"),
    };
    info!("VM {=u16}: system {=str}", guest.vm.id.0, what);
    if let Some(mut console) = CONSOLE.lock() {
        // The last lines are out before the power goes; a PL011 reports no error in sending.
        let _ = console.flush();
    }
    let mut regs = Regs::ZERO;
    regs[0] = fid.into();
    platform::smc::smc(&mut regs.0);
    cpu::park()
}

/// Logs a fault that the VM is going to be told of itself.
fn report(id: u16, regs: &GuestRegs, fault: &Fault) {
    let Some(what) = fault.abort_name() else {
        return;
    };
    warn!(
        "VM {=u16}: {=str} outside of its memory at {=u64:#x} (IPA {=u64:#x}), pc {=u64:#x}, ESR {=u64:#x}: abort injected",
        id,
        what,
        fault.far,
        fault.ipa(),
        regs.pc,
        fault.esr,
    );
}
