//! QEMU's `virt` machine.

use super::{Board, CoreScheme, Device, Gic, Pl011, Region, World};

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
        intids_end: 288,
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
    // Their lines are frames in the stream of the image at S-EL2.
    uart_partitions: None,
    secure_el2_timer: 20,
    normal_el2_timer: 26,
    virtual_timer: 27,
    gic_maintenance: 25,
    // Timers (secure EL2: virtual, physical; EL2: physical, virtual; EL1: virtual, secure, physical), counters'
    // overflow, virtual CPU interface; UARTs.
    reserved_intids: &[19, 20, 26, 28, 27, 29, 30, 25, 33, 40],
    secure_ram: &[Region::new(0x0e00_0000, 0x0100_0000)],
    secure_firmware: &[Region::new(0x0e00_0000, 0x0010_0000)],
    secure_config: &[Region::new(0x0e00_2000, 0x1000)],
    // As much as there can be below 4 GiB. How much there is, the machine's owner says, and manifests have to.
    normal_ram: &[Region::new(0x4000_0000, 0xc000_0000)],
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
