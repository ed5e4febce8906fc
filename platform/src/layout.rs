//! Where the image lies: the linker's symbols, as addresses at run time.

use core::ops::Range;

macro_rules! symbols {
    ($($(#[$doc:meta])* $function:ident = $symbol:ident;)*) => {$(
        $(#[$doc])*
        pub fn $function() -> usize {
            unsafe extern "C" {
                static $symbol: u8;
            }
            // Only the address is taken; what lies there is never read through this name.
            (&raw const $symbol) as usize
        }
    )*};
}

symbols! {
    /// First byte of the image.
    image_start = __image_start;
    /// End of the code, page aligned.
    text_end = __text_end;
    /// End of the constants, page aligned.
    rodata_end = __rodata_end;
    /// Start of the stacks, each with a guard page below it.
    stacks_start = __stacks_start;
    /// End of the stacks.
    stacks_end = __stacks_end;
    /// End of the image, page aligned.
    image_end = __image_end;
}

/// Bytes of one core's guard page and stack.
pub const STACK_STRIDE: usize = 0x10000;
/// Bytes of the guard page below each stack.
pub const GUARD: usize = 0x1000;

/// The stack of core `index`, without its guard page.
pub fn stack(index: usize) -> Range<usize> {
    let start = stacks_start() + index * STACK_STRIDE;
    start + GUARD..start + STACK_STRIDE
}
