//! Identifiers, codes, versions, UUIDs.

use super::*;

#[test]
fn identifiers_of_functions() {
    for (theirs, function, wide) in BOTH {
        let raw = u32::from(*theirs);
        let fid = Fid {
            function: *function,
            wide: *wide,
        };
        assert_eq!(fid.raw(), raw, "{theirs:?}");
        assert_eq!(Fid::decode(raw.into()), FidKind::Ffa(fid));
        assert_eq!(theirs.is_32bit(), !wide, "{theirs:?}");
    }
    for (function, wide) in OURS {
        let raw = if *wide {
            function.raw64()
        } else {
            function.raw32()
        };
        assert!(FuncId::try_from(raw).is_err(), "{function:?}");
    }
    // And no other.
    for low in 0..=0xffu32 {
        for wide in [0, WIDE_BIT] {
            let raw = 0x8400_0000 | low | wide;
            let known = BOTH.iter().any(|(theirs, ..)| u32::from(*theirs) == raw);
            let ours = OURS.iter().any(|(function, is_wide)| {
                function.raw32() & 0xff == low && *is_wide == (wide != 0)
            });
            assert_eq!(FuncId::try_from(raw).is_ok(), known, "{raw:#x}");
            let decoded = matches!(Fid::decode(raw.into()), FidKind::Ffa(_));
            assert_eq!(decoded, known || ours, "{raw:#x}");
        }
    }
}

#[test]
fn the_first_version_of_the_64_bit_forms_of_cycle_management_is_1_3() {
    for (theirs, function, wide) in BOTH {
        let late = *wide
            && matches!(
                function,
                Function::Error
                    | Function::Interrupt
                    | Function::MsgWait
                    | Function::Yield
                    | Function::Run
                    | Function::NormalWorldResume
            );
        assert_eq!(
            theirs.minimum_ffa_version() == arm(Version::V1_3),
            late,
            "{theirs:?}"
        );
    }
}

#[test]
fn error_codes() {
    for code in -20..=5 {
        let ours = FfaError::try_from(code).ok();
        let theirs = ArmError::try_from(code).ok();
        // NOT_READY is known here only.
        if code == -10 {
            assert_eq!((ours, theirs), (Some(FfaError::NotReady), None));
        } else {
            assert_eq!(ours.is_some(), theirs.is_some(), "{code}");
        }
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            continue;
        };
        let regs = completion(Reply::error(ours));
        assert_eq!(
            Interface::from_regs(arm(Version::V1_2), &regs),
            Ok(Interface::error(theirs, true))
        );
        assert_eq!(
            regs,
            encode(Version::V1_2, &Interface::error(theirs, true)).0
        );
    }
}

#[test]
fn versions_and_what_serves_what() {
    let raws = (0..0x6u32)
        .flat_map(|major| (0..6).map(move |minor| major << 16 | minor))
        .chain([
            0x7fff_ffff,
            0x8000_0000,
            0x8001_0002,
            0xffff_ffff,
            0x7fff_0000,
        ]);
    for raw in raws {
        let ours = Version::from_raw(raw);
        let theirs = ArmVersion::try_from(raw).ok();
        assert_eq!(ours.map(arm), theirs, "{raw:#x}");
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            continue;
        };
        assert_eq!(ours.raw(), u32::from(theirs));
        for callee in VERSIONS {
            assert_eq!(callee.serves(ours), theirs.is_compatible_to(arm(callee)));
        }
    }
}

#[test]
fn the_answer_to_version() {
    for version in VERSIONS {
        let regs = completion(Reply::Version(Some(version)));
        let theirs = Interface::VersionOut {
            output_version: VersionOut::Version(arm(version)),
        };
        assert_eq!(u32::from(VersionOut::Version(arm(version))), regs[0] as u32);
        let mut expected = [1; 18];
        // It carries no identifier, so `is_32bit` does not exist for it: eight registers.
        theirs.to_regs(arm(version), &mut expected[..8]);
        assert_eq!(regs[..8], expected[..8]);
        assert_eq!(regs[8..], [0; 10]);
    }
    let refused = completion(Reply::Version(None));
    assert_eq!(u32::from(VersionOut::NotSupported), refused[0] as u32);
    assert_eq!(
        VersionOut::try_from(refused[0] as u32).ok(),
        Some(VersionOut::NotSupported)
    );
}

#[test]
fn feature_queries() {
    for (theirs, function, wide) in BOTH {
        let w1 = u32::from(Feature::FuncId(*theirs));
        let fid = Fid {
            function: *function,
            wide: *wide,
        };
        assert_eq!(FeatureQuery::from_w1(w1), FeatureQuery::Function(fid));
        assert_eq!(Feature::from(w1), Feature::FuncId(*theirs));
    }
    for theirs in [
        FeatureId::NotificationPendingInterrupt,
        FeatureId::ScheduleReceiverInterrupt,
        FeatureId::ManagedExitInterrupt,
    ] {
        let w1 = u32::from(Feature::FeatureId(theirs));
        assert_eq!(
            FeatureQuery::from_w1(w1),
            FeatureQuery::Feature(theirs as u8)
        );
    }
}

proptest! {
    #[test]
    fn uuids(low: u64, high: u64) {
        let ours = Uuid::from_registers(low, high);
        let theirs = UuidHelper::from_u64_regs([low, high]);
        prop_assert_eq!(ours.0, UuidHelper::to_bytes(theirs));
        prop_assert_eq!(ours.registers(), (low, high));
        prop_assert_eq!(ours.to_string(), theirs.to_string());
        let words = UuidHelper::to_u32_regs(theirs);
        prop_assert_eq!(Uuid::from_words(words), ours);
    }

    #[test]
    fn targets(w1: u32, junk: u32) {
        let ours = TargetInfo::from_register(u64::from(w1) | u64::from(junk) << 32);
        prop_assert_eq!(arm_target(ours), ArmTarget::from(w1));
        prop_assert_eq!(ours.register(), u64::from(u32::from(arm_target(ours))));
    }
}
