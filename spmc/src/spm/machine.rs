//! What the core asks of the machine while it handles a call.

use crate::{
    context::{AbortAction, Slot},
    locks::{self, Held},
};
use core::ops::Range;
use ffa_abi::{
    EndpointId, FfaError, Regs,
    memory::{PermissionRun, Permissions},
    sharing::{Pages, Pieces, View},
    smccc,
};

/// Whose addresses an address is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The normal world's: physical addresses.
    NormalWorld,
    /// A partition's: intermediate physical addresses.
    Partition(Slot),
}

/// Pages of an endpoint that the SPMC can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first byte's physical address.
    pub base: u64,
    /// How many bytes.
    pub size: usize,
}

/// Memory of endpoints. A machine that overrides nothing has none to give.
///
/// Whose memory is whose, the core knows ([`Spmc::add_region`](super::Spmc::add_region)): it has
/// checked all that it asks for here. `pieces` are the pages of a whole transaction, in the order in
/// which its sender listed them; they don't overlap. What fails has changed nothing.
pub trait Mem {
    /// Makes pages of an endpoint reachable: read-write normal memory of its own that nobody's
    /// window covers yet.
    ///
    /// # Errors
    /// * INVALID_PARAMETERS: the partition has no such memory.
    /// * DENIED: it is not memory that the normal world may offer, or a window covers it.
    /// * NO_MEMORY: no room is left to note it.
    ///
    /// Nothing has changed then.
    fn open(
        &mut self,
        _held: &mut Held<{ locks::PAIRS }>,
        _owner: Owner,
        _address: u64,
        _pages: u32,
    ) -> Result<Window, FfaError> {
        Err(FfaError::NoMemory)
    }

    /// Gives up a window.
    fn close(&mut self, _window: Window) {}

    /// Copies out of a window from byte `offset` on. `false` if that is not inside, or the memory
    /// can't be read; `to` is undefined then.
    #[must_use]
    fn read(&mut self, _window: Window, _offset: usize, _to: &mut [u8]) -> bool {
        false
    }

    /// Copies into a window from byte `offset` on. `false` if that is not inside, or the memory
    /// can't be written.
    #[must_use]
    fn write(&mut self, _window: Window, _offset: usize, _from: &[u8]) -> bool {
        false
    }

    /// Copies bytes `from` of one window into another, from byte `at` on. The two share no byte. `false`
    /// as for [`read`](Self::read) and [`write`](Self::write); what was written then is undefined.
    #[must_use]
    fn copy(&mut self, _source: Window, _from: Range<usize>, _to: Window, _at: usize) -> bool {
        false
    }

    /// Zeroes a window from byte `offset` to its end. `false` as for [`write`](Self::write).
    #[must_use]
    fn zero(&mut self, _window: Window, _offset: usize) -> bool {
        false
    }

    /// Shows a partition pages of somebody else, at their own addresses.
    ///
    /// # Errors
    /// NO_MEMORY: no tables are left for it.
    fn grant(
        &mut self,
        _held: &mut Held<{ locks::SHARES }>,
        _slot: Slot,
        _pieces: Pieces<'_>,
        _view: View,
    ) -> Result<(), FfaError> {
        Err(FfaError::NoMemory)
    }

    /// Takes pages from a partition that it was granted.
    ///
    /// # Errors
    /// NO_MEMORY: no tables are left to split a block.
    fn revoke(
        &mut self,
        _held: &mut Held<{ locks::SHARES }>,
        _slot: Slot,
        _pieces: Pieces<'_>,
        _view: View,
    ) -> Result<(), FfaError> {
        Err(FfaError::NoMemory)
    }

    /// A partition does not see pages any more that stay its own. What it takes to show them again
    /// is kept.
    ///
    /// # Errors
    /// NO_MEMORY: no tables are left to split a block.
    fn hide(
        &mut self,
        _held: &mut Held<{ locks::SHARES }>,
        _slot: Slot,
        _pieces: Pieces<'_>,
        _normal_world: bool,
    ) -> Result<(), FfaError> {
        Err(FfaError::NoMemory)
    }

    /// A partition sees pages again that were hidden from it.
    fn show(
        &mut self,
        _held: &mut Held<{ locks::SHARES }>,
        _slot: Slot,
        _pieces: Pieces<'_>,
        _normal_world: bool,
    ) {
    }

