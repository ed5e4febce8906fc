//! Every configuration.

use super::{Interrupts, Partition, RULES, Vm, World, part, restarted};
use crate::state::Form;
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

/// A VM with one vCPU that negotiates its version.
const fn vm(mode: Mode) -> Vm {
    Vm {
        mode,
        minor: None,
        vcpus: 1,
    }
}

/// A VM that has negotiated its version.
const fn done(mode: Mode, minor: u8, vcpus: u8) -> Vm {
    Vm {
        mode,
        minor: Some(minor),
        vcpus,
    }
}

impl World {
    /// Every configuration.
    pub fn all() -> Vec<Self> {
        let mut all = Self::without_interrupts();
        all.extend(Self::on_one_core());
        all.extend(Self::on_two_cores());
        all
    }

    /// Interrupts on one core.
    fn on_one_core() -> Vec<Self> {
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
    fn on_two_cores() -> Vec<Self> {
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

    /// No interrupts but the normal world's.
    fn without_interrupts() -> Vec<Self> {
        use Mode::{Permissive, SmcccStrict};
        let (up, mp) = (true, false);
        vec![
            Self {
                versions: &[1, 2, 3],
                ..Self::new(
                    "1",
                    "two partitions on one core, any versions",
                    1,
                    &[part(up, Permissive, 2), part(mp, Permissive, 2)],
                )
            },
            Self {
                exact: true,
                ..Self::new(
                    "1-strict",
                    "a strict and a permissive partition on one core, every field told apart",
                    1,
                    &[part(up, SmcccStrict, 2), part(mp, Permissive, 3)],
                )
            },
            Self {
                forms: &[Form::Two],
                ..Self::new(
                    "1-three",
                    "a strict and two permissive partitions on one core, REQ2 only",
                    1,
                    &[
                        part(up, SmcccStrict, 2),
                        part(up, Permissive, 2),
                        part(mp, Permissive, 3),
                    ],
                )
            },
            Self {
                forms: &[Form::Narrow, Form::Two],
                on_again: false,
                ..Self::new(
                    "2",
                    "a multi-context and a migrating partition on two cores",
                    2,
                    &[part(mp, Permissive, 2), part(up, Permissive, 2)],
                )
            },
            Self {
                forms: &[Form::Narrow],
                large: true,
                ..Self::new(
                    "2-again",
                    "the same with cores that come on again, 32-bit requests only",
                    2,
                    &[part(mp, Permissive, 2), part(up, Permissive, 2)],
                )
            },
            Self {
                forms: &[Form::Two],
                on_again: false,
                ..Self::new(
                    "2-strict",
                    "the same in strict mode, REQ2 only",
                    2,
                    &[part(mp, SmcccStrict, 2), part(up, SmcccStrict, 2)],
                )
            },
            Self {
                forms: &[Form::Two],
                ..Self::new(
                    "1-restart",
                    "two partitions on one core that are restarted when they fail, REQ2 only",
                    1,
                    &[restarted(SmcccStrict, 2), restarted(Permissive, 2)],
                )
            },
            Self {
                forms: &[Form::Narrow],
                ..Self::new(
                    "2-restart",
                    "a partition that is restarted and one that is not on two cores, 32-bit requests only",
                    2,
                    &[restarted(Permissive, 2), part(up, Permissive, 2)],
                )
            },
            Self {
                versions: &[1, 2, 3],
                exact: true,
                ..Self::new(
                    "3",
                    "one partition on one core, a VM behind the proxy",
                    1,
                    &[part(up, Permissive, 2)],
                )
                .behind(&[vm(Permissive)])
            },
            Self {
                versions: &[1, 2, 3],
                exact: true,
                ..Self::new(
                    "3-strict",
                    "one partition on one core, a VM in strict mode behind the proxy",
                    1,
                    &[part(up, Permissive, 2)],
                )
                .behind(&[vm(SmcccStrict)])
            },
            Self::new(
                "4",
                "proxy, two VMs with one vCPU each, one partition on one core",
                1,
                &[part(up, Permissive, 2)],
            )
            .behind(&[done(Permissive, 3, 1), done(Permissive, 3, 1)]),
            Self::new(
                "4-strict",
                "proxy, two VMs in strict mode, one partition on one core",
                1,
                &[part(up, Permissive, 2)],
            )
            .behind(&[done(SmcccStrict, 2, 1), done(SmcccStrict, 2, 1)]),
            Self {
                forms: &[Form::Two],
                ..Self::new(
                    "4-three",
                    "proxy, three VMs that call each other, one partition on one core, REQ2 only",
                    1,
                    &[part(up, Permissive, 2)],
                )
                .behind(&[
                    done(Permissive, 3, 1),
                    done(Permissive, 3, 1),
                    done(SmcccStrict, 3, 1),
                ])
            },
            Self::new(
                "5",
                "proxy, two VMs on two cores, the secondary migrates, one partition",
                2,
                &[part(up, Permissive, 2)],
            )
            .behind(&[done(Permissive, 3, 2), done(Permissive, 3, 1)]),
            Self {
                forms: &[Form::Two],
                ..Self::new(
                    "5-strict",
                    "the same in strict mode, REQ2 only",
                    2,
                    &[part(up, Permissive, 2)],
                )
                .behind(&[done(SmcccStrict, 2, 2), done(SmcccStrict, 2, 1)])
            },
            Self {
                forms: &[Form::Two],
                ..Self::new(
                    "5-pinned",
                    "the same, the secondary has a vCPU on each core, REQ2 only",
                    2,
                    &[part(up, Permissive, 2)],
                )
                .behind(&[done(Permissive, 3, 2), done(Permissive, 3, 2)])
            },
            Self {
                forms: &[Form::Narrow],
                wide_cycles: false,
                ..Self::new(
                    "5-three",
                    "proxy, three VMs on two cores, one of them on both, no partition, 32-bit only",
                    2,
                    &[],
                )
                .behind(&[
                    done(Permissive, 3, 2),
                    done(Permissive, 3, 2),
                    done(Permissive, 3, 1),
                ])
            },
        ]
    }
}
