//! The end: a bug of the image. Registers and a backtrace go out as plain text, past every lock,
//! and the core stops.

use crate::{cpu, layout, read_sysreg, uart::CONSOLE};
use core::{
    fmt::Write,
    panic::PanicInfo,
    sync::atomic::{AtomicU32, Ordering},
};

/// How often a panic started; a second one inside the first says only that.
static DEPTH: AtomicU32 = AtomicU32::new(0);

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if DEPTH.fetch_add(1, Ordering::Relaxed) == 0 {
        let _ = writeln!(CONSOLE.raw(), "\nPANIC on core {}: {info}", cpu::index());
        let frame: usize;
        // SAFETY: Reads the frame pointer.
        unsafe { core::arch::asm!("mov {}, x29", out(reg) frame, options(nomem, nostack)) }
        backtrace(frame);
    } else {
        let _ = writeln!(CONSOLE.raw(), "\nPANIC inside a panic");
    }
    cpu::park()
}

/// Follows the frame pointers, as long as they stay inside this image's stacks.
fn backtrace(mut frame: usize) {
    let base = layout::image_start();
    let stacks = layout::stacks_start()..layout::stacks_end();
    let _ = writeln!(
        CONSOLE.raw(),
        "image at {base:#x}; return addresses as offsets into it:"
    );
    for _ in 0..24 {
        if !frame.is_multiple_of(16) || !stacks.contains(&frame) || !stacks.contains(&(frame + 15))
        {
            break;
        }
        // SAFETY: The address is aligned and inside the image's own, mapped stacks (a guard page
        // would fault, and the depth counter ends that).
        let [next, back] = unsafe { core::ptr::read(frame as *const [usize; 2]) };
        if back == 0 {
            break;
        }
        let _ = writeln!(CONSOLE.raw(), "  {:#x}", back.wrapping_sub(base));
        frame = next;
    }
}

/// The registers that the vector code saved: x0 to x30 and SP.
#[derive(Debug)]
#[repr(C)]
struct OwnFrame {
    x: [u64; 31],
    sp: u64,
}

/// An exception that this image itself caused.
#[unsafe(no_mangle)]
extern "C" fn tantalum_own_exception(frame: &OwnFrame, kind: u64) -> ! {
    if DEPTH.fetch_add(1, Ordering::Relaxed) == 0 {
        let what = ["sync", "IRQ", "FIQ", "SError"][kind as usize & 3];
        let _ = writeln!(
            CONSOLE.raw(),
            "\nPANIC on core {}: {what} exception in the image: ESR {:#x} ELR {:#x} (offset {:#x}) FAR {:#x} SP {:#x}",
            cpu::index(),
            read_sysreg!("esr_el2"),
            read_sysreg!("elr_el2"),
            read_sysreg!("elr_el2").wrapping_sub(layout::image_start() as u64),
            read_sysreg!("far_el2"),
            frame.sp,
        );
        for (n, pair) in frame.x.chunks(4).enumerate() {
            let _ = write!(CONSOLE.raw(), " ");
            for (m, value) in pair.iter().enumerate() {
                let _ = write!(CONSOLE.raw(), " x{:<2}={value:016x}", n * 4 + m);
            }
            let _ = writeln!(CONSOLE.raw());
        }
        backtrace(frame.x[29] as usize);
    } else {
        let _ = writeln!(CONSOLE.raw(), "\nexception inside a panic");
    }
    cpu::park()
}
