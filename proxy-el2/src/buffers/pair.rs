//! A VM's RX/TX pair: `FFA_RXTX_MAP`, `UNMAP` and `RX_RELEASE` of VMs, and whose RX is.
//!
//! | RX is | at the SPMC | becomes |
//! | --- | --- | --- |
//! | empty | empty | full, by the proxy or by the SPMC |
//! | full, by the proxy | acquired by the proxy | empty, by the VM's `FFA_RX_RELEASE` or `FFA_MSG_WAIT` |
//! | full, by the SPMC | full | the same |
//!
//! The second column is for VMs that exchange indirect messages: their pair is forwarded, which is to say that the SPMC
//! writes messages of partitions into RX, and reads those to partitions from a TX of the proxy's that stands in for the
//! VM's. So the SPMC reads nothing that a VM may change meanwhile. What the SPMC has written there the proxy does not
//! note: it asks.

use super::{MAX_PAGES, Memory, PAGE, Unreachable};
use crate::{
    forward::{El3, Upstream, ask},
    memory::Shares,
    proxy::overlap,
    vcpu::VmIndex,
    vm::Vm,
};
use core::ops::Range;
use ffa_abi::{
    Call, EndpointId, FfaError, Reply,
    rxtx::{Buffer, ForwardedMap},
};

/// A VM's pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Its TX.
    pub tx: Range<u64>,
    /// Its RX.
    pub rx: Range<u64>,
    /// RX holds something of the proxy's that the VM has not released: it is the VM's, and nobody writes into it.
    pub full: bool,
    /// The SPMC has it as well.
    pub forwarded: bool,
}

/// A VM's pair, taken apart: for tests that look at every state.
#[cfg(any(test, feature = "snapshot"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairNote(pub(crate) Option<Pair>);

#[cfg(feature = "snapshot")]
impl PairNote {
    /// There is none.
    pub const NONE: Self = Self(None);

    /// A pair that the SPMC has as well, and whether RX holds something of the proxy's.
    pub const fn forwarded(tx: Range<u64>, rx: Range<u64>, full: bool) -> Self {
        Self(Some(Pair {
            tx,
            rx,
            full,
            forwarded: true,
        }))
    }

    /// Whether RX holds something of the proxy's. `None` without a pair.
    pub fn is_full(&self) -> Option<bool> {
        self.0.as_ref().map(|pair| pair.full)
    }
}

