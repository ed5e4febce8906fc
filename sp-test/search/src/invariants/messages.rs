//! What must hold of indirect messages and RX buffers, of every event: no message is lost, none overwritten, and its owner
//! reads of it once.

use super::notifications::{has_ended, registers};
use crate::{
    calls::{Kind, Notes as Call, fid},
    events::Event,
    state::Rx,
    view::View,
    world::{Who, World},
};

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
    let caller = world.who(&before.s, core);
    let call = match event {
        Event::Call(kind) => Some(kind),
        _ => None,
    };
    let x = registers(world, after, core);
    let done = x[0] == fid::SUCCESS;
    let ends = world.messages().iter().flat_map(|(from, to)| [*from, *to]);
    for who in ends {
        let place = who.buffer();
        let (was, is) = (&before.s.notes, &after.s.notes);
        let gone = match who {
            Who::Slot(slot) => has_ended(world, before, after, core, event, slot),
            Who::Vm(vm) => after.s.vms[usize::from(vm)].dead,
            Who::Os => false,
        };
        let own = caller == who;
        let sent = match call {
            Some(Kind::Notes(Call::Send { to, .. })) => done && to == who.id(),
            _ => false,
        };
        match (was.rx[place], is.rx[place]) {
            _ if gone => {}
            (Rx::Empty, Rx::Full(_)) if sent => {}
            (_, rx) if sent => return Err(format!("a message for {who:?} is not there: {rx:?}")),
            (was, is) if was == is => {}
            (Rx::Full(by), Rx::Empty) => {
                let kind = match call {
                    Some(Kind::Notes(Call::Release { .. })) => done,
                    Some(Kind::Wait { .. }) => true,
                    _ => false,
                };
                let unread = before.s.notes.unread[place][by as usize].is_some();
                if !own || !kind || unread {
                    return Err(format!("a message for {who:?} is lost"));
                }
            }
            (Rx::None, Rx::Empty) | (_, Rx::None)
                if own
                    && done
                    && matches!(call, Some(Kind::Notes(Call::Map { .. } | Call::Unmap))) => {}
            (was, is) => return Err(format!("RX of {who:?} was {was:?} and is {is:?}")),
        }
        for by in 0..2 {
            let (was, is) = (was.unread[place][by], is.unread[place][by]);
            let read = match call {
                Some(Kind::Notes(Call::Get { .. })) => own && done && x[6 + by] & 1 != 0,
                Some(Kind::Notes(Call::Unmap)) => own && done,
                _ => false,
            };
            match (was, is) {
                _ if gone => {}
                (Some(_), None) if read => {}
                (Some(_), None) => return Err(format!("{who:?} does not read of its message")),
                (None, Some(_)) if sent => {}
                (None, Some(_)) => return Err(format!("{who:?} would read of no message")),
                (Some(_), Some(_)) if read => {
                    return Err(format!("{who:?} would read of its message twice"));
                }
                (None, None) if read && matches!(call, Some(Kind::Notes(Call::Get { .. }))) => {
                    return Err(format!("{who:?} reads of no message"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}
