//! What the image at NS-EL2 does with single interrupts: lets them come, raises them, and keeps one from
//! coming again while a guest has it in its hands.

use super::{GicError, address, distributor, own_frames, private};
use crate::board::Gic;
use crate::gic_bits::{PRIVATE_INTIDS, SPECIAL_INTIDS};
use arm_gic::gicv3::{GicCpuInterface, GicRedistributor, SgiTarget, SgiTargetGroup};
use arm_gic::{IntId, Trigger};
use core::arch::asm;
use core::ptr;

/// The priority of everything here: a middle one.
const PRIORITY: u8 = 0xa0;
/// GICR_ISACTIVER0: the second of the two frames.
const GICR_ISACTIVER0: usize = 0x1_0000 + 0x300;

/// Enables an SGI or a PPI of this core at a middle priority, in the group in which it is.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// As [`init_normal_core`](super::init_normal_core), but that a VM may have run.
pub unsafe fn enable_private(gic: &Gic, intid: u32) -> Result<(), GicError> {
    let number = private(intid)?;
    let bad = |_| GicError::Intid(intid);
    // SAFETY: the caller's promise.
    let mut redistributor: GicRedistributor<'_> = unsafe { super::own_redistributor(gic)? };
    redistributor
        .set_interrupt_priority(number, PRIORITY)
        .map_err(bad)?;
    redistributor.enable_interrupt(number, true).map_err(bad)
}

/// Enables an SPI, level-sensitive or edge-triggered, at a middle priority, and routes it to the core with this
/// affinity.
///
/// # Errors
/// [`GicError::Intid`] if it is no SPI, or not the normal world's.
///
/// # Safety
/// `gic` is the board's GIC, mapped as device memory; this is NS-EL2, and no other code is using the distributor.
pub unsafe fn enable_spi(
    gic: &Gic,
    intid: u32,
    level: bool,
    affinity: u64,
) -> Result<(), GicError> {
    if !(PRIVATE_INTIDS..SPECIAL_INTIDS).contains(&intid) {
        return Err(GicError::Intid(intid));
    }
    let bad = |_| GicError::Intid(intid);
    let number = IntId::spi(intid - PRIVATE_INTIDS);
    // SAFETY: the caller's promise.
    let mut distributor = unsafe { distributor(gic)? };
    distributor
        .set_interrupt_priority(number, PRIORITY)
        .map_err(bad)?;
    let trigger = if level { Trigger::Level } else { Trigger::Edge };
    distributor.set_trigger(number, trigger).map_err(bad)?;
    distributor
        .set_routing(number, Some(affinity))
        .map_err(bad)?;
    distributor.enable_interrupt(number, true).map_err(bad)
}

/// Lets no interrupt of non-secure group 1 through to this core any more, which is about to be switched off.
/// [`open_normal_core`] does again.
pub fn close_normal_core() {
    GicCpuInterface::enable_group1(false);
    crate::sysreg::isb();
}

/// Lets them through again.
pub fn open_normal_core() {
    GicCpuInterface::enable_group1(true);
    crate::sysreg::isb();
}

/// Raises SGI `intid` of this security state on the core with this affinity, which may be this one. What was written
/// before is there when it arrives.
pub fn raise_sgi(intid: u32, affinity: u64) {
    let Ok(number) = private(intid) else { return };
    // The target list has 16 bits, for Aff0 within a range of 16 that this driver takes to be the first.
    let target = SgiTarget::List {
        affinity3: (affinity >> 32) as u8,
        affinity2: (affinity >> 16) as u8,
        affinity1: (affinity >> 8) as u8,
        target_list: 1u16.checked_shl((affinity & 0xff) as u32).unwrap_or(0),
    };
    // SAFETY: barriers only order.
    unsafe { asm!("dsb ishst", options(nostack, preserves_flags)) };
    // The only error is that it is no SGI, and then nothing is raised.
    let _ = GicCpuInterface::send_sgi(number, target, SgiTargetGroup::CurrentGroup1);
    crate::sysreg::isb();
}

/// Makes a PPI of this core active, as if it had been acknowledged: it can't come before it is deactivated. For an
/// interrupt that a guest has in its hands which comes to this core.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// As [`init_normal_core`](super::init_normal_core), but that a VM may have run.
pub unsafe fn hold_private(gic: &Gic, intid: u32) -> Result<(), GicError> {
    if intid >= PRIVATE_INTIDS {
        return Err(GicError::Intid(intid));
    }
    // SAFETY: the caller's promise.
    let frames = unsafe { own_frames(gic)? };
    let register = address((frames as u64).wrapping_add(GICR_ISACTIVER0 as u64))?;
    let register = ptr::with_exposed_provenance_mut::<u32>(register);
    // SAFETY: the register is in this core's frames, and a write changes the one interrupt that it names.
    unsafe { register.write_volatile(1 << intid) };
    crate::sysreg::dsb_sy();
    Ok(())
}
