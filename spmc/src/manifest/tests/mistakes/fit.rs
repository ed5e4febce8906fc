//! Manifests and packages that are good each for itself and do not fit together.

use super::*;

/// The two partitions of [`SPMC`], each with a manifest that fits.
fn fitting() -> (PartitionManifest, PartitionManifest) {
    (echo(ECHO).unwrap(), echo(SERVICES).unwrap())
}

#[test]
#[rustfmt::skip]
fn a_partition_that_does_not_fit_the_spmc_manifest_is_refused_and_the_other_loads() {
    let outside = "is outside secure memory, that is, any one range with device_type \"memory\"";
    let (echo, relay) = fitting();
    for (from, to, message) in [
        ("\n\t\t\tload_address = <0x0e300000>;", "load_address = <0x0e300800>;",
         "load_address: found 0xe300800, wanted a multiple of 4 KiB".to_string()),
        ("mem_size = <0x100000>;", "mem_size = <0>;",
         "mem_size: found 0x0, wanted a multiple of 4 KiB that is not 0".into()),
        ("mem_size = <0x100000>;", "mem_size = <0x100800>;",
         "mem_size: found 0x100800, wanted a multiple of 4 KiB that is not 0".into()),
        ("mem_size = <0x100000>;", "mem_size = <0xffffffff 0xfffff000>;",
         "mem_size: found 0xfffffffffffff000, wanted a size that does not go past the last address".into()),
        ("load_address = <0x0e300000>;", "load_address = <0x40000000>;",
         format!("load_address: 0x40000000-0x400fffff {outside}")),
        ("load_address = <0x0e300000>;", "load_address = <0x0e2ff000>;",
         "load_address: 0xe2ff000-0xe3fefff overlaps the SPMC's image, 0xe100000-0xe2fffff".into()),
        ("load_address = <0x0e300000>;", "load_address = <0x0ef80000>;",
         format!("load_address: 0xef80000-0xf07ffff {outside}")),
        ("vcpu_count = <4>;", "vcpu_count = <2>;",
         "vcpu_count: found 0x2, wanted 0x4, as execution-ctx-count in the partition's manifest".into()),
        ("vcpu_count = <4>;", "vcpu_count = <4>; smc_whitelist = <0x84000060>;",
         "smc_whitelist: found 0x84000060, wanted no call of FF-A: those are answered by the SPMC".into()),
        ("vcpu_count = <4>;", "vcpu_count = <4>; smc_whitelist = <0x82000010 0xc40000ef>;",
         "smc_whitelist: found 0xc40000ef, wanted no call of FF-A: those are answered by the SPMC".into()),
        ("vcpu_count = <4>;", "vcpu_count = <4>; smc_whitelist = <0x84000003>;",
         "smc_whitelist: found 0x84000003, wanted no call of PSCI: cores are not a partition's to switch".into()),
        ("vcpu_count = <4>;", "vcpu_count = <4>; smc_whitelist = <0xc400001f>;",
         "smc_whitelist: found 0xc400001f, wanted no call of PSCI: cores are not a partition's to switch".into()),
        ("vcpu_count = <4>;", "vcpu_count = <4>; smc_whitelist = <0x32000000>;",
         "smc_whitelist: found 0x32000000, wanted the id of a fast call, which has bit 31".into()),
        ("vcpu_count = <4>;", "vcpu_count = <4>; smc_whitelist = <0x72000000>;",
         "smc_whitelist: found 0x72000000, wanted the id of a fast call, which has bit 31".into()),
        ("vcpu_count = <4>;", "vcpu_count = <4>; smc_whitelist = <0xff03>;",
         "smc_whitelist: found 0xff03, wanted the id of a fast call, which has bit 31".into()),
        ("vcpu_count = <4>;", "vcpu_count = <4>; hyp_loaded;",
         "hyp_loaded: not implemented yet: partitions are loaded by the firmware, not by a hypervisor".into()),
    ] {
        let manifest = spmc(&changed(SPMC, from, to)).unwrap();
        let (accepted, refused) = load(&manifest, &[(&echo, package()), (&relay, package())]);
        assert_eq!(refused, [format!("SPMC manifest: node /hypervisor/vm1: property {message}")]);
        assert_eq!((accepted.len(), accepted[0].name.as_str()), (1, "relay"));
    }
    let manifest = spmc(&changed(SPMC, "load_address = <0x0 0x0e400000>;", "load_address = <0x0e3ff000>;")).unwrap();
    let (accepted, refused) = load(&manifest, &[(&echo, package()), (&relay, package())]);
    assert_eq!(refused, ["SPMC manifest: node /hypervisor/vm2: property load_address: \
        0xe3ff000-0xe5fefff overlaps partition \"echo\", 0xe300000-0xe3fffff"]);
    assert_eq!((accepted.len(), accepted[0].name.as_str()), (1, "echo"));
}

