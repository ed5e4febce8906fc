//! The physical GICv3, as far as an image at EL2 needs it: its own core's part, and taking interrupts.
//!
//! Owns the bring-up of one core's redistributor and CPU interface in the image's own security state, and acknowledging
//! and ending interrupts. Called at start-up of each core and by interrupt handlers. Everything may be called again and
//! changes nothing then. Never touches an interrupt that it was not told of, another core's redistributor (but to
//! deactivate what became active there), or a setting of the other world; never routes or shares interrupts by itself,
//! and has nothing to do with virtual ones.
//!
//! GIC architecture specification IHI 0069, chapters 4 (bring-up, groups) and 12 (registers).

mod normal;
pub mod secure;
pub mod virt;

pub use normal::{
    close_normal_core, enable_private, enable_spi, hold_private, open_normal_core, raise_sgi,
};

use crate::board::Gic;
use crate::gic_bits::{PRIVATE_INTIDS, SPECIAL_INTIDS};
use crate::{cpu, read_sysreg, write_sysreg};
use arm_gic::gicv3::registers::{Gicd, GicdCtlr, GicrSgi};
use arm_gic::gicv3::{
    GicCpuInterface, GicDistributor, GicRedistributor, Group, SgiTarget, SgiTargetGroup,
};
use arm_gic::{IntId, InterruptGroup, UniqueMmioPointer};
use core::arch::asm;
use core::ptr::{self, NonNull};

/// The first INTID that is no SGI.
const SGI_INTIDS: u32 = 16;
/// Offset of GICR_TYPER in bytes.
const GICR_TYPER: usize = 8;
/// A priority of an interrupt that is the normal world's: a middle one of its half.
const NORMAL_PRIORITY: u8 = 0xa0;
/// Lets every priority through.
pub const PRIORITY_MASK_OPEN: u8 = 0xff;
/// ICC_SRE_EL2: SRE, and bits that stay set (DFB, DIB, Enable).
const SRE_ALL: u64 = 0xf;

/// Why an interrupt controller could not be brought up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GicError {
    /// No redistributor of the board belongs to this core.
    NoRedistributor {
        /// The affinity fields of its MPIDR_EL1.
        affinity: u64,
    },
    /// This INTID is not private to a core (0 to 31), or not an SGI (0 to 15) where one is wanted.
    Intid(u32),
    /// The board names an address that is no address.
    Address(u64),
}

/// Brings up this core's part for the image at S-EL2: wakes the redistributor, lets secure group 1 through to this
/// core, and separates the two halves of ending an interrupt ([`split_end`]). No interrupt's own settings change.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// `gic` is the board's GIC, mapped as device memory; this is S-EL2, and no other code of this core is using the
/// redistributor.
pub unsafe fn init_secure_core(gic: &Gic) -> Result<(), GicError> {
    // SAFETY: the caller's promise.
    let mut redistributor = unsafe { own_redistributor(gic)? };
    wake(&mut redistributor);
    // SAFETY: the caller's promise.
    if unsafe { !read_gicd_ctlr(gic)?.contains(GicdCtlr::EnableGrp1S) } {
        // SAFETY: the caller's promise.
        unsafe { distributor(gic)? }.modify_control(GicdCtlr::EnableGrp1S, true);
    }
    open_cpu_interface();
    split_end();
    Ok(())
}

/// Gives `intids` (SGIs and PPIs) of this core to the normal world: group 1 non-secure. Whether and how the normal world
/// enables them is its own affair.
///
/// # Errors
/// See [`GicError`]. Interrupts before the one at fault are given.
///
/// # Safety
/// As [`init_secure_core`].
pub unsafe fn give_to_normal(gic: &Gic, intids: &[u32]) -> Result<(), GicError> {
    // SAFETY: the caller's promise.
    let mut redistributor = unsafe { own_redistributor(gic)? };
    for intid in intids {
        give_one(&mut redistributor, *intid)?;
    }
    Ok(())
}

