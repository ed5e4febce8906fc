//! An SPMC that answers discovery wrongly: the VM gets an error, the proxy stays whole and works
//! again with the next right answer.

use super::{
    model::{call, config},
    spmc::*,
    told::*,
};
use ffa_abi::{
    FfaError::{self, *},
    Regs, Version,
    fid::raw::*,
};
use proptest::prelude::*;

/// All of a VM's calls of discovery that reach the SPMC.
fn calls(version: Version) -> Vec<Vec<u64>> {
    let mut calls = vec![
        get(NIL, 0).to_vec(),
        get(uuid(1), 0).to_vec(),
        get(uuid(102), 1).to_vec(),
    ];
    if version >= Version::V1_2 {
        calls.extend([
            get_regs(NIL, 0, 0).to_vec(),
            get_regs(uuid(1), 1, 0).to_vec(),
        ]);
    }
    calls
}

/// The SPMC answers `fid` with `regs`; the VM gets `error` for each of its calls, and what it wants
/// when the SPMC is well again.
#[track_caller]
fn answered(fid: u32, regs: Regs, error: FfaError) {
    for version in VERSIONS {
        for call in calls(version) {
            if fid == INFO_GET_REGS && call[0] != u64::from(fid) {
                continue;
            }
            let mut rig = Rig::new(version);
            rig.map(0, 4, 1);
            rig.spmc.tamper = Some(Box::new(move |asked, answer, _| {
                if asked == fid {
                    *answer = regs;
                }
            }));
            rig.refuses(&call, error);
            assert!(rig.rx(4, 1).iter().all(|byte| *byte == 0xee));
            rig.refuses(&[RX_RELEASE.into()], Denied);
            rig.spmc.tamper = None;
            rig.call(&call);
            assert!(matches!(rig.x[0] as u32, SUCCESS_32 | SUCCESS_64));
        }
    }
}

fn regs(x: &[u64]) -> Regs {
    let mut regs = Regs([0xabad_cafe_abad_cafe; 18]);
    regs.0[..x.len()].copy_from_slice(x);
    regs
}

#[test]
fn counts_and_sizes_that_can_not_be_are_aborted() {
    for (count, size) in [
        (1, 0),
        (0, 0),
        (1, 1),
        (1, 7),
        (5, 0xffff_ffff),
        (1, 16385),
        (2, 8193),
        (2049, 8),
        (683, 24),
        (342, 48),
        (0xffff_ffff, 8),
        (0xffff_ffff, 0xffff_ffff),
        (0x8000_0000, 2),
    ] {
        let answer = regs(&[SUCCESS_32.into(), 0, count, size]);
        answered(INFO_GET, answer, Aborted);
    }
}

#[test]
fn an_empty_list_is_no_match() {
    for size in [8, 24, 48] {
        let answer = regs(&[SUCCESS_32.into(), 0, 0, size]);
        answered(INFO_GET, answer, InvalidParameters);
    }
}

#[test]
fn errors_of_the_spmc_are_the_vms() {
    for fid in [INFO_GET, INFO_GET_REGS] {
        for error in [
            NotSupported,
            InvalidParameters,
            NoMemory,
            Busy,
            Denied,
            Retry,
            Aborted,
            NoData,
        ] {
            let answer = regs(&[ERROR.into(), 0, error.register()]);
            answered(fid, answer, error);
        }
        answered(fid, regs(&[u64::MAX]), NotSupported);
        answered(fid, regs(&[0xffff_ffff]), NotSupported);
        for x0 in [
            0,
            1,
            u64::from(INTERRUPT),
            MSG_WAIT.into(),
            DIRECT_RESP2.into(),
            INFO_GET.into(),
            0x8400_0099,
        ] {
            answered(fid, regs(&[x0]), Aborted);
        }
        // A code that is none.
        answered(fid, regs(&[ERROR.into(), 0, 0]), Aborted);
        answered(fid, regs(&[ERROR.into(), 0, 0x8000_0000]), Aborted);
    }
}

#[test]
fn descriptors_in_registers_that_can_not_be_are_aborted() {
    for x2 in [
        // Sizes.
        0,
        8 << 48,
        23 << 48,
        47 << 48,
        128 << 48,
        0xffff << 48,
        // The last of this reply is behind the last of all.
        48 << 48 | 5 << 16 | 4,
    ] {
        answered(INFO_GET_REGS, regs(&[SUCCESS_64.into(), 0, x2]), Aborted);
    }
}

#[test]
fn an_rx_that_the_spmc_takes_for_full_is_given_back() {
    for version in VERSIONS {
        let mut rig = Rig::new(version);
        rig.map(0, 4, 1);
        rig.spmc.full = true;
        rig.call(&get(NIL, 0));
        assert_eq!(rig.x[0], SUCCESS_32.into());
        rig.call(&[RX_RELEASE.into()]);
        // Whatever is done.
        rig.spmc.tamper = Some(Box::new(|fid, answer, _| {
            if fid == INFO_GET {
                *answer = regs(&[ERROR.into(), 0, Busy.register()]);
            }
        }));
        rig.refuses(&get(NIL, 0), Busy);
    }
}

