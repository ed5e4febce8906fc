//! Calls by example, framework messages, boot information, and where the two differ on purpose.

use super::*;

#[test]
fn calls_without_arguments() {
    for (call, ours) in [
        (Interface::IdGet, Call::IdGet),
        (Interface::SpmIdGet, Call::SpmIdGet),
        (
            Interface::MsgWait {
                flags: MsgWaitFlags::default(),
                is_32bit: true,
            },
            Call::MsgWait {
                wide: false,
                retain_rx: false,
            },
        ),
        (
            Interface::Yield { is_32bit: true },
            Call::Yield {
                wide: false,
                timeout: 0,
            },
        ),
        (
            Interface::Yield { is_32bit: false },
            Call::Yield {
                wide: true,
                timeout: 0,
            },
        ),
    ] {
        let regs = encode(Version::V1_3, &call);
        assert_eq!(Call::decode(Version::V1_3, &regs), Ok(ours));
    }
}

#[test]
fn waiting_with_and_without_the_rx_buffer() {
    for version in [Version::V1_2, Version::V1_3] {
        for retain_rx in [false, true] {
            for wide in [false, version == Version::V1_3] {
                let call = Interface::MsgWait {
                    flags: MsgWaitFlags {
                        retain_rx_buffer: retain_rx,
                    },
                    is_32bit: !wide,
                };
                let regs = encode(version, &call);
                assert_eq!(
                    Call::decode(version, &regs),
                    Ok(Call::MsgWait { wide, retain_rx })
                );
                assert_eq!(Interface::from_regs(arm(version), &regs.0), Ok(call));
            }
        }
    }
}

/// Both refuse these; arm-ffa checks bits 15:1 of w2 only.
#[test]
fn reserved_flags_of_msg_wait() {
    for bit in 1..16 {
        let mut regs = Regs::ZERO;
        regs[0] = Function::MsgWait.raw32().into();
        regs[2] = 1 << bit;
        assert!(Call::decode(Version::V1_2, &regs).is_err());
        assert!(Interface::from_regs(arm(Version::V1_2), &regs.0).is_err());
    }
}

#[test]
fn framework_messages_of_power_and_versions() {
    let spmd = EndpointId::SPMD.0;
    let spmc = EndpointId::SPMC.0;
    let requests = [
        (
            DirectMsgArgs::VersionReq {
                version: arm(Version::V1_2),
                flags: NEGOTIATE,
            },
            message::VERSION_REQUEST,
            Version::V1_2.raw(),
        ),
        (
            DirectMsgArgs::PowerPsciReq32 {
                params: [0x8400_0002, 1, 2, 3],
            },
            message::PSCI_REQUEST,
            0x8400_0002,
        ),
        (
            DirectMsgArgs::PowerWarmBootReq {
                boot_type: WarmBootType::ExitFromLowPower,
            },
            message::WARM_BOOT,
            WarmBootType::ExitFromLowPower as u32,
        ),
    ];
    for (args, number, w3) in requests {
        let regs = encode(
            Version::V1_2,
            &Interface::MsgSendDirectReq {
                src_id: spmd,
                dst_id: spmc,
                args,
            },
        );
        assert_eq!(
            Call::decode(Version::V1_2, &regs),
            Ok(Call::DirectReq {
                wide: false,
                ids: Endpoints {
                    sender: EndpointId::SPMD,
                    receiver: EndpointId::SPMC,
                },
                kind: MessageKind::Framework(number as u8),
            })
        );
        assert_eq!(regs[3], w3.into());
    }
    let answers = [
        (
            DirectMsgArgs::VersionResp {
                version: Some(arm(Version::V1_3)),
            },
            message::VERSION_RESPONSE,
            u64::from(Version::V1_3.raw()),
        ),
        (
            DirectMsgArgs::VersionResp { version: None },
            message::VERSION_RESPONSE,
            Reply::Version(None).values()[0],
        ),
        (
            DirectMsgArgs::PowerPsciResp { psci_status: -3 },
            message::POWER_RESPONSE,
            0xffff_fffd,
        ),
    ];
    for (args, number, w3) in answers {
        let mut regs = Regs::ZERO;
        regs.0[..4].copy_from_slice(&[
            Function::MsgSendDirectResp.raw32().into(),
            Endpoints {
                sender: EndpointId::SPMC,
                receiver: EndpointId::SPMD,
            }
            .register(),
            (FRAMEWORK_BIT | number).into(),
            w3,
        ]);
        assert_eq!(
            Interface::from_regs(arm(Version::V1_2), &regs.0),
            Ok(Interface::MsgSendDirectResp {
                src_id: spmc,
                dst_id: spmd,
                args,
            })
        );
    }
}

#[test]
fn boot_information_is_read_as_it_was_written() {
    // The oracle reads contents inside of the blob's own buffer, by their address.
    let mut words = [0u64; 16];
    words[8..].fill(0x6162_6364_6566_6768);
    let at = words.as_ptr() as u64 + 64;
    for version in [Version::V1_1, Version::V1_2] {
        let mut blob = WithManifest::new(version, at, 64);
        // It wants the manifest to be a part of the blob; ours stands in the package.
        blob.header.blob_size = 128.into();
        words.as_mut_bytes()[..64].copy_from_slice(blob.as_bytes());
        let mut read = BootInfoIterator::new(arm(version), words.as_bytes()).unwrap();
        let only = read.next().unwrap().unwrap();
        assert_eq!(only.typ, BootInfoType::Std(BootInfoStdId::Fdt));
        assert_eq!(
            only.contents,
            BootInfoContents::Address {
                content_buf: &words.as_bytes()[64..]
            }
        );
        assert!(read.next().is_none());
    }
}

/// arm-ffa takes a 64-bit direct message for eighteen registers; existing callers rely on x8-x17
/// surviving one, so here it has eight.
#[test]
fn a_64_bit_direct_message_has_eight_registers_here() {
    for function in [Function::MsgSendDirectReq, Function::MsgSendDirectResp] {
        let completion = function.raw64().into();
        assert_eq!(contract::layout(None, completion), Layout::Eight);
    }
}

/// arm-ffa takes these; they are malformed, and refused here.
#[test]
fn what_only_this_crate_refuses() {
    let wait = Function::MsgWait.raw32().into();
    let request = Function::MsgSendDirectReq.raw32().into();
    let console = Function::ConsoleLog.raw32().into();
    for args in [
        [wait, 1, 0, 0],
        [wait, 0, 0, 1],
        [wait, 0, 1 << 16, 0],
        [request, 0x1_8001, 1, 0],
        [console, 0, 0, 0],
        [console, 0x101, 0, 0],
    ] {
        let mut regs = Regs::ZERO;
        regs.0[..4].copy_from_slice(&args);
        assert!(Interface::from_regs(arm(Version::V1_2), &regs.0).is_ok());
        assert!(matches!(
            Call::decode(Version::V1_2, &regs),
            Err(DecodeError::Invalid(_))
        ));
    }
}
