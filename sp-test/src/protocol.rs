//! The commands a client sends to a test partition, inside the payload of
//! `FFA_MSG_SEND_DIRECT_REQ2`.
//!
//! x4 of the request is [`MAGIC`] with a command in its lower 16 bits; any other x4 is an ordinary
//! message, which the partition answers with its [transformation](crate::transform). The answer is
//! a `DIRECT_RESP2` with a status in x4 and details from x5 on; registers without a detail are
//! zero.

/// The upper 48 bits of a command.
pub const MAGIC: u64 = 0x7461_6e74_616c_0000;

/// Command: x5 = CurrentEL >> 2, x6 = own id, x7 = SPMC's id, x8 = what FFA_VERSION answered,
/// x9 = [`BootInfo`](crate::boot_info::BootInfo), x10 = x4 at entry, x11 = MPIDR_EL1, x12 = load
/// address.
pub const WHO: u16 = 1;
/// Command: x5 = 1 checks every register around every wait and response from now on, 0 stops.
pub const SET_CHECKED: u16 = 2;
/// Command: answers x5 = waits checked, x6 = waits with a wrong register, x7-x9 = the first wrong
/// one (number, got, wanted), x10 = how often FFA_RUN ended a wait, x11 = unexpected completions.
pub const GET_ERRORS: u16 = 3;
/// Command: compares V0-V31, FPCR and FPSR with the pattern left by the last such command, then
/// leaves a new one made from x5. Answers x5 = number of words that differ.
pub const USE_FP: u16 = 4;
/// Command: x5 = 1 makes the partition use a vector register on every request and whenever it runs again after it has
/// yielded, 2 all of them, with a comparison as in [`USE_FP`]; 0 stops. Answers x5 = how often it has used all since the
/// last such command, x6 = number of words that differed.
pub const FP_EACH: u16 = 5;
/// Command: sends a direct request of kind x5 ([`KIND_REQ_32`], [`KIND_REQ_64`], [`KIND_REQ2`]) to
/// endpoint x6 with the payload x7-x17 (five registers, or eleven and three zeroes). Answers x5-x7
/// = x0-x2 of what came back, x8-x17 = its first ten payload registers.
pub const CALL: u16 = 6;
/// Command: touches address x5 by x6 ([`READ`], [`WRITE`], [`EXECUTE`]). Answers x5 = 1 if that
/// faulted, x6 = ESR_EL1 (or the value read), x7 = FAR_EL1.
pub const PROBE: u16 = 7;
/// Command: runs case x5 of [`sp_cases`](crate::sp_cases) by conduit x6 (0 SMC, 1 HVC). Answers
/// x4 = [`OK`], [`FAILED`] or [`UNKNOWN`], x5-x7 = register, got, wanted.
pub const CASE: u16 = 8;
/// Command: x5 times, answers its request in wrong ways and checks that each is refused. Answers
/// x5 = how many calls were not refused, x6, x7 = x0 and x2 of the first of them.
pub const MISBEHAVE: u16 = 9;
/// Command: executes an undefined instruction. Answers x5 = 1 if that faulted, x6 = ESR_EL1.
pub const UNDEFINED: u16 = 10;

/// Command: calls FFA_YIELD x5 times before it answers. Answers x5 = how many of them came back with
/// FFA_SUCCESS and every other register as it must be, x6-x8 = the first wrong register (number,
/// got, wanted).
pub const YIELD: u16 = 11;

/// Command: makes the call FFA_PARTITION_INFO_GET_REGS with x1 = x5, x2 = x6. Answers x5-x16 = x0-x11 of what came
/// back.
pub const INFO_REGS: u16 = 12;

/// Command: reads ID_AA64PFR1_EL1 x5 times inside of a window of the instruction counter. Answers x5 =
/// the last value.
pub const READ_ID: u16 = 0x40;
/// Writes CSSELR_EL1; answers with what it was, what it is then, and CLIDR_EL1.
pub const SELECT_CACHE: u16 = 0x41;

/// Command: loads a pattern made from x5 into V0-V31, FPCR and FPSR, and compares them with it for x6 ticks of the
/// virtual counter. Answers x5 = number of words that differed in the end.
pub const FP_BUSY: u16 = 0x42;
/// Command: tries what a partition does not have: group x5 (of `rt::forbidden`), registers written if x6 = 1, else read.
/// Answers x5 = attempts, x6 = those that were not undefined, x7 = the number of the first of them, x8 = its ESR_EL1, or
/// 0 if it did not fault.
pub const TRY: u16 = 0x43;
/// Command: compares system registers with the pattern that the last such command left, then leaves one made from x5 in
/// all that it can write. Answers x5 = 1 if one differed, x6-x8 = its place, what it was found, what it should be.
pub const TAINT: u16 = 0x44;
/// Command: reads the ID register S3_0_C0_Cm_n, m in bits 7:4 of x5, n in bits 3:0. Answers x5 = the value.
pub const ID_REGISTER: u16 = 0x45;

/// Command: binds the notifications x6 of sender x5, which are global. Answers x5, x6 = x0 and x2 of what came back.
pub const BIND: u16 = 0x46;
/// Command: reads all notifications of the first context. Answers x5 = x0 of what came back, x6 = those of VMs.
pub const READ_NOTIFICATIONS: u16 = 0x47;

/// Command: has RX and TX of x5 pages mapped, and none that were before.
pub const MEM_MAP: u16 = 0x50;
/// Command: sends memory by the function x5 to the endpoint x6: x7 = first address, x8 = constituents, x9 = pages of
/// each, x10 = bytes from one to the next. Answers x5 = handle.
pub const MEM_SEND: u16 = 0x51;
/// Command: retrieves the memory of handle x6, sent by x5 with the function x7, and releases RX. Answers x5 = pages
/// that it was told of.
pub const MEM_RETRIEVE: u16 = 0x52;
/// Command: relinquishes the memory of handle x5.
pub const MEM_RELINQUISH: u16 = 0x53;
/// Command: reclaims the memory of handle x5, with flags x6.
pub const MEM_RECLAIM: u16 = 0x54;

/// Command: writes and reads x6 pages from x5 on, but for the one of number x8, for x7 ticks of the virtual counter.
/// Answers x5 = how often all of them, x6 = words that were not what was written.
pub const MEM_TOUCH: u16 = 0x55;

/// Status: done, or the case passed.
pub const OK: u64 = 0;
/// Status: the case failed.
pub const FAILED: u64 = 1;
/// Status: no such command or case.
pub const UNKNOWN: u64 = 2;

/// `FFA_MSG_SEND_DIRECT_REQ_32` with w3-w7.
pub const KIND_REQ_32: u64 = 0;
/// `FFA_MSG_SEND_DIRECT_REQ_64` with x3-x7.
pub const KIND_REQ_64: u64 = 1;
/// `FFA_MSG_SEND_DIRECT_REQ2` with x4-x17.
pub const KIND_REQ2: u64 = 2;

/// A load of eight bytes.
pub const READ: u64 = 0;
/// A store of eight bytes.
pub const WRITE: u64 = 1;
/// A branch.
pub const EXECUTE: u64 = 2;

/// The first payload register of a command.
pub const fn command(command: u16) -> u64 {
    MAGIC | command as u64
}

/// The command in a first payload register, if it is one.
pub const fn parse(first: u64) -> Option<u16> {
    if first & !0xffff == MAGIC {
        Some(first as u16)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_messages() {
        assert_eq!(parse(command(CASE)), Some(CASE));
        assert_eq!(parse(0), None);
        assert_eq!(parse(command(CASE) ^ (1 << 63)), None);
    }
}
