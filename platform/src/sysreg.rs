//! System register access by name. The names are the Arm ARM's; where the assembler may not know
//! one yet, its generic `S<op0>_<op1>_C<n>_C<m>_<op2>` form is used by the caller.

/// Reads a system register.
#[macro_export]
macro_rules! read_sysreg {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: Reading a system register has no effect on memory; each use names a register
        // that exists at EL2 on the CPUs the image supports.
        unsafe {
            core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value,
                options(nomem, nostack, preserves_flags));
        }
        value
    }};
}

/// Writes a system register. The expression must be used in an `unsafe` block: what a write does to
/// the machine is the caller's reasoning.
#[macro_export]
macro_rules! write_sysreg {
    ($name:literal, $value:expr) => {
        core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) $value as u64,
            options(nostack, preserves_flags))
    };
}

/// Waits until earlier system register writes have taken effect.
#[inline(always)]
pub fn isb() {
    // SAFETY: A barrier only orders.
    unsafe { core::arch::asm!("isb", options(nostack, preserves_flags)) }
}

/// Waits until earlier memory accesses have completed.
#[inline(always)]
pub fn dsb_sy() {
    // SAFETY: A barrier only orders.
    unsafe { core::arch::asm!("dsb sy", options(nostack, preserves_flags)) }
}
