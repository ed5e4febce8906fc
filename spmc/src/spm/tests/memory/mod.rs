//! Memory management, as endpoints see it in their registers and buffers.
//!
//! Each mistake of a call has its error, whoever makes it, and leaves nothing behind: everything that
//! the map knows, every page that a partition sees and every byte of memory is compared.

mod constituents;
mod draft;
mod ends;
mod fragments;
mod give_back;
mod good;
mod hostile;
mod hypervisor;
mod offers;
mod permissions;
mod resources;
mod retrievals;
mod short;
mod state;

use draft::{Draft, NORMAL, NX, RO, RW, X, borrow, donate, lend, read, retrieve, share};
use state::State;

use super::fixture::*;
use crate::{
    context::Slot,
    locks,
    spm::{Next, memory::Shares},
};
use ffa_abi::{
    EndpointId,
    FfaError::{self, *},
    Version,
    fid::raw::{ERROR, SUCCESS_32},
    memory::{
        Access, AccessFlags, AccessPermissions, Attributes, Constituent, Handle, Relinquish,
        RelinquishFlags, Transaction, TransactionFlags,
    },
};
use std::collections::BTreeMap;

const PAGE: u64 = 4096;
const DONE: [u64; 1] = [SUCCESS_32 as u64];

const DONATE: u64 = 0x8400_0071;
const LEND: u64 = 0x8400_0072;
const SHARE: u64 = 0x8400_0073;
const RETRIEVE: u64 = 0x8400_0074;
const RETRIEVED: u64 = 0x8400_0075;
const RELINQUISH: u64 = 0x8400_0076;
const RECLAIM: u64 = 0x8400_0077;
const FRAG_RX: u64 = 0x8400_007a;
const FRAG_TX: u64 = 0x8400_007b;
/// What makes the 64-bit form of those that have one.
const WIDE: u64 = 1 << 30;

/// Pages of each pair of buffers.
const PAIR: u64 = 2;

/// Who makes the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The partition in this slot.
    Partition(Slot),
    /// The hypervisor itself.
    Hypervisor,
    /// A VM, whose calls the hypervisor passes on.
    Vm,
}

impl Who {
    /// Everybody who may send, with the partition in this slot.
    const ALL: [Self; 3] = [Self::Partition(A), Self::Hypervisor, Self::Vm];

    fn id(self) -> EndpointId {
        match self {
            Self::Partition(slot) => id(slot),
            Self::Hypervisor => EndpointId::HYPERVISOR,
            Self::Vm => VM,
        }
    }

    /// w4 of calls about fragments.
    fn w4(self) -> u64 {
        match self {
            Self::Partition(_) => 0,
            _ => u64::from(self.id().0) << 16,
        }
    }

    /// The start of memory that it owns, all of it writable: 8 pages behind its buffers.
    fn memory(self) -> u64 {
        match self {
            Self::Partition(slot) => Fake::memory(slot) + 6 * PAGE,
            _ => NORMAL_MEMORY.start + 0x1_0000,
        }
    }
}

impl Fixture {
    /// The usual partitions, all with a pair of buffers, and the normal world with one, at 1.2.
    fn with_pairs() -> Self {
        Self::pairs(Self::new())
    }

    fn pairs(mut f: Self) -> Self {
        let size = PAIR * PAGE;
        for slot in [A, B, C, OLD] {
            let base = Fake::memory(slot);
            let Self { spmc, machine, .. } = &mut f;
            let mapped = locks::run(|held| {
                spmc.map_of_partition(slot, base, base + size, PAIR as u32, machine, held)
            });
            assert_eq!(mapped, Ok(()));
        }
        let base = NORMAL_MEMORY.start;
        f.answered(frame(&[0xc400_0066, base, base + size, PAIR]), &DONE);
        f
    }

    /// Everything about memory, after the map was found to be sound, and what partitions see to be what
    /// it says.
    fn memory(&self) -> State {
        let map = locks::run(|held| {
            let memory = &self.spmc.memory;
            memory.with(held, |memory, _| {
                assert_eq!(memory.sharing.check(), Ok(()));
                for (handle, _) in &memory.heads {
                    let open = memory.sharing.find(*handle).map(|known| known.complete());
                    assert_eq!(open, Some(false), "what is noted of {handle:?}");
                }
                Box::new(memory.sharing.clone())
            })
        });
        let state = State {
            map,
            ground: self.machine.ground.clone(),
            pages: self.machine.pages.clone(),
        };
        state.agrees();
        state
    }

    fn buffers(&self) -> u64 {
        match self.now[self.pe] {
            Next::Partition(slot) => Fake::memory(slot),
            _ => NORMAL_MEMORY.start,
        }
    }

    /// Where TX of whoever has the core is.
    fn tx(&self) -> u64 {
        self.buffers()
    }

    fn rx(&self) -> u64 {
        self.buffers() + PAIR * PAGE
    }

    /// `who` has the core: a partition is run by the normal world for it.
    #[track_caller]
    fn turn_of(&mut self, who: Who) {
        let now = self.now[self.pe];
        match (who, now) {
            (Who::Partition(slot), Next::Partition(now)) if slot == now => return,
            (Who::Partition(_), Next::Partition(_)) | (_, Next::Partition(_)) => {
                self.sp(msg_wait());
            }
            _ => {}
        }
        if let Who::Partition(slot) = who {
            self.nwd_runs(slot);
        }
    }

