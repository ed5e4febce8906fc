//! What VMs write into their TX, byte by byte.

use ffa_abi::Version;

pub(super) const SP: u16 = 0x8001;
pub(super) const OTHER_SP: u16 = 0x8002;

/// A receiver or borrower: id and permissions.
pub(super) type Access = (u16, u8);
/// Data access read-only and read-write; nothing said of instructions.
pub(super) const RO: u8 = 1;
pub(super) const RW: u8 = 2;
/// The same, with a borrower's word about instructions: never.
pub(super) const NX: u8 = 4;

/// What a VM writes into its TX: an offer, or a request to retrieve where there are no parts.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub sender: u16,
    pub attributes: u16,
    pub flags: u32,
    pub handle: u64,
    pub tag: u64,
    pub receivers: Vec<Access>,
    /// Address and pages.
    pub parts: Vec<(u64, u32)>,
    /// Pages in all, if they are not what the parts add up to.
    pub pages: Option<u32>,
}

/// The implementation defined value that all receivers have, from 1.2 on.
pub(super) const VALUE: [u8; 16] = *b"implementation d";

impl Offer {
    /// A VM shares pages with a partition.
    pub fn to(receiver: u16, sender: u16, parts: &[(u64, u32)]) -> Self {
        Self {
            sender,
            attributes: 0x2f,
            flags: 0,
            handle: 0,
            tag: 0x1234_5678_9abc_def0,
            receivers: vec![(receiver, RW)],
            parts: parts.to_vec(),
            pages: None,
        }
    }

    /// It as a loan to one, or as a donation: nothing is said of the type of memory.
    pub fn untyped(self) -> Self {
        Self {
            attributes: 0,
            ..self
        }
    }

    /// The request of its only receiver to retrieve it, as loan or donation.
    pub fn wanted(&self, handle: u64, access: u8) -> Self {
        let (receiver, _) = self.receivers[0];
        Self {
            attributes: 0x2f,
            flags: 0,
            handle,
            receivers: vec![(receiver, access)],
            parts: Vec::new(),
            ..self.clone()
        }
    }

    /// In the layout of a version.
    pub fn bytes(&self, version: Version) -> Vec<u8> {
        let mut out = Vec::new();
        let old = version < Version::V1_1;
        let size: u32 = if version < Version::V1_2 { 16 } else { 32 };
        let count = self.receivers.len() as u32;
        out.extend(self.sender.to_le_bytes());
        out.extend(self.attributes.to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        out.extend(self.handle.to_le_bytes());
        out.extend(self.tag.to_le_bytes());
        match old {
            true => out.extend([0; 4]),
            false => out.extend(size.to_le_bytes()),
        }
        out.extend(count.to_le_bytes());
        if !old {
            out.extend(48u32.to_le_bytes());
            out.extend([0; 12]);
        }
        let composite = out.len() as u32 + count * size;
        for (id, permissions) in &self.receivers {
            out.extend(id.to_le_bytes());
            out.extend([*permissions, 0]);
            let composite = if self.parts.is_empty() { 0 } else { composite };
            out.extend(composite.to_le_bytes());
            if size == 32 {
                out.extend(VALUE);
            }
            out.extend([0; 8]);
        }
        if !self.parts.is_empty() {
            let sum = self.parts.iter().map(|(_, pages)| *pages).sum();
            out.extend(self.pages.unwrap_or(sum).to_le_bytes());
            out.extend((self.parts.len() as u32).to_le_bytes());
            out.extend([0; 8]);
        }
        for (base, pages) in &self.parts {
            out.extend(base.to_le_bytes());
            out.extend(pages.to_le_bytes());
            out.extend([0; 4]);
        }
        out
    }
}
