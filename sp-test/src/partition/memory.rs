//! Memory transactions that a client has a partition make.

use super::Partition;
use super::commands::{Payload, payload};
use crate::abi::Regs;
use crate::protocol::{
    FAILED, MEM_MAP, MEM_RECLAIM, MEM_RELINQUISH, MEM_RETRIEVE, MEM_SEND, MEM_TOUCH, OK,
};
use crate::rt::{
    memory::{self, Pieces},
    mmu, regs,
};

/// What [`MEM_TOUCH`] asks for; the memory is the normal world's, in which it was given some. Each context has a word of its own in each page.
fn touch(request: &Regs, context: u64) -> Payload {
    let [base, pages, ticks, skipped] = [request[5], request[6], request[7], request[8]];
    let (mut rounds, mut differences) = (0u64, 0u64);
    let start = regs::cntvct();
    mmu::with_normal_world(|| {
        while regs::cntvct().wrapping_sub(start) < ticks {
            for page in (0..pages).filter(|page| *page != skipped) {
                let word = (base + page * 4096 + context * 8) as *mut u64;
                // SAFETY: the partition's own memory, of which nothing else is made.
                unsafe {
                    word.write_volatile(rounds ^ page);
                    differences += u64::from(word.read_volatile() != rounds ^ page);
                }
            }
            rounds += 1;
        }
    });
    payload(OK, &[rounds, differences])
}

impl Partition {
    /// The commands of this chapter.
    pub(super) fn memory(&mut self, command: u16, request: &Regs) -> Payload {
        if command == MEM_TOUCH {
            return touch(request, self.start.context);
        }
        let me = self.start.id;
        let done = match command {
            MEM_MAP => memory::map(request[5]).map(|()| 0),
            MEM_SEND => {
                let pieces = Pieces {
                    base: request[7],
                    count: request[8],
                    pages: request[9],
                    stride: request[10],
                };
                memory::send(request[5] as u32, me, request[6] as u16, &pieces)
            }
            MEM_RETRIEVE => memory::retrieve(request[7] as u32, request[5] as u16, me, request[6]),
            MEM_RELINQUISH => memory::relinquish(me, request[5]).map(|()| 0),
            MEM_RECLAIM => memory::reclaim(request[5], request[6]).map(|()| 0),
            _ => Ok(0),
        };
        match done {
            Ok(value) => payload(OK, &[value]),
            Err(refused) => payload(FAILED, &[refused.x0, refused.x2]),
        }
    }
}
