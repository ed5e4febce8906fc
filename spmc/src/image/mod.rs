//! The machine's half of the SPMC.

mod boot;
mod cores;
mod cpu;
mod estate;
mod interrupts;
mod load;
mod port;
mod regions;
mod spare;
mod vcpu;

use cpu::Cpu;
use platform::{
    board::{self, Board},
    entry::BootArgs,
    image_main,
};
use spmc::spm::Next;

image_main!(primary, secondary);

/// The board that this image runs on.
pub const BOARD: &Board = board::SELECTED;

fn primary(args: BootArgs) -> ! {
    let (spmc, pe, mut cpu) = boot::primary(&args);
    serve(spmc, pe, &mut cpu)
}

fn secondary() -> ! {
    let (spmc, pe, mut cpu) = cores::secondary();
    serve(spmc, pe, &mut cpu)
}

/// The normal world runs; each of its calls is handled, for ever.
fn serve(spmc: &'static boot::Core, pe: &mut boot::PeState, cpu: &mut Cpu) -> ! {
    pe.nwd = spmc::spm::ready();
    loop {
        platform::smc::smc(&mut pe.nwd.0);
        let outcome = spmc.handle_normal_world(pe, &mut port::Port);
        let mut next = outcome.next;
        if let Next::Partition(slot) = next {
            next = cpu.run(spmc, pe, slot);
        } else if next == Next::NormalWorldResume {
            next = cpu.interrupted(spmc, pe);
        }
        if next == Next::NormalWorldResume {
            pe.nwd = spmc::spm::resume();
        }
    }
}
