//! An SPMC with partitions, which writes into the proxy's RX, and a VM above it with memory of its
//! own.

use super::{
    fixture::{Frame, Host, OneVm, VM, frame, one_vm},
    told::*,
};
use crate::{
    buffers::{Memory, OwnPair, Unreachable},
    forward::Upstream,
    proxy::Next,
};
use core::ops::Range;
use ffa_abi::{
    EndpointId,
    FfaError::{self, *},
    Regs, Version,
    contract::Mode,
    fid::raw::*,
};

pub(super) const RX_RELEASE: u32 = 0x8400_0065;
pub(super) const RXTX_MAP_32: u32 = 0x8400_0066;
pub(super) const RXTX_MAP_64: u32 = 0xc400_0066;
pub(super) const RXTX_UNMAP: u32 = 0x8400_0067;
pub(super) const INFO_GET: u32 = 0x8400_0068;
pub(super) const RX_ACQUIRE: u32 = 0x8400_0084;
pub(super) const INFO_GET_REGS: u32 = 0xc400_008b;

/// The VM's memory: so many pages from here on.
pub(super) const BASE: u64 = 0x4800_0000;
pub(super) const PAGES: u64 = 16;
pub(super) const OWN: OwnPair = OwnPair {
    tx: 0x6010_0000,
    rx: 0x6010_4000,
    pages: 4,
};

/// What a test does to the SPMC's answers.
pub(super) type Tamper = Box<dyn FnMut(u32, &mut Regs, &mut Vec<u8>)>;

pub(super) struct Spmc {
    pub partitions: Vec<Partition>,
    /// The version that the proxy has negotiated.
    pub version: Version,
    /// What it states as its limit of pages.
    pub limit: u64,
    /// Bytes of the proxy's RX, 0 before it is mapped.
    pub mapped: usize,
    pub rx: Vec<u8>,
    pub full: bool,
    pub tag: u16,
    pub asked: Vec<Regs>,
    pub tamper: Option<Tamper>,
    /// The VM's memory, and what is open of it.
    pub memory: Vec<u8>,
    pub open: Vec<Range<u64>>,
    /// How many windows there are tables for.
    pub tables: usize,
}

fn success(w2: u64, w3: u64) -> Result<Regs, FfaError> {
    Ok(Regs::eight([SUCCESS_32.into(), 0, w2, w3, 0, 0, 0, 0]))
}

impl Spmc {
    fn answer(&mut self, regs: &Regs) -> Result<Regs, FfaError> {
        match regs.w::<0>() {
            FEATURES => match regs.w::<1>() {
                RXTX_MAP_64 => success(self.limit << 16, 0),
                INFO_GET_REGS if self.version >= Version::V1_2 => success(0, 0),
                _ => Err(NotSupported),
            },
            RXTX_MAP_64 => {
                if self.mapped != 0 {
                    return Err(Denied);
                }
                let pages = regs[3];
                if regs[1] != OWN.tx || regs[2] != OWN.rx || pages == 0 || pages > self.limit.max(1)
                {
                    return Err(InvalidParameters);
                }
                self.mapped = pages as usize * 4096;
                success(0, 0)
            }
            RX_RELEASE => {
                assert_eq!(regs[1], 0);
                match core::mem::take(&mut self.full) {
                    true => success(0, 0),
                    false => Err(Denied),
                }
            }
            INFO_GET => {
                assert_eq!(regs[5], 0, "the proxy wants the list");
                let query = [regs[1] | regs[2] << 32, regs[3] | regs[4] << 32];
                let list = told(&self.partitions, self.version, query);
                let bytes = bytes(&list, size(self.version));
                if list.is_empty() {
                    return Err(InvalidParameters);
                }
                if self.full || self.mapped == 0 {
                    return Err(Busy);
                }
                if bytes.len() > self.mapped {
                    return Err(NoMemory);
                }
                self.rx.fill(0);
                self.rx[..bytes.len()].copy_from_slice(&bytes);
                self.full = true;
                success(list.len() as u64, size(self.version) as u64)
            }
            INFO_GET_REGS => self.in_registers(regs),
            _ => Err(NotSupported),
        }
    }

    fn in_registers(&self, regs: &Regs) -> Result<Regs, FfaError> {
        if self.version < Version::V1_2 {
            return Err(NotSupported);
        }
        let (start, tag) = ((regs[3] & 0xffff) as usize, (regs[3] >> 16) as u16);
        if tag != if start == 0 { 0 } else { self.tag } {
            return Err(Retry);
        }
        let list = told(&self.partitions, self.version, [regs[1], regs[2]]);
        if start >= list.len() {
            return Err(InvalidParameters);
        }
        Ok(registers(&list, self.version, start, self.tag))
    }
}

