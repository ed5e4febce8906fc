//! What a partition does before it answers: a word of the payload, of 32 bits, so that each form of message has room.
//!
//! The first word of a payload is for its receiver. If it passes something on, the payload of that begins with the
//! second word, and so on.

/// Before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    Answer,
    /// Spins so many microseconds, with every register watched.
    Spin(u16),
    /// The same with its interrupts masked.
    SpinMasked(u16),
    /// The same with vector registers that must keep their values.
    SpinWithVectors(u16),
    /// Sets its timer, so many times eight microseconds from now, also if it is set.
    Arm(u16),
    /// Interrupts its context with this number.
    Ipi(u16),
    /// Yields so many times.
    Yield(u16),
    /// Sends a message to the peer with this number, and checks the answer.
    Call(u16),
    /// Has the interrupt of its device go to the core with this number, on which it runs.
    Route(u16),
    /// From now on deals with the interrupt that FFA_INTERRUPT names, and asks for none (1); or asks again (0).
    Told(u16),
    /// Checks that it is this context (the lower four bits) and has started so many times, modulo 256.
    Started(u16),
}

/// Bits of an argument.
const ARGUMENT: u32 = 12;

/// What an argument is at most.
pub const MOST: u16 = (1 << ARGUMENT) - 1;

impl Order {
    /// The order as a word; the upper half is `salt`'s.
    pub const fn encode(self, salt: u16) -> u64 {
        let (code, argument) = match self {
            Self::Answer => (0, 0),
            Self::Spin(us) => (1, us),
            Self::SpinMasked(us) => (2, us),
            Self::SpinWithVectors(us) => (3, us),
            Self::Arm(time) => (4, time),
            Self::Ipi(context) => (5, context),
            Self::Yield(times) => (6, times),
            Self::Call(peer) => (7, peer),
            Self::Route(core) => (8, core),
            Self::Started(what) => (9, what),
            Self::Told(on) => (10, on),
        };
        (salt as u64) << 16 | ((argument & MOST) as u64) << 4 | code
    }

    /// The order in a word. What is none is no order.
    pub const fn decode(word: u64) -> Self {
        let argument = (word >> 4) as u16 & MOST;
        match word & 0xf {
            1 => Self::Spin(argument),
            2 => Self::SpinMasked(argument),
            3 => Self::SpinWithVectors(argument),
            4 => Self::Arm(argument),
            5 => Self::Ipi(argument),
            6 => Self::Yield(argument),
            7 => Self::Call(argument),
            8 => Self::Route(argument),
            9 => Self::Started(argument),
            10 => Self::Told(argument),
            _ => Self::Answer,
        }
    }

    /// The argument of [`Started`](Self::Started).
    pub const fn started(context: u64, times: u64) -> Self {
        Self::Started((context & 0xf) as u16 | ((times & 0xff) as u16) << 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_words_of_32_bits() {
        for order in [
            Order::Answer,
            Order::Spin(1),
            Order::SpinMasked(MOST),
            Order::SpinWithVectors(7),
            Order::Arm(9),
            Order::Ipi(7),
            Order::Yield(3),
            Order::Call(9),
            Order::Route(2),
            Order::started(7, 255),
            Order::Told(1),
        ] {
            let word = order.encode(0xffff);
            assert_eq!(word >> 32, 0);
            assert_eq!(Order::decode(word), order);
            assert_eq!(Order::decode(word | 0xabcd << 32), order);
        }
    }

    #[test]
    fn an_argument_that_is_too_large_spoils_nothing_else() {
        let word = Order::Spin(u16::MAX).encode(0);
        assert_eq!(Order::decode(word), Order::Spin(MOST));
    }
}
