//! An SPMC as far as pairs of VMs, indirect messages and notifications are concerned. It keeps the rules, and is told them
//! byte by byte.

use ffa_abi::{
    FfaError::{self, *},
    Regs, Version,
    fid::raw::*,
};
use std::collections::BTreeMap;

pub(in super::super) const RXTX_MAP_64: u32 = 0xc400_0066;
pub(in super::super) const RXTX_UNMAP: u32 = 0x8400_0067;
pub(in super::super) const RX_RELEASE: u32 = 0x8400_0065;
pub(in super::super) const INFO_GET: u32 = 0x8400_0068;
pub(in super::super) const BITMAP_CREATE: u32 = 0x8400_007d;
pub(in super::super) const BITMAP_DESTROY: u32 = 0x8400_007e;
pub(in super::super) const BIND: u32 = 0x8400_007f;
pub(in super::super) const UNBIND: u32 = 0x8400_0080;
pub(in super::super) const SET: u32 = 0x8400_0081;
pub(in super::super) const GET: u32 = 0x8400_0082;
pub(in super::super) const PENDING_32: u32 = 0x8400_0083;
pub(in super::super) const PENDING_64: u32 = 0xc400_0083;
pub(in super::super) const RX_ACQUIRE: u32 = 0x8400_0084;
pub(in super::super) const SEND2: u32 = 0x8400_0086;

/// A partition that takes part in all of it, and one that takes part in nothing.
pub(in super::super) const SP: u16 = 0x8001;
pub(in super::super) const DEAF: u16 = 0x8002;

/// Whose an RX is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Whose {
    Empty,
    Full,
    Acquired,
}

/// A pair that was forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct There {
    pub tx: u64,
    pub rx: u64,
    pub pages: u32,
    pub whose: Whose,
}

/// What it keeps of a VM's notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Bitmap {
    pub contexts: u64,
    /// By number: to whom it is bound, and whether it is per context.
    pub bound: BTreeMap<u32, (u16, bool)>,
    /// Pending globally, and for each context.
    pub global: u64,
    pub own: BTreeMap<u16, u64>,
    pub rx_full: bool,
}

/// A message to a partition, as it found it in its RX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Got {
    pub sender: u16,
    pub service: Vec<u8>,
    pub offset: usize,
    pub payload: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Spmc {
    /// The version that the proxy has negotiated.
    pub version: Version,
    pub pairs: BTreeMap<u16, There>,
    pub bitmaps: BTreeMap<u16, Bitmap>,
    /// What lies in the RX of the partition.
    pub got: Option<Got>,
    /// What VMs have set for it.
    pub set: Vec<(u16, u64, u64)>,
    /// What it answers to the question whom to run: x2 to x7, once.
    pub lists: Option<[u64; 6]>,
    /// What it refuses once, whatever it is.
    pub refuses: Option<(u32, FfaError)>,
    /// A partition sets a notification before the next bitmap is destroyed, or before each.
    pub stubborn: bool,
    pub endless: bool,
    /// It says yes to any message.
    pub gullible: bool,
    pub asked: Vec<Regs>,
}

fn success(w: [u64; 6]) -> Regs {
    let [w2, w3, w4, w5, w6, w7] = w;
    Regs::eight([SUCCESS_32.into(), 0, w2, w3, w4, w5, w6, w7])
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | u64::from(*byte))
}

fn numbers(bits: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |n| bits & 1 << n != 0)
}

impl Spmc {
    pub fn new(version: Version) -> Self {
        Self {
            version,
            pairs: BTreeMap::new(),
            bitmaps: BTreeMap::new(),
            got: None,
            set: Vec::new(),
            lists: None,
            refuses: None,
            stubborn: false,
            endless: false,
            gullible: false,
            asked: Vec::new(),
        }
    }

