//! The partitions' intermediate physical address spaces, and the tables that they are made of.

use core::ops::Range;
use platform::stage2::{
    Attr, Common, IpaSpace, Memory, Quota, Stage2, Stage2Error, TablePool, TableStore, Tables, Tlbi,
};
use spmc::{
    MAX_PARTITIONS,
    manifest::{Accepted, Access},
};

/// Tables of all partitions' maps to begin with.
const TABLES: usize = 64;
/// What each of them is guaranteed when it is loaded: two roots, and what it takes to map its memory.
const AT_FIRST: usize = 4;
/// What each of them is guaranteed beside that, if there is memory for more tables.
const LATER: usize = 8;

// SAFETY: Nothing is placed there but tables, which are cleared when they are taken.
#[unsafe(link_section = ".noinit")]
static STORE: TableStore<TABLES> = TableStore::new();
static STAGE2: TablePool<TABLES> = TablePool::new(&STORE);
static COMMON: Common = Common::new(TABLES);
/// Each partition's part, by its entry in the SPMC's manifest.
static QUOTAS: [Quota<'static, TablePool<TABLES>>; MAX_PARTITIONS] =
    [const { Quota::new(&STAGE2, &COMMON) }; MAX_PARTITIONS];

/// How many tables nobody has.
pub fn free_tables() -> usize {
    STAGE2.available()
}

/// Makes tables of memory that is mapped; how many.
///
/// # Safety
/// Nobody else uses that memory, now or later.
pub unsafe fn add_tables(memory: Range<usize>) -> usize {
    // SAFETY: As the caller promises.
    let more = unsafe { STAGE2.add(memory) };
    COMMON.add(more);
    more
}

/// All partitions are loaded, and so many tables were [added](add_tables): whoever wants more than it is guaranteed
/// gets at most half of those that are left, so that none can use up what the others need.
pub fn share_tables(added: usize) {
    let partitions = QUOTAS.iter().filter(|quota| quota.taken() > 0);
    // What was taken of them while partitions were loaded is no more to be guaranteed.
    let left = added.min(COMMON.left());
    let each = left / 2 / partitions.clone().count().max(1);
    for quota in partitions {
        // There are enough: they are more than twice as many.
        quota.guarantee(each.min(LATER));
    }
    COMMON.limit(COMMON.left() / 2);
}

/// How memory of this kind is shown.
const fn attr(access: Access) -> Attr {
    Attr {
        memory: Memory::Normal,
        read: access.read,
        write: access.write,
        execute: access.execute,
    }
}

/// How registers of a device are shown.
const fn device_attr(access: Access) -> Attr {
    Attr {
        memory: Memory::Device,
        read: access.read,
        write: access.write,
        execute: false,
    }
}

/// A partition's two intermediate physical address spaces. Dropped, they last for ever.
pub struct Spaces {
    /// The non-secure one: its memory and devices of the normal world.
    pub normal: Stage2<'static>,
    /// The secure one: its own memory, and secure devices.
    pub secure: Stage2<'static>,
}

impl Spaces {
    /// Builds both for the partition of this entry of the SPMC's manifest. After an error the pool has all its tables
    /// again.
    pub fn new(partition: &Accepted, entry: usize) -> Result<Self, &'static str> {
        let no_tables = |_| "no tables left for its stage 2";
        let quota = QUOTAS.get(entry).ok_or("there are too many partitions")?;
        if !quota.guarantee(AT_FIRST) {
            return Err("no tables left for its stage 2");
        }
        // VMID 0 is nobody's.
        let vmid = (entry as u16).saturating_add(1);
        let normal = Stage2::new(quota, vmid).map_err(no_tables)?;
        let secure = match Stage2::new(quota, vmid).map_err(no_tables) {
            Ok(secure) => secure,
            Err(error) => {
                let flush = flush(&normal, &normal, IpaSpace::Own);
                normal.destroy(&flush);
                return Err(error);
            }
        };
        let mut spaces = Self { normal, secure };
        match spaces.fill(partition) {
            Ok(()) => Ok(spaces),
            Err(_) => {
                spaces.destroy();
                Err("its memory could not be mapped")
            }
        }
    }

    fn fill(&mut self, partition: &Accepted) -> Result<(), Stage2Error> {
        let secure_flush = flush(&self.normal, &self.secure, IpaSpace::Own);
        let normal_flush = flush(&self.normal, &self.secure, IpaSpace::NonSecure);
        let load = &partition.region;
        let length = load.end.saturating_sub(load.start);
        self.secure
            .map(load.start, load.start, length, Attr::RWX, &secure_flush)?;
        let memory = partition.memory.iter().map(|m| (m, attr(m.access)));
        let devices = partition.devices.iter().map(|d| (d, device_attr(d.access)));
        for (region, attr) in memory.chain(devices) {
            let start = region.range.start;
            let length = region.range.end.saturating_sub(start);
            match (region.inside, region.normal_world) {
                (true, _) => self.secure.protect(start, length, attr, &secure_flush)?,
                (_, true) => self.normal.map(start, start, length, attr, &normal_flush)?,
                (_, false) => self.secure.map(start, start, length, attr, &secure_flush)?,
            }
        }
        Ok(())
    }

    /// Unmaps everything and gives all tables but the roots back: a core that ran the partition may
    /// still have them in its registers.
    pub fn clear(&mut self) {
        let normal = flush(&self.normal, &self.secure, IpaSpace::NonSecure);
        let secure = flush(&self.normal, &self.secure, IpaSpace::Own);
        self.normal.clear(&normal);
        self.secure.clear(&secure);
    }

    /// Flushes all of the secure one.
    pub fn secure_flush(&self) -> Tlbi {
        flush(&self.normal, &self.secure, IpaSpace::Own)
    }

    /// One of them, and what flushes it.
    pub fn one(&mut self, normal_world: bool) -> (&mut Stage2<'static>, Tlbi) {
        let kind = match normal_world {
            true => IpaSpace::NonSecure,
            false => IpaSpace::Own,
        };
        let flush = flush(&self.normal, &self.secure, kind);
        match normal_world {
            true => (&mut self.normal, flush),
            false => (&mut self.secure, flush),
        }
    }

    /// Gives their tables back. The partition never ran.
    pub fn destroy(self) {
        let normal = flush(&self.normal, &self.secure, IpaSpace::NonSecure);
        let secure = flush(&self.normal, &self.secure, IpaSpace::Own);
        self.normal.destroy(&normal);
        self.secure.destroy(&secure);
    }
}

/// Flushes one space of a partition with these two.
pub fn flush(normal: &Stage2<'_>, secure: &Stage2<'_>, space: IpaSpace) -> Tlbi {
    Tlbi::secure(normal.vttbr(), secure.root_pa(), space)
}
