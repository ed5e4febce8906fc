//! The machine's half of the proxy.

mod boot;
mod cpu;
mod estates;
mod interrupts;
mod lists;
mod load;
mod memory;
mod port;
mod side;
mod switch;
mod trap;
mod vcpu;
mod vms;

use boot::{Core, PeState};
use cpu::Cpu;
use defmt::info;
use embedded_io::Write;
use ffa_abi::{Regs, smccc::psci};
use platform::{
    board::{self, Board},
    entry::BootArgs,
    image_main,
    uart::CONSOLE,
};
use proxy_el2::proxy::Next;

image_main!(primary, secondary);

/// The board that this image runs on.
pub const BOARD: &Board = board::SELECTED;

fn primary(_args: BootArgs) -> ! {
    let (core, pe, mut cpu) = boot::primary();
    serve(core, pe, &mut cpu)
}

fn secondary() -> ! {
    let (core, pe, mut cpu) = boot::secondary();
    serve(core, pe, &mut cpu)
}

/// VMs run on this core; each of their exits is handled, for ever.
fn serve(core: &'static Core, pe: &mut PeState, cpu: &mut Cpu) -> ! {
    let mut next = core.begin(pe);
    loop {
        if next == Next::Vcpu {
            next = cpu.run(core, pe);
        }
        next = match next {
            Next::Vcpu => continue,
            Next::El3 => {
                cpu.before_el3();
                platform::smc::smc(&mut pe.el3.0);
                core.returned(pe, cpu)
            }
            Next::Idle => {
                cpu.idle();
                core.interrupt(pe, cpu)
            }
            Next::Off => {
                cpu.switch_off();
                Next::Idle
            }
            Next::PowerOff => end(psci::SYSTEM_OFF, "off"),
            Next::Reset => end(psci::SYSTEM_RESET, "reset"),
        };
    }
}

/// The primary's wish for the machine.
#[cold]
fn end(fid: u32, what: &str) -> ! {
    info!("system {=str}", what);
    if let Some(mut console) = CONSOLE.lock() {
        // The last lines are out before the power goes; a PL011 reports no error in sending.
        let _ = console.flush();
    }
    let mut regs = Regs::ZERO;
    regs[0] = fid.into();
    platform::smc::smc(&mut regs.0);
    platform::cpu::park()
}
