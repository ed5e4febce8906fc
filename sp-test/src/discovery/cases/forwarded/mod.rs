//! FFA_RXTX_MAP on behalf of VMs, FFA_RX_ACQUIRE and FFA_RX_RELEASE of their RX: the normal world's
//! hypervisor alone may. The VMs here are forged: nobody runs in them.

mod descriptor;
mod malformed;

use super::{Case, Env, PAGE, Pair, Verdict, case, for_};
use crate::abi::{self, DENIED, INVALID_PARAMETERS, NO_MEMORY, NOT_SUPPORTED};
use descriptor::Descriptor;

pub(super) const CASES: &[Case] = &[
    case("forwarded_map_and_unmap", for_::physical, one),
    case("forwarded_map_32", for_::physical, narrow),
    case("forwarded_map_two_vms", for_::physical, two),
    case("forwarded_map_twice", for_::physical, twice),
    case("forwarded_map_same_pages", for_::physical, same_pages),
    case("forwarded_map_own_pages", for_::physical, own_pages),
    case("forwarded_map_not_mapped", for_::physical, not_mapped),
    case("forwarded_map_ids", for_::physical, malformed::ids),
    case("forwarded_map_sizes", for_::physical, malformed::sizes),
    case(
        "forwarded_map_malformed",
        for_::physical,
        malformed::malformed,
    ),
    case(
        "forwarded_map_reserved_fields",
        for_::physical,
        malformed::reserved,
    ),
    case(
        "forwarded_map_bad_pages",
        for_::physical,
        malformed::bad_pages,
    ),
    case("forwarded_map_many", for_::physical, many),
    case(
        "forwarded_map_in_4_pages",
        for_::physical,
        malformed::far_offsets,
    ),
    case("forwarded_acquire_and_release", for_::physical, ownership),
    case("forwarded_unmap_while_acquired", for_::physical, acquired),
    case("forwarded_unmap_unknown", for_::physical, unmap_unknown),
    case("forwarded_own_unmap_keeps_vms", for_::physical, own_unmap),
];

/// How many VMs may have buffers at once.
pub(super) const MOST_VMS: u64 = 16;

/// Buffers of a VM, apart from those of the others and of the caller.
fn of_vm(env: &Env, vm: u64, pages: u64) -> Pair {
    let base = env.me.scratch() + 0x10_0000 + vm * 0x10 * PAGE;
    Pair {
        tx: base,
        rx: base + 8 * PAGE,
        pages,
    }
}

const MAP: [u64; 3] = [0; 3];

/// A forwarded map that must succeed.
fn map(env: &mut Env, own: Pair, vm: u64, pair: Pair) -> Verdict {
    Descriptor::new(vm, pair).put(own.tx);
    env.expect_turn(
        "forwarded FFA_RXTX_MAP",
        vm,
        abi::RXTX_MAP_64,
        &MAP,
        &super::DONE,
    )
    .map(|_| ())
}

/// One that must be refused.
fn refused(
    env: &mut Env,
    step: &'static str,
    turn: u64,
    own: Pair,
    descriptor: &Descriptor,
    code: i32,
) -> Verdict {
    descriptor.put(own.tx);
    env.refused_turn(step, turn, abi::RXTX_MAP_64, &MAP, code)
}

/// FFA_RXTX_UNMAP on behalf of a VM.
fn unmap(env: &mut Env, vm: u64) -> Verdict {
    env.expect_turn(
        "FFA_RXTX_UNMAP for a VM",
        vm,
        abi::RXTX_UNMAP,
        &[vm << 16],
        &super::DONE,
    )
    .map(|_| ())
}

fn unmap_refused(env: &mut Env, vm: u64) -> Verdict {
    env.refused_turn(
        "FFA_RXTX_UNMAP for a VM",
        vm,
        abi::RXTX_UNMAP,
        &[vm << 16],
        INVALID_PARAMETERS,
    )
}

/// FFA_RX_ACQUIRE or FFA_RX_RELEASE for a VM.
fn hand(env: &mut Env, id: u32, vm: u64) -> Verdict {
    let step = match id {
        abi::RX_ACQUIRE => "FFA_RX_ACQUIRE",
        _ => "FFA_RX_RELEASE",
    };
    env.expect_turn(step, vm, id, &[vm], &super::DONE)
        .map(|_| ())
}

