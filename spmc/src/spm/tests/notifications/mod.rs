//! Notifications: each row of each call with its error and nothing changed, who hears of what, and what is
//! left when somebody ends.

mod bind;
mod bitmaps;
mod ends;
mod features;
mod get;
mod info;
mod npi;
mod rx_full;
mod set;

use super::fixture::*;
use crate::context::Slot;
use ffa_abi::{
    EndpointId, FfaError, Function, Version,
    fid::raw::*,
    notification::{InfoLists, Pending},
};

/// The normal world's own endpoint, and VMs of its.
const OS: EndpointId = EndpointId(0);
const ONE: EndpointId = EndpointId(1);
const TWO: EndpointId = EndpointId(2);

const DONE: [u64; 1] = [SUCCESS_32 as u64];

/// Whose notifications `FFA_NOTIFICATION_GET` reads.
const PARTITIONS: u64 = 1;
const VMS: u64 = 2;
const SPM: u64 = 4;
const HYPERVISOR: u64 = 8;

/// w2 of a set: for one context, and not at once.
const PER_CONTEXT: u64 = 1;
const DELAY: u64 = 2;

fn create(vm: EndpointId, contexts: u64) -> Frame {
    frame(&[
        Function::NotificationBitmapCreate.raw32().into(),
        vm.0.into(),
        contexts,
    ])
}

fn destroy(vm: EndpointId) -> Frame {
    frame(&[
        Function::NotificationBitmapDestroy.raw32().into(),
        vm.0.into(),
    ])
}

fn of(function: Function, sender: EndpointId, receiver: EndpointId, w2: u64, bits: u64) -> Frame {
    let (low, high) = (bits & 0xffff_ffff, bits >> 32);
    frame(&[
        function.raw32().into(),
        ids(sender, receiver),
        w2,
        low,
        high,
    ])
}

fn bind(sender: EndpointId, receiver: EndpointId, w2: u64, bits: u64) -> Frame {
    of(Function::NotificationBind, sender, receiver, w2, bits)
}

fn unbind(sender: EndpointId, receiver: EndpointId, bits: u64) -> Frame {
    of(Function::NotificationUnbind, sender, receiver, 0, bits)
}

fn set(sender: EndpointId, receiver: EndpointId, w2: u64, bits: u64) -> Frame {
    of(Function::NotificationSet, sender, receiver, w2, bits)
}

fn get(receiver: EndpointId, context: u64, flags: u64) -> Frame {
    let w1 = context << 16 | u64::from(receiver.0);
    frame(&[Function::NotificationGet.raw32().into(), w1, flags])
}

fn info() -> Frame {
    frame(&[Function::NotificationInfoGet.raw64().into()])
}

/// A with one context, B with two, C without notifications, OLD at 1.1, and the one in the fifth place at
/// S-EL0. The OS and VM 1, with three vCPUs, have bitmaps.
fn world() -> Fixture {
    let mut f = Fixture::booted(&[
        Spec::up(Version::V1_2).notified(),
        Spec::mp(Version::V1_2).notified(),
        Spec::up(Version::V1_3),
        Spec::up(Version::V1_1).notified(),
        Spec::up(Version::V1_2).notified().at_el0(),
    ]);
    f.answers(create(OS, 2));
    f.answers(create(ONE, 3));
    f
}

impl Fixture {
    /// Whoever has the core makes a call that is done.
    #[track_caller]
    fn answers(&mut self, call: Frame) {
        self.call(call);
        self.got(&DONE);
    }

    /// `slot` makes calls that are done, and waits again.
    #[track_caller]
    fn by(&mut self, slot: Slot, calls: &[Frame]) {
        self.nwd_runs(slot);
        for call in calls {
            self.answers(*call);
        }
        self.sp(msg_wait());
        self.got(&[MSG_WAIT.into()]);
    }

    /// Whoever has the core reads this.
    #[track_caller]
    fn finds(&mut self, call: Frame, pending: Pending) {
        self.call(call);
        let words = |bits: u64| [bits & 0xffff_ffff, bits >> 32];
        let ([a, b], [c, d]) = (words(pending.partitions), words(pending.vms));
        let (e, f) = (pending.spm.into(), pending.hypervisor.into());
        self.got(&[SUCCESS_32.into(), 0, a, b, c, d, e, f]);
    }

    /// On which cores the schedule receiver interrupt was raised since.
    fn scheduled(&mut self) -> usize {
        std::mem::take(&mut self.machine.interrupts.schedule_receiver).len()
    }

    /// Whom the normal world is told to run, and whether there are more.
    #[track_caller]
    fn told(&mut self) -> Vec<(EndpointId, Vec<u16>)> {
        self.call(info());
        if self.result()[0] == u64::from(ERROR) {
            self.got(&[ERROR.into(), 0, FfaError::NoData.register()]);
            return Vec::new();
        }
        let lists = InfoLists::from_success(&self.pes[self.pe].nwd).unwrap();
        assert!(!lists.more);
        lists.iter().map(|(id, of)| (id, of.to_vec())).collect()
    }
}
