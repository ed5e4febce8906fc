//! Memory transactions that a client has a partition make.

use super::Partition;
use super::commands::{Payload, payload};
use crate::abi::Regs;
use crate::protocol::{FAILED, MEM_MAP, MEM_RECLAIM, MEM_RELINQUISH, MEM_RETRIEVE, MEM_SEND, OK};
use crate::rt::memory::{self, Pieces};

impl Partition {
    /// The commands of this chapter.
    pub(super) fn memory(&mut self, command: u16, request: &Regs) -> Payload {
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
