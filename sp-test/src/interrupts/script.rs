//! What a context does when it is entered, step by step: four words each.

use crate::board::Line;

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The script is over.
    End,
    /// Logs a number.
    Mark(u64),
    /// Raises a line.
    Raise(Line),
    /// Lowers a line.
    Lower(Line),
    /// Masks virtual IRQs and FIQs.
    Mask,
    /// Unmasks them.
    Unmask,
    /// Sends a `DIRECT_REQ_64` with this first word and logs what came back.
    Call(u16, u64),
    /// FFA_RUN of a partition's context; logs what came back.
    Run(u16, u16),
    /// FFA_YIELD; logs what came back.
    Yield,
    /// FFA_MSG_WAIT; logs what came back.
    Wait,
    /// FFA_ABORT; logs what came back, if anything does.
    Abort,
    /// Spins until the client says go, a managed exit is asked for, or so many milliseconds are over. Logs why.
    Spin(u64),
    /// Spins so many microseconds with every register watched, and logs the first that did not keep its value.
    Watch(u64),
    /// A hypercall with x0 to x3; logs x0 of its answer.
    Hypercall([u16; 2], u64, u64),
    /// Arms the timer, so many microseconds from now, by CNTP_TVAL if the last is set, else by CNTP_CVAL.
    Arm(u64, bool),
    /// Stops the timer.
    Disarm,
    /// Logs whether the timer is enabled and has fired (CNTP_CTL), and how many ticks are left (CNTP_TVAL).
    Timer,
    /// Touches each ICC register; logs how many did not fault.
    Controller,
    /// Takes all interrupts that are pending without waiting for the vector.
    Drain,
    /// FFA_FEATURES of an identifier; logs what came back.
    Features(u64),
    /// FFA_SECONDARY_EP_REGISTER of an address: logs what came back.
    Register(u64),
    /// The rest of the script is for the first time only.
    Once,
}

/// Words of a step.
pub const WORDS: usize = 4;

impl Op {
    /// The step as words.
    pub const fn encode(self) -> [u64; WORDS] {
        match self {
            Self::End => [0, 0, 0, 0],
            Self::Mark(number) => [1, number, 0, 0],
            Self::Raise(line) => [2, line as u64, 0, 0],
            Self::Lower(line) => [3, line as u64, 0, 0],
            Self::Mask => [4, 0, 0, 0],
            Self::Unmask => [5, 0, 0, 0],
            Self::Call(to, word) => [6, to as u64, word, 0],
            Self::Run(id, context) => [7, id as u64, context as u64, 0],
            Self::Yield => [8, 0, 0, 0],
            Self::Wait => [9, 0, 0, 0],
            Self::Abort => [10, 0, 0, 0],
            Self::Spin(ms) => [11, ms, 0, 0],
            Self::Watch(us) => [12, us, 0, 0],
            Self::Hypercall([x0, x3], x1, x2) => [13, x0 as u64 | (x3 as u64) << 16, x1, x2],
            Self::Arm(us, by_tval) => [14, us, by_tval as u64, 0],
            Self::Disarm => [15, 0, 0, 0],
            Self::Timer => [16, 0, 0, 0],
            Self::Controller => [17, 0, 0, 0],
            Self::Drain => [18, 0, 0, 0],
            Self::Features(id) => [19, id, 0, 0],
            Self::Register(address) => [20, address, 0, 0],
            Self::Once => [21, 0, 0, 0],
        }
    }

    /// The step in these words, if it is one.
    pub const fn decode(words: [u64; WORDS]) -> Option<Self> {
        let [code, a, b, c] = words;
        Some(match code {
            0 => Self::End,
            1 => Self::Mark(a),
            2 | 3 => match Line::from_number(a) {
                Some(line) if code == 2 => Self::Raise(line),
                Some(line) => Self::Lower(line),
                None => return None,
            },
            4 => Self::Mask,
            5 => Self::Unmask,
            6 => Self::Call(a as u16, b),
            7 => Self::Run(a as u16, b as u16),
            8 => Self::Yield,
            9 => Self::Wait,
            10 => Self::Abort,
            11 => Self::Spin(a),
            12 => Self::Watch(a),
            13 => Self::Hypercall([a as u16, (a >> 16) as u16], b, c),
            14 => Self::Arm(a, b != 0),
            15 => Self::Disarm,
            16 => Self::Timer,
            17 => Self::Controller,
            18 => Self::Drain,
            19 => Self::Features(a),
            20 => Self::Register(a),
            21 => Self::Once,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_words_and_words_are_steps() {
        for op in [
            Op::End,
            Op::Mark(u64::MAX),
            Op::Raise(Line::Shared),
            Op::Lower(Line::Normal),
            Op::Mask,
            Op::Unmask,
            Op::Call(0x8004, 1 << 40),
            Op::Run(0x8004, 7),
            Op::Yield,
            Op::Wait,
            Op::Abort,
            Op::Spin(5),
            Op::Watch(5),
            Op::Hypercall([0xff09, 2], 39, u64::MAX),
            Op::Arm(100, true),
            Op::Arm(100, false),
            Op::Disarm,
            Op::Timer,
            Op::Controller,
            Op::Drain,
            Op::Features(3),
            Op::Register(0x1000),
            Op::Once,
        ] {
            assert_eq!(Op::decode(op.encode()), Some(op));
        }
        assert_eq!(Op::decode([2, 9, 0, 0]), None);
        assert_eq!(Op::decode([99, 0, 0, 0]), None);
    }
}
