//! A party in the client's hands.

use super::wrong::{Check, Wrong};
use crate::abi::{self, ids};
use crate::client::{plain, told};
use crate::memory::block::Block;
use crate::memory::descriptor::Range;
use crate::memory::protocol::{
    self, CALL, COMPARE, COMPARE_ENTRIES, ENTRIES, FAULT, FETCH, FILL, LOAD, LOAD_32, OK, READ,
    SET, STORE, TOUCH, WRITE, WRONG_REGISTER,
};
use crate::memory::{PAGE, Who, ZEROES, hand};
use crate::rt;

/// Data abort, without a change of exception level.
const DATA_ABORT: u64 = 0x25;
/// Instruction abort, the same.
const INSTRUCTION_ABORT: u64 = 0x21;
/// The instruction `ret`, twice.
const RET: u64 = 0xd65f_03c0_d65f_03c0;

/// What a call came back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct Answer {
    /// w0-w3 (x1 and x2 in all their bits), w4.
    pub x: [u64; 5],
}

impl Answer {
    /// The error's code, if it is one.
    pub fn error(&self) -> Option<i32> {
        (self.x[0] == abi::ERROR.into()).then_some(self.x[2] as u32 as i32)
    }

    /// What identifies it: the error's code, or w0.
    pub fn what(&self) -> u64 {
        match self.error() {
            Some(code) => abi::code(code),
            None => self.x[0],
        }
    }

    /// It is FFA_SUCCESS; the handle in w2 and w3.
    pub fn handle(&self, who: &Party, step: &'static str) -> Result<u64, Wrong> {
        match self.x[0] as u32 == abi::SUCCESS_32 && self.x[1] == 0 && self.x[4] == 0 {
            true => Ok(self.x[2] | self.x[3] << 32),
            false => Err(who.wrong(step, self.what(), abi::SUCCESS_32.into())),
        }
    }

    /// It is this.
    pub fn is(&self, who: &Party, step: &'static str, id: u32) -> Check {
        who.equal(step, self.what(), id.into())
    }

    /// It is FFA_SUCCESS with nothing in it.
    pub fn done(&self, who: &Party, step: &'static str) -> Check {
        match self.handle(who, step)? {
            0 => Ok(()),
            more => Err(who.wrong(step, more, 0)),
        }
    }

    /// It is FFA_ERROR with this code.
    pub fn refused(&self, who: &Party, step: &'static str, code: i32) -> Check {
        match self.error() == Some(code) && self.x[1] == 0 && self.x[3] == 0 && self.x[4] == 0 {
            true => Ok(()),
            false => Err(who.wrong(step, self.what(), abi::code(code))),
        }
    }
}

/// A party.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Party {
    /// Who it is.
    pub who: Who,
    /// The client's id.
    pub client: u16,
}

impl Default for Party {
    /// Nobody in particular, where there is room for one more.
    fn default() -> Self {
        Self {
            who: Who::client(true, abi::V1_0),
            client: abi::HYPERVISOR,
        }
    }
}

impl Party {
    /// A step of this party's went wrong.
    pub fn wrong(&self, step: &'static str, got: u64, want: u64) -> Wrong {
        Wrong {
            step,
            who: self.who.name,
            got,
            want,
        }
    }

    /// It is what it must be.
    pub fn equal(&self, step: &'static str, got: u64, want: u64) -> Check {
        match got == want {
            true => Ok(()),
            false => Err(self.wrong(step, got, want)),
        }
    }

    /// Has a command done; gives status and details.
    pub fn ask(&self, command: u16, a: [u64; 4]) -> Result<hand::Answer, Wrong> {
        if self.who.is_client() {
            return Ok(hand::obey(command, a));
        }
        let [a, b, c, d] = a;
        let call = [
            ids(self.client, self.who.id),
            0,
            protocol::command(command),
            a,
            b,
            c,
            d,
        ];
        let mut regs = plain(abi::DIRECT_REQ_64, &call);
        // An interrupt of the normal world, or the end of its time: it goes on.
        while regs[0] == abi::INTERRUPT.into() {
            told::interrupted();
            regs = plain(abi::RUN, &[u64::from(self.who.id) << 16]);
        }
        if regs[0] != abi::DIRECT_RESP_64.into() {
            let got = match regs[0] == abi::ERROR.into() {
                true => regs[2],
                false => regs[0],
            };
            return Err(self.wrong("a request", got, abi::DIRECT_RESP_64.into()));
        }
        if regs[3] == rt::DEAD {
            return Err(self.wrong("it has died: see its last line", rt::DEAD, 0));
        }
        let mut details = [0; 4];
        details.copy_from_slice(&regs[4..8]);
        Ok((regs[3], details))
    }

