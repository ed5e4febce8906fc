//! What must hold of notifications: in every state, and of every event. What each call is answered is held against a
//! model; that nothing is lost, nobody gets what is not for him, and the scheduler is told of each once, is found
//! without it.

mod told;

use crate::{
    calls::{Kind, Notes as Call, fid},
    events::Event,
    model::notifications::{self as model, Wanted},
    state::{Bit, GLOBAL, Id, Life, Notes, Now, S},
    view::View,
    world::{Who, World},
};

/// Checks a state: who has the notification pending interrupt has something to read.
///
/// # Errors
/// The invariant that is broken, in words.
pub fn check(world: &World, s: &S) -> Result<(), String> {
    for (number, (slot, index)) in world.contexts.iter().enumerate() {
        let alive = s.lives[usize::from(*slot)] == Life::Alive;
        let told = s.ctx[number].irq.pending.has(Id::Notified);
        if alive && told && !world.has_for(&s.notes, Who::Slot(*slot), (*index).into()) {
            return Err(format!("context {number} is told of nothing"));
        }
    }
    let list = world.list();
    for (place, one) in list.iter().enumerate() {
        let others = (0..place).filter(|other| list[*other].excludes(one));
        let bound = |place: usize| s.notes.bits[place].bound;
        if bound(place) && others.into_iter().any(bound) {
            return Err(format!("{one:?} is bound to two"));
        }
    }
    Ok(())
}

/// Checks what an event did.
///
/// # Errors
/// The invariant that is broken, in words.
pub fn step(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
) -> Result<(), String> {
    let wanted = wanted(world, before, after, core, event);
    nothing_is_lost(world, before, after, core, event)?;
    told::once(world, before, after, core, event)?;
    super::messages::step(world, before, after, core, event)?;
    let found = registers(world, after, core);
    if let Some(answer) = wanted.answer.filter(|answer| found != *answer) {
        return Err(format!("it is answered {found:x?}, not {answer:x?}"));
    }
    if after.s.notes != wanted.notes {
        return Err(format!(
            "notifications are {:?}, not {:?}",
            after.s.notes, wanted.notes
        ));
    }
    match wanted.answer {
        Some(_) => answered(world, before, after, core, &wanted),
        None => Ok(()),
    }
}

/// What must come of an event: of a call by the model, and of a partition's end.
pub fn wanted(world: &World, before: &View, after: &View, core: usize, event: Event) -> Wanted {
    let mut wanted = model::wanted(world, before, core, event);
    for slot in 0..world.partitions.len() as u8 {
        if has_ended(world, before, after, core, event, slot) {
            model::forget(world, &mut wanted.notes, slot);
        }
    }
    for vm in 0..world.vms.len() as u8 {
        let place = usize::from(vm);
        if !before.s.vms[place].dead && after.s.vms[place].dead {
            model::forget_vm(world, &mut wanted.notes, vm);
        }
    }
    if let (Event::Call(Kind::Wait { .. }), Who::Vm(vm)) = (event, world.who(&before.s, core))
        && let Some(top) = crate::rig::on_top(before, core)
        && after.s.vcpus[top].state == proxy_el2::vcpu::State::Waiting
    {
        crate::model::indirect::waits(&mut wanted.notes, Who::Vm(vm));
    }
    wanted
}

/// Whether a partition has failed by this event, to begin anew or for good.
pub fn has_ended(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
    slot: u8,
) -> bool {
    let place = usize::from(slot);
    let failed = before.s.lives[place] != after.s.lives[place];
    let anew = event == Event::Abort
        && before.s.core[core].now == Now::Slot(slot)
        && world.partitions[place].restarts
        && after.s.lives[place] == Life::Alive;
    failed || anew
}

/// The registers of who makes a call on a core.
pub fn registers(world: &World, view: &View, core: usize) -> [u64; 8] {
    let all: &[u64] = match (view.s.core[core].now, crate::rig::on_top(view, core)) {
        (Now::Slot(slot), _) => &view.x[world.context(slot, core).unwrap_or_default()],
        (_, Some(top)) if world.has_proxy() => &view.vcpus[top],
        _ => &view.nwd[core],
    };
    std::array::from_fn(|register| all[register])
}

/// A call of notifications was answered as the model says, and nothing else has changed.
fn answered(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    wanted: &Wanted,
) -> Result<(), String> {
    let answer = wanted.answer.unwrap_or_default();
    if usize::from(after.schedule_receivers) != usize::from(wanted.raised) {
        return Err(format!(
            "the schedule receiver interrupt is raised {} times",
            after.schedule_receivers
        ));
    }
    let sorted = |raised: &[(u8, u8, u32)]| {
        let mut raised = raised.to_vec();
        raised.sort_unstable();
        raised.dedup();
        raised
    };
    let (raised, for_vms) = (sorted(&after.raised), sorted(&wanted.for_vms));
    if raised != for_vms {
        return Err(format!("VMs are interrupted: {raised:?}, not {for_vms:?}"));
    }
    let mut same = before.clone();
    match (before.s.core[core].now, crate::rig::on_top(before, core)) {
        (Now::Slot(slot), _) => {
            same.x[world.context(slot, core).unwrap_or_default()][..8].copy_from_slice(&answer);
        }
        (_, Some(top)) if world.has_proxy() => same.vcpus[top][..8].copy_from_slice(&answer),
        _ => same.nwd[core][..8].copy_from_slice(&answer),
    }
    let s = &mut same.s;
    s.notes = wanted.notes;
    s.core[core].sri |= wanted.delayed;
    if let Now::Slot(slot) = s.core[core].now {
        s.versions[usize::from(slot)].locked = true;
    }
    for number in 0..world.contexts.len() {
        // Its queue and its lines have a check of their own.
        s.ctx[number].irq = after.s.ctx[number].irq;
        if (wanted.pended | shown(&before.s, wanted.quiet)) & 1 << number != 0 {
            look(world, s, core, number);
        }
    }
    if world.has_proxy() {
        // What EL3 was asked meanwhile is the proxy's affair.
        same.nwd = after.nwd;
    }
    match after.difference(&same, world, true) {
        Some(difference) => Err(difference),
        None => Ok(()),
    }
}

