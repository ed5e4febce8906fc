//! Configurations with notifications and indirect messages.

use super::{Interrupts, Notification, Notified, Partition, Vm, Who, World, part, restarted};
use crate::state::Form;
use ffa_abi::contract::Mode::Permissive;

/// Everything has started, no device interrupts.
const STARTED: Interrupts = Interrupts {
    devices: 0,
    timers: 0,
    sends: false,
    enables: false,
    fails: false,
    power: false,
    chains: false,
    yields: false,
    booted: true,
};

const A: Who = Who::Slot(0);
const B: Who = Who::Slot(1);
const C: Who = Who::Slot(2);
const OS: Who = Who::Os;
const VM1: Who = Who::Vm(0);
const VM2: Who = Who::Vm(1);

/// A global notification.
const fn global(sender: Who, receiver: Who, number: u8) -> Notification {
    Notification {
        sender,
        receiver,
        per_context: false,
        number,
    }
}

/// One that each context of the receiver's has for itself.
const fn each(sender: Who, receiver: Who, number: u8) -> Notification {
    Notification {
        per_context: true,
        ..global(sender, receiver, number)
    }
}

/// Notifications, and no messages.
const fn only(list: &'static [Notification]) -> Notified {
    Notified {
        list,
        delays: true,
        wrong: false,
        messages: &[],
        maps: false,
        sabotage: None,
    }
}

/// Messages, and no other notifications.
const fn messages(messages: &'static [(Who, Who)]) -> Notified {
    Notified {
        messages,
        maps: true,
        ..only(&[])
    }
}

impl World {
    /// Notifications and indirect messages.
    pub(super) fn with_notifications() -> Vec<Self> {
        let mut all = Self::notified_on_one_core();
        all.extend(Self::notified_on_two_cores());
        all.extend(Self::notified_behind_the_proxy());
        all
    }

    fn notified_behind_the_proxy() -> Vec<Self> {
        let up = part(true, Permissive, 2);
        let vm = Vm {
            mode: Permissive,
            minor: Some(2),
            vcpus: 1,
        };
        let behind = |name, about| Self {
            forms: &[Form::Narrow],
            wide_cycles: false,
            ..Self::new(name, about, 1, &[up]).behind(&[vm, vm])
        };
        vec![
            behind("10", "proxy, notifications of two VMs and of a partition").notifying(only(
                const {
                    &[
                        global(A, VM2, 0),
                        global(VM1, A, 63),
                        global(VM1, VM2, 0),
                        global(VM2, VM1, 0),
                    ]
                },
            )),
            behind(
                "10-messages",
                "proxy, messages of two VMs and of a partition",
            )
            .notifying(Notified {
                maps: false,
                ..messages(&[(A, VM2), (VM1, VM2), (VM2, A)])
            }),
        ]
    }

    fn notified_on_one_core() -> Vec<Self> {
        let up = part(true, Permissive, 2);
        vec![
            Self::new(
                "8",
                "notifications of two partitions and the normal world, and every wrong argument",
                1,
                &[up, up],
            )
            .with(STARTED)
            .notifying(Notified {
                wrong: true,
                ..only(const { &[global(B, A, 0), global(OS, A, 0), global(A, OS, 63)] })
            }),
            Self::new(
                "8-chains",
                "the same and one more, of partitions that call each other and are interrupted",
                1,
                &[up, up],
            )
            .with(Interrupts {
                chains: true,
                yields: true,
                ..STARTED
            })
            .notifying(only(
                const { &[global(B, A, 0), global(OS, A, 63), global(A, B, 0)] },
            )),
            Self::new(
                "8-same",
                "one number, bound to any of three senders, and another one",
                1,
                &[up, up, up],
            )
            .with(STARTED)
            .notifying(only(
                const {
                    &[
                        global(B, A, 5),
                        global(C, A, 5),
                        global(OS, A, 5),
                        global(B, A, 6),
                    ]
                },
            )),
            Self::new(
                "8-fails",
                "partitions with notifications fail, and one is restarted",
                1,
                &[restarted(Permissive, 2), up],
            )
            .with(Interrupts {
                fails: true,
                chains: true,
                ..STARTED
            })
            .notifying(only(
                const { &[global(B, A, 0), global(A, B, 0), global(A, OS, 1)] },
            )),
            Self::new(
                "8-messages",
                "messages of two partitions and the normal world, and every wrong argument",
                1,
                &[up, up],
            )
            .with(STARTED)
            .notifying(Notified {
                wrong: true,
                ..messages(&[(B, A), (OS, A), (A, OS)])
            }),
            Self::new(
                "8-both",
                "messages and a notification of two partitions that fail, and one is restarted",
                1,
                &[restarted(Permissive, 2), up],
            )
            .with(Interrupts {
                fails: true,
                ..STARTED
            })
            .notifying(Notified {
                messages: &[(B, A), (A, B)],
                ..only(const { &[global(OS, A, 0)] })
            }),
        ]
    }

    fn notified_on_two_cores() -> Vec<Self> {
        let (up, mp) = (part(true, Permissive, 2), part(false, Permissive, 2));
        let told = Partition {
            told_off: true,
            ..mp
        };
        let off = Interrupts {
            power: true,
            ..STARTED
        };
        let fails = Interrupts {
            fails: true,
            ..STARTED
        };
        vec![
            Self::new(
                "9",
                "a partition with notifications of each of its contexts, two cores",
                2,
                &[mp, up],
            )
            .with(STARTED)
            .notifying(only(const { &[each(OS, A, 0), global(B, A, 0)] })),
            Self::new(
                "9-up",
                "notifications of a migrating partition on two cores",
                2,
                &[mp, up],
            )
            .with(STARTED)
            .notifying(only(const { &[global(A, B, 0), global(OS, B, 63)] })),
            Self::new(
                "9-messages",
                "messages to a migrating partition on two cores",
                2,
                &[mp, up],
            )
            .with(STARTED)
            .notifying(Notified {
                maps: false,
                ..messages(&[(A, B), (OS, B)])
            }),
            Self::new(
                "9-messages-each",
                "messages to a partition with a context on each of two cores",
                2,
                &[mp, up],
            )
            .with(STARTED)
            .notifying(Notified {
                maps: false,
                delays: false,
                ..messages(&[(B, A)])
            }),
            Self::new(
                "9-off",
                "a notification of each context of a partition, and cores that go off and on",
                2,
                &[mp, up],
            )
            .with(off)
            .notifying(only(const { &[each(B, A, 0)] })),
            Self::new(
                "9-off-up",
                "the same of a partition that migrates, set by one that is told that cores go off",
                2,
                &[told, up],
            )
            .with(off)
            .notifying(only(const { &[global(A, B, 0)] })),
            Self::new(
                "9-fails",
                "a notification, and partitions that fail on two cores",
                2,
                &[mp, up],
            )
            .with(fails)
            .notifying(only(const { &[global(B, A, 0)] })),
            Self {
                large: true,
                ..Self::new(
                    "9-fails-both",
                    "two notifications, and partitions that fail on two cores",
                    2,
                    &[mp, up],
                )
                .with(fails)
                .notifying(only(const { &[each(B, A, 0), global(A, B, 0)] }))
            },
        ]
    }
}
