//! The scheduler is told of each once, until it was read.

use super::registers;
use crate::{
    calls::{Kind, Notes as Call, fid},
    events::Event,
    state::{GLOBAL, S},
    view::View,
    world::{Who, World},
};

/// What the scheduler is told of it was not told before, and it is told of all; nothing else makes it known, and nothing
/// but that it is set makes it news.
pub(super) fn once(
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
