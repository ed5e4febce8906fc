//! A transaction: what was sent under a handle, and who has it.

use super::{MAX_RECEIVERS, Party, Receiver, View, chunks::List, pages::Kind};
use crate::{
    id::EndpointId,
    memory::{
        Attributes, DataAccess, Handle, InstructionAccess, TransactionFlags, TransactionKind,
    },
};
use heapless::Vec;

/// Where a transaction is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// There is none under this index.
    #[default]
    Free,
    /// Constituents are missing, or it is not sealed yet.
    Open,
    /// It can be retrieved, and reclaimed.
    Sealed,
    /// Its memory is its receiver's own; only what the receiver is told of it is left.
    Donated,
}

/// A receiver of a transaction, and what it has retrieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Borrower {
    pub(super) receiver: Receiver,
    pub(super) retrievals: u8,
    pub(super) data: DataAccess,
    pub(super) instruction: InstructionAccess,
    pub(super) zero_after: bool,
}

impl Borrower {
    pub(super) const fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            retrievals: 0,
            data: DataAccess::Unspecified,
            instruction: InstructionAccess::Unspecified,
            zero_after: false,
        }
    }

    /// The receiver as its sender named it.
    pub const fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// How often it has retrieved the memory without relinquishing it. It has access if that is not 0.
    pub const fn retrievals(&self) -> u8 {
        self.retrievals
    }

    /// What it was granted; both unspecified while it has nothing.
    pub const fn granted(&self) -> (DataAccess, InstructionAccess) {
        (self.data, self.instruction)
    }

    /// Whether it asked for the memory to be zeroed after it has relinquished it.
    pub const fn zeroes(&self) -> bool {
        self.zero_after
    }
}

/// A transaction.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub(super) handle: Handle,
    pub(super) stage: Stage,
    pub(super) owner: Party,
    pub(super) sender: EndpointId,
    pub(super) kind: TransactionKind,
    pub(super) attributes: Attributes,
    pub(super) flags: TransactionFlags,
    pub(super) tag: u64,
    pub(super) receivers: Vec<Borrower, MAX_RECEIVERS>,
    /// As announced.
    pub(super) pages: u32,
    /// As announced.
    pub(super) count: u32,
    /// Pages of the constituents that have come.
    pub(super) sum: u64,
    pub(super) list: List,
    /// Page number of the lowest constituent; once sealed.
    pub(super) lowest: u64,
    /// What kind of memory it is; once sealed.
    pub(super) memory: Kind,
    /// Whose account pays for it.
    pub(super) account: u16,
    /// Its owner is dead.
    pub(super) orphan: bool,
    /// To be zeroed when the last borrower has relinquished it.
    pub(super) zero: bool,
}

impl Transaction {
    pub(super) const fn none() -> Self {
        Self {
            handle: Handle(0),
            stage: Stage::Free,
            owner: Party(0),
            sender: EndpointId(0),
            kind: TransactionKind::Unspecified,
            attributes: Attributes(0),
            flags: TransactionFlags::empty(),
            tag: 0,
            receivers: Vec::new(),
            pages: 0,
            count: 0,
            sum: 0,
            list: List {
                head: 0,
                tail: 0,
                len: 0,
            },
            lowest: 0,
            memory: Kind::NONE,
            account: 0,
            orphan: false,
            zero: false,
        }
    }

    /// Its handle.
    pub const fn handle(&self) -> Handle {
        self.handle
    }

    /// Who owns the memory.
    pub const fn owner(&self) -> Party {
        self.owner
    }

    /// Who sent it.
    pub const fn sender(&self) -> EndpointId {
        self.sender
    }

    /// Whether it was shared, lent or donated.
    pub const fn kind(&self) -> TransactionKind {
        self.kind
    }

    /// What memory it is, as its sender says.
    pub const fn attributes(&self) -> Attributes {
        self.attributes
    }

    /// Its sender's flags.
    pub const fn flags(&self) -> TransactionFlags {
        self.flags
    }

    /// Its sender's tag.
    pub const fn tag(&self) -> u64 {
        self.tag
    }

    /// Who may have it, as its sender listed them.
    pub fn receivers(&self) -> &[Borrower] {
        &self.receivers
    }

    /// 4 KiB pages of all constituents, as announced.
    pub const fn pages(&self) -> u32 {
        self.pages
    }

    /// How many constituents were announced.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// How many of them have come.
    pub const fn received(&self) -> u32 {
        self.list.len
    }

    /// Whether it was sent in whole and accepted: it is sealed.
    pub fn complete(&self) -> bool {
        matches!(self.stage, Stage::Sealed | Stage::Donated)
    }

    /// Whether it is a donation that was retrieved: nothing but its constituents can be asked for.
    pub fn donated(&self) -> bool {
        self.stage == Stage::Donated
    }

    /// Whether its owner is dead.
    pub const fn orphan(&self) -> bool {
        self.orphan
    }

    /// Whether the memory is the normal world's; once complete.
    pub const fn normal_world(&self) -> bool {
        self.memory.normal_world()
    }

    /// Whether it is a device's registers; once complete.
    pub const fn device(&self) -> bool {
        self.memory.device()
    }

    /// Whether it is to be zeroed when the last borrower has relinquished it, as one that has done so
    /// asked for.
    pub const fn zeroes(&self) -> bool {
        self.zero
    }

    /// Whether some borrower has access to it now, as far as is known here.
    pub fn is_held(&self) -> bool {
        self.receivers.iter().any(|it| it.retrievals != 0)
    }

    /// What a borrower with these permissions sees.
    pub(super) fn view(&self, data: DataAccess, instruction: InstructionAccess) -> View {
        View {
            normal_world: self.memory.normal_world(),
            device: self.memory.device(),
            write: data == DataAccess::ReadWrite,
            execute: instruction == InstructionAccess::Executable,
        }
    }

    /// The index of `endpoint` among the receivers, if it is `who` here.
    pub(super) fn borrower(&self, who: Party, endpoint: EndpointId) -> Option<usize> {
        self.receivers.iter().position(|borrower| {
            borrower.receiver.endpoint == endpoint && borrower.receiver.party == Some(who)
        })
    }
}
