//! RX/TX pairs (DEN0077A, "RX/TX buffers"): the VMs', which the proxy keeps, and the proxy's own,
//! which it shares with the SPMC.
//!
//! A VM's pair is the proxy's business, and the proxy itself writes into its RX. The pair of a VM that exchanges indirect
//! messages is the SPMC's as well: it writes messages of partitions there.

mod pair;

#[cfg(any(test, feature = "snapshot"))]
pub use pair::PairNote;
pub(crate) use pair::{Pair, size};

use crate::{
    forward::{El3, Upstream, UpstreamError, ask},
    vcpu::VmIndex,
};
use core::ops::Range;
use ffa_abi::{
    Call, FfaError, Fid, Function,
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

    /// The address of the buffer that stands in for a VM's TX towards the SPMC: page aligned, [`MAX_PAGES`] pages, no
    /// VM's, and the same at each call. `None` on a machine that has none: then its VMs exchange no indirect messages with
    /// partitions.
    fn stand_in(&mut self, vm: VmIndex) -> Option<u64> {
        let _ = vm;
        None
    }

    /// Writes into that buffer, `offset` bytes behind its start.
    ///
    /// # Errors
    /// There is none, or it is not that long. Nothing was written then.
    fn write_stand_in(
        &mut self,
        vm: VmIndex,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Unreachable> {
        let _ = (vm, offset, bytes);
        Err(Unreachable)
    }
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
        let features = |fid| Call::Features {
            query: FeatureQuery::Function(fid),
            input: 0,
        };
        // 0 is "no limit stated": one page must do everywhere.
        let limit = match ask(features(Fid::wide(Function::RxtxMap)), machine) {
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
        let mut has = |fid| ask(features(fid), machine).is_ok();
        self.info_regs = has(Fid::wide(Function::PartitionInfoGetRegs));
        // A VM's RX that both write is taken first.
        self.indirect =
            has(Fid::narrow(Function::MsgSend2)) && has(Fid::narrow(Function::RxAcquire));
        // VMs are told by the same interrupt.
        self.notifications =
            self.sri.is_some() && has(Fid::narrow(Function::NotificationBitmapCreate));
        Ok(())
    }
}
