//! Several VMs: who they are, and what they are asked.
//!
//! VM 1, the primary, is the client. The others are one program, built for each version of FF-A and mode,
//! that answers like the partitions of the [contract matrix](crate::contract) and does
//! [more](protocol) than they do.

pub mod info;
pub mod protocol;

use crate::abi;
use crate::contract::{Subject, subject};

/// The ids that a VM beside the client may have.
pub const IDS: core::ops::RangeInclusive<u16> = 2..=8;

const VERSIONS: [u32; 4] = [abi::V1_0, abi::V1_1, abi::V1_2, abi::V1_3];
const NAMES: [&str; 7] = ["vm2", "vm3", "vm4", "vm5", "vm6", "vm7", "vm8"];
const KINDS: usize = VERSIONS.len() * 2;

/// Every VM with every version and in both modes.
static PEERS: [Subject; NAMES.len() * KINDS] = {
    let mut all = [subject("", 0, 0, false); NAMES.len() * KINDS];
    let mut n = 0;
    while n < all.len() {
        let place = n / KINDS;
        all[n] = subject(
            NAMES[place],
            *IDS.start() + place as u16,
            VERSIONS[n % KINDS / 2],
            n % 2 == 1,
        );
        n += 1;
    }
    all
};

/// VM `id` if it speaks `version`, in strict mode or not.
pub fn peer(id: u16, version: u32, strict: bool) -> Option<&'static Subject> {
    PEERS
        .iter()
        .find(|peer| peer.id == id && peer.version == version && peer.strict == strict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_found_and_differ() {
        for id in IDS {
            for version in VERSIONS {
                for strict in [false, true] {
                    let found = peer(id, version, strict).unwrap();
                    assert_eq!(
                        (found.id, found.version, found.strict),
                        (id, version, strict)
                    );
                }
            }
        }
        assert!(peer(1, abi::V1_2, false).is_none());
        assert!(peer(9, abi::V1_2, false).is_none());
        assert_eq!(peer(8, abi::V1_3, true).unwrap().name, "vm8");
    }
}
