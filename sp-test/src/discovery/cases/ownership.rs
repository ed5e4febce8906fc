//! Who owns RX: FFA_PARTITION_INFO_GET fills it, FFA_RX_RELEASE empties it, in every order with
//! FFA_RXTX_MAP and FFA_RXTX_UNMAP.

use super::{Case, Env, SUCCESS, Verdict, case, for_};
use crate::abi::{self, BUSY, DENIED, INVALID_PARAMETERS, NOT_SUPPORTED};
use crate::discovery::Me;
use crate::discovery::info::NIL;

pub(super) const CASES: &[Case] = &[
    case("rx_release_nothing_mapped", for_::maps, release_unmapped),
    case("rx_release_empty", for_::all, release_empty),
    case("rx_release_full", for_::all, release_full),
    case("rx_release_of_others", for_::all, release_others),
    case("rx_full_is_busy", for_::all, full_is_busy),
    case("rx_count_only_leaves_it", for_::all, count_only),
    case("rx_unmap_while_full", for_::maps, unmap_full),
    case("rx_map_again_is_empty", for_::maps, map_again),
    case("rx_refused_get_leaves_it", for_::all, refused_get),
    case("rx_acquire_is_the_hypervisors", guests, acquire),
    case("rx_acquire_of_nobody", for_::physical, acquire_nobody),
    case("msg_wait_in_request_leaves_it", for_::partitions, wait),
];

fn guests(me: &Me) -> bool {
    !me.is_physical()
}

fn release(env: &mut Env) -> Verdict {
    env.succeeds("FFA_RX_RELEASE", abi::RX_RELEASE, &[])
}

fn empty(env: &mut Env, step: &'static str) -> Verdict {
    env.refused(step, abi::RX_RELEASE, &[], DENIED)
}

fn busy(env: &mut Env, step: &'static str) -> Verdict {
    env.refused(step, abi::PARTITION_INFO_GET, &Env::info(NIL, 0), BUSY)
}

fn release_unmapped(env: &mut Env) -> Verdict {
    empty(env, "nothing mapped")?;
    env.map(1)?;
    env.unmap()?;
    empty(env, "unmapped again")
}

fn release_empty(env: &mut Env) -> Verdict {
    env.buffers()?;
    empty(env, "never filled")?;
    empty(env, "again")?;
    env.no_buffers()
}

fn release_full(env: &mut Env) -> Verdict {
    env.buffers()?;
    for _ in 0..2 {
        env.fill_rx("FFA_PARTITION_INFO_GET")?;
        release(env)?;
        empty(env, "released twice")?;
    }
    env.no_buffers()
}

/// Ids that are no VM with buffers; what is in RX stays.
fn release_others(env: &mut Env) -> Verdict {
    env.buffers()?;
    env.fill_rx("FFA_PARTITION_INFO_GET")?;
    let own = u64::from(env.me.id);
    for id in [own, 1, 2, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0x8006, 0xffff] {
        if id == 0 {
            continue;
        }
        env.refused_turn("of an id", id, abi::RX_RELEASE, &[id], INVALID_PARAMETERS)?;
    }
    release(env)?;
    env.no_buffers()
}

fn full_is_busy(env: &mut Env) -> Verdict {
    env.buffers()?;
    env.fill_rx("first")?;
    busy(env, "second")?;
    busy(env, "third")?;
    release(env)?;
    env.fill_rx("after release")?;
    release(env)?;
    env.no_buffers()
}

fn count_only(env: &mut Env) -> Verdict {
    let count = Env::info(NIL, 1);
    env.buffers()?;
    env.expect("while empty", abi::PARTITION_INFO_GET, &count, &SUCCESS)?;
    empty(env, "after counting")?;
    env.fill_rx("FFA_PARTITION_INFO_GET")?;
    env.expect("while full", abi::PARTITION_INFO_GET, &count, &SUCCESS)?;
    busy(env, "still full")?;
    release(env)?;
    env.no_buffers()
}

fn unmap_full(env: &mut Env) -> Verdict {
    env.map(1)?;
    env.fill_rx("FFA_PARTITION_INFO_GET")?;
    env.unmap()?;
    busy(env, "nothing mapped")?;
    empty(env, "nothing mapped, FFA_RX_RELEASE")
}

fn map_again(env: &mut Env) -> Verdict {
    env.map(1)?;
    env.fill_rx("FFA_PARTITION_INFO_GET")?;
    env.unmap()?;
    env.map(2)?;
    empty(env, "mapped again")?;
    env.fill_rx("after mapping again")?;
    release(env)?;
    env.unmap()
}

fn refused_get(env: &mut Env) -> Verdict {
    env.buffers()?;
    let unknown = Env::info(abi::UNKNOWN_UUID, 0);
    let reserved = Env::info(NIL, 2);
    for (step, query) in [("unknown", unknown), ("reserved flag", reserved)] {
        env.refused(step, abi::PARTITION_INFO_GET, &query, INVALID_PARAMETERS)?;
        empty(env, step)?;
    }
    env.fill_rx("FFA_PARTITION_INFO_GET")?;
    env.refused(
        "unknown while full",
        abi::PARTITION_INFO_GET,
        &unknown,
        INVALID_PARAMETERS,
    )?;
    release(env)?;
    env.no_buffers()
}

fn acquire(env: &mut Env) -> Verdict {
    env.buffers()?;
    let own = u64::from(env.me.id);
    for id in [0, own, 1, 2, 0x8001, 0xffff] {
        env.refused_turn("of an id", id, abi::RX_ACQUIRE, &[id], NOT_SUPPORTED)?;
    }
    empty(env, "not acquired")?;
    env.no_buffers()
}

fn acquire_nobody(env: &mut Env) -> Verdict {
    env.map(1)?;
    for id in [0, 1, 2, 0x7ffe] {
        env.refused_turn("of a VM", id, abi::RX_ACQUIRE, &[id], INVALID_PARAMETERS)?;
    }
    for id in [0x8000, 0x8001, 0x8006, 0xffff] {
        env.refused_turn("of a partition", id, abi::RX_ACQUIRE, &[id], NOT_SUPPORTED)?;
    }
    empty(env, "not acquired")?;
    env.unmap()
}

/// A wait that is refused keeps nothing and gives nothing back.
fn wait(env: &mut Env) -> Verdict {
    env.buffers()?;
    env.fill_rx("FFA_PARTITION_INFO_GET")?;
    env.refused("FFA_MSG_WAIT", abi::MSG_WAIT, &[], DENIED)?;
    busy(env, "still full")?;
    if env.me.is_extended() {
        env.refused("FFA_MSG_WAIT that keeps", abi::MSG_WAIT, &[0, 1], DENIED)?;
    } else {
        let arguments = [0, 1];
        env.refused(
            "FFA_MSG_WAIT with a flag",
            abi::MSG_WAIT,
            &arguments,
            INVALID_PARAMETERS,
        )?;
    }
    env.refused(
        "FFA_MSG_WAIT with a reserved flag",
        abi::MSG_WAIT,
        &[0, 2],
        INVALID_PARAMETERS,
    )?;
    busy(env, "still full at the end")?;
    release(env)?;
    env.no_buffers()
}
