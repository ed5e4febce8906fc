//! What is said to whom: random, but never a request that could come back to somebody who waits for its answer.

use crate::abi;
use crate::interrupts::{CONTEXTS, SINGLE, SRI_LEAVING, SRI_WAITING};
use crate::random::Random;
use crate::storm::order::Order;
use crate::storm::{PEERS, Peer};

/// Members of a chain of requests at most, beside this client.
const DEPTH: usize = 4;
/// The longest spin in microseconds.
const SPIN: u64 = 400;

/// A message.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Who gets it.
    pub peer: Peer,
    /// Its identifier.
    pub id: u32,
    /// Its payload. The first words are orders.
    pub words: [u64; 14],
    /// Somebody else gets a part of it.
    pub is_chain: bool,
}

impl Message {
    /// Any message of this core.
    pub fn random(random: &mut Random, core: u64, interrupts: bool) -> Self {
        let mut words = [0; 14];
        random.fill(&mut words);
        let mut chain = Chain {
            random,
            core,
            interrupts,
            used: 0,
        };
        let peer = chain.next_peer();
        let mut last = peer;
        let mut depth = 0;
        for word in words.iter_mut().take(DEPTH) {
            depth += 1;
            let (order, next) = chain.order(last, depth < DEPTH);
            *word = order.encode(chain.random.next() as u16) | *word << 32;
            match next {
                Some(next) => last = next,
                None => break,
            }
        }
        let id = match random.next() % 3 {
            0 => abi::DIRECT_REQ_32,
            1 => abi::DIRECT_REQ_64,
            _ => abi::DIRECT_REQ2,
        };
        Self {
            peer,
            id,
            words,
            is_chain: depth > 1,
        }
    }

    /// One that has `peer` carry out an order.
    pub fn order(random: &mut Random, peer: Peer, order: Order) -> Self {
        let mut words = [0; 14];
        random.fill(&mut words);
        words[0] = order.encode(words[0] as u16);
        Self {
            peer,
            id: abi::DIRECT_REQ_64,
            words,
            is_chain: false,
        }
    }
}

struct Chain<'a> {
    random: &'a mut Random,
    core: u64,
    interrupts: bool,
    /// A bit for each peer that is in it.
    used: u32,
}

impl Chain<'_> {
    /// Somebody who is not in it. Those that ask the normal world for cycles get all of them from the boot core.
    fn next_peer(&mut self) -> Peer {
        loop {
            let number = (self.random.next() % PEERS as u64) as usize;
            let Some(peer) = Peer::of(number) else {
                continue;
            };
            let asks = peer.id == SRI_WAITING.id || peer.id == SRI_LEAVING.id;
            if self.used & 1 << number == 0 && (self.core == 0 || !asks) {
                self.used |= 1 << number;
                return peer;
            }
        }
    }

    /// What `peer` does, and whom it calls.
    fn order(&mut self, peer: Peer, more: bool) -> (Order, Option<Peer>) {
        if !peer.obeys() {
            return (Order::Answer, None);
        }
        let argument = self.random.next();
        let spin = (argument % SPIN) as u16;
        match self.random.next() % 16 {
            0..=4 if more => {
                let next = self.next_peer();
                (Order::Call(next.number() as u16), Some(next))
            }
            5 | 6 => (Order::Spin(spin), None),
            7 => (Order::SpinMasked(spin / 2), None),
            8 => (Order::SpinWithVectors(spin / 2), None),
            9 => (Order::Yield(1 + (argument % 3) as u16), None),
            10 | 11 if self.interrupts => (Order::Arm((argument % 400) as u16), None),
            12 if self.interrupts && peer.many => (Order::Ipi((argument % CONTEXTS) as u16), None),
            13 | 14 if self.interrupts && peer.id == SINGLE.id => {
                (Order::Route(self.core as u16), None)
            }
            _ => (Order::Answer, None),
        }
    }
}