/// Which of these contexts had the notification pending interrupt.
fn shown(s: &S, contexts: u8) -> u8 {
    let had = |number: &usize| s.ctx[*number].irq.pending.has(Id::Notified);
    let numbers = (0..s.ctx.len()).filter(had);
    numbers.fold(0, |all, number| all | 1 << number) & contexts
}

/// A context's lines have to change: another core that has it is told to see to that.
fn look(world: &World, s: &mut S, core: usize, number: usize) {
    let (slot, index) = world.contexts[number];
    let at = match world.partitions[usize::from(slot)].up {
        true => s.ctx[number].at.map(usize::from),
        false => Some(usize::from(index)),
    };
    if let Some(at) = at.filter(|at| *at != core)
        && crate::invariants::interrupts::is_on(s, at)
    {
        s.core[at].news |= 1 << slot;
        s.core[at].kick = true;
    }
}

/// What the call by which an endpoint reads says: who reads, for which context, what from partitions and from VMs.
fn read(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
) -> Option<(Who, u16, [u64; 2])> {
    let Event::Call(Kind::Notes(Call::Get { context, .. })) = event else {
        return None;
    };
    let x = registers(world, after, core);
    let who = world.who(&before.s, core);
    (x[0] == fid::SUCCESS).then_some((who, context, [x[3] << 32 | x[2], x[5] << 32 | x[4]]))
}

/// What was pending is pending still, or its receiver has it by this event, and what it has was pending for it. What
/// becomes pending was set by its sender, to whom it is bound.
fn nothing_is_lost(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
) -> Result<(), String> {
    let (was, is) = (&before.s.notes, &after.s.notes);
    let reads = read(world, before, after, core, event);
    let mut accounted = [0; 2];
    for (place, one) in world.list().iter().enumerate() {
        let (Bit { pending: was, .. }, Bit { pending: is, .. }) = (was.bits[place], is.bits[place]);
        let class = usize::from(!one.sender.is_partition());
        let mask = 1_u64 << one.number;
        let gone = was & !is;
        let ended = match one.receiver {
            Who::Slot(slot) => has_ended(world, before, after, core, event, slot),
            Who::Vm(vm) => after.s.vms[usize::from(vm)].dead,
            Who::Os => false,
        };
        let read = reads.filter(|(who, ..)| *who == one.receiver);
        let given = read.map_or(0, |(_, context, bits)| match bits[class] & mask {
            0 => 0,
            _ => was & (GLOBAL | 1 << context),
        });
        if gone & !given != 0 && !ended {
            return Err(format!("{one:?} is lost: {was:#b}, then {is:#b}"));
        }
        if given & is != 0 {
            return Err(format!("{one:?} was read and is pending still"));
        }
        if given != 0 {
            accounted[class] |= mask;
        }
        let set = match event {
            Event::Call(Kind::Notes(Call::Set {
                sender,
                receiver,
                how,
                bits,
            })) if registers(world, after, core)[0] == fid::SUCCESS => {
                let group = if how.per_context {
                    1 << how.context
                } else {
                    GLOBAL
                };
                let its = sender == one.sender.id() && receiver == one.receiver.id();
                let by = world.who(&before.s, core) == one.sender;
                let its = its && by && bits & mask != 0 && before.s.notes.bits[place].bound;
                if its { group } else { 0 }
            }
            _ => 0,
        };
        if is & !was & !set != 0 {
            return Err(format!("{one:?} is pending, and nobody set it"));
        }
        if set & !is != 0 {
            return Err(format!("{one:?} was set, and is not pending"));
        }
    }
    match reads {
        Some((who, _, bits)) if bits != accounted => Err(format!(
            "{who:?} reads {bits:x?}, of which {accounted:x?} were for it"
        )),
        _ => Ok(()),
    }
}

/// What a context's notification pending interrupt becomes by an event: pending, not pending, or what it was.
pub fn interrupt(wanted: &Wanted, number: usize) -> Option<bool> {
    let bit = 1 << number;
    if wanted.pended & bit != 0 {
        Some(true)
    } else if wanted.quiet & bit != 0 {
        Some(false)
    } else {
        None
    }
}

/// Whether a context that begins anew finds something pending.
pub fn begins_with(world: &World, notes: &Notes, number: usize) -> bool {
    let (slot, index) = world.contexts[number];
    world.has_for(notes, Who::Slot(slot), index.into())
}
