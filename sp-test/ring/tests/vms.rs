//! Random calls of several VMs, replayable by their seed.

#[test]
fn random_calls_of_several_vms_break_nothing() {
    let seed = 0x5e7e_4a15;
    println!("seed {seed:#x}");
    let report = match ring::fuzz::many_vms(seed, 400_000, 2) {
        Ok(report) => report,
        Err(failure) => panic!("{failure}"),
    };
    println!("{report:?}");
    // It has been where it should.
    let between = report.between_vms;
    assert!(
        between.requests > 1000 && between.responses > 1000,
        "{between:?}"
    );
    assert!(between.kept > 0 && between.fetched > 0, "{between:?}");
    assert!(between.void > 0 && between.aborted > 0, "{between:?}");
}
