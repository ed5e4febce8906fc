//! Memory management, as endpoints see it in their registers and buffers.
//!
//! Each mistake of a call has its error, whoever makes it, and leaves nothing behind: everything that
//! the map knows, every page that a partition sees and every byte of memory is compared.

mod ends;
mod fragments;
mod give_back;
mod good;
mod hostile;
mod offers;
mod retrievals;

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
        Access, AccessFlags, AccessPermissions, Attributes, Constituent, DataAccess, Handle,
        InstructionAccess, Relinquish, RelinquishFlags, Transaction, TransactionFlags,
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

/// A descriptor to be written.
#[derive(Clone, Debug)]
struct Draft {
    sender: EndpointId,
    attributes: u16,
    flags: u32,
    handle: u64,
    tag: u64,
    /// Ids and permissions.
    receivers: Vec<(u16, u8)>,
    implementation: [u8; 16],
    /// Addresses and numbers of pages.
    parts: Vec<(u64, u32)>,
    /// Changed when all is written.
    pokes: Vec<(usize, u32)>,
}

const RW: u8 = 2;
const RO: u8 = 1;
const NX: u8 = 4;
const X: u8 = 8;
const NORMAL: u16 = 0x2f;

/// Sharing one page with a partition.
fn share(who: Who, to: Slot) -> Draft {
    Draft {
        sender: who.id(),
        attributes: NORMAL,
        flags: 0,
        handle: 0,
        tag: 0x77,
        receivers: vec![(id(to).0, RW)],
        implementation: [0; 16],
        parts: vec![(who.memory(), 1)],
        pokes: Vec::new(),
    }
}

/// Lending it.
fn lend(who: Who, to: Slot) -> Draft {
    Draft {
        attributes: 0,
        ..share(who, to)
    }
}

/// Donating it.
fn donate(who: Who, to: Slot) -> Draft {
    Draft {
        receivers: vec![(id(to).0, 0)],
        ..lend(who, to)
    }
}

/// Retrieving what was shared by `who` with `to`, so.
fn retrieve(who: Who, to: Slot, handle: Handle) -> Draft {
    Draft {
        handle: handle.0,
        parts: Vec::new(),
        ..share(who, to)
    }
}

/// Retrieving what was lent or donated to `to` alone.
fn borrow(who: Who, to: Slot, handle: Handle) -> Draft {
    Draft {
        receivers: vec![(id(to).0, RW | NX)],
        ..retrieve(who, to, handle)
    }
}

impl Draft {
    fn parts(self, parts: &[(u64, u32)]) -> Self {
        Self {
            parts: parts.to_vec(),
            ..self
        }
    }

    fn to(self, receivers: &[(u16, u8)]) -> Self {
        Self {
            receivers: receivers.to_vec(),
            ..self
        }
    }

    fn flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    fn attributes(self, attributes: u16) -> Self {
        Self { attributes, ..self }
    }

    fn poke(mut self, at: usize, value: u32) -> Self {
        self.pokes.push((at, value));
        self
    }

    fn bytes(&self, version: Version) -> Vec<u8> {
        let header = Transaction {
            flags: TransactionFlags::from_bits_retain(self.flags),
            handle: Handle(self.handle),
            tag: self.tag,
            ..Transaction::new(version, self.sender, Attributes(self.attributes))
        };
        let accesses: Vec<_> = self
            .receivers
            .iter()
            .map(|(endpoint, permissions)| Access {
                endpoint: EndpointId(*endpoint),
                permissions: AccessPermissions(*permissions),
                flags: AccessFlags::empty(),
                composite_offset: 0,
                implementation: self.implementation,
            })
            .collect();
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|(base, pages)| Constituent {
                base: *base,
                pages: *pages,
            })
            .collect();
        let mut bytes = vec![0; 64 * 1024];
        let size = header.write_all(version, &accesses, &parts, &mut bytes);
        bytes.truncate(size.expect("a descriptor"));
        for (at, value) in &self.pokes {
            bytes[*at..][..4].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }
}

