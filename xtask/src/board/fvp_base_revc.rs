//! The memory map of Arm's FVP Base RevC, as TF-A's own port for it (PLAT=fvp) uses it. It runs in QEMU, on the
//! machine `fvp-base-revc` of `fvp-configs/qemu-machine`, and in Arm's model (`cargo xtask fvp`).

use super::{Board, Flow, FlowOfBoard, Image, Media, Places, Qemu, Recipe, Window};
use crate::{
    console::Stream,
    counts::{Level, Ranges},
};
use std::ffi::OsString;

/// How TF-A is built for every flow. What the CPU has beyond that is found at run time (the port's own defaults).
macro_rules! options {
    ($($more:literal),*) => {
        &[
            "PLAT=fvp",
            "CROSS_COMPILE=aarch64-linux-gnu-",
            "DEBUG=0",
            "LOG_LEVEL=40",
            "ENABLE_SME_FOR_NS=2",
            "ENABLE_SME_FOR_SWD=1",
            "ENABLE_SVE_FOR_NS=2",
            "ENABLE_SVE_FOR_SWD=1",
            "SPD=spmd",
            "SPMD_SPM_AT_SEL2=1",
            "BRANCH_PROTECTION=1",
            "ARM_ARCH_MAJOR=8",
            "ENABLE_FEAT_MTE2=2",
            // Of packages: xtask packs neighbours into one where there are more than BL2 loads.
            "CFLAGS=-DPLAT_ARM_SP_MAX_SIZE=0x400000",
            $($more),*
        ]
    };
}

const DEVICE_TREE: &str = "fdts/fvp-base-gicv3-psci.dtb";
const FROM_FLASH: &[&str] = &[
    "bl1.bin",
    "bl2.bin",
    "bl31.bin",
    "fdts/fvp_fw_config.dtb",
    "fdts/fvp_soc_fw_config.dtb",
    "fdts/fvp_nt_fw_config.dtb",
    DEVICE_TREE,
];
/// FW_CONFIG says where BL2 puts each configuration; the others have nothing to say, but BL2 wants them.
const TWO_FILES: Media = Media::TwoFiles {
    more: &[
        ("--fw-config", "fvp_fw_config.dtb"),
        ("--hw-config", "fvp-base-gicv3-psci.dtb"),
        ("--soc-fw-config", "fvp_soc_fw_config.dtb"),
        ("--nt-fw-config", "fvp_nt_fw_config.dtb"),
    ],
};

/// The board.
pub const FVP_BASE_REVC: Board = Board {
    name: "fvp-base-revc",
    argument: "fvp",
    windows: &[
        // The SPMC's image, and its manifest as BL2 places it.
        window(0x0e10_0000, 0x0020_0000, 0x0600_0000),
        window(0x0e00_2000, 0xb00, 0x0400_1500),
        // Partitions.
        window(0x0e30_0000, 0x00d0_0000, 0x0700_0000),
        // BL33.
        window(0x6000_0000, 0x0040_0000, 0x8800_0000),
        // The rest of the normal world's memory.
        window(0x4000_0000, 0x4000_0000, 0x8000_0000),
        // The secure UART; a device for partitions: the GPIO's part is the trusted watchdog's.
        window(0x0904_0000, 0x1000, 0x1c0b_0000),
        window(0x090b_0000, 0x1000, 0x2a49_0000),
        // Devices of the normal world: the real-time clock, and the GPIO's part is its timer frame's.
        window(0x0901_0000, 0x1000, 0x1c17_0000),
        window(0x0903_0000, 0x1000, 0x2a83_0000),
        // Where nothing answers.
        window(0x0b00_0000, 0x1000, 0x0500_0000),
    ],
    // Clusters of four; the cores' threads are Aff0.
    cores: [
        0x0, 0x100, 0x200, 0x300, 0x1_0000, 0x1_0100, 0x1_0200, 0x1_0300,
    ],
    interrupts: &[
        // The GPIO's of the normal world is the timer frame's, that of the secure world the trusted watchdog's. The
        // real-time clock is one.
        (39, 58),
        (32, 56),
        (34, 36),
    ],
    uarts: &[
        Stream::Normal,
        Stream::El3,
        Stream::Secure,
        Stream::Partitions,
    ],
    qemu: Qemu::WithFvp,
    arguments: &["-cpu", "max,pauth-impdef=on", "-m", "2048"],
    media,
    flows: &[
        FlowOfBoard {
            flow: Flow::Bl1,
            tf_a: Recipe {
                options: options!(),
                targets: &["bl1", "bl2", "bl31", "dtbs"],
                products: FROM_FLASH,
            },
            media: TWO_FILES,
            manifest_room: 0xb00,
        },
        FlowOfBoard {
            flow: Flow::Preloaded,
            tf_a: Recipe {
                options: options!("RESET_TO_BL31=1", "ARM_PRELOADED_DTB_BASE=0x82000000"),
                targets: &["bl31", "dtbs"],
                products: &["bl31.bin", DEVICE_TREE],
            },
            media: Media::Memory(Places {
                bl31: 0x0401_0000,
                manifest: 0x0403_f000,
                device_tree: 0x8200_0000,
                device_tree_file: "fvp-base-gicv3-psci.dtb",
            }),
            manifest_room: 0x1000,
        },
        FlowOfBoard {
            flow: Flow::LogicalPartition,
            tf_a: Recipe {
                options: options!("ENABLE_SPMD_LP=1"),
                targets: &["bl1", "bl2", "bl31", "dtbs"],
                products: FROM_FLASH,
            },
            media: TWO_FILES,
            manifest_room: 0xb00,
        },
    ],
    ranges: Ranges(&[
        // BL1's ROM, then trusted SRAM: the other stages of TF-A.
        (0, Level::El3),
        (0x0600_0000, Level::SEl2),
        (0x0700_0000, Level::SEl1),
        (0x0800_0000, Level::Other),
        (0x8800_0000, Level::NsEl2),
        (0x8900_0000, Level::Other),
        (0x9000_0000, Level::El1),
        (0xa000_0000, Level::Other),
    ]),
    spmc_base: 0x0600_0000,
    bl33_base: 0x8800_0000,
    banner: "BL31: v2.",
    // The write that switches it off is the last thing that TF-A does.
    power_off: None,
};

const fn window(from: u64, size: u64, to: u64) -> Window {
    Window { from, size, to }
}

fn media(image: &Image) -> Vec<OsString> {
    let mut machine = OsString::from("fvp-base-revc");
    match image {
        Image::TwoFiles { bl1, fip } => {
            machine.push(",secureflash=");
            machine.push(bl1);
            machine.push(",flash0=");
            machine.push(fip);
        }
        Image::Memory { reset, files } => {
            machine.push(format!(",rvbar={reset:#x},data="));
            for (number, (file, address)) in files.iter().enumerate() {
                if number > 0 {
                    machine.push(":");
                }
                machine.push(file);
                machine.push(format!("@{address:#x}"));
            }
        }
        // No flow makes one.
        Image::OneFile(_) => {}
    }
    vec!["-M".into(), machine]
}
