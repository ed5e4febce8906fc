//! The boards, as data.
//!
//! Owns where things are on each board: memory, interrupt controller, UARTs, how a core is numbered. Called by both
//! images at start-up. Never touches a device and decides nothing: what a value is for is known by the code that reads
//! it. A new board is a new constant of type [`Board`].

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
    /// INTID of the secure EL2 physical timer (CNTHPS).
    pub secure_el2_timer: u32,
    /// INTID of the non-secure EL2 physical timer (CNTHP).
    pub normal_el2_timer: u32,
    /// INTID of the EL1 virtual timer (CNTV).
    pub virtual_timer: u32,
    /// Secure RAM, firmware's share included.
    pub secure_ram: &'static [Region],
    /// The part of secure RAM that the firmware below us keeps (BL31, its configuration and ours).
    pub secure_firmware: Region,
    /// The configuration that the firmware hands to the image at S-EL2.
    pub secure_config: Region,
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

    /// The device of that name.
    #[must_use]
    pub fn device(&self, name: &str) -> Option<&'static Device> {
        self.devices.iter().find(|device| device.name == name)
    }
}

/// QEMU's `virt` machine with `secure=on,virtualization=on,gic-version=3` and 1 GiB of RAM.
pub const QEMU_VIRT: Board = Board {
    name: "qemu-virt",
    // With a GICv3 the machine counts 16 cores to a cluster.
    cores: CoreScheme {
        core_shift: 0,
        cluster_shift: 8,
        cores_per_cluster: 16,
    },
    max_cpus: 8,
    gic: Gic {
        distributor: Region::new(0x0800_0000, 0x1_0000),
        redistributors: Region::new(0x080a_0000, 8 * 0x2_0000),
        redistributor_stride: 0x2_0000,
    },
    uart_secure: Pl011 {
        region: Region::new(0x0904_0000, 0x1000),
        clock_hz: 24_000_000,
        baud: 115_200,
    },
    uart_normal: Pl011 {
        region: Region::new(0x0900_0000, 0x1000),
        clock_hz: 24_000_000,
        baud: 115_200,
    },
    secure_el2_timer: 20,
    normal_el2_timer: 26,
    virtual_timer: 27,
    secure_ram: &[Region::new(0x0e00_0000, 0x0100_0000)],
    secure_firmware: Region::new(0x0e00_0000, 0x0010_0000),
    secure_config: Region::new(0x0e00_2000, 0x1000),
    normal_ram: &[Region::new(0x4000_0000, 0x4000_0000)],
    normal_device_tree: Region::new(0x4000_0000, 0x0010_0000),
    secure_image: Region::new(0x0e10_0000, 0x0020_0000),
    normal_image: Region::new(0x6000_0000, 0x0040_0000),
    devices: &[
        Device {
            name: "rtc",
            region: Region::new(0x0901_0000, 0x1000),
            world: World::Normal,
            dma: false,
        },
        Device {
            name: "fw-cfg",
            region: Region::new(0x0902_0000, 0x1000),
            world: World::Normal,
            dma: true,
        },
        Device {
            name: "gpio",
            region: Region::new(0x0903_0000, 0x1000),
            world: World::Normal,
            dma: false,
        },
        Device {
            name: "secure-gpio",
            region: Region::new(0x090b_0000, 0x1000),
            world: World::Secure,
            dma: false,
        },
        Device {
            name: "virtio",
            region: Region::new(0x0a00_0000, 0x4000),
            world: World::Normal,
            dma: true,
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Clusters of four, threads in Aff0: the numbering of a multi-threading part.
    const THREADED: Board = Board {
        cores: CoreScheme {
            core_shift: 8,
            cluster_shift: 16,
            cores_per_cluster: 4,
        },
        ..QEMU_VIRT
    };

    #[test]
    fn a_core_number_comes_from_the_affinity_alone() {
        assert_eq!(QEMU_VIRT.linear_index(0x8000_0000), Some(0));
        assert_eq!(QEMU_VIRT.linear_index(0x8100_0003), Some(3));
        assert_eq!(QEMU_VIRT.linear_index(7), Some(7));
        assert_eq!(THREADED.linear_index(0x8101_0300), Some(7));
    }

    #[test]
    fn an_impossible_affinity_has_no_number() {
        assert_eq!(QEMU_VIRT.linear_index(8), None);
        assert_eq!(QEMU_VIRT.linear_index(0x100), None);
        assert_eq!(QEMU_VIRT.linear_index(0x1_0000), None);
        assert_eq!(QEMU_VIRT.linear_index(0x1_0000_0000), None);
        assert_eq!(THREADED.linear_index(0x1), None);
        assert_eq!(THREADED.linear_index(0x400), None);
        assert_eq!(THREADED.linear_index(u64::MAX), None);
    }

    #[test]
    fn number_and_affinity_are_inverse() {
        for board in [QEMU_VIRT, THREADED] {
            for index in 0..board.max_cpus {
                let affinity = board.affinity(index).unwrap();
                assert_eq!(board.linear_index(affinity), Some(index));
            }
            assert_eq!(board.affinity(board.max_cpus), None);
        }
    }

    #[test]
    fn regions_compare_without_overflow() {
        let region = Region::new(0x1000, 0x1000);
        assert!(region.contains(0x1000, 0x1000));
        assert!(region.contains(0x2000, 0));
        assert!(!region.contains(0xfff, 2));
        assert!(!region.contains(0x1800, u64::MAX));
        assert!(!region.overlaps(&Region::new(0x2000, 0x1000)));
        assert!(region.overlaps(&Region::new(0, u64::MAX)));
        assert!(!region.overlaps(&Region::new(0x1800, 0)));
        assert_eq!(Region::new(u64::MAX, 2).end(), u64::MAX);
    }

    #[test]
    fn the_board_does_not_contradict_itself() {
        let board = &QEMU_VIRT;
        assert!(board.is_secure_ram(board.secure_image.base, board.secure_image.size));
        assert!(board.is_secure_ram(board.secure_firmware.base, board.secure_firmware.size));
        assert!(
            board
                .secure_firmware
                .contains(board.secure_config.base, board.secure_config.size)
        );
        assert!(!board.secure_image.overlaps(&board.secure_firmware));
        assert!(board.is_normal_ram(board.normal_image.base, board.normal_image.size));
        assert!(board.is_normal_ram(board.normal_device_tree.base, board.normal_device_tree.size));
        assert!(!board.normal_image.overlaps(&board.normal_device_tree));
        let needed = board.gic.redistributor_stride * board.max_cpus as u64;
        assert!(board.gic.redistributors.size >= needed);
        let mut regions: Vec<Region> = board.devices.iter().map(|device| device.region).collect();
        regions.extend([
            board.gic.distributor,
            board.gic.redistributors,
            board.uart_secure.region,
            board.uart_normal.region,
        ]);
        regions.extend(board.secure_ram);
        regions.extend(board.normal_ram);
        for (index, region) in regions.iter().enumerate() {
            for other in &regions[index + 1..] {
                assert!(!region.overlaps(other), "{region:x?} {other:x?}");
            }
        }
        assert_eq!(board.device("rtc").unwrap().region.base, 0x0901_0000);
        assert!(board.device("").is_none());
    }
}
