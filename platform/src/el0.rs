//! Running a partition at EL0 directly under this image, in the EL2&0 translation regime (HCR_EL2.E2H and TGE are 1).
//!
//! There is no EL1 and no stage 2 then: the partition's own stage 1, which the image makes, confines it, and all of its
//! exceptions come here. TTBR0_EL2 is switched on the way in and out, so the image always runs on its own map, whose
//! translations have ASID 0. Of the image, only two pages are in a partition's map: the code that switches, with its
//! vectors, and one page with a *gate* for each core, where registers are put down meanwhile.
//!
//! TGE and the vectors stay as they are while such a partition is the last that ran on a core ([`begin`] and [`end`]):
//! to EL2 itself neither makes a difference, and EL3 keeps both with the other EL2 registers.

use crate::{
    cpu,
    guest::{Exit, GuestRegs, enter_by},
    read_sysreg,
    sysreg::isb,
    write_sysreg,
};
use core::cell::UnsafeCell;

/// HCR_EL2.TGE.
const TGE: u64 = 1 << 27;

/// SCTLR_EL2, as far as it is about EL0: UCI, UCT and DZE (cache maintenance, CTR_EL0 and DC ZVA), nTWI and nTWE (waiting)
/// are not trapped; the keys IB, DA and DB work as IA does.
const SCTLR_OPEN: u64 =
    1 << 26 | 1 << 15 | 1 << 14 | 1 << 16 | 1 << 18 | 1 << 30 | 1 << 27 | 1 << 13;
/// SCTLR_EL2.TSCXT: SCXTNUM_EL0, which is the normal world's, traps.
const SCTLR_TSCXT: u64 = 1 << 20;
/// SCTLR_EL2.TIDCP: what is the implementation's own traps (FEAT_TIDCP1).
const SCTLR_TIDCP: u64 = 1 << 63;
/// SCTLR_EL2.UMA and E0E: the interrupt masks trap, data is little-endian.
const SCTLR_CLEAR: u64 = 1 << 9 | 1 << 24;
/// SCTLR_EL2.EnTP2, ATA0, TCF0, MSCEn and BT0: TPIDR2_EL0 traps, tags are ignored, no memory copy instructions, and a
/// signed function may be jumped to.
const SCTLR_CLEAR_NEW: u64 = 1 << 60 | 1 << 42 | 3 << 38 | 1 << 33 | 1 << 35;
/// CNTHCTL_EL2.EL0PCTEN and EL0VCTEN: both counters can be read. The timers trap.
const CNTHCTL_COUNTERS: u64 = 1 << 0 | 1 << 1;

/// Bytes of a gate.
const GATE_SIZE: usize = 256;
/// How many cores have one.
const GATES: usize = 8;

/// Where a core puts down what it can't keep in registers while it has the partition's map. The assembly knows the
/// offsets.
#[repr(C, align(256))]
struct Gate {
    /// x0 to x3 of the partition.
    x: [u64; 4],
    /// TTBR0_EL2 of the image.
    ttbr0: u64,
    /// The stack pointer of the image.
    sp: u64,
}

/// All of them, in a page of their own.
#[repr(C, align(4096))]
struct Gates([UnsafeCell<Gate>; GATES]);

// SAFETY: Each core uses its own only, and only the assembly does, but for `prepare`.
unsafe impl Sync for Gates {}

static GATE_PAGE: Gates = Gates(
    [const {
        UnsafeCell::new(Gate {
            x: [0; 4],
            ttbr0: 0,
            sp: 0,
        })
    }; GATES],
);

const _: () = {
    assert!(size_of::<Gate>() == GATE_SIZE);
    assert!(size_of::<Gates>() == 4096);
    assert!(core::mem::offset_of!(Gate, ttbr0) == 32);
    assert!(core::mem::offset_of!(Gate, sp) == 40);
};

