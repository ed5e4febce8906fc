//! Which endpoints of the normal world receive notifications: FFA_NOTIFICATION_BITMAP_CREATE and DESTROY. The client at
//! NS-EL2 speaks for VMs that nobody has to know; nobody else makes these calls.

use super::calls::{self, OF_PARTITIONS, OF_SPM, arguments, named};
use super::{Check, Party, Suite};
use super::{nobody, told};
use crate::abi::{self, DENIED, INVALID_PARAMETERS, NO_MEMORY, NOT_SUPPORTED};

/// A VM.
const VM: u16 = 5;
/// VMs that have a bitmap at most.
const MOST: u16 = 16;
/// The most vCPUs of one.
const VCPUS: u64 = 64;
/// Notifications of a partition.
const BITS: u64 = 1 << 3 | 1 << 50;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for party in suite.everybody().iter() {
        if party.who.id == suite.me.who.id && suite.client.direct {
            continue;
        }
        suite.named(
            format_args!("bitmaps/{}/are_not_its_own", party.who.name),
            |suite| {
                create(party, VM, 1, NOT_SUPPORTED)?;
                create(party, party.who.id, 1, NOT_SUPPORTED)?;
                destroy(party, VM, NOT_SUPPORTED)?;
                destroy(party, party.who.id, NOT_SUPPORTED)?;
                nobody(suite)
            },
        );
    }
    if !suite.client.direct {
        return;
    }
    type Case = fn(&Suite) -> Check;
    let cases: [(&str, Case); 10] = [
        ("create/of_a_partition", of_a_partition),
        ("create/of_no_vm", |suite| {
            create(&suite.me, 0x7fff, 1, INVALID_PARAMETERS)
        }),
        ("create/without_vcpus", |suite| {
            create(&suite.me, VM, 0, INVALID_PARAMETERS)
        }),
        ("create/too_many_vcpus", |suite| {
            create(&suite.me, VM, VCPUS + 1, NO_MEMORY)?;
            create(&suite.me, VM, 0xffff_ffff, NO_MEMORY)?;
            destroy(&suite.me, VM, DENIED)
        }),
        ("create/again", again),
        ("create/own_again", |suite| {
            create(&suite.me, abi::HYPERVISOR, 1, DENIED)
        }),
        ("create/too_many_vms", too_many),
        ("destroy/what_is_not", |suite| {
            destroy(&suite.me, VM, DENIED)?;
            destroy(&suite.me, abi::ECHO, INVALID_PARAMETERS)
        }),
        ("destroy/pending", pending),
        ("destroy/forgets", forgets),
    ];
    for (name, case) in cases {
        suite.named(format_args!("bitmaps/{name}"), |suite| {
            case(suite).and_then(|()| nobody(suite))
        });
    }
}

fn answer(party: &Party, id: u32, call: &[u64], code: i32) -> Check {
    let answer = party.call(id, call)?;
    match code {
        0 => answer.done(party, "a bitmap"),
        _ => answer.refused(party, "a bitmap", code),
    }
}

/// Creates one, with this answer; 0 for success.
pub(super) fn create(party: &Party, vm: u16, vcpus: u64, code: i32) -> Check {
    answer(
        party,
        abi::NOTIFICATION_BITMAP_CREATE,
        &[vm.into(), vcpus],
        code,
    )
}

/// Destroys one in the same way.
pub(super) fn destroy(party: &Party, vm: u16, code: i32) -> Check {
    answer(party, abi::NOTIFICATION_BITMAP_DESTROY, &[vm.into()], code)
}

/// A VM with one vCPU has one, or has none any more.
pub fn bitmap(party: &Party, vm: u16, there: bool) -> Check {
    match there {
        true => create(party, vm, 1, 0),
        false => destroy(party, vm, 0),
    }
}

