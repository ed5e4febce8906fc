use super::*;
use proptest::prelude::*;

const IDS: Endpoints = Endpoints {
    sender: EndpointId(0xffc1),
    receiver: EndpointId::SPMC,
};

#[test]
fn reserved_bits_are_refused() {
    assert_eq!(MessageKind::from_w2(0), Some(MessageKind::Partition));
    assert_eq!(
        MessageKind::from_w2(0x8000_0008),
        Some(MessageKind::Framework(8))
    );
    for w2 in [1, 0x100, 0x8000_0100, 0xc000_0000, 0x4000_0000] {
        assert_eq!(MessageKind::from_w2(w2), None, "{w2:#x}");
    }
    let flags = Send2Flags::from_bits_retain(0x8000_0003);
    assert!(flags.contains(Send2Flags::DELAY_SCHEDULE_RECEIVER));
    assert_eq!(flags.reserved(), 0x8000_0001);
}

/// Each message with its number, form and x3 to x7.
#[test]
fn each_message_by_the_table() {
    const REQ_32: u32 = 0x8400_006f;
    const RESP_32: u32 = 0x8400_0070;
    const REQ_64: u32 = 0xc400_006f;
    const RESP_64: u32 = 0xc400_0070;
    let base = 0x8_8000_0000;
    let pages = |n| Pages {
        base: base + n,
        count: n,
    };
    let vm = EndpointId(3);
    let handle = Handle(0x8000_0000_0000_0042);
    let error = 0xffff_fffe;
    for (message, number, fid, payload) in [
        (
            Framework::PsciRequest {
                wide: false,
                parameters: [0x8400_0002, 1, 2, 3],
            },
            0,
            REQ_32,
            [0x8400_0002, 1, 2, 3, 0],
        ),
        (
            Framework::PsciRequest {
                wide: true,
                parameters: [0xc400_0001, base, 2, 3],
            },
            0,
            REQ_64,
            [0xc400_0001, base, 2, 3, 0],
        ),
        (
            Framework::WarmBoot(WarmBoot::SuspendToRam),
            1,
            REQ_32,
            [0; 5],
        ),
        (
            Framework::WarmBoot(WarmBoot::Shallower),
            1,
            REQ_32,
            [1, 0, 0, 0, 0],
        ),
        (
            Framework::PowerResponse { status: -2 },
            2,
            RESP_32,
            [error, 0, 0, 0, 0],
        ),
        (
            Framework::VmCreated { handle, vm },
            4,
            REQ_32,
            [0x42, 0x8000_0000, 3, 0, 0],
        ),
        (
            Framework::VmCreatedResponse { status: 0 },
            5,
            RESP_32,
            [0; 5],
        ),
        (
            Framework::VmDestroyed { handle, vm },
            6,
            REQ_32,
            [0x42, 0x8000_0000, 3, 0, 0],
        ),
        (
            Framework::VmDestroyedResponse { status: -2 },
            7,
            RESP_32,
            [error, 0, 0, 0, 0],
        ),
        (
            Framework::VersionRequest {
                version: Some(Version::V1_3),
                query: Some(VersionQuery::Compatible),
            },
            8,
            REQ_32,
            [0x1_0003, 1, 0, 0, 0],
        ),
        (
            Framework::VersionResponse(Some(Version::V1_2)),
            9,
            RESP_32,
            [0x1_0002, 0, 0, 0, 0],
        ),
        (
            Framework::VersionResponse(None),
            9,
            RESP_32,
            [0xffff_ffff, 0, 0, 0, 0],
        ),
        (
            Framework::StopRequest {
                reason: STOP_FOR_ACTIVATION,
            },
            10,
            REQ_32,
            [1, 0, 0, 0, 0],
        ),
        (
            Framework::StopResponse {
                wide: true,
                status: 0,
                base,
                size: 0x1000,
            },
            11,
            RESP_64,
            [0, base, 0x1000, 0, 0],
        ),
        (
            Framework::StopResponse {
                wide: false,
                status: -2,
                base: 0,
                size: 0,
            },
            11,
            RESP_32,
            [error, 0, 0, 0, 0],
        ),
        (
            Framework::ActivationStart {
                partition: EndpointId(0x8001),
                image: pages(16),
                manifest: pages(1),
            },
            12,
            REQ_64,
            [0x8001, base + 16, 16, base + 1, 1],
        ),
        (
            Framework::ActivationStartResponse { status: 0 },
            13,
            RESP_64,
            [0; 5],
        ),
        (
            Framework::ActivationFinish {
                partition: EndpointId(0x8001),
            },
            14,
            REQ_64,
            [0x8001, 0, 0, 0, 0],
        ),
        (
            Framework::ActivationFinishResponse { status: -2 },
            15,
            RESP_64,
            [error, 0, 0, 0, 0],
        ),
    ] {
        let regs = message.encode(IDS);
        assert_eq!(message.number(), number);
        assert_eq!(regs[0], u64::from(fid), "{message:?}");
        assert_eq!(regs[1], 0xffc1_8000);
        assert_eq!(regs[2], 0x8000_0000 | u64::from(number));
        assert_eq!(regs.0[3..8], payload, "{message:?}");
        assert_eq!(regs.0[8..], [0; 10]);
        let call = Call::decode(Version::V1_3, &regs).unwrap();
        assert_eq!(Framework::of(&call, &regs), Ok(Some(message)));
    }
}

#[test]
fn what_is_no_framework_message_is_told() {
    let mut regs = Regs::ZERO;
    for number in [3, 16, 255] {
        assert_eq!(
            Framework::decode(number, false, &regs),
            Err(FrameworkError::Unknown(number))
        );
    }
    for number in 12..16 {
        assert_eq!(
            Framework::decode(number, false, &regs),
            Err(FrameworkError::Width(number))
        );
    }
    assert_eq!(
        Framework::decode(5, true, &regs),
        Err(FrameworkError::Width(5))
    );
    regs[3] = 2;
    assert_eq!(
        Framework::decode(1, false, &regs),
        Err(FrameworkError::Reserved(1))
    );
    let (wide, ids) = (false, IDS);
    let kind = MessageKind::Framework(2);
    assert_eq!(
        Framework::of(&Call::DirectReq { wide, ids, kind }, &regs),
        Err(FrameworkError::Direction(2))
    );
    let kind = MessageKind::Partition;
    assert_eq!(
        Framework::of(&Call::DirectReq { wide, ids, kind }, &regs),
        Ok(None)
    );
    assert_eq!(Framework::of(&Call::IdGet, &regs), Ok(None));
}

proptest! {
    #![proptest_config(crate::property())]

    #[test]
    fn reading_is_total_and_writing_is_its_inverse(number in 0u8..20, wide: bool, x: [u64; 18]) {
        if let Ok(message) = Framework::decode(number, wide, &Regs(x)) {
            prop_assert_eq!(message.number(), number);
            let regs = message.encode(IDS);
            prop_assert_eq!(Framework::decode(number, wide, &regs), Ok(message));
            if !wide {
                prop_assert!(regs.0.iter().all(|x| x >> 32 == 0));
            }
        }
    }
}
