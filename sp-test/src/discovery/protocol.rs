//! What a client asks of a partition of these boots: `FFA_MSG_SEND_DIRECT_REQ_32`, which every version
//! has, with a command in w3 and its arguments in w4 to w7. The answer has a status in w3 and details
//! behind it.

/// What a command has in w3, without its number.
pub const MAGIC: u32 = 0xd15c_0000;

/// Command: runs the entry w4 of the table (`cases::entry`). Answers [`PASSED`], [`FAILED`]
/// or [`UNKNOWN`].
pub const CASE: u16 = 1;
/// Command: sixteen bytes, from byte w4 on, of what the last failed case has to say, in w4 to w7.
/// Behind its end there are zeroes.
pub const TEXT: u16 = 2;
/// Command: fills RX with a query, and has the next FFA_MSG_WAIT that follows an FFA_RUN carry w4 in
/// its w2. Answers [`PASSED`] or [`FAILED`].
pub const HOLD: u16 = 3;
/// Command: how the waits since [`HOLD`] ended. Answers in w4 how many were refused with
/// INVALID_PARAMETERS, in w5 the first other error's code, and releases RX: in w6 the error of that, 0
/// if there was none. Then unmaps what [`HOLD`] mapped.
pub const HELD: u16 = 4;
/// Command: makes the SMC with x0 = w4, x1 = w5. Answers x0 in w4 and w5, x1 in w6 and w7.
pub const PLAIN: u16 = 5;

/// Command: what it has been told of VMs since it was asked last: w4 how often, w5 the last message's
/// number and, in bits 31:16, the VM's id, w6 and w7 its handle. It answers the following ones with the
/// status w4, and does before that what w5 says: [`TRY`], [`GIVE_BACK`].
pub const VMS: u16 = 6;
/// Command: as [`TRY`], but while it owes the answer to this one. Answers [`TRIED`]'s.
pub const TRY_NOW: u16 = 7;
/// Command: how [`TRY`] went: w4 how many answers were tried, w5 how many of them were DENIED, w6 what
/// the first other one got in w0, w7 in w2.
pub const TRIED: u16 = 8;

/// Bit: tries every answer that is not the right one.
pub const TRY: u64 = 1;
/// Bit: FFA_YIELD.
pub const GIVE_BACK: u64 = 2;

/// Status: all was as it must be.
pub const PASSED: u32 = 0;
/// Status: something was not.
pub const FAILED: u32 = 1;
/// Status: there is no such command or case.
pub const UNKNOWN: u32 = 2;

/// w3 of a command.
pub const fn command(command: u16) -> u64 {
    (MAGIC | command as u32) as u64
}

/// The command in w3, if it is one.
pub const fn parse(w3: u64) -> Option<u16> {
    if w3 as u32 & 0xffff_0000 == MAGIC {
        Some(w3 as u16)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_messages() {
        assert_eq!(parse(command(HELD)), Some(HELD));
        assert_eq!(parse(0x1_0003), None);
    }
}