impl crate::forward::El3 for Spmc {
    fn smc(&mut self, regs: &mut Regs) {
        self.asked.push(*regs);
        let fid = regs.w::<0>();
        *regs = self.answer(regs).unwrap_or_else(|error| {
            Regs::eight([ERROR.into(), 0, error.register(), 0, 0, 0, 0, 0])
        });
        if let Some(tamper) = &mut self.tamper {
            tamper(fid, regs, &mut self.rx);
        }
    }
}

impl Host for Spmc {
    fn console(&mut self, _: EndpointId, _: u8) {}

    fn take_own_interrupts(&mut self) -> bool {
        false
    }
}

one_vm!(Spmc);
no_estates!(Spmc);

impl Spmc {
    /// Where open memory is in `memory`. The core asks for nothing else.
    fn place(&self, range: Range<u64>) -> Range<usize> {
        let inside = |window: &&Range<u64>| window.start <= range.start && range.end <= window.end;
        assert!(self.open.iter().any(|window| inside(&window)), "{range:x?}");
        (range.start - BASE) as usize..(range.end - BASE) as usize
    }
}

impl Memory for Spmc {
    fn open(&mut self, pages: Range<u64>) -> Result<(), Unreachable> {
        assert!((pages.start | pages.end).is_multiple_of(4096) && !pages.is_empty());
        assert!(pages.start >= BASE && pages.end <= BASE + PAGES * 4096);
        let apart = |window: &Range<u64>| window.end <= pages.start || pages.end <= window.start;
        assert!(self.open.iter().all(apart), "open twice");
        if self.open.len() == self.tables {
            return Err(Unreachable);
        }
        self.open.push(pages);
        Ok(())
    }

