//! Lines of text out of the image, one at a time: FFA_CONSOLE_LOG at EL1 and EL0, the PL011 at NS-EL2.

use super::{call, el0, regs};
use crate::{abi, board, line};

/// A line of this image; longer ones are cut.
pub type Line = line::Line<256>;

/// The normal world's PL011. At NS-EL2 this image is alone on the machine.
const UART: u64 = board::place(0x0900_0000);
const UART_FR: u64 = UART + 0x18;
const UART_FR_TXFF: u32 = 1 << 5;

/// Prints a line and the newline.
pub fn put(text: &Line) {
    if regs::current_el() == 2 {
        for byte in text.bytes() {
            uart(*byte);
        }
        uart(b'\r');
        uart(b'\n');
    } else {
        for chunk in text.bytes().chunks(line::CHUNK) {
            log(chunk);
        }
        log(b"\n");
    }
}

/// FFA_CONSOLE_LOG_64. A refusal can't be reported anywhere, so it isn't looked at.
fn log(chunk: &[u8]) {
    let (count, text) = line::pack(chunk);
    let mut registers = [0; 18];
    registers[0] = abi::CONSOLE_LOG_64.into();
    registers[1] = count;
    for (register, word) in registers.iter_mut().skip(2).zip(text) {
        *register = word;
    }
    let conduit = match el0::is_el0() {
        true => call::Conduit::Svc,
        false => call::Conduit::Smc,
    };
    call::call(conduit, &mut registers);
}

fn uart(byte: u8) {
    // SAFETY: the PL011's flag and data registers, in memory that is Device while the MMU is off.
    unsafe {
        while (UART_FR as *const u32).read_volatile() & UART_FR_TXFF != 0 {}
        (UART as *mut u32).write_volatile(byte.into());
    }
}

/// Prints one line with `format!`'s arguments.
#[macro_export]
macro_rules! say {
    ($($arg:tt)*) => {{
        let mut line = $crate::rt::console::Line::new();
        // A `Line` never fails: it cuts.
        let _ = ::core::fmt::Write::write_fmt(&mut line, ::core::format_args!($($arg)*));
        $crate::rt::console::put(&line);
    }};
}
