//! Manifests that are read, and what they say.

use ffa_abi::{EndpointId, Uuid, Version, availability::VmEvents};

use super::*;
use crate::context::InterruptRules;

#[test]
fn the_spmc_manifest_says_what_its_source_says() {
    let manifest = spmc(SPMC).unwrap();
    assert_eq!(manifest.spmc_id, 0x8000);
    assert_eq!((manifest.version_major, manifest.version_minor), (1, 2));
    assert_eq!(manifest.load_address, 0x0e10_0000);
    assert_eq!(manifest.entrypoint, 0x0e10_0000);
    assert_eq!(manifest.binary_size, 0x20_0000);
    assert_eq!(manifest.cpus, [0, 0x300, 0x200, 0x100]);
    let [echo, relay] = manifest.partitions.as_slice() else {
        panic!("{manifest:?}");
    };
    assert_eq!((echo.node.as_str(), echo.number), ("vm1", 1));
    assert_eq!(echo.debug_name, "echo");
    assert_eq!(echo.region(), Some(0x0e30_0000..0x0e40_0000));
    assert_eq!(echo.vcpu_count, 4);
    assert_eq!(echo.default_id(), Some(EndpointId(0x8001)));
    assert_eq!(relay.region(), Some(0x0e40_0000..0x0e60_0000));
    let memory: Vec<_> = manifest
        .memory
        .iter()
        .map(|m| (m.kind, m.range()))
        .collect();
    assert_eq!(
        memory,
        [
            (MemoryKind::Memory, 0x0e30_0000..0x0f00_0000),
            (MemoryKind::NsMemory, 0x4000_0000..0x8000_0000),
            (MemoryKind::DeviceMemory, 0x0904_0000..0x0904_1000),
            (MemoryKind::NsDeviceMemory, 0x0900_0000..0x0900_1000),
        ]
    );
    check_layout(&manifest, IMAGE).unwrap();
}

#[test]
fn cores_are_numbered_from_the_end_of_the_list_and_the_boot_core_is_0() {
    let manifest = spmc(SPMC).unwrap();
    // Bit 31 is RES1 and bit 24 (MT) no affinity field.
    let index = |mpidr: u64| manifest.core_index(mpidr | 0x8100_0000);
    assert_eq!(index(0), Some(0));
    assert_eq!(index(0x100), Some(1));
    assert_eq!(index(0x200), Some(2));
    assert_eq!(index(0x300), Some(3));
    assert_eq!(index(0x400), None);
    assert_eq!(index(1 << 32), None);
}

#[test]
fn the_partition_manifest_says_what_its_source_says() {
    let manifest = echo(ECHO).unwrap();
    let text = "b4b5671e-4a90-4fe1-b81f-fb13dae1dacb";
    assert_eq!(
        manifest.uuids().map(|u| u.to_string()).collect::<Vec<_>>(),
        [text]
    );
    assert_eq!(manifest.ffa_version, Version::V1_2);
    assert_eq!(manifest.messaging_method(), 0x603);
    assert_eq!(manifest.execution_ctx_count, 4);
    assert_eq!(manifest.exception_level, ExceptionLevel::SEl1);
    assert_eq!(manifest.load_address, Some(0x0e30_0000));
    assert_eq!(manifest.entrypoint_offset, 0x4000);
    assert_eq!(manifest.boot_order, 0);
    assert_eq!(manifest.gp_register_num, Some(0));
    assert_eq!(manifest.rules, InterruptRules::default());
    assert!(!manifest.power_off_messages);
    assert_eq!(manifest.id, None);
    assert_eq!(manifest.image_uuid, None);
    assert_eq!(manifest.description, "echo");
    assert!(manifest.boot_info_fdt && !manifest.smccc_strict && !manifest.eager_fp);
}

