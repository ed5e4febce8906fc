//! What must hold of notifications: in every state, and of every event. What each call is answered is held against a
//! model; that nothing is lost, nobody gets what is not for him, and the scheduler is told of each once, is found
//! without it.

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
    told_once(world, before, after, core, event)?;
    super::messages::step(world, before, after, core, event)?;
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
    let found = registers(world, after, core);
    if found != answer {
        return Err(format!("it is answered {found:x?}, not {answer:x?}"));
    }
    if usize::from(after.schedule_receivers) != usize::from(wanted.raised) {
        return Err(format!(
            "the schedule receiver interrupt is raised {} times",
            after.schedule_receivers
        ));
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

/// What the scheduler is told of it was not told before, and it is told of all; nothing else makes it known, and nothing
/// but that it is set makes it news.
fn told_once(
    world: &World,
    before: &View,
    after: &View,
    core: usize,
    event: Event,
) -> Result<(), String> {
    let (was, is) = (&before.s.notes, &after.s.notes);
    let is_scheduler = matches!(world.who(&before.s, core), Who::Os | Who::Vm(0));
    let asked = event == Event::Call(Kind::InfoGet) && is_scheduler;
    let x = registers(world, after, core);
    let named = match asked {
        true => named(&x)?,
        false => Vec::new(),
    };
    for (place, one) in world.list().iter().enumerate() {
        let (was, is) = (was.bits[place], is.bits[place]);
        let id = one.receiver.id();
        let is_named = |group: u8| match group {
            GLOBAL => named.contains(&(id, None)),
            one => named.contains(&(id, Some(one.trailing_zeros() as u16))),
        };
        for group in (0..8).map(|n| 1 << n) {
            let (old, new) = (was.news & group != 0, is.news & group != 0);
            if asked && old && !is_named(group) {
                return Err(format!("{one:?} is news, and nobody is told"));
            }
            if asked && new {
                return Err(format!("{one:?} is told, and news still"));
            }
            if !asked && old && !new && is.pending & group != 0 {
                return Err(format!("{one:?} is told to nobody"));
            }
            let set = matches!(event, Event::Call(Kind::Notes(Call::Set { .. })));
            if new && !old && !set {
                return Err(format!("{one:?} is news again"));
            }
        }
    }
    // Who is named has something that was news.
    for (id, context) in named {
        let group = context.map_or(GLOBAL, |n| 1 << n);
        let mut list = world.list().iter().enumerate();
        let has = list.any(|(place, one)| {
            one.receiver.id() == id && before.s.notes.bits[place].news & group != 0
        });
        if !has && !has_other_news(world, &before.s, id, context) {
            return Err(format!("{id:#x}, {context:?}, is named for nothing"));
        }
    }
    Ok(())
}

/// Whether an endpoint has news that are no notification of the list: a message, or an interrupt.
fn has_other_news(world: &World, s: &S, id: u16, context: Option<u16>) -> bool {
    let slot = id.wrapping_sub(0x8001);
    if let Some(context) = context {
        let mut contexts = world.contexts.iter().enumerate();
        return contexts.any(|(number, (of, index))| {
            let irq = &s.ctx[number].irq;
            u16::from(*of) == slot && u16::from(*index) == context && irq.wakes() && !irq.told
        });
    }
    let mut all = world.messages().iter().map(|(_, to)| *to);
    let unread = Some(crate::state::Unread::New);
    all.any(|who| who.id() == id && s.notes.unread[who.buffer()].contains(&unread))
}

/// Who is named in an answer of `FFA_NOTIFICATION_INFO_GET`, each with one context or as a whole.
fn named(x: &[u64; 8]) -> Result<Vec<(u16, Option<u16>)>, String> {
    if x[0] != fid::SUCCESS {
        return Ok(Vec::new());
    }
    let mut ids = (0..10).map(|n| (x[3 + n / 2] >> (16 * (n % 2))) as u16);
    let mut named = Vec::new();
    for list in 0..x[2] >> 7 & 0x1f {
        let id = ids.next().ok_or("more lists than ids")?;
        let count = x[2] >> (12 + 2 * list) & 3;
        if count == 0 {
            named.push((id, None));
        }
        for _ in 0..count {
            named.push((id, Some(ids.next().ok_or("more contexts than ids")?)));
        }
    }
    let mut once = named.clone();
    once.sort_unstable();
    once.dedup();
    match once.len() == named.len() && x[2] & 1 == 0 {
        true => Ok(named),
        false => Err(format!("named are {named:x?}, {:#x}", x[2])),
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
