//! Arm's Base Platform RevC (the model `FVP_Base_RevC-2xAEMvA`), with 4 GiB of RAM.
//!
//! The addresses are those that TF-A's `PLAT=fvp` uses (`plat/arm/board/fvp`, `include/plat/arm/board/common/v2m_def.h`)
//! and the public device tree of the model.

use super::{Board, CoreScheme, Device, Gic, Pl011, Region, World};

/// One of the board's four UARTs; they share a clock.
const fn uart(base: u64) -> Pl011 {
    Pl011 {
        region: Region::new(base, 0x1000),
        clock_hz: 24_000_000,
        baud: 115_200,
    }
}

/// A device without DMA.
const fn device(name: &'static str, base: u64, size: u64, world: World) -> Device {
    Device {
        name,
        region: Region::new(base, size),
        world,
        dma: false,
    }
}

/// Arm's Base Platform RevC.
pub const FVP_BASE_REVC: Board = Board {
    name: "fvp-base-revc",
    // MPIDR_EL1.MT is 1: Aff0 is the thread, of which a core has one. Two clusters of four.
    cores: CoreScheme {
        core_shift: 8,
        cluster_shift: 16,
        cores_per_cluster: 4,
    },
    max_cpus: 8,
    gic: Gic {
        distributor: Region::new(0x2f00_0000, 0x1_0000),
        redistributors: Region::new(0x2f10_0000, 8 * 0x2_0000),
        redistributor_stride: 0x2_0000,
        intids_end: 256,
    },
    // UART1 is BL31's.
    uart_secure: uart(0x1c0b_0000),
    uart_normal: uart(0x1c09_0000),
    uart_partitions: Some(uart(0x1c0c_0000)),
    secure_el2_timer: 20,
    normal_el2_timer: 26,
    virtual_timer: 27,
    gic_maintenance: 25,
    // Timers (secure EL2: virtual, physical; EL2: physical, virtual; EL1: virtual, secure, physical), counters'
    // overflow, virtual CPU interface; UART0, UART2 and UART3.
    reserved_intids: &[19, 20, 26, 28, 27, 29, 30, 25, 37, 39, 40],
    secure_ram: &[
        // Trusted SRAM.
        Region::new(0x0400_0000, 0x0008_0000),
        // Trusted DRAM.
        Region::new(0x0600_0000, 0x0200_0000),
    ],
    secure_firmware: &[
        // BL31, and BL2 before it.
        Region::new(0x0400_0000, 0x0008_0000),
        // HW_CONFIG, as BL2 loads it.
        Region::new(0x07f0_0000, 0x0010_0000),
    ],
    secure_config: &[
        // TOS_FW_CONFIG, as BL2 loads it: it ends with its page.
        Region::new(0x0400_1500, 0x0b00),
        // Put there before the start, where BL31 runs first (`RESET_TO_BL31`).
        Region::new(0x0403_f000, 0x1000),
    ],
    normal_ram: &[
        // The TZC-400 keeps the last 16 MiB of the first bank for the secure world.
        Region::new(0x8000_0000, 0x7f00_0000),
        Region::new(0x8_8000_0000, 0x8000_0000),
    ],
    normal_device_tree: Region::new(0x8200_0000, 0x0010_0000),
    secure_image: Region::new(0x0600_0000, 0x0020_0000),
    normal_image: Region::new(0x8800_0000, 0x0040_0000),
    devices: &[
        device("sysregs", 0x1c01_0000, 0x1000, World::Normal),
        device("watchdog", 0x1c0f_0000, 0x1000, World::Normal),
        device("rtc", 0x1c17_0000, 0x1000, World::Normal),
        Device {
            name: "virtio",
            region: Region::new(0x1c13_0000, 0x3_0000),
            world: World::Normal,
            dma: true,
        },
        // An SP805.
        device("trusted-watchdog", 0x2a49_0000, 0x1000, World::Secure),
        // The generic timer's frames in memory.
        device("secure-timer", 0x2a82_0000, 0x1_0000, World::Secure),
        device("timer", 0x2a83_0000, 0x1_0000, World::Normal),
    ],
};
