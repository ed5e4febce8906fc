//! What a party is asked for: `FFA_MSG_SEND_DIRECT_REQ_64`, which every version has, with a command in x3 and its
//! arguments in x4 to x7. The answer has a status in x3 and details behind it.

/// What a command has in x3, without its number.
pub const MAGIC: u64 = 0x6d65_6d6f_7279_0000;

/// Command: makes a call with x0-x3 = the arguments, x4-x7 as [`SET`] has left them, once. Answers x0-x3 of what came
/// back, with w4 in the upper half of the first. Every other register must be zero or as it was.
pub const CALL: u16 = 1;
/// Command: x4-x7 of the next call.
pub const SET: u16 = 2;
/// Command: writes arguments 1 to 3 at address argument 0.
pub const WRITE: u16 = 3;
/// Command: answers the four words at address argument 0.
pub const READ: u16 = 4;
/// Command: fills memory from address argument 0 on, argument 1 bytes, with the pattern of seed argument 2.
pub const FILL: u16 = 5;
/// Command: compares memory in the same way. Answers how many words differ, the first one's address and value.
pub const COMPARE: u16 = 6;
/// Command: touches address argument 0 by argument 1: [`LOAD`], [`LOAD_32`], [`STORE`] (of argument 2) or [`FETCH`].
/// Answers what was read.
pub const TOUCH: u16 = 7;
/// Command: writes constituents from address argument 0 on: the first one's address is argument 1, argument 2 has the
/// pages of each in its lower and their number in its upper half, argument 3 is from one to the next.
pub const ENTRIES: u16 = 8;
/// Command: compares them in the same way. Answers how many differ, and the first one's place.
pub const COMPARE_ENTRIES: u16 = 9;
/// Command: answers its id, what FFA_VERSION answered, where it is.
pub const WHO: u16 = 10;
/// Command: ends, by FFA_ABORT or, a VM, PSCI SYSTEM_OFF.
pub const DIE: u16 = 11;
/// Command: reads, compares and writes memory that was filled, as [`COMPARE`], again and again for argument 3 ticks.
/// Answers how many words differed, how often it has been through, the first one's address and value.
pub const WATCH: u16 = 12;
/// Command: answers x4-x7 of what the last [`CALL`] came back with.
pub const LAST: u16 = 13;
/// Command: what to do each time that FFA_RUN ends a wait. It takes its interrupts, reads its notifications with the
/// flags argument 0, and sets those of argument 3 for each receiver in arguments 1 and 2 (w1 of the call) that is not
/// zero. Flags of zero end that.
pub const PLAN: u16 = 14;
/// Command: answers what came of that since the last time it was asked: how often it ran, with the notifications
/// pending interrupts that it took in the upper half; notifications of partitions, of VMs, of the framework.
pub const REPORT: u16 = 15;
/// Command: takes the interrupts that are pending: answers how many it took since [`REPORT`] or this, the last one's
/// number, how many of them were others than that of notifications.
pub const TAKE: u16 = 16;

/// A load.
pub const LOAD: u64 = 0;
/// A store.
pub const STORE: u64 = 1;
/// A call of the code there.
pub const FETCH: u64 = 2;
/// A load of four bytes, as devices want it.
pub const LOAD_32: u64 = 3;

/// Status: done.
pub const OK: u64 = 0;
/// Status: an access faulted. Details: the syndrome, the address.
pub const FAULT: u64 = 1;
/// Status: a call has changed a register that it must not change: its number, what it is, what it should be.
pub const WRONG_REGISTER: u64 = 2;
/// Status: there is no such command.
pub const UNKNOWN: u64 = 3;

/// x3 of a command.
pub const fn command(command: u16) -> u64 {
    MAGIC | command as u64
}

/// The command in x3, if it is one.
pub const fn parse(x3: u64) -> Option<u16> {
    if x3 & !0xffff == MAGIC {
        Some(x3 as u16)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_messages() {
        assert_eq!(parse(command(DIE)), Some(DIE));
        assert_eq!(parse(DIE.into()), None);
    }
}
