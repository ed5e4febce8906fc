//! Descriptors with one mistake each, in the order of the tables, and anything in their place.

mod offers;
mod properties;
mod responses;
mod retrievals;
mod single_forms;

use super::super::{
    Access, AccessFlags, AccessLayout, AccessPermissions, Attributes, Composite, Constituent,
    DataAccess, Handle, InstructionAccess, Transaction, TransactionFlags, TransactionKind,
};
use crate::{
    error::FfaError::{self, Denied, InvalidParameters},
    id::EndpointId,
    version::Version,
};

const VERSIONS: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];

/// Who sends in these tests.
const SENDER: EndpointId = EndpointId(0x8001);

const PARTS: [Constituent; 3] = [
    Constituent {
        base: 0x8_8000_0000,
        pages: 3,
    },
    Constituent {
        base: 0x8_9000_1000,
        pages: 1,
    },
    Constituent {
        base: 0x1000,
        pages: 2,
    },
];

/// A descriptor to be written, with the place of everything in it.
#[derive(Clone)]
struct Draft {
    version: Version,
    header: Transaction,
    accesses: Vec<Access>,
    parts: Vec<Constituent>,
    /// Bytes that are changed when all is written.
    pokes: Vec<(usize, Vec<u8>)>,
}

impl Draft {
    /// What is shared with one receiver.
    fn share(version: Version) -> Self {
        Self {
            version,
            header: Transaction {
                tag: 0x1020_3040_5060_7080,
                ..Transaction::new(version, SENDER, Attributes::NORMAL)
            },
            accesses: vec![access(0x8002, DataAccess::ReadWrite)],
            parts: PARTS.to_vec(),
            pokes: Vec::new(),
        }
    }

    /// What is lent to one borrower, whose memory's type its sender does not say.
    fn lend(version: Version) -> Self {
        let mut draft = Self::share(version);
        draft.header.attributes = Attributes(0);
        draft
    }

    /// What is donated.
    fn donate(version: Version) -> Self {
        let mut draft = Self::lend(version);
        draft.accesses = vec![access(0x8002, DataAccess::Unspecified)];
        draft
    }

    /// What a borrower asks for.
    fn retrieve(version: Version) -> Self {
        let mut draft = Self::share(version);
        draft.header.handle = Handle(5);
        draft.parts.clear();
        draft
    }

    fn attributes(mut self, attributes: u16) -> Self {
        self.header.attributes = Attributes(attributes);
        self
    }

    fn flags(mut self, flags: TransactionFlags) -> Self {
        self.header.flags = flags;
        self
    }

    fn and(mut self, endpoint: u16) -> Self {
        let data = self.accesses[0].permissions.data().unwrap();
        self.accesses.push(access(endpoint, data));
        self
    }

    fn permissions(mut self, permissions: u8) -> Self {
        let last = self.accesses.last_mut().unwrap();
        last.permissions = AccessPermissions(permissions);
        self
    }

    fn poke(mut self, at: usize, bytes: &[u8]) -> Self {
        self.pokes.push((at, bytes.to_vec()));
        self
    }

    fn poke32(self, at: usize, value: u32) -> Self {
        self.poke(at, &value.to_le_bytes())
    }

    /// Where the access descriptor with this index is.
    fn at_access(&self, index: usize) -> usize {
        let each = AccessLayout::of(self.version).bytes() as usize;
        Transaction::header_bytes(self.version) + index * each
    }

    /// Where the composite region is.
    fn at_composite(&self) -> usize {
        self.at_access(self.accesses.len())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        let written = self
            .header
            .write_all(self.version, &self.accesses, &self.parts, &mut bytes);
        bytes.truncate(written.unwrap());
        for (at, poke) in &self.pokes {
            bytes[*at..][..poke.len()].copy_from_slice(poke);
        }
        bytes
    }
}

fn access(endpoint: u16, data: DataAccess) -> Access {
    Access {
        endpoint: EndpointId(endpoint),
        permissions: AccessPermissions::new(data, InstructionAccess::Unspecified),
        flags: AccessFlags::empty(),
        composite_offset: 0,
        implementation: [9; 16],
    }
}