core::arch::global_asm!(
    r#"
    // All of this is one page.
    .section .text.el0, "ax"
    .balign 4096

    // Exceptions taken from EL2 itself: as in the other table. Nothing between here and there can cause one.
    .macro  el0_own_exception kind
    .balign 0x80
    sub     sp, sp, #272
    stp     x0, x1, [sp]
    mov     x1, #\kind
    b       __own_exception
    .endm

    // An exception from EL0. SP_EL2 points to the core's gate, and the partition's map is on.
    .macro  el0_exit kind
    .balign 0x80
    stp     x0, x1, [sp]
    stp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp, #32]
    msr     ttbr0_el2, x0
    isb
    // x1 is the stack as __enter_el0 left it: x19 and x29, the return address, the partition's registers.
    ldr     x0, [x1, #24]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    str     x30, [x0, #240]
    ldp     x2, x3, [sp]
    stp     x2, x3, [x0]
    ldp     x2, x3, [sp, #16]
    stp     x2, x3, [x0, #16]
    mov     sp, x1
    mov     w9, #\kind
    b       __guest_exit
    .endm

    .global __vectors_el0
__vectors_el0:
    el0_own_exception 0
    el0_own_exception 1
    el0_own_exception 2
    el0_own_exception 3
    el0_own_exception 4
    el0_own_exception 5
    el0_own_exception 6
    el0_own_exception 7
    el0_exit 0
    el0_exit 1
    el0_exit 2
    el0_exit 3
    // From AArch32, which no partition runs in.
    el0_exit 4
    el0_exit 5
    el0_exit 6
    el0_exit 7
    .balign 0x80

    // x0: the partition's registers, x1: its TTBR0_EL2, x2: the core's gate. Otherwise as __enter_guest.
    .global __enter_el0
__enter_el0:
    stp     x19, x29, [sp, #-32]!
    stp     x30, x0, [sp, #16]
    mov     x3, sp
    str     x3, [x2, #40]
    mov     sp, x2
    ldp     x2, x3, [x0, #248]
    msr     elr_el2, x2
    msr     spsr_el2, x3
    ldp     x2, x3, [x0, #264]
    msr     S3_0_C2_C1_0, x2        // APIAKeyLo_EL1
    msr     S3_0_C2_C1_1, x3        // APIAKeyHi_EL1
    ldp     x4, x5, [x0, #32]
    ldp     x6, x7, [x0, #48]
    ldp     x8, x9, [x0, #64]
    ldp     x10, x11, [x0, #80]
    ldp     x12, x13, [x0, #96]
    ldp     x14, x15, [x0, #112]
    ldp     x16, x17, [x0, #128]
    ldp     x18, x19, [x0, #144]
    ldp     x20, x21, [x0, #160]
    ldp     x22, x23, [x0, #176]
    ldp     x24, x25, [x0, #192]
    ldp     x26, x27, [x0, #208]
    ldp     x28, x29, [x0, #224]
    ldr     x30, [x0, #240]
    ldp     x2, x3, [x0, #16]
    stp     x2, x3, [sp, #16]
    ldp     x2, x3, [x0]
    stp     x2, x3, [sp]
    // The gate and this code are the same in both maps, whichever is in use until the ERET.
    msr     ttbr0_el2, x1
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp]
    eret
    dsb     nsh
    isb
    .org    __vectors_el0 + 4096
"#
);

unsafe extern "C" {
    fn __vectors();
    fn __vectors_el0();
    fn __enter_el0();
}

/// The pages of the image that are in every partition's map: code to execute, and data to write, at EL2.
#[must_use]
pub fn image_pages() -> [(u64, bool); 2] {
    let code = __vectors_el0 as *const () as u64;
    let data = &raw const GATE_PAGE as u64;
    [(code, true), (data, false)]
}

/// Sets up this core for partitions at EL0. Whatever else runs notices nothing of it.
///
/// # Safety
///
/// The core's index was set, its own map is on, and no partition runs here.
pub unsafe fn prepare() {
    /// ID_AA64MMFR1_EL1.TIDCP1.
    const TIDCP1_SHIFT: u32 = 52;
    let tidcp = match read_sysreg!("id_aa64mmfr1_el1") >> TIDCP1_SHIFT & 0xf {
        0 => 0,
        _ => SCTLR_TIDCP,
    };
    let sctlr = read_sysreg!("sctlr_el2") & !(SCTLR_CLEAR | SCTLR_CLEAR_NEW);
    let cnthctl = read_sysreg!("cnthctl_el2");
    // SAFETY: Beside the use of keys, which the image's code has none of, this is about EL0 under EL2 alone.
    unsafe {
        write_sysreg!("sctlr_el2", sctlr | SCTLR_OPEN | SCTLR_TSCXT | tidcp);
        write_sysreg!("cnthctl_el2", cnthctl | CNTHCTL_COUNTERS);
    }
    isb();
    let (gate, ttbr0) = (gate(), read_sysreg!("ttbr0_el2"));
    // SAFETY: Only this core uses its gate, and it is not in the assembly now.
    unsafe { (*gate).ttbr0 = ttbr0 }
}

/// This core's gate.
#[inline(always)]
fn gate() -> *mut Gate {
    const { assert!(GATES.is_power_of_two()) };
    GATE_PAGE.0[cpu::index() & (GATES - 1)].get()
}

/// What runs next on this core runs at EL0 directly under this image.
pub fn begin() {
    host(true, __vectors_el0);
}

/// What runs next on this core runs at EL1.
pub fn end() {
    host(false, __vectors);
}

fn host(on: bool, vectors: unsafe extern "C" fn()) {
    let hcr = read_sysreg!("hcr_el2");
    let hcr = match on {
        true => hcr | TGE,
        false => hcr & !TGE,
    };
    // SAFETY: To EL2 with E2H = 1, TGE makes no difference, and both tables lead exceptions of its own to the same code.
    unsafe {
        write_sysreg!("hcr_el2", hcr);
        write_sysreg!("vbar_el2", vectors as *const () as u64);
    }
    isb();
}

/// EL0t with nothing masked: interrupts come to EL2.
pub const PSTATE_EL0: u64 = 0;

/// The registers of EL0 that are switched beside the general ones. TPIDRRO_EL0 is 0 for a partition.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct El0State {
    tpidr: u64,
    tpidrro: u64,
    sp: u64,
    unused: u64,
}

impl El0State {
    /// All zero.
    pub const RESET: Self = Self {
        tpidr: 0,
        tpidrro: 0,
        sp: 0,
        unused: 0,
    };

    /// Saves the live registers.
    #[inline(always)]
    pub fn save(&mut self) {
        let base: *mut Self = self;
        // SAFETY: Reads three registers and writes the fields of the same names.
        unsafe {
            core::arch::asm!(
                "mrs {a}, tpidr_el0", "mrs {b}, tpidrro_el0", "stp {a}, {b}, [{base}]",
                "mrs {a}, sp_el0", "str {a}, [{base}, #16]",
                a = out(reg) _, b = out(reg) _, base = in(reg) base,
                options(nostack, preserves_flags)
            );
        }
    }

    /// Makes these the live registers.
    ///
    /// # Safety
    ///
    /// The live registers must have been saved if somebody will want them back.
    #[inline(always)]
    pub unsafe fn load(&self) {
        let base: *const Self = self;
        // SAFETY: Nothing at EL2 uses these registers; the caller keeps the earlier owner's values.
        unsafe {
            core::arch::asm!(
                "ldp {a}, {b}, [{base}]", "msr tpidr_el0, {a}", "msr tpidrro_el0, {b}",
                "ldr {a}, [{base}, #16]", "msr sp_el0, {a}",
                a = out(reg) _, b = out(reg) _, base = in(reg) base,
                options(nostack, preserves_flags)
            );
        }
    }
}

/// Enters the partition and returns when it leaves.
///
/// # Safety
///
/// [`prepare`] and [`begin`] were called on this core, and the registers of EL0 are the partition's. `ttbr0` names its
/// tables, with an ASID that is its own and not 0: they have the [pages of the image](image_pages), and let EL0 reach
/// nothing but what is the partition's.
#[inline(always)]
pub unsafe fn enter(regs: &mut GuestRegs, ttbr0: u64) -> Exit {
    let gate = gate();
    // SAFETY: The assembly uses `regs` for this partition only, and the gate, which is this core's; isolation is the
    // caller's promise.
    unsafe { enter_by!(__enter_el0, regs; inout("x1") ttbr0 => _, inout("x2") gate => _) }
}