/// Raises SGI `intid` for the normal world on the core with this affinity, from the secure world. It arrives only if that
/// core's redistributor has it in non-secure group 1 (see [`give_to_normal`]); otherwise it is dropped in silence.
///
/// # Errors
/// [`GicError::Intid`] if it is no SGI.
pub fn raise_normal_sgi(intid: u32, affinity: u64) -> Result<(), GicError> {
    if intid >= SGI_INTIDS {
        return Err(GicError::Intid(intid));
    }
    // The target list has 16 bits, for Aff0 within a range of 16 that this driver takes to be the first.
    let target_list = 1u16.checked_shl((affinity & 0xff) as u32).unwrap_or(0);
    let target = SgiTarget::List {
        affinity3: (affinity >> 32) as u8,
        affinity2: (affinity >> 16) as u8,
        affinity1: (affinity >> 8) as u8,
        target_list,
    };
    // What was written before it is there when the interrupt is.
    // SAFETY: barriers only order.
    unsafe { asm!("dsb ishst", options(nostack, preserves_flags)) };
    GicCpuInterface::send_sgi(IntId::sgi(intid), target, SgiTargetGroup::OtherGroup1)
        .map_err(|_| GicError::Intid(intid))?;
    // SAFETY: barriers only order.
    unsafe { asm!("isb", options(nostack, preserves_flags)) };
    Ok(())
}

/// Brings up the distributor for the normal world: affinity routing and non-secure group 1. Once, on the core that starts
/// first.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// `gic` is the board's GIC, mapped as device memory; this is NS-EL2, and no other code is using the distributor.
pub unsafe fn init_normal_distributor(gic: &Gic) -> Result<(), GicError> {
    // Seen from the normal world, ARE_NS is where the secure view has ARE_S, and EnableGrp1A where it has EnableGrp1NS.
    const ARE_NS: GicdCtlr = GicdCtlr::ARE_S;
    const ENABLE_GROUP_1: GicdCtlr = GicdCtlr::EnableGrp1NS;
    // SAFETY: the caller's promise.
    let control = unsafe { read_gicd_ctlr(gic)? };
    // SAFETY: the caller's promise.
    let mut distributor = unsafe { distributor(gic)? };
    // Affinity routing must not change while groups are enabled, hence first.
    for bit in [ARE_NS, ENABLE_GROUP_1] {
        if !control.contains(bit) {
            distributor.modify_control(bit, true);
        }
    }
    Ok(())
}

/// Brings up this core's part for the image at NS-EL2: wakes the redistributor, where the firmware has not, and lets
/// non-secure group 1 through to this core. Virtual interrupts are off.
///
/// # Errors
/// See [`GicError`].
///
/// # Safety
/// `gic` is the board's GIC, mapped as device memory; this is NS-EL2, no other code of this core is using the
/// redistributor, and no VM has run on this core yet, or since it was switched on.
pub unsafe fn init_normal_core(gic: &Gic) -> Result<(), GicError> {
    // SAFETY: the caller's promise.
    wake(&mut unsafe { own_redistributor(gic)? });
    open_cpu_interface();
    // ICH_HCR_EL2, by its encoding.
    // SAFETY: no VM runs, so no virtual interrupt is lost.
    unsafe { write_sysreg!("S3_4_C12_C11_0", 0u64) };
    crate::sysreg::isb();
    Ok(())
}

/// Takes the pending group 1 interrupt of the highest priority. None if there is none, or it belongs to the other world.
/// What is taken must be ended by [`end`].
pub fn acknowledge() -> Option<u32> {
    let intid = GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1)?;
    // The acknowledgement is complete before the handler looks at the device.
    crate::sysreg::dsb_sy();
    Some(u32::from(intid)).filter(|intid| !(SPECIAL_INTIDS..1024).contains(intid))
}

