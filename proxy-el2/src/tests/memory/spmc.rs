//! An SPMC as far as memory is concerned: what a hypervisor sends it, and partitions that retrieve and relinquish. It
//! reads descriptors byte by byte, by the tables of the specification.

use super::super::spmc::{INFO_GET, RX_RELEASE};
use ffa_abi::{
    FfaError::{self, *},
    Regs, Version,
    fid::raw::*,
};
use std::collections::BTreeMap;

pub(super) const MEM_DONATE: u32 = 0x8400_0071;
pub(super) const MEM_LEND: u32 = 0x8400_0072;
pub(super) const MEM_SHARE: u32 = 0x8400_0073;
pub(super) const MEM_RETRIEVE_REQ: u32 = 0x8400_0074;
pub(super) const MEM_RETRIEVE_RESP: u32 = 0x8400_0075;
pub(super) const MEM_RELINQUISH: u32 = 0x8400_0076;
pub(super) const MEM_RECLAIM: u32 = 0x8400_0077;
pub(super) const MEM_FRAG_RX: u32 = 0x8400_007a;
pub(super) const MEM_FRAG_TX: u32 = 0x8400_007b;

/// When it finds that a constituent can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// As soon as it has it.
    AtOnce,
    /// When it has all of them.
    AtTheEnd,
    /// As that, and it takes so many fragments at most.
    Fragments(usize),
}

/// What it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub fid: u32,
    pub sender: u16,
    pub attributes: u16,
    pub flags: u32,
    pub tag: u64,
    /// Id, permissions, flags, implementation defined value.
    pub receivers: Vec<(u16, u8, u8, [u8; 16])>,
    pub pages: u32,
    pub count: u32,
    /// Address and pages.
    pub parts: Vec<(u64, u32)>,
    /// Bytes of the descriptor, and those that have come.
    pub total: usize,
    pub come: usize,
    pub fragments: usize,
    /// A partition has it.
    pub retrieved: bool,
}

impl Sent {
    pub fn is_complete(&self) -> bool {
        self.come == self.total
    }

    /// The addresses of its pages.
    pub fn addresses(&self) -> impl Iterator<Item = u64> + '_ {
        let parts = self.parts.iter();
        parts.flat_map(|(base, pages)| (0..u64::from(*pages)).map(move |n| base + n * 0x1000))
    }
}

/// What it does instead of answering.
#[derive(Clone, Copy, Debug)]
pub(super) enum Instead {
    /// It refuses, and drops what it has of the transaction.
    Refuses(FfaError),
    /// It answers with these registers, whatever it has done.
    Says([u64; 5]),
}

pub(super) struct Spmc {
    /// The version that the proxy has negotiated.
    pub version: Version,
    pub looks: Looks,
    pub next: u64,
    pub sent: BTreeMap<u64, Sent>,
    /// What was donated, and retrieved.
    pub donated: Vec<Sent>,
    pub asked: Vec<Regs>,
    /// At which call about memory, and what then.
    pub instead: Option<(usize, Instead)>,
    /// How many calls to reclaim it is too busy for.
    pub busy: usize,
}

fn success(w2: u64, w3: u64) -> Regs {
    Regs::eight([SUCCESS_32.into(), 0, w2, w3, 0, 0, 0, 0])
}

fn error(error: FfaError) -> Regs {
    Regs::eight([ERROR.into(), 0, error.register(), 0, 0, 0, 0, 0])
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | u64::from(*byte))
}

impl Spmc {
    pub fn new(version: Version) -> Self {
        Self {
            version,
            looks: Looks::AtOnce,
            next: 0x1_0000_0007,
            sent: BTreeMap::new(),
            donated: Vec::new(),
            asked: Vec::new(),
            instead: None,
            busy: 0,
        }
    }

