//! What a context sees, in its order.

use crate::abi;

/// One entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// No entry.
    Nothing,
    /// The context starts: x4, and whether at the registered entry.
    Started(u64, bool),
    /// A direct request came, with this first word of the payload.
    Request(u64),
    /// A framework message came: its number, its first word.
    Framework(u64, u64),
    /// FFA_RUN ended a wait.
    Run,
    /// FFA_INTERRUPT ended a wait or completed a call: w1, w2.
    Interrupt(u64, u64),
    /// A direct response came: its first word.
    Response(u64),
    /// The context that was run waits: w1.
    Waits(u64),
    /// The context that was called or run yields: w1.
    Yields(u64),
    /// FFA_SUCCESS: w2.
    Success(u64),
    /// FFA_ERROR: its code.
    Error(i32),
    /// Something else: x0, x1.
    Other(u64, u64),
    /// The vector of IRQs was taken.
    Irq,
    /// The vector of FIQs was taken.
    Fiq,
    /// HF_INTERRUPT_GET gave this interrupt.
    Got(u64),
    /// What a hypercall answered.
    Answer(u64),
    /// [`Op::Mark`](super::script::Op::Mark).
    Mark(u64),
    /// The client said go.
    Went,
    /// A spin ended since a managed exit was asked for.
    ExitAsked,
    /// A spin took too long.
    TimedOut,
    /// A register was not kept: its number, what it was.
    Lost(u64, u64),
    /// CNTP_CTL, CNTP_TVAL.
    Timer(u64, u64),
    /// So many registers did not fault.
    Reached(u64),
}

impl Event {
    /// What a call came back with.
    pub fn of_call(regs: &abi::Regs) -> Self {
        match regs[0] as u32 {
            abi::RUN | abi::RUN_64 => Self::Run,
            abi::INTERRUPT => Self::Interrupt(regs[1], regs[2]),
            abi::DIRECT_REQ_32 | abi::DIRECT_REQ_64 if regs[2] >> 31 & 1 == 1 => {
                Self::Framework(regs[2] & 0xff, regs[3])
            }
            abi::DIRECT_REQ_32 | abi::DIRECT_REQ_64 => Self::Request(regs[3]),
            abi::DIRECT_REQ2 => Self::Request(regs[4]),
            abi::DIRECT_RESP_32 | abi::DIRECT_RESP_64 => Self::Response(regs[3]),
            abi::DIRECT_RESP2 => Self::Response(regs[4]),
            abi::MSG_WAIT => Self::Waits(regs[1]),
            abi::YIELD => Self::Yields(regs[1]),
            abi::SUCCESS_32 | abi::SUCCESS_64 => Self::Success(regs[2]),
            abi::ERROR => Self::Error(regs[2] as u32 as i32),
            _ => Self::Other(regs[0], regs[1]),
        }
    }

    /// The entry as words.
    pub const fn encode(self) -> [u64; 3] {
        match self {
            Self::Nothing => [0, 0, 0],
            Self::Started(context, registered) => [1, context, registered as u64],
            Self::Request(word) => [2, word, 0],
            Self::Framework(message, word) => [3, message, word],
            Self::Run => [4, 0, 0],
            Self::Interrupt(w1, w2) => [5, w1, w2],
            Self::Response(word) => [6, word, 0],
            Self::Waits(w1) => [7, w1, 0],
            Self::Yields(w1) => [8, w1, 0],
            Self::Success(w2) => [9, w2, 0],
            Self::Error(code) => [10, code as u32 as u64, 0],
            Self::Other(x0, x1) => [11, x0, x1],
            Self::Irq => [12, 0, 0],
            Self::Fiq => [13, 0, 0],
            Self::Got(id) => [14, id, 0],
            Self::Answer(x0) => [15, x0, 0],
            Self::Mark(number) => [16, number, 0],
            Self::Went => [17, 0, 0],
            Self::ExitAsked => [18, 0, 0],
            Self::TimedOut => [19, 0, 0],
            Self::Lost(register, value) => [20, register, value],
            Self::Timer(ctl, tval) => [21, ctl, tval],
            Self::Reached(count) => [22, count, 0],
        }
    }

    /// The entry in these words.
    pub const fn decode(words: [u64; 3]) -> Self {
        let [code, a, b] = words;
        match code {
            1 => Self::Started(a, b != 0),
            2 => Self::Request(a),
            3 => Self::Framework(a, b),
            4 => Self::Run,
            5 => Self::Interrupt(a, b),
            6 => Self::Response(a),
            7 => Self::Waits(a),
            8 => Self::Yields(a),
            9 => Self::Success(a),
            10 => Self::Error(a as u32 as i32),
            11 => Self::Other(a, b),
            12 => Self::Irq,
            13 => Self::Fiq,
            14 => Self::Got(a),
            15 => Self::Answer(a),
            16 => Self::Mark(a),
            17 => Self::Went,
            18 => Self::ExitAsked,
            19 => Self::TimedOut,
            20 => Self::Lost(a, b),
            21 => Self::Timer(a, b),
            22 => Self::Reached(a),
            _ => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_words_and_words_are_entries() {
        for event in [
            Event::Nothing,
            Event::Started(3, true),
            Event::Request(u64::MAX),
            Event::Framework(0, 0x8400_0002),
            Event::Run,
            Event::Interrupt(0x8003_0001, 39),
            Event::Response(1),
            Event::Waits(2),
            Event::Yields(3),
            Event::Success(4),
            Event::Error(abi::DENIED),
            Event::Other(5, 6),
            Event::Irq,
            Event::Fiq,
            Event::Got(39),
            Event::Answer(u64::MAX),
            Event::Mark(7),
            Event::Went,
            Event::ExitAsked,
            Event::TimedOut,
            Event::Lost(8, 9),
            Event::Timer(1, 2),
            Event::Reached(3),
        ] {
            assert_eq!(Event::decode(event.encode()), event);
        }
    }

    #[test]
    fn calls_are_told_apart() {
        let of = |x: &[u64]| {
            let mut regs = [0; 18];
            regs[..x.len()].copy_from_slice(x);
            Event::of_call(&regs)
        };
        assert_eq!(of(&[abi::INTERRUPT.into(), 1, 2]), Event::Interrupt(1, 2));
        let framework = [abi::DIRECT_REQ_32.into(), 0, 0x8000_0000, 5];
        assert_eq!(of(&framework), Event::Framework(0, 5));
        assert_eq!(of(&[abi::DIRECT_REQ_64.into(), 0, 0, 5]), Event::Request(5));
        let error = [abi::ERROR.into(), 0, abi::code(abi::BUSY)];
        assert_eq!(of(&error), Event::Error(abi::BUSY));
    }
}