    /// The proxy calls. `tx` is its TX, `stand_ins` what stands in for those of VMs.
    pub fn call(&mut self, regs: &mut Regs, tx: &[u8], stand_ins: &[Vec<u8>]) {
        self.asked.push(*regs);
        let fid = regs.w::<0>();
        let answer = match self.refuses.take_if(|(at, _)| *at == fid) {
            Some((_, error)) => Err(error),
            None => self.answer(regs, tx, stand_ins),
        };
        *regs = answer.unwrap_or_else(|error| {
            Regs::eight([ERROR.into(), 0, error.register(), 0, 0, 0, 0, 0])
        });
    }

    fn answer(&mut self, regs: &Regs, tx: &[u8], stand_ins: &[Vec<u8>]) -> Result<Regs, FfaError> {
        let (low, high) = (regs[1] as u16, (regs[1] >> 16) as u16);
        let bits = regs[3] | regs[4] << 32;
        match regs.w::<0>() {
            FEATURES if regs[1] == 4 => return Ok(success([1 << 2 | 2, 0, 0, 0, 0, 0])),
            RXTX_MAP_64 => self.map(regs, tx)?,
            RXTX_UNMAP => {
                self.pairs.remove(&high).ok_or(InvalidParameters)?;
            }
            RX_RELEASE if low == 0 => return Err(Denied),
            RX_RELEASE => self.release(low)?,
            RX_ACQUIRE => {
                let pair = self.pairs.get_mut(&low).ok_or(InvalidParameters)?;
                if pair.whose != Whose::Empty {
                    return Err(Denied);
                }
                pair.whose = Whose::Acquired;
            }
            SEND2 if self.gullible => {}
            SEND2 => self.send(high, regs, stand_ins)?,
            BITMAP_CREATE => {
                assert!((1..0x8000).contains(&low) && regs[2] != 0);
                let new = Bitmap {
                    contexts: regs[2],
                    ..Bitmap::default()
                };
                if self.bitmaps.insert(low, new).is_some() {
                    return Err(Denied);
                }
            }
            BITMAP_DESTROY => {
                let bitmap = self.bitmaps.get_mut(&low).ok_or(Denied)?;
                if core::mem::take(&mut self.stubborn) || self.endless {
                    bitmap.global = 1;
                }
                if bitmap.global != 0 || bitmap.rx_full || bitmap.own.values().any(|own| *own != 0)
                {
                    return Err(Denied);
                }
                self.bitmaps.remove(&low);
            }
            BIND | UNBIND => self.bind(regs, high, low, bits)?,
            SET => {
                assert!(
                    (1..0x8000).contains(&high) && low >= 0x8000,
                    "in whose name?"
                );
                assert_eq!(regs[2] & 2, 0, "the delay is for partitions");
                if low != SP || bits >> 60 != 0 {
                    return Err(if low == SP { Denied } else { InvalidParameters });
                }
                self.set.push((high, regs[2], bits));
            }
            GET => return self.get(low, high, regs[2]),
            PENDING_32 | PENDING_64 => {
                let lists = self.lists.take().ok_or(NoData)?;
                let mut answer = success(lists);
                if regs.w::<0>() == PENDING_64 {
                    answer[0] = SUCCESS_64.into();
                }
                return Ok(answer);
            }
            // There are no partitions to be told of VMs, nor to be told of.
            INFO_GET => return Err(InvalidParameters),
            fid => panic!("{fid:#x}"),
        }
        Ok(success([0; 6]))
    }

    fn map(&mut self, regs: &Regs, tx: &[u8]) -> Result<(), FfaError> {
        assert_eq!(regs.0[1..], [0; 17], "only a forwarded one");
        let at = |offset: usize, size| number(&tx[offset..offset + size]);
        let region = |offset: usize| {
            let offset = at(offset, 4) as usize;
            assert_eq!((at(offset + 4, 4), at(offset + 8, 8)), (1, 0));
            assert_eq!(at(offset, 4), at(offset + 24, 4));
            (at(offset + 16, 8), at(offset + 24, 4) as u32)
        };
        let id = at(0, 2) as u16;
        let ((rx, pages), (tx, same)) = (region(4), region(8));
        assert!((1..0x8000).contains(&id) && pages == same && (1..=4).contains(&pages));
        let there = There {
            tx,
            rx,
            pages,
            whose: Whose::Empty,
        };
        match self.pairs.insert(id, there) {
            Some(_) => panic!("mapped twice"),
            None => Ok(()),
        }
    }