/// Bytes of a buffer.
pub(crate) fn size(buffer: &Range<u64>) -> usize {
    let bytes = buffer.end.saturating_sub(buffer.start);
    usize::try_from(bytes).unwrap_or(usize::MAX)
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
                forwarded: false,
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

    /// The reverse.
    fn close(&self, memory: &mut impl Memory) {
        memory.close(self.tx.clone());
        memory.close(self.rx.clone());
    }

    /// Has the SPMC use it as well.
    ///
    /// # Errors
    /// Those of the SPMC. It does not, then.
    fn forward(
        &mut self,
        vm: EndpointId,
        stand_in: u64,
        shares: &Shares,
        machine: &mut (impl Memory + El3),
    ) -> Result<(), FfaError> {
        let pages = size(&self.rx) as u64 / PAGE;
        let pages = u32::try_from(pages).map_err(|_| FfaError::InvalidParameters)?;
        let map = ForwardedMap {
            endpoint: vm,
            tx: Buffer {
                base: stand_in,
                pages,
            },
            rx: Buffer {
                base: self.rx.start,
                pages,
            },
        };
        let mut bytes = [0; ForwardedMap::BYTES];
        map.write(&mut bytes).ok_or(FfaError::Aborted)?;
        // Who holds it has the proxy's own TX.
        let _own = shares.lock();
        machine.write_tx(&bytes).map_err(|_| FfaError::Aborted)?;
        let map = Call::RxtxMap {
            wide: true,
            tx: 0,
            rx: 0,
            pages: 0,
        };
        ask(map, machine)?;
        self.forwarded = true;
        Ok(())
    }

    /// Writes into RX of this VM, which is FULL then. Nobody else writes there, from before `write` until the VM has
    /// released it.
    ///
    /// # Errors
    /// BUSY if it holds something; those of `write`: then it is as empty as it was, whatever is in it.
    pub fn fill<M: El3, T>(
        &mut self,
        vm: EndpointId,
        machine: &mut M,
        write: impl FnOnce(&Range<u64>, &mut M) -> Result<T, FfaError>,
    ) -> Result<T, FfaError> {
        self.acquire(vm, machine)?;
        let written = write(&self.rx, machine);
        match written {
            Ok(_) => self.full = true,
            // It was acquired just now.
            Err(_) => drop(self.release(vm, machine)),
        }
        written
    }

    fn acquire(&self, vm: EndpointId, machine: &mut impl El3) -> Result<(), FfaError> {
        if self.full {
            return Err(FfaError::Busy);
        }
        if self.forwarded {
            ask(Call::RxAcquire { vm }, machine).map_err(|_| FfaError::Busy)?;
        }
        Ok(())
    }

    /// RX is nobody's again, as far as it is the SPMC's to say.
    ///
    /// # Errors
    /// Those of the SPMC: DENIED if RX was empty, or holds a message whose notification was not read.
    fn release(&self, vm: EndpointId, machine: &mut impl El3) -> Result<(), FfaError> {
        match self.forwarded {
            true => ask(Call::RxRelease { vm }, machine).map(|_| ()),
            false => Ok(()),
        }
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
        upstream: &Upstream,
        machine: &mut (impl Memory + El3),
    ) -> Result<Reply, FfaError> {
        let mut buffers = self.buffers.lock();
        // A VM that has ended has its buffers closed, and opens no others.
        if buffers.is_some() || self.is_dead() {
            return Err(FfaError::Denied);
        }
        let mut pair = Pair::checked(&self.info.memory, tx, rx, pages)?;
        if let Some(shares) = shares {
            shares.lock().take_buffers(index, &pair.tx, &pair.rx)?;
        }
        if let Err(Unreachable) = pair.open(machine) {
            pair.free(index, shares);
            return Err(FfaError::NoMemory);
        }
        if let Some(shares) = shares.filter(|_| upstream.indirect && self.sends_indirect())
            && let Some(stand_in) = machine.stand_in(index)
            && let Err(error) = pair.forward(self.info.id, stand_in, shares, machine)
        {
            pair.close(machine);
            pair.free(index, Some(shares));
            return Err(error);
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
        machine: &mut (impl Memory + El3),
    ) -> Result<Reply, FfaError> {
        // Only a hypervisor names a VM.
        if vm != EndpointId::HYPERVISOR {
            return Err(FfaError::InvalidParameters);
        }
        let mut buffers = self.buffers.lock();
        let pair = buffers.as_ref().ok_or(FfaError::InvalidParameters)?;
        // As long as the SPMC may write there, it is a buffer.
        self.unforward(pair, machine)?;
        pair.free(index, shares);
        pair.close(machine);
        *buffers = None;
        // What it would read of is gone.
        self.receiver.lock().rx_emptied();
        Ok(Reply::success(0))
    }

    /// The SPMC uses its pair no more.
    fn unforward(&self, pair: &Pair, machine: &mut impl El3) -> Result<(), FfaError> {
        if !pair.forwarded {
            return Ok(());
        }
        let unmap = Call::RxtxUnmap { vm: self.info.id };
        ask(unmap, machine).map(|_| ())
    }

    /// The VM has ended, and with it the use of its pair.
    pub(crate) fn close_buffers(
        &self,
        index: VmIndex,
        shares: Option<&Shares>,
        machine: &mut (impl Memory + El3),
    ) {
        let mut buffers = self.buffers.lock();
        let Some(pair) = buffers.take() else { return };
        // An SPMC that refuses goes on writing into the memory of a VM that is no more: nobody else has it.
        let _ = self.unforward(&pair, machine);
        pair.free(index, shares);
        pair.close(machine);
    }

    /// `FFA_RX_RELEASE`: FULL becomes EMPTY.
    pub(crate) fn release_rx(
        &self,
        vm: EndpointId,
        machine: &mut impl El3,
    ) -> Result<Reply, FfaError> {
        if vm != EndpointId::HYPERVISOR {
            return Err(FfaError::InvalidParameters);
        }
        let mut buffers = self.buffers.lock();
        let pair = buffers.as_mut().ok_or(FfaError::Denied)?;
        // What only the proxy writes into is empty if the proxy did not.
        if !pair.full && !pair.forwarded {
            return Err(FfaError::Denied);
        }
        // It must have read that there is a message.
        if pair.full && self.receiver.lock().has_unread_rx_full() {
            return Err(FfaError::Denied);
        }
        pair.release(self.info.id, machine)?;
        pair.full = false;
        Ok(Reply::success(0))
    }

    /// The VM waits, and RX is empty from now on. A message of which the VM has not read the notification stays: it may
    /// have come just before.
    pub(crate) fn empty_rx(&self, machine: &mut impl El3) {
        if let Some(pair) = &mut *self.buffers.lock()
            && !(pair.full && self.receiver.lock().has_unread_rx_full())
            && pair.release(self.info.id, machine).is_ok()
        {
            pair.full = false;
        }
    }
}
