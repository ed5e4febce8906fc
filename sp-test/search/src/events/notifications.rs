//! Calls of notifications and of RX buffers: the good ones, and where the world wants them one of each class of wrong
//! arguments.

use super::alphabet::NOBODY;
use crate::{
    calls::{Fault, Kind, Notes, Set},
    world::{Notification, Notified, Who, World},
};

/// What an endpoint calls.
pub fn of(world: &World, who: Who) -> Vec<Kind> {
    let Some(notified) = world.notified else {
        return Vec::new();
    };
    let mut calls = Vec::new();
    for one in notified.list {
        if one.receiver == who {
            calls.extend(bindings(one));
        }
        if one.sender == who {
            calls.extend(settings(world, one));
        }
    }
    if world.is_notified(who) {
        calls.extend((0..world.contexts_of(who)).map(|context| get(who, context)));
    }
    if world.has_pair(who) {
        calls.extend(buffers(world, who));
    }
    if notified.wrong {
        calls.extend(wrong(world, who));
    }
    let mut kinds: Vec<_> = calls.into_iter().map(Kind::Notes).collect();
    if matches!(who, Who::Os | Who::Vm(0)) || notified.wrong {
        kinds.push(Kind::InfoGet);
    }
    kinds
}

const fn bits(one: &Notification) -> u64 {
    1 << one.number
}

fn bindings(one: &Notification) -> [Notes; 2] {
    let (sender, receiver) = (one.sender.id(), one.receiver.id());
    let bind = Notes::Bind {
        sender,
        receiver,
        per_context: one.per_context,
        bits: bits(one),
    };
    let unbind = Notes::Unbind {
        sender,
        receiver,
        bits: bits(one),
    };
    [bind, unbind]
}

const fn set(sender: u16, receiver: u16, how: Set, bits: u64) -> Notes {
    Notes::Set {
        sender,
        receiver,
        how,
        bits,
    }
}

const GLOBAL: Set = Set {
    per_context: false,
    delay: false,
    context: 0,
};

fn settings(world: &World, one: &Notification) -> Vec<Notes> {
    let contexts = match one.per_context {
        true => world.contexts_of(one.receiver),
        false => 1,
    };
    let delays = world.notified.is_some_and(|notified| notified.delays);
    let mut calls = Vec::new();
    for context in 0..contexts {
        for delay in [false, true] {
            if delay && !(delays && one.sender.is_partition()) {
                continue;
            }
            let how = Set {
                per_context: one.per_context,
                delay,
                context,
            };
            calls.push(set(one.sender.id(), one.receiver.id(), how, bits(one)));
        }
    }
    calls
}

/// What who has a pair does with it.
fn buffers(world: &World, who: Who) -> Vec<Notes> {
    let Notified {
        delays,
        wrong,
        maps,
        ..
    } = world.notified.unwrap_or_default();
    let send = |to, delay, fault| Notes::Send {
        from: who,
        to,
        delay,
        fault,
    };
    let mut calls = Vec::new();
    let mut any = None;
    for (_, to) in world.messages().iter().filter(|(from, _)| *from == who) {
        calls.push(send(to.id(), false, None));
        if delays && who.is_partition() {
            calls.push(send(to.id(), true, None));
        }
        any = Some(to.id());
    }
    calls.push(Notes::Release { vm: 0 });
    if maps {
        calls.extend([Notes::Map { who }, Notes::Unmap]);
    }
    if let Some(to) = any.filter(|_| wrong) {
        calls.extend([
            send(to, false, Some(Fault::Sender)),
            send(to, false, Some(Fault::Size)),
            send(who.id(), false, None),
            send(NOBODY, false, None),
            Notes::Release { vm: NOBODY },
        ]);
        if who.is_partition() {
            calls.push(Notes::Acquire { vm: 1 });
        } else if who == Who::Os {
            // There is no such pair, it is its own, or a partition's.
            calls.extend([1, 0, World::id(0)].map(|vm| Notes::Acquire { vm }));
        }
        if !who.is_partition() {
            calls.push(send(to, true, None));
        }
    }
    calls
}

/// All that is for a context of an endpoint's.
pub const fn get(who: Who, context: u16) -> Notes {
    let flags = match who {
        Who::Slot(_) => 0b0111,
        // What VMs have set for it the SPMC does not know.
        Who::Os => 0b0101,
        Who::Vm(_) => 0b1111,
    };
    Notes::Get {
        receiver: who.id(),
        context,
        flags,
    }
}

/// A number that nobody binds.
const UNBOUND: u64 = 1 << 40;

fn wrong(world: &World, who: Who) -> Vec<Notes> {
    let own = who.id();
    let mut calls = Vec::new();
    for one in world.list() {
        let (sender, receiver) = (one.sender.id(), one.receiver.id());
        if one.receiver == who {
            let bind = |sender, receiver, bits| Notes::Bind {
                sender,
                receiver,
                per_context: one.per_context,
                bits,
            };
            let unbind = |sender, receiver, bits| Notes::Unbind {
                sender,
                receiver,
                bits,
            };
            calls.extend([
                bind(sender, receiver, 0),
                bind(own, receiver, bits(one)),
                bind(NOBODY, receiver, bits(one)),
                bind(sender, NOBODY, bits(one)),
                unbind(sender, receiver, 0),
                unbind(sender, receiver, bits(one) | UNBOUND),
                unbind(NOBODY, receiver, bits(one)),
            ]);
            let get = |receiver, context, flags| Notes::Get {
                receiver,
                context,
                flags,
            };
            calls.extend([
                get(NOBODY, 0, 1),
                get(receiver, 9, 1),
                get(receiver, 0, 1 << 4),
                get(receiver, 0, 1),
            ]);
        }
        if one.sender == who {
            let good = bits(one);
            let (per_context, delay) = (one.per_context, false);
            let how = |context| Set {
                per_context,
                delay,
                context,
            };
            let otherwise = Set {
                per_context: !per_context,
                ..GLOBAL
            };
            let late = Set {
                delay: true,
                ..how(0)
            };
            calls.extend([
                set(own, receiver, how(0), 0),
                set(own, receiver, how(0), good | UNBOUND),
                set(own, receiver, otherwise, good),
                set(own, receiver, how(9), good),
                set(own, own, how(0), good),
                set(own, NOBODY, how(0), good),
                set(NOBODY, receiver, how(0), good),
            ]);
            if who == Who::Os {
                calls.push(set(own, receiver, late, good));
            }
        } else if one.receiver != who && who != Who::Os {
            // It is bound to another.
            calls.push(set(own, receiver, GLOBAL, bits(one)));
        }
    }
    let mut once = Vec::new();
    for call in calls {
        if !once.contains(&call) {
            once.push(call);
        }
    }
    once
}
