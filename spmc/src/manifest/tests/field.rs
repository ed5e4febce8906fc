//! Manifests as those in the field are, and each property of regions, RX/TX buffers, the life cycle
//! and whitelists in its good case.

use super::*;

/// Boots the operating system and the store.
fn both(field: &str, os: &str, store: &str) -> Vec<Accepted> {
    let packages = [packed(&dts::compile(os)), listed(&dts::compile(store))];
    let (accepted, refused) = boot(field, &[&packages[0], &packages[1]]).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    accepted
}

fn store(source: &str) -> PartitionManifest {
    PartitionManifest::parse("store", &dts::compile(source)).unwrap()
}

const R: Access = Access {
    read: true,
    write: false,
    execute: false,
};
const RW: Access = Access { write: true, ..R };
const RX: Access = Access { execute: true, ..R };

#[test]
fn a_systems_manifests_fit_together() {
    let accepted = both(FIELD, OS, STORE);
    let [os, store] = accepted.as_slice() else {
        panic!("{accepted:?}");
    };
    // "id = <1>" is no partition's: the entry's number counts.
    assert_eq!((os.id.0, store.id.0), (0x8001, 0x8010));
    assert!(os.memory.is_empty() && os.rx_tx.is_none());
    let mapped = |range, access| Mapped {
        range,
        access,
        normal_world: false,
        inside: false,
        exclusive: false,
    };
    assert_eq!(os.devices, [mapped(0x1c0a_0000..0x1c0a_1000, RW)]);
    let inside = |range, access| Mapped {
        inside: true,
        ..mapped(range, access)
    };
    let normal = |range, access| Mapped {
        normal_world: true,
        ..mapped(range, access)
    };
    let (rx, tx) = (0x0740_0000..0x0740_4000, 0x0740_4000..0x0740_8000);
    assert_eq!(
        store.memory,
        [
            mapped(rx.clone(), RW),
            mapped(tx.clone(), RW),
            inside(0x0700_4000..0x0701_4000, RX),
            inside(0x0701_4000..0x0702_4000, R),
            normal(0x8100_0000..0x8101_0000, RW),
        ]
    );
    assert_eq!(store.rx_tx, Some((rx, tx)));
    assert_eq!(
        store.devices,
        [
            Mapped {
                exclusive: true,
                ..normal(0x0c00_0000..0x0e00_0000, RW)
            },
            normal(0x1c17_0000..0x1c17_1000, R),
            mapped(0x1c0b_0000..0x1c0b_1000, RW),
        ]
    );
}

#[test]
fn the_manifest_says_what_its_source_says() {
    let manifest = store(STORE);
    assert!(manifest.lifecycle && manifest.boot_info_fdt && manifest.boot_info_hob);
    assert_eq!(manifest.abort_action, Some(AbortAction::Restart));
    assert_eq!(manifest.rx_tx, Some(RxTx { rx: 0, tx: 1 }));
    let text = &manifest.memory_regions[2];
    assert_eq!((text.base, text.pages), (Base::Offset(0x4000), 16));
    assert_eq!((text.access, text.name.as_str()), (RX, "text"));
    let buffer = &manifest.memory_regions[4];
    assert_eq!(buffer.base, Base::Address(0x8100_0000));
    assert!(buffer.normal_world);
    let flash = &manifest.device_regions[0];
    assert!(flash.exclusive && flash.normal_world);
    assert_eq!((flash.base, flash.pages), (0x0c00_0000, 0x2000));

    let entries = spmc(FIELD).unwrap().partitions;
    assert_eq!(
        entries[0].smc_whitelist,
        [0x8200_0010, 0xc200_0011, 0x8300_0001]
    );
    assert!(!entries[0].smc_whitelist_permissive && entries[1].smc_whitelist_permissive);
}

#[test]
fn the_life_cycle_is_off_without_its_flag_and_has_four_abort_actions() {
    let os = PartitionManifest::parse("os", &dts::compile(OS)).unwrap();
    assert!(!os.lifecycle && os.abort_action.is_none() && !os.boot_info_hob);
    let none = changed(STORE, "abort-action = <2>;", "");
    assert_eq!(store(&none).abort_action, None);
    for (number, action) in [
        AbortAction::Stop,
        AbortAction::Destroy,
        AbortAction::Restart,
        AbortAction::Propagate,
    ]
    .into_iter()
    .enumerate()
    {
        let with = changed(
            STORE,
            "abort-action = <2>",
            &format!("abort-action = <{number}>"),
        );
        assert_eq!(store(&with).abort_action, Some(action));
    }
}

