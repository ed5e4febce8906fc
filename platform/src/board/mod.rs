//! The boards, as data.
//!
//! Owns where things are on each board: memory, interrupt controller, UARTs, how a core is numbered. Called by both
//! images at start-up. Never touches a device and decides nothing: what a value is for is known by the code that reads
//! it. A new board is a new constant of type [`Board`], in a file of its own, and a place in [`BOARDS`].
//!
//! The board that an image is for is chosen while it is compiled, by the environment variable `TANTALUM_BOARD`.

mod fvp_base_revc;
mod qemu_virt;

#[cfg(test)]
mod tests;

pub use fvp_base_revc::FVP_BASE_REVC;
pub use qemu_virt::QEMU_VIRT;

/// All boards.
pub const BOARDS: [&Board; 2] = [&QEMU_VIRT, &FVP_BASE_REVC];

/// The board that this image is for: the one that `TANTALUM_BOARD` named when it was compiled, or [`QEMU_VIRT`].
pub const SELECTED: &Board = match option_env!("TANTALUM_BOARD") {
    None => &QEMU_VIRT,
    Some(name) => match by_name(name) {
        Some(board) => board,
        // A constant's message can't be put together: a test compares it with the list.
        None => panic!("TANTALUM_BOARD is none of the boards: qemu-virt, fvp-base-revc"),
    },
};

/// The board of that name.
#[must_use]
pub const fn by_name(name: &str) -> Option<&'static Board> {
    let mut index = 0;
    while index < BOARDS.len() {
        if same(BOARDS[index].name, name) {
            return Some(BOARDS[index]);
        }
        index += 1;
    }
    None
}

/// Whether two names are the same. `==` is not for constants.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// A range of physical addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Region {
    /// First byte.
    pub base: u64,
    /// Length in bytes.
    pub size: u64,
}

impl Region {
    /// The region of `size` bytes from `base` on. An end past 2^64 is cut off there.
    #[must_use]
    pub const fn new(base: u64, size: u64) -> Self {
        Self { base, size }
    }

    /// First byte after the region.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.base.saturating_add(self.size)
    }

    /// Whether all of `[base, base + size)` lies inside. An empty range lies inside if its address does or is the end.
    #[must_use]
    pub const fn contains(&self, base: u64, size: u64) -> bool {
        match base.checked_add(size) {
            Some(end) => base >= self.base && end <= self.end(),
            None => false,
        }
    }

    /// Whether the two regions share a byte.
    #[must_use]
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.size > 0 && other.size > 0 && self.base < other.end() && other.base < self.end()
    }
}

/// The physical address space or spaces in which a device answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum World {
    /// Secure accesses only.
    Secure,
    /// Non-secure accesses; secure ones reach it too unless the board forbids it.
    Normal,
    /// Both, each world with its own view (an interrupt controller).
    Both,
}

/// A device that an image or an endpoint may be given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Device {
    /// What reports call it.
    pub name: &'static str,
    /// Its registers.
    pub region: Region,
    /// Who reaches them.
    pub world: World,
    /// Whether it reads or writes memory by itself. Such a device is nobody's while no SMMU stands behind it.
    pub dma: bool,
}

/// A PL011.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pl011 {
    /// Its registers.
    pub region: Region,
    /// UARTCLK in Hz.
    pub clock_hz: u32,
    /// Line speed in bits per second.
    pub baud: u32,
}

/// A GICv3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gic {
    /// The distributor.
    pub distributor: Region,
    /// The redistributors, one frame per core.
    pub redistributors: Region,
    /// Bytes from one core's redistributor frame to the next.
    pub redistributor_stride: u64,
    /// The first INTID that no line has: SPIs end there.
    pub intids_end: u32,
}

/// How a core's MPIDR affinity becomes its number.
///
/// The number is `cluster * cores_per_cluster + core`, and both fields are 8 bits wide.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CoreScheme {
    /// Bit at which the core's number inside its cluster begins in MPIDR_EL1.
    pub core_shift: u32,
    /// Bit at which the cluster's number begins in MPIDR_EL1.
    pub cluster_shift: u32,
    /// How many cores a cluster may hold.
    pub cores_per_cluster: usize,
}

/// The affinity fields of MPIDR_EL1: Aff3 and Aff2-Aff0 (Arm ARM D24.2).
pub const MPIDR_AFFINITY: u64 = 0xff_00ff_ffff;

