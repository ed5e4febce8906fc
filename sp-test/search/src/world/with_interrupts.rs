//! Configurations with interrupts of partitions.

use super::{Interrupts, Partition, RULES, World, part, restarted};
use ffa_abi::contract::Mode;
use spmc::context::{InterruptRules, NsAction};

/// A partition with these rules for interrupts.
const fn ruled(up: bool, rules: InterruptRules) -> Partition {
    Partition {
        rules,
        ..part(up, Mode::Permissive, 2)
    }
}

/// Devices of the first two partitions, and requests between partitions.
const DEVICES: Interrupts = Interrupts {
    devices: 0b11,
    timers: 0,
    sends: false,
    enables: false,
    fails: false,
    power: false,
    chains: true,
    yields: true,
    booted: false,
};
/// The same on two cores that are on already.
const BOOTED: Interrupts = Interrupts {
    yields: false,
    booted: true,
    ..DEVICES
};

impl World {
    /// Interrupts on one core.
    pub(super) fn on_one_core() -> Vec<Self> {
        let plain = ruled(true, RULES);
        let queued = InterruptRules {
            ns_action: NsAction::Queued,
            ..RULES
        };
        let managed = InterruptRules {
            ns_action: NsAction::ManagedExit,
            ..RULES
        };
        vec![
            Self::new(
                "6",
                "interrupts of two partitions on one core, which they enable and disable",
                1,
                &[plain, plain],
            )
            .with(Interrupts {
                timers: 0b01,
                enables: true,
                yields: false,
                ..DEVICES
            }),
            Self::new(
                "6-two",
                "devices and timers of two partitions on one core",
                1,
                &[plain, plain],
            )
            .with(Interrupts {
                timers: 0b11,
                yields: false,
                ..DEVICES
            }),
            Self {
                large: true,
                ..Self::new(
                    "6-three",
                    "devices of two of three partitions on one core",
                    1,
                    &[plain, plain, plain],
                )
                .with(DEVICES)
            },
            Self::new(
                "6-managed",
                "managed exit by virtual FIQ and by virtual IRQ",
                1,
                &[
                    ruled(true, managed),
                    ruled(
                        true,
                        InterruptRules {
                            managed_exit_virq: true,
                            ..managed
                        },
                    ),
                ],
            )
            .with(DEVICES),
            Self::new(
                "6-queued",
                "one partition queues the normal world's interrupts, the other all",
                1,
                &[
                    ruled(true, queued),
                    ruled(
                        true,
                        InterruptRules {
                            other_s_queued: true,
                            ..queued
                        },
                    ),
                ],
            )
            .with(Interrupts {
                timers: 0b01,
                ..DEVICES
            }),
            Self::new(
                "6-sri",
                "the normal world is asked to run who has an interrupt",
                1,
                &[
                    ruled(
                        false,
                        InterruptRules {
                            sri_waiting: true,
                            ..RULES
                        },
                    ),
                    ruled(
                        true,
                        InterruptRules {
                            sri_leaving: true,
                            ..RULES
                        },
                    ),
                ],
            )
            .with(DEVICES),
            Self::new(
                "6-off",
                "a partition is told that the only core goes off",
                1,
                &[
                    Partition {
                        told_off: true,
                        ..ruled(false, RULES)
                    },
                    plain,
                ],
            )
            .with(Interrupts {
                power: true,
                ..DEVICES
            }),
            Self::new(
                "6-fails",
                "partitions with devices fail, and one is restarted",
                1,
                &[restarted(Mode::Permissive, 2), plain],
            )
            .with(Interrupts {
                fails: true,
                timers: 0b01,
                ..DEVICES
            }),
        ]
    }

    /// Interrupts on two cores: the first partition has a context on each, the other's migrates.
    pub(super) fn on_two_cores() -> Vec<Self> {
        let (mp, up) = (ruled(false, RULES), ruled(true, RULES));
        let told = Partition {
            told_off: true,
            ..mp
        };
        vec![
            Self::new(
                "7",
                "a device of a migrating partition, two cores",
                2,
                &[mp, up],
            )
            .with(Interrupts {
                devices: 0b10,
                ..BOOTED
            }),
            Self::new(
                "7-sent",
                "contexts of one partition interrupt each other on two cores",
                2,
                &[mp, up],
            )
            .with(Interrupts {
                devices: 0,
                sends: true,
                chains: false,
                ..BOOTED
            }),
            Self {
                large: true,
                ..Self::new(
                    "7-sent-chains",
                    "the same with requests between partitions",
                    2,
                    &[mp, up],
                )
                .with(Interrupts {
                    devices: 0,
                    sends: true,
                    ..BOOTED
                })
            },
            Self::new(
                "7-both",
                "devices of a partition on both cores and of one that migrates, without requests between them",
                2,
                &[mp, up],
            )
            .with(Interrupts {
                chains: false,
                ..BOOTED
            }),
            Self::new(
                "7-timer",
                "the timer of a migrating partition, and cores that go off and on",
                2,
                &[mp, up],
            )
            .with(Interrupts {
                devices: 0,
                timers: 0b10,
                power: true,
                chains: false,
                ..BOOTED
            }),
            Self {
                large: true,
                ..Self::new(
                    "7-timer-chains",
                    "the same with requests between partitions",
                    2,
                    &[mp, up],
                )
                .with(Interrupts {
                    devices: 0,
                    timers: 0b10,
                    power: true,
                    ..BOOTED
                })
            },
            Self::new(
                "7-off",
                "a partition with a device is told that cores go off",
                2,
                &[told, up],
            )
            .with(Interrupts {
                devices: 0b01,
                power: true,
                chains: false,
                ..BOOTED
            }),
            Self {
                large: true,
                ..Self::new(
                    "7-off-sent",
                    "the same, and it interrupts itself across cores",
                    2,
                    &[told, up],
                )
                .with(Interrupts {
                    devices: 0b01,
                    sends: true,
                    power: true,
                    chains: false,
                    ..BOOTED
                })
            },
            Self::new(
                "7-fails",
                "partitions with devices fail on two cores",
                2,
                &[mp, up],
            )
            .with(Interrupts {
                fails: true,
                chains: false,
                ..BOOTED
            }),
        ]
    }
}
