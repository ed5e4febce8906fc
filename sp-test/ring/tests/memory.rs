//! Random calls about memory, replayable by their seed. `RING_CALLS` says how many, `RING_SEED` (in
//! hexadecimal) which.

use std::env;

#[test]
fn random_calls_about_memory_break_nothing() {
    let asked = |name: &str| env::var(name).ok();
    let seed = asked("RING_SEED").and_then(|text| u64::from_str_radix(&text, 16).ok());
    let calls = asked("RING_CALLS").and_then(|text| text.parse().ok());
    let (seed, calls) = (seed.unwrap_or(0x5a4e_d000), calls.unwrap_or(20_000));
    println!("seed {seed:#x}");
    match ring::fuzz::many_memory(seed, calls, 2) {
        Ok(report) => {
            println!("{report:?}");
            // The calls are not all nonsense.
            let counts = report.counts;
            assert!(counts.sent > calls / 20 && counts.given_back > calls / 20);
            assert!(counts.retrieved > calls / 100 && counts.fragments > calls / 50);
        }
        Err(failure) => panic!("{failure}"),
    }
}
