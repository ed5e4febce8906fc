//! The short way of direct messages against the general one.

#[test]
fn the_short_way_is_the_general_one() {
    let seed = 0x5407_70a1;
    println!("seed {seed:#x}");
    match ring::diff::many(seed, 100_000, 2) {
        Ok(report) => println!("{report:?}"),
        Err(failure) => panic!("{failure}"),
    }
}
