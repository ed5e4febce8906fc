//! RX/TX pairs (DEN0077A, "RX/TX buffers"): the VMs', which the proxy keeps, and the proxy's own,
//! which it shares with the SPMC.
//!
//! The VM's pair is the proxy's business alone: the SPMC is not told of it, and the proxy itself
//! writes into its RX. That changes with indirect messages, which the SPMC copies from one buffer
//! into another: then the map is forwarded (the all-zero `FFA_RXTX_MAP`, with a descriptor in the
//! proxy's TX), and the VM's RX is taken with `FFA_RX_ACQUIRE` before the proxy writes.

use crate::{
    forward::{El3, Upstream, UpstreamError, ask},
    memory::Shares,
    proxy::overlap,
    vcpu::VmIndex,
    vm::Vm,
};
use core::ops::Range;
use ffa_abi::{
    Call, EndpointId, FfaError, Fid, Function, Reply,
    features::{BufferSize, FeatureQuery, RxtxProperties},
};

/// Bytes in a page of a buffer.
pub const PAGE: u64 = 4096;
/// The most pages that a buffer has, the VM's and the proxy's own: what the SPMC takes too. The
/// longest list of partitions that this project's SPMC can give, 16 partitions of 16 services with
/// 48 bytes each, fits in it.
pub const MAX_PAGES: u16 = 4;

/// What `FFA_FEATURES` tells of `FFA_RXTX_MAP`.
pub(crate) const PROPERTIES: RxtxProperties = RxtxProperties {
    minimum: BufferSize::Size4K,
    max_pages: MAX_PAGES,
};

/// The machine did not reach the memory that it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable;

/// Memory, as the core reaches it: what it has opened of the VM's, and the proxy's own RX and TX.
pub trait Memory {
    /// Makes pages of the VM accessible. `pages` are intermediate physical addresses, not empty, page
    /// aligned, inside the VM's memory, and not open.
    ///
    /// # Errors
    /// There are no tables for them. Nothing has changed then.
    fn open(&mut self, pages: Range<u64>) -> Result<(), Unreachable>;

    /// Ends the access to pages that [`open`](Self::open) gave, all of them at once.
    fn close(&mut self, pages: Range<u64>);

    /// Writes into open pages of the VM.
    ///
    /// # Errors
    /// Not all of it is in pages that were opened at once. Nothing was written then.
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Unreachable>;

    /// Fills open pages of the VM with zero.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn zero(&mut self, range: Range<u64>) -> Result<(), Unreachable>;

    /// Copies from open pages of the VM, each byte once.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn read(&mut self, at: u64, to: &mut [u8]) -> Result<(), Unreachable>;

    /// Copies words from open pages of the VM to the start of the proxy's own TX, each once, and gives them. The address is
    /// a multiple of 8.
    ///
    /// # Errors
    /// As [`write`](Self::write) and [`write_tx`](Self::write_tx).
    fn pass_words<const N: usize>(&mut self, at: u64) -> Result<[u64; N], Unreachable> {
        let mut words = [[0; 8]; N];
        self.read(at, words.as_flattened_mut())?;
        self.write_tx(words.as_flattened())?;
        Ok(words.map(u64::from_le_bytes))
    }

    /// Copies from the proxy's own RX.
    ///
    /// # Errors
    /// It is not that long.
    fn read_rx(&mut self, offset: usize, to: &mut [u8]) -> Result<(), Unreachable>;

    /// Copies to the start of the proxy's own TX.
    ///
    /// # Errors
    /// It is not that long.
    fn write_tx(&mut self, bytes: &[u8]) -> Result<(), Unreachable>;
}

/// Where the proxy's own pair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnPair {
    /// Physical address of TX, page aligned.
    pub tx: u64,
    /// Physical address of RX, page aligned.
    pub rx: u64,
    /// Pages of each.
    pub pages: u16,
}

impl Upstream {
    /// Shares the proxy's own pair with the SPMC, or as much of it as the SPMC takes. After
    /// [`negotiate`](Self::negotiate) and before any VM runs.
    ///
    /// An SPMC without `FFA_RXTX_MAP` is none that VMs can discover partitions at: then
    /// [`rx`](Self::rx) stays 0, and VMs get `NOT_SUPPORTED`.
    ///
    /// # Errors
    /// [`UpstreamError::Buffers`] if the SPMC refuses this pair.
    pub fn map_buffers(
        &mut self,
        own: OwnPair,
        machine: &mut impl El3,
    ) -> Result<(), UpstreamError> {
        let features = |function| Call::Features {
            query: FeatureQuery::Function(Fid::wide(function)),
            input: 0,
        };
        // 0 is "no limit stated": one page must do everywhere.
        let limit = match ask(features(Function::RxtxMap), machine) {
            Ok(answer) => RxtxProperties::from_w2(answer.w::<2>()).map_or(0, |p| p.max_pages),
            Err(_) => 0,
        };
        let pages = own.pages.min(limit.max(1));
        let map = Call::RxtxMap {
            wide: true,
            tx: own.tx,
            rx: own.rx,
            pages: pages.into(),
        };
        match ask(map, machine) {
            Ok(_) => self.rx = usize::from(pages).saturating_mul(PAGE as usize),
            Err(FfaError::NotSupported) => return Ok(()),
            Err(error) => return Err(UpstreamError::Buffers { own, pages, error }),
        }
        self.info_regs = ask(features(Function::PartitionInfoGetRegs), machine).is_ok();
        Ok(())
    }
}

