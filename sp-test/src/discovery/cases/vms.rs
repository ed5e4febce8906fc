//! VM availability messages that nobody may send, or not so: they reach no partition.

use super::{Case, Env, Verdict, case, for_};
use crate::abi::{self, INVALID_PARAMETERS, ids};
use crate::discovery::SUBJECTS;
use crate::discovery::vms::{EVENTS, FRAMEWORK};

pub(super) const CASES: &[Case] = &[
    case("vm_message_by_an_endpoint", for_::endpoints, by_endpoint),
    case("vm_message_wrong_ids", for_::physical, wrong_ids),
    case("vm_message_wrong_number", for_::physical, wrong_number),
    case("vm_message_wrong_vm", for_::physical, wrong_vm),
    case("vm_message_64_bit", for_::physical, wide),
];

/// A partition that is told of VMs that are created, and others by [`SUBJECTS`].
const TOLD: u16 = 0x8003;

fn refused(env: &mut Env, turn: u64, id: u32, ids: u64, w2: u64, vm: u64) -> Verdict {
    let arguments = [ids, w2, 0, 0, vm];
    env.refused_turn("a message", turn, id, &arguments, INVALID_PARAMETERS)
}

/// A VM or a partition tells of VMs, as itself and as the hypervisor.
fn by_endpoint(env: &mut Env) -> Verdict {
    let me = env.me.id;
    for subject in SUBJECTS.iter().filter(|subject| subject.id != me) {
        for event in EVENTS {
            for sender in [me, abi::HYPERVISOR] {
                let ids = ids(sender, subject.id);
                refused(env, ids, abi::DIRECT_REQ_32, ids, event.w2(), 2)?;
            }
        }
    }
    Ok(())
}

fn wrong_ids(env: &mut Env) -> Verdict {
    let senders = [abi::VM1, 0x7fff, abi::SPMC, 0x8001, TOLD];
    let receivers = [
        abi::HYPERVISOR,
        abi::VM1,
        abi::SPMC,
        0x8000 + SUBJECTS.len() as u16 + 1,
    ];
    let pairs = senders
        .map(|sender| ids(sender, TOLD))
        .into_iter()
        .chain(receivers.map(|receiver| ids(abi::HYPERVISOR, receiver)));
    for pair in pairs {
        for event in EVENTS {
            refused(env, pair, abi::DIRECT_REQ_32, pair, event.w2(), 2)?;
        }
    }
    Ok(())
}

fn wrong_number(env: &mut Env) -> Verdict {
    let to = ids(abi::HYPERVISOR, TOLD);
    for number in (0..=0xff).filter(|number| ![4, 6].contains(number)) {
        refused(env, number, abi::DIRECT_REQ_32, to, FRAMEWORK | number, 2)?;
    }
    // Reserved bits, and a number without the bit that makes it one.
    for w2 in [FRAMEWORK | 0x104, FRAMEWORK | 1 << 30 | 4, 4, 6] {
        refused(env, w2, abi::DIRECT_REQ_32, to, w2, 2)?;
    }
    Ok(())
}

/// Ids that are no VM's.
fn wrong_vm(env: &mut Env) -> Verdict {
    for vm in [0, 0x7fff, 0x8000, 0x8001, 0xffff, 0x1_0000] {
        let to = ids(abi::HYPERVISOR, TOLD);
        refused(env, vm, abi::DIRECT_REQ_32, to, EVENTS[0].w2(), vm)?;
    }
    Ok(())
}

fn wide(env: &mut Env) -> Verdict {
    for event in EVENTS {
        let to = ids(abi::HYPERVISOR, TOLD);
        refused(env, event.request, abi::DIRECT_REQ_64, to, event.w2(), 2)?;
    }
    Ok(())
}
