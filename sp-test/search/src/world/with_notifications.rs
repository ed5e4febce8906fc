//! Configurations with notifications and indirect messages.

use super::{Interrupts, Notification, Notified, Who, World, part};
use ffa_abi::contract::Mode;

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

/// A global notification.
const fn global(sender: Who, receiver: Who, number: u8) -> Notification {
    Notification {
        sender,
        receiver,
        per_context: false,
        number,
    }
}

impl World {
    /// Notifications and indirect messages.
    pub(super) fn with_notifications() -> Vec<Self> {
        let up = part(true, Mode::Permissive, 2);
        vec![
            Self::new(
                "8",
                "notifications of a partition and the normal world on one core",
                1,
                &[up, up],
            )
            .with(STARTED)
            .notifying(Notified {
                list: const {
                    &[
                        global(B, A, 0),
                        global(Who::Os, A, 0),
                        global(A, Who::Os, 63),
                    ]
                },
                delays: true,
                wrong: true,
                ..Notified::default()
            }),
        ]
    }
}
