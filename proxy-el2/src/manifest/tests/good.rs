//! Good manifests.

use super::*;
use crate::vm::VmInfo;
use ffa_abi::{
    EndpointId, Uuid, Version,
    contract::Mode,
    messaging::{Messaging, Service},
};

#[test]
fn one_vm_is_the_primary_with_one_vcpu_that_sends() {
    let vm = parse(ONE).unwrap();
    let wanted = VmManifest {
        id: EndpointId(1),
        name: "client".try_into().unwrap(),
        memory: 0x5000_0000..0x5080_0000,
        entrypoint: 0x5000_0000,
        mode: Mode::Permissive,
        version: Version::V1_2,
        primary: true,
        vcpus: 1,
        cores: [Some(0), None, None, None, None, None, None, None],
        services: heapless::Vec::new(),
        messaging: Messaging(0x402),
        notifications: true,
        devices: heapless::Vec::new(),
        housekeeping_us: None,
        time_slice_us: 10_000,
    };
    assert_eq!(vm, wanted);
    check(&[ONE], 1).unwrap();
    let VmInfo {
        id, vcpus, cores, ..
    } = vm.info();
    assert_eq!((id, vcpus, cores), (vm.id, vm.vcpus, vm.cores));
}

#[test]
fn three_vms_fit_together() {
    check(&[FIRST, SECOND, THIRD], 4).unwrap();
    // In any order.
    check(&[THIRD, SECOND, FIRST], 8).unwrap();
    let second = parse(SECOND).unwrap();
    assert_eq!((second.vcpus, second.cores), (1, [None; 8]));
    assert_eq!(second.messaging, Messaging(0x603));
    assert!(!second.primary);
    let third = parse(THIRD).unwrap();
    assert_eq!(third.cores[..3], [Some(0), Some(1), None]);
    assert_ne!(second.services, third.services);
}

#[test]
fn everything_that_a_secondary_may_have_is_read() {
    let vm = parse(FULL).unwrap();
    assert_eq!((vm.id, vm.mode), (EndpointId(7), Mode::SmcccStrict));
    assert_eq!((vm.version, vm.primary), (Version::V1_2, false));
    assert_eq!(vm.entrypoint, 0x5400_1000);
    assert_eq!(vm.cores[..4], [Some(3), Some(0), Some(1), None]);
    let service = |words, method| Service {
        uuid: Uuid::from_words(words),
        messaging: Messaging(method),
    };
    let wanted = [service([1, 2, 3, 4], 0x203), service([5, 6, 7, 8], 0x400)];
    assert_eq!(vm.services, wanted);
    assert_eq!(vm.messaging, Messaging(0x603));
    assert!(vm.notifications && vm.info().notifications);
    let [rtc, flash] = vm.devices.as_slice() else {
        panic!("{:?}", vm.devices);
    };
    let interrupt = |intid, level| Interrupt { intid, level };
    assert_eq!(rtc.interrupts, [interrupt(34, true), interrupt(35, false)]);
    assert_eq!(rtc.registers, 0x0901_0000..0x0901_1000);
    assert_eq!(flash.registers, 0x0400_0000..0x0401_0000);
    assert!(rtc.write && !flash.write && flash.interrupts.is_empty());
    check(&[FULL, FIRST], 4).unwrap();
}

#[test]
fn who_receives_notifications_and_indirect_messages_says_so() {
    let notified = |source: &str| parse(source).unwrap().notifications;
    assert!(!notified(&changed(FULL, "notification-support;", "")));
    // The primary is told whom to run in any case, if it may negotiate that.
    let version = |to| changed(ONE, "ffa-version = <0x00010002>;", to);
    assert!(notified(&version("ffa-version = <0x10001>;")));
    assert!(notified(&version("notification-support;")));
    assert!(!notified(&version("ffa-version = <0x10000>;")));
    for (source, method) in [(FULL, "<0x203 0x400>"), (FIRST, "<0x402>")] {
        let vm = parse(&changed(source, method, "<0x4>")).unwrap();
        assert!(vm.messaging.is_indirect() && !vm.messaging.sends_direct());
    }
}