/// Which group 1 interrupt [`acknowledge`] would take, without taking it.
pub fn pending() -> Option<u32> {
    let intid = GicCpuInterface::get_pending_interrupt(InterruptGroup::Group1)?;
    Some(u32::from(intid)).filter(|intid| !(SPECIAL_INTIDS..1024).contains(intid))
}

/// Ends an interrupt that [`acknowledge`] gave: drops its priority and deactivates it.
pub fn end(intid: u32) {
    // What the handler did to the device is there first, or the interrupt comes again at once.
    crate::sysreg::dsb_sy();
    // ICC_EOIR1_EL1, by its encoding; arm-gic takes INTIDs it has made itself only.
    // SAFETY: ending an interrupt lets others in again, and all are masked at EL2.
    unsafe { write_sysreg!("S3_0_C12_C12_1", u64::from(intid)) };
    crate::sysreg::isb();
}

/// Separates the two halves of [`end`] on this core: from now on [`end`] only drops the priority, and [`deactivate`]
/// lets the interrupt come again. For interrupts that a guest ends itself, through a list register.
pub fn split_end() {
    const EOI_MODE: u64 = 1 << 1;
    // ICC_CTLR_EL1, by its encoding.
    let control = read_sysreg!("S3_0_C12_C12_4");
    // SAFETY: how interrupts are ended is the image's own affair; none is being handled now.
    unsafe { write_sysreg!("S3_0_C12_C12_4", control | EOI_MODE) };
    crate::sysreg::isb();
}

/// Deactivates an interrupt whose priority was dropped by [`end`], where [`split_end`] separated them.
pub fn deactivate(intid: u32) {
    // ICC_DIR_EL1, by its encoding.
    // SAFETY: an interrupt that is not active is left alone by the hardware.
    unsafe { write_sysreg!("S3_0_C12_C11_1", u64::from(intid)) };
    crate::sysreg::isb();
}

/// The priority mask of this core: only interrupts with a number below it are signalled. One for both worlds.
#[must_use]
pub fn priority_mask() -> u8 {
    GicCpuInterface::get_priority_mask()
}

/// Sets the priority mask of this core.
pub fn set_priority_mask(mask: u8) {
    GicCpuInterface::set_priority_mask(mask);
}

/// System register access, all priorities, group 1 of this security state.
fn open_cpu_interface() {
    // ICC_SRE_EL2, by its encoding.
    let sre = read_sysreg!("S3_4_C12_C9_5");
    if sre & SRE_ALL != SRE_ALL {
        // SAFETY: this only turns system register access on; where it is hard-wired the write is ignored.
        unsafe { write_sysreg!("S3_4_C12_C9_5", sre | SRE_ALL) };
        crate::sysreg::isb();
    }
    set_priority_mask(PRIORITY_MASK_OPEN);
    GicCpuInterface::enable_group1(true);
    crate::sysreg::isb();
}

/// Wakes a redistributor that sleeps.
fn wake(redistributor: &mut GicRedistributor<'_>) {
    // The only error is that it is awake: it is what was wanted. The normal world cannot see the register and reads 0,
    // which says the same.
    let _ = redistributor.mark_core_awake();
}

/// Puts one private interrupt into non-secure group 1, disabled, with a priority of the normal world's: the firmware below
/// may have left one that is a secure interrupt's.
fn give_one(redistributor: &mut GicRedistributor<'_>, intid: u32) -> Result<(), GicError> {
    let number = private(intid)?;
    let bad = |_| GicError::Intid(intid);
    // A group is changed while the interrupt is off, so that none arrives in between.
    redistributor.enable_interrupt(number, false).map_err(bad)?;
    redistributor.wait_for_pending_write();
    redistributor
        .set_interrupt_priority(number, NORMAL_PRIORITY)
        .map_err(bad)?;
    redistributor
        .set_group(number, Group::Group1NS)
        .map_err(bad)
}

