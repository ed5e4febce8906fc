//! What FFA_FEATURES says of notifications and indirect messages, to whom.

use super::{Check, Party, Suite};
use super::{hears, nobody};
use crate::abi::{self, NOT_SUPPORTED};
use crate::interrupts::{NOTIFICATION, NOTIFICATION_OF_VM, SCHEDULE_RECEIVER};
use crate::memory::Kind;

const NPI: u64 = 1;
const SRI: u64 = 2;
/// Which notifications there are: global ones and such for each context, for VMs and for partitions.
const KINDS: u64 = 4;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for party in suite.everybody().iter().chain([&super::deaf(suite)]) {
        let name = party.who.name;
        suite.named(format_args!("features/{name}/calls"), |suite| {
            calls(party).and_then(|()| nobody(suite))
        });
        suite.named(format_args!("features/{name}/interrupts"), |_| {
            interrupts(party)
        });
        suite.named(format_args!("features/{name}/kinds"), |_| kinds(party));
    }
}

/// It has them or not.
fn asks(party: &Party, id: u64, want: Option<u64>) -> Check {
    let answer = party.call(abi::FEATURES, &[id])?;
    match want {
        None => answer.refused(party, "FFA_FEATURES", NOT_SUPPORTED),
        Some(value) => {
            let got = answer.handle(party, "FFA_FEATURES")?;
            party.equal("what FFA_FEATURES says", got, value)
        }
    }
}

fn calls(party: &Party) -> Check {
    let new = party.who.version != abi::V1_0;
    let receives = hears(&party.who);
    // Who runs the normal world's endpoints is its hypervisor, or the primary VM of one that hides it.
    let schedules = party.who.is_client();
    let hypervisor = party.who.kind == Kind::Hypervisor;
    for (id, there) in [
        (abi::NOTIFICATION_BITMAP_CREATE, hypervisor),
        (abi::NOTIFICATION_BITMAP_DESTROY, hypervisor),
        (abi::NOTIFICATION_BIND, receives),
        (abi::NOTIFICATION_UNBIND, receives),
        (abi::NOTIFICATION_GET, receives),
        (abi::NOTIFICATION_SET, new),
        (abi::NOTIFICATION_INFO_GET_32, schedules),
        (abi::NOTIFICATION_INFO_GET_64, schedules),
    ] {
        asks(party, id.into(), there.then_some(0))?;
    }
    Ok(())
}

fn interrupts(party: &Party) -> Check {
    let npi = match party.who.kind {
        Kind::Hypervisor => None,
        _ if !hears(&party.who) => None,
        Kind::Vm => Some(NOTIFICATION_OF_VM.into()),
        Kind::Partition => Some(NOTIFICATION.into()),
    };
    asks(party, NPI, npi)?;
    let sri = party.who.is_client();
    asks(party, SRI, sri.then_some(SCHEDULE_RECEIVER.into()))
}

fn kinds(party: &Party) -> Check {
    asks(party, KINDS, (party.who.version >= abi::V1_3).then_some(0))
}
