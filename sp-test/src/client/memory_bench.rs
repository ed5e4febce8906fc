//! The client `client-bench-memory`: what memory transactions cost, in windows of whole cycles that leave out the
//! messages between the calls.

use super::bench::WARM;
use super::report::{Failure, Seen, Verdict, equal};
use super::{Client, ECHO, Peer, RELAY};
use crate::abi;
use crate::board;
use crate::protocol::{self, MEM_MAP, MEM_RECLAIM, MEM_RELINQUISH, MEM_RETRIEVE, MEM_SEND};
use crate::rt::entry::Boot;
use crate::rt::memory::{self, Pieces};
use core::arch::asm;

/// Memory that is nobody's but the client's: it starts with a block of 2 MiB.
const FREE: u64 = board::place(0x7040_0000);
/// A block of 2 MiB that the manifest of `sp-relay` gives it.
const OF_RELAY: u64 = board::place(0x7020_0000);
/// One page.
const ONE: Pieces = Pieces {
    base: FREE,
    count: 1,
    pages: 1,
    stride: 0,
};
/// 2 MiB.
const BLOCK: Pieces = Pieces {
    pages: PAGES,
    ..ONE
};
/// As many pages, each between others.
const SCATTERED: Pieces = Pieces {
    count: PAGES,
    stride: 0x2000,
    ..ONE
};
const PAGES: u64 = 512;
/// FFA_MEM_RECLAIM zeroes.
const ZERO: u64 = 1;

/// A bench: who sends what and how.
pub(super) struct Bench {
    pub(super) name: &'static str,
    /// How often.
    pub(super) cycles: u64,
    /// The partition that sends; the client itself if there is none.
    pub(super) sender: Option<Peer>,
    pub(super) function: u32,
    pub(super) pieces: Pieces,
    /// Of FFA_MEM_RECLAIM.
    pub(super) flags: u64,
    /// What the counts are divided by, beside the number of cycles.
    pub(super) per: u64,
}

const BENCHES: [Bench; 6] = [
    Bench {
        name: "mem_share_1",
        ..Bench::PLAIN
    },
    Bench {
        name: "mem_share_512",
        pieces: BLOCK,
        ..Bench::PLAIN
    },
    Bench {
        name: "mem_share_512_scattered_per_page",
        pieces: SCATTERED,
        cycles: 10,
        per: PAGES,
        ..Bench::PLAIN
    },
    Bench {
        name: "mem_lend_1_of_block",
        sender: Some(RELAY),
        function: abi::MEM_LEND,
        pieces: Pieces {
            base: OF_RELAY + 7 * 4096,
            ..ONE
        },
        ..Bench::PLAIN
    },
    Bench {
        name: "mem_lend_512_of_block",
        sender: Some(RELAY),
        function: abi::MEM_LEND,
        pieces: Pieces {
            base: OF_RELAY,
            ..BLOCK
        },
        ..Bench::PLAIN
    },
    Bench {
        name: "mem_zero_per_page",
        function: abi::MEM_LEND,
        pieces: BLOCK,
        flags: ZERO,
        cycles: 10,
        per: PAGES,
        ..Bench::PLAIN
    },
];

impl Bench {
    /// A page that the client shares.
    pub(super) const PLAIN: Self = Self {
        name: "",
        cycles: 100,
        sender: None,
        function: abi::MEM_SHARE,
        pieces: ONE,
        flags: 0,
        per: 1,
    };
}

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut client = Client::start("client-bench-memory", boot);
    for bench in &BENCHES {
        let verdict = measure(&mut client, bench);
        client.case(format_args!("bench/{}", bench.name), verdict);
    }
    client.end()
}

/// A command of the chapter; gives x5 of the answer.
pub(super) fn command(
    client: &Client,
    peer: &Peer,
    command: u16,
    arguments: &[u64],
) -> Result<u64, Failure> {
    let answer = client.command(peer, command, arguments)?;
    match answer[0] {
        protocol::OK => Ok(answer[1]),
        _ => Err(Failure::Refused(super::Refusal {
            x0: answer[1],
            x2: answer[2],
        })),
    }
}

/// Everybody has buffers of so many pages.
fn set_up(client: &Client, pages: u64) -> Result<(), Failure> {
    memory::map(pages)?;
    for peer in [&ECHO, &RELAY] {
        command(client, peer, MEM_MAP, &[pages])?;
    }
    Ok(())
}

/// One cycle: sent, retrieved by `sp-echo`, relinquished, reclaimed. Gives the number of pages that were retrieved.
pub(super) fn cycle(client: &Client, bench: &Bench) -> Result<u64, Failure> {
    let Pieces {
        base,
        count,
        pages,
        stride,
    } = bench.pieces;
    let function = u64::from(bench.function);
    let (sender, handle) = match &bench.sender {
        None => {
            let handle = memory::send(bench.function, client.me, ECHO.id, &bench.pieces);
            (client.me, handle?)
        }
        Some(peer) => {
            let what = [function, ECHO.id.into(), base, count, pages, stride];
            (peer.id, command(client, peer, MEM_SEND, &what)?)
        }
    };
    let told = command(
        client,
        &ECHO,
        MEM_RETRIEVE,
        &[sender.into(), handle, function],
    )?;
    command(client, &ECHO, MEM_RELINQUISH, &[handle])?;
    match &bench.sender {
        None => memory::reclaim(handle, bench.flags)?,
        Some(peer) => {
            command(client, peer, MEM_RECLAIM, &[handle, bench.flags])?;
        }
    }
    Ok(told)
}

fn measure(client: &mut Client, bench: &Bench) -> Verdict {
    // A descriptor is to be one fragment.
    set_up(client, if bench.pieces.count > 1 { 4 } else { 1 })?;
    for _ in 0..WARM {
        cycle(client, bench)?;
    }
    client.count += 1;
    crate::say!("@bench {} {}", bench.name, bench.cycles * bench.per);
    // SAFETY: nothing happens but that a counter sees it.
    unsafe {
        asm!(
            "hint #0x60",
            "hint #0x62",
            options(nostack, preserves_flags)
        )
    }
    let told = (0..bench.cycles).try_fold(0, |_, _| cycle(client, bench));
    // SAFETY: as above.
    unsafe { asm!("hint #0x61", options(nostack, preserves_flags)) }
    let wanted = bench.pieces.count * bench.pieces.pages;
    equal("pages that were retrieved", told?, wanted)?;
    Ok(Seen::Count("cycles", bench.cycles))
}
