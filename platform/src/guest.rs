//! A guest's general registers, and entering it.

use crate::sysreg;

/// What the entry and exit code loads and stores. Field offsets are known to the assembly in
/// `entry.rs`.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct GuestRegs {
    /// x0 to x30.
    pub x: [u64; 31],
    /// Where the guest goes on (ELR_EL2).
    pub pc: u64,
    /// Its PSTATE (SPSR_EL2).
    pub pstate: u64,
    /// Its APIAKey, low and high. The image signs its own return addresses with that key, so it is
    /// switched at each entry and exit; the other keys are not.
    pub ia_key: [u64; 2],
}

const _: () = {
    assert!(core::mem::offset_of!(GuestRegs, x) == 0);
    assert!(core::mem::offset_of!(GuestRegs, pc) == 248);
    assert!(core::mem::offset_of!(GuestRegs, pstate) == 256);
    assert!(core::mem::offset_of!(GuestRegs, ia_key) == 264);
};

impl GuestRegs {
    /// EL1h with D, A, I and F masked.
    pub const PSTATE_EL1H: u64 = 0x3c5;

    /// Registers of a guest that starts at `pc`, EL1h, all interrupts masked, all registers zero.
    pub const fn at(pc: u64) -> Self {
        Self {
            x: [0; 31],
            pc,
            pstate: Self::PSTATE_EL1H,
            ia_key: [0; 2],
        }
    }
}

/// Why a guest left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A synchronous exception: ESR_EL2 says which.
    Sync,
    /// A physical IRQ is pending.
    Irq,
    /// A physical FIQ is pending.
    Fiq,
    /// A physical SError.
    SError,
}

impl Exit {
    /// What the assembly gives: the number of the vector among those for a lower exception level.
    #[inline(always)]
    pub(crate) const fn of(kind: u64) -> Self {
        // 4 to 7 are the same from AArch32, which a guest may use at its EL0.
        match kind & 3 {
            0 => Self::Sync,
            1 => Self::Irq,
            2 => Self::Fiq,
            _ => Self::SError,
        }
    }
}

/// Calls the assembly that enters a guest: `$enter` with the guest's registers, and x1 and x2 as `$more` says. It loses
/// every register but x19, x29 and sp, which are declared here. It is no call by the standard, which would have twelve
/// registers saved that mostly nobody needs.
macro_rules! enter_by {
    ($enter:ident, $regs:ident; $($more:tt)*) => {{
        let kind: u64;
        core::arch::asm!(
            "bl {enter}",
            enter = sym $enter,
            inout("x0") core::ptr::from_mut($regs) => kind,
            $($more)*,
            out("x3") _, out("x4") _, out("x5") _, out("x6") _,
            out("x7") _, out("x8") _, out("x9") _, out("x10") _, out("x11") _, out("x12") _,
            out("x13") _, out("x14") _, out("x15") _, out("x16") _, out("x17") _, out("x18") _,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _, out("x25") _,
            out("x26") _, out("x27") _, out("x28") _, out("x30") _,
        );
        $crate::guest::Exit::of(kind)
    }};
}

pub(crate) use enter_by;

unsafe extern "C" {
    fn __enter_guest();
}

/// Enters the guest and returns when it leaves.
///
/// # Safety
///
/// Stage 2, HCR_EL2 and the EL1 registers must be those of this guest, so that it can reach nothing
/// but what is its own.
#[inline(always)]
pub unsafe fn enter(regs: &mut GuestRegs) -> Exit {
    // SAFETY: The assembly uses `regs` for this guest only; isolation is the caller's promise.
    unsafe { enter_by!(__enter_guest, regs; out("x1") _, out("x2") _) }
}

/// The fault registers of the exception that just made a guest leave.
pub fn fault() -> crate::trap::Fault {
    crate::trap::Fault {
        esr: read_sysreg!("esr_el2"),
        far: read_sysreg!("far_el2"),
        hpfar: read_sysreg!("hpfar_el2"),
    }
}

use crate::read_sysreg;

/// Invalidates all translations of the EL1&0 regime of this security state, on every core.
pub fn tlbi_all_guests() {
    sysreg::dsb_sy();
    // SAFETY: Dropping cached translations is always allowed.
    unsafe { core::arch::asm!("tlbi alle1is", options(nostack, preserves_flags)) }
    sysreg::dsb_sy();
    sysreg::isb();
}

/// Invalidates all stage 1 and stage 2 translations of the VMID now in VTTBR_EL2, on every core.
pub fn tlbi_current_vmid() {
    sysreg::dsb_sy();
    // SAFETY: Dropping cached translations is always allowed.
    unsafe { core::arch::asm!("tlbi vmalls12e1is", options(nostack, preserves_flags)) }
    sysreg::dsb_sy();
    sysreg::isb();
}
