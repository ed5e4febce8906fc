//! The search must see a damaged row of the tables of states and of runtime models.
//!
//! Damage holds for the whole process, so these tests are in a process of their own and take turns.

use proxy_el2::state as vcpus;
use search::{
    explore::{self, Limits, Report},
    world::World,
};
use spmc::state::{CycleCall, Damage, Event, Model, State, damage, next, permitted};
use std::sync::{Mutex, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

fn search(name: &str) -> Report {
    let worlds = World::all();
    let world = worlds.iter().find(|world| world.name == name);
    explore::search(world.expect("a configuration"), Limits::default())
}

/// What the search says of a damage, in the first configuration that sees it.
fn seen(row: Damage, configurations: &[&str]) -> Option<String> {
    damage(Some(row));
    let found = configurations
        .iter()
        .find_map(|name| search(name).violation);
    damage(None);
    let found = found?;
    assert!(!found.path.is_empty());
    Some(format!(
        "{} (after {} events)",
        found.what,
        found.path.len()
    ))
}

#[test]
fn some_damaged_rows_are_seen() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // What a damaged core panics with is told with the events that led to it.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let rows = [
        // An interrupted context could be asked something else.
        Damage::Transition(State::Running, Event::Preempt, Some(State::Waiting)),
        // One that called would not be blocked.
        Damage::Transition(State::Running, Event::Block, Some(State::Preempted)),
        // An answer would be owed for ever.
        Damage::Model(Model::DirectRequest, CycleCall::Wait, true),
        // What is legal would be refused.
        Damage::Model(Model::Run, CycleCall::Yield, false),
        // A context whose core is off would look alive.
        Damage::Transition(State::Waiting, Event::SwitchOff, Some(State::Waiting)),
    ];
    let mut found = Vec::new();
    for row in rows {
        found.push((row, seen(row, &["1"])));
    }
    // Of interrupts, power management and failures on another core.
    let rows = [
        // Who deals with an interrupt could not call anybody.
        Damage::Model(Model::SecureInterrupt, CycleCall::Request, false),
        Damage::Model(Model::SecureInterrupt, CycleCall::Wait, false),
        // Who is told that its core goes off could keep it.
        Damage::Model(Model::PowerOff, CycleCall::Yield, true),
        Damage::Model(Model::PowerOff, CycleCall::Response, false),
        // An interrupted partition would not go on.
        Damage::Transition(State::Preempted, Event::Resume, Some(State::Waiting)),
        // What has failed elsewhere would go on.
        Damage::Transition(State::Preempted, Event::Abort, Some(State::Preempted)),
        // Nothing would start on a core that is on again.
        Damage::Transition(State::Off, Event::Start, None),
    ];
    for row in rows {
        found.push((row, seen(row, &["6-off", "7-fails", "7-timer"])));
    }
    std::panic::set_hook(usual);
    for (row, found) in found {
        println!("{row:?}: {found:?}");
        assert!(found.is_some(), "nobody saw {row:?}");
    }
    assert_eq!(
        explore::search(
            &World::all()[0],
            Limits {
                depth: Some(8),
                ..Limits::default()
            }
        )
        .violation
        .map(|found| found.what),
        None,
        "without damage"
    );
}

/// What the search says of a damage of the proxy's table. Some don't even let a system be built.
fn seen_of_vcpus(row: vcpus::Damage, configurations: &[&str]) -> Option<String> {
    vcpus::damage(Some(row));
    let find = || {
        let mut names = configurations.iter();
        names.find_map(|name| search(name).violation)
    };
    let found = std::panic::catch_unwind(find);
    vcpus::damage(None);
    match found {
        Ok(found) => {
            found.map(|found| format!("{} (after {} events)", found.what, found.path.len()))
        }
        Err(_) => Some("a panic while the system was built".into()),
    }
}