/// An INTID that is private to a core, as the driver names it.
fn private(intid: u32) -> Result<IntId, GicError> {
    match intid {
        0..SGI_INTIDS => Ok(IntId::sgi(intid)),
        SGI_INTIDS..PRIVATE_INTIDS => Ok(IntId::ppi(intid - SGI_INTIDS)),
        _ => Err(GicError::Intid(intid)),
    }
}

/// The redistributor whose GICR_TYPER names this core.
///
/// # Safety
/// `gic` is the board's GIC, mapped, and no other code of this core is using its redistributor.
unsafe fn own_redistributor(gic: &Gic) -> Result<GicRedistributor<'static>, GicError> {
    // SAFETY: the caller's promise.
    unsafe { redistributor_of(gic, cpu::affinity()) }
}

/// The redistributor of the core with this affinity.
///
/// # Safety
/// `gic` is the board's GIC, mapped, and no other code is using that redistributor.
unsafe fn redistributor_of(
    gic: &Gic,
    affinity: u64,
) -> Result<GicRedistributor<'static>, GicError> {
    // SAFETY: the caller's promise.
    let base = unsafe { frames_of(gic, affinity)? };
    let frame = NonNull::new(ptr::with_exposed_provenance_mut::<GicrSgi>(base))
        .ok_or(GicError::Address(base as u64))?;
    // SAFETY: the frame is that core's, and the caller says that nobody else is using it.
    Ok(GicRedistributor::new(unsafe {
        UniqueMmioPointer::new(frame)
    }))
}

/// Where this core's redistributor is: its two frames of 64 KiB.
///
/// # Safety
/// `gic` is the board's GIC, mapped.
unsafe fn own_frames(gic: &Gic) -> Result<usize, GicError> {
    // SAFETY: the caller's promise.
    unsafe { frames_of(gic, cpu::affinity()) }
}

/// Where the redistributor of the core with this affinity is.
///
/// # Safety
/// `gic` is the board's GIC, mapped.
unsafe fn frames_of(gic: &Gic, affinity: u64) -> Result<usize, GicError> {
    // GICR_TYPER has Aff3 right above the other three.
    let wanted = (affinity >> 32 & 0xff) << 24 | (affinity & 0xff_ffff);
    let mut frame = gic.redistributors.base;
    // The last frame has to lie inside the region.
    while gic
        .redistributors
        .contains(frame, size_of::<GicrSgi>() as u64)
    {
        let base = address(frame)?;
        let typer = ptr::with_exposed_provenance::<u64>(base.wrapping_add(GICR_TYPER));
        // SAFETY: the address lies in a redistributor frame, which the caller says is mapped.
        if unsafe { typer.read_volatile() } >> 32 == wanted {
            return Ok(base);
        }
        match frame.checked_add(gic.redistributor_stride) {
            Some(next) if next > frame => frame = next,
            _ => break,
        }
    }
    Err(GicError::NoRedistributor { affinity })
}

/// The distributor.
///
/// # Safety
/// `gic` is the board's GIC, mapped, and no other code is using its distributor.
unsafe fn distributor(gic: &Gic) -> Result<GicDistributor<'static>, GicError> {
    let base = gic.distributor.base;
    let registers = NonNull::new(ptr::with_exposed_provenance_mut::<Gicd>(address(base)?))
        .ok_or(GicError::Address(base))?;
    // SAFETY: the caller's promise.
    Ok(GicDistributor::new(unsafe {
        UniqueMmioPointer::new(registers)
    }))
}

/// GICD_CTLR.
///
/// # Safety
/// `gic` is the board's GIC, mapped.
unsafe fn read_gicd_ctlr(gic: &Gic) -> Result<GicdCtlr, GicError> {
    let register = ptr::with_exposed_provenance::<u32>(address(gic.distributor.base)?);
    // SAFETY: GICD_CTLR is the first word of the distributor, and reading it changes nothing.
    Ok(GicdCtlr::from_bits_retain(unsafe {
        register.read_volatile()
    }))
}

fn address(value: u64) -> Result<usize, GicError> {
    usize::try_from(value).map_err(|_| GicError::Address(value))
}
