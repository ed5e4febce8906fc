//! Giving a guest at EL1 an exception of its own: what it would have taken, had EL2 not been there.
//!
//! All of this works on the *live* EL1 registers, right after the guest left and before anything
//! else was loaded.

use crate::{
    guest::GuestRegs,
    read_sysreg,
    trap::{Fault, Trap},
    write_sysreg,
};

const EC_UNKNOWN: u64 = 0;
const EC_INSTRUCTION_ABORT_LOWER: u64 = 0x20;
const EC_DATA_ABORT_LOWER: u64 = 0x24;
const IL: u64 = 1 << 25;
/// Fault status code of a synchronous external abort: no translation of the guest's is to blame.
const FSC_EXTERNAL: u64 = 0x10;
const WNR: u64 = 1 << 6;
/// PSTATE as SPSR_EL2 has it: AArch32.
const AARCH32: u64 = 1 << 4;
const SCTLR_SPAN: u64 = 1 << 23;
const SCTLR_DSSBS: u64 = 1 << 44;

/// What is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Injection {
    /// The instruction is undefined.
    Undefined,
    /// The instruction fetch failed.
    InstructionAbort,
    /// The access failed.
    DataAbort,
}

/// What a guest finds that makes a call with an immediate, which is none of SMCCC's.
const UNKNOWN_CALL: u64 = u64::MAX;

/// Ends a trap that nobody emulates as it would have ended without EL2: aborts and what the guest
/// does not have are exceptions at its EL1, a call with an immediate is unknown and nothing else is
/// touched, waiting is over at once.
pub fn reflect(regs: &mut GuestRegs, fault: &Fault) {
    let what = match fault.trap() {
        Trap::InstructionAbort => Injection::InstructionAbort,
        Trap::DataAbort { .. } => Injection::DataAbort,
        Trap::SystemRegister(_)
        | Trap::Fp
        | Trap::Vector
        | Trap::Svc { .. }
        | Trap::Other { .. } => Injection::Undefined,
        Trap::Smc { .. } => {
            regs.x[0] = UNKNOWN_CALL;
            regs.pc = regs.pc.wrapping_add(4);
            return;
        }
        // The return address is behind it already.
        Trap::Hvc { .. } => {
            regs.x[0] = UNKNOWN_CALL;
            return;
        }
        Trap::Wait => {
            regs.pc = regs.pc.wrapping_add(fault.instruction_bytes());
            return;
        }
    };
    inject(regs, fault, what);
}

/// Makes the guest take a synchronous exception to its EL1 at its present instruction.
fn inject(regs: &mut GuestRegs, fault: &Fault, what: Injection) {
    let aarch32 = regs.pstate & AARCH32 != 0;
    // AArch32 is possible at EL0 only.
    let from_el0 = aarch32 || regs.pstate & 0xc == 0;
    // The class for "same exception level" is the one for "lower" plus one.
    let same = u64::from(!from_el0);
    let esr = match what {
        Injection::Undefined => EC_UNKNOWN << 26 | IL,
        Injection::InstructionAbort => {
            (EC_INSTRUCTION_ABORT_LOWER + same) << 26 | IL | FSC_EXTERNAL
        }
        Injection::DataAbort => {
            (EC_DATA_ABORT_LOWER + same) << 26 | fault.esr & (IL | WNR) | FSC_EXTERNAL
        }
    };
    let sctlr = read_sysreg!("S3_5_C1_C0_0");
    let vbar = read_sysreg!("S3_5_C12_C0_0");
    // SAFETY: The EL1 registers are the guest's own and live; an exception taken at EL1 would
    // have written the same ones.
    unsafe {
        write_sysreg!("S3_5_C5_C2_0", esr);
        write_sysreg!("S3_5_C4_C0_1", regs.pc);
        write_sysreg!("S3_5_C4_C0_0", regs.pstate);
        if what != Injection::Undefined {
            write_sysreg!("S3_5_C6_C0_0", fault.far);
        }
    }
    let offset = match regs.pstate & 0xf {
        _ if aarch32 => 0x600,
        0 => 0x400,
        // EL1t keeps using SP_EL0's vectors.
        4 => 0x000,
        _ => 0x200,
    };
    regs.pc = vbar.wrapping_add(offset);
    // EL1h, D, A, I, F masked; NZCV, DIT and PAN as exception entry leaves them.
    let keep = regs.pstate & (0xf << 28 | 1 << 24 | 1 << 22);
    let pan = if sctlr & SCTLR_SPAN == 0 { 1 << 22 } else { 0 };
    let ssbs = if sctlr & SCTLR_DSSBS != 0 { 1 << 12 } else { 0 };
    regs.pstate = keep | pan | ssbs | GuestRegs::PSTATE_EL1H;
}