#[test]
fn every_damaged_row_of_vcpus_is_seen() {
    use vcpus::{Damage, Event, State, next};
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let states = [
        State::Off,
        State::Ready,
        State::Waiting,
        State::Running,
        State::Blocked,
        State::Preempted,
        State::Yielded,
        State::Dead,
    ];
    let events = [
        Event::SwitchOn,
        Event::Enter,
        Event::Wait,
        Event::Block,
        Event::Unblock,
        Event::Preempt,
        Event::Resume,
        Event::Yield,
        Event::SwitchOff,
        Event::Die,
    ];
    let (mut rows, mut missed) = (0, Vec::new());
    for state in states {
        for event in events {
            let Some(right) = next(state, event) else {
                continue;
            };
            // A few wrong ones of each: none, the same, and any other.
            let other = states.into_iter().find(|to| *to != right && *to != state);
            let wrong = [None, Some(state), other];
            // One that goes off instead of dying dies when it is parked.
            let hidden = |instead| event == Event::Die && instead == Some(State::Off);
            let wrong = wrong.into_iter().filter(|wrong| *wrong != Some(right));
            for instead in wrong.filter(|instead| !hidden(*instead)) {
                let row = Damage {
                    state,
                    event,
                    instead,
                };
                rows += 1;
                match seen_of_vcpus(row, &["4", "5-three"]) {
                    Some(found) => println!("{row:?}: {found}"),
                    None => missed.push(row),
                }
            }
        }
    }
    std::panic::set_hook(usual);
    assert!(missed.is_empty(), "of {rows}, nobody saw {missed:?}");
}

/// Rows that no call, interrupt or failure can reach, and those that another check hides.
fn hidden(row: Damage) -> bool {
    match row {
        // A context that was never started fails on another core only while its own one boots.
        Damage::Transition(State::Created, Event::Abort, _) => true,
        // The normal world, which switches cores off, runs once all here have been started.
        Damage::Transition(State::Created, Event::SwitchOff, _) => true,
        // A response without a request is DENIED all the same.
        Damage::Model(
            Model::Init | Model::Restart | Model::Run | Model::SecureInterrupt,
            CycleCall::Response,
            _,
        ) => true,
        _ => false,
    }
}

#[test]
#[ignore = "long: each row of both tables"]
fn every_damaged_row_is_seen() {
    use Event::{Abort, Block, Enter, Preempt, Restart, Resume, Start, SwitchOff, Unblock, Wait};
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // What a damaged core panics with is told with the events that led to it.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let states = [
        State::Created,
        State::Starting,
        State::Waiting,
        State::Running,
        State::Blocked,
        State::Preempted,
        State::Aborted,
        State::Off,
    ];
    let mut rows = Vec::new();
    for state in states {
        for event in [
            Start, Enter, Wait, Block, Unblock, Preempt, Resume, Abort, SwitchOff, Restart,
        ] {
            let Some(right) = next(state, event) else {
                continue;
            };
            rows.push(Damage::Transition(state, event, None));
            let others = states.into_iter().filter(|to| *to != right);
            rows.extend(others.map(|to| Damage::Transition(state, event, Some(to))));
        }
    }
    for model in [
        Model::Init,
        Model::Restart,
        Model::Run,
        Model::DirectRequest,
        Model::SecureInterrupt,
        Model::PowerOff,
    ] {
        for call in [
            CycleCall::Request,
            CycleCall::Response,
            CycleCall::Run,
            CycleCall::Wait,
            CycleCall::Yield,
        ] {
            rows.push(Damage::Model(model, call, !permitted(model, call)));
        }
    }
    let mut missed = Vec::new();
    for row in rows.into_iter().filter(|row| !hidden(*row)) {
        match seen(
            row,
            &[
                "3",
                "1-restart",
                "6-off",
                "6-fails",
                "2-restart",
                "7-fails",
                "1",
                "2-strict",
            ],
        ) {
            Some(found) => println!("{row:?}: {found}"),
            None => missed.push(row),
        }
    }
    std::panic::set_hook(usual);
    assert!(missed.is_empty(), "nobody saw {missed:?}");
}