#[test]
fn services_may_be_nodes() {
    let nodes = "services { compatible = \"arm,ffa-manifest-services\"; \
         a { uuid = \"00000001-0000-0002-0000-000300000004\"; messaging-method = <1>; }; \
         b { uuid = \"00000005-0000-0006-0000-000700000008\"; }; }; device-regions {";
    let source = changed(FULL, "uuid = <1 2 3 4>, <5 6 7 8>;", "");
    let source = changed(&source, "messaging-method = <0x203 0x400>;", "");
    let vm = parse(&changed(&source, "device-regions {", nodes)).unwrap();
    let found: Vec<_> = vm.services.iter().map(|s| s.uuid.words()).collect();
    assert_eq!(found, [[1, 2, 3, 4], [5, 6, 7, 8]]);
    assert_eq!(vm.messaging, Messaging(0x403));
}

#[test]
fn one_method_stands_for_all_uuids_and_may_stand_alone() {
    let one = changed(FULL, "<0x203 0x400>", "<0x201>");
    let vm = parse(&one).unwrap();
    assert!(vm.services.iter().all(|s| s.messaging.0 == 0x201));
    let none = changed(FULL, "messaging-method = <0x203 0x400>;", "");
    let vm = parse(&none).unwrap();
    assert!(vm.services.iter().all(|s| s.messaging.0 == DEFAULT_METHODS));
    let alone = changed(&one, "uuid = <1 2 3 4>, <5 6 7 8>;", "");
    let vm = parse(&alone).unwrap();
    assert_eq!((vm.services.len(), vm.messaging), (0, Messaging(0x201)));
}

#[test]
fn defaults_of_cores_depend_on_how_many_and_who() {
    let cores = |source: &str| parse(source).unwrap().cores;
    let third = changed(THIRD, "vcpu-cores = <0 1>;", "");
    assert_eq!(cores(&third)[..3], [Some(0), Some(1), None]);
    let pinned = changed(SECOND, "vcpu-count = <1>;", "vcpu-cores = <5>;");
    assert_eq!(cores(&pinned)[..2], [Some(5), None]);
    let eight = changed(ONE, "id = <1>;", "id = <1>; vcpu-count = <8>;");
    assert_eq!(cores(&eight), [0, 1, 2, 3, 4, 5, 6, 7].map(Some));
    let other = changed(ONE, "id = <1>;", "id = <9>; primary;");
    assert_eq!(cores(&other)[..2], [Some(0), None]);
    check(&[&other], 1).unwrap();
}

#[test]
fn the_primary_says_how_its_time_is_divided() {
    let with = "time-slice-us = <1000000>; housekeeping-us = <100>;";
    let vm = parse(&changed(FIRST, "time-slice-us = <200000>;", with)).unwrap();
    assert_eq!(
        (vm.time_slice_us, vm.housekeeping_us),
        (1_000_000, Some(100))
    );
}

#[test]
fn every_version_of_ffa_may_be_the_highest() {
    let version = |to: &str| {
        parse(&changed(ONE, "ffa-version = <0x00010002>;", to))
            .unwrap()
            .version
    };
    assert_eq!(version(""), Version::V1_3);
    for (to, wanted) in [
        ("ffa-version = <0x10000>;", Version::V1_0),
        ("ffa-version = <0x10001>;", Version::V1_1),
        ("ffa-version = <0x10003>;", Version::V1_3),
    ] {
        assert_eq!(version(to), wanted);
    }
}

#[test]
fn a_manifest_may_be_followed_by_anything_and_has_a_short_name() {
    let mut blob = dts::compile(&changed(
        ONE,
        "\"client\"",
        "\"a name that is longer than thirty-two bytes\"",
    ));
    blob.extend([0xff; 100]);
    let vm = VmManifest::parse(&blob).unwrap();
    assert_eq!(vm.name, "a name that is longer than thi..");
}
