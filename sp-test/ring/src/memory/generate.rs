//! Random calls of whoever has a core: mostly ones that can work now.

use super::{
    BUFFER_PAGES,
    descriptor::{Descriptor, relinquish},
    of_normal_world, of_partition, tx,
};
use crate::{
    fid,
    label::{Label, Labels, Origin},
    random::Rng,
    step::Step,
    world::{Who, World, id},
};
use ffa_abi::memory::{MemoryType, TransactionKind};
use spmc::context::Slot;

/// What is known of a transaction.
#[derive(Clone, Debug)]
struct Known {
    handle: u64,
    party: u8,
    complete: bool,
    kind: TransactionKind,
    request: Descriptor,
    /// Who has it, and how often.
    held: Vec<(u16, u8)>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
struct Caller {
    slot: Option<Slot>,
    id: u16,
    minor: u16,
}

/// A call and what lies in TX; the rest of a descriptor whose first fragment that is.
#[derive(Clone, Debug, Default)]
struct Plan {
    x: [u64; 5],
    tx: Vec<u8>,
    rest: Vec<u8>,
}

/// A random call about memory of whoever has the core.
pub fn call(
    world: &mut World<'_>,
    labels: &mut Labels,
    rng: &mut Rng,
    core: usize,
) -> Option<Step> {
    let slot = match world.now(core) {
        Who::Normal => None,
        Who::Partition(slot) => Some(slot),
        Who::Off => return None,
    };
    let version = world.version_of(slot);
    let caller = Caller {
        slot,
        id: slot.map_or(rng.below(4) as u16, id),
        minor: version.minor(),
    };
    let mut plan = plan(world, rng, caller);
    spoil(&mut plan, rng);
    let origin = slot.map_or(Origin::normal(caller.id), |slot| Origin::Partition(slot.0));
    let mut x = labels.frame(origin);
    for (n, value) in plan.x.into_iter().enumerate() {
        // Nothing that is taken for somebody's label.
        x[n] = match Label::of(value) {
            [None, None] => value,
            _ => value & 0x8fff_ffff_8fff_ffff,
        };
    }
    Some(Step::Memory {
        core,
        origin: slot.is_none().then_some(origin),
        x,
        tx: plan.tx,
        rest: plan.rest,
    })
}

fn plan(world: &mut World<'_>, rng: &mut Rng, caller: Caller) -> Plan {
    let known = known(world);
    let mine = |known: &Known| known.party == caller.slot.map_or(0, |slot| slot.0 + 1);
    let one = |rng: &mut Rng, all: Vec<&Known>| match all.is_empty() {
        true => None,
        false => Some(all[rng.below(all.len())].clone()),
    };
    let (complete, open): (Vec<_>, Vec<_>) = known.iter().partition(|known| known.complete);
    let for_me: Vec<_> = complete
        .iter()
        .copied()
        .filter(|known| {
            let listed = known.request.receivers.iter();
            listed.clone().any(|(id, _)| *id == caller.id)
        })
        .collect();
    match rng.below(100) {
        0..26 => return offer(world, rng, caller),
        26..36 => {
            let open: Vec<_> = open.into_iter().filter(|known| mine(known)).collect();
            if let Some(known) = one(rng, open) {
                return continued(world, rng, caller, known);
            }
        }
        36..54 => {
            let all = if rng.chance(9, 10) { for_me } else { complete };
            if let Some(known) = one(rng, all) {
                return retrieve(rng, caller, known);
            }
        }
        54..72 => {
            let held = complete.into_iter().filter(|known| {
                let mut held = known.held.iter();
                held.any(|(id, times)| *id == caller.id && *times != 0)
            });
            if let Some(known) = one(rng, held.collect()) {
                let flags = if rng.chance(1, 4) { 1 } else { 0 };
                let x = [fid::RELINQUISH.into(), 0, 0, 0, 0];
                return Plan {
                    x,
                    tx: relinquish(known.handle, flags, caller.id),
                    ..Plan::default()
                };
            }
        }
        72..86 => {
            let all = complete.into_iter().filter(|known| mine(known)).collect();
            if let Some(known) = one(rng, all) {
                let flags = if rng.chance(1, 4) { 1 } else { 0 };
                return of_handle(fid::RECLAIM, known.handle, flags, 0);
            }
        }
        86..90 => {
            if let Some((handle, offset)) = world.land.fetches.get(&caller.slot.map(|slot| slot.0))
                && rng.chance(3, 4)
            {
                return of_handle(fid::FRAG_RX, *handle, *offset, 0);
            }
            if let Some(known) = one(rng, complete) {
                let offset = 96 + 16 * rng.below(300) as u64;
                return of_handle(fid::FRAG_RX, known.handle, offset, 0);
            }
        }
        _ => {}
    }
    if !world.land.has_pair(caller.slot) || rng.chance(1, 60) {
        let base = tx(caller.slot);
        let x = [
            fid::RXTX_MAP_64.into(),
            base,
            base + 4096,
            BUFFER_PAGES.into(),
            0,
        ];
        return Plan {
            x,
            ..Plan::default()
        };
    }
    if !rng.chance(1, 4) {
        return offer(world, rng, caller);
    }
    Plan {
        x: [fid::RX_RELEASE.into(), 0, 0, 0, 0],
        ..Plan::default()
    }
}

/// All transactions, as who retrieves them should describe them.
fn known(world: &World<'_>) -> Vec<Known> {
    world.with_sharing(|map| {
        let all = map.transactions().map(|known| {
            let kind = known.kind();
            let listed = known.receivers();
            let alone = listed.len() == 1 && kind != TransactionKind::Share;
            let receivers = listed.iter().map(|one| {
                let receiver = one.receiver();
                let data = receiver.data as u8;
                (receiver.endpoint.0, data | if alone { 1 << 2 } else { 0 })
            });
            let kind_bits = match kind {
                TransactionKind::Share => 1 << 3,
                TransactionKind::Lend => 2 << 3,
                _ => 3 << 3,
            };
            let typed = known.attributes().memory_type();
            let attributes = match typed {
                Some(MemoryType::Device(_)) => 0x13,
                _ if known.device() => 0x13,
                _ => 0x2f,
            };
            Known {
                handle: known.handle().0,
                party: known.owner().0,
                complete: known.complete() && !known.donated(),
                kind,
                request: Descriptor {
                    sender: known.sender().0,
                    attributes,
                    flags: kind_bits,
                    handle: known.handle().0,
                    tag: known.tag(),
                    receivers: receivers.collect(),
                    parts: Vec::new(),
                },
                held: listed
                    .iter()
                    .map(|one| (one.receiver().endpoint.0, one.retrievals()))
                    .collect(),
            }
        });
        all.collect()
    })
}

/// Pages that `caller` may own, or not.
fn parts(world: &World<'_>, rng: &mut Rng, caller: Caller) -> Vec<(u64, u32)> {
    let of = match rng.chance(1, 12) {
        true => Some(Slot(rng.below(world.partitions()) as u8)),
        false => caller.slot,
    };
    let all: Vec<_> = match of {
        Some(slot) => of_partition(slot).to_vec(),
        None => vec![of_normal_world()],
    };
    // Mostly plain memory.
    let region = match rng.chance(5, 6) {
        true => all[0],
        false => all[rng.below(all.len())],
    };
    let (base, count) = (region.pages.base, region.pages.count);
    if of.is_none() && rng.chance(1, 60) {
        // More than an RX buffer holds.
        let first = 8 + rng.below(64) as u64;
        return (0..300)
            .map(|n| (base + (first + 299 - n) * 4096, 1))
            .collect();
    }
    // A few pages, so that others meet them; buffers are the first two.
    let end = count.min(12);
    let mut next = match rng.chance(1, 16) || count < 4 {
        true => 0,
        false => 2 + rng.below(end as usize - 2) as u64,
    };
    let mut parts = Vec::new();
    for _ in 0..1 + rng.below(3) {
        let pages = 1 + rng.below(4) as u64 / 3;
        if next + pages > end && !rng.chance(1, 16) {
            break;
        }
        parts.push((base + next * 4096, pages as u32));
        // Hardly ever one page twice.
        next += match rng.chance(1, 24) {
            true => 0,
            false => pages + rng.below(2) as u64,
        };
    }
    if parts.is_empty() {
        parts.push((base + (end - 1) * 4096, 1));
    }
    if rng.chance(1, 3) {
        parts.reverse();
    }
    parts
}

fn offer(world: &World<'_>, rng: &mut Rng, caller: Caller) -> Plan {
    let call = rng.pick(&[
        fid::MEM_SHARE,
        fid::MEM_SHARE,
        fid::MEM_LEND,
        fid::MEM_LEND,
        fid::MEM_DONATE,
    ]);
    let receivers = match call {
        fid::MEM_DONATE => 1,
        _ => 1 + rng.below(3) / 2 + rng.below(3) / 2,
    };
    let mut listed: Vec<(u16, u8)> = Vec::new();
    for _ in 0..receivers {
        let to = match rng.chance(1, 16) {
            true => rng.below(4) as u16,
            false => id(Slot(rng.below(world.partitions()) as u8)),
        };
        let to = match to == caller.id && rng.chance(9, 10) {
            true => id(Slot(rng.below(world.partitions()) as u8)),
            false => to,
        };
        let data = match call {
            fid::MEM_DONATE => 0,
            _ => 1 + rng.below(2) as u8,
        };
        if rng.chance(1, 20) || listed.iter().all(|(other, _)| *other != to) {
            listed.push((to, data));
        }
    }
    let says = call == fid::MEM_SHARE || listed.len() > 1;
    let descriptor = Descriptor {
        sender: caller.id,
        attributes: if says { 0x2f } else { 0 },
        flags: u32::from(call != fid::MEM_SHARE && rng.chance(1, 6)),
        handle: 0,
        tag: rng.below(3) as u64,
        receivers: listed,
        parts: parts(world, rng, caller),
    };
    let (bytes, head) = descriptor.bytes(caller.minor);
    let most = bytes.len().min(4096);
    let constituents = (most - head) / 16;
    let first = match rng.chance(1, 4) || bytes.len() > most {
        true => head + 16 * rng.below(constituents + 1),
        false => most,
    };
    let wide = if rng.chance(1, 2) { fid::WIDE } else { 0 };
    let call = u64::from(call | wide);
    Plan {
        x: [call, bytes.len() as u64, first as u64, 0, 0],
        tx: bytes[..first].to_vec(),
        rest: bytes[first..].to_vec(),
    }
}

/// The next fragment of what is not complete.
fn continued(world: &mut World<'_>, rng: &mut Rng, caller: Caller, known: Known) -> Plan {
    let rest = world.rest_of(known.handle).unwrap_or_default();
    let most = rest.len().min(4096) / 16;
    let length = match rng.chance(1, 4) {
        true => 16 * rng.below(most + 1),
        false => 16 * most,
    };
    let w4 = match caller.slot {
        Some(_) => 0,
        None => u64::from(known.request.sender) << 16,
    };
    let plan = of_handle(fid::FRAG_TX, known.handle, length as u64, w4);
    Plan {
        tx: rest[..length].to_vec(),
        rest: rest[length..].to_vec(),
        ..plan
    }
}

fn retrieve(rng: &mut Rng, caller: Caller, known: Known) -> Plan {
    let mut request = known.request;
    if caller.slot.is_none() && rng.chance(1, 3) {
        // The hypervisor wants to know of it.
        request = Descriptor {
            handle: request.handle,
            ..Descriptor::default()
        };
    } else {
        if request.receivers.len() > 1 && rng.chance(1, 3) {
            request.receivers.retain(|(id, _)| *id == caller.id);
            request.flags |= 1 << 10;
        }
        for (_, permissions) in &mut request.receivers {
            // What a donation grants is the receiver's to say.
            if *permissions & 3 == 0 {
                *permissions |= 1 + rng.below(2) as u8;
            }
            if *permissions & 3 == 2 && rng.chance(1, 4) {
                *permissions ^= 3;
            }
            if *permissions & 12 != 0 && rng.chance(1, 6) {
                *permissions ^= 12;
            }
        }
        match rng.below(12) {
            0 => request.flags |= 1,
            1 => request.flags |= 1 << 2,
            2 => request.flags &= !(3 << 3),
            3 => request.attributes = 0,
            _ => {}
        }
        if known.kind == TransactionKind::Share {
            request.flags &= !5;
        }
    }
    let (tx, _) = request.bytes(caller.minor);
    let wide = if rng.chance(1, 2) { fid::WIDE } else { 0 };
    let length = tx.len() as u64;
    Plan {
        x: [(fid::RETRIEVE_REQ | wide).into(), length, length, 0, 0],
        tx,
        ..Plan::default()
    }
}

fn of_handle(call: u32, handle: u64, w3: u64, w4: u64) -> Plan {
    Plan {
        x: [call.into(), handle & 0xffff_ffff, handle >> 32, w3, w4],
        ..Plan::default()
    }
}

/// Makes a call slightly wrong.
fn spoil(plan: &mut Plan, rng: &mut Rng) {
    if rng.chance(1, 8) && !plan.tx.is_empty() {
        let at = rng.below(plan.tx.len());
        plan.tx[at] = match rng.below(3) {
            0 => plan.tx[at] ^ 1 << rng.below(8),
            1 => 0xff,
            _ => rng.word() as u8,
        };
    }
    if rng.chance(1, 16) {
        let n = 1 + rng.below(4);
        plan.x[n] = match rng.below(3) {
            0 => plan.x[n] ^ 1 << rng.below(32),
            1 => plan.x[n].wrapping_add(16),
            _ => rng.word() & 0xff,
        };
    }
}
