//! Partitions at S-EL0: what the suite `el0` says to `sp-el0`, and the rows of `FFA_MEM_PERM_GET` and `SET` that it goes
//! through while it initialises.
//!
//! A *command* is a `DIRECT_REQ2` whose first payload register is [`MAGIC`] with a number in its lower eight bits;
//! arguments follow. The first register of the answer's payload is a [status](crate::protocol). Any other request is an
//! ordinary message.

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod partition;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod privileged;
pub mod rows;

use crate::abi::UuidWords;

/// The upper 56 bits of a command.
pub const MAGIC: u64 = 0x7461_6e74_656c_3000;

/// Command: how the row of the first argument went: 1 if it was as it must be, x0, x2, x3.
pub const ROW: u8 = 1;
/// Command: makes the call in the first eight arguments; answers x0-x7 of what came back.
pub const CALL: u8 = 2;
/// Command: touches page `n` (first argument) of its heap, or an address if that is larger, by
/// [`READ`](crate::protocol::READ), [`WRITE`](crate::protocol::WRITE) or [`EXECUTE`](crate::protocol::EXECUTE);
/// answers what was read, or what the code there answered.
pub const TOUCH: u8 = 3;
/// Command: executes the privileged instruction of the first argument; answers what it left in x0.
pub const INSTRUCTION: u8 = 4;
/// Command: facts about itself: its version, or what FFA_VERSION refused it with, id, x4 at entry, boot information, how many rows there are, and
/// TPIDRRO_EL0.
pub const FACTS: u8 = 5;
/// Command: compares V0-V31, FPCR and FPSR with what the last such command left, and leaves a pattern of the first
/// argument; answers how many words differ.
pub const USE_FP: u8 = 6;
/// Command: the same for TPIDR_EL0.
pub const USE_TPIDR: u8 = 7;
/// Command: from now on every register is compared around every wait (1), or not (0). Answers how many waits were
/// checked, and how many registers were not as they were.
pub const CHECKED: u8 = 8;
/// Command: what anybody may do at EL0: counters, CTR_EL0, DC ZVA and other cache maintenance, WFE, SVC with an
/// immediate. Answers how many of those went wrong.
pub const HARMLESS: u8 = 9;
/// Command: spins for as many ticks as the first argument says.
pub const SPIN: u8 = 10;

/// Command: maps pages [`TX`] and [`RX`] of its heap as its pair; answers x0 and x2.
pub const MAP: u8 = 11;
/// Command: shares (0) or lends (1) page `n` (second argument) of its heap to the partition of the third; answers x0, x2 and
/// x3.
pub const SEND: u8 = 12;
/// Command: retrieves what the partition of the first argument has sent, with the handle of the second, shared (0) or lent
/// (1); answers x0, x2 and the address of the first page.
pub const RETRIEVE: u8 = 13;
/// Command: relinquishes the handle of the first argument; answers x0 and x2.
pub const RELINQUISH: u8 = 14;
/// Command: reclaims the handle of the first argument; answers x0 and x2.
pub const RECLAIM: u8 = 15;

/// Pages of the heap: the pair, and one to be shared.
pub const TX: u64 = 16;
/// See [`TX`].
pub const RX: u64 = 17;
/// See [`TX`].
pub const TO_SHARE: u64 = 20;

/// The partition that speaks FF-A 1.2, and stays dead when it dies.
pub const MORTAL: u16 = 0x8003;
/// The one that speaks FF-A 1.3, and lives again when it dies.
pub const PHOENIX: u16 = 0x8004;
/// Where they are loaded, on QEMU's `virt`.
pub const PLACES: [u64; 2] = [0x0e60_0000, 0x0e70_0000];
/// The page of the normal world's memory that each has, on QEMU's `virt`.
pub const PAGES: [u64; 2] = [0x5070_0000, 0x5070_1000];
/// Where the page lies that its manifest says can only be read.
pub const CONSTANTS: u64 = 0xb_0000;
/// One at S-EL1 with a single context too, to compare with: `sp-many`.
pub const AT_EL1: u16 = 0x8005;

/// Bytes of memory of each, aligned so.
pub const SIZE: u64 = 0x10_0000;
/// Where the heap lies in it: behind the image.
pub const HEAP: u64 = 0xc_0000;
/// Pages of the heap.
pub const HEAP_PAGES: u64 = (SIZE - HEAP) / 0x1000;

/// The service of the partition with this id.
pub const fn uuid(id: u16) -> UuidWords {
    [0x7461_6e74, 0x656c_3000, 0, id as u32]
}

/// The first payload register of a command.
pub const fn command(command: u8) -> u64 {
    MAGIC | command as u64
}

/// The command in a first payload register, if it is one.
pub const fn parse(first: u64) -> Option<u8> {
    if first & !0xff == MAGIC {
        Some(first as u8)
    } else {
        None
    }
}
