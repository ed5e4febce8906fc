//! Random calls about notifications and indirect messages, replayable by their seed. `RING_CALLS` says how many,
//! `RING_SEED` (in hexadecimal) which.

use ring::notifications::{self, Sabotage};
use std::env;

#[test]
fn random_calls_about_notifications_break_nothing() {
    let asked = |name: &str| env::var(name).ok();
    let seed = asked("RING_SEED").and_then(|text| u64::from_str_radix(&text, 16).ok());
    let calls = asked("RING_CALLS").and_then(|text| text.parse().ok());
    let (seed, calls) = (seed.unwrap_or(0x0710_f1ed), calls.unwrap_or(40_000));
    println!("seed {seed:#x}");
    let report = match notifications::many(seed, calls, 2) {
        Ok(report) => report,
        Err(failure) => panic!("{failure}"),
    };
    println!("{report:?}");
    // The calls are not all nonsense.
    let counts = report.counts;
    assert!(counts.set > calls / 20 && counts.read > calls / 20);
    assert!(counts.messages > calls / 50 && counts.released > calls / 100);
    assert!(counts.named > calls / 50 && counts.more > 0 && counts.taken > calls / 100);
    assert!(counts.delayed > calls / 100 && counts.drained > calls / 1000);
    assert!(counts.bound > calls / 50 && counts.unbound > calls / 100 && counts.ended > 0);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed, threads| notifications::many(seed, 8000, threads).map_err(|f| f.to_string());
    let first = run(5, 1);
    assert!(first.is_ok(), "{first:?}");
    assert_eq!(first, run(5, 2));
    assert_ne!(first, run(6, 1));
}

/// What runs see that go wrong: nearly all of them something.
fn seen(wrong: Sabotage) -> Vec<String> {
    let runs = (1..=8).map(|seed| notifications::sabotaged(seed, 2000, Some(wrong)));
    let failures: Vec<String> = runs.filter_map(|run| Some(run.err()?.what)).collect();
    assert!(failures.len() >= 7, "{wrong:?}: {failures:#?}");
    failures
}

#[test]
fn a_notification_that_is_lost_is_seen() {
    seen(Sabotage::Lost);
}

#[test]
fn a_notification_that_is_read_twice_is_seen() {
    seen(Sabotage::Twice);
}

#[test]
fn a_byte_behind_a_message_is_seen() {
    let all = seen(Sabotage::Tail);
    assert!(all.iter().all(|what| what.starts_with("RX of")), "{all:#?}");
}

#[test]
fn a_scheduler_that_is_not_interrupted_is_seen() {
    let all = seen(Sabotage::Silent);
    let its = |what: &String| what.starts_with("the scheduler");
    assert!(all.iter().all(its), "{all:#?}");
}

#[test]
fn a_receiver_that_is_named_twice_is_seen() {
    seen(Sabotage::ToldAgain);
}
