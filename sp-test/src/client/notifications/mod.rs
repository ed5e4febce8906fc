//! The client of the suite `notifications`, as a VM or at NS-EL2. Its parties are those of the suite
//! [`memory`](crate::memory), of which some receive notifications: each makes the calls that the client asks it for.

mod bitmaps;
mod calls;
mod contexts;
mod ends;
mod features;
mod info;
mod pair;
mod rows;
mod scheduling;
mod story;

use super::memory::party::{Answer, Party};
use super::memory::wrong::{Check, Wrong};
use super::memory::{Suite, start};
use super::told;
use crate::abi;
use crate::memory::{RESTARTS, STOPS, V10, V12, V13, VM2, VM3, Who};
use crate::rt::entry::Boot;

pub(super) use bitmaps::bitmap;
pub(super) use calls::{DELAY, Entry, Pending, get, info, named, nobody, read};
pub(super) use ends::{dies, starts};
pub(super) use story::runs;

/// Contexts of the partition that has many.
pub(super) const MANY: u64 = 8;

/// The image's start.
pub fn main(name: &str, version: u32, boot: &Boot) -> ! {
    let mut suite = begin("notifications", name, version, boot);
    if start::run(&mut suite) && ready(&mut suite) {
        for chapter in [
            features::run,
            story::run,
            rows::run,
            bitmaps::run,
            scheduling::run,
            info::run,
            contexts::run,
            // These leave some dead.
            ends::run,
        ] {
            chapter(&mut suite);
        }
    }
    suite.client.end()
}

/// The client starts, and is told of notifications from now on.
pub(super) fn begin(title: &'static str, name: &str, version: u32, boot: &Boot) -> Suite {
    let mut suite = Suite::start(name, version, boot);
    suite.title = title;
    suite.clean = clean;
    told::open(suite.client.direct);
    suite
}

/// The normal world's OS has a bitmap; a VM has had one before its first instruction. Says whether all is well.
pub(super) fn ready(suite: &mut Suite) -> bool {
    suite.case("start/own_bitmap", |suite| {
        let me = &suite.me;
        if suite.client.direct {
            let created = me.call(abi::NOTIFICATION_BITMAP_CREATE, &[me.who.id.into(), 1])?;
            created.done(me, "FFA_NOTIFICATION_BITMAP_CREATE")?;
        }
        nobody(suite)
    });
    suite.client.failures == 0
}

/// Who receives notifications.
pub(super) fn hears(who: &Who) -> bool {
    ![V10.id, STOPS.id, VM3.id].contains(&who.id)
}

/// How many contexts a party has.
fn contexts_of(who: &Who) -> u64 {
    match who.id == V13.id {
        true => MANY,
        false => 1,
    }
}

/// Nothing is pending any more, whatever has failed.
pub(super) fn clean(suite: &Suite) {
    for party in suite.everybody().iter().filter(|party| hears(&party.who)) {
        for context in 0..contexts_of(&party.who) {
            let _ = calls::get_for(party, context, calls::all(party));
        }
        let _ = party.call(abi::RX_RELEASE, &[]);
    }
    let _ = calls::info(suite, true);
    told::take();
}

/// Those between whom everything is tried: the sender, the receiver.
pub(super) fn pairs(suite: &Suite) -> [Option<[Party; 2]>; 8] {
    let me = suite.me;
    let [_, old, rich, many] = suite.partitions();
    let vm = suite.vms().iter().copied().find(|vm| vm.who.id == VM2.id);
    [
        Some([me, rich]),
        Some([old, rich]),
        Some([rich, old]),
        Some([old, many]),
        Some([rich, me]),
        vm.map(|vm| [vm, rich]),
        vm.map(|vm| [rich, vm]),
        vm.map(|vm| [me, vm]),
    ]
}

/// One that is neither sender nor receiver of any of those.
pub(super) fn another(suite: &Suite) -> Party {
    suite.party(RESTARTS)
}

/// A partition of the newest version that hears of nothing.
pub(super) fn deaf(suite: &Suite) -> Party {
    suite.party(STOPS)
}

/// The client has this of what it was told; nothing else.
pub(super) fn told_of(suite: &Suite, schedule: bool) -> Check {
    let told = told::take();
    let me = &suite.me;
    me.equal(
        "schedule receiver interrupts",
        told.schedule,
        schedule.into(),
    )?;
    me.equal("other interrupts", told.others, 0)
}

const _: () = assert!(V12.id == 0x8005 && V13.id == 0x8006);
