//! Who takes part, and where its buffers are.

use ffa_abi::Version;

/// Bytes in a page.
pub(super) const PAGE: u64 = 4096;

/// What somebody is, and with it who checks its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The normal world itself, without the proxy, or a VM of its: the SPMC sees one caller.
    NormalWorld,
    /// A VM behind the proxy.
    Vm,
    /// A partition.
    Partition,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// Its id.
    pub id: u16,
    /// What it is.
    pub kind: Kind,
    /// The version that it speaks.
    pub version: Version,
    /// How many execution contexts it has.
    pub contexts: u16,
    /// Whether it may receive notifications; of the normal world those do that have a bitmap.
    pub notified: bool,
    /// Whether it exchanges indirect messages.
    pub indirect: bool,
    /// The UUIDs of its services, and whether each takes indirect messages.
    pub services: Vec<([u8; 16], bool)>,
    /// Where its buffers are: TX, and RX behind it.
    pub base: u64,
}

impl Party {
    /// Whether it is a partition.
    pub fn is_partition(&self) -> bool {
        self.kind == Kind::Partition
    }
}

/// Whether an id is one of the secure world's.
pub(super) const fn is_secure(id: u16) -> bool {
    id & 0x8000 != 0
}

/// Whether an id may be a VM's.
pub(super) const fn is_vm(id: u16) -> bool {
    id != 0 && id < 0x7fff
}

/// Bytes of a message's header in a version.
pub(super) fn header_bytes(version: Version) -> usize {
    if version < Version::V1_2 { 20 } else { 40 }
}

/// The header of a message, as its sender writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Reserved.
    pub flags: u32,
    /// Where the payload is said to be, in bytes from the start.
    pub offset: u32,
    /// For whom.
    pub receiver: u16,
    /// By whom.
    pub sender: u16,
    /// How many bytes the payload is said to have.
    pub size: u32,
    /// For which service; not in 1.1.
    pub service: [u8; 16],
}

impl Head {
    /// Its bytes in the layout of a version.
    pub fn bytes(&self, version: Version) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40);
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(self.receiver.to_le_bytes());
        bytes.extend(self.sender.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        if header_bytes(version) == 40 {
            bytes.extend([0; 4]);
            bytes.extend(self.service);
        }
        bytes
    }

    /// Whether its payload lies behind a header of this version in a buffer of `size` bytes.
    pub fn fits(&self, version: Version, size: u64) -> bool {
        let end = u64::from(self.offset) + u64::from(self.size);
        self.offset as usize >= header_bytes(version) && end <= size
    }

    /// As it lies in a buffer of `size` bytes of somebody who speaks `version`, if it fits there.
    pub fn moved(mut self, version: Version, size: u64) -> Option<Self> {
        self.flags = 0;
        if header_bytes(version) == 20 {
            self.service = [0; 16];
        }
        if !self.fits(version, size) {
            self.offset = header_bytes(version) as u32;
        }
        self.fits(version, size).then_some(self)
    }
}

/// What a hypervisor leaves in its TX of the pair of a VM: RX behind TX.
pub(super) fn forwarded(vm: u16, tx: u64, pages: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(80);
    bytes.extend(vm.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(48_u32.to_le_bytes());
    bytes.extend([0; 4]);
    for base in [tx + u64::from(pages) * PAGE, tx] {
        // One region, of one piece.
        bytes.extend(pages.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(base.to_le_bytes());
        bytes.extend(pages.to_le_bytes());
        bytes.extend([0; 4]);
    }
    bytes
}
