//! What the proxy adds to a VM's FFA_MEM_SHARE, LEND and RECLAIM. Each call has a window of its own; so many
//! transactions are out before that the last call costs what the first one does.

use super::super::{Client, plain, report};
use crate::abi;
use crate::board;
use core::arch::asm;
use report::{Seen, Verdict, equal};

const PAGE: u64 = 0x1000;
const RXTX_MAP_64: u32 = 0xc400_0066;
const MEM_LEND: u32 = 0x8400_0072;
const MEM_SHARE: u32 = 0x8400_0073;
const MEM_RECLAIM: u32 = 0x8400_0077;

/// Calls in a window.
const CALLS: usize = 8;
/// Bytes of a descriptor with one receiver and one constituent.
const LENGTH: u64 = 112;

/// Memory of the VM's that nothing else uses.
fn scratch() -> u64 {
    board::place(0x5040_0000)
}

/// Measures both kinds.
pub fn all(client: &mut Client) {
    let (tx, rx) = (scratch(), scratch() + PAGE);
    let [x0, _, x2, ..] = plain(RXTX_MAP_64, &[tx, rx, 1]);
    let mapped = equal("x0", x0, abi::SUCCESS_32.into()).map(|()| Seen::Value("x2", x2));
    client.case("bench/buffers", mapped);
    let rows = [
        ("mem_share_page", "mem_share_reclaim", MEM_SHARE, 0x2f),
        ("mem_lend_page", "mem_lend_reclaim", MEM_LEND, 0),
    ];
    for (send, reclaim, id, attributes) in rows {
        let verdict = pages(client, send, reclaim, id, attributes);
        client.case(format_args!("bench/{send}"), verdict);
    }
}

/// Gives single pages of one 2 MiB block to a partition, and takes them back.
fn pages(client: &mut Client, send: &str, reclaim: &str, id: u32, attributes: u64) -> Verdict {
    let mut handles = [[0; 2]; CALLS];
    // The first round is not measured.
    for measured in [false, true] {
        announce(client, send, measured);
        mark(measured, true);
        for (n, handle) in handles.iter_mut().enumerate() {
            // Every other page, so that none is beside another.
            describe(attributes, scratch() + (16 + 2 * n as u64) * PAGE);
            let [x0, _, low, high, ..] = plain(id, &[LENGTH, LENGTH]);
            equal("x0", x0, abi::SUCCESS_32.into())?;
            *handle = [low, high];
        }
        mark(measured, false);
        announce(client, reclaim, measured);
        mark(measured, true);
        for [low, high] in &handles {
            let [x0, ..] = plain(MEM_RECLAIM, &[*low, *high]);
            equal("x0", x0, abi::SUCCESS_32.into())?;
        }
        mark(measured, false);
    }
    Ok(Seen::Count("pages", CALLS as u64))
}

fn announce(client: &mut Client, name: &str, measured: bool) {
    if measured {
        client.count += 1;
        crate::say!("@bench {name} {CALLS}");
    }
}

/// Opens or closes a window.
fn mark(measured: bool, open: bool) {
    match (measured, open) {
        // SAFETY: nothing happens but that a counter sees it.
        (true, true) => unsafe { asm!("hint #0x60", options(nostack, preserves_flags)) },
        // SAFETY: as above.
        (true, false) => unsafe { asm!("hint #0x61", options(nostack, preserves_flags)) },
        _ => {}
    }
}

/// Writes the descriptor of an offer of one page to the first partition, in the layout from 1.2 on.
fn describe(attributes: u64, page: u64) {
    let words = [
        u64::from(abi::VM1) | attributes << 16,
        // No handle, no tag.
        0,
        0,
        // One access descriptor of 32 bytes, behind the header.
        32 | 1 << 32,
        48,
        0,
        // Read and write.
        u64::from(abi::ECHO) | 2 << 16 | 80 << 32,
        0,
        0,
        0,
        // One page in one constituent.
        1 | 1 << 32,
        0,
        page,
        1,
    ];
    for (n, word) in words.into_iter().enumerate() {
        let at = scratch() as *mut u64;
        // SAFETY: TX is memory of this VM's that nothing else uses; the descriptor is shorter than a page.
        unsafe { at.add(n).write_volatile(word) }
    }
}