    /// Puts bytes into TX of whoever has the core, and zero behind them.
    fn put(&mut self, bytes: &[u8]) {
        let (tx, size) = (self.tx(), (PAIR * PAGE) as usize);
        let mut all = vec![0; size];
        let length = bytes.len().min(size);
        all[..length].copy_from_slice(&bytes[..length]);
        self.machine.poke(tx, &all);
    }

    /// Makes a call, and gives x0-x7 of the answer or the error. An error has left nothing behind.
    #[track_caller]
    fn ask(&mut self, call: &[u64]) -> Result<[u64; 8], FfaError> {
        let before = self.memory();
        self.ask_ending(call, &before)
    }

    /// The same, where an error goes back to an earlier state of the map.
    #[track_caller]
    fn ask_ending(&mut self, call: &[u64], before: &State) -> Result<[u64; 8], FfaError> {
        let caller = self.now[self.pe];
        self.call(frame(call));
        assert_eq!(self.now[self.pe], caller, "who has the core");
        let answer = self.result();
        if answer[0] != u64::from(ERROR) {
            self.memory();
            return Ok(answer);
        }
        let now = self.memory();
        assert_eq!(now.map, before.map, "an error left something in the map");
        assert_eq!(now.ground, before.ground, "an error left something visible");
        assert!(now.pages_but_buffers() == before.pages_but_buffers());
        Err(FfaError::from_register(answer[2]).expect("a known error"))
    }

    /// `who` offers memory, in as many fragments as its TX wants; the handle or the error.
    #[track_caller]
    fn offer(&mut self, who: Who, fid: u64, draft: &Draft) -> Result<Handle, FfaError> {
        self.turn_of(who);
        let bytes = draft.bytes(self.version());
        let room = (PAIR * PAGE) as usize;
        let first = bytes.len().min(room);
        self.put(&bytes[..first]);
        let before = self.memory();
        let mut answer = self.ask(&[fid, bytes.len() as u64, first as u64])?;
        let mut sent = first;
        while answer[0] == FRAG_RX {
            assert_eq!(answer[3], sent as u64, "the offset that is wanted");
            assert_eq!(answer[4], who.w4());
            let length = (bytes.len() - sent).min(room);
            self.put(&bytes[sent..][..length]);
            let (low, high) = (answer[1], answer[2]);
            sent += length;
            let call = [FRAG_TX, low, high, length as u64, who.w4()];
            answer = self.ask_ending(&call, &before)?;
        }
        assert_eq!(answer[0], u64::from(SUCCESS_32));
        assert_eq!(sent, bytes.len());
        assert_eq!(answer[4..], [0; 4]);
        let handle = Handle(answer[3] << 32 | answer[2]);
        assert!(!handle.is_hypervisor());
        Ok(handle)
    }

    /// `who` retrieves; all of the answer, in its own layout, or the error. RX is released.
    #[track_caller]
    fn fetch(&mut self, who: Who, draft: &Draft) -> Result<Vec<u8>, FfaError> {
        self.turn_of(who);
        let bytes = draft.bytes(self.version());
        self.put(&bytes);
        let length = bytes.len() as u64;
        let answer = self.ask(&[RETRIEVE, length, length])?;
        assert_eq!(answer[0], RETRIEVED);
        assert_eq!(answer[3..], [0; 5]);
        let handle = Handle(draft.handle).words();
        let (total, mut length) = (answer[1] as usize, answer[2] as usize);
        let mut all = Vec::new();
        loop {
            let rx = self.rx();
            all.extend(self.machine.peek(rx, length));
            let rest = (PAIR * PAGE) as usize - length;
            assert_eq!(
                self.machine.peek(rx + length as u64, rest),
                vec![0; rest],
                "the rest of RX"
            );
            self.release();
            if all.len() >= total {
                break;
            }
            let (low, high) = (handle.0.into(), handle.1.into());
            let answer = self.ask(&[FRAG_RX, low, high, all.len() as u64])?;
            assert_eq!(answer[..3], [FRAG_TX, low, high]);
            length = answer[3] as usize;
        }
        assert_eq!(all.len(), total);
        Ok(all)
    }

    /// Whoever has the core releases RX.
    #[track_caller]
    fn release(&mut self) {
        self.answered(frame(&[0x8400_0065]), &DONE);
    }

    /// `who` gives back what `endpoint` had retrieved.
    #[track_caller]
    fn give_back(
        &mut self,
        who: Who,
        handle: Handle,
        endpoint: EndpointId,
        flags: u32,
    ) -> Result<(), FfaError> {
        self.turn_of(who);
        let mut bytes = [0; 18];
        let head = Relinquish {
            handle,
            flags: RelinquishFlags::from_bits_retain(flags),
            count: 1,
        };
        head.write(&[endpoint], &mut bytes).expect("a descriptor");
        self.put(&bytes);
        let answer = self.ask(&[RELINQUISH])?;
        assert_eq!(answer, [SUCCESS_32.into(), 0, 0, 0, 0, 0, 0, 0]);
        Ok(())
    }

    /// `who` takes back what it had given.
    #[track_caller]
    fn reclaim(&mut self, who: Who, handle: Handle, flags: u64) -> Result<(), FfaError> {
        self.turn_of(who);
        let (low, high) = handle.words();
        let answer = self.ask(&[RECLAIM, low.into(), high.into(), flags])?;
        assert_eq!(answer, [SUCCESS_32.into(), 0, 0, 0, 0, 0, 0, 0]);
        Ok(())
    }
}