/// Where things are on one board.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Board {
    /// What reports call it.
    pub name: &'static str,
    /// How cores are numbered.
    pub cores: CoreScheme,
    /// How many cores there can be at most.
    pub max_cpus: usize,
    /// The interrupt controller.
    pub gic: Gic,
    /// The UART of the image at S-EL2.
    pub uart_secure: Pl011,
    /// The UART of the image at NS-EL2.
    pub uart_normal: Pl011,
    /// The UART that the image at S-EL2 sends its partitions' console lines to; None if they share its own.
    pub uart_partitions: Option<Pl011>,
    /// INTID of the secure EL2 physical timer (CNTHPS).
    pub secure_el2_timer: u32,
    /// INTID of the non-secure EL2 physical timer (CNTHP).
    pub normal_el2_timer: u32,
    /// INTID of the EL1 virtual timer (CNTV).
    pub virtual_timer: u32,
    /// INTID of the virtual CPU interface's maintenance interrupt.
    pub gic_maintenance: u32,
    /// INTIDs that are no endpoint's at S-EL1: of timers and of what the architecture gives every core, of the UARTs of
    /// images.
    pub reserved_intids: &'static [u32],
    /// Secure RAM, firmware's share included.
    pub secure_ram: &'static [Region],
    /// The parts of secure RAM that the firmware below us keeps (BL31, its configuration and ours). No partition gets
    /// any of it.
    pub secure_firmware: &'static [Region],
    /// Where the firmware leaves the configuration of the image at S-EL2, one place for each way to boot. What follows
    /// such a region may be anybody's.
    pub secure_config: &'static [Region],
    /// Non-secure RAM.
    pub normal_ram: &'static [Region],
    /// The device tree that the firmware or the machine leaves for the normal world.
    pub normal_device_tree: Region,
    /// Where the image at S-EL2 lies, with its data and stacks, at most.
    pub secure_image: Region,
    /// Where the image at NS-EL2 lies, with its data and stacks, at most.
    pub normal_image: Region,
    /// Everything else that can be given away.
    pub devices: &'static [Device],
}

impl Board {
    /// The number of the core with this MPIDR_EL1 value, below [`Board::max_cpus`]; None if no core can have it.
    ///
    /// Bits outside the affinity fields do not count.
    #[must_use]
    pub const fn linear_index(&self, mpidr: u64) -> Option<usize> {
        let affinity = mpidr & MPIDR_AFFINITY;
        let scheme = &self.cores;
        let core = (affinity >> scheme.core_shift) & 0xff;
        let cluster = (affinity >> scheme.cluster_shift) & 0xff;
        if affinity != (core << scheme.core_shift | cluster << scheme.cluster_shift) {
            return None;
        }
        if core >= scheme.cores_per_cluster as u64 {
            return None;
        }
        // Both factors are 8 bits wide, so nothing overflows.
        let index = cluster as usize * scheme.cores_per_cluster + core as usize;
        if index < self.max_cpus {
            Some(index)
        } else {
            None
        }
    }

    /// The MPIDR_EL1 affinity fields of core `index`; None if there is no such core.
    #[must_use]
    pub const fn affinity(&self, index: usize) -> Option<u64> {
        let scheme = &self.cores;
        if index >= self.max_cpus || scheme.cores_per_cluster == 0 {
            return None;
        }
        let core = (index % scheme.cores_per_cluster) as u64;
        let cluster = (index / scheme.cores_per_cluster) as u64;
        Some(core << scheme.core_shift | cluster << scheme.cluster_shift)
    }

    /// Whether all of `[base, base + size)` is secure RAM.
    #[must_use]
    pub fn is_secure_ram(&self, base: u64, size: u64) -> bool {
        self.secure_ram
            .iter()
            .any(|region| region.contains(base, size))
    }

    /// Whether all of `[base, base + size)` is non-secure RAM.
    #[must_use]
    pub fn is_normal_ram(&self, base: u64, size: u64) -> bool {
        self.normal_ram
            .iter()
            .any(|region| region.contains(base, size))
    }

    /// How much, from `address` on, can belong to the configuration that the firmware left there, in bytes: what is left
    /// of the region of [`Board::secure_config`] that it lies in, or `most`, whichever is less. None if not all of that
    /// is secure RAM.
    #[must_use]
    pub fn config_at(&self, address: u64, most: u64) -> Option<u64> {
        let known = self
            .secure_config
            .iter()
            .find(|region| region.contains(address, 1));
        let size = known.map_or(most, |region| most.min(region.end() - address));
        self.is_secure_ram(address, size).then_some(size)
    }

    /// The device of that name.
    #[must_use]
    pub fn device(&self, name: &str) -> Option<&'static Device> {
        self.devices.iter().find(|device| device.name == name)
    }
}