#[test]
fn what_is_not_written_has_its_default() {
    let manifest = echo(SERVICES).unwrap();
    assert_eq!(manifest.load_address, None);
    assert_eq!(manifest.boot_order, BOOT_ORDER_LAST);
    assert_eq!(manifest.gp_register_num, None);
    assert_eq!(manifest.rules, InterruptRules::default());
    assert!(!manifest.power_off_messages);
    assert_eq!(manifest.description, "");
    assert!(!manifest.boot_info_fdt);
    let zero = changed(ECHO, "<0x0 0x0e300000>", "<0>");
    assert_eq!(echo(&zero).unwrap().load_address, None);
}

#[test]
fn a_uuid_keeps_its_words_from_format_to_format() {
    let manifest = echo(SERVICES).unwrap();
    let [first, second] = manifest.services.as_slice() else {
        panic!("{manifest:?}");
    };
    let words = [0x1e67_b5b4, 0xe14f_904a, 0x13fb_1fb8, 0xcbda_e1da];
    assert_eq!(first.uuid, Uuid::from_words(words));
    assert_eq!(first.uuid, echo(ECHO).unwrap().services[0].uuid);
    assert_eq!(first.messaging_method, 0x3);
    assert_eq!(second.messaging_method, 0x200);
    assert_eq!(manifest.messaging_method(), 0x203);
}

#[test]
fn sixteen_uuids_share_a_method_or_have_one_each() {
    let uuid = "uuid = <0x1e67b5b4 0xe14f904a 0x13fb1fb8 0xcbdae1da>";
    let sixteen: Vec<_> = (1..=16).map(|n| format!("<{n} 0 0 0>")).collect();
    let shared = changed(ECHO, uuid, &format!("uuid = {}", sixteen.join(", ")));
    let manifest = echo(&shared).unwrap();
    assert_eq!(manifest.services.len(), 16);
    assert!(
        manifest
            .services
            .iter()
            .all(|s| s.messaging_method == 0x603)
    );
    let methods = format!("<1 2 3{}>", " 0x600".repeat(13));
    let each = changed(&shared, "<0x603>", &methods);
    let services = echo(&each).unwrap().services;
    assert_eq!(services[1].messaging_method, 2);
    assert_eq!(services[15].messaging_method, 0x600);
}

#[test]
fn options_of_this_project_are_opt_in() {
    let source = changed(
        ECHO,
        "boot-order = <0>;",
        "tantalum,smccc-strict; tantalum,eager-fp; image-uuid = <1 2 3 4>;",
    );
    let manifest = echo(&source).unwrap();
    assert!(manifest.smccc_strict && manifest.eager_fp);
    assert_eq!(manifest.image_uuid, Some(Uuid::from_words([1, 2, 3, 4])));
    let text = changed(
        ECHO,
        "boot-order = <0>;",
        "image-uuid = \"00000001-0000-0002-0000-000300000004\";",
    );
    assert_eq!(echo(&text).unwrap().image_uuid, manifest.image_uuid);
}

#[test]
fn what_a_partition_is_told_of_vms_stands_in_two_bits() {
    let with =
        |line: &str| echo(&changed(ECHO, "boot-order = <0>;", line)).map(|read| read.vm_events);
    assert_eq!(with(""), Ok(VmEvents::empty()));
    for bits in 0..4 {
        let line = format!("vm-availability-messages = <{bits}>;");
        assert_eq!(with(&line), Ok(VmEvents::from_bits(bits).unwrap()));
    }
    // Format 1.1.
    let line = "description = \"two\"; vm-availability-messages = <2>;";
    let source = SERVICES.replacen(
        "execution-ctx-count",
        &format!("{line} execution-ctx-count"),
        1,
    );
    assert_eq!(echo(&source).unwrap().vm_events, VmEvents::DESTROYED);
    // 1.1 is the first version that has them.
    let older = changed(
        ECHO,
        "messaging-method = <0x603>;",
        "messaging-method = <0x3>;",
    );
    for (version, bits, refused) in [(1, 3, false), (0, 0, false), (0, 1, true)] {
        let source = changed(&older, "0x00010002", &format!("0x0001000{version}"));
        let line = format!("vm-availability-messages = <{bits}>;");
        match echo(&changed(&source, "boot-order = <0>;", &line)) {
            Ok(_) => assert!(!refused, "{version} {bits}"),
            Err(error) => {
                assert!(refused, "{version} {bits}");
                assert_eq!(
                    error.to_string(),
                    "partition \"echo\": node /: property vm-availability-messages: found 0x1, wanted 0 with an ffa-version below 1.1"
                );
            }
        }
    }
}

