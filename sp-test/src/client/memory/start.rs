//! The parties' start, and who they are.

use super::{Check, Party, Suite, own};
use crate::abi;
use crate::memory::PARTITIONS;
use crate::memory::protocol::{OK, WHO};

/// How often a VM is run until it waits.
const RUNS: u32 = 1000;

/// The chapter. Says whether all is well: nothing else makes sense before.
pub(in crate::client) fn run(suite: &mut Suite) -> bool {
    suite.case("start/own_buffers", buffers);
    for vm in suite.vms().iter() {
        suite.named(format_args!("start/{}_waits", vm.who.name), |suite| {
            for _ in 0..RUNS {
                let regs = own(abi::RUN, &[u64::from(vm.who.id) << 16]);
                if regs[0] == abi::MSG_WAIT.into() {
                    return Ok(());
                }
                if regs[0] == abi::ERROR.into() {
                    return Err(suite.me.wrong("FFA_RUN", regs[2], abi::MSG_WAIT.into()));
                }
            }
            Err(suite.me.wrong("FFA_RUN", 0, abi::MSG_WAIT.into()))
        });
    }
    let partitions = PARTITIONS.map(|who| suite.party(who));
    for party in partitions.iter().chain(suite.vms().iter()) {
        suite.named(format_args!("start/who_is_{}", party.who.name), |_| {
            who_is(party)
        });
    }
    suite.client.failures == 0
}

/// The client maps its own buffers.
pub(in crate::client) fn buffers(suite: &Suite) -> Check {
    let who = suite.me.who;
    let mapped = suite
        .me
        .call(abi::RXTX_MAP_64, &[who.tx(), who.rx(), who.buffers])?;
    mapped.done(&suite.me, "FFA_RXTX_MAP")
}

/// A party is who it should be.
pub(super) fn who_is(party: &Party) -> Check {
    let (status, [id, version, base, _]) = party.ask(WHO, [0; 4])?;
    party.equal("status", status, OK)?;
    party.equal("FFA_ID_GET", id, party.who.id.into())?;
    party.equal("major version", version >> 16, 1)?;
    party.equal("where it is", base >> 20, party.who.base >> 20)
}