/// A VM's pair.
#[derive(Debug)]
pub(crate) struct Pair {
    /// Its TX.
    pub tx: Range<u64>,
    /// Its RX.
    pub rx: Range<u64>,
    /// RX holds something that the VM has not released: it is the VM's, and nobody writes into it.
    pub full: bool,
}

impl Pair {
    /// The pair that a VM with this memory asks for, RX EMPTY.
    fn checked(memory: &Range<u64>, tx: u64, rx: u64, pages: u32) -> Result<Self, FfaError> {
        let size = match pages {
            0 => None,
            _ if pages > MAX_PAGES.into() => None,
            _ => u64::from(pages).checked_mul(PAGE),
        };
        let buffer = |start: u64| {
            let end = start.checked_add(size?)?;
            let inside = start >= memory.start && end <= memory.end;
            (start.is_multiple_of(PAGE) && inside).then_some(start..end)
        };
        match (buffer(tx), buffer(rx)) {
            (Some(tx), Some(rx)) if !overlap(&tx, &rx) => Ok(Self {
                tx,
                rx,
                full: false,
            }),
            _ => Err(FfaError::InvalidParameters),
        }
    }

    /// Both are memory like any other again.
    fn free(&self, index: VmIndex, shares: Option<&Shares>) {
        if let Some(shares) = shares {
            shares.lock().free_buffers(index, &self.tx, &self.rx);
        }
    }

    /// Makes both accessible, or none.
    fn open(&self, memory: &mut impl Memory) -> Result<(), Unreachable> {
        memory.open(self.tx.clone())?;
        let opened = memory.open(self.rx.clone());
        if opened.is_err() {
            memory.close(self.tx.clone());
        }
        opened
    }
}

impl<R> Vm<'_, R> {
    /// `FFA_RXTX_MAP`. Pages that are in others' hands, or are about to be, can't be buffers, and buffers are
    /// given to nobody.
    pub(crate) fn map_buffers(
        &self,
        index: VmIndex,
        (tx, rx, pages): (u64, u64, u32),
        shares: Option<&Shares>,
        machine: &mut impl Memory,
    ) -> Result<Reply, FfaError> {
        let mut buffers = self.buffers.lock();
        // A VM that has ended has its buffers closed, and opens no others.
        if buffers.is_some() || self.is_dead() {
            return Err(FfaError::Denied);
        }
        let pair = Pair::checked(&self.info.memory, tx, rx, pages)?;
        if let Some(shares) = shares {
            shares.lock().take_buffers(index, &pair.tx, &pair.rx)?;
        }
        if let Err(Unreachable) = pair.open(machine) {
            pair.free(index, shares);
            return Err(FfaError::NoMemory);
        }
        *buffers = Some(pair);
        Ok(Reply::success(0))
    }

    /// `FFA_RXTX_UNMAP`, whatever RX holds.
    pub(crate) fn unmap_buffers(
        &self,
        index: VmIndex,
        vm: EndpointId,
        shares: Option<&Shares>,
        machine: &mut impl Memory,
    ) -> Result<Reply, FfaError> {
        // Only a hypervisor names a VM.
        if vm != EndpointId::HYPERVISOR {
            return Err(FfaError::InvalidParameters);
        }
        match self.close_buffers(index, shares, machine) {
            true => Ok(Reply::success(0)),
            false => Err(FfaError::InvalidParameters),
        }
    }

    /// Ends the use of the VM's pair. `false` if it has none.
    pub(crate) fn close_buffers(
        &self,
        index: VmIndex,
        shares: Option<&Shares>,
        machine: &mut impl Memory,
    ) -> bool {
        let mut buffers = self.buffers.lock();
        let Some(pair) = buffers.take() else {
            return false;
        };
        pair.free(index, shares);
        machine.close(pair.tx);
        machine.close(pair.rx);
        true
    }

    /// `FFA_RX_RELEASE`: FULL becomes EMPTY.
    pub(crate) fn release_rx(&self, vm: EndpointId) -> Result<Reply, FfaError> {
        if vm != EndpointId::HYPERVISOR {
            return Err(FfaError::InvalidParameters);
        }
        match self.empty_rx() {
            true => Ok(Reply::success(0)),
            false => Err(FfaError::Denied),
        }
    }

    /// RX is empty from now on. `false` if it was, or there is none.
    pub(crate) fn empty_rx(&self) -> bool {
        match &mut *self.buffers.lock() {
            Some(pair) => core::mem::take(&mut pair.full),
            None => false,
        }
    }
}
