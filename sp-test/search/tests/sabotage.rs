//! What goes wrong with notifications and messages must be seen, and for what it is.

use search::{
    explore::{self, Limits, Violation},
    world::{Sabotage, World},
};

/// What a search of this configuration says of it.
fn seen(name: &str, sabotage: Sabotage) -> Violation {
    let mut worlds = World::all().into_iter();
    let mut world = worlds
        .find(|world| world.name == name)
        .expect("a configuration");
    world
        .notified
        .as_mut()
        .expect("one with notifications")
        .sabotage = Some(sabotage);
    let found = explore::search(&world, Limits::default()).violation;
    let found = found.unwrap_or_else(|| panic!("{name}: nobody saw {sabotage:?}"));
    println!("{name}, {sabotage:?}: {} {:#?}", found.what, found.path);
    found
}

/// Where notifications are the SPMC's, of one and of several contexts, and where the proxy keeps some.
const ALL: [&str; 5] = ["8", "8-chains", "9", "9-up", "10"];

#[test]
fn a_notification_that_is_dropped_is_seen() {
    for name in ALL {
        let found = seen(name, Sabotage::Drops);
        assert!(found.what.contains("was set, and is not pending"), "{name}");
    }
}

#[test]
fn a_notification_that_is_delivered_twice_is_seen() {
    for name in ALL {
        let found = seen(name, Sabotage::DeliversTwice);
        let what = found.what;
        assert!(what.contains("was read and is pending still"), "{name}");
    }
}

#[test]
fn a_notification_that_is_told_twice_is_seen() {
    for name in ALL {
        let found = seen(name, Sabotage::TellsTwice);
        assert!(found.what.contains("is told, and news still"), "{name}");
    }
}

#[test]
fn a_notification_for_somebody_else_is_seen() {
    for name in ["8", "8-chains", "9-up"] {
        let found = seen(name, Sabotage::Misdirects);
        let both = ["nobody set it", "was set, and is not pending"];
        assert!(both.iter().any(|what| found.what.contains(what)), "{name}");
    }
}

/// Where there are messages.
const MESSAGES: [&str; 4] = ["8-messages", "8-both", "9-messages", "10-messages"];

#[test]
fn rx_that_is_not_the_receivers_is_seen() {
    for name in MESSAGES {
        let found = seen(name, Sabotage::LosesMessage);
        assert!(found.what.contains("is not there"), "{name}");
    }
}

#[test]
fn a_message_of_which_one_reads_twice_is_seen() {
    for name in MESSAGES {
        let found = seen(name, Sabotage::DeliversTwice);
        assert!(found.what.contains("twice"), "{name}");
    }
}

#[test]
fn an_interrupt_for_the_scheduler_that_is_lost_with_its_core_is_seen() {
    let found = seen("9-off-up", Sabotage::ForgetsScheduler);
    assert!(found.what.contains("is lost"));
}