#[test]
fn memory_has_any_permissions_that_include_read() {
    for (attributes, write, execute) in [
        (1, false, false),
        (3, true, false),
        (5, false, true),
        (7, true, true),
        (9, false, false),
        (13, false, true),
    ] {
        let source = changed(
            STORE,
            "attributes = <0x1>",
            &format!("attributes = <{attributes}>"),
        );
        let region = &store(&source).memory_regions[3];
        let access = Access {
            read: true,
            write,
            execute,
        };
        assert_eq!(
            (region.access, region.normal_world),
            (access, attributes & 8 != 0)
        );
    }
}

#[test]
fn devices_are_shared_unless_one_of_both_says_exclusive() {
    let mine = "base-address = <0x0 0x1c0b0000>;";
    let accepted = both(
        FIELD,
        OS,
        &changed(STORE, mine, "base-address = <0x1c0a0000>;"),
    );
    assert_eq!(accepted[0].devices[0].range, accepted[1].devices[2].range);
}

#[test]
fn sixteen_regions_of_each_kind_and_sixteen_uuids_fit() {
    let (memory, devices) = regions(16);
    let uuids: Vec<_> = (1..=16).map(|n| format!("<{n} 0 0 0>")).collect();
    let source = changed(
        OS,
        "device-regions {",
        &format!("{memory} device-regions {{ {devices}"),
    );
    let uuid = "<0x486178e0 0xe7f811e3 0xbc5e0002 0xa5d5c51b>";
    let source = changed(&source, uuid, &uuids.join(","));
    let accepted = both(FIELD, &source, STORE);
    assert_eq!(
        (accepted[0].memory.len(), accepted[0].devices.len()),
        (16, 16)
    );
}

/// `count` memory regions in their node, and one device region less, since there is one already.
pub fn regions(count: u32) -> (String, String) {
    let region = |n: u32, base: u32| {
        let base = base + 0x2000 * n;
        format!("r{n} {{ base-address = <{base}>; pages-count = <2>; attributes = <3>; }};")
    };
    let memory: String = (0..count).map(|n| region(n, 0x0750_0000)).collect();
    let devices: String = (1..count).map(|n| region(n, 0x8200_0000)).collect();
    let compatible = "compatible = \"arm,ffa-manifest-memory-regions\";";
    (
        format!("memory-regions {{ {compatible} {memory} }};"),
        devices.replace("attributes = <3>", "attributes = <11>"),
    )
}

#[test]
fn sixteen_partitions_and_eight_cores_fit_in_the_largest_manifest() {
    let vms: String = (1..=16)
        .map(|n| {
            format!(
                "vm{n} {{ is_ffa_partition; debug_name = \"sp{n}\"; vcpu_count = <8>; \
                 load_address = <{}>; mem_size = <0x100000>; }};",
                0x0620_0000 + n * 0x10_0000
            )
        })
        .collect();
    let (before, rest) = FIELD.split_once("vm1 {").unwrap();
    let (_, after) = rest.split_once("cpus {").unwrap();
    let source = format!("{before} {vms} }}; cpus {{ {after}");
    let packages: Vec<_> = (1..=16)
        .map(|n| {
            let os = changed(OS, "boot-order = <0>;", &format!("boot-order = <{n}>;"));
            packed(&dts::compile(&changed(
                &os,
                "load-address = <0x06280000>;",
                "",
            )))
        })
        .collect();
    let partitions: Vec<_> = packages.iter().map(Vec::as_slice).collect();
    let (accepted, refused) = boot(&source, &partitions).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(accepted.len(), 16);
    assert_eq!(spmc(&source).unwrap().cpus.len(), 8);
}

#[test]
fn calls_beside_those_of_ffa_and_psci_may_be_listed() {
    // The neighbours of both ranges, and TRNG's between them.
    let ids: Vec<_> = [0x20, 0x50, 0x5f, 0xf0]
        .into_iter()
        .flat_map(|low| [0x8400_0000 | low, 0xc400_0000 | low, 0x8700_0060 | low])
        .chain((0x8200_0000..).take(20))
        .map(|id: u32| format!("{id:#x}"))
        .collect();
    let list = "<0x82000010 0xc2000011 0x83000001>";
    let source = changed(FIELD, list, &format!("<{}>", ids.join(" ")));
    both(&source, OS, STORE);
    assert_eq!(spmc(&source).unwrap().partitions[0].smc_whitelist.len(), 32);
}

#[test]
fn a_region_may_cover_all_of_the_partitions_own_memory() {
    let text = "load-address-relative-offset = <0x0 0x4000>;\n\t\t\tpages-count = <16>;\n\t\t\tattributes = <0x5>;";
    let source = changed(
        STORE,
        text,
        "load-address-relative-offset = <0>; pages-count = <20>; attributes = <7>;",
    );
    let accepted = both(FIELD, OS, &source);
    let first = &accepted[1].memory[2];
    assert_eq!((first.range.start, first.inside), (0x0700_0000, true));
}
