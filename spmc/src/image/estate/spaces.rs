//! The partitions' address spaces, and the tables that they are made of.

use core::ops::Range;
use platform::{
    el0,
    stage2::{
        Attr, Common, IpaSpace, Memory, Quota, Stage2, Stage2Error, TablePool, TableStore, Tables,
        Tlbi,
    },
};
use spmc::{
    MAX_PARTITIONS,
    manifest::{Accepted, Access, Mapped},
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
        // Beside those that it has. There are enough: they are more than twice as many.
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
        normal_world: false,
    }
}

/// How registers of a device are shown.
const fn device_attr(access: Access) -> Attr {
    Attr {
        memory: Memory::Device,
        read: access.read,
        write: access.write,
        execute: false,
        normal_world: false,
    }
}

/// A partition's address spaces. Dropped, they last for ever.
///
/// One at S-EL1 has two intermediate physical ones. One at S-EL0 has a single one, of virtual addresses, for both worlds'
/// memory: it stands in the place of the secure one.
pub struct Spaces {
    /// The non-secure one: its memory and devices of the normal world. None at S-EL0.
    normal: Option<Stage2<'static>>,
    /// The secure one: its own memory, and secure devices.
    secure: Stage2<'static>,
}

impl Spaces {
    /// Builds them for the partition of this entry of the SPMC's manifest. After an error the pool has all its tables
    /// again.
    pub fn new(partition: &Accepted, entry: usize, el0: bool) -> Result<Self, &'static str> {
        let no_tables = |_| "no tables left for its address spaces";
        let quota = QUOTAS.get(entry).ok_or("there are too many partitions")?;
        if !quota.guarantee(AT_FIRST) {
            return Err("no tables left for its address spaces");
        }
        // VMID 0 is nobody's, and ASID 0 is the image's.
        let vmid = (entry as u16).saturating_add(1);
        let mut spaces = if el0 {
            Self {
                normal: None,
                secure: Stage2::for_el0(quota, vmid).map_err(no_tables)?,
            }
        } else {
            let normal = Stage2::new(quota, vmid).map_err(no_tables)?;
            match Stage2::new(quota, vmid).map_err(no_tables) {
                Ok(secure) => Self {
                    normal: Some(normal),
                    secure,
                },
                Err(error) => {
                    let flush = Tlbi::secure(normal.vttbr(), normal.root_pa(), IpaSpace::Own);
                    normal.destroy(&flush);
                    return Err(error);
                }
            }
        };
        match spaces.fill(partition) {
            Ok(()) => Ok(spaces),
            Err(_) => {
                spaces.destroy();
                Err("its memory could not be mapped")
            }
        }
    }

    fn fill(&mut self, partition: &Accepted) -> Result<(), Stage2Error> {
        let load = &partition.region;
        let length = load.end.saturating_sub(load.start);
        if self.is_el0() {
            let flush = self.flush(IpaSpace::Own);
            for (page, execute) in el0::image_pages() {
                self.secure.map_image(page, execute, &flush)?;
            }
        }
        let at_first = self.at_first();
        let (secure, flush) = self.one(false);
        secure.map(load.start, load.start, length, at_first, &flush)?;
        let memory = partition.memory.iter().map(|m| (m, attr(m.access)));
        let devices = partition.devices.iter().map(|d| (d, device_attr(d.access)));
        for (region, attr) in memory.chain(devices) {
            let start = region.range.start;
            let length = region.range.end.saturating_sub(start);
            let attr = self.shown(attr, region.normal_world);
            let (space, flush) = self.one(region.normal_world);
            match region.inside {
                true => space.protect(start, length, attr, &flush)?,
                false => space.map(start, start, length, attr, &flush)?,
            }
        }
        Ok(())
    }

    /// What the memory that a partition is loaded to permits when it starts. One at S-EL0 says itself what of it is to be
    /// written.
    fn at_first(&self) -> Attr {
        match self.is_el0() {
            true => Attr::RX,
            false => Attr::RWX,
        }
    }

    /// Memory is the normal world's, if so, in the space that this partition sees it in.
    pub fn shown(&self, attr: Attr, normal_world: bool) -> Attr {
        Attr {
            normal_world: normal_world && self.is_el0(),
            ..attr
        }
    }

    /// Gives the memory that a partition at S-EL0 is loaded to, and the regions and devices of its manifest, the
    /// permissions of its start again. `false` if there are no tables for it.
    pub fn reset(&mut self, load: &Range<u64>, memory: &[Mapped], devices: &[Mapped]) -> bool {
        if !self.is_el0() {
            return true;
        }
        let memory = memory.iter().map(|m| (m, attr(m.access)));
        let devices = devices.iter().map(|d| (d, device_attr(d.access)));
        let at_first = self.at_first();
        let mut protect = |range: &Range<u64>, attr, normal_world| {
            let attr = self.shown(attr, normal_world);
            let length = range.end.saturating_sub(range.start);
            let (space, flush) = self.one(normal_world);
            space.protect(range.start, length, attr, &flush).is_ok()
        };
        protect(load, at_first, false)
            && memory
                .chain(devices)
                .all(|(region, attr)| protect(&region.range, attr, region.normal_world))
    }

    /// Unmaps everything and gives all tables but the roots back: a core that ran the partition may
    /// still have them in its registers.
    pub fn clear(&mut self) {
        let (secure, flush) = self.one(false);
        secure.clear(&flush);
        if !self.is_el0() {
            let (normal, flush) = self.one(true);
            normal.clear(&flush);
        }
    }

    /// Whether the partition runs at S-EL0.
    pub const fn is_el0(&self) -> bool {
        self.normal.is_none()
    }

    /// The registers that name the tables.
    pub fn roots(&self) -> Roots {
        let secure = &self.secure;
        match &self.normal {
            Some(normal) => Roots::El1 {
                vttbr: normal.vttbr(),
                vsttbr: secure.root_pa(),
            },
            None => Roots::El0 {
                ttbr0: secure.ttbr0(),
            },
        }
    }

    /// The secure one, or the only one.
    pub const fn secure(&self) -> &Stage2<'static> {
        &self.secure
    }

    /// The one for the normal world's memory.
    pub fn normal(&self) -> &Stage2<'static> {
        self.normal.as_ref().unwrap_or(&self.secure)
    }

    /// Flushes all of the secure one.
    pub fn secure_flush(&self) -> Tlbi {
        self.flush(IpaSpace::Own)
    }

    /// One of them, and what flushes it.
    pub fn one(&mut self, normal_world: bool) -> (&mut Stage2<'static>, Tlbi) {
        let kind = match normal_world {
            true => IpaSpace::NonSecure,
            false => IpaSpace::Own,
        };
        let flush = self.flush(kind);
        match &mut self.normal {
            Some(normal) if normal_world => (normal, flush),
            _ => (&mut self.secure, flush),
        }
    }

    /// Gives their tables back. The partition never ran.
    pub fn destroy(self) {
        let own = self.flush(IpaSpace::Own);
        let other = self.flush(IpaSpace::NonSecure);
        if let Some(normal) = self.normal {
            normal.destroy(&other);
        }
        self.secure.destroy(&own);
    }

    /// Flushes one of them.
    fn flush(&self, space: IpaSpace) -> Tlbi {
        match self.roots() {
            Roots::El1 { vttbr, vsttbr } => Tlbi::secure(vttbr, vsttbr, space),
            Roots::El0 { .. } => Tlbi::el0(),
        }
    }
}

/// The registers that name a partition's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// At S-EL1.
    El1 {
        /// VTTBR_EL2.
        vttbr: u64,
        /// VSTTBR_EL2.
        vsttbr: u64,
    },
    /// At S-EL0.
    El0 {
        /// TTBR0_EL2.
        ttbr0: u64,
    },
}
