//! Calls, messages and completions with random contents.

use super::*;

proptest! {
    #[test]
    fn version_requests(raw in 0u32..0x8000_0000, version in versions()) {
        let asked = Version::from_raw(raw).unwrap();
        let call = Interface::Version { input_version: arm(asked), flags: NEGOTIATE };
        let regs = encode(version, &call);
        prop_assert_eq!(Call::decode(version, &regs), Ok(Call::Version(Some(asked))));
    }

    #[test]
    fn features_calls(index in 0..BOTH.len(), input: u32, version in versions()) {
        let (theirs, function, wide) = BOTH[index];
        let call = Interface::Features {
            feat_id: Feature::FuncId(theirs),
            input_properties: input,
        };
        let query = FeatureQuery::Function(Fid { function, wide });
        prop_assert_eq!(
            Call::decode(version, &encode(version, &call)),
            Ok(Call::Features { query, input })
        );
    }

    #[test]
    fn run(endpoint: u16, context: u16, wide: bool) {
        let target = TargetInfo { endpoint: EndpointId(endpoint), context };
        let call = Interface::Run { target_info: arm_target(target), is_32bit: !wide };
        let regs = encode(Version::V1_3, &call);
        prop_assert_eq!(
            Call::decode(Version::V1_3, &regs),
            Ok(Call::Run { wide, target })
        );
        if !wide {
            prop_assert_eq!(regs.0, completion(Reply::run(target)));
        }
    }

    #[test]
    fn direct_messages_of_32_bits(
        sender: u16, receiver: u16, payload: [u32; 5], response: bool, version in versions(),
    ) {
        let ids = Endpoints { sender: EndpointId(sender), receiver: EndpointId(receiver) };
        let args = DirectMsgArgs::Args32(payload);
        let (src_id, dst_id) = (sender, receiver);
        let (call, expected) = if response {
            (
                Interface::MsgSendDirectResp { src_id, dst_id, args },
                Call::DirectResp { wide: false, ids, kind: MessageKind::Partition },
            )
        } else {
            (
                Interface::MsgSendDirectReq { src_id, dst_id, args },
                Call::DirectReq { wide: false, ids, kind: MessageKind::Partition },
            )
        };
        let regs = encode(version, &call);
        prop_assert_eq!(Call::decode(version, &regs), Ok(expected));
        prop_assert_eq!(regs.0[3..8].to_vec(), payload.map(u64::from).to_vec());
        // Delivered by the contract, with junk in the upper halves, it reads the same.
        let mut dirty = regs;
        dirty.0.iter_mut().skip(1).for_each(|x| *x |= 0xdead_beef << 32);
        let mut received = [0x77; 31];
        contract::write(contract::layout(None, regs[0]), &dirty, &mut received);
        prop_assert_eq!(Interface::from_regs(arm(version), &received), Ok(call));
        prop_assert_eq!(received[8..].to_vec(), vec![0x77; 23]);
    }

    #[test]
    fn direct_messages_of_64_bits(
        sender: u16, receiver: u16, payload: [u64; 5], response: bool,
        version in extended_versions(),
    ) {
        let ids = Endpoints { sender: EndpointId(sender), receiver: EndpointId(receiver) };
        let mut fifteen = [0; 15];
        fifteen[..5].copy_from_slice(&payload);
        let args = DirectMsgArgs::Args64(fifteen);
        let (src_id, dst_id) = (sender, receiver);
        let (call, expected) = if response {
            (
                Interface::MsgSendDirectResp { src_id, dst_id, args },
                Call::DirectResp { wide: true, ids, kind: MessageKind::Partition },
            )
        } else {
            (
                Interface::MsgSendDirectReq { src_id, dst_id, args },
                Call::DirectReq { wide: true, ids, kind: MessageKind::Partition },
            )
        };
        let regs = encode(version, &call);
        prop_assert_eq!(Call::decode(version, &regs), Ok(expected));
        prop_assert_eq!(regs.0[3..8].to_vec(), payload.to_vec());
        let mut received = [0; 31];
        contract::write(contract::layout(None, regs[0]), &regs, &mut received);
        prop_assert_eq!(Interface::from_regs(arm(version), &received), Ok(call));
    }

    #[test]
    fn direct_messages_2(
        sender: u16, receiver: u16, service: [u64; 2], payload: [u64; 14], response: bool,
        version in extended_versions(),
    ) {
        let ids = Endpoints { sender: EndpointId(sender), receiver: EndpointId(receiver) };
        let args = DirectMsg2Args(payload);
        let (src_id, dst_id) = (sender, receiver);
        let (call, expected) = if response {
            (
                Interface::MsgSendDirectResp2 { src_id, dst_id, args },
                Call::DirectResp2 { ids },
            )
        } else {
            let uuid = UuidHelper::from_u64_regs(service);
            (
                Interface::MsgSendDirectReq2 { src_id, dst_id, uuid, args },
                Call::DirectReq2 { ids, uuid: Uuid::from_registers(service[0], service[1]) },
            )
        };
        let regs = encode(version, &call);
        prop_assert_eq!(Call::decode(version, &regs), Ok(expected));
        let mut received = [0x77; 31];
        contract::write(contract::layout(None, regs[0]), &regs, &mut received);
        prop_assert_eq!(Interface::from_regs(arm(version), &received), Ok(call));
        prop_assert_eq!(received[18..].to_vec(), vec![0x77; 13]);
    }

    #[test]
    fn the_console(text: [u64; 16], count in 1usize..=128, wide: bool) {
        let mut regs = Regs::ZERO;
        let form = Function::ConsoleLog;
        regs[0] = if wide { form.raw64() } else { form.raw32() }.into();
        regs[1] = count as u64;
        regs.0[2..].copy_from_slice(&text);
        let ours = Call::decode(Version::V1_2, &regs);
        let theirs = Interface::from_regs(arm(Version::V1_2), &regs.0);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        prop_assert_eq!(ours.is_ok(), count <= console_capacity(wide, Version::V1_2));
        if let Ok(Interface::ConsoleLog { chars }) = theirs {
            let mut seen = Vec::new();
            console_characters(&regs, wide, count, |c| seen.push(c));
            match chars {
                ConsoleLogChars::Chars32(chars) => prop_assert_eq!(&seen, chars.bytes()),
                ConsoleLogChars::Chars64(chars) => prop_assert_eq!(&seen, chars.bytes()),
            }
        }
    }

    #[test]
    fn success_interrupt_and_wait_as_completions(
        endpoint: u16, context: u16, w2: u32, w3: u32, version in versions(),
    ) {
        let target = TargetInfo { endpoint: EndpointId(endpoint), context };
        let success = |args| Interface::Success {
            target_info: ArmTarget::default(),
            args: SuccessArgs::Args32(args),
        };
        let table = [
            (Reply::success(w2), success([w2, 0, 0, 0, 0, 0])),
            (Reply::success2(w2, w3), success([w2, w3, 0, 0, 0, 0])),
            (
                Reply::interrupt(target, w2),
                Interface::Interrupt {
                    target_info: arm_target(target),
                    interrupt_id: w2,
                    is_32bit: true,
                },
            ),
            (
                Reply::msg_wait(),
                Interface::MsgWait { flags: MsgWaitFlags::default(), is_32bit: true },
            ),
        ];
        for (ours, theirs) in table {
            let regs = completion(ours);
            prop_assert_eq!(Interface::from_regs(arm(version), &regs), Ok(theirs));
            prop_assert_eq!(regs, encode(version, &theirs).0);
        }
    }

    /// Whatever arm-ffa reads as one of the calls that are built here, this crate reads as the same
    /// function, or refuses as malformed; it never takes it for unknown.
    #[test]
    fn what_one_knows_the_other_knows(
        index in 0..BOTH.len(), x in proptest::collection::vec(0u64..4, 17),
    ) {
        let (theirs, function, wide) = BOTH[index];
        let mut regs = Regs::ZERO;
        regs[0] = u32::from(theirs).into();
        regs.0[1..].copy_from_slice(&x);
        let known = Interface::from_regs(arm(Version::V1_3), &regs.0).is_ok();
        let ours = Call::decode(Version::V1_3, &regs);
        if known {
            prop_assert!(!matches!(ours, Err(DecodeError::Unknown | DecodeError::NotFfa(_))));
        }
        if let Err(DecodeError::Invalid(fid)) = ours {
            prop_assert_eq!(fid, Fid { function, wide });
        }
        if let Ok(Call::Other(fid)) = ours {
            prop_assert_eq!(fid, Fid { function, wide });
        }
    }
}
