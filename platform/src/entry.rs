//! The first instructions of an image, the exception vectors, and the two ways between EL2 and a
//! guest. Assembly produces an exit kind and a saved frame and decides nothing.

use crate::{layout, stage1::Registers};
use core::sync::atomic::{AtomicU64, Ordering};

/// What EL3 or BL2 passed in x0-x4 at the primary entry.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct BootArgs {
    /// x0 to x4.
    pub x: [u64; 5],
}

core::arch::global_asm!(
    r#"
    .section .text.boot, "ax"
    .global _start
_start:
    msr     daifset, #0xf
    mov     x19, x0
    mov     x20, x1
    mov     x21, x2
    mov     x22, x3
    mov     x23, x4
    mrs     x9, CurrentEL
    cmp     x9, #8
    b.ne    __entry_stop

    // Relocate: the image is linked at 0, so the load address is the address of its start.
    adrp    x0, __image_start
    add     x0, x0, :lo12:__image_start
    tst     x0, #0xffff
    b.ne    __entry_stop
    adrp    x1, __rela_start
    add     x1, x1, :lo12:__rela_start
    adrp    x2, __rela_end
    add     x2, x2, :lo12:__rela_end
1:  cmp     x1, x2
    b.hs    2f
    ldp     x3, x4, [x1], #16
    ldr     x5, [x1], #8
    cmp     w4, #1027               // R_AARCH64_RELATIVE
    b.ne    __entry_stop
    add     x5, x5, x0
    str     x5, [x0, x3]
    b       1b
2:
    // .bss may be part of the loaded file or not: clear it.
    adrp    x1, __bss_start
    add     x1, x1, :lo12:__bss_start
    adrp    x2, __bss_end
    add     x2, x2, :lo12:__bss_end
    // Whole pages (the linker script aligns both ends), 128 bytes at a time.
3:  cmp     x1, x2
    b.hs    4f
    stp     xzr, xzr, [x1]
    stp     xzr, xzr, [x1, #16]
    stp     xzr, xzr, [x1, #32]
    stp     xzr, xzr, [x1, #48]
    stp     xzr, xzr, [x1, #64]
    stp     xzr, xzr, [x1, #80]
    stp     xzr, xzr, [x1, #96]
    stp     xzr, xzr, [x1, #112]
    add     x1, x1, #128
    b       3b
4:
    // A key for return addresses, new at each boot as far as the counter, or better the CPU's random
    // numbers, can make it so.
    mrs     x1, cntpct_el0
    mrs     x2, S3_0_C0_C6_0        // ID_AA64ISAR0_EL1.RNDR
    tst     x2, #(0xf << 60)
    b.eq    7f
    mrs     x2, S3_3_C2_C4_0        // RNDR
    eor     x1, x1, x2
    mrs     x2, S3_3_C2_C4_0
7:  movz    x3, #0x7c15
    movk    x3, #0x7f4a, lsl #16
    movk    x3, #0x79b9, lsl #32
    movk    x3, #0x9e37, lsl #48
    mul     x1, x1, x3
    eor     x2, x2, x1, ror #29
    adrp    x3, {own_key}
    add     x3, x3, :lo12:{own_key}
    stp     x1, x2, [x3]

    // Everything so far went to memory with the MMU off. Lines that a loader left in a cache must
    // not hide it. The image up to the end of .bss is written so, and the boot core's stack; other
    // cores' stacks are not, and what is taken of the tables is seen to when the MMU goes on. All
    // ends are pages.
    mov     x1, x0
    adrp    x2, __bss_end
    add     x2, x2, :lo12:__bss_end
    mov     x4, #0
5:  cmp     x1, x2
    b.hs    6f
    dc      ivac, x1
    add     x3, x1, #64
    dc      ivac, x3
    add     x3, x1, #128
    dc      ivac, x3
    add     x3, x1, #192
    dc      ivac, x3
    add     x1, x1, #256
    b       5b
6:  cbnz    x4, 8f
    adrp    x1, __stacks_start
    add     x1, x1, :lo12:__stacks_start
    add     x2, x1, #0x10, lsl #12   // layout::STACK_STRIDE
    mov     x4, #1
    b       5b
8:  dsb     sy
    ic      iallu
    dsb     sy
    isb

    bl      __el2_setup
    // The boot core's index is worked out in Rust; it starts on the first stack.
    adrp    x1, __stacks_start
    add     x1, x1, :lo12:__stacks_start
    add     x1, x1, #0x10, lsl #12   // layout::STACK_STRIDE
    mov     sp, x1
    stp     x19, x20, [sp, #-48]!
    stp     x21, x22, [sp, #16]
    str     x23, [sp, #32]
    mov     x0, sp
    mov     x29, xzr
    mov     x30, xzr
    bl      tantalum_primary
__entry_stop:
    wfe
    b       __entry_stop

    // A secondary core, switched on by the normal world through EL3. At a second time its EL2
    // registers are what they were when it was switched off, the MMU included. Nothing is written
    // to memory before the MMU is on.
    .global __secondary_entry
__secondary_entry:
    msr     daifset, #0xf
    mrs     x9, CurrentEL
    cmp     x9, #8
    b.ne    __entry_stop
    bl      __el2_setup
    mrs     x0, mpidr_el1
    mov     x1, #0x00ffffff
    movk    x1, #0xff, lsl #32
    and     x0, x0, x1
    adrp    x1, {secondary}
    add     x1, x1, :lo12:{secondary}
    add     x2, x1, #64
    mov     x3, #0
1:  ldr     x4, [x2, x3, lsl #3]
    cmp     x4, x0
    b.eq    2f
    add     x3, x3, #1
    cmp     x3, #8
    b.lo    1b
    b       __entry_stop
2:  ldp     x5, x6, [x1]
    ldp     x7, x8, [x1, #16]
    ldr     x11, [x1, #32]
    msr     mair_el2, x5
    msr     tcr_el2, x6
    msr     ttbr0_el2, x7
    dsb     ish
    isb
    tlbi    alle2
    ic      iallu
    dsb     nsh
    isb
    mrs     x9, sctlr_el2
    orr     x9, x9, x8
    bic     x9, x9, x11
    msr     sctlr_el2, x9
    isb
    adrp    x1, __stacks_start
    add     x1, x1, :lo12:__stacks_start
    mov     x4, #0x10000             // layout::STACK_STRIDE
    add     x5, x3, #1
    madd    x1, x5, x4, x1
    mov     sp, x1
    mov     x29, xzr
    mov     x30, xzr
    bl      tantalum_secondary
    b       __entry_stop

    // System registers that must hold before any Rust runs. VHE from the first instruction on:
    // it decides the layout of CPTR_EL2, CNTHCTL_EL2 and of stage 1.
__el2_setup:
    mov     x9, #(1 << 34)          // E2H
    orr     x9, x9, #(1 << 31)      // RW: EL1 is AArch64
    msr     hcr_el2, x9
    isb
    mov     x9, #(1 << 28)          // TTA: no trace registers; FPEN, ZEN, SMEN trap
    msr     cptr_el2, x9
    // Return addresses are signed with our own key (EnIA); guests have theirs.
    adrp    x9, {own_key}
    add     x9, x9, :lo12:{own_key}
    ldp     x9, x10, [x9]
    msr     S3_0_C2_C1_0, x9        // APIAKeyLo_EL1
    msr     S3_0_C2_C1_1, x10       // APIAKeyHi_EL1
    // Where a signature lies in an address depends on the size of the address space: it must be
    // right before the first function signs one.
    ldr     x9, ={tcr}
    msr     tcr_el2, x9
    // Little-endian, MMU and caches off; RES1 bits, EnIA, and EIS and EOS: exception entry and
    // return synchronise.
    movz    x9, #0x0830
    movk    x9, #0xb0c5, lsl #16
    msr     sctlr_el2, x9
    adrp    x9, __vectors
    add     x9, x9, :lo12:__vectors
    msr     vbar_el2, x9
    msr     tpidr_el2, xzr
    isb
    ret

    // Exceptions taken from EL2 itself are bugs of the image: keep the registers and report.
    .macro  own_exception kind
    .balign 0x80
    sub     sp, sp, #272
    stp     x0, x1, [sp]
    mov     x1, #\kind
    b       __own_exception
    .endm

    // An exception from a guest. SP_EL2 points to the frame that __enter_guest left:
    // x19 and x29, the return address, then the address of the guest's registers.
    .macro  guest_exit kind
    .balign 0x80
    stp     x0, x1, [sp, #-16]!
    ldr     x0, [sp, #40]
    stp     x2, x3, [x0, #16]
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
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0]
    mov     w9, #\kind
    b       __guest_exit
    .endm

    .section .text.hot.vectors, "ax"
    .balign 0x800
    .global __vectors
__vectors:
    own_exception 0
    own_exception 1
    own_exception 2
    own_exception 3
    own_exception 4
    own_exception 5
    own_exception 6
    own_exception 7
    guest_exit 0
    guest_exit 1
    guest_exit 2
    guest_exit 3
    // From AArch32 at EL0, with the same frame.
    guest_exit 4
    guest_exit 5
    guest_exit 6
    guest_exit 7
    .balign 0x80

    .global __guest_exit
__guest_exit:
    mrs     x1, elr_el2
    mrs     x2, spsr_el2
    stp     x1, x2, [x0, #248]
    mrs     x1, S3_0_C2_C1_0        // APIAKeyLo_EL1: the guest's out, ours in
    mrs     x2, S3_0_C2_C1_1        // APIAKeyHi_EL1
    stp     x1, x2, [x0, #264]
    adrp    x1, {own_key}
    add     x1, x1, :lo12:{own_key}
    ldp     x1, x2, [x1]
    msr     S3_0_C2_C1_0, x1
    msr     S3_0_C2_C1_1, x2
    isb
    mov     w0, w9
    ldr     x30, [sp, #16]
    ldp     x19, x29, [sp], #32
    ret

    // x0: the guest's registers. Returns the exit kind in w0. Of the caller's registers it keeps x19, x29 and sp alone:
    // those that the compiler can't be told of as lost.
    .global __enter_guest
__enter_guest:
    stp     x19, x29, [sp, #-32]!
    stp     x30, x0, [sp, #16]
    ldp     x1, x2, [x0, #248]
    msr     elr_el2, x1
    msr     spsr_el2, x2
    ldp     x1, x2, [x0, #264]
    msr     S3_0_C2_C1_0, x1        // APIAKeyLo_EL1
    msr     S3_0_C2_C1_1, x2        // APIAKeyHi_EL1
    ldp     x2, x3, [x0, #16]
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
    ldp     x0, x1, [x0]
    eret
    // Straight-line speculation past the ERET finds nothing to run.
    dsb     nsh
    isb

    .global __own_exception
__own_exception:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    add     x2, sp, #272
    stp     x30, x2, [sp, #240]
    mov     x0, sp
    mov     x29, sp
    bl      tantalum_own_exception
    b       .
"#,
    secondary = sym SECONDARY,
    tcr = const crate::stage1::TCR,
    own_key = sym OWN_KEY,
);

/// The image's key for return addresses (APIAKey), made at the primary entry. In `.data`, so that
/// it outlives the clearing of `.bss`; the assembly alone reads it.
#[repr(C, align(16))]
struct OwnKey([AtomicU64; 2]);

static OWN_KEY: OwnKey = OwnKey([AtomicU64::new(1), AtomicU64::new(2)]);

/// What a secondary core reads with its MMU off: words 0 to 4 the translation registers
/// ([`Registers`]), words 8 to 15 the affinities of the cores, in the order of their stacks.
#[repr(C, align(64))]
struct Secondary([AtomicU64; 16]);

static SECONDARY: Secondary = Secondary([const { AtomicU64::new(u64::MAX) }; 16]);

/// Prepares [`secondary_entry`] for the cores with these affinities, the boot core's first: each
/// gets the stack of its place in the list. More than eight are ignored.
pub fn prepare_secondaries(registers: &Registers, affinities: impl Iterator<Item = u64>) {
    let words = [
        registers.mair,
        registers.tcr,
        registers.ttbr0,
        registers.sctlr_set,
        registers.sctlr_clear,
    ];
    for (to, word) in SECONDARY.0.iter().zip(words) {
        to.store(word, Ordering::Relaxed);
    }
    for (to, affinity) in SECONDARY.0.iter().skip(8).zip(affinities) {
        to.store(affinity, Ordering::Relaxed);
    }
    crate::cache::clean(&SECONDARY);
}

/// The address at which EL3 shall start secondary cores.
pub fn secondary_entry() -> usize {
    unsafe extern "C" {
        fn __secondary_entry();
    }
    __secondary_entry as *const () as usize
}

unsafe extern "Rust" {
    /// What the image does once the machine can run Rust; defined by each binary with
    /// [`image_main!`](crate::image_main).
    safe fn tantalum_image_main(args: BootArgs) -> !;
    /// What the image does on a secondary core; defined likewise.
    safe fn tantalum_image_secondary() -> !;
}

/// Names the functions that an image starts with on the primary and on a secondary core, once per
/// binary.
#[macro_export]
macro_rules! image_main {
    ($primary:path, $secondary:path) => {
        #[unsafe(no_mangle)]
        fn tantalum_image_main(args: $crate::entry::BootArgs) -> ! {
            let main: fn($crate::entry::BootArgs) -> ! = $primary;
            main(args)
        }

        #[unsafe(no_mangle)]
        fn tantalum_image_secondary() -> ! {
            let main: fn() -> ! = $secondary;
            main()
        }
    };
}

#[unsafe(no_mangle)]
extern "C" fn tantalum_primary(args: &BootArgs) -> ! {
    debug_assert_eq!(layout::stacks_start() % 0x1000, 0);
    tantalum_image_main(*args)
}

#[unsafe(no_mangle)]
extern "C" fn tantalum_secondary() -> ! {
    tantalum_image_secondary()
}
