//! Physical interrupts at NS-EL2: the VM's virtual timer, and the proxy's own.
//!
//! The VM's timer (PPI 27) is always enabled. When it fires it becomes pending for the VM in list
//! register 0 with the hardware bit, so that the VM's own end of interrupt deactivates the physical
//! one: it can't fire again before, and nothing traps when it is ended.

use super::BOARD;
use defmt::{error, warn};
use platform::{endpoint_console, gic, read_sysreg, sysreg::isb, timer, write_sysreg};

/// For how long a line must not grow until it is shown unfinished.
const IDLE_US: u32 = 50_000;

/// Runs the proxy's own timer: how many ticks it has, 0 for never, and whose lines it shows after how
/// many looks.
#[derive(Clone, Copy, Debug)]
pub struct Interrupts {
    period: u64,
    guest: u16,
    patience: u32,
}

/// What was pending.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// An interrupt of the proxy's own was handled.
    pub own: bool,
    /// The VM's became pending for the VM.
    pub vm: bool,
}

impl Interrupts {
    /// Brings up this core's interrupts: the VM's timer, and the proxy's own every `period_us`.
    pub fn start(guest: u16, period_us: Option<u32>) -> Self {
        let period = match period_us {
            Some(us) => timer::frequency().saturating_mul(us.into()) / 1_000_000,
            None => 0,
        };
        let patience = IDLE_US.div_ceil(period_us.unwrap_or(IDLE_US).max(1));
        let this = Self {
            period,
            guest,
            patience,
        };
        gic::split_end();
        // SAFETY: The GIC is mapped, this is NS-EL2, and nothing else uses the redistributor.
        let mut enabled = unsafe { gic::enable_ppi(&BOARD.gic, BOARD.virtual_timer) };
        if period != 0 {
            // SAFETY: As above.
            let own = unsafe { gic::enable_ppi(&BOARD.gic, BOARD.normal_el2_timer) };
            enabled = enabled.and(own);
            this.arm();
        }
        if let Err(problem) = enabled {
            error!("timers stay silent: {}", defmt::Debug2Format(&problem));
        }
        // SAFETY: List registers empty, virtual interrupts on (ICH_HCR_EL2.En): the only VM has none.
        unsafe {
            write_sysreg!("S3_4_C12_C12_0", 0);
            write_sysreg!("S3_4_C12_C11_0", 1);
        }
        isb();
        this
    }

    /// Sets the proxy's own timer to its next tick.
    fn arm(&self) {
        // SAFETY: CNTHP is the proxy's own timer.
        unsafe {
            write_sysreg!("cnthp_tval_el2", self.period);
            write_sysreg!("cnthp_ctl_el2", 1);
        }
    }

    /// Takes every interrupt that is pending.
    pub fn take(&self) -> Taken {
        let mut taken = Taken::default();
        while let Some(intid) = gic::acknowledge() {
            if intid == BOARD.virtual_timer {
                give_to_vm(intid);
                // Only the priority is dropped: the VM deactivates it.
                gic::end(intid);
                taken.vm = true;
                continue;
            }
            if intid == BOARD.normal_el2_timer && self.period != 0 {
                self.arm();
                endpoint_console::flush_idle(self.guest, self.patience);
            } else {
                warn!("interrupt {=u32} belongs to nobody: dropped", intid);
            }
            gic::end(intid);
            gic::deactivate(intid);
            taken.own = true;
        }
        taken
    }
}

/// Makes a physical interrupt pending for the VM.
fn give_to_vm(intid: u32) {
    // ICH_LR0_EL2: pending, HW, group 1, a middle priority, both numbers.
    const PENDING: u64 = 1 << 62;
    const HW: u64 = 1 << 61;
    const GROUP_1: u64 = 1 << 60;
    const PRIORITY: u64 = 0xa0 << 48;
    let number = u64::from(intid);
    let entry = PENDING | HW | GROUP_1 | PRIORITY | number << 32 | number;
    // SAFETY: List register 0 holds this interrupt or none; it is not pending while it is active.
    unsafe { write_sysreg!("S3_4_C12_C12_0", entry) }
    isb();
}

/// Nothing is pending for a VM.
pub fn forget_pending() {
    // SAFETY: The VM is not running; list register 0 holds its interrupt, which is not active, or none.
    unsafe { write_sysreg!("S3_4_C12_C12_0", 0) }
    isb();
}

/// Whether an interrupt was made pending for the VM, and the VM has not taken it.
#[inline(always)]
pub fn is_pending_for_vm() -> bool {
    // ICH_LR0_EL2: 1 in bits 63:62.
    read_sysreg!("S3_4_C12_C12_0") >> 62 == 1
}

/// Takes an interrupt that is pending for the VM back: its line makes it pending in the machine
/// again. The physical one was active and could not interrupt anybody meanwhile, so a partition that
/// never ends would have kept the core.
#[cold]
#[inline(never)]
pub fn recall() {
    // Physical number: bits 44:32.
    let intid = read_sysreg!("S3_4_C12_C12_0") >> 32 & 0x1fff;
    // The VM is not running, and has not acknowledged it.
    forget_pending();
    gic::deactivate(intid as u32);
}
