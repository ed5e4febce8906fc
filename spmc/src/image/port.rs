//! The machine, as the core's calls see it.

use super::{boot, estate};
use core::{
    ops::Range,
    sync::atomic::{AtomicU32, Ordering},
};
use defmt::{error, warn};
use ffa_abi::{
    EndpointId, FfaError, Regs,
    memory::{PermissionRun, Permissions},
    sharing::{Pages, Pieces, View},
};
use platform::{
    endpoint_console, foreign,
    stage1::{Kind, Stage1Error},
};
use spmc::{
    MAX_PARTITIONS,
    context::{AbortAction, Slot},
    locks::{self, Held},
    spm::{Machine, Mem, Notice, Owner, Window},
};

const PAGE: u64 = 4096;
/// Tables that stay free for what comes before another pair: two windows open at a time, each with
/// both of its ends in the middle of a block.
const SPARE_TABLES: usize = 8;

/// The machine of whichever core handles the call.
pub struct Port;

/// How many lines a partition may cause by what it does wrong. A line takes milliseconds on a real
/// UART, and all cores share it.
const LINES: u32 = 64;
/// How many it has caused, by the low bits of its id.
static CAUSED: [AtomicU32; MAX_PARTITIONS] = [const { AtomicU32::new(0) }; MAX_PARTITIONS];

/// Whether one more line about what a partition did wrong may be logged.
pub fn may_log(partition: EndpointId) -> bool {
    let Some(caused) = CAUSED.get(usize::from(partition.0) % MAX_PARTITIONS) else {
        return false;
    };
    let before = caused.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
        (n <= LINES).then(|| n.saturating_add(1))
    });
    if before == Ok(LINES) {
        warn!(
            "partition {=u16:#x}: no more lines about what it does wrong",
            partition.0
        );
    }
    before.is_ok_and(|n| n < LINES)
}

impl Machine for Port {
    fn console(&mut self, from: EndpointId, character: u8) {
        endpoint_console::write(from.0, character);
    }

    fn el3(&mut self, regs: &mut Regs) {
        platform::smc::smc(&mut regs.0);
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Aborted {
                partition,
                action,
                reason,
            } => {
                let what = match action {
                    AbortAction::Fail => "it has failed for good",
                    AbortAction::Stop => "it is stopped",
                    AbortAction::Destroy => "it is destroyed",
                    AbortAction::Restart => "it is restarted",
                    AbortAction::Propagate => {
                        "abort-action propagate: all partitions stop, and every call is answered ABORTED"
                    }
                };
                match reason {
                    Some(reason) => error!(
                        "partition {=u16:#x}: FFA_ABORT, reason {=u64:#x}: {=str}",
                        partition.0, reason, what
                    ),
                    None => error!("partition {=u16:#x} aborted: {=str}", partition.0, what),
                }
            }
            Notice::InterruptOfNobody { intid } => {
                warn!("secure interrupt {=u32} is nobody's: switched off", intid);
            }
            Notice::PowerOffRefused { partition, status } => {
                if may_log(partition) {
                    warn!(
                        "partition {=u16:#x} does not want its core to go off ({=i32}): it does",
                        partition.0, status
                    );
                }
            }
            Notice::SmcRefused { partition, fid } => {
                if may_log(partition) {
                    warn!(
                        "partition {=u16:#x}: SMC {=u32:#x} kept from EL3: it is not in smc_whitelist",
                        partition.0, fid
                    );
                }
            }
        }
    }
}

impl Mem for Port {
    fn open(
        &mut self,
        held: &mut Held<{ locks::PAIRS }>,
        owner: Owner,
        address: u64,
        pages: u32,
    ) -> Result<Window, FfaError> {
        let size = u64::from(pages) * PAGE;
        let kind = match owner {
            Owner::NormalWorld => Kind::DataNs,
            Owner::Partition(slot) => estate::kind_of(slot, address, size, held)?,
        };
        let base = usize::try_from(address).map_err(|_| FfaError::InvalidParameters)?;
        let size = size as usize;
        let end = base.checked_add(size).ok_or(FfaError::InvalidParameters)?;
        // The normal world can't take the tables that a restart or a partition's pair needs, and a
        // partition those of a restart.
        let spare = match owner {
            Owner::NormalWorld => 2 * SPARE_TABLES,
            Owner::Partition(_) => SPARE_TABLES,
        };
        // SAFETY: It is RAM of a partition or of the normal world, which holds nothing of the image;
        // what they write to it meanwhile is read as bytes only.
        let mapped = unsafe { boot::map().map_leaving(base..end, kind, spare) };
        mapped.map_err(|error| match error {
            // Somebody's buffer covers it.
            Stage1Error::Mapped(_) => FfaError::Denied,
            Stage1Error::Range => FfaError::InvalidParameters,
            _ => FfaError::NoMemory,
        })?;
        Ok(Window {
            base: address,
            size,
        })
    }