#[test]
fn an_rx_that_the_spmc_does_not_take_back_is_no_reason_to_fail() {
    let mut rig = Rig::new(Version::V1_2);
    rig.map(0, 4, 1);
    rig.spmc.tamper = Some(Box::new(|fid, answer, _| {
        if fid == RX_RELEASE {
            *answer = regs(&[u64::MAX]);
        }
    }));
    let count = told(&three(), Version::V1_2, NIL).len() as u64;
    rig.sees(&get(NIL, 0), &[SUCCESS_32.into(), 0, count, 24]);
}

#[test]
fn longer_descriptors_of_a_later_version_are_read_by_their_size() {
    for stride in [48, 56, 64, 49, 120] {
        for version in VERSIONS {
            let mut rig = Rig::new(version);
            rig.map(0, 4, 1);
            let list = told(&three(), Version::V1_3, NIL);
            let mut longer = bytes(&list, stride);
            for descriptor in longer.chunks_mut(stride) {
                descriptor[48..].fill(0xa5);
            }
            rig.spmc.tamper = Some(Box::new(move |fid, answer, rx| {
                if fid == INFO_GET {
                    answer[3] = stride as u64;
                    rx[..longer.len()].copy_from_slice(&longer);
                }
            }));
            rig.call(&get(NIL, 0));
            let mut expected = bytes(&told(&three(), version, NIL), size(version));
            expected.resize(4096, 0);
            assert_eq!(rig.rx(4, 1), expected);
        }
    }
}

/// What a hostile SPMC makes of one answer.
#[derive(Clone, Debug)]
enum Twist {
    None,
    X0(u64),
    Register(usize, u64),
    Size(u64, u64),
    Rx(Vec<u8>),
}

fn twist() -> impl Strategy<Value = Twist> {
    let fids = vec![
        ERROR.into(),
        SUCCESS_32.into(),
        SUCCESS_64.into(),
        INTERRUPT.into(),
        u64::MAX,
        0xffff_ffffu64,
        0,
    ];
    prop_oneof![
        2 => Just(Twist::None),
        2 => prop::sample::select(fids).prop_map(Twist::X0),
        2 => (1..18usize, any::<u64>()).prop_map(|(n, value)| Twist::Register(n, value)),
        3 => (0..400u64, prop_oneof![Just(24u64), Just(48), 0..200u64])
            .prop_map(|(count, size)| Twist::Size(count, size)),
        2 => prop::collection::vec(any::<u8>(), 1..600).prop_map(Twist::Rx),
    ]
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn random_answers_break_nothing(
        version in prop::sample::select(VERSIONS.to_vec()),
        upstream in prop::sample::select(VERSIONS[1..].to_vec()),
        twists in prop::collection::vec(twist(), 1..8),
        calls in prop::collection::vec(call(), 1..20),
    ) {
        let mut rig = Rig::above(upstream, version.min(upstream));
        let mut n = 0;
        rig.spmc.tamper = Some(Box::new(move |fid, regs, rx| {
            if fid == RX_RELEASE {
                return;
            }
            n += 1;
            match &twists[n % twists.len()] {
                Twist::None => (),
                Twist::X0(x0) => regs[0] = *x0,
                Twist::Register(n, value) => regs[*n] = *value,
                Twist::Size(count, size) => {
                    *regs = Regs::eight([SUCCESS_32.into(), 0, *count, *size, 0, 0, 0, 0]);
                }
                Twist::Rx(bytes) => rx[..bytes.len()].copy_from_slice(bytes),
            }
        }));
        for call in &calls {
            let frame = rig.call(call);
            let fid = rig.x[0] as u32;
            prop_assert!(matches!(fid, ERROR | SUCCESS_32 | SUCCESS_64), "{:#x}", fid);
            let written = if fid == SUCCESS_64 { 18 } else { 8 };
            prop_assert_eq!(&rig.x[written..], &frame[written..]);
            prop_assert!(!rig.spmc.full, "the proxy keeps its RX");
            let send = 0x402u64 << 32;
            if fid == SUCCESS_64 {
                let stride = (rig.x[2] >> 51) as usize;
                for slot in rig.x[3..18].chunks_exact(stride) {
                    prop_assert_eq!(slot[0] & send, 0);
                }
            }
        }
        // It is well again.
        rig.spmc.tamper = None;
        rig.call(&[RXTX_UNMAP.into()]);
        rig.map(0, 4, 1);
        rig.call(&get(NIL, 0));
        let version = rig.vm.version();
        let mut expected = bytes(&told(&three(), version, NIL), size(version));
        expected.resize(4096, 0);
        prop_assert_eq!(rig.rx(4, 1), &expected[..]);
    }
}
