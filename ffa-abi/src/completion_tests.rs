use super::*;
use crate::{Reply, fid::raw};
use proptest::prelude::*;

const RUN: Fid = Fid::narrow(Function::Run);

fn regs(x: &[u64]) -> Regs {
    let mut regs = Regs::ZERO;
    regs.0[..x.len()].copy_from_slice(x);
    regs
}

/// Each completion with its registers x0 to x4, both ways.
#[test]
fn each_completion_by_the_table() {
    let target = TargetInfo::from_register(0x8002_0001);
    let ids = Endpoints::from_register(0x8001_0003);
    let kind = MessageKind::Partition;
    let handle = Handle(0x0000_0007_0000_0009);
    let sender = EndpointId(3);
    for (completion, x) in [
        (
            Completion::Success { wide: false },
            [0x8400_0061, 0, 0, 0, 0],
        ),
        (
            Completion::Success { wide: true },
            [0xc400_0061, 0, 0, 0, 0],
        ),
        (
            Completion::Error {
                wide: false,
                target,
                code: Ok(FfaError::Denied),
                argument: 5,
            },
            [0x8400_0060, 0x8002_0001, 0xffff_fffa, 5, 0],
        ),
        (
            Completion::Error {
                wide: true,
                target,
                code: Err(-77),
                argument: 0,
            },
            [0xc400_0060, 0x8002_0001, 0xffff_ffb3, 0, 0],
        ),
        (
            Completion::Interrupt {
                wide: false,
                target,
                intid: 40,
            },
            [0x8400_0062, 0x8002_0001, 40, 0, 0],
        ),
        (
            Completion::MsgWait { wide: false },
            [0x8400_006b, 0, 0, 0, 0],
        ),
        (
            Completion::MsgWait { wide: true },
            [0xc400_006b, 0, 0, 0, 0],
        ),
        (
            Completion::Yield {
                wide: false,
                target,
                timeout: 0x2_0000_0001,
            },
            [0x8400_006c, 0x8002_0001, 1, 2, 0],
        ),
        (
            Completion::Run {
                wide: false,
                target,
            },
            [0x8400_006d, 0x8002_0001, 0, 0, 0],
        ),
        (
            Completion::NormalWorldResume { wide: false },
            [0x8400_007c, 0, 0, 0, 0],
        ),
        (
            Completion::DirectReq {
                wide: true,
                ids,
                kind,
            },
            [0xc400_006f, 0x8001_0003, 0, 0, 0],
        ),
        (
            Completion::DirectResp {
                wide: false,
                ids,
                kind: MessageKind::Framework(9),
            },
            [0x8400_0070, 0x8001_0003, 0x8000_0009, 0, 0],
        ),
        (
            Completion::DirectReq2 {
                ids,
                uuid: Uuid::from_registers(1, 2),
            },
            [0xc400_008d, 0x8001_0003, 1, 2, 0],
        ),
        (
            Completion::DirectResp2 { ids },
            [0xc400_008e, 0x8001_0003, 0, 0, 0],
        ),
        (
            Completion::MemRetrieveResp {
                total_length: 0x2000,
                fragment_length: 0x1000,
            },
            [0x8400_0075, 0x2000, 0x1000, 0, 0],
        ),
        (
            Completion::MemFragRx {
                handle,
                offset: 0x1000,
                sender,
            },
            [0x8400_007a, 9, 7, 0x1000, 0x3_0000],
        ),
        (
            Completion::MemFragTx {
                handle,
                length: 0x800,
                sender,
            },
            [0x8400_007b, 9, 7, 0x800, 0x3_0000],
        ),
        (Completion::Unknown, [u64::MAX, 0, 0, 0, 0]),
    ] {
        assert_eq!(completion.encode(), regs(&x), "{completion:?}");
        assert_eq!(Completion::decode(RUN, &regs(&x)), Ok(completion));
        assert_eq!(completion.layout(RUN), contract::layout(Some(RUN), x[0]));
    }
}

#[test]
fn a_version_is_read_by_its_call() {
    let version = Fid::narrow(Function::Version);
    for (x0, expected) in [
        (0x1_0003, Some(Version::V1_3)),
        (0xffff_ffff, None),
        (0xffff_fffd, None),
        (u64::MAX, None),
    ] {
        let completion = Completion::Version(expected);
        assert_eq!(Completion::decode(version, &regs(&[x0])), Ok(completion));
        assert_eq!(completion.layout(version), Layout::Eight);
        let mut written = Regs::ZERO;
        Reply::Version(expected).write(&mut written.0);
        assert_eq!(completion.encode(), written);
    }
}

#[test]
fn what_completes_nothing_is_told() {
    for (x, error) in [
        (
            vec![raw::FEATURES.into()],
            CompletionError::CallOnly(Fid::narrow(Function::Features)),
        ),
        (vec![0x8400_0091], CompletionError::Unknown),
        (vec![0x8400_0000], CompletionError::NotFfa(0x8400_0000)),
        (vec![0], CompletionError::NotFfa(0)),
        (
            vec![raw::DIRECT_RESP_32.into(), 0, 1],
            CompletionError::Reserved(Fid::narrow(Function::MsgSendDirectResp)),
        ),
    ] {
        assert_eq!(Completion::decode(RUN, &regs(&x)), Err(error));
    }
    // EL3 says so in 64 bits, others in 32.
    for x0 in [u64::MAX, 0xffff_ffff] {
        assert_eq!(
            Completion::decode(RUN, &regs(&[x0])),
            Ok(Completion::Unknown)
        );
    }
}

#[test]
fn only_info_get_regs_is_answered_in_eighteen_registers_by_success() {
    let success = Completion::Success { wide: true };
    let regs_call = Fid::wide(Function::PartitionInfoGetRegs);
    assert_eq!(success.layout(regs_call), Layout::Eighteen);
    let info_call = Fid::wide(Function::NotificationInfoGet);
    assert_eq!(success.layout(info_call), Layout::Eight);
}

proptest! {
    #![proptest_config(crate::property())]

    /// Any registers: reading is total, what is read is written and read again, payloads stay.
    #[test]
    fn reading_is_total_and_writing_is_its_inverse(
        low in 0u32..0x100, wide: bool, hint: bool, rest: [u64; 18], version_call: bool,
    ) {
        let mut r = Regs(rest);
        let bits = u32::from(wide) << 30 | u32::from(hint) << 16;
        r.0[0] = u64::from(0x8400_0000 | low | bits) | rest[0] << 32;
        let call = if version_call { Fid::narrow(Function::Version) } else { RUN };
        if let Ok(completion) = Completion::decode(call, &r) {
            let mut written = r;
            completion.encode_into(&mut written);
            prop_assert_eq!(Completion::decode(call, &written), Ok(completion));
            let mask = match completion.fid() {
                Some(fid) if !fid.wide => 0xffff_ffff,
                _ => u64::MAX,
            };
            for n in completion.payload() {
                prop_assert_eq!(written[n], r[n] & mask);
            }
            prop_assert_eq!(&written.0[8..], &r.0[8..]);
        }
    }
}