fn of_a_partition(suite: &Suite) -> Check {
    for id in [abi::SPMC, abi::ECHO, 0x9000, abi::SPMD] {
        create(&suite.me, id, 1, INVALID_PARAMETERS)?;
        destroy(&suite.me, id, INVALID_PARAMETERS)?;
    }
    Ok(())
}

fn again(suite: &Suite) -> Check {
    let me = &suite.me;
    create(me, VM, 2, 0)?;
    create(me, VM, 2, DENIED)?;
    create(me, VM, 3, DENIED)?;
    // It has two vCPUs still.
    calls::read(me, VM, 1, OF_PARTITIONS)?;
    let beyond = me.call(abi::NOTIFICATION_GET, &[2 << 16 | u64::from(VM), 1])?;
    beyond.refused(me, "FFA_NOTIFICATION_GET", INVALID_PARAMETERS)?;
    destroy(me, VM, 0)?;
    destroy(me, VM, DENIED)
}

fn too_many(suite: &Suite) -> Check {
    let me = &suite.me;
    for vm in 0..MOST {
        create(me, VM + vm, VCPUS, 0)?;
    }
    create(me, VM + MOST, 1, NO_MEMORY)?;
    // The OS's own place is not one of theirs.
    destroy(me, abi::HYPERVISOR, 0)?;
    create(me, VM + MOST, 1, NO_MEMORY)?;
    create(me, abi::HYPERVISOR, 1, 0)?;
    for vm in 0..MOST {
        destroy(me, VM + vm, 0)?;
    }
    Ok(())
}

/// `from` sets notifications that a VM has bound.
fn sets(from: &Party, vm: u16, code: i32) -> Check {
    let call = arguments(from.who.id, vm, 0, BITS);
    let answer = from.call(abi::NOTIFICATION_SET, &call)?;
    match code {
        0 => answer.done(from, "FFA_NOTIFICATION_SET"),
        _ => answer.refused(from, "FFA_NOTIFICATION_SET", code),
    }
}

/// A VM binds those of a partition.
fn binds(suite: &Suite, from: &Party, vm: u16) -> Check {
    let call = arguments(from.who.id, vm, 0, BITS);
    let answer = suite.me.call(abi::NOTIFICATION_BIND, &call)?;
    answer.done(&suite.me, "FFA_NOTIFICATION_BIND")
}

fn pending(suite: &Suite) -> Check {
    let me = &suite.me;
    let [_, _, from, _] = suite.partitions();
    create(me, VM, 1, 0)?;
    binds(suite, &from, VM)?;
    sets(&from, VM, 0)?;
    destroy(me, VM, DENIED)?;
    told::take();
    named(suite, &[calls::Entry::whole(VM)])?;
    destroy(me, VM, DENIED)?;
    let read = calls::read(me, VM, 0, OF_PARTITIONS | OF_SPM)?;
    read.is(me, &calls::Pending::of(&from, BITS))?;
    destroy(me, VM, 0)
}

/// What it had bound is not bound when it has one again, and nobody reaches it while it has none.
fn forgets(suite: &Suite) -> Check {
    let me = &suite.me;
    let [_, _, from, _] = suite.partitions();
    create(me, VM, 1, 0)?;
    binds(suite, &from, VM)?;
    destroy(me, VM, 0)?;
    sets(&from, VM, INVALID_PARAMETERS)?;
    let get = me.call(abi::NOTIFICATION_GET, &[VM.into(), OF_PARTITIONS])?;
    get.refused(me, "FFA_NOTIFICATION_GET", INVALID_PARAMETERS)?;
    let bind = me.call(abi::NOTIFICATION_BIND, &arguments(from.who.id, VM, 0, BITS))?;
    bind.refused(me, "FFA_NOTIFICATION_BIND", INVALID_PARAMETERS)?;
    create(me, VM, 1, 0)?;
    sets(&from, VM, DENIED)?;
    binds(suite, &from, VM)?;
    destroy(me, VM, 0)
}
