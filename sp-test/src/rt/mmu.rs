//! A stage 1 for S-EL1, for as long as something needs it: an identity map of the first gibibyte, of the one
//! that is the normal world's, and of the next, which is on large machines. The normal world's devices, which are in the first gibibyte too, are seen
//! [elsewhere](NORMAL_DEVICES).

use crate::board::NORMAL_RAM;
use core::arch::asm;
use core::cell::UnsafeCell;

/// A table of the first level: 512 entries of 1 GiB.
#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; 512]>);

// SAFETY: each core writes the same before it turns its MMU on, and it is only read from then on.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new([0; 512]));

/// A block, with attribute 0 of MAIR_EL1, readable and writable at EL1, inner shareable, accessed.
const BLOCK: u64 = 1 | 3 << 8 | 1 << 10;
/// The output address is in the normal world's space.
const NS: u64 = 1 << 5;
/// Nothing is fetched from here, at EL1 or EL0.
const NO_FETCH: u64 = 3 << 53;
const GIBIBYTE: u64 = 1 << 30;
/// The normal world's gibibyte.
const NORMAL_WORLD: usize = (NORMAL_RAM.start / GIBIBYTE) as usize;

/// Attribute 0: normal memory, not cached. Attribute 1: Device-nGnRnE.
const MAIR: u64 = 0x44;
/// Attribute 1 in a block.
const DEVICE: u64 = 1 << 2;

/// Where the first gibibyte of the normal world's space is seen.
pub const NORMAL_DEVICES: u64 = 4 * GIBIBYTE;
/// 39 bits from TTBR0_EL1 with 4 KiB granules, walks not cached; no TTBR1_EL1; 32 bits of output.
const TCR: u64 = 25 | 1 << 23;
/// SCTLR_EL1.M.
const ENABLE: u64 = 1;

/// Turns the MMU on. The secure half is where it was, so the image goes on as before.
pub fn open() {
    let table = TABLE.0.get();
    // SAFETY: whoever has its MMU on already finds the same in the table. The map is an identity map of all that the
    // image is made of.
    unsafe {
        (*table)[0] = BLOCK;
        for gibibyte in [NORMAL_WORLD, NORMAL_WORLD + 1] {
            (*table)[gibibyte] = (gibibyte as u64 * GIBIBYTE) | BLOCK | NS | NO_FETCH;
        }
        (*table)[(NORMAL_DEVICES / GIBIBYTE) as usize] = BLOCK | DEVICE | NS | NO_FETCH;
        asm!(
            "dsb sy",
            "msr mair_el1, {mair}",
            "msr tcr_el1, {tcr}",
            "msr ttbr0_el1, {table}",
            "isb",
            "tlbi vmalle1",
            "dsb sy",
            "isb",
            "mrs {old}, sctlr_el1",
            "orr {old}, {old}, {enable}",
            "msr sctlr_el1, {old}",
            "isb",
            mair = in(reg) MAIR,
            tcr = in(reg) TCR,
            table = in(reg) table,
            old = out(reg) _,
            enable = const ENABLE,
            options(nostack)
        );
    }
}

/// Turns the MMU off.
fn close() {
    // SAFETY: without the MMU the same addresses are the same memory.
    unsafe {
        asm!(
            "dsb sy",
            "mrs {old}, sctlr_el1",
            "bic {old}, {old}, {enable}",
            "msr sctlr_el1, {old}",
            "isb",
            "tlbi vmalle1",
            "dsb sy",
            "isb",
            old = out(reg) _,
            enable = const ENABLE,
            options(nostack)
        );
    }
}

/// Calls `body` with the MMU on.
pub fn with_normal_world<T>(body: impl FnOnce() -> T) -> T {
    open();
    let value = body();
    close();
    value
}
