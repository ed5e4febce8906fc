//! What the image at S-EL2 does with single interrupts: its own, and those of devices that partitions have.
//!
//! An interrupt's group, priority and trigger are set while it is off. Registers in which one write names one interrupt
//! are written without further ado; those that all cores share and that have to be read first have a lock.

use super::{
    GicError, NORMAL_PRIORITY, address, distributor, frames_of, own_redistributor, private,
    redistributor_of,
};
use crate::{
    board::Gic,
    cpu,
    gic_bits::{self, Bits, Frames, PRIVATE_INTIDS, SPECIAL_INTIDS},
    sysreg,
};
use arm_gic::gicv3::{GicCpuInterface, Group, SecureIntGroup};
use arm_gic::{IntId, InterruptGroup, Trigger};
use core::ptr;
use spin::mutex::SpinMutex;

/// Held while registers of the distributor are read and written back.
static DISTRIBUTOR: SpinMutex<()> = SpinMutex::new(());

/// A secure interrupt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line {
    /// Its INTID.
    pub intid: u32,
    /// Its priority; below 0x80, above all of the normal world's.
    pub priority: u8,
    /// Whether it is level-sensitive; else it is edge-triggered. Nothing changes for an SGI.
    pub level: bool,
}

/// Makes an SGI or a PPI of this core a secure one of group 1. It is off, and neither pending nor active.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// `gic` is the board's GIC, mapped as device memory; this is S-EL2, and no other code of this core is using the
/// redistributor.
pub unsafe fn prepare_private(gic: &Gic, line: &Line) -> Result<(), GicError> {
    let number = private(line.intid)?;
    // SAFETY: the caller's promise.
    unsafe { silence(gic, line.intid)? };
    // SAFETY: the caller's promise.
    let mut redistributor = unsafe { own_redistributor(gic)? };
    let bad = |_| GicError::Intid(line.intid);
    redistributor
        .set_group(number, Group::Secure(SecureIntGroup::Group1S))
        .map_err(bad)?;
    redistributor
        .set_interrupt_priority(number, line.priority)
        .map_err(bad)?;
    if !number.is_sgi() {
        redistributor
            .set_trigger(number, trigger(line.level))
            .map_err(bad)?;
    }
    Ok(())
}

/// Makes an SPI a secure one of group 1 that goes to the core with this affinity. It is off, and neither pending nor
/// active.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// `gic` is the board's GIC, mapped as device memory; this is S-EL2.
pub unsafe fn prepare_shared(gic: &Gic, line: &Line, affinity: u64) -> Result<(), GicError> {
    let number = shared(line.intid)?;
    // SAFETY: the caller's promise.
    unsafe { silence(gic, line.intid)? };
    let bad = |_| GicError::Intid(line.intid);
    let turn = DISTRIBUTOR.lock();
    // SAFETY: the caller's promise; other cores wait for their turn.
    let mut distributor = unsafe { distributor(gic)? };
    distributor
        .set_group(number, Group::Secure(SecureIntGroup::Group1S))
        .map_err(bad)?;
    distributor
        .set_interrupt_priority(number, line.priority)
        .map_err(bad)?;
    distributor
        .set_trigger(number, trigger(line.level))
        .map_err(bad)?;
    drop(turn);
    // SAFETY: the caller's promise.
    unsafe { route(gic, line.intid, affinity) }
}

/// Lets an interrupt come, or not: an SGI or a PPI of this core, or an SPI.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// As [`prepare_shared`].
pub unsafe fn enable(gic: &Gic, intid: u32, on: bool) -> Result<(), GicError> {
    // SAFETY: the caller's promise.
    unsafe { enable_on(gic, intid, on, cpu::affinity()) }
}

/// The same, for a PPI of the core with this affinity.
///
/// # Safety
/// As [`prepare_shared`].
unsafe fn enable_on(gic: &Gic, intid: u32, on: bool, affinity: u64) -> Result<(), GicError> {
    let bits = match on {
        true => Bits::SetEnable,
        false => Bits::ClearEnable,
    };
    // SAFETY: the caller's promise.
    unsafe { write(gic, bits, intid, affinity) }
}