    /// The same; everything but success is wrong.
    pub fn told(&self, step: &'static str, command: u16, a: [u64; 4]) -> Result<[u64; 4], Wrong> {
        match self.ask(command, a)? {
            (OK, details) => Ok(details),
            (FAULT, [_, far, ..]) => Err(self.wrong("a fault at", far, 0)),
            (WRONG_REGISTER, [register, got, want, _]) => Err(Wrong {
                step: super::wrong::register(register),
                who: self.who.name,
                got,
                want,
            }),
            (status, _) => Err(self.wrong(step, status, OK)),
        }
    }

    /// Makes a call with x1 and up to x7.
    pub fn call(&self, id: u32, arguments: &[u64]) -> Result<Answer, Wrong> {
        let mut x = [0; 8];
        x[0] = id.into();
        for (register, value) in x[1..].iter_mut().zip(arguments) {
            *register = *value;
        }
        let [a, b, c, d, e, f, g, h] = x;
        if [e, f, g, h] != [0; 4] {
            self.told("more registers", SET, [e, f, g, h])?;
        }
        let [x0, x1, x2, x3] = self.told("a call", CALL, [a, b, c, d])?;
        Ok(Answer {
            x: [x0 & 0xffff_ffff, x1, x2, x3, x0 >> 32],
        })
    }

    /// Writes a block.
    pub fn put(&self, at: u64, block: &Block) -> Check {
        // What is written beyond its end is zero; three words a time.
        for (at, words) in (at..).step_by(24).zip(block.words().chunks(3)) {
            let mut a = [at, 0, 0, 0];
            a[1..=words.len()].copy_from_slice(words);
            self.told("writing", WRITE, a)?;
        }
        Ok(())
    }

    /// Reads a block.
    pub fn get(&self, at: u64, bytes: u32) -> Result<Block, Wrong> {
        let mut block = Block::new();
        block.length = bytes.min(Block::capacity());
        for place in (0..block.length.div_ceil(8) as usize).step_by(4) {
            let words = self.told("reading", READ, [at + 8 * place as u64, 0, 0, 0])?;
            for (n, word) in words.into_iter().enumerate() {
                block.set_word(place + n, word);
            }
        }
        Ok(block)
    }

    /// Writes constituents.
    pub fn put_entries(&self, at: u64, entries: &Entries) -> Check {
        self.told("writing", ENTRIES, entries.arguments(at))?;
        Ok(())
    }

    /// There are these constituents.
    pub fn has_entries(&self, at: u64, entries: &Entries) -> Check {
        let [differ, place, got, want] =
            self.told("reading", COMPARE_ENTRIES, entries.arguments(at))?;
        let _ = place;
        match differ {
            0 => Ok(()),
            _ => Err(self.wrong("a constituent", got, want)),
        }
    }

    /// Fills pages.
    pub fn fill(&self, range: Range, seed: u64) -> Check {
        self.told("filling", FILL, [range.base, bytes(range), seed, 0])?;
        Ok(())
    }

    /// Pages hold what they were filled with.
    pub fn holds(&self, range: Range, seed: u64) -> Check {
        let a = [range.base, bytes(range), seed, 0];
        let [differ, _, got, want] = self.told("reading", COMPARE, a)?;
        match differ {
            0 => Ok(()),
            _ => Err(self.wrong("what is in memory", got, want)),
        }
    }

    /// Pages hold nothing.
    pub fn empty(&self, range: Range) -> Check {
        self.holds(range, ZEROES)
    }

