//! A small system: four partitions, the normal world, and a stage 2 that remembers.

use ffa_abi::{
    EndpointId, FfaError,
    memory::{
        AccessFlags, Attributes, Constituent, Constituents, DataAccess, Handle, InstructionAccess,
        ReclaimFlags, RelinquishFlags, TransactionFlags, TransactionKind,
    },
    sharing::{
        Pages, Party, Receiver, Region, Remains, Retrieve, Retrieved, Send, Sharing, Side,
        Transaction,
    },
};

mod machine;

pub use machine::{Machine, each};

pub use DataAccess::{ReadOnly, ReadWrite};
pub use FfaError::{Denied, InvalidParameters, NoMemory, NotSupported};
pub use InstructionAccess::{Executable, NotExecutable};
pub use TransactionKind::{Donate, Lend, Share};

pub type Map = Sharing<5, 8, 128, 32, 64>;

pub const NORMAL_WORLD: Party = Party(0);
/// Partitions 1 to 4 have the ids 0x8001 to 0x8004.
pub const A: Party = Party(1);
pub const B: Party = Party(2);
pub const C: Party = Party(3);
pub const D: Party = Party(4);
pub const VM1: EndpointId = EndpointId(1);
pub const VM2: EndpointId = EndpointId(2);

/// Where A has normal secure memory, readable, writable and executable: 64 pages. B, C and D have the
/// same 0x10_0000 further each.
pub const MEMORY: u64 = 0x10_0000;
/// 16 pages that A may only read and execute.
pub const CODE: u64 = 0x1000_0000;
/// 4 pages of a device of A's.
pub const DEVICE: u64 = 0x1010_0000;
/// 8 pages of the normal world's memory that are A's.
pub const OF_NORMAL_WORLD: u64 = 0x1020_0000;
/// 4 pages that A may not give away.
pub const KEPT: u64 = 0x1030_0000;
/// 1024 pages of the normal world.
pub const DRAM: u64 = 0x8000_0000;

pub fn id(party: Party) -> EndpointId {
    EndpointId(0x8000 + u16::from(party.0))
}

pub fn memory(party: Party) -> u64 {
    MEMORY * u64::from(party.0)
}

pub fn pages(base: u64, count: u64) -> Pages {
    Pages::new(base, count).unwrap()
}

pub fn region(base: u64, count: u64) -> Region {
    Region {
        pages: pages(base, count),
        normal_world: false,
        device: false,
        write: true,
        execute: true,
        shareable: true,
    }
}

/// Bytes of constituents: base and number of pages.
pub fn bytes(constituents: &[(u64, u32)]) -> Vec<u8> {
    let mut bytes = vec![0; constituents.len() * Constituent::BYTES];
    for ((base, pages), out) in constituents
        .iter()
        .zip(bytes.chunks_mut(Constituent::BYTES))
    {
        let constituent = Constituent {
            base: *base,
            pages: *pages,
        };
        constituent.write(out).unwrap();
    }
    bytes
}

pub fn receiver(endpoint: EndpointId, party: Option<Party>, data: DataAccess) -> Receiver {
    Receiver {
        endpoint,
        party,
        data,
        instruction: InstructionAccess::Unspecified,
        flags: AccessFlags::empty(),
        implementation: None,
    }
}

/// What a partition sends to partitions, which may write.
pub fn send(kind: TransactionKind, from: Party, to: &[Party], constituents: &[(u64, u32)]) -> Send {
    let data = match kind {
        Donate => DataAccess::Unspecified,
        _ => ReadWrite,
    };
    let receivers = to.iter().map(|to| receiver(id(*to), Some(*to), data));
    let pages = constituents.iter().map(|(_, pages)| pages).sum();
    Send {
        kind,
        sender: if from == NORMAL_WORLD { VM1 } else { id(from) },
        attributes: Attributes(3),
        flags: TransactionFlags::empty(),
        tag: 0x7a6,
        receivers: receivers.collect(),
        pages,
        count: constituents.len() as u32,
    }
}

/// What a well-behaved borrower asks for.
pub fn wish(it: &Transaction, caller: EndpointId) -> Retrieve {
    let alone = it.kind() != Share && it.receivers().len() == 1;
    let listed = it.receivers().iter().map(|borrower| {
        let mut entry = *borrower.receiver();
        entry.party = None;
        if alone {
            entry.instruction = NotExecutable;
        }
        entry
    });
    Retrieve {
        handle: it.handle(),
        caller,
        sender: it.sender(),
        attributes: Attributes::default(),
        flags: TransactionFlags::empty().with_kind(it.kind()),
        tag: it.tag(),
        receivers: listed.collect(),
    }
}