/// Lets an interrupt come again whose priority was dropped: an SPI, or an SGI or PPI that is active on the core with this
/// affinity.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// As [`prepare_shared`].
pub unsafe fn deactivate_on(gic: &Gic, intid: u32, affinity: u64) -> Result<(), GicError> {
    // What was done to the device is there first, or the interrupt comes again at once.
    sysreg::dsb_sy();
    // SAFETY: the caller's promise.
    unsafe { write(gic, Bits::ClearActive, intid, affinity) }
}

/// Sends an SPI to the core with this affinity from now on.
///
/// # Errors
/// [`GicError::Intid`] if it is no SPI.
///
/// # Safety
/// As [`prepare_shared`].
pub unsafe fn route(gic: &Gic, intid: u32, affinity: u64) -> Result<(), GicError> {
    let number = shared(intid)?;
    let turn = DISTRIBUTOR.lock();
    // SAFETY: the caller's promise; other cores wait for their turn.
    let done = unsafe { distributor(gic)? }.set_routing(number, Some(affinity));
    drop(turn);
    done.map_err(|_| GicError::Intid(intid))
}

/// Makes an interrupt (an SPI, or a PPI of the core with this affinity) a secure one of group 1 with this priority, or for
/// `None` the normal world's. It stays on or off as it was.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// As [`prepare_shared`], and nothing prepares that core's PPIs at the moment.
pub unsafe fn regroup(
    gic: &Gic,
    intid: u32,
    secure: Option<u8>,
    affinity: u64,
) -> Result<(), GicError> {
    let group = match secure {
        Some(_) => Group::Secure(SecureIntGroup::Group1S),
        None => Group::Group1NS,
    };
    let priority = secure.unwrap_or(NORMAL_PRIORITY);
    let bad = |_| GicError::Intid(intid);
    let turn = DISTRIBUTOR.lock();
    // SAFETY: the caller's promise.
    let on = unsafe { is_on(gic, intid, affinity)? };
    // SAFETY: the caller's promise.
    unsafe { switch_off(gic, intid, affinity)? };
    if intid < PRIVATE_INTIDS {
        let number = private(intid)?;
        // SAFETY: the caller's promise; other cores wait for their turn.
        let mut redistributor = unsafe { redistributor_of(gic, affinity)? };
        redistributor.set_group(number, group).map_err(bad)?;
        redistributor
            .set_interrupt_priority(number, priority)
            .map_err(bad)?;
    } else {
        let number = shared(intid)?;
        // SAFETY: the caller's promise; other cores wait for their turn.
        let mut distributor = unsafe { distributor(gic)? };
        distributor.set_group(number, group).map_err(bad)?;
        distributor
            .set_interrupt_priority(number, priority)
            .map_err(bad)?;
    }
    if on {
        // SAFETY: the caller's promise.
        unsafe { enable_on(gic, intid, true, affinity)? };
    }
    drop(turn);
    Ok(())
}

/// Switches an interrupt off: an SPI, or a PPI of the core with this affinity.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// As [`prepare_shared`].
pub unsafe fn disable_on(gic: &Gic, intid: u32, affinity: u64) -> Result<(), GicError> {
    // SAFETY: the caller's promise.
    unsafe { switch_off(gic, intid, affinity) }
}

/// Sends an SPI that goes to the core with affinity `from` to the one with affinity `to` from now on.
///
/// # Errors
/// [`GicError::Intid`] if it is no SPI.
///
/// # Safety
/// As [`prepare_shared`].
pub unsafe fn reroute(gic: &Gic, intid: u32, from: u64, to: u64) -> Result<(), GicError> {
    /// GICD_IROUTER<n>: one word of 64 bits for each SPI, at 8 * INTID.
    const IROUTER: usize = 0x6000;
    shared(intid)?;
    let at = address(gic.distributor.base)?.wrapping_add(IROUTER + 8 * intid as usize);
    let at = ptr::with_exposed_provenance_mut::<u64>(at);
    let turn = DISTRIBUTOR.lock();
    // SAFETY: the register is the GIC's, and other cores wait for their turn.
    unsafe {
        if at.read_volatile() == from {
            at.write_volatile(to);
        }
    }
    drop(turn);
    Ok(())
}

