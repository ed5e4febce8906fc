//! What is called: each call with one representative of each class of arguments.

use crate::{
    calls::{Kind, W2, fid},
    state::Form,
    world::{self, OTHER_SERVICE, World, service},
};

/// An id that nobody has.
pub const NOBODY: u16 = 0x8009;
/// Another VM's id.
const OTHER_VM: u16 = 2;

pub fn request(form: Form, sender: u16, receiver: u16) -> Kind {
    Kind::Request {
        form,
        sender,
        receiver,
        w2: W2::Message,
        uuid: (0, 0),
        hint: false,
    }
}

/// Requests of one form by `own`: the good ones to each of `to`, and one with each argument wrong.
fn requests(form: Form, own: u16, to: &[u16], spoofed: &[u16]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for receiver in to {
        kinds.push(request(form, own, *receiver));
    }
    let Some(good) = to.first() else {
        return kinds;
    };
    kinds.extend(spoofed.iter().map(|sender| request(form, *sender, *good)));
    kinds.extend([NOBODY, OTHER_VM, 0x8000, own].map(|receiver| request(form, own, receiver)));
    let mut vary = |w2: W2, uuid: (u64, u64), hint: bool| {
        kinds.push(Kind::Request {
            form,
            sender: own,
            receiver: *good,
            w2,
            uuid,
            hint,
        });
    };
    if form == Form::Two {
        let slot = good.wrapping_sub(0x8001);
        vary(W2::Message, service(slot), false);
        vary(W2::Message, OTHER_SERVICE, false);
        vary(W2::Message, (0xbad, 0xbad), false);
        vary(W2::Message, (0, 0), true);
    } else {
        vary(W2::Reserved, (0, 0), false);
        vary(W2::Framework, (0, 0), false);
    }
    kinds
}

fn runs(world: &World, wide: bool) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (slot, partition) in world.partitions.iter().enumerate() {
        let indices: &[u16] = if partition.up { &[0, 1] } else { &[0, 1, 7] };
        kinds.extend(indices.iter().map(|index| Kind::Run {
            wide,
            id: World::id(slot),
            index: *index,
        }));
    }
    kinds.extend([NOBODY, OTHER_VM, 0x8000].map(|id| Kind::Run { wide, id, index: 0 }));
    kinds
}

/// Calls that are answered at once whoever makes them.
fn questions(world: &World) -> Vec<Kind> {
    let mut kinds = vec![
        Kind::IdGet,
        Kind::SpmIdGet,
        Kind::Console { count: 3 },
        Kind::Console { count: 0 },
        Kind::RxtxMap,
        Kind::UnknownFfa,
        Kind::Error {
            wide: false,
            code: -6,
        },
        Kind::Features(fid::request(Form::Two)),
        Kind::Features(fid::RUN | fid::WIDE),
        Kind::Features(fid::MSG_WAIT),
        Kind::Version(0x2_0000),
    ];
    kinds.extend(
        world
            .versions
            .iter()
            .map(|minor| Kind::Version(0x1_0000 | u32::from(*minor))),
    );
    kinds
}

fn all_ids(world: &World) -> Vec<u16> {
    (0..world.partitions.len()).map(World::id).collect()
}

pub fn normal_world(world: &World) -> Vec<Kind> {
    let to = all_ids(world);
    let mut kinds = Vec::new();
    for form in world.forms {
        kinds.extend(requests(*form, 0, &to, &[1, to[0], 0x8000]));
    }
    kinds.extend(runs(world, false));
    kinds.push(Kind::Run {
        wide: true,
        id: to[0],
        index: 0,
    });
    for form in world.forms {
        kinds.push(Kind::Response {
            form: *form,
            sender: 0,
            receiver: to[0],
            w2: W2::Message,
        });
    }
    kinds.extend(questions(world));
    kinds.extend([
        Kind::Wait { wide: false, w1: 0 },
        Kind::Wait { wide: false, w1: 1 },
        Kind::Yield { wide: false, w4: 0 },
        Kind::Interrupt { wide: false },
        Kind::Interrupt { wide: true },
        Kind::Bounce,
        Kind::Spmd(8, 0x1_0002),
        Kind::Spmd(8, 0x2_0000),
        Kind::Spmd(1, 0),
        Kind::Spmd(0, fid::PSCI_CPU_OFF as u32),
        Kind::Spmd(0, 0x8400_0001),
        Kind::Spmd(77, 0),
        Kind::FalseSpmd,
    ]);
    kinds
}

pub fn partition(world: &World, slot: usize) -> Vec<Kind> {
    let own = World::id(slot);
    let others: Vec<u16> = all_ids(world).into_iter().filter(|id| *id != own).collect();
    let mut kinds = Vec::new();
    for form in world.forms {
        if others.is_empty() {
            kinds.push(request(*form, own, OTHER_VM));
        }
        kinds.extend(requests(*form, own, &others, &[0, 0x8000]));
    }
    for form in world.forms {
        let respond = |sender, receiver, w2| Kind::Response {
            form: *form,
            sender,
            receiver,
            w2,
        };
        let mut receivers = vec![0, 1, NOBODY, own];
        receivers.extend(&others);
        kinds.extend(
            receivers
                .into_iter()
                .map(|receiver| respond(own, receiver, W2::Message)),
        );
        kinds.push(respond(0x8000, 0, W2::Message));
        if *form != Form::Two {
            kinds.push(respond(own, 0, W2::Reserved));
            kinds.push(respond(own, 0, W2::Framework));
        }
    }
    for wide in [false, true] {
        kinds.extend(runs(world, wide));
        kinds.extend([
            Kind::Wait { wide, w1: 0 },
            Kind::Wait { wide, w1: 1 },
            Kind::Yield { wide, w4: 0 },
            Kind::Yield { wide, w4: 1 },
            Kind::Interrupt { wide },
            Kind::Error { wide, code: -8 },
        ]);
    }
    kinds.extend(questions(world));
    kinds.extend([Kind::SmcccVersion, Kind::UnknownSmc, Kind::Psci]);
    kinds
}

pub fn vm(world: &World) -> Vec<Kind> {
    let to = all_ids(world);
    let mut kinds = Vec::new();
    for form in world.forms {
        kinds.extend(requests(*form, world::VM_ID, &to, &[0, OTHER_VM, to[0]]));
        kinds.push(Kind::Response {
            form: *form,
            sender: world::VM_ID,
            receiver: to[0],
            w2: W2::Message,
        });
    }
    for wide in [false, true] {
        kinds.extend(runs(world, wide));
        kinds.push(Kind::Interrupt { wide });
    }
    kinds.extend(questions(world));
    kinds.extend([
        Kind::Wait { wide: false, w1: 0 },
        Kind::Yield { wide: false, w4: 0 },
        Kind::SmcccVersion,
        Kind::UnknownSmc,
        Kind::Psci,
    ]);
    kinds
}