#[test]
#[rustfmt::skip]
fn a_partition_that_does_not_fit_its_package_or_the_machine_is_refused() {
    let manifest = spmc(SPMC).unwrap();
    let (echo, relay) = fitting();
    let part = |manifest, image| Package { manifest, image, hob_list: None };
    type Case<'a> = (fn(&mut PartitionManifest), Package, &'a str);
    let cases: [Case<'_>; _] = [
        (|m| m.load_address = Some(0x0e40_0000), package(),
         "partition \"echo\": node /: property load-address: found 0xe400000, wanted 0xe300000, as load_address in the SPMC manifest"),
        (|m| m.entrypoint_offset = 0, package(),
         "partition \"echo\": node /: property entrypoint-offset: found 0x0, wanted 0x4000-0x23fff (the image in the package, a multiple of 4)"),
        (|m| m.entrypoint_offset = 0x4002, package(),
         "partition \"echo\": node /: property entrypoint-offset: found 0x4002, wanted 0x4000-0x23fff (the image in the package, a multiple of 4)"),
        (|m| m.entrypoint_offset = u64::MAX, package(),
         "partition \"echo\": node /: property entrypoint-offset: found 0xffffffffffffffff, wanted 0x4000-0x23fff (the image in the package, a multiple of 4)"),
        (|m| m.execution_ctx_count = 2, package(),
         "partition \"echo\": node /: property execution-ctx-count: found 0x2, wanted 0x4, the number of cores, or 1"),
        (|m| m.execution_ctx_count = 0, package(),
         "partition \"echo\": node /: property execution-ctx-count: found 0x0, wanted 0x4, the number of cores, or 1"),
        (|_| {}, part(0x1000..0x1400, 0x4000..0x10_1000),
         "package of partition \"echo\": image at offset 0x4000 with 0xfd000 bytes does not fit in 0x100000 bytes of memory behind the header"),
        (|_| {}, part(0xfff00..0x10_0100, 0x4000..0x8000),
         "package of partition \"echo\": manifest at offset 0xfff00 with 0x200 bytes does not fit in 0x100000 bytes of memory behind the header"),
        (|_| {}, part(0x40..0x400, 0x4000..0x8000),
         "package of partition \"echo\": 0x40-0x3ff is outside what is left behind the first page, which carries the boot information"),
        (|m| m.gp_register_num = None, part(0x1000..0x1400, 0x800..0x8000),
         "package of partition \"echo\": 0x800-0x7fff is outside what is left behind the first page, which carries the boot information"),
    ];
    for (change, package_of_echo, message) in cases {
        let mut changed = echo.clone();
        change(&mut changed);
        let (accepted, refused) = load(&manifest, &[(&changed, package_of_echo), (&relay, package())]);
        assert_eq!(refused, [message]);
        assert_eq!((accepted.len(), accepted[0].name.as_str()), (1, "relay"));
    }
}

#[test]
fn a_boot_order_or_an_id_that_is_taken_is_refused() {
    let manifest = spmc(SPMC).unwrap();
    let (echo, relay) = fitting();
    let second = |relay: PartitionManifest| {
        let (_, refused) = load(&manifest, &[(&echo, package()), (&relay, package())]);
        refused.join("; ")
    };
    let same_order = PartitionManifest {
        boot_order: 0,
        ..relay.clone()
    };
    assert_eq!(
        second(same_order),
        "partition \"relay\": node /: property boot-order: found 0x0, already taken by partition \
         \"echo\""
    );
    let same_id = PartitionManifest {
        id: Some(ffa_abi::EndpointId(0x8001)),
        ..relay.clone()
    };
    assert_eq!(
        second(same_id),
        "partition \"relay\": node /: property id: found 0x8001, already taken by partition \
         \"echo\""
    );
    let other_id = PartitionManifest {
        id: Some(ffa_abi::EndpointId(0x8020)),
        ..relay.clone()
    };
    assert_eq!(second(other_id), "");
    let high = spmc(&changed(SPMC, "vm2 {", "vm32704 {")).unwrap();
    let (_, refused) = load(&high, &[(&echo, package()), (&relay, package())]);
    assert_eq!(
        refused,
        [
            "SPMC manifest: node /hypervisor/vm32704: found \"vm32704\", wanted a number that gives \
          an id of 0x8001 to 0xffbf"
        ]
    );
    let error = check_partition(&manifest, 2, &relay, &package(), &[], &FIRMWARE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "SPMC manifest: node /hypervisor: missing, wanted as many partitions as are loaded"
    );
}