    fn close(&mut self, pages: Range<u64>) {
        let at = self.open.iter().position(|window| *window == pages);
        self.open.remove(at.expect("closed, but never opened"));
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Unreachable> {
        let place = self.place(at..at + bytes.len() as u64);
        self.memory[place].copy_from_slice(bytes);
        Ok(())
    }

    fn zero(&mut self, range: Range<u64>) -> Result<(), Unreachable> {
        let place = self.place(range);
        self.memory[place].fill(0);
        Ok(())
    }

    fn read(&mut self, at: u64, to: &mut [u8]) -> Result<(), Unreachable> {
        let place = self.place(at..at + to.len() as u64);
        to.copy_from_slice(&self.memory[place]);
        Ok(())
    }

    fn write_tx(&mut self, _: &[u8]) -> Result<(), Unreachable> {
        panic!("nothing is sent in these tests");
    }

    fn read_rx(&mut self, offset: usize, to: &mut [u8]) -> Result<(), Unreachable> {
        assert!(offset + to.len() <= self.mapped, "read beyond RX");
        to.copy_from_slice(&self.rx[offset..offset + to.len()]);
        Ok(())
    }
}

/// A machine that reaches no memory.
macro_rules! no_memory {
    ($machine:ty) => {
        impl crate::buffers::Memory for $machine {
            fn open(
                &mut self,
                _: core::ops::Range<u64>,
            ) -> Result<(), crate::buffers::Unreachable> {
                Err(crate::buffers::Unreachable)
            }

            fn close(&mut self, _: core::ops::Range<u64>) {}

            fn write(&mut self, _: u64, _: &[u8]) -> Result<(), crate::buffers::Unreachable> {
                Err(crate::buffers::Unreachable)
            }

            fn zero(
                &mut self,
                _: core::ops::Range<u64>,
            ) -> Result<(), crate::buffers::Unreachable> {
                Err(crate::buffers::Unreachable)
            }

            fn read_rx(
                &mut self,
                _: usize,
                _: &mut [u8],
            ) -> Result<(), crate::buffers::Unreachable> {
                Err(crate::buffers::Unreachable)
            }

            fn read(&mut self, _: u64, _: &mut [u8]) -> Result<(), crate::buffers::Unreachable> {
                Err(crate::buffers::Unreachable)
            }

            fn write_tx(&mut self, _: &[u8]) -> Result<(), crate::buffers::Unreachable> {
                Err(crate::buffers::Unreachable)
            }
        }

        super::spmc::no_estates!($machine);
    };
}
pub(super) use no_memory;

/// A machine where no memory changes hands.
macro_rules! no_estates {
    ($machine:ty) => {
        impl ffa_abi::sharing::Estates for $machine {
            fn grant(
                &mut self,
                _: ffa_abi::sharing::Party,
                _: ffa_abi::sharing::Pieces<'_>,
                _: ffa_abi::sharing::View,
            ) -> Result<(), ffa_abi::FfaError> {
                Err(ffa_abi::FfaError::NoMemory)
            }

            fn revoke(
                &mut self,
                _: ffa_abi::sharing::Party,
                _: ffa_abi::sharing::Pieces<'_>,
                _: ffa_abi::sharing::View,
            ) -> Result<(), ffa_abi::FfaError> {
                Err(ffa_abi::FfaError::NoMemory)
            }

            fn hide(
                &mut self,
                _: ffa_abi::sharing::Party,
                _: ffa_abi::sharing::Pieces<'_>,
                _: bool,
            ) -> Result<(), ffa_abi::FfaError> {
                Err(ffa_abi::FfaError::NoMemory)
            }

            fn show(
                &mut self,
                _: ffa_abi::sharing::Party,
                _: ffa_abi::sharing::Pieces<'_>,
                _: bool,
            ) {
            }

            fn give_up(
                &mut self,
                _: ffa_abi::sharing::Party,
                _: ffa_abi::sharing::Pieces<'_>,
                _: bool,
            ) {
            }

            fn zero(&mut self, _: ffa_abi::sharing::Pieces<'_>, _: bool) {}
        }
    };
}
pub(super) use no_estates;

/// A VM, the proxy, and that SPMC.
pub(super) struct Rig {
    pub vm: OneVm,
    pub upstream: Upstream,
    pub spmc: Spmc,
    pub x: Frame,
}

impl Rig {
    /// A VM of `version` above an SPMC that speaks 1.3.
    pub fn new(version: Version) -> Self {
        Self::above(Version::V1_3, version)
    }

    /// The VM, as it is built.
    pub fn vm_info(&self) -> crate::vm::VmInfo {
        crate::vm::VmInfo::primary(VM, BASE..BASE + PAGES * 4096)
    }

    /// A VM of `version` above a proxy and an SPMC that agreed on `upstream`.
    pub fn above(upstream: Version, version: Version) -> Self {
        let mut spmc = Spmc {
            partitions: three(),
            version: upstream,
            limit: 4,
            mapped: 0,
            rx: vec![0xee; 4 * 4096],
            full: false,
            tag: 0,
            asked: vec![],
            tamper: None,
            memory: vec![0xee; (PAGES * 4096) as usize],
            open: vec![],
            tables: 2,
        };
        let mut upstream = Upstream {
            version: upstream,
            spm_id: EndpointId::SPMC,
            direct2: true,
            rx: 0,
            info_regs: false,
            sri: None,
            indirect: false,
            notifications: false,
        };
        upstream.map_buffers(OWN, &mut spmc).unwrap();
        let memory = BASE..BASE + PAGES * 4096;
        let mut rig = Self {
            vm: OneVm::new(VM, memory, Mode::Permissive),
            upstream,
            spmc,
            x: [0; 31],
        };
        rig.call(&[VERSION.into(), version.raw().into()]);
        assert_eq!(rig.vm.version(), version);
        rig.spmc.asked.clear();
        rig
    }

    /// The VM calls with these registers, zero up to x7 and marks in the others; gives its frame as
    /// it was.
    pub fn call(&mut self, args: &[u64]) -> Frame {
        let call = frame(args);
        self.x = call;
        let next = self.vm.handle(&self.upstream, &mut self.x, &mut self.spmc);
        assert_eq!(next, Next::Vcpu);
        call
    }

    /// The VM calls and sees `answer`, zero up to x7, and its own registers beyond.
    #[track_caller]
    pub fn sees(&mut self, args: &[u64], answer: &[u64]) {
        let mut expected = self.call(args);
        expected[..8].fill(0);
        expected[..answer.len()].copy_from_slice(answer);
        assert_eq!(self.x, expected);
        assert!(!self.spmc.full, "the proxy keeps its RX");
    }

    #[track_caller]
    pub fn succeeds(&mut self, args: &[u64]) {
        self.sees(args, &[SUCCESS_32.into()]);
    }

    #[track_caller]
    pub fn refuses(&mut self, args: &[u64], error: FfaError) {
        self.sees(args, &[ERROR.into(), 0, error.register()]);
    }

    /// Maps TX at the VM's page `tx` and RX at its page `rx`.
    #[track_caller]
    pub fn map(&mut self, tx: u64, rx: u64, pages: u64) {
        self.succeeds(&map(tx, rx, pages));
    }

    /// The VM's RX at page `rx`.
    pub fn rx(&self, rx: u64, pages: u64) -> &[u8] {
        &self.spmc.memory[rx as usize * 4096..(rx + pages) as usize * 4096]
    }
}

pub(super) fn map(tx: u64, rx: u64, pages: u64) -> [u64; 4] {
    [
        RXTX_MAP_64.into(),
        BASE + tx * 4096,
        BASE + rx * 4096,
        pages,
    ]
}

/// `FFA_PARTITION_INFO_GET`.
pub(super) fn get([low, high]: Words, w5: u64) -> [u64; 6] {
    let w = 0xffff_ffff;
    [
        INFO_GET.into(),
        low & w,
        low >> 32,
        high & w,
        high >> 32,
        w5,
    ]
}

/// `FFA_PARTITION_INFO_GET_REGS`.
pub(super) fn get_regs([low, high]: Words, start: u64, tag: u64) -> [u64; 4] {
    [INFO_GET_REGS.into(), low, high, tag << 16 | start]
}
