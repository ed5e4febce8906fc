//! QEMU's virt machine.

use super::{Board, Source, SourceKind};

pub(super) const BOARD: Board = Board {
    name: "qemu-virt",
    places: [
        0x0e00_2000,
        0x0e0a_0000,
        0x0e10_0000,
        0x0e30_0000,
        0x6000_0000,
        0x4000_0000,
        0x0900_0000,
        0x0904_0000,
        0x0901_0000,
        0x0903_0000,
        0x090b_0000,
        0x0800_0000,
        0x080a_0000,
        0x0400_0000,
        0x0b00_0000,
    ],
    shifts: [0, 8],
    cluster: 16,
    only_secure: &[
        ("nwd_reads_secure_uart", 0x0904_0000),
        ("nwd_reads_secure_gpio", 0x090b_0000),
    ],
    // PL061.
    identification: &[
        (0xfe0, 0x61),
        (0xfe4, 0x10),
        (0xfe8, 0x04),
        (0xfec, 0x00),
        (0xff0, 0x0d),
        (0xff4, 0xf0),
        (0xff8, 0x05),
        (0xffc, 0xb1),
    ],
    // GPIOIS, interrupt sense.
    register: (0x404, [0x5a, 0]),
    sip_uid: None,
    controller_traps: false,
    lines: [
        Source {
            intid: 39,
            kind: SourceKind::Gpio(5),
        },
        // Pins 0 and 1 are wired to the machine's power.
        Source {
            intid: 32,
            kind: SourceKind::Gpio(4),
        },
        Source {
            intid: 34,
            kind: SourceKind::Clock,
        },
    ],
};
