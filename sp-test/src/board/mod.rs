//! Where things are on the board that these images were compiled for.
//!
//! The addresses of all boots are QEMU virt's, once, in the manifests, in the scenarios, and here in the sources: for
//! another board each *window* of them lies elsewhere. [`place`] moves one address. It is for constants: an address in
//! no window does not compile.
//!
//! The board is the one that the environment variable `TANTALUM_BOARD` names at compile time, QEMU's virt machine if
//! there is none. The firmware has a table of its own: a mistake in one place shows in the other.

mod fvp_base_revc;
mod qemu_virt;

#[cfg(test)]
mod tests;

use core::ops::Range;

/// Cores of every board, and execution contexts of a partition that has one for each.
pub const CORES: u16 = 8;

/// A range of addresses on QEMU's virt machine: its start and its size in bytes.
type Window = (u64, u64);

/// All windows. Where one lies inside another, it comes first.
const WINDOWS: [Window; 15] = [
    // The page with EL3's configuration for the SPMC; a page of BL31's.
    (0x0e00_2000, 0x1000),
    (0x0e0a_0000, 0x1000),
    // The SPMC, and what is left for partitions.
    (0x0e10_0000, 0x20_0000),
    (0x0e30_0000, 0xd0_0000),
    // The proxy, or a client in its place; all memory of the normal world.
    (0x6000_0000, 0x40_0000),
    (0x4000_0000, 0x4000_0000),
    // The UART of the normal world, and that of the SPMC.
    (0x0900_0000, 0x1000),
    (0x0904_0000, 0x1000),
    // Two devices of the normal world that are no UARTs; a device of the secure world that partitions are given.
    (0x0901_0000, 0x1000),
    (0x0903_0000, 0x1000),
    (0x090b_0000, 0x1000),
    // The interrupt controller: distributor, redistributors.
    (0x0800_0000, 0x1_0000),
    (0x080a_0000, 0x10_0000),
    // Flash.
    (0x0400_0000, 0x1000),
    // Nothing: the bus answers with an error, to the secure world too.
    (0x0b00_0000, 0x1000),
];

/// What a board has in its own way.
#[derive(Debug)]
pub struct Board {
    /// Its name, as in `TANTALUM_BOARD`.
    pub name: &'static str,
    /// Where each of [`WINDOWS`] is.
    places: [u64; WINDOWS.len()],
    /// Bits of MPIDR_EL1 where a core's number in its cluster begins, and the cluster's.
    shifts: [u32; 2],
    /// Cores of a cluster.
    cluster: u64,
    /// What the normal world can't read whatever its own tables say: names of cases, addresses.
    pub only_secure: &'static [(&'static str, u64)],
    /// The registers of the device at [`DEVICE`] by which it is known: offsets, and the low eight bits.
    pub identification: &'static [(u64, u64)],
    /// A register of 32 bits of the same that takes what is written to it, by its offset; two values for it, of which
    /// the last is its value after a reset.
    pub register: (u64, [u32; 2]),
    /// The UID of the platform's service in EL3, in four registers, if TF-A has one.
    pub sip_uid: Option<[u64; 4]>,
    /// Whether EL2 can keep the secure EL1 off the interrupt controller's registers. QEMU 10.0.2 does not do what
    /// ICH_HCR_EL2 says in the secure state: there a partition reaches them, and only what it can't take is shown.
    pub controller_traps: bool,
    /// The devices whose interrupts the suite `interrupts` raises, in the order of [`Line`].
    pub lines: [Source; 3],
}

/// An interrupt that software raises and lowers as it likes, by its device's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Line {
    /// A partition's. Its device is the normal world's, which so can raise it at any moment.
    Shared = 0,
    /// A partition's. Only the secure world reaches its device.
    Secure = 1,
    /// The normal world's. Partitions reach its device, and so can have themselves interrupted at any instruction.
    Normal = 2,
}

impl Line {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Shared, Self::Secure, Self::Normal];

    /// The line with this number.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Shared),
            1 => Some(Self::Secure),
            2 => Some(Self::Normal),
            _ => None,
        }
    }

    /// What is behind it on this board.
    pub const fn source(self) -> Source {
        BOARD.lines[self as usize]
    }

    /// Its INTID.
    pub const fn intid(self) -> u32 {
        self.source().intid
    }

    /// Where its device is for [`place`].
    pub const fn device(self) -> u64 {
        match self {
            Self::Shared => place(0x0903_0000),
            Self::Secure => DEVICE,
            Self::Normal => place(0x0901_0000),
        }
    }
}

/// Where a [`Line`] comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The interrupt's number.
    pub intid: u32,
    /// How it is raised and lowered.
    pub kind: SourceKind,
}

/// What kind of device raises an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A PL061, with this pin: an input that stays as it is.
    Gpio(u32),
    /// A PL031.
    Clock,
    /// An SP805.
    Watchdog,
    /// A frame of the generic timer in memory.
    TimerFrame,
}

/// All boards.
const BOARDS: [&Board; 2] = [&qemu_virt::BOARD, &fvp_base_revc::BOARD];

/// This image's.
pub const BOARD: &Board = match option_env!("TANTALUM_BOARD") {
    None => &qemu_virt::BOARD,
    Some(name) => match by_name(name) {
        Some(board) => board,
        None => panic!("TANTALUM_BOARD is none of the boards: qemu-virt, fvp-base-revc"),
    },
};

/// All memory of the normal world that the SPMC's manifest names.
pub const NORMAL_RAM: Range<u64> = all(0x4000_0000, 0x4000_0000);
/// The device that partitions are given.
pub const DEVICE: u64 = place(0x090b_0000);

/// Where `address` of QEMU's virt machine is on this board.
pub const fn place(address: u64) -> u64 {
    BOARD.place(address)
}

/// The same for `size` bytes that lie in one window.
pub const fn all(address: u64, size: u64) -> Range<u64> {
    let start = place(address);
    let end = place(address + size - 1) + 1;
    assert!(end - start == size, "a range in two windows");
    start..end
}

/// The affinity fields of MPIDR_EL1 of this board's core `index`.
pub const fn affinity(index: u64) -> u64 {
    BOARD.affinity(index)
}

const fn by_name(name: &str) -> Option<&'static Board> {
    let mut index = 0;
    while index < BOARDS.len() {
        if same(BOARDS[index].name.as_bytes(), name.as_bytes()) {
            return Some(BOARDS[index]);
        }
        index += 1;
    }
    None
}

/// Whether two names are the same. `==` is not for constants.
const fn same(one: &[u8], other: &[u8]) -> bool {
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

impl Board {
    const fn place(&self, address: u64) -> u64 {
        let mut index = 0;
        while index < WINDOWS.len() {
            let (start, size) = WINDOWS[index];
            if start <= address && address - start < size {
                return self.places[index] + (address - start);
            }
            index += 1;
        }
        panic!("an address in no window")
    }

    const fn affinity(&self, index: u64) -> u64 {
        let [core, cluster] = self.shifts;
        (index % self.cluster) << core | (index / self.cluster) << cluster
    }
}
