//! The boards, as data: where things are, which TF-A is built for them, how QEMU is started, and what is seen.
//!
//! The manifests, their changes and the expected texts are those of [`QEMU_VIRT`]; [`translate`] makes another
//! board's of them. A new board is a new constant of type [`Board`].

mod fvp_base_revc;
mod qemu_virt;
mod translate;

pub use fvp_base_revc::FVP_BASE_REVC;
pub use qemu_virt::QEMU_VIRT;

use crate::{console::Stream, counts::Ranges};
use clap::Args;
use std::{ffi::OsString, path::PathBuf};

/// Every board; the first is what commands use if none is named.
pub const BOARDS: [&Board; 2] = [&QEMU_VIRT, &FVP_BASE_REVC];

/// How many cores each has.
pub const CORES: usize = 8;

/// The argument that chooses a board.
#[derive(Args, Clone, Copy, Debug)]
pub struct BoardArgument {
    /// The board: qemu-virt, or fvp for the memory map of Arm's FVP Base RevC, in QEMU too
    #[arg(long, default_value = QEMU_VIRT.argument, value_parser = named)]
    pub board: &'static Board,
}

/// Finds a board by its name.
///
/// # Errors
/// There is none of this name; the error lists them.
pub fn named(name: &str) -> Result<&'static Board, String> {
    BOARDS
        .into_iter()
        .find(|board| board.argument == name || board.name == name)
        .ok_or_else(|| {
            let names = BOARDS.map(|board| board.argument).join(", ");
            format!("found board {name:?}, wanted one of: {names}")
        })
}

/// A board.
#[derive(Debug)]
pub struct Board {
    /// Its name: of its folder in `fvp-configs`, and in `TANTALUM_BOARD` when firmware is built for it.
    pub name: &'static str,
    /// Its name on the command line.
    pub argument: &'static str,
    /// The ranges of addresses that lie elsewhere than on [`QEMU_VIRT`]; earlier ones count first.
    pub windows: &'static [Window],
    /// What `reg` says of each core: the affinity fields of its MPIDR_EL1.
    pub cores: [u32; CORES],
    /// Interrupts of devices that have another number than on [`QEMU_VIRT`]: the number there, and here.
    pub interrupts: &'static [(u32, u32)],
    /// What each UART carries, in the order in which QEMU takes them.
    pub uarts: &'static [Stream],
    /// Which QEMU has the machine.
    pub qemu: Qemu,
    /// QEMU's arguments beside those that say what to boot.
    pub arguments: &'static [&'static str],
    /// QEMU's arguments for what to boot.
    pub media: fn(&Image) -> Vec<OsString>,
    /// How it can be booted, the usual way first.
    pub flows: &'static [FlowOfBoard],
    /// Who executes where.
    pub ranges: Ranges,
    /// Where the SPMC runs.
    pub spmc_base: u64,
    /// Where BL33 runs: the proxy or a client.
    pub bl33_base: u64,
    /// What TF-A says on the normal world's UART while it boots.
    pub banner: &'static str,
    /// What TF-A says there when the machine is switched off, if it says anything.
    pub power_off: Option<&'static str>,
}

/// Boards are the same if their names are.
impl PartialEq for Board {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Board {
    /// A way of booting, if the board has it.
    pub fn flow(&self, flow: Flow) -> Option<&'static FlowOfBoard> {
        self.flows.iter().find(|known| known.flow == flow)
    }
}

/// A range of addresses of [`QEMU_VIRT`] and where it lies on another board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first byte on [`QEMU_VIRT`].
    pub from: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its first byte on the other board.
    pub to: u64,
}

/// Which QEMU has a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qemu {
    /// Debian's.
    Packaged,
    /// The one with the machine `fvp-base-revc`, built from source.
    WithFvp,
}

/// A way of booting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// BL1, and all the rest in a FIP that BL2 loads from flash.
    #[default]
    Bl1,
    /// BL31 at reset, and all the rest in memory already.
    Preloaded,
    /// As `Bl1`, with a logical partition in EL3.
    LogicalPartition,
}

/// What a board needs for a way of booting.
#[derive(Debug)]
pub struct FlowOfBoard {
    /// Which.
    pub flow: Flow,
    /// How TF-A is built for it.
    pub tf_a: Recipe,
    /// In what form the boot image is given to the machine.
    pub media: Media,
    /// Room for the compiled SPMC manifest in bytes: it must end in the page in which it starts.
    pub manifest_room: usize,
}

/// How TF-A is built.
#[derive(Debug)]
pub struct Recipe {
    /// What make is told beside the payloads and the architecture's minor version; `PLAT=…` first.
    pub options: &'static [&'static str],
    /// What make makes, beside `fiptool`.
    pub targets: &'static [&'static str],
    /// What is kept of it, from the folder of the build.
    pub products: &'static [&'static str],
}

impl Recipe {
    /// TF-A's name of the platform.
    pub fn platform(&self) -> &'static str {
        self.options
            .iter()
            .find_map(|option| option.strip_prefix("PLAT="))
            .unwrap_or_default()
    }
}

/// In what form a boot image is given to the machine.
#[derive(Clone, Copy, Debug)]
pub enum Media {
    /// One file: BL1, and the FIP at this offset.
    OneFile {
        /// The FIP's offset in bytes.
        fip_offset: usize,
    },
    /// BL1 and the FIP each by itself. The FIP has more from TF-A's build in it: fiptool's option and the product.
    TwoFiles {
        /// Those.
        more: &'static [(&'static str, &'static str)],
    },
    /// Each image at its place in memory.
    Memory(Places),
}

/// Where images are put that no BL2 loads.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// BL31; cores start there.
    pub bl31: u64,
    /// The SPMC's manifest.
    pub manifest: u64,
    /// The device tree for the normal world.
    pub device_tree: u64,
    /// The product of TF-A's build that is this device tree.
    pub device_tree_file: &'static str,
}

/// A boot image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// One file with BL1 and the FIP.
    OneFile(PathBuf),
    /// BL1 and the FIP.
    TwoFiles {
        /// BL1.
        bl1: PathBuf,
        /// The FIP.
        fip: PathBuf,
    },
    /// Files and where they are put; cores start at `reset`.
    Memory {
        /// Where cores start.
        reset: u64,
        /// File and first address.
        files: Vec<(PathBuf, u64)>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_found_by_both_names() {
        assert_eq!(named("fvp").unwrap(), &FVP_BASE_REVC);
        assert_eq!(named("fvp-base-revc").unwrap(), &FVP_BASE_REVC);
        assert_eq!(named("qemu-virt").unwrap(), &QEMU_VIRT);
        let error = named("juno").unwrap_err();
        assert!(error.contains("qemu-virt, fvp"), "{error}");
    }

    #[test]
    fn every_board_can_be_booted_the_usual_way() {
        for board in BOARDS {
            assert!(board.flow(Flow::Bl1).is_some(), "{}", board.name);
            for flow in board.flows {
                assert!(!flow.tf_a.platform().is_empty());
            }
            assert!(board.uarts.contains(&Stream::Normal));
            assert!(board.uarts.contains(&Stream::Secure));
        }
    }
}
