//! Timings that have crashed other implementations, event by event, with everything checked that the
//! search checks.

use search::{
    calls::{Kind, W2},
    events::Event,
    explore::follow,
    state::{By, Form, Id, Now, S},
    world::World,
};
use spmc::state::{Model, State};

const A: u8 = 0;
const B: u8 = 1;

const WAIT: Event = Event::Call(Kind::Wait { wide: false, w1: 0 });
const GET: Event = Event::Call(Kind::Get);

fn world(name: &str) -> World {
    let mut worlds = World::all().into_iter();
    worlds
        .find(|world| world.name == name)
        .expect("a configuration")
}

/// The states after each event.
#[track_caller]
fn states(world: &World, script: &[(usize, Event)]) -> Vec<S> {
    match follow(world, script) {
        Ok(states) => states,
        Err(what) => panic!("{what}"),
    }
}

/// The first core boots with two partitions.
fn boot() -> Vec<(usize, Event)> {
    let started = [(0, Event::Start), (0, WAIT), (0, Event::Saved)];
    [started, started]
        .concat()
        .into_iter()
        .chain([(0, Event::Start)])
        .collect()
}

fn request(slot: u8) -> Event {
    Event::Call(Kind::Request {
        form: Form::Narrow,
        sender: 0,
        receiver: World::id(slot.into()),
        w2: W2::Message,
        uuid: (0, 0),
        hint: false,
    })
}

fn response(slot: u8) -> Event {
    Event::Call(Kind::Response {
        form: Form::Narrow,
        sender: World::id(slot.into()),
        receiver: 0,
        w2: W2::Message,
    })
}

/// `slot` has core `core` to deal with this interrupt, and `giver` goes on afterwards.
#[track_caller]
fn deals(s: &S, core: usize, (number, slot): (usize, u8), id: Id, giver: By) {
    let ctx = &s.ctx[number];
    assert_eq!(s.core[core].now, Now::Slot(slot), "{ctx:?}");
    assert_eq!((ctx.model, ctx.giver), (Model::SecureInterrupt, giver));
    assert_eq!(ctx.irq.announced, Some(id));
    assert!(ctx.irq.irq, "its line is raised");
}

#[test]
fn a_second_interrupt_while_the_first_is_handled() {
    let world = world("6-two");
    let mut script = boot();
    // B has work for the normal world; A's device takes the core from it, and A sets up its timer.
    script.extend([
        (0, request(B)),
        (0, Event::Device(A)),
        (0, Event::SetTimer(true)),
        (0, Event::Timer),
    ]);
    let first = script.len() - 3;
    // The timer's comes while the device's is handled, which it does not disturb.
    script.extend([(0, GET), (0, WAIT)]);
    let told = script.len() - 1;
    script.extend([(0, GET), (0, WAIT), (0, Event::Saved), (0, Event::Look)]);
    let states = states(&world, &script);
    deals(&states[first], 0, (0, A), Id::Device, By::Interrupted(B));
    deals(
        &states[first + 2],
        0,
        (0, A),
        Id::Device,
        By::Interrupted(B),
    );
    assert!(states[first + 2].ctx[0].irq.pending.has(Id::Timer));
    deals(&states[told], 0, (0, A), Id::Timer, By::Interrupted(B));
    let last = states.last().expect("a state");
    assert_eq!(last.core[0].now, Now::Slot(B));
    assert_eq!(last.ctx[0].state, State::Waiting);
    assert!(last.devices[0].active.is_none(), "it may come again");
}

#[test]
fn two_interrupts_at_the_same_moment() {
    let world = world("6-two");
    let mut script = boot();
    script.push((0, Event::Devices));
    let first = script.len() - 1;
    script.extend([(0, GET), (0, WAIT), (0, Event::Saved), (0, Event::Look)]);
    let states = states(&world, &script);
    deals(
        &states[first],
        0,
        (0, A),
        Id::Device,
        By::InterruptedNormalWorld,
    );
    let last = states.last().expect("a state");
    deals(last, 0, (1, B), Id::Device, By::InterruptedNormalWorld);
}

#[test]
fn an_interrupt_for_a_context_that_is_just_being_saved_on_another_core() {
    let world = world("7");
    let mut script = Vec::new();
    // The migrating partition answers on core 0, and is not in memory yet.
    script.extend([(0, request(B)), (0, response(B))]);
    let answered = script.len() - 1;
    script.extend([(1, Event::Device(B)), (0, Event::Saved), (0, Event::Look)]);
    let states = states(&world, &script);
    let number = world.context(B, 0).expect("a context");
    assert_eq!(states[answered].core[0].unsaved, Some(B));
    let noted = &states[answered + 1];
    assert_eq!(
        noted.core[1].now,
        Now::NormalWorld,
        "core 1 does not wait for it"
    );
    assert!(noted.core[0].kick && noted.ctx[number].irq.pending.has(Id::Device));
    let last = states.last().expect("a state");
    deals(last, 0, (number, B), Id::Device, By::InterruptedNormalWorld);
}

#[test]
fn an_interrupt_for_one_partition_while_another_initialises() {
    let world = world("6-two");
    let mut script = vec![
        (0, Event::Start),
        (0, Event::SetTimer(true)),
        (0, WAIT),
        (0, Event::Saved),
        (0, Event::Start),
    ];
    let starts = script.len() - 1;
    script.extend([
        (0, Event::Timer),
        (0, WAIT),
        (0, Event::Saved),
        (0, Event::Start),
        (0, Event::Look),
    ]);
    let states = states(&world, &script);
    let noted = &states[starts + 1];
    assert_eq!(noted.core[0].now, Now::Slot(B), "nothing disturbs it");
    assert!(noted.ctx[0].irq.pending.has(Id::Timer) && noted.core[0].due == 1 << A);
    let last = states.last().expect("a state");
    deals(last, 0, (0, A), Id::Timer, By::InterruptedNormalWorld);
    // A device's is masked meanwhile: it can't come.
    let mut masked = script[..=starts].to_vec();
    masked.push((0, Event::Device(A)));
    assert!(follow(&world, &masked).is_err());
}
