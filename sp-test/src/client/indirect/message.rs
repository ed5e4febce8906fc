//! A message: how it lies in TX, how it must lie in RX.

use super::{Answer, Check, DELAY, Entry, Party, Pending, Suite, Wrong, get, named, nobody, told};
use crate::abi::{self, DENIED, UuidWords};
use crate::memory::block::Block;
use crate::memory::descriptor::Range;
use crate::memory::{Kind, PAGE};

/// No service.
pub const NIL: UuidWords = [0; 4];
/// What stood in RX before.
const OLD: u64 = 0x01d;

/// Bytes of a header.
pub const fn header_of(version: u32) -> u32 {
    if version < abi::V1_2 { 20 } else { 40 }
}

/// The service of a partition of these boots.
pub fn service_of(party: &Party) -> UuidWords {
    [0x7461_6e74, 0x6d65_6d6f, 0, party.who.id.into()]
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Flags of its header.
    pub flags: u32,
    /// The sender that it names.
    pub sender: u16,
    /// The receiver that it names.
    pub receiver: u16,
    /// Where its payload is in TX.
    pub offset: u32,
    /// Bytes of it.
    pub size: u32,
    /// The service that it is for.
    pub service: UuidWords,
    /// What the payload follows from.
    pub seed: u64,
}

/// The payload's byte with this number.
fn byte(seed: u64, n: u32) -> u64 {
    (seed
        .wrapping_add(n.into())
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        >> 41
        & 0xff)
        | 1
}

impl Message {
    /// One of so many bytes right behind its header.
    pub fn new(from: &Party, to: &Party, size: u32) -> Self {
        Self {
            flags: 0,
            sender: from.who.id,
            receiver: to.who.id,
            offset: header_of(from.who.version),
            size,
            service: NIL,
            seed: 0x51ee,
        }
    }

    /// Its payload elsewhere.
    pub fn at(self, offset: u32) -> Self {
        Self { offset, ..self }
    }

    /// The header in the layout of a version.
    fn header(&self, version: u32) -> Block {
        let mut block = Block::new();
        block.put(0, 4, self.flags.into());
        block.put(8, 4, self.offset.into());
        block.put(12, 2, self.receiver.into());
        block.put(14, 2, self.sender.into());
        block.put(16, 4, self.size.into());
        if header_of(version) == 40 {
            for (at, word) in (24..).step_by(4).zip(self.service) {
                block.put(at, 4, word.into());
            }
        }
        block.length = header_of(version);
        block
    }

    /// The bytes from `at` on, as many as a block has, of all that it is in the layout of a version: what is nowhere is
    /// zero.
    fn part(&self, version: u32, at: u32) -> Block {
        let mut block = match at {
            0 => self.header(version),
            _ => Block::new(),
        };
        block.length = Block::capacity();
        let end = self.offset.saturating_add(self.size);
        // A payload that begins in the header does not spoil it.
        let first = self.offset.max(at).max(header_of(version));
        for place in first..end.min(at + Block::capacity()) {
            block.put(place - at, 1, byte(self.seed, place - self.offset));
        }
        block
    }

    /// Writes it into the sender's TX: as much of its payload as there is room for.
    pub fn write(&self, from: &Party) -> Check {
        let room = from.who.buffers as u32 * PAGE as u32;
        let version = from.who.version;
        let mut end = self.offset.saturating_add(self.size).max(40);
        if end > room {
            // A payload that is not in TX: its beginning will do.
            end = 40;
        }
        for at in (0..end).step_by(Block::capacity() as usize) {
            let mut block = self.part(version, at);
            block.length = block.length.min(end - at);
            from.put(from.who.tx() + u64::from(at), &block)?;
        }
        Ok(())
    }

