//! QEMU's `virt`, secure and with virtualization: what every other board is compared with.

use super::{Board, Flow, FlowOfBoard, Image, Media, Qemu, Recipe};
use crate::{
    console::Stream,
    counts::{Level, Ranges},
};
use std::ffi::OsString;

/// The board.
pub const QEMU_VIRT: Board = Board {
    name: "qemu-virt",
    argument: "qemu-virt",
    windows: &[],
    cores: [0, 1, 2, 3, 4, 5, 6, 7],
    interrupts: &[],
    uarts: &[Stream::Normal, Stream::Secure],
    qemu: Qemu::Packaged,
    arguments: &[
        "-M",
        "virt,secure=on,virtualization=on,gic-version=3,mte=on,acpi=off",
        "-cpu",
        "max,pauth-impdef=on",
        "-m",
        "1024",
        // TF-A powers the machine off by semihosting.
        "-semihosting-config",
        "enable=on,target=native",
    ],
    media,
    flows: &[FlowOfBoard {
        flow: Flow::Bl1,
        tf_a: Recipe {
            options: &[
                "PLAT=qemu",
                "CROSS_COMPILE=aarch64-linux-gnu-",
                "DEBUG=0",
                "LOG_LEVEL=40",
                "QEMU_USE_GIC_DRIVER=QEMU_GICV3",
                "BL32_RAM_LOCATION=tdram",
                "ENABLE_SME_FOR_NS=2",
                "ENABLE_SME_FOR_SWD=1",
                "ENABLE_SVE_FOR_NS=2",
                "ENABLE_SVE_FOR_SWD=1",
                "ENABLE_FEAT_FGT=2",
                "ENABLE_FEAT_HCX=2",
                "ENABLE_FEAT_ECV=2",
                "SPD=spmd",
                "SPMD_SPM_AT_SEL2=1",
                "ENABLE_FEAT_SEL2=1",
                "NEED_FDT=yes",
                "NEED_BL32=yes",
                "BRANCH_PROTECTION=1",
                "ARM_ARCH_MAJOR=8",
                "ENABLE_FEAT_MTE2=2",
            ],
            targets: &["bl1", "bl2", "bl31"],
            products: &["bl1.bin", "bl2.bin", "bl31.bin"],
        },
        media: Media::OneFile {
            fip_offset: 256 << 10,
        },
        manifest_room: 0x1000,
    }],
    ranges: Ranges(&[
        // BL1's ROM and its services, then TF-A's secure memory.
        (0, Level::El3),
        (0x0800_0000, Level::Other),
        (0x0e00_0000, Level::El3),
        (0x0e10_0000, Level::SEl2),
        (0x0e30_0000, Level::SEl1),
        (0x0f00_0000, Level::Other),
        (0x5000_0000, Level::El1),
        (0x6000_0000, Level::NsEl2),
        (0x7000_0000, Level::Other),
    ]),
    spmc_base: 0x0e10_0000,
    bl33_base: 0x6000_0000,
    banner: "BL31: v2.",
    power_off: Some("System Power off"),
};

fn media(image: &Image) -> Vec<OsString> {
    match image {
        Image::OneFile(file) => vec!["-bios".into(), file.into()],
        // No flow makes one.
        Image::TwoFiles { .. } | Image::Memory { .. } => Vec::new(),
    }
}
