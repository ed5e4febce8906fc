//! Random calls, replayable by their seed.

#[test]
fn random_calls_break_nothing() {
    let seed = 0x7a11_a100;
    println!("seed {seed:#x}");
    match ring::fuzz::many(seed, 60_000, 2) {
        Ok(report) => println!("{report:?}"),
        Err(failure) => panic!("{failure}"),
    }
}
