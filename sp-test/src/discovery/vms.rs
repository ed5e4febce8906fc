//! VM availability messages (DEN0077A 1.1): what the hypervisor sends, and which answers are wrong.

use super::Subject;
use crate::abi::{self, Regs};

/// Bit 31 of w2: a framework message. Its number is in bits 7:0.
pub const FRAMEWORK: u64 = 1 << 31;

/// A VM that comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// In names of cases.
    pub name: &'static str,
    /// The message's number; the answer's is the next.
    pub request: u64,
    /// Its bit in `vm-availability-messages`.
    pub bit: u32,
}

/// Both.
pub const EVENTS: [Event; 2] = [
    Event {
        name: "vm_created",
        request: 4,
        bit: 1,
    },
    Event {
        name: "vm_destroyed",
        request: 6,
        bit: 2,
    },
];

impl Event {
    /// Whether a caller of this version may tell a partition of it.
    pub const fn reaches(&self, version: u32, subject: &Subject) -> bool {
        version >= abi::V1_1 && subject.vm_events & self.bit != 0
    }

    /// w2 of the message.
    pub const fn w2(&self) -> u64 {
        FRAMEWORK | self.request
    }

    /// w2 of its answer.
    pub const fn answer(&self) -> u64 {
        FRAMEWORK | (self.request + 1)
    }
}

/// Whether a direct request is a framework message.
pub const fn is_framework(regs: &Regs) -> bool {
    regs[2] & FRAMEWORK != 0
}

/// x0 and x2 of answers.
pub type Answers = [(u32, u64); 7];

/// What is no answer to the message with this w2. The last is for partitions that have
/// `FFA_MSG_SEND_DIRECT_RESP2`.
pub const fn answers_to_a_message(w2: u64) -> Answers {
    let right = w2 + 1;
    // 5 and 7.
    let other = right ^ 2;
    [
        (abi::DIRECT_RESP_32, 0),
        (abi::DIRECT_RESP_64, 0),
        (abi::DIRECT_RESP_32, other),
        (abi::DIRECT_RESP_32, w2),
        (abi::DIRECT_RESP_32, FRAMEWORK | 0xff),
        (abi::DIRECT_RESP_64, right),
        (abi::DIRECT_RESP2, 0),
    ]
}

/// What is no answer to `FFA_MSG_SEND_DIRECT_REQ_32` between endpoints.
pub const ANSWERS_TO_AN_ENDPOINT: Answers = [
    (abi::DIRECT_RESP_32, FRAMEWORK | 5),
    (abi::DIRECT_RESP_32, FRAMEWORK | 7),
    (abi::DIRECT_RESP_32, FRAMEWORK | 4),
    (abi::DIRECT_RESP_32, FRAMEWORK | 2),
    (abi::DIRECT_RESP_32, FRAMEWORK | 0xff),
    (abi::DIRECT_RESP_64, FRAMEWORK | 5),
    (abi::DIRECT_RESP2, 0),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::SUBJECTS;

    #[test]
    fn no_wrong_answer_is_the_right_one() {
        for event in EVENTS {
            let right = (abi::DIRECT_RESP_32, event.answer());
            assert!(!answers_to_a_message(event.w2()).contains(&right));
        }
        assert_eq!(
            answers_to_a_message(EVENTS[0].w2())[2].1,
            EVENTS[1].answer()
        );
        assert_eq!(
            answers_to_a_message(EVENTS[1].w2())[2].1,
            EVENTS[0].answer()
        );
        assert!(!ANSWERS_TO_AN_ENDPOINT.contains(&(abi::DIRECT_RESP_32, 0)));
    }

    #[test]
    fn each_is_told_to_some_and_not_to_others() {
        for event in EVENTS {
            let told = |version| {
                SUBJECTS
                    .iter()
                    .filter(|s| event.reaches(version, s))
                    .count()
            };
            assert_eq!(told(abi::V1_0), 0);
            assert_eq!(told(abi::V1_1), 3);
        }
    }
}
