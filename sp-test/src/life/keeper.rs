//! The partition `sp-keep`: counts the lives of others, and keeps for each what its next one is for.

use super::{BORN, KEEP, LIVES, Order, parse};
use crate::abi::{self, Regs};
use crate::partition::{query, respond};
use crate::protocol::{OK, UNKNOWN};
use crate::rt::{
    call::{self, Conduit},
    entry::Boot,
};

/// What is kept for one partition.
#[derive(Clone, Copy)]
struct Kept {
    lives: u64,
    order: Order,
    argument: u64,
}

/// Runs the partition.
pub fn run(boot: &Boot) -> ! {
    query(abi::VERSION, abi::V1_3.into());
    crate::say!("sp-keep up, at {:#x}", boot.base);
    let mut kept = [Kept {
        lives: 0,
        order: Order::Live,
        argument: 0,
    }; 32];
    let mut regs = [0; 18];
    regs[0] = abi::MSG_WAIT.into();
    loop {
        call::call(Conduit::Smc, &mut regs);
        regs = match regs[0] as u32 {
            abi::DIRECT_REQ2 => answer(&mut kept, &regs),
            // A wait would be refused to one that owes an answer.
            abi::DIRECT_REQ_64 => respond(abi::DIRECT_RESP_64, &regs),
            abi::DIRECT_REQ_32 => respond(abi::DIRECT_RESP_32, &regs),
            _ => {
                let mut wait = [0; 18];
                wait[0] = abi::MSG_WAIT.into();
                wait
            }
        };
    }
}

fn answer(kept: &mut [Kept; 32], request: &Regs) -> Regs {
    let mut regs = respond(abi::DIRECT_RESP2, request);
    let command = parse(request[4]);
    let of = match command {
        Some(BORN) => request[1] >> 16,
        _ => request[5],
    };
    let Some(kept) = kept.get_mut(of as usize & 0x1f) else {
        return regs;
    };
    regs[4] = OK;
    match command {
        Some(KEEP) => {
            kept.order = Order::from_number(request[6]);
            kept.argument = request[7];
        }
        Some(BORN) => {
            kept.lives += 1;
            regs[5] = kept.order as u64;
            regs[6] = kept.argument;
            regs[7] = kept.lives;
            kept.order = Order::Live;
        }
        Some(LIVES) => regs[5] = kept.lives,
        _ => regs[4] = UNKNOWN,
    }
    regs
}
