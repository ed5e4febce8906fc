//! The machine's half of the proxy.

mod boot;
mod interrupts;
mod memory;
mod run;

use platform::{
    board::{self, Board},
    entry::BootArgs,
    image_main,
};

image_main!(main, secondary);

/// The board that this image runs on.
pub const BOARD: &Board = board::SELECTED;

fn main(_args: BootArgs) -> ! {
    let guest = boot::primary();
    run::serve(guest)
}

/// No core but the first is ever switched on: the VM's CPU_ON is answered, not forwarded.
fn secondary() -> ! {
    platform::cpu::park()
}