/// Everything about memory.
#[derive(Clone, PartialEq)]
struct State {
    map: Box<Shares>,
    ground: Ground,
    pages: BTreeMap<u64, Vec<u8>>,
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
        f.answered(
            frame(&[0xc400_0066, base, base + size, PAIR]),
            &DONE,
        );
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
    fn take(&mut self, who: Who, draft: &Draft) -> Result<Vec<u8>, FfaError> {
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

impl State {
    /// All memory but what lies in TX buffers, which tests write between calls.
    fn pages_but_buffers(&self) -> BTreeMap<u64, &Vec<u8>> {
        let buffers = [A, B, C, OLD].map(Fake::memory);
        let starts = buffers.into_iter().chain([NORMAL_MEMORY.start]);
        let starts: Vec<_> = starts.collect();
        let is_tx = |page: u64| starts.iter().any(|tx| (*tx..tx + PAIR * PAGE).contains(&page));
        let pages = self.pages.iter().filter(|(page, _)| !is_tx(**page));
        pages.map(|(page, bytes)| (*page, bytes)).collect()
    }

    /// What partitions see is what the map says.
    fn agrees(&self) {
        let mut granted = std::collections::BTreeSet::new();
        let mut hidden = std::collections::BTreeSet::new();
        for known in self.map.transactions() {
            let pages = || {
                let pieces = self.map.pieces(known.handle());
                pieces.flat_map(|part| (0..part.count).map(move |n| part.base + n * PAGE))
            };
            for borrower in known.receivers() {
                let party = borrower.receiver().party.map_or(0, |party| party.0);
                if borrower.retrievals() != 0 && party != 0 {
                    granted.extend(pages().map(|page| (party - 1, page)));
                }
            }
            let kind = known.kind();
            let hides = kind != ffa_abi::memory::TransactionKind::Share;
            if known.complete() && !known.donated() && hides && known.owner().0 != 0 {
                hidden.extend(pages().map(|page| (known.owner().0 - 1, page)));
            }
        }
        assert_eq!(self.ground.hidden, hidden, "hidden pages");
        let seen: std::collections::BTreeSet<_> = self
            .ground
            .granted
            .keys()
            .copied()
            .filter(|(slot, page)| !self.owns(*slot, *page))
            .collect();
        let wanted: std::collections::BTreeSet<_> = granted
            .into_iter()
            .filter(|(slot, page)| !self.owns(*slot, *page))
            .collect();
        assert_eq!(seen, wanted, "granted pages");
    }

    fn owns(&self, slot: u8, page: u64) -> bool {
        let pages = ffa_abi::sharing::Pages::new(page, 1).expect("a page");
        let party = ffa_abi::sharing::Party(slot + 1);
        self.map
            .regions_of(party)
            .any(|region| region.pages.contains(pages))
    }
}

/// What an answer says: header, receivers with permissions, constituents.
fn read(version: Version, bytes: &[u8]) -> (Transaction, Vec<(u16, u8)>, Vec<(u64, u32)>) {
    let header = Transaction::read(version, bytes).expect("a header");
    let accesses: Vec<_> = header.accesses(bytes).expect("receivers").collect();
    let at = accesses[0].composite_offset;
    let composite = ffa_abi::memory::Composite::read(bytes, at).expect("a composite region");
    let parts: Vec<_> = composite
        .constituents(bytes, at)
        .map(|part| (part.base, part.pages))
        .collect();
    assert_eq!(parts.len(), composite.count as usize);
    let pages: u32 = parts.iter().map(|(_, pages)| pages).sum();
    assert_eq!(pages, composite.pages);
    let receivers = accesses
        .iter()
        .map(|access| (access.endpoint.0, access.permissions.0))
        .collect();
    (header, receivers, parts)
}
