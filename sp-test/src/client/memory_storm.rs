//! The client of `memory-storm`, at NS-EL2: on one core a partition lends a page of a block again and again, so that the
//! block is split and joined; on others it uses the rest of the block, and must not notice.

use super::memory_bench::{Bench, command, cycle};
use super::report::{Seen, Verdict, equal};
use super::{Client, ECHO, RELAY};
use crate::abi;
use crate::board;
use crate::protocol::{MEM_MAP, MEM_TOUCH};
use crate::rt::entry::Boot;
use crate::rt::memory::Pieces;
use crate::rt::{cores, regs};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// A block of 2 MiB that the manifest of `sp-relay` gives it.
const BLOCK: u64 = board::place(0x7020_0000);
const PAGES: u64 = 512;
/// The page that is lent.
const LENT: u64 = 7;
/// The cores that use the others.
const USERS: core::ops::RangeInclusive<u64> = 1..=3;
/// The one of them that uses a single page.
const SINGLE: u64 = 3;
/// How often it is lent.
const CYCLES: u64 = 1000;

/// The page is lent no more.
static OVER: AtomicBool = AtomicBool::new(false);
/// How often all pages were used, and words that were not what was written.
static ROUNDS: AtomicU64 = AtomicU64::new(0);
static DIFFERENCES: AtomicU64 = AtomicU64::new(0);
/// Commands that were not answered.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut client = Client::start("client-memory-storm", boot);
    let verdict = storm(&client);
    client.case("block_is_split_and_joined_while_it_is_used", verdict);
    client.end()
}

/// What the other cores do, with so many of the pages: all, or a single one over and over, where whatever is met is met at
/// the same place each time.
fn touch(pages: u64) {
    let client = Client {
        direct: true,
        me: abi::HYPERVISOR,
        version: 0,
        count: 0,
        failures: 0,
    };
    let ticks = regs::cntfrq() / 20;
    while !OVER.load(Relaxed) {
        match client.command(&RELAY, MEM_TOUCH, &[BLOCK, pages, ticks, LENT]) {
            Ok(answer) => {
                ROUNDS.fetch_add(answer[1], Relaxed);
                DIFFERENCES.fetch_add(answer[2], Relaxed);
            }
            Err(_) => {
                REFUSED.fetch_add(1, Relaxed);
            }
        }
    }
}

fn storm(client: &Client) -> Verdict {
    for peer in [&ECHO, &RELAY] {
        command(client, peer, MEM_MAP, &[1])?;
    }
    for core in USERS {
        let pages = if core == SINGLE { 1 } else { PAGES };
        equal("CPU_ON", cores::start(core, touch, pages) as u64, 0)?;
    }
    let lend = Bench {
        sender: Some(RELAY),
        function: abi::MEM_LEND,
        pieces: Pieces {
            base: BLOCK + LENT * 4096,
            count: 1,
            pages: 1,
            stride: 0,
        },
        ..Bench::PLAIN
    };
    let lent = (0..CYCLES).try_for_each(|_| cycle(client, &lend).map(|_| ()));
    OVER.store(true, Relaxed);
    let all_done = cores::patiently(10, || USERS.into_iter().all(cores::done));
    lent?;
    equal("cores that came to an end", all_done.into(), 1)?;
    equal("commands that were refused", REFUSED.load(Relaxed), 0)?;
    equal("words that were others", DIFFERENCES.load(Relaxed), 0)?;
    let rounds = ROUNDS.load(Relaxed);
    equal("whether pages were used", u64::from(rounds > 0), 1)?;
    Ok(Seen::Count("times all pages were used", rounds))
}
