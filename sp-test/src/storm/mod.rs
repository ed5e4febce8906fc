//! The boots `cores` and `storm`: what their client and the partition `sp-storm` share.
//!
//! The partitions are those of the suite [`interrupts`](mod@crate::interrupts), with the same ids and rules, but of another
//! program: it does what the request itself [says](order) before it answers, takes interrupts at any moment, and keeps
//! [counts](page) of all that it did and saw. Nobody can say what happens next, only what must be true of each
//! answer and of all counts in the end.

pub mod order;
pub mod page;

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod partition;

use crate::abi::{self, UuidWords};
use crate::interrupts::{self, ALL};
use crate::transform::{self, Transform};

/// Somebody who can be sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id.
    pub id: u16,
    /// It has a context for each core; it is never busy for somebody of its core.
    pub many: bool,
}

/// How many there are: the bystanders `sp-echo` and `sp-relay`, and those that storm.
pub const PEERS: usize = 2 + ALL.len();

impl Peer {
    /// The one with this number.
    pub const fn of(number: usize) -> Option<Self> {
        match number {
            0 => Some(Self {
                id: abi::ECHO,
                many: true,
            }),
            1 => Some(Self {
                id: abi::RELAY,
                many: true,
            }),
            _ if number < PEERS => {
                let who = ALL[number - 2];
                Some(Self {
                    id: who.id,
                    many: who.many,
                })
            }
            _ => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> usize {
        (self.id - abi::ECHO) as usize
    }

    /// It does what a request says; the others only answer.
    pub const fn obeys(self) -> bool {
        self.number() >= 2
    }

    /// Its service.
    pub const fn uuid(self) -> UuidWords {
        match self.id {
            abi::ECHO => abi::ECHO_UUID,
            abi::RELAY => abi::RELAY_UUID,
            id => interrupts::uuid(id),
        }
    }

    /// What it answers.
    pub const fn transform(self) -> Transform {
        match self.id {
            abi::ECHO => transform::ECHO,
            abi::RELAY => transform::RELAY,
            id => Transform::of(id),
        }
    }
}

/// The number that an environment variable had at compile time.
///
/// # Panics
/// It is no decimal number.
pub const fn number(text: Option<&str>, otherwise: u64) -> u64 {
    let Some(text) = text else {
        return otherwise;
    };
    let bytes = text.as_bytes();
    let mut n = 0;
    let mut value: u64 = 0;
    while n < bytes.len() {
        assert!(bytes[n].is_ascii_digit(), "a decimal number");
        value = value
            .wrapping_mul(10)
            .wrapping_add((bytes[n] - b'0') as u64);
        n += 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_found_by_their_numbers() {
        for number in 0..PEERS {
            let peer = Peer::of(number).unwrap();
            assert_eq!(peer.number(), number);
            assert_eq!(usize::from(peer.id), 0x8001 + number);
        }
        assert_eq!(Peer::of(PEERS), None);
    }

    #[test]
    fn numbers_are_decimal() {
        assert_eq!(number(None, 7), 7);
        assert_eq!(number(Some("600"), 7), 600);
    }
}