/// Whether the most urgent interrupt that is pending for this core is one of Group 0, which is EL3's.
#[must_use]
pub fn group0_is_pending() -> bool {
    GicCpuInterface::get_pending_interrupt(InterruptGroup::Group0)
        .is_some_and(|intid| u32::from(intid) < SPECIAL_INTIDS)
}

/// Switches an interrupt off; it is neither pending nor active afterwards.
///
/// # Safety
/// As [`prepare_shared`].
unsafe fn silence(gic: &Gic, intid: u32) -> Result<(), GicError> {
    let here = cpu::affinity();
    // SAFETY: the caller's promise.
    unsafe {
        switch_off(gic, intid, here)?;
        write(gic, Bits::ClearPending, intid, here)?;
        write(gic, Bits::ClearActive, intid, here)
    }
}

/// Switches an interrupt off, and waits until it is.
///
/// # Safety
/// As [`prepare_shared`].
unsafe fn switch_off(gic: &Gic, intid: u32, affinity: u64) -> Result<(), GicError> {
    // SAFETY: the caller's promise. Waiting only reads.
    unsafe {
        enable_on(gic, intid, false, affinity)?;
        if intid < PRIVATE_INTIDS {
            redistributor_of(gic, affinity)?.wait_for_pending_write();
        } else {
            distributor(gic)?.wait_for_pending_write();
        }
    }
    Ok(())
}

/// Whether an interrupt is on.
///
/// # Safety
/// As [`prepare_shared`].
unsafe fn is_on(gic: &Gic, intid: u32, affinity: u64) -> Result<bool, GicError> {
    // SAFETY: the caller's promise.
    let (at, bit) = unsafe { word(gic, Bits::SetEnable, intid, affinity)? };
    // SAFETY: the register is the GIC's, and reading it changes nothing.
    Ok(unsafe { at.read_volatile() } & bit != 0)
}

/// Writes an interrupt's bit of a register that changes nothing where a 0 is written.
///
/// # Safety
/// As [`prepare_shared`].
unsafe fn write(gic: &Gic, bits: Bits, intid: u32, affinity: u64) -> Result<(), GicError> {
    // SAFETY: the caller's promise.
    let (at, bit) = unsafe { word(gic, bits, intid, affinity)? };
    // SAFETY: the register is the GIC's, and the write changes this interrupt alone.
    unsafe { at.write_volatile(bit) };
    sysreg::dsb_sy();
    Ok(())
}

/// An interrupt's word of a register with one bit for each, and the bit: in the redistributor of the core with this
/// affinity, or in the distributor.
///
/// # Safety
/// As [`prepare_shared`].
unsafe fn word(
    gic: &Gic,
    bits: Bits,
    intid: u32,
    affinity: u64,
) -> Result<(*mut u32, u32), GicError> {
    let (frames, offset, bit) = gic_bits::place(bits, intid).ok_or(GicError::Intid(intid))?;
    let base = match frames {
        // SAFETY: the caller's promise.
        Frames::Redistributor => unsafe { frames_of(gic, affinity)? },
        Frames::Distributor => address(gic.distributor.base)?,
    };
    let at = ptr::with_exposed_provenance_mut(base.wrapping_add(offset));
    Ok((at, bit))
}

/// An SPI, as the driver names it.
const fn shared(intid: u32) -> Result<IntId, GicError> {
    match intid {
        PRIVATE_INTIDS..SPECIAL_INTIDS => Ok(IntId::spi(intid - PRIVATE_INTIDS)),
        _ => Err(GicError::Intid(intid)),
    }
}

const fn trigger(level: bool) -> Trigger {
    if level { Trigger::Level } else { Trigger::Edge }
}