    /// These bytes are zero: whole words.
    pub fn zeroes(&self, at: u64, bytes: u64) -> Check {
        let [differ, _, got, _] = self.told("reading", COMPARE, [at, bytes, ZEROES, 0])?;
        match differ {
            0 => Ok(()),
            _ => Err(self.wrong("what must be zero", got, 0)),
        }
    }

    fn touch(&self, at: u64, how: u64) -> Result<Option<[u64; 2]>, Wrong> {
        match self.ask(TOUCH, [at, how, RET, 0])? {
            (OK, _) => Ok(None),
            (FAULT, [esr, far, ..]) => Ok(Some([esr, far])),
            (status, _) => Err(self.wrong("an access", status, OK)),
        }
    }

    fn faults(&self, step: &'static str, at: u64, how: u64, class: u64) -> Check {
        match self.touch(at, how)? {
            None => Err(self.wrong(step, 0, at)),
            Some([esr, far]) => {
                self.equal("class of its fault", esr >> 26 & 0x3f, class)?;
                self.equal("address of its fault", far, at)
            }
        }
    }

    fn does(&self, step: &'static str, at: u64, how: u64) -> Check {
        match self.touch(at, how)? {
            None => Ok(()),
            Some([_, far]) => Err(self.wrong(step, far, 0)),
        }
    }

    /// Neither reads nor writes reach the first or the last page.
    pub fn cannot_reach(&self, range: Range) -> Check {
        for at in [range.base, range.base + bytes(range) - 8] {
            self.faults("it reads", at, LOAD, DATA_ABORT)?;
            self.faults("it writes", at, STORE, DATA_ABORT)?;
        }
        Ok(())
    }

    /// The same, if anything stands between this party and memory.
    pub fn has_lost(&self, range: Range) -> Check {
        match self.who.is_confined() {
            true => self.cannot_reach(range),
            false => Ok(()),
        }
    }

    /// Reads reach them, writes don't.
    pub fn only_reads(&self, range: Range) -> Check {
        for at in [range.base, range.base + bytes(range) - 8] {
            self.does("a fault of a read", at, LOAD)?;
            self.faults("it writes", at, STORE, DATA_ABORT)?;
        }
        Ok(())
    }

    /// The low byte of a device's register.
    pub fn register(&self, at: u64) -> Result<u64, Wrong> {
        match self.ask(TOUCH, [at, LOAD_32, 0, 0])? {
            (OK, [value, ..]) => Ok(value & 0xff),
            (FAULT, [_, far, ..]) => Err(self.wrong("a fault of a device's read", far, 0)),
            (status, _) => Err(self.wrong("an access", status, OK)),
        }
    }

    /// It does not reach a device.
    pub fn cannot_reach_device(&self, at: u64) -> Check {
        self.faults("it reads a device", at, LOAD_32, DATA_ABORT)
    }

    /// Nothing is executed there.
    pub fn cannot_execute(&self, range: Range) -> Check {
        self.faults("it executes", range.base, FETCH, INSTRUCTION_ABORT)
    }

    /// What it writes there is executed.
    pub fn executes(&self, range: Range) -> Check {
        self.does("a fault of a write", range.base, STORE)?;
        self.does("a fault of a fetch", range.base, FETCH)
    }
}

const fn bytes(range: Range) -> u64 {
    range.pages as u64 * PAGE
}

/// Constituents in a row.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Entries {
    /// The first one's address.
    pub base: u64,
    /// Pages of each.
    pub pages: u32,
    /// Bytes from one to the next; may be negative.
    pub stride: i64,
    /// How many.
    pub count: u32,
}

impl Entries {
    const fn arguments(&self, at: u64) -> [u64; 4] {
        [
            at,
            self.base,
            self.pages as u64 | (self.count as u64) << 32,
            self.stride as u64,
        ]
    }

    /// Those from this one on, this many.
    pub const fn part(&self, from: u32, count: u32) -> Self {
        Self {
            base: self
                .base
                .wrapping_add((self.stride as u64).wrapping_mul(from as u64)),
            count,
            ..*self
        }
    }
}
