//! The proxy's own first calls.

use super::fixture::*;
use crate::forward::{Upstream, UpstreamError};
use ffa_abi::{EndpointId, FfaError::NotSupported, Regs, Version, fid::raw::*};

fn version(raw: u32) -> Regs {
    eight(&[raw.into()])
}

const NO: u32 = 0xffff_ffff;

fn el3(answers: &[Regs]) -> El3 {
    El3 {
        answers: answers.iter().copied().collect(),
        ..El3::default()
    }
}

fn spm_id(id: u64) -> Regs {
    eight(&[SUCCESS_32.into(), 0, id])
}

fn yes() -> Regs {
    eight(&[SUCCESS_32.into()])
}

fn no() -> Regs {
    eight(&[ERROR.into(), 0, NotSupported.register()])
}

#[test]
fn the_newest_version_that_both_speak_is_found() {
    for (answers, asked, agreed) in [
        (vec![0x1_0003], 1, Version::V1_3),
        // Newer than the proxy.
        (vec![0x1_0007], 1, Version::V1_3),
        (vec![NO, 0x1_0002], 2, Version::V1_2),
        (vec![NO, NO, 0x1_0001], 3, Version::V1_1),
        // Answers its own lower version rather than -1.
        (vec![0x1_0002, 0x1_0002], 2, Version::V1_2),
        (vec![0x1_0001, 0x1_0001, 0x1_0001], 3, Version::V1_1),
    ] {
        let mut answers: Vec<Regs> = answers.into_iter().map(version).collect();
        answers.extend([spm_id(0x8000), yes(), no()]);
        let mut el3 = el3(&answers);
        let upstream = Upstream::negotiate(&mut el3).unwrap();
        assert_eq!(
            upstream,
            Upstream {
                version: agreed,
                spm_id: EndpointId::SPMC,
                direct2: true,
                rx: 0,
                info_regs: false,
                sri: None,
                indirect: false,
                notifications: false,
            }
        );
        let newest_first = [Version::V1_3, Version::V1_2, Version::V1_1];
        for (call, version) in el3.asked.iter().zip(newest_first).take(asked) {
            let mut expected = Regs::ZERO;
            (expected[0], expected[1]) = (VERSION.into(), version.raw().into());
            assert_eq!(*call, expected);
        }
        assert_eq!(el3.asked.len(), asked + 3);
    }
}

#[test]
fn no_spmc_is_said_with_the_answer() {
    for raw in [NO, 0x2_0000, 0, 0x1_0000, 0x8001_0003] {
        let mut el3 = el3(&[version(raw); 3]);
        let error = Upstream::negotiate(&mut el3).unwrap_err();
        assert_eq!(
            error,
            UpstreamError::Version {
                asked: Version::V1_1,
                answer: raw,
            }
        );
        assert!(error.to_string().contains("FFA_VERSION"), "{error}");
    }
    // An EL3 without FF-A says so in 64 bits.
    let mut el3 = el3(&[answer(&[u64::MAX]); 3]);
    assert!(Upstream::negotiate(&mut el3).is_err());
}

#[test]
fn an_spmc_without_id_is_refused() {
    let mut el3 = el3(&[version(0x1_0003), no()]);
    assert_eq!(
        Upstream::negotiate(&mut el3),
        Err(UpstreamError::SpmId {
            x0: ERROR.into(),
            x2: NotSupported.register(),
        })
    );
}

#[test]
fn request_2_is_asked_for() {
    for (reply, direct2) in [(yes(), true), (no(), false), (answer(&[u64::MAX]), false)] {
        let version = version(0x1_0002);
        let mut el3 = el3(&[version, version, spm_id(0x8005), reply, no()]);
        let upstream = Upstream::negotiate(&mut el3).unwrap();
        assert_eq!(upstream.direct2, direct2);
        assert_eq!(upstream.spm_id, EndpointId(0x8005));
        assert_eq!(el3.asked[3].0[..2], [FEATURES.into(), DIRECT_REQ2.into()]);
    }
}

#[test]
fn the_schedule_receiver_interrupt_is_asked_for_and_is_an_sgi() {
    for (reply, sri) in [
        (eight(&[SUCCESS_32.into(), 0, 8]), Some(8)),
        (eight(&[SUCCESS_32.into(), 0, 15]), Some(15)),
        (eight(&[SUCCESS_32.into(), 0, 16]), None),
        (eight(&[SUCCESS_32.into(), 0, 0xffff_ffff]), None),
        (no(), None),
        (answer(&[u64::MAX]), None),
    ] {
        let mut el3 = el3(&[version(0x1_0003), spm_id(0x8000), yes(), reply]);
        assert_eq!(Upstream::negotiate(&mut el3).unwrap().sri, sri);
        assert_eq!(el3.asked.last().unwrap().0[..2], [FEATURES.into(), 2]);
    }
}
