//! The suite `memory`: what its client and the program `sp-mem` share.
//!
//! All parties of these boots but the client are one program, as a partition or as a VM, told apart by where it is:
//! one of each version of FF-A. A party thinks nothing: it does what the client asks it for ([`protocol`]) — makes a
//! call, writes and reads memory, touches a page and says what fault that was. So the client has all of a transaction
//! in its hands, whoever sends, borrows and fails, and does its own part by the same commands. What is in buffers is
//! written and read by [`descriptor`].

pub mod block;
pub mod descriptor;
pub mod list;
pub mod protocol;

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod hand;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod party;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
mod plan;

use crate::abi;
use crate::board::place;

/// 4 KiB.
pub const PAGE: u64 = 0x1000;

/// What a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The normal world's hypervisor, which is the client.
    Hypervisor,
    /// A VM behind the proxy: the client, or another one.
    Vm,
    /// A partition.
    Partition,
}

/// A party of these boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// In names of cases.
    pub name: &'static str,
    /// Its id.
    pub id: u16,
    /// What it is.
    pub kind: Kind,
    /// The version of FF-A that it speaks.
    pub version: u32,
    /// Where its memory begins.
    pub base: u64,
    /// Pages of its RX and of its TX buffer.
    pub buffers: u64,
}

const fn partition(name: &'static str, number: u16, version: u32, buffers: u64) -> Who {
    Who {
        name,
        id: 0x8003 + number,
        kind: Kind::Partition,
        version,
        base: place(0x0e50_0000 + number as u64 * 0x10_0000),
        buffers,
    }
}

const fn vm(name: &'static str, id: u16, version: u32, buffers: u64) -> Who {
    Who {
        name,
        id,
        kind: Kind::Vm,
        version,
        base: place(0x4f00_0000 + id as u64 * 0x0100_0000),
        buffers,
    }
}

/// FF-A 1.0.
pub const V10: Who = partition("sp10", 0, abi::V1_0, 1);
/// FF-A 1.1.
pub const V11: Who = partition("sp11", 1, abi::V1_1, 2);
/// FF-A 1.2; has a device, and memory of the normal world, by its manifest.
pub const V12: Who = partition("sp12", 2, abi::V1_2, 4);
/// FF-A 1.3.
pub const V13: Who = partition("sp13", 3, abi::V1_3, 1);
/// Ends for good when it fails.
pub const STOPS: Who = partition("stops", 4, abi::V1_3, 1);
/// Starts again when it fails.
pub const RESTARTS: Who = partition("restarts", 5, abi::V1_3, 1);

/// The partitions, in the order of the SPMC's manifest.
pub const PARTITIONS: [Who; 6] = [V10, V11, V12, V13, STOPS, RESTARTS];
/// Those that live as long as the boot.
pub const LASTING: [Who; 4] = [V10, V11, V12, V13];

/// A VM of FF-A 1.1.
pub const VM2: Who = vm("vm2", 2, abi::V1_1, 1);
/// A VM of FF-A 1.0.
pub const VM3: Who = vm("vm3", 3, abi::V1_0, 2);
/// The VMs beside the client's.
pub const VMS: [Who; 2] = [VM2, VM3];

/// Where the client's memory begins that it gives away, and its end; its buffers are behind it. When it is a VM, the
/// last pages of its memory.
const CLIENT: u64 = 0x5010_0000;
const CLIENT_END: u64 = 0x5070_0000;
const CLIENT_BUFFERS: u64 = 0x5070_0000;
/// The same in the memory of the others, from its beginning on.
const BUFFERS: u64 = 0x8_0000;
const SPARE: u64 = 0x9_0000;
const SPARE_END: u64 = 0xf_0000;
/// A partition's pages that are readable only.
const READ_ONLY: u64 = 0xf_e000;
/// Bytes from TX to RX.
const APART: u64 = 0x8000;

/// Memory of the normal world that [`V12`]'s manifest gives it: this many pages.
pub const NORMAL: u64 = place(0x7000_0000);
/// That.
pub const NORMAL_PAGES: u64 = 4;

impl Who {
    /// The party whose image is here.
    pub fn at(base: u64) -> Option<Self> {
        // A package has the image behind its header.
        let here = |who: &Self| base >> 20 == who.base >> 20;
        PARTITIONS.into_iter().chain(VMS).find(here)
    }

    /// The client.
    pub const fn client(direct: bool, version: u32) -> Self {
        Self {
            name: if direct { "hypervisor" } else { "vm1" },
            id: if direct { abi::HYPERVISOR } else { abi::VM1 },
            kind: if direct { Kind::Hypervisor } else { Kind::Vm },
            version,
            base: place(0x5000_0000),
            buffers: 1,
        }
    }

    /// It is the client.
    pub const fn is_client(&self) -> bool {
        self.id < 2
    }

    /// It is a partition.
    pub fn is_partition(&self) -> bool {
        self.kind == Kind::Partition
    }

    /// The call by which it ends.
    pub fn end(&self) -> u32 {
        match self.is_partition() {
            true => abi::ABORT,
            false => abi::PSCI_SYSTEM_OFF,
        }
    }

    /// Something checks its accesses to memory.
    pub fn is_confined(&self) -> bool {
        self.kind != Kind::Hypervisor
    }

    /// Pages that it owns and does not need itself: where they begin, how many.
    pub const fn spare(&self) -> (u64, u64) {
        match self.is_client() {
            true => (place(CLIENT), (CLIENT_END - CLIENT) / PAGE),
            false => (self.base + SPARE, (SPARE_END - SPARE) / PAGE),
        }
    }

    /// Two pages of a partition's that it may only read.
    pub const fn read_only(&self) -> u64 {
        self.base + READ_ONLY
    }

    /// Its TX buffer.
    pub const fn tx(&self) -> u64 {
        match self.is_client() {
            true => place(CLIENT_BUFFERS),
            false => self.base + BUFFERS,
        }
    }

    /// Its RX buffer.
    pub const fn rx(&self) -> u64 {
        self.tx() + APART
    }
}

/// What stands at an address that was filled with `seed`.
pub const fn pattern(address: u64, seed: u64) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ address ^ 0x5a00_0000_0000_00a5
}

/// Instead of a seed: zeroes.
pub const ZEROES: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties_are_known_by_their_place() {
        for who in PARTITIONS.into_iter().chain(VMS) {
            assert_eq!(Who::at(who.base + 0x4000), Some(who));
        }
        assert_eq!(Who::at(place(0x0e30_4000)), None);
    }

    #[test]
    fn what_a_party_has_lies_apart() {
        for who in PARTITIONS.into_iter().chain(VMS) {
            let (spare, pages) = who.spare();
            assert!(who.tx() + 4 * PAGE <= who.rx());
            assert!(who.rx() + 4 * PAGE <= spare);
            assert!(spare + pages * PAGE <= who.read_only());
            assert_eq!(who.read_only() + 2 * PAGE, who.base + 0x10_0000);
        }
        for direct in [true, false] {
            let client = Who::client(direct, abi::V1_2);
            let (spare, pages) = client.spare();
            assert!(spare + pages * PAGE <= client.tx());
            assert!(client.rx() + 4 * PAGE <= client.base + 0x80_0000);
        }
    }

    #[test]
    fn a_pattern_is_of_its_address_and_seed() {
        assert_ne!(pattern(0x1000, 1), pattern(0x1008, 1));
        assert_ne!(pattern(0x1000, 1), pattern(0x1000, 2));
        assert_ne!(pattern(0x1000, 1), 0);
    }
}
