//! The system of twelve partitions: two of every boot and ten of one image, which tell themselves apart
//! by their ids.

use crate::abi::{self, UuidWords};
use crate::transform::{self, Transform};

/// How many there are.
pub const COUNT: u16 = 12;
/// The first one's id; the others follow.
pub const FIRST: u16 = abi::ECHO;
/// The last one's id.
pub const LAST: u16 = FIRST + COUNT - 1;

/// The service of the one with this id.
pub const fn uuid(id: u16) -> UuidWords {
    match id {
        abi::ECHO => abi::ECHO_UUID,
        abi::RELAY => abi::RELAY_UUID,
        _ => [0x7461_6e74, 0x6d61_6e79, 0, id as u32],
    }
}

/// What the one with this id answers.
pub const fn transform(id: u16) -> Transform {
    match id {
        abi::ECHO => transform::ECHO,
        abi::RELAY => transform::RELAY,
        _ => Transform::of(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_have_their_own_service_and_answer() {
        let ids = FIRST..=LAST;
        let services: std::collections::BTreeSet<_> = ids.clone().map(uuid).collect();
        let answers: std::collections::BTreeSet<_> =
            ids.map(|id| transform(id).wide(0, 1)).collect();
        assert_eq!(services.len(), COUNT.into());
        assert_eq!(answers.len(), COUNT.into());
    }
}
