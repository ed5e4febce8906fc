//! The schedule receiver interrupt: the primary's, as the cores' time is.

use super::{super::fixture::eight, fixture::*};
use ffa_abi::{FfaError, Version, fid::raw::*};

const INFO_GET: u64 = 0xc400_0083;
const INFO_GET_32: u64 = 0x8400_0083;
const SRI: u64 = 2;

fn vms(version: Version, sri: Option<u32>) -> Vms {
    let mut vms = Vms::of([primary(1), secondary(2)]);
    vms.proxy.upstream.sri = sri;
    vms.version(0, version);
    vms
}

#[test]
fn the_primary_is_told_its_id_and_who_wants_to_run() {
    let mut vms = vms(Version::V1_2, Some(8));
    let sent = vms.goes_on(0, &[FEATURES.into(), SRI]);
    let mut expected = sent;
    expected[..8].copy_from_slice(&[SUCCESS_32.into(), 0, 8, 0, 0, 0, 0, 0]);
    assert_eq!(vms.x(0), expected);
    for (call, success) in [(INFO_GET, SUCCESS_64), (INFO_GET_32, SUCCESS_32)] {
        vms.goes_on(0, &[FEATURES.into(), call]);
        assert_eq!(vms.x(0)[0] as u32, SUCCESS_32);
        // x8-x17 are no answer's of this call.
        let mut list = eight(&[success.into(), 0, 0x40, 0x1_8001, 3, 4, 5, 6]);
        list.0[8..].fill(0x77);
        vms.host.answers.push_back(list);
        let mut expected = vms.goes_on(0, &[call]);
        let asked = vms.host.asked.pop().unwrap();
        assert_eq!(asked[0], call);
        assert_eq!(asked.0[1..], [0; 17], "nothing of the VM's goes there");
        expected[..8].copy_from_slice(&list.0[..8]);
        assert_eq!(vms.x(0), expected);
    }
}

#[test]
fn errors_are_the_spmcs() {
    let mut vms = vms(Version::V1_1, Some(8));
    for error in [FfaError::NoData, FfaError::NotSupported, FfaError::Busy] {
        let answer = eight(&[ERROR.into(), 0, error.register()]);
        vms.host.answers.push_back(answer);
        vms.goes_on(0, &[INFO_GET]);
        assert_eq!(vms.x(0)[..8], answer.0[..8]);
    }
    // EL3's own bare -1.
    vms.host.answers.push_back(eight(&[u64::MAX]));
    vms.goes_on(0, &[INFO_GET]);
    let no = FfaError::NotSupported.register();
    assert_eq!(vms.x(0)[..3], [ERROR.into(), 0, no]);
}

#[test]
fn others_have_none() {
    // Without one, in a version without one.
    for (version, sri) in [(Version::V1_2, None), (Version::V1_0, Some(8))] {
        let mut vms = vms(version, sri);
        for call in [
            [FEATURES.into(), SRI],
            [FEATURES.into(), INFO_GET],
            [INFO_GET, 0],
        ] {
            vms.refused(0, &call, FfaError::NotSupported);
        }
    }
    // A secondary.
    let mut vms = vms(Version::V1_2, Some(8));
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.version(0, Version::V1_2);
    for call in [
        [FEATURES.into(), SRI],
        [FEATURES.into(), INFO_GET],
        [INFO_GET, 0],
    ] {
        vms.refused(0, &call, FfaError::NotSupported);
    }
}

#[test]
fn whom_the_list_names_the_primary_runs() {
    let mut vms = vms(Version::V1_2, Some(8));
    vms.host.answers.push_back(eight(&[MSG_WAIT.into()]));
    vms.goes_on(0, &[RUN.into(), 0x8001 << 16 | 3]);
    assert_eq!(vms.x(0)[0] as u32, MSG_WAIT);
}
