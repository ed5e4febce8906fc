//! Descriptors to be written, and answers to be read.

use super::*;

/// A descriptor to be written.
#[derive(Clone, Debug)]
pub struct Draft {
    pub sender: EndpointId,
    pub attributes: u16,
    pub flags: u32,
    pub handle: u64,
    pub tag: u64,
    /// Ids and permissions.
    pub receivers: Vec<(u16, u8)>,
    pub implementation: [u8; 16],
    /// Addresses and numbers of pages.
    pub parts: Vec<(u64, u32)>,
    /// Changed when all is written.
    pub pokes: Vec<(usize, u32)>,
}

pub const RW: u8 = 2;
pub const RO: u8 = 1;
pub const NX: u8 = 4;
pub const X: u8 = 8;
pub const NORMAL: u16 = 0x2f;

/// Sharing one page with a partition.
pub fn share(who: Who, to: Slot) -> Draft {
    Draft {
        sender: who.id(),
        attributes: NORMAL,
        flags: 0,
        handle: 0,
        tag: 0x77,
        receivers: vec![(id(to).0, RW)],
        implementation: [0; 16],
        parts: vec![(who.memory(), 1)],
        pokes: Vec::new(),
    }
}

/// Lending it.
pub fn lend(who: Who, to: Slot) -> Draft {
    Draft {
        attributes: 0,
        ..share(who, to)
    }
}

/// Donating it.
pub fn donate(who: Who, to: Slot) -> Draft {
    Draft {
        receivers: vec![(id(to).0, 0)],
        ..lend(who, to)
    }
}

/// Retrieving what was shared by `who` with `to`, so.
pub fn retrieve(who: Who, to: Slot, handle: Handle) -> Draft {
    Draft {
        handle: handle.0,
        parts: Vec::new(),
        ..share(who, to)
    }
}

/// Retrieving what was lent or donated to `to` alone.
pub fn borrow(who: Who, to: Slot, handle: Handle) -> Draft {
    Draft {
        receivers: vec![(id(to).0, RW | NX)],
        ..retrieve(who, to, handle)
    }
}

impl Draft {
    pub fn parts(self, parts: &[(u64, u32)]) -> Self {
        Self {
            parts: parts.to_vec(),
            ..self
        }
    }

    pub fn to(self, receivers: &[(u16, u8)]) -> Self {
        Self {
            receivers: receivers.to_vec(),
            ..self
        }
    }

    pub fn flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    pub fn attributes(self, attributes: u16) -> Self {
        Self { attributes, ..self }
    }

    pub fn poke(mut self, at: usize, value: u32) -> Self {
        self.pokes.push((at, value));
        self
    }

    pub fn bytes(&self, version: Version) -> Vec<u8> {
        let header = Transaction {
            flags: TransactionFlags::from_bits_retain(self.flags),
            handle: Handle(self.handle),
            tag: self.tag,
            ..Transaction::new(version, self.sender, Attributes(self.attributes))
        };
        let accesses: Vec<_> = self
            .receivers
            .iter()
            .map(|(endpoint, permissions)| Access {
                endpoint: EndpointId(*endpoint),
                permissions: AccessPermissions(*permissions),
                flags: AccessFlags::empty(),
                composite_offset: 0,
                implementation: self.implementation,
            })
            .collect();
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|(base, pages)| Constituent {
                base: *base,
                pages: *pages,
            })
            .collect();
        let mut bytes = vec![0; 64 * 1024];
        let size = header.write_all(version, &accesses, &parts, &mut bytes);
        bytes.truncate(size.expect("a descriptor"));
        for (at, value) in &self.pokes {
            bytes[*at..][..4].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }
}

/// What an answer says: header, ids and permissions of receivers, addresses and pages of constituents.
pub type Told = (Transaction, Vec<(u16, u8)>, Vec<(u64, u32)>);

/// Reads an answer.
pub fn read(version: Version, bytes: &[u8]) -> Told {
    let header = Transaction::read(version, bytes).expect("a header");
    let accesses: Vec<_> = header.accesses(bytes).expect("receivers").collect();
    let at = accesses[0].composite_offset;
    let composite = ffa_abi::memory::Composite::read(bytes, at).expect("a composite region");
    let parts: Vec<_> = composite
        .constituents(bytes, at)
        .map(|part| (part.base, part.pages))
        .collect();
    assert_eq!(parts.len(), composite.count as usize);
    let pages: u32 = parts.iter().map(|(_, pages)| pages).sum();
    assert_eq!(pages, composite.pages);
    let receivers = accesses
        .iter()
        .map(|access| (access.endpoint.0, access.permissions.0))
        .collect();
    (header, receivers, parts)
}
