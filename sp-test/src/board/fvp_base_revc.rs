//! Arm's Base Platform RevC.

use super::{Board, Source, SourceKind};

pub(super) const BOARD: Board = Board {
    name: "fvp-base-revc",
    places: [
        // Trusted SRAM.
        0x0400_1000,
        0x0401_0000,
        // Trusted DRAM.
        0x0600_0000,
        0x0700_0000,
        0x8800_0000,
        0x8000_0000,
        // UART0, UART2.
        0x1c09_0000,
        0x1c0b_0000,
        // The real-time clock, the normal world's timer frame, the trusted watchdog.
        0x1c17_0000,
        0x2a83_0000,
        0x2a49_0000,
        0x2f00_0000,
        0x2f10_0000,
        0x0c00_0000,
        // Between trusted SRAM and trusted DRAM.
        0x0500_0000,
    ],
    // Aff0 is the thread, of which a core has one.
    shifts: [8, 16],
    cluster: 4,
    only_secure: &[
        ("nwd_reads_secure_dram", 0xff00_0000),
        ("nwd_reads_last_secure_dram", 0xffff_fff8),
        ("nwd_reads_trusted_dram", 0x07f0_0000),
        ("nwd_reads_trusted_watchdog", 0x2a49_0000),
    ],
    // SP805. Its revision, in the third register, is not everywhere the same.
    identification: &[
        (0xfe0, 0x05),
        (0xfe4, 0x18),
        (0xfec, 0x00),
        (0xff0, 0x0d),
        (0xff4, 0xf0),
        (0xff8, 0x05),
        (0xffc, 0xb1),
    ],
    // WDOGLOAD; it is stopped.
    register: (0, [0x5a5a, 0xffff_ffff]),
    // The bytes 556d75e2-6033-b54b-b575-6279fd1137ff.
    sip_uid: Some([0xe275_6d55, 0x4bb5_3360, 0x7962_75b5, 0xff37_11fd]),
    controller_traps: false,
    lines: [
        Source {
            intid: 58,
            kind: SourceKind::TimerFrame,
        },
        Source {
            intid: 56,
            kind: SourceKind::Watchdog,
        },
        Source {
            intid: 36,
            kind: SourceKind::Clock,
        },
    ],
};
