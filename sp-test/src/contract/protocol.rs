//! What a client of the matrix asks of a partition.
//!
//! A command stands in the first payload register of a `DIRECT_REQ_64` (x3) or a `DIRECT_REQ2` (x4),
//! with [`MAGIC`](crate::protocol::MAGIC) above it and its arguments behind it. The answer has a
//! status ([`OK`](crate::protocol::OK) …) in the same place and four details behind it, so that it
//! fits the smaller message, which every version has.

use crate::abi;

/// Command: argument 0 is a set of [`WAIT_64`], [`GARBAGE`] and [`HINT`], which hold from now on.
pub const SETUP: u16 = 0x100;
/// Command: the next request that is no command, or the next FFA_RUN, has the partition do action
/// argument 0 ([`SPIN`] …) with arguments 1 and 2 before it answers, or waits again.
pub const ARM: u16 = 0x101;
/// Command: what the partition saw of calls with identifier argument 0 that were completed by
/// [`key`] argument 1. Answers how many, how many with a wrong register (shifted left by 32), and of
/// the first of these the register, what it was and what it should have been. Argument 0 zero stands
/// for [`SPIN`]s and what they left in registers; all ones, with any key, for everything together.
pub const TALLY: u16 = 0x102;
/// Command: forgets all that [`TALLY`] tells but the sum of everything.
pub const CLEAR: u16 = 0x103;
/// Command: makes the call with x0 = argument 0, x1 = argument 1 and so on up to x3. Answers x0-x3
/// of what came back.
pub const PLAIN: u16 = 0x104;
/// Command: answers its id, what FFA_VERSION answered it, x4 at its entry, MPIDR_EL1.
pub const WHO: u16 = 0x105;
/// Command: runs entry argument 0 of [`bad`](super::bad) by conduit argument 1 (0 SMC, 1 HVC).
/// Answers [`OK`](crate::protocol::OK), [`FAILED`](crate::protocol::FAILED) or
/// [`UNKNOWN`](crate::protocol::UNKNOWN), then register, got, wanted.
pub const BAD: u16 = 0x106;

/// [`SETUP`]: waits with the 64-bit form of FFA_MSG_WAIT.
pub const WAIT_64: u64 = 1;
/// [`SETUP`]: upper halves of all arguments of 32-bit calls are random.
pub const GARBAGE: u64 = 2;
/// [`SETUP`]: all calls have SMCCC's SVE hint.
pub const HINT: u64 = 4;

/// Action: spins for argument 1 ticks with all registers watched.
pub const SPIN: u64 = 1;
/// Action: yields argument 1 times, with the 64-bit form if argument 2 is 1.
pub const YIELD: u64 = 2;
/// Action: answers with the response of the other width, and if that is refused with the right one.
pub const OTHER_WIDTH: u64 = 3;
/// Action: passes the payload on to partition argument 1 with the request that argument 2 has in its
/// lower half ([`Kind`](super::Kind)'s identifier), runs it for as long as it takes, and answers with
/// the answer as it is. [`FIRST_64`] and [`PROVOKE`] in argument 2 say how.
pub const PASS_ON: u64 = 4;

/// Action: responds to endpoint argument 1 in all three forms though nobody asked.
pub const UNASKED: u64 = 5;

/// [`PASS_ON`]: tries the 64-bit FFA_RUN first.
pub const FIRST_64: u64 = 1 << 32;
/// [`PASS_ON`]: after a DENIED FFA_RUN, also sends a `DIRECT_REQ2` and makes the same FFA_RUN again
/// before the other form.
pub const PROVOKE: u64 = 1 << 33;

/// What stands for a completion in the tally: x0, and above it the code of an FFA_ERROR.
pub const fn key(x0: u64, x2: u64) -> u64 {
    let id = x0 & 0xffff_ffff;
    if id == abi::ERROR as u64 {
        id | x2 << 32
    } else {
        id
    }
}

/// The key of an FFA_ERROR.
pub const fn error(code: i32) -> u64 {
    key(abi::ERROR as u64, abi::code(code))
}