    /// How it must lie in the receiver's RX. Between VMs and partitions the hypervisor's version counts as well.
    pub fn arrived(&self, from: &Party, to: &Party) -> (Self, u32) {
        let mut arrived = *self;
        let between = from.who.is_partition() != to.who.is_partition();
        let by_hypervisor =
            between && from.who.kind != Kind::Hypervisor && to.who.kind != Kind::Hypervisor;
        let mut layout = to.who.version;
        if by_hypervisor {
            arrived.offset = arrived.offset.max(header_of(abi::V1_2));
            if !to.who.is_partition() {
                layout = abi::V1_2;
            }
        }
        arrived.offset = arrived.offset.max(header_of(layout));
        (arrived, layout)
    }

    /// It lies in the receiver's RX, and nothing else.
    pub fn lies(&self, from: &Party, to: &Party) -> Check {
        let (arrived, layout) = self.arrived(from, to);
        let rx = to.who.rx();
        let room = to.who.buffers as u32 * PAGE as u32;
        let end = (arrived.offset + arrived.size).div_ceil(8) * 8;
        for at in (0..end).step_by(Block::capacity() as usize) {
            let wanted = arrived.part(layout, at);
            let bytes = (end - at).min(Block::capacity());
            let got = to.get(rx + u64::from(at), bytes)?;
            for (got, want) in got.words().iter().zip(wanted.words()) {
                to.equal("a word of RX", *got, *want)?;
            }
        }
        // What is behind it: whole words.
        to.zeroes(rx + u64::from(end), u64::from(room - end))
    }
}

/// Writes something into RX that must not be there afterwards.
pub fn soil(to: &Party) -> Check {
    to.fill(all_of_rx(to), OLD)
}

/// RX holds what was there before.
pub fn soiled(to: &Party) -> Check {
    to.holds(all_of_rx(to), OLD)
}

fn all_of_rx(to: &Party) -> Range {
    Range {
        base: to.who.rx(),
        pages: to.who.buffers as u32,
    }
}

/// FFA_MSG_SEND2 with w1 and w2.
pub fn call(from: &Party, w1: u64, w2: u64) -> Result<Answer, Wrong> {
    from.call(abi::MSG_SEND2, &[w1, w2])
}

/// Writes a message and sends it.
pub fn send(from: &Party, message: &Message, w2: u64) -> Check {
    message.write(from)?;
    call(from, 0, w2)?.done(from, "FFA_MSG_SEND2")
}

/// What a receiver reads of its full RX.
pub fn full(from: &Party, to: &Party) -> Pending {
    let mut pending = Pending::default();
    let between_vms = !from.who.is_partition() && !to.who.is_partition();
    match between_vms {
        true => pending.hypervisor = 1,
        false => pending.spm = 1,
    }
    pending
}

/// Who has it reads that it has it, and gives its RX back.
pub fn takes(from: &Party, to: &Party) -> Check {
    get(to)?.is(to, &full(from, to))?;
    release(to)
}

/// FFA_RX_RELEASE.
pub fn release(to: &Party) -> Check {
    to.call(abi::RX_RELEASE, &[])?.done(to, "FFA_RX_RELEASE")
}

/// A message is sent, announced, read, and the buffer given back; nothing is left of it.
pub fn delivered(suite: &Suite, from: &Party, to: &Party, message: &Message) -> Check {
    soil(to)?;
    send(from, message, 0)?;
    super::told_of(suite, true)?;
    named(suite, &[Entry::whole(to.who.id)])?;
    message.lies(from, to)?;
    takes(from, to)?;
    told::take();
    nothing(suite, to)
}

/// There is nothing in RX, nothing is pending, and a message comes through.
pub fn nothing(suite: &Suite, to: &Party) -> Check {
    to.call(abi::RX_RELEASE, &[])?
        .refused(to, "FFA_RX_RELEASE of an empty RX", DENIED)?;
    nobody(suite)
}

/// w2 of FFA_MSG_SEND2: the schedule receiver interrupt may wait.
pub const DELAYED: u64 = DELAY;