fn hand_refused(env: &mut Env, id: u32, vm: u64, code: i32) -> Verdict {
    let step = match id {
        abi::RX_ACQUIRE => "FFA_RX_ACQUIRE",
        _ => "FFA_RX_RELEASE",
    };
    env.refused_turn(step, vm, id, &[vm], code)
}

fn one(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    for vm in [1, 2, 0x7ffe] {
        let pair = of_vm(env, vm & 0xf, 1);
        map(env, own, vm, pair)?;
        unmap(env, vm)?;
        unmap_refused(env, vm)?;
        map(env, own, vm, pair)?;
        unmap(env, vm)?;
    }
    env.unmap()
}

fn narrow(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    Descriptor::new(1, of_vm(env, 1, 1)).put(own.tx);
    env.succeeds("32-bit form", abi::RXTX_MAP_32, &MAP)?;
    unmap(env, 1)?;
    env.unmap()
}

fn two(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    for vm in [1, 2] {
        map(env, own, vm, of_vm(env, vm, 1))?;
    }
    for vm in [1, 2] {
        hand(env, abi::RX_ACQUIRE, vm)?;
    }
    for vm in [1, 2] {
        hand(env, abi::RX_RELEASE, vm)?;
    }
    unmap(env, 1)?;
    // The other is not touched by that.
    hand(env, abi::RX_ACQUIRE, 2)?;
    hand_refused(env, abi::RX_ACQUIRE, 1, INVALID_PARAMETERS)?;
    hand(env, abi::RX_RELEASE, 2)?;
    unmap(env, 2)?;
    env.unmap()
}

fn twice(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    map(env, own, 1, of_vm(env, 1, 1))?;
    let same = Descriptor::new(1, of_vm(env, 1, 1));
    refused(env, "the same", 0, own, &same, DENIED)?;
    let others = Descriptor::new(1, of_vm(env, 2, 1));
    refused(env, "other pages", 0, own, &others, DENIED)?;
    unmap(env, 1)?;
    map(env, own, 1, of_vm(env, 2, 1))?;
    unmap(env, 1)?;
    env.unmap()
}

fn same_pages(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    let first = of_vm(env, 1, 2);
    let second = of_vm(env, 2, 2);
    map(env, own, 1, first)?;
    for (turn, pair) in (0..).zip([
        first,
        Pair {
            tx: first.rx,
            rx: first.tx,
            ..first
        },
        Pair {
            tx: first.tx,
            ..second
        },
        Pair {
            rx: first.rx,
            ..second
        },
        Pair {
            rx: first.tx,
            ..second
        },
        // One page of two.
        Pair {
            tx: first.tx + PAGE,
            ..second
        },
        Pair {
            rx: first.rx - PAGE,
            ..second
        },
    ]) {
        let descriptor = Descriptor::new(2, pair);
        refused(env, "pages of VM 1", turn, own, &descriptor, DENIED)?;
    }
    map(env, own, 2, second)?;
    unmap(env, 1)?;
    unmap(env, 2)?;
    // They are free again.
    map(env, own, 2, first)?;
    unmap(env, 2)?;
    env.unmap()
}

fn own_pages(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    let pair = of_vm(env, 1, 1);
    for (turn, pair) in (0..).zip([
        own,
        Pair { tx: own.tx, ..pair },
        Pair { rx: own.tx, ..pair },
        Pair { rx: own.rx, ..pair },
    ]) {
        let descriptor = Descriptor::new(1, pair);
        refused(env, "the hypervisor's", turn, own, &descriptor, DENIED)?;
    }
    // And the other way round: its own map onto a VM's.
    map(env, own, 1, pair)?;
    env.unmap()?;
    let spare = env.me.scratch() + 0x20 * PAGE;
    for [tx, rx] in [[pair.tx, spare], [spare, pair.rx], [pair.rx, pair.tx]] {
        env.refused("onto a VM's", abi::RXTX_MAP_64, &[tx, rx, 1], DENIED)?;
    }
    unmap(env, 1)?;
    env.succeeds("free again", abi::RXTX_MAP_64, &[pair.tx, pair.rx, 1])?;
    env.unmap()
}