    fn close(&mut self, window: Window) {
        let base = window.base as usize;
        // SAFETY: The core gave the window up: nothing uses it any more.
        let unmapped = unsafe { boot::map().unmap(base..base.wrapping_add(window.size)) };
        if unmapped.is_err() {
            error!("a buffer at {=u64:#x} could not be unmapped", window.base);
        }
    }

    fn read(&mut self, window: Window, offset: usize, to: &mut [u8]) -> bool {
        let Some(at) = inside(window, offset, to.len()) else {
            return false;
        };
        // SAFETY: It lies in an open window, which is mapped and no object of the image.
        unsafe { foreign::read(at, to) }
        true
    }

    fn write(&mut self, window: Window, offset: usize, from: &[u8]) -> bool {
        let Some(at) = inside(window, offset, from.len()) else {
            return false;
        };
        // SAFETY: As in `read`; windows are writable.
        unsafe { foreign::write(at, from) }
        true
    }

    fn copy(&mut self, source: Window, from: Range<usize>, to: Window, at: usize) -> bool {
        let length = from.len();
        let (Some(from), Some(at)) = (inside(source, from.start, length), inside(to, at, length))
        else {
            return false;
        };
        // SAFETY: As in `read` and `write`; windows don't overlap.
        unsafe { foreign::copy(from, at, length) }
        true
    }

    fn zero(&mut self, window: Window, offset: usize) -> bool {
        let Some(length) = window.size.checked_sub(offset) else {
            return false;
        };
        let Some(at) = inside(window, offset, length) else {
            return false;
        };
        // SAFETY: As in `write`.
        unsafe { foreign::zero(at, length) }
        true
    }

    fn grant(
        &mut self,
        held: &mut Held<{ locks::SHARES }>,
        slot: Slot,
        pieces: Pieces<'_>,
        view: View,
    ) -> Result<(), FfaError> {
        estate::grant(slot, pieces, view, held)
    }

    fn revoke(
        &mut self,
        held: &mut Held<{ locks::SHARES }>,
        slot: Slot,
        pieces: Pieces<'_>,
        view: View,
    ) -> Result<(), FfaError> {
        estate::revoke(slot, pieces, view, held)
    }

    fn hide(
        &mut self,
        held: &mut Held<{ locks::SHARES }>,
        slot: Slot,
        pieces: Pieces<'_>,
        normal_world: bool,
    ) -> Result<(), FfaError> {
        estate::hide(slot, pieces, normal_world, held)
    }

    fn show(
        &mut self,
        held: &mut Held<{ locks::SHARES }>,
        slot: Slot,
        pieces: Pieces<'_>,
        normal_world: bool,
    ) {
        estate::show(slot, pieces, normal_world, held);
    }

    fn give_up(
        &mut self,
        held: &mut Held<{ locks::SHARES }>,
        slot: Slot,
        pieces: Pieces<'_>,
        normal_world: bool,
    ) {
        estate::give_up(slot, pieces, normal_world, held);
    }

    fn permissions(
        &mut self,
        held: &mut Held<{ locks::SHARES }>,
        slot: Slot,
        pages: Pages,
    ) -> Option<PermissionRun> {
        estate::permissions(slot, pages, held)
    }

    fn set_permissions(
        &mut self,
        held: &mut Held<{ locks::SHARES }>,
        slot: Slot,
        pages: Pages,
        permissions: Permissions,
    ) -> Result<(), FfaError> {
        estate::set_permissions(slot, pages, permissions, held)
    }

    fn clear(
        &mut self,
        _held: &mut Held<{ locks::SHARES }>,
        pieces: Pieces<'_>,
        normal_world: bool,
    ) {
        estate::clear(pieces, normal_world);
    }
}

/// The address of byte `offset` of a window, if `length` bytes from there on are inside.
fn inside(window: Window, offset: usize, length: usize) -> Option<usize> {
    let end = offset.checked_add(length)?;
    (end <= window.size).then(|| (window.base as usize).wrapping_add(offset))
}
