//! Every configuration.

use super::{Vm, World, part, restarted};
use crate::state::Form;
use ffa_abi::contract::Mode;

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
        all.extend(Self::with_notifications());
        all
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