fn not_mapped(env: &mut Env) -> Verdict {
    let own = env.pair(1);
    let descriptor = Descriptor::new(1, of_vm(env, 1, 1));
    refused(env, "never", 0, own, &descriptor, INVALID_PARAMETERS)?;
    env.map(1)?;
    env.unmap()?;
    refused(env, "no more", 0, own, &descriptor, INVALID_PARAMETERS)?;
    unmap_refused(env, 1)
}

fn many(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    for vm in 1..=MOST_VMS {
        map(env, own, vm, of_vm(env, vm, 1))?;
    }
    let vm = MOST_VMS + 1;
    let one_more = Descriptor::new(vm, of_vm(env, vm, 1));
    refused(env, "one more", vm, own, &one_more, NO_MEMORY)?;
    for vm in [1, MOST_VMS] {
        hand(env, abi::RX_ACQUIRE, vm)?;
        hand(env, abi::RX_RELEASE, vm)?;
    }
    unmap(env, 3)?;
    map(env, own, vm, of_vm(env, vm, 1))?;
    for vm in (1..=vm).filter(|vm| *vm != 3) {
        unmap(env, vm)?;
    }
    env.unmap()
}

fn ownership(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    map(env, own, 1, of_vm(env, 1, 1))?;
    hand_refused(env, abi::RX_RELEASE, 1, DENIED)?;
    for _ in 0..2 {
        hand(env, abi::RX_ACQUIRE, 1)?;
        hand_refused(env, abi::RX_ACQUIRE, 1, DENIED)?;
        hand_refused(env, abi::RX_ACQUIRE, 2, INVALID_PARAMETERS)?;
        hand_refused(env, abi::RX_ACQUIRE, 0, INVALID_PARAMETERS)?;
        hand_refused(env, abi::RX_ACQUIRE, 0x8001, NOT_SUPPORTED)?;
        // Neither the caller's own RX nor another's is meant.
        hand_refused(env, abi::RX_RELEASE, 0, DENIED)?;
        hand_refused(env, abi::RX_RELEASE, 2, INVALID_PARAMETERS)?;
        hand(env, abi::RX_RELEASE, 1)?;
        hand_refused(env, abi::RX_RELEASE, 1, DENIED)?;
    }
    // The caller's own RX is one thing, the VM's another.
    hand(env, abi::RX_ACQUIRE, 1)?;
    env.fill_rx("FFA_PARTITION_INFO_GET")?;
    hand(env, abi::RX_RELEASE, 1)?;
    hand(env, abi::RX_ACQUIRE, 1)?;
    hand(env, abi::RX_RELEASE, 0)?;
    hand(env, abi::RX_RELEASE, 1)?;
    unmap(env, 1)?;
    env.unmap()
}

fn acquired(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    map(env, own, 1, of_vm(env, 1, 1))?;
    hand(env, abi::RX_ACQUIRE, 1)?;
    unmap(env, 1)?;
    hand_refused(env, abi::RX_RELEASE, 1, INVALID_PARAMETERS)?;
    map(env, own, 1, of_vm(env, 1, 1))?;
    hand_refused(env, abi::RX_RELEASE, 1, DENIED)?;
    hand(env, abi::RX_ACQUIRE, 1)?;
    hand(env, abi::RX_RELEASE, 1)?;
    unmap(env, 1)?;
    env.unmap()
}

fn unmap_unknown(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    map(env, own, 1, of_vm(env, 1, 1))?;
    for vm in [2, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0x8006, 0xffff] {
        unmap_refused(env, vm)?;
    }
    unmap(env, 1)?;
    env.unmap()
}

/// A hypervisor without buffers still has VMs with theirs.
fn own_unmap(env: &mut Env) -> Verdict {
    let own = env.map(1)?;
    map(env, own, 1, of_vm(env, 1, 1))?;
    env.unmap()?;
    let descriptor = Descriptor::new(2, of_vm(env, 2, 1));
    refused(env, "another VM", 0, own, &descriptor, INVALID_PARAMETERS)?;
    hand(env, abi::RX_ACQUIRE, 1)?;
    hand(env, abi::RX_RELEASE, 1)?;
    unmap(env, 1)
}
