//! The events of worlds with interrupts. What a call's wrong arguments do is searched without; here are
//! those that matter for who has the core, who is owed an answer, and who hears of an interrupt.

use super::{Event, alphabet::request};
use crate::{
    calls::{Kind, W2, fid},
    state::Id,
    world::{Who, World},
};

/// What the normal world calls.
pub fn normal_world(world: &World) -> Vec<Kind> {
    let ids: Vec<_> = (0..world.partitions.len()).map(World::id).collect();
    let mut kinds = Vec::new();
    for form in world.forms {
        kinds.extend(ids.iter().map(|to| request(*form, 0, *to)));
    }
    kinds.extend(runs(world));
    let asked = |rules: &spmc::context::InterruptRules| rules.sri_waiting || rules.sri_leaving;
    if world.partitions.iter().any(|spec| asked(&spec.rules)) {
        kinds.push(Kind::InfoGet);
    }
    kinds.extend(super::notifications::of(world, Who::Os));
    if world.interrupts.is_some_and(|interrupts| interrupts.power) {
        kinds.push(Kind::Spmd(0, fid::PSCI_CPU_OFF as u32));
    }
    kinds
}

fn runs(world: &World) -> impl Iterator<Item = Kind> {
    world.contexts.iter().map(|(slot, index)| Kind::Run {
        wide: false,
        id: World::id(usize::from(*slot)),
        index: (*index).into(),
    })
}

/// What a partition does.
pub fn partition(world: &World, slot: usize) -> Vec<Event> {
    let own = World::id(slot);
    let has = world.interrupts.unwrap_or_default();
    let respond = |form, receiver| Kind::Response {
        form,
        sender: own,
        receiver,
        w2: W2::Message,
    };
    let others: Vec<_> = (0..world.partitions.len())
        .map(World::id)
        .filter(|id| *id != own && has.chains)
        .collect();
    let mut kinds = Vec::new();
    for form in world.forms {
        kinds.extend(others.iter().map(|to| request(*form, own, *to)));
        kinds.push(respond(*form, 0));
        kinds.extend(others.iter().map(|to| respond(*form, *to)));
    }
    kinds.extend(
        runs(world).filter(|run| matches!(run, Kind::Run { id, .. } if others.contains(id))),
    );
    kinds.push(Kind::Wait { wide: false, w1: 0 });
    if has.yields {
        kinds.push(Kind::Yield { wide: false, w4: 0 });
    }
    let ids = world.ids(slot as u8);
    let who = Who::Slot(slot as u8);
    kinds.extend(super::notifications::of(world, who));
    if !ids.is_empty() || world.is_notified(who) {
        kinds.push(Kind::Get);
    }
    for id in ids.iter().map(|id| id.number(slot as u8)) {
        if has.enables {
            kinds.extend([false, true].map(|on| Kind::Enable { id, on }));
        }
    }
    // Elsewhere the next one that it asks for says the same.
    if world.has_device(slot) && has.enables {
        let id = Id::Device.number(slot as u8);
        kinds.push(Kind::Deactivate { id });
    }
    if ids.contains(&Id::Sent) {
        kinds.extend((0..world.cores as u16).map(|index| Kind::Send { index }));
    }
    if world.partitions[slot].told_off {
        kinds.push(Kind::PowerResponse {
            sender: own,
            status: 0,
        });
    }
    let mut events: Vec<_> = kinds.into_iter().map(Event::Call).collect();
    if world.has_timer(slot) {
        events.extend([false, true].map(Event::SetTimer));
    }
    events
}
