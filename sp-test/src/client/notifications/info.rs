//! FFA_NOTIFICATION_INFO_GET when there is more to tell than fits: each is named once, nothing is lost.

use super::bitmaps::{create, destroy};
use super::calls::{self, OF_PARTITIONS, OF_SPM, PER_CONTEXT, arguments};
use super::{Check, Party, Suite, Wrong};
use super::{nobody, told};
use crate::abi;

/// A VM with as many vCPUs as can be.
const VM: u16 = 5;
const VCPUS: u64 = 64;
/// VMs that have a bitmap at most, beside the OS.
const VMS: u16 = 16;
const BIT: u64 = 1 << 9;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    if suite.client.direct {
        for (name, wide) in [("64", true), ("32", false)] {
            suite.named(format_args!("info/{name}/all_vcpus_of_a_vm"), |suite| {
                vcpus(suite, wide)
            });
            suite.named(format_args!("info/{name}/all_vms"), |suite| {
                vms(suite, wide)
            });
        }
    }
    for (name, wide) in [("64", true), ("32", false)] {
        suite.named(format_args!("info/{name}/all_contexts"), |suite| {
            contexts(suite, wide)
        });
    }
}

/// Asks until nothing is left. What is named: contexts of `id`, one bit for each; VMs as a whole, from [`VM`] on.
fn drain(suite: &Suite, wide: bool, id: u16) -> Result<[u64; 2], Wrong> {
    let me = &suite.me;
    let room = if wide { 20 } else { 10 };
    let mut seen = [0; 2];
    for _ in 0..64 {
        let (lists, more) = calls::info(suite, wide)?;
        if lists.is_empty() {
            me.equal("there is more, but nothing now", more.into(), 0)?;
            break;
        }
        let mut used = 0;
        for list in lists.iter() {
            used += 1 + list.contexts.len();
            let (which, bits) = match list.contexts.is_empty() {
                true => (1, 1 << ((list.id - VM) & 63)),
                false => {
                    me.equal("whose contexts are named", list.id.into(), id.into())?;
                    let bits = list.contexts.iter().fold(0, |bits, n| bits | 1 << (n & 63));
                    (0, bits)
                }
            };
            me.equal("who is named twice", seen[which] & bits, 0)?;
            seen[which] |= bits;
        }
        // What there was room for was told.
        me.equal("ids that fit", (used <= room).into(), 1)?;
        if more {
            me.equal("ids that there was room for", (used + 1 < room).into(), 0)?;
        }
    }
    Ok(seen)
}

fn call(who: &Party, id: u32, arguments: [u64; 4]) -> Check {
    who.call(id, &arguments)?
        .done(who, "a call of notifications")
}

fn vcpus(suite: &Suite, wide: bool) -> Check {
    let me = &suite.me;
    let [_, _, from, _] = suite.partitions();
    let f = from.who.id;
    create(me, VM, VCPUS, 0)?;
    call(
        me,
        abi::NOTIFICATION_BIND,
        arguments(f, VM, PER_CONTEXT, BIT),
    )?;
    for vcpu in 0..VCPUS {
        let set = arguments(f, VM, PER_CONTEXT | vcpu << 16, BIT);
        call(&from, abi::NOTIFICATION_SET, set)?;
    }
    told::take();
    let [contexts, whole] = drain(suite, wide, VM)?;
    me.equal("vCPUs that are named", contexts, u64::MAX)?;
    me.equal("VMs that are named", whole, 0)?;
    for vcpu in 0..VCPUS {
        let read = calls::read(me, VM, vcpu, OF_PARTITIONS | OF_SPM)?;
        read.is(me, &calls::Pending::of(&from, BIT))?;
    }
    call(me, abi::NOTIFICATION_UNBIND, arguments(f, VM, 0, BIT))?;
    destroy(me, VM, 0)?;
    nobody(suite)
}

fn vms(suite: &Suite, wide: bool) -> Check {
    let me = &suite.me;
    let [_, _, from, _] = suite.partitions();
    let f = from.who.id;
    for vm in VM..VM + VMS {
        create(me, vm, 1, 0)?;
        call(me, abi::NOTIFICATION_BIND, arguments(f, vm, 0, BIT))?;
        call(&from, abi::NOTIFICATION_SET, arguments(f, vm, 0, BIT))?;
    }
    told::take();
    let [contexts, whole] = drain(suite, wide, VM)?;
    me.equal("vCPUs that are named", contexts, 0)?;
    me.equal("VMs that are named", whole, (1 << VMS) - 1)?;
    for vm in VM..VM + VMS {
        let read = calls::read(me, vm, 0, OF_PARTITIONS | OF_SPM)?;
        read.is(me, &calls::Pending::of(&from, BIT))?;
        destroy(me, vm, 0)?;
    }
    nobody(suite)
}

/// Of the partition that has many.
fn contexts(suite: &Suite, wide: bool) -> Check {
    let me = &suite.me;
    let [.., many] = suite.partitions();
    calls::bind(me, &many, PER_CONTEXT, BIT)?;
    for context in 0..super::MANY {
        calls::set(me, &many, PER_CONTEXT | context << 16, BIT)?;
    }
    told::take();
    let [contexts, whole] = drain(suite, wide, many.who.id)?;
    me.equal("contexts that are named", contexts, (1 << super::MANY) - 1)?;
    me.equal("VMs that are named", whole, 0)?;
    for context in 0..super::MANY {
        let read = calls::get_for(&many, context, calls::all(&many))?;
        read.is(&many, &calls::Pending::of(me, BIT))?;
    }
    calls::unbind(me, &many, BIT)?;
    nobody(suite)
}
