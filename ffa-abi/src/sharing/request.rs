//! What an endpoint asks for, after the checks that need nothing but its descriptor.

use super::Party;
use crate::{
    id::EndpointId,
    memory::{
        AccessFlags, Attributes, DataAccess, Handle, InstructionAccess, TransactionFlags,
        TransactionKind,
    },
};
use heapless::Vec;

/// How many receivers a transaction may have.
pub const MAX_RECEIVERS: usize = 8;

/// One of a transaction's receivers, or of those that a borrower lists when it retrieves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its id.
    pub endpoint: EndpointId,
    /// Who that is here, filled in by who calls [`begin`](super::Sharing::begin). `None`: its access is
    /// kept elsewhere, and is not seen here. It does not matter when retrieving.
    pub party: Option<Party>,
    /// What it may do with data; what it wants, when retrieving.
    pub data: DataAccess,
    /// The same for instructions.
    pub instruction: InstructionAccess,
    /// Flags.
    pub flags: AccessFlags,
    /// The implementation defined value; `None` where the descriptor's layout has none.
    pub implementation: Option<[u8; 16]>,
}

/// `FFA_MEM_SHARE`, `LEND` or `DONATE`: all but the constituents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// Which of the three.
    pub kind: TransactionKind,
    /// Who sends.
    pub sender: EndpointId,
    /// What memory it says it is.
    pub attributes: Attributes,
    /// Flags: none but `ZERO`.
    pub flags: TransactionFlags,
    /// Its tag.
    pub tag: u64,
    /// Who gets it: at least one, and no two the same.
    pub receivers: Vec<Receiver, MAX_RECEIVERS>,
    /// 4 KiB pages of all constituents, as it says.
    pub pages: u32,
    /// How many constituents there are in all.
    pub count: u32,
}

/// `FFA_MEM_RETRIEVE_REQ` of a borrower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrieve {
    /// Which memory.
    pub handle: Handle,
    /// Who retrieves.
    pub caller: EndpointId,
    /// Who sent it, as the borrower says.
    pub sender: EndpointId,
    /// What memory it takes it for.
    pub attributes: Attributes,
    /// Flags.
    pub flags: TransactionFlags,
    /// The tag that it expects.
    pub tag: u64,
    /// The borrowers that it lists, itself among them.
    pub receivers: Vec<Receiver, MAX_RECEIVERS>,
}

/// What the answer to a [`Retrieve`] says beside the constituents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retrieved {
    /// Who sent it.
    pub sender: EndpointId,
    /// What memory it is, with the NS bit.
    pub attributes: Attributes,
    /// The kind of transaction, and `ZERO` if it was zeroed at its sender's wish.
    pub flags: TransactionFlags,
    /// The sender's tag.
    pub tag: u64,
    /// The borrower's entry: permissions as granted, the sender's implementation defined value.
    pub receiver: Receiver,
    /// 4 KiB pages in all.
    pub pages: u32,
    /// How many constituents.
    pub count: u32,
}

/// How far a transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Constituents are missing.
    More,
    /// All are there: it can be sealed.
    Complete,
}
