//! Partitions and VMs that are no more: what they have bound is nobody's, what they have set is there.

use super::super::plain;
use super::calls::{
    self, Entry, Pending, arguments, bind, get, named, nobody, set, try_set, unbind,
};
use super::told_of;
use super::{Check, Party, Suite, told};
use crate::abi::{self, BUSY, DENIED, INVALID_PARAMETERS, ids};
use crate::memory::RESTARTS;
use crate::memory::protocol::{self, DIE};

const TO: u64 = 1 << 5;
const FROM: u64 = 1 << 6;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    suite.case("ends/partition_starts_again", restarts);
    let vm = suite.vms().first().copied();
    if let Some(vm) = vm {
        suite.case("ends/vm_ends", |suite| vm_ends(suite, &vm));
    }
}

/// It ends in a request.
pub fn dies(suite: &Suite, party: &Party) -> Check {
    let call = [
        ids(suite.me.who.id, party.who.id),
        0,
        protocol::command(DIE),
    ];
    let mut regs = plain(abi::DIRECT_REQ_64, &call);
    while regs[0] == abi::INTERRUPT.into() {
        told::interrupted();
        regs = plain(abi::RUN, &[u64::from(party.who.id) << 16]);
    }
    party.equal("the end of its request", regs[0], abi::ERROR.into())?;
    party.equal("its error", regs[2], abi::code(abi::ABORTED))
}

/// It has started again and waits.
pub fn starts(suite: &Suite, party: &Party) -> Check {
    for _ in 0..1000 {
        let call = [
            ids(suite.me.who.id, party.who.id),
            0,
            protocol::command(protocol::TAKE),
        ];
        let regs = plain(abi::DIRECT_REQ_64, &call);
        match regs[0] as u32 {
            abi::DIRECT_RESP_64 => return Ok(()),
            abi::INTERRUPT => told::interrupted(),
            abi::ERROR if regs[2] == abi::code(BUSY) => {}
            _ => break,
        }
        let _ = plain(abi::RUN, &[u64::from(party.who.id) << 16]);
    }
    Err(party.wrong("its new start", 0, abi::DIRECT_RESP_64.into()))
}

fn restarts(suite: &Suite) -> Check {
    let me = &suite.me;
    let [_, _, rich, _] = suite.partitions();
    let mortal = suite.party(RESTARTS);
    bind(&mortal, me, 0, FROM)?;
    bind(&mortal, &rich, 0, FROM)?;
    bind(me, &mortal, 0, TO)?;
    bind(&rich, &mortal, 0, TO)?;
    // Of what is pending at its end: what it has set stays, what is for it goes.
    set(&mortal, me, 0, FROM)?;
    set(&mortal, &rich, 0, FROM)?;
    set(me, &mortal, 0, TO)?;
    told::take();
    dies(suite, &mortal)?;
    starts(suite, &mortal)?;
    told::take();
    named(suite, &[Entry::whole(rich.who.id), Entry::whole(me.who.id)])?;
    get(me)?.is(me, &Pending::of(&mortal, FROM))?;
    get(&rich)?.is(&rich, &Pending::of(&mortal, FROM))?;
    get(&mortal)?.is(&mortal, &Pending::default())?;
    told_of(suite, false)?;
    // Nothing is bound any more, on either side.
    for (from, to, bits) in [
        (&mortal, me, FROM),
        (&mortal, &rich, FROM),
        (me, &mortal, TO),
        (&rich, &mortal, TO),
    ] {
        try_set(from, to, 0, bits)?.refused(from, "FFA_NOTIFICATION_SET", DENIED)?;
        let call = arguments(from.who.id, to.who.id, 0, bits);
        let answer = to.call(abi::NOTIFICATION_UNBIND, &call)?;
        answer.refused(to, "FFA_NOTIFICATION_UNBIND", DENIED)?;
        // And may be again.
        bind(from, to, 0, bits)?;
        calls::heard(suite, from, to, 0, bits)?;
        unbind(from, to, bits)?;
    }
    nobody(suite)
}

/// For ever: it has no bitmap any more, and what it has set is there.
fn vm_ends(suite: &Suite, vm: &Party) -> Check {
    let me = &suite.me;
    let [_, old, rich, _] = suite.partitions();
    for other in [me, &rich] {
        bind(vm, other, 0, FROM)?;
        bind(other, vm, 0, TO)?;
        set(vm, other, 0, FROM)?;
        set(other, vm, 0, TO)?;
    }
    dies(suite, vm)?;
    told::take();
    named(suite, &[Entry::whole(rich.who.id), Entry::whole(me.who.id)])?;
    for other in [me, &rich] {
        get(other)?.is(other, &Pending::of(vm, FROM))?;
        try_set(other, vm, 0, TO)?.refused(other, "FFA_NOTIFICATION_SET", INVALID_PARAMETERS)?;
        let call = arguments(vm.who.id, other.who.id, 0, FROM);
        let answer = other.call(abi::NOTIFICATION_UNBIND, &call)?;
        match other.who.is_partition() {
            // The SPMC knows not which VMs there are: that is the partition's to give up.
            true => answer.done(other, "FFA_NOTIFICATION_UNBIND")?,
            false => answer.refused(other, "FFA_NOTIFICATION_UNBIND", INVALID_PARAMETERS)?,
        }
    }
    told_of(suite, false)?;
    named(suite, &[])?;
    // All others go on.
    for (from, to) in [(me, &rich), (&rich, me), (&old, &rich)] {
        bind(from, to, 0, FROM)?;
        calls::heard(suite, from, to, 0, FROM)?;
        unbind(from, to, FROM)?;
    }
    Ok(())
}
