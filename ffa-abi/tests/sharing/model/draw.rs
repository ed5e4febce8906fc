//! Random calls: mostly such as succeed, and all kinds of slips.

use super::naive::PARTIES;
use super::{ALL, LAYOUT, Trial, naive};
use crate::rig::*;
use ffa_abi::{
    EndpointId,
    memory::{Attributes, DataAccess, Handle, InstructionAccess, TransactionFlags},
    sharing::{Party, Retrieve, Send},
};

impl Trial {
    /// Somebody: a party, and its id.
    pub fn somebody(&mut self) -> (usize, EndpointId) {
        let party = self.random.below(PARTIES);
        let id = match party {
            0 => 1 + self.random.below(2) as u16,
            _ => 0x8000 + party as u16,
        };
        (party, EndpointId(id))
    }

    pub fn parts(&mut self, owner: usize) -> Vec<(u64, u32)> {
        let mut parts = Vec::new();
        let own: Vec<_> = LAYOUT.iter().filter(|it| it.0 == owner).collect();
        let (_, first, count, _) = *self.random.of(&own);
        for _ in 0..self.random.of(&[1, 1, 1, 2, 3]) {
            let from = if self.random.rarely(12) {
                self.random.below(ALL) as u64
            } else {
                first + self.random.below(count as usize) as u64
            };
            let most = self.random.of(&[1, 1, 4]);
            let count = 1 + self.random.below(most) as u32;
            parts.push((from * 0x1000, count));
        }
        if self.random.rarely(40) {
            let at = self.random.below(parts.len());
            parts[at] = self.random.of(&[
                (parts[at].0 + 0x10, 1),
                (parts[at].0, 0),
                (0x7000_0000, 3),
                (parts[at].0, 0x10000),
            ]);
        }
        parts
    }

    pub fn send(&mut self, owner: usize, sender: EndpointId, parts: &[(u64, u32)]) -> Send {
        let kind = self.random.of(&[Share, Lend, Lend, Donate]);
        let first = self.naive.pages.get((parts[0].0 / 0x1000) as usize);
        let writable = first.is_none_or(|it| it.write);
        let mut to = Vec::new();
        for party in (0..PARTIES).filter(|party| *party != owner) {
            let id = if party == 0 {
                VM2
            } else {
                EndpointId(0x8000 + party as u16)
            };
            // The normal world has no tables here, and is given nothing.
            if party != 0 || (kind != Donate && self.random.rarely(6)) {
                to.push(receiver(id, Some(Party(party as u8)), ReadWrite));
            }
        }
        let one = to.len() == 1 || kind == Donate || self.random.rarely(2);
        if one {
            to = vec![self.random.of(&to)];
        }
        for it in &mut to {
            if kind == Donate {
                it.data = DataAccess::Unspecified;
            } else if self.random.rarely(3) || !writable && !self.random.rarely(8) {
                it.data = ReadOnly;
            }
            it.implementation = self.random.of(&[None, None, Some([1; 16]), Some([2; 16])]);
        }
        let sum: u64 = parts.iter().map(|part| u64::from(part.1)).sum();
        let mut send = Send {
            kind,
            sender,
            attributes: Attributes(self.random.of(&[3, 3, 0x2f, 0x13])),
            flags: TransactionFlags::empty(),
            tag: self.random.below(2) as u64,
            receivers: to.into_iter().collect(),
            pages: sum as u32,
            count: parts.len() as u32,
        };
        send.flags.set(
            TransactionFlags::ZERO,
            kind != Share && self.random.rarely(3),
        );
        if self.random.rarely(40) {
            (send.pages, send.count) = (send.pages + 1, send.count);
        }
        if self.random.rarely(40) {
            send.count += self.random.of(&[1, 20, 100, 1000]);
            send.pages += send.count;
        }
        send.pages = send.pages.max(1);
        send
    }

    /// A handle of a transaction that is so, if there is one; else any.
    pub fn handle_of(&mut self, is: fn(&naive::Deal) -> bool) -> Handle {
        let live = self.naive.deals.iter().flatten().filter(|it| is(it));
        let live: Vec<_> = live.map(|it| it.handle).collect();
        if live.is_empty() || self.random.rarely(6) {
            return self.handle();
        }
        self.random.of(&live)
    }

    /// A handle that there is, or was.
    pub fn handle(&mut self) -> Handle {
        let live: Vec<_> = self
            .naive
            .deals
            .iter()
            .flatten()
            .map(|it| it.handle)
            .collect();
        if live.is_empty() || self.random.rarely(30) {
            return Handle(self.random.below(1 << 20) as u64);
        }
        self.random.of(&live)
    }

    pub fn request(&mut self, handle: Handle) -> (usize, Retrieve) {
        let (party, id) = self.somebody();
        let Some(it) = self.map.find(handle) else {
            let none = Retrieve {
                handle,
                caller: id,
                sender: id,
                attributes: Attributes(0),
                flags: TransactionFlags::empty(),
                tag: 0,
                receivers: Default::default(),
            };
            return (party, none);
        };
        let mut request = wish(it, id);
        let mut who = party;
        if !self.random.rarely(8) {
            let to = it.receivers()[self.random.below(it.receivers().len())].receiver();
            (who, request.caller) = (to.party.unwrap().index(), to.endpoint);
        }
        let lent = it.kind() == Lend;
        if self.random.rarely(8) {
            request.flags |= TransactionFlags::BYPASS_BORROWERS;
            let caller = request.caller;
            request.receivers.retain(|it| it.endpoint == caller);
        }
        if lent && self.random.rarely(5) {
            request.flags |= TransactionFlags::ZERO_AFTER_RELINQUISH;
        }
        if it.flags().contains(TransactionFlags::ZERO) && self.random.rarely(3) {
            request.flags |= TransactionFlags::ZERO;
        }
        for _ in 0..self.random.below(6) / 2 {
            self.spoil(&mut request);
        }
        (who, request)
    }

    fn spoil(&mut self, request: &mut Retrieve) {
        let entry = match request.receivers.len() {
            0 => return,
            len => self.random.below(len),
        };
        let (_, id) = self.somebody();
        match self.random.below(16) {
            0 => request.sender = id,
            1 => request.tag ^= 1,
            2 => request.flags |= TransactionFlags::from_bits_retain(1 << self.random.below(32)),
            3 => request.flags = TransactionFlags::empty(),
            4 => {
                let all = [0, 3, 0x2f, 0x13, 0x6f, 0x2c, 0x17];
                request.attributes = Attributes(self.random.of(&all));
            }
            5 => request.receivers[entry].endpoint = id,
            6 => {
                request.receivers.pop();
            }
            7..=10 => {
                let all = [DataAccess::Unspecified, ReadOnly, ReadWrite];
                request.receivers[entry].data = self.random.of(&all);
            }
            11..=13 => {
                let all = [InstructionAccess::Unspecified, NotExecutable, Executable];
                request.receivers[entry].instruction = self.random.of(&all);
            }
            _ => {
                let all = [None, Some([1; 16]), Some([2; 16])];
                request.receivers[entry].implementation = self.random.of(&all);
            }
        }
    }
}
