//! Every state of a small system: three endpoints, three pages, two handles, every sequence of calls up
//! to a depth, invariants after each. States that differ in nothing but the handles' numbers are one.
//!
//! `TANTALUM_SHARING_DEPTH` says how deep; the default is 8.

mod state;

use state::{State, calls};
use std::{collections::HashSet, hash::BuildHasher};

fn search(name: &str, owners: [u8; 3], parties: [u8; 3], buffers: bool, depth: usize) {
    let calls = calls(parties, buffers);
    let hasher = std::hash::RandomState::new();
    // Two hashes of a key stand for it: 128 bits.
    let other = std::hash::RandomState::new();
    let mark = |key: Vec<u8>| (hasher.hash_one(&key), other.hash_one(&key));
    let first = State::new(owners);
    let mut seen = HashSet::from([mark(first.key())]);
    let mut layer = vec![first];
    let (mut tried, mut refused) = (0u64, 0u64);
    for level in 1..=depth {
        let mut next = Vec::new();
        for state in &layer {
            // What was refused has changed nothing: it is used for the next call.
            let mut after = state.clone();
            for call in &calls {
                let Some(result) = after.call(*call) else {
                    continue;
                };
                tried += 1;
                if result.is_err() {
                    refused += 1;
                    let same = after.map == state.map && after.machine == state.machine;
                    assert!(same, "{call:?} failed and changed {:?}", state.map);
                    continue;
                }
                if let Err(fault) = after.holds() {
                    panic!("{fault} after {call:?} in {:?}", state.map);
                }
                // What memory holds is not part of a state.
                after.machine.content.clear();
                let new = seen.insert(mark(after.key()));
                let done = std::mem::replace(&mut after, state.clone());
                if new && level < depth {
                    next.push(done);
                }
            }
        }
        println!(
            "{name}, depth {level}: {} states, {tried} calls, {refused} refused",
            seen.len()
        );
        layer = next;
    }
}

fn depth() -> usize {
    let depth = std::env::var("TANTALUM_SHARING_DEPTH").ok();
    let default = if cfg!(miri) { 1 } else { 8 };
    depth.map_or(default, |depth| depth.parse().expect("a number"))
}

#[test]
fn every_state_of_three_partitions() {
    search("three partitions", [1, 2, 3], [1, 2, 3], false, depth());
}

#[test]
fn every_state_with_the_normal_world_buffers_and_what_is_sent_half() {
    search("with the normal world", [0, 1, 2], [0, 1, 2], true, depth());
}