    /// Hidden pages of a partition are somebody else's for good.
    fn give_up(
        &mut self,
        _held: &mut Held<{ locks::SHARES }>,
        _slot: Slot,
        _pieces: Pieces<'_>,
        _normal_world: bool,
    ) {
    }

    /// What an S-EL0 partition may do with the first of these pages, and how many of them from there on are
    /// like it. `None` if nothing is there for it.
    fn permissions(
        &mut self,
        _held: &mut Held<{ locks::SHARES }>,
        _slot: Slot,
        _pages: Pages,
    ) -> Option<PermissionRun> {
        None
    }

    /// From now on an S-EL0 partition may do this with these pages, which are its own.
    ///
    /// # Errors
    /// * INVALID_PARAMETERS: it has not all of them.
    /// * NO_MEMORY: no tables are left to split a block.
    fn set_permissions(
        &mut self,
        _held: &mut Held<{ locks::SHARES }>,
        _slot: Slot,
        _pages: Pages,
        _permissions: Permissions,
    ) -> Result<(), FfaError> {
        Err(FfaError::NoMemory)
    }

    /// Zeroes pages, of the normal world or of the secure one.
    fn clear(
        &mut self,
        _held: &mut Held<{ locks::SHARES }>,
        _pieces: Pieces<'_>,
        _normal_world: bool,
    ) {
    }
}

/// The interrupt controller and the timer of the core on which the core's code runs. A machine that
/// overrides nothing has neither.
pub trait Interrupts {
    /// Lets a device's interrupt come, or not: an SPI, or a PPI of this core.
    fn enable(&mut self, _intid: u32, _on: bool) {}

    /// An interrupt that became active on core `core` may come again.
    fn deactivate(&mut self, _intid: u32, _core: u16) {}

    /// A device's interrupt is as at the start: off, secure, and an SPI goes where its manifest says.
    /// `on` has one bit for each core that is on.
    fn reset(&mut self, _intid: u32, _on: u32) {}

    /// An SPI that goes to core `from`, which goes off, goes to `to` from now on.
    fn reroute(&mut self, _intid: u32, _from: u16, _to: u16) {}

    /// An SPI goes to this core from now on, or, if it is not `on`, from when it is. `false` if it
    /// can't.
    fn route(&mut self, _intid: u32, _core: u16, _on: bool) -> bool {
        false
    }

    /// An interrupt is a secure one, or the normal world's. `false` if it can't be.
    fn set_secure(&mut self, _intid: u32, _secure: bool) -> bool {
        false
    }

    /// Core `core` takes the SPMC's own interrupt, as soon as it can: this one, too.
    fn kick(&mut self, _core: u16) {}

    /// The physical counter.
    fn now(&mut self) -> u64 {
        0
    }

    /// This core's own timer fires when the counter has reached `at`; never for `u64::MAX`.
    fn alarm(&mut self, _at: u64) {}

    /// Raises the schedule receiver interrupt for the normal world on this core.
    fn schedule_receiver(&mut self) {}
}

/// Something that a human wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A partition has failed.
    Aborted {
        /// Its id.
        partition: EndpointId,
        /// What becomes of it.
        action: AbortAction,
        /// x2 of its `FFA_ABORT`, if that was how.
        reason: Option<u64>,
    },
    /// A call that is not FF-A was kept from EL3.
    SmcRefused {
        /// Who made it.
        partition: EndpointId,
        /// The function.
        fid: u32,
    },
    /// A secure interrupt came that is nobody's, or a dead partition's: it is switched off.
    InterruptOfNobody {
        /// Its id.
        intid: u32,
    },
    /// A partition does not want its core to go off. It does all the same.
    PowerOffRefused {
        /// Its id.
        partition: EndpointId,
        /// What it answered.
        status: i32,
    },
}

/// The machine, as the core sees it.
pub trait Machine: Mem + Interrupts {
    /// A character that an endpoint wrote with `FFA_CONSOLE_LOG`.
    fn console(&mut self, from: EndpointId, character: u8);

    /// A call of the SPMC's own to EL3: x0-x17 there and back. Those of a partition are in them
    /// only where its own call is passed on. A
    /// machine that does not override it has an EL3 that knows no function.
    fn el3(&mut self, regs: &mut Regs) {
        regs[0] = smccc::UNKNOWN;
    }

    /// For the log.
    fn notice(&mut self, _notice: Notice) {}
}