#[test]
fn indirect_messages_stand_in_bit_2_from_1_1_on() {
    for (version, methods, refused) in [
        (2, 0x607, false),
        (1, 4, false),
        (0, 3, false),
        (0, 7, true),
    ] {
        let source = changed(ECHO, "0x00010002", &format!("0x0001000{version}"));
        match echo(&changed(&source, "<0x603>", &format!("<{methods}>"))) {
            Ok(read) => {
                assert!(!refused);
                assert_eq!(read.messaging_method(), methods);
            }
            Err(error) => {
                assert!(refused, "{error}");
                assert_eq!(
                    error.to_string(),
                    "partition \"echo\": node /: property messaging-method: found 0x7, wanted bit 2 (indirect) clear with an ffa-version below 1.1"
                );
            }
        }
    }
    // Of one service alone.
    let source = changed(
        SERVICES,
        "messaging-method = <0x200>;",
        "messaging-method = <0x4>;",
    );
    let read = echo(&source).unwrap();
    let methods: Vec<_> = read
        .services
        .iter()
        .map(|service| service.messaging_method)
        .collect();
    assert_eq!(methods, [3, 4]);
}

/// Lines from manifests in the field.
#[test]
fn what_only_informs_is_accepted() {
    for line in [
        "debug_name = \"x\";",
        "mem-size = <0xd80000>;",
        "run-time-model = <1>;",
        "has-primary-scheduler;",
        "auxiliary-id = <0xae>;",
        "time-slice-mem;",
        "managed-exit-virq;",
        "other-s-interrupts-action = <1>;",
        "vm-availability-messages = <0>;",
        "power-management-messages = <0xe>;",
        "own-setup { compatible = \"own,setup\"; own_flag; };",
    ] {
        let source = changed(ECHO, "gp-register-num = <0>;", line);
        echo(&source).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    for line in [
        "chosen { bootargs = \"\"; };",
        "gic { compatible = \"arm,gic-v3\"; };",
    ] {
        let source = changed(SPMC, "hypervisor {", &format!("{line} hypervisor {{"));
        spmc(&source).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    let flag = changed(
        SPMC,
        "vm1 {",
        "ffa_tee_enabled; other { debug_name = \"x\"; }; vm1 {",
    );
    assert_eq!(spmc(&flag).unwrap().partitions.len(), 2);
}

#[test]
fn an_id_without_bit_15_is_ignored_and_one_with_it_is_taken() {
    let with = |id| changed(ECHO, "boot-order = <0>;", &format!("id = <{id}>;"));
    assert_eq!(echo(&with("1")).unwrap().id, None);
    let id = echo(&with("0x8010")).unwrap().id;
    assert_eq!(id, Some(EndpointId(0x8010)));
}

#[test]
fn cells_of_addresses_and_sizes_are_counted_as_the_file_says() {
    // As on the FVP: sizes of one cell, several ranges in one node.
    let source = changed(SPMC, "#size-cells = <2>", "#size-cells = <1>");
    let source = changed(
        &source,
        "<0x0 0x0e300000 0x0 0x00d00000>",
        "<0x0 0x0e300000 0x00800000>, <0x1 0x0 0x00500000>",
    );
    let source = changed(
        &source,
        "<0x0 0x40000000 0x0 0x40000000>",
        "<0x0 0x40000000 0x40000000>",
    );
    let source = changed(
        &source,
        "<0x0 0x09040000 0x0 0x1000>",
        "<0x0 0x09040000 0x1000>",
    );
    let source = changed(
        &source,
        "<0x0 0x09000000 0x0 0x1000>",
        "<0x0 0x09000000 0x1000>",
    );
    // One cell for a core, and two threads in one node.
    let source = source.replace("reg = <0x0 0x300>", "reg = <0x301 0x300>");
    let source = source.replace("reg = <0x0 0x0>", "reg = <0x0>");
    let source = source.replace("reg = <0x0 0x200>", "reg = <0x200>");
    let source = source.replace("reg = <0x0 0x100>", "reg = <0x100>");
    let source = changed(
        &source,
        "#address-cells = <2>;\n\t\t#size-cells = <0>;",
        "#address-cells = <1>; #size-cells = <0>;",
    );
    let manifest = spmc(&source).unwrap();
    assert_eq!(manifest.cpus, [0, 0x301, 0x300, 0x200, 0x100]);
    assert_eq!(manifest.memory[0].range(), 0x0e30_0000..0x0eb0_0000);
    assert_eq!(manifest.memory[1].range(), 0x1_0000_0000..0x1_0050_0000);
    check_layout(&manifest, IMAGE).unwrap();
}

#[test]
fn a_blob_may_be_followed_by_anything() {
    let mut page = dts::compile(SPMC);
    page.resize(4096, 0xff);
    assert_eq!(SpmcManifest::parse(&page), spmc(SPMC));
    let mut room = dts::compile(ECHO);
    room.resize(0x3000, 0xff);
    assert_eq!(PartitionManifest::parse("echo", &room), echo(ECHO));
}

#[test]
fn partitions_boot_in_their_order_and_the_unordered_last() {
    let manifest = spmc(&SPMC.replace("vcpu_count = <4>", "vcpu_count = <1>")).unwrap();
    let partition = echo(SERVICES).unwrap();
    let (accepted, refused) = load(
        &manifest,
        &[(&partition, package()), (&partition, package())],
    );
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(accepted[0].id, EndpointId(0x8001));
    assert_eq!(accepted[0].region, 0x0e30_0000..0x0e40_0000);
    assert_eq!(accepted[0].entrypoint, 0x0e30_4000);
    assert_eq!(accepted[1].id, EndpointId(0x8002));
    assert_eq!(accepted[1].entrypoint, 0x0e40_4000);
    assert_eq!(boot_sequence(&accepted), [0, 1]);
    let order = |orders: &[u16]| {
        let mut all = Vec::new();
        for (entry, boot_order) in orders.iter().enumerate() {
            all.push(Accepted {
                entry,
                boot_order: *boot_order,
                ..accepted[0].clone()
            });
        }
        boot_sequence(&all)
    };
    assert_eq!(order(&[0xffff, 7, 0xffff, 0, 0xffff]), [3, 1, 0, 2, 4]);
    assert_eq!(order(&[]), []);
}

/// The manifests that the project boots with on QEMU.
#[test]
fn the_manifests_for_qemu_virt_fit_together() {
    let read = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fvp-configs/qemu-virt/");
        std::fs::read_to_string(format!("{folder}{name}")).unwrap()
    };
    let blob = dts::compile(&read("spmc.dts"));
    assert!(blob.len() <= SPMC_MANIFEST_LIMIT);
    let manifest = SpmcManifest::parse(&blob).unwrap();
    check_layout(&manifest, manifest.image().unwrap()).unwrap();
    let mut accepted = Vec::new();
    for (entry, file) in ["sp-echo.dts", "sp-relay.dts"].into_iter().enumerate() {
        let name = &manifest.partitions[entry].debug_name;
        check_memory(&manifest, entry, &accepted, &FIRMWARE).unwrap();
        let partition = PartitionManifest::parse(name, &dts::compile(&read(file))).unwrap();
        let loaded = check_partition(
            &manifest,
            entry,
            &partition,
            &package(),
            &accepted,
            &FIRMWARE,
        );
        accepted.push(loaded.unwrap_or_else(|error| panic!("{error}")));
    }
    assert_eq!(accepted.len(), manifest.partitions.len());
}
