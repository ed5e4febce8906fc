//! Bounded searches that fit into every run of the tests, and what the search says of itself.

use search::{
    explore::{self, Limits},
    world::World,
};

/// How many events from the start are searched in each configuration, so that a debug build is done
/// in seconds.
const DEPTH: usize = 12;
/// The same with interrupts on two cores, where each event may be followed by many.
const SHORT_DEPTH: usize = 10;
/// The same with notifications: everything has started at the start.
const STARTED_DEPTH: usize = 7;

#[test]
fn a_few_events_in_every_configuration() {
    for world in World::all() {
        let depth = match world.name.as_bytes()[0] {
            b'7' => SHORT_DEPTH,
            b'8' | b'9' => STARTED_DEPTH,
            _ => DEPTH,
        };
        let report = explore::search(
            &world,
            Limits {
                depth: Some(depth),
                ..Limits::default()
            },
        );
        println!(
            "{}: {} states, {} transitions, {:.1} s",
            world.name, report.states, report.transitions, report.seconds
        );
        if let Some(violation) = report.violation {
            panic!(
                "configuration {}: {}\n{}",
                world.name,
                violation.what,
                violation.path.join("\n")
            );
        }
        // Where three partitions with interrupts boot first, that is not far.
        assert!(report.states > 100, "{}", world.name);
    }
}

#[test]
fn every_state_of_two_vms() {
    for name in ["4", "4-strict"] {
        let worlds = World::all();
        let world = worlds.iter().find(|world| world.name == name);
        let report = explore::search(world.expect("a configuration"), Limits::default());
        if let Some(violation) = report.violation {
            panic!("{name}: {}\n{}", violation.what, violation.path.join("\n"));
        }
        assert!(report.complete && report.states > 2000, "{name}");
    }
}

#[test]
fn the_number_of_states_does_not_depend_on_the_threads() {
    let worlds = World::all();
    let world = worlds.iter().find(|world| world.name == "3-strict");
    let counts = [1, 2].map(|threads| {
        let limits = Limits {
            depth: None,
            threads,
        };
        let report = explore::search(world.expect("a configuration"), limits);
        assert!(report.complete);
        (report.states, report.transitions, report.depth)
    });
    assert_eq!(counts[0], counts[1]);
}