/// The map, and the machine that does what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub map: Map,
    pub machine: Machine,
}

impl World {
    pub fn new() -> Self {
        let mut world = Self {
            map: Map::new(Side::Spmc),
            machine: Machine::default(),
        };
        for party in [A, B, C, D] {
            world.add(party, region(memory(party), 64));
        }
        let code = Region {
            write: false,
            ..region(CODE, 16)
        };
        let device = Region {
            device: true,
            execute: false,
            ..region(DEVICE, 4)
        };
        let of_normal_world = Region {
            normal_world: true,
            ..region(OF_NORMAL_WORLD, 8)
        };
        let kept = Region {
            shareable: false,
            ..region(KEPT, 4)
        };
        for region in [code, device, of_normal_world, kept] {
            world.add(A, region);
        }
        let dram = Region {
            normal_world: true,
            ..region(DRAM, 1024)
        };
        world.add(NORMAL_WORLD, dram);
        world
    }

    fn add(&mut self, owner: Party, region: Region) {
        self.map.add_region(owner, region).unwrap();
        self.machine.add(owner, &region);
    }

    /// Sends all at once.
    pub fn give(
        &mut self,
        owner: Party,
        send: &Send,
        constituents: &[(u64, u32)],
    ) -> Result<Handle, FfaError> {
        let handle = self.map.begin(owner, send)?;
        let bytes = bytes(constituents);
        self.map.extend(handle, Constituents::new(&bytes))?;
        self.map.seal(handle, &mut self.machine)?;
        self.map.check().unwrap();
        Ok(handle)
    }

    /// The same with [`send`].
    pub fn gives(
        &mut self,
        kind: TransactionKind,
        from: Party,
        to: &[Party],
        constituents: &[(u64, u32)],
    ) -> Handle {
        let send = send(kind, from, to, constituents);
        self.give(from, &send, constituents).unwrap()
    }

    /// What a well-behaved borrower asks for.
    pub fn request(&self, handle: Handle, who: Party) -> Retrieve {
        wish(self.map.find(handle).unwrap(), id(who))
    }

    pub fn retrieve(&mut self, who: Party, request: &Retrieve) -> Result<Retrieved, FfaError> {
        let result = self.map.retrieve(who, request, &mut self.machine);
        self.map.check().unwrap();
        result
    }

    pub fn retrieves(&mut self, who: Party, handle: Handle) -> Retrieved {
        let request = self.request(handle, who);
        self.retrieve(who, &request).unwrap()
    }

    pub fn relinquish(
        &mut self,
        who: Party,
        handle: Handle,
        flags: RelinquishFlags,
    ) -> Result<(), FfaError> {
        let machine = &mut self.machine;
        let result = self.map.relinquish(who, id(who), handle, flags, machine);
        self.map.check().unwrap();
        result
    }

    pub fn relinquishes(&mut self, who: Party, handle: Handle) {
        let none = RelinquishFlags::empty();
        self.relinquish(who, handle, none).unwrap();
    }

    pub fn reclaim(
        &mut self,
        owner: Party,
        handle: Handle,
        flags: ReclaimFlags,
    ) -> Result<(), FfaError> {
        let result = self.map.reclaim(owner, handle, flags, &mut self.machine);
        self.map.check().unwrap();
        result
    }

    pub fn reclaims(&mut self, owner: Party, handle: Handle) {
        self.reclaim(owner, handle, ReclaimFlags::empty()).unwrap();
    }

    pub fn ends(&mut self, who: Party) -> Remains {
        let remains = self.map.ended(who, id(who), &mut self.machine);
        self.map.check().unwrap();
        remains
    }

    /// Something is refused so, and changes nothing.
    #[track_caller]
    pub fn refuses<T>(
        &mut self,
        error: FfaError,
        call: impl FnOnce(&mut Self) -> Result<T, FfaError>,
    ) {
        let before = self.clone();
        let result = call(self);
        assert_eq!(result.err(), Some(error));
        assert!(*self == before, "something has changed");
        self.map.check().unwrap();
    }

    /// Fills pages with a value.
    pub fn fill(&mut self, pages: Pages, value: u8) {
        for page in each(pages) {
            self.machine.content.insert(page, value);
        }
    }

    /// What the first byte of a page is.
    pub fn content(&self, page: u64) -> u8 {
        self.machine.content.get(&page).copied().unwrap_or(0)
    }

    /// Who sees a page, and whether it may write it.
    pub fn who_sees(&self, page: u64) -> Vec<(Party, bool)> {
        let sees = self.machine.sees.iter();
        sees.filter(|((_, it), sight)| *it == page && !sight.hidden)
            .map(|((who, _), sight)| (*who, sight.write))
            .collect()
    }
}