    /// The proxy calls; `tx` is its TX.
    pub fn call(&mut self, regs: &mut Regs, tx: &[u8]) {
        if matches!(regs.w::<0>(), INFO_GET | RX_RELEASE) {
            // There is no partition to be told of VMs.
            *regs = error(InvalidParameters);
            return;
        }
        self.asked.push(*regs);
        let instead = match &mut self.instead {
            Some((0, _)) => self.instead.take().map(|(_, instead)| instead),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        let fid = regs.w::<0>();
        let handle = regs[1] & 0xffff_ffff | regs[2] << 32;
        if let Some(Instead::Refuses(refused)) = instead {
            if fid == MEM_FRAG_TX {
                self.sent.remove(&handle);
            }
            *regs = error(refused);
            return;
        }
        let answer = match fid {
            MEM_SHARE | MEM_LEND | MEM_DONATE => self.first(fid, regs, tx),
            MEM_FRAG_TX => {
                let sender = (regs[4] >> 16) as u16;
                assert_eq!(regs[4] & 0xffff, 0);
                self.more(handle, sender, &tx[..regs.w::<3>() as usize])
            }
            MEM_RECLAIM => self.reclaim(handle, regs.w::<3>()),
            _ => panic!("{regs:x?}"),
        };
        *regs = answer.unwrap_or_else(error);
        if let Some(Instead::Says(x)) = instead {
            *regs = Regs::ZERO;
            regs.0[..5].copy_from_slice(&x);
        }
    }

    fn first(&mut self, fid: u32, regs: &Regs, tx: &[u8]) -> Result<Regs, FfaError> {
        let (total, length) = (regs.w::<1>() as usize, regs.w::<2>() as usize);
        assert_eq!(regs.0[3..], [0; 15]);
        assert!(length <= total && length <= 4096 && length <= tx.len());
        let old = self.version < Version::V1_1;
        let bytes = &tx[..length];
        let at = |offset: usize, size| number(&bytes[offset..offset + size]);
        let (size, offset) = match old {
            true => (16, 32),
            false => (at(24, 4) as usize, at(32, 4) as usize),
        };
        let wanted = if self.version < Version::V1_2 { 16 } else { 32 };
        assert_eq!((size, at(8, 8)), (wanted, 0));
        if !old {
            assert_eq!((offset, number(&bytes[36..48])), (48, 0));
        }
        let receivers: Vec<_> = (0..at(28, 4) as usize)
            .map(|n| {
                let start = offset + n * size;
                let mut value = [0; 16];
                if size == 32 {
                    value.copy_from_slice(&bytes[start + 8..start + 24]);
                }
                let composite = at(start + 4, 4) as usize;
                assert_eq!(composite, offset + at(28, 4) as usize * size);
                let access = (
                    at(start, 2) as u16,
                    bytes[start + 2],
                    bytes[start + 3],
                    value,
                );
                assert!(access.0 >= 0x8000, "no partition");
                access
            })
            .collect();
        let composite = offset + receivers.len() * size;
        let mut sent = Sent {
            fid,
            sender: at(0, 2) as u16,
            attributes: at(2, if old { 1 } else { 2 }) as u16,
            flags: at(4, 4) as u32,
            tag: at(16, 8),
            receivers,
            pages: at(composite, 4) as u32,
            count: at(composite + 4, 4) as u32,
            total,
            come: composite + 16,
            ..Sent::default()
        };
        assert!((1..0x8000).contains(&sent.sender), "in whose name?");
        assert_eq!(total, composite + 16 + 16 * sent.count as usize);
        if sent.receivers.iter().any(|access| access.0 == 0x80ff) {
            return Err(InvalidParameters);
        }
        sent.come = composite + 16;
        let handle = self.next;
        self.next += 0x1_0000_0001;
        self.sent.insert(handle, sent);
        let sender = self.sent[&handle].sender;
        self.more(handle, sender, &bytes[composite + 16..])
    }

    fn more(&mut self, handle: u64, sender: u16, bytes: &[u8]) -> Result<Regs, FfaError> {
        let sent = self.sent.get_mut(&handle).ok_or(InvalidParameters)?;
        let over = sent.come + bytes.len() > sent.total;
        if sent.sender != sender || sent.is_complete() || over || !bytes.len().is_multiple_of(16) {
            return Err(InvalidParameters);
        }
        sent.fragments += 1;
        if let Looks::Fragments(most) = self.looks
            && sent.fragments > most
        {
            self.sent.remove(&handle);
            return Err(NoMemory);
        }
        for part in bytes.chunks(16) {
            let (base, pages) = (number(&part[..8]), number(&part[8..12]) as u32);
            assert_eq!(number(&part[12..]), 0, "reserved");
            sent.parts.push((base, pages));
        }
        sent.come += bytes.len();
        let good = |(base, pages): &(u64, u32)| base.is_multiple_of(4096) && *pages != 0;
        let complete = sent.is_complete();
        let sum: u32 = sent.parts.iter().map(|(_, pages)| *pages).sum();
        if (complete || self.looks == Looks::AtOnce) && !sent.parts.iter().all(good)
            || complete && sum != sent.pages
        {
            self.sent.remove(&handle);
            return Err(InvalidParameters);
        }
        let (low, high) = (handle & 0xffff_ffff, handle >> 32);
        Ok(match complete {
            true => success(low, high),
            false => Regs::eight([
                MEM_FRAG_RX.into(),
                low,
                high,
                sent.come as u64,
                u64::from(sender) << 16,
                0,
                0,
                0,
            ]),
        })
    }

    fn reclaim(&mut self, handle: u64, flags: u32) -> Result<Regs, FfaError> {
        assert!(flags <= 1);
        if self.busy != 0 {
            self.busy -= 1;
            return Err(Busy);
        }
        let sent = self.sent.get(&handle).ok_or(InvalidParameters)?;
        if !sent.is_complete() {
            return Err(InvalidParameters);
        }
        if sent.retrieved {
            return Err(Denied);
        }
        self.sent.remove(&handle);
        Ok(success(0, 0))
    }

    /// A partition retrieves.
    pub fn retrieve(&mut self, handle: u64) {
        let sent = self.sent.get_mut(&handle).unwrap();
        assert!(sent.is_complete() && !sent.retrieved);
        sent.retrieved = true;
        if sent.fid == MEM_DONATE {
            let sent = self.sent.remove(&handle).unwrap();
            self.donated.push(sent);
        }
    }

    /// A partition relinquishes.
    pub fn relinquish(&mut self, handle: u64) {
        let sent = self.sent.get_mut(&handle).unwrap();
        assert!(core::mem::take(&mut sent.retrieved));
    }
}
