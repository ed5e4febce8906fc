use super::*;

#[test]
fn a_core_number_comes_from_the_affinity_alone() {
    assert_eq!(QEMU_VIRT.linear_index(0x8000_0000), Some(0));
    assert_eq!(QEMU_VIRT.linear_index(0x8100_0003), Some(3));
    assert_eq!(QEMU_VIRT.linear_index(7), Some(7));
    assert_eq!(FVP_BASE_REVC.linear_index(0x8100_0000), Some(0));
    assert_eq!(FVP_BASE_REVC.linear_index(0x8101_0300), Some(7));
}

#[test]
fn an_impossible_affinity_has_no_number() {
    assert_eq!(QEMU_VIRT.linear_index(8), None);
    assert_eq!(QEMU_VIRT.linear_index(0x100), None);
    assert_eq!(QEMU_VIRT.linear_index(0x1_0000), None);
    assert_eq!(QEMU_VIRT.linear_index(0x1_0000_0000), None);
    assert_eq!(FVP_BASE_REVC.linear_index(0x1), None);
    assert_eq!(FVP_BASE_REVC.linear_index(0x400), None);
    assert_eq!(FVP_BASE_REVC.linear_index(0x2_0000), None);
    assert_eq!(FVP_BASE_REVC.linear_index(u64::MAX), None);
}

#[test]
fn number_and_affinity_are_inverse() {
    for board in BOARDS {
        for index in 0..board.max_cpus {
            let affinity = board.affinity(index).unwrap();
            assert_eq!(board.linear_index(affinity), Some(index), "{}", board.name);
        }
        assert_eq!(board.affinity(board.max_cpus), None);
    }
}

#[test]
fn regions_compare_without_overflow() {
    let region = Region::new(0x1000, 0x1000);
    assert!(region.contains(0x1000, 0x1000));
    assert!(region.contains(0x2000, 0));
    assert!(!region.contains(0xfff, 2));
    assert!(!region.contains(0x1800, u64::MAX));
    assert!(!region.overlaps(&Region::new(0x2000, 0x1000)));
    assert!(region.overlaps(&Region::new(0, u64::MAX)));
    assert!(!region.overlaps(&Region::new(0x1800, 0)));
    assert_eq!(Region::new(u64::MAX, 2).end(), u64::MAX);
}

#[test]
fn a_board_has_a_name_of_its_own() {
    for (index, board) in BOARDS.iter().enumerate() {
        assert_eq!(by_name(board.name), Some(*board));
        assert!(BOARDS[index + 1..].iter().all(|o| o.name != board.name));
    }
    for unknown in ["", "qemu", "qemu-virt ", "fvp-base-revd"] {
        assert_eq!(by_name(unknown), None, "{unknown:?}");
    }
}

#[test]
fn the_message_about_an_unknown_board_names_them_all() {
    let names: Vec<&str> = BOARDS.iter().map(|board| board.name).collect();
    let message = format!(
        "\"TANTALUM_BOARD is none of the boards: {}\"",
        names.join(", ")
    );
    assert!(include_str!("mod.rs").contains(&message), "{message}");
}

#[test]
fn no_board_contradicts_itself() {
    for board in BOARDS {
        memory_fits(board);
        let needed = board.gic.redistributor_stride * board.max_cpus as u64;
        assert!(board.gic.redistributors.size >= needed, "{}", board.name);
        nothing_overlaps(board);
    }
}

/// Images, configuration and firmware lie in the RAM that they should, and none in another.
fn memory_fits(board: &Board) {
    let name = board.name;
    let secure = |region: &Region| board.is_secure_ram(region.base, region.size);
    let normal = |region: &Region| board.is_normal_ram(region.base, region.size);
    assert!(secure(&board.secure_image), "{name}");
    for firmware in board.secure_firmware {
        assert!(secure(firmware), "{name}: {firmware:x?}");
        assert!(!board.secure_image.overlaps(firmware), "{name}");
    }
    for config in board.secure_config {
        let kept = board.secure_firmware.iter();
        assert!(
            kept.clone().any(|f| f.contains(config.base, config.size)),
            "{name}: {config:x?}"
        );
    }
    assert!(normal(&board.normal_image), "{name}");
    assert!(normal(&board.normal_device_tree), "{name}");
    assert!(
        !board.normal_image.overlaps(&board.normal_device_tree),
        "{name}"
    );
    // Images relocate themselves to multiples of 64 KiB.
    for image in [&board.secure_image, &board.normal_image] {
        assert!(image.base.is_multiple_of(0x1_0000), "{name}: {image:x?}");
    }
}

/// Each address has one use.
fn nothing_overlaps(board: &Board) {
    let mut regions: Vec<Region> = board.devices.iter().map(|device| device.region).collect();
    regions.extend([
        board.gic.distributor,
        board.gic.redistributors,
        board.uart_secure.region,
        board.uart_normal.region,
    ]);
    regions.extend(board.uart_partitions.map(|uart| uart.region));
    regions.extend(board.secure_ram);
    regions.extend(board.normal_ram);
    for (index, region) in regions.iter().enumerate() {
        for other in &regions[index + 1..] {
            assert!(
                !region.overlaps(other),
                "{}: {region:x?} {other:x?}",
                board.name
            );
        }
    }
}

#[test]
fn a_device_is_found_by_its_name() {
    assert_eq!(QEMU_VIRT.device("rtc").unwrap().region.base, 0x0901_0000);
    let watchdog = FVP_BASE_REVC.device("trusted-watchdog").unwrap();
    assert_eq!(watchdog.region.base, 0x2a49_0000);
    assert_eq!(watchdog.world, World::Secure);
    assert!(QEMU_VIRT.device("").is_none());
}

#[test]
fn a_configuration_ends_before_what_follows_it() {
    let fvp = &FVP_BASE_REVC;
    assert_eq!(fvp.config_at(0x0400_1500, 4096), Some(0xb00));
    assert_eq!(fvp.config_at(0x0403_f000, 4096), Some(4096));
    assert_eq!(QEMU_VIRT.config_at(0x0e00_2000, 4096), Some(4096));
    // Wherever else the firmware puts it, it has what it may have at most.
    assert_eq!(fvp.config_at(0x0620_0008, 4096), Some(4096));
    // Not in secure RAM, or not all of it.
    for address in [0, 0x0407_f008, 0x8000_0000, u64::MAX] {
        assert_eq!(fvp.config_at(address, 4096), None, "{address:#x}");
    }
}

#[test]
fn what_the_images_use_is_nobody_elses() {
    for board in BOARDS {
        let own = [
            board.secure_el2_timer,
            board.normal_el2_timer,
            board.virtual_timer,
            board.gic_maintenance,
        ];
        let reserved = board.reserved_intids;
        assert!(own.iter().all(|intid| reserved.contains(intid)));
        let there = 16..board.gic.intids_end;
        assert!(reserved.iter().all(|intid| there.contains(intid)));
    }
}