    fn release(&mut self, vm: u16) -> Result<(), FfaError> {
        let pair = self.pairs.get_mut(&vm).ok_or(InvalidParameters)?;
        let unread = self.bitmaps.get(&vm).is_some_and(|bitmap| bitmap.rx_full);
        if pair.whose == Whose::Empty || pair.whose == Whose::Full && unread {
            return Err(Denied);
        }
        pair.whose = Whose::Empty;
        Ok(())
    }

    /// A VM sends to a partition.
    fn send(&mut self, vm: u16, regs: &Regs, stand_ins: &[Vec<u8>]) -> Result<(), FfaError> {
        assert_eq!((regs[1] & 0xffff, regs.0[2..].iter().sum::<u64>()), (0, 0));
        let pair = self
            .pairs
            .get(&vm)
            .expect("no pair in whose TX it could be");
        let stand_in = &stand_ins[usize::from(vm) - 1][..pair.pages as usize * 4096];
        let at = |offset: usize, size| number(&stand_in[offset..offset + size]) as usize;
        let header = if self.version < Version::V1_2 { 20 } else { 40 };
        assert_eq!(at(14, 2), usize::from(vm), "in whose name?");
        match at(12, 2) as u16 {
            SP => {}
            DEAF => return Err(Denied),
            _ => return Err(InvalidParameters),
        }
        if self.got.is_some() {
            return Err(Busy);
        }
        let (offset, size) = (at(8, 4), at(16, 4));
        if at(0, 4) != 0 || offset < header || offset + size > stand_in.len() {
            return Err(InvalidParameters);
        }
        let service = match header {
            40 => stand_in[24..40].to_vec(),
            _ => vec![0; 16],
        };
        if service.iter().any(|byte| *byte != 0 && *byte != 0x5e) {
            return Err(InvalidParameters);
        }
        self.got = Some(Got {
            sender: vm,
            service,
            offset,
            payload: stand_in[offset..offset + size].to_vec(),
        });
        Ok(())
    }

    fn bind(&mut self, regs: &Regs, sender: u16, vm: u16, bits: u64) -> Result<(), FfaError> {
        assert!((1..0x8000).contains(&vm) && sender > 0x8000 && bits != 0);
        let bitmap = self.bitmaps.get_mut(&vm).ok_or(InvalidParameters)?;
        if sender != SP && sender != DEAF {
            return Err(InvalidParameters);
        }
        let own = bitmap.own.values().fold(0, |all, own| all | own);
        let pending = bitmap.global | own;
        let bound = |n: &u32| bitmap.bound.get(n).map(|(to, _)| *to);
        if regs.w::<0>() == BIND {
            if numbers(bits).any(|n| bound(&n).is_some()) {
                return Err(Denied);
            }
            let per_context = regs[2] == 1;
            bitmap
                .bound
                .extend(numbers(bits).map(|n| (n, (sender, per_context))));
        } else {
            if pending & bits != 0 || numbers(bits).any(|n| bound(&n) != Some(sender)) {
                return Err(Denied);
            }
            bitmap.bound.retain(|n, _| bits & 1 << n == 0);
        }
        Ok(())
    }

    fn get(&mut self, vm: u16, context: u16, flags: u64) -> Result<Regs, FfaError> {
        assert!(flags & !5 == 0 && flags != 0, "what it has not: {flags:#x}");
        let bitmap = self.bitmaps.get_mut(&vm).ok_or(InvalidParameters)?;
        if u64::from(context) >= bitmap.contexts {
            return Err(InvalidParameters);
        }
        let mut w = [0; 6];
        if flags & 1 != 0 {
            let own = bitmap.own.remove(&context).unwrap_or(0);
            let bits = core::mem::take(&mut bitmap.global) | own;
            (w[0], w[1]) = (bits & 0xffff_ffff, bits >> 32);
        }
        if flags & 4 != 0 {
            w[4] = core::mem::take(&mut bitmap.rx_full).into();
        }
        Ok(success(w))
    }
}
