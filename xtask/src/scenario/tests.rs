//! What every scenario promises, on every board.

use super::*;
use crate::{
    assemble,
    board::{BOARDS, FVP_BASE_REVC, QEMU_VIRT},
};
use std::collections::HashSet;

#[test]
fn names_are_unique() {
    for board in BOARDS {
        let all = all(board);
        let names: HashSet<_> = all.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all.len());
    }
}

#[test]
fn only_some_scenarios_are_not_for_every_board() {
    let names = |board| {
        let all = all(board);
        all.iter()
            .map(|scenario| scenario.name)
            .collect::<HashSet<_>>()
    };
    // It takes a gibibyte that is memory to its end.
    let of_one_board = HashSet::from(["memory-large"]);
    assert_eq!(&names(&QEMU_VIRT) - &names(&FVP_BASE_REVC), of_one_board);
    assert!(
        SMOKE
            .iter()
            .all(|name| names(&FVP_BASE_REVC).contains(name))
    );
}

fn manifests(scenario: &Scenario) -> Vec<&Manifest> {
    let partitions = scenario
        .partitions
        .iter()
        .map(|partition| &partition.manifest);
    let vms = scenario.vms.iter().map(|vm| &vm.manifest);
    let first = [&scenario.spmc, &scenario.vm];
    partitions.chain(first).chain(vms).collect()
}

#[test]
fn every_change_of_a_manifest_fits_its_file() {
    for scenario in all(&FVP_BASE_REVC) {
        for manifest in manifests(&scenario) {
            let text = assemble::manifest_text(&QEMU_VIRT, manifest);
            assert!(text.is_ok(), "{}: {text:?}", scenario.name);
        }
    }
}

/// Hexadecimal numbers of a manifest that may be addresses: not those of services and calls, nor the
/// sizes in `reg`.
fn addresses(text: &str) -> Vec<(u64, &str)> {
    let others = ["uuid", "smc_whitelist", "size"];
    text.lines()
        .filter(|line| !others.iter().any(|other| line.contains(other)))
        .flat_map(|line| {
            let number = |text: &str| u64::from_str_radix(text, 16).ok();
            let cells = line.split("0x").skip(1).enumerate().filter(|(cell, _)| {
                // The size in `reg`.
                *cell != 3
            });
            let cells = cells.filter_map(move |(_, rest)| {
                let end = rest
                    .find(|c: char| !c.is_ascii_hexdigit())
                    .unwrap_or(rest.len());
                number(&rest[..end])
            });
            let unit = line
                .split_once('@')
                .and_then(|(_, unit)| number(unit.trim_end_matches([' ', '{'])));
            cells.chain(unit).map(move |value| (value, line))
        })
        .collect()
}

#[test]
fn no_manifest_keeps_an_address_of_another_board() {
    let board = &FVP_BASE_REVC;
    let mut seen = 0;
    for scenario in all(board) {
        for manifest in manifests(&scenario) {
            let text = assemble::manifest_text(board, manifest).unwrap();
            for (address, line) in addresses(&text) {
                assert_eq!(board.place(address), address, "{}: {line}", scenario.name);
            }
            let original = assemble::manifest_text(&QEMU_VIRT, manifest).unwrap();
            seen += addresses(&original)
                .iter()
                .filter(|(address, _)| board.place(*address) != *address)
                .count();
        }
    }
    assert!(seen > 1000, "{seen}");
}

#[test]
fn no_expected_text_keeps_an_address_of_another_board() {
    let board = &FVP_BASE_REVC;
    for scenario in all(board) {
        for text in &scenario.expect {
            let once = board.text(text.part);
            assert_eq!(board.text(&once), once, "{}", scenario.name);
        }
    }
}

#[test]
fn every_manifest_compiles_on_every_board_and_has_room() {
    let folder = std::env::temp_dir().join(format!("tantalum-manifests-{}", std::process::id()));
    for board in BOARDS {
        let mut compiled = HashSet::new();
        for scenario in all(board) {
            let room = board.flow(scenario.flow).unwrap().manifest_room;
            for manifest in manifests(&scenario) {
                let text = assemble::manifest_text(board, manifest).unwrap();
                if !compiled.insert(text.clone()) {
                    continue;
                }
                let blob = crate::firmware::compile_dts("manifest", &text, &folder);
                let blob = blob.unwrap_or_else(|error| panic!("{}: {error:#}", scenario.name));
                let of_spmc = std::ptr::eq(manifest, &scenario.spmc);
                assert!(!of_spmc || blob.len() <= room, "{}", scenario.name);
            }
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn every_boot_has_names_of_its_own_for_its_partitions_and_vms() {
    for scenario in all(&FVP_BASE_REVC) {
        let partitions = scenario.partitions.iter().map(|partition| partition.name);
        let vms = scenario.vms.iter().map(|vm| vm.name);
        // Files of these names are made for each boot.
        let all: Vec<_> = partitions.chain(vms).chain(["spmc", "vm"]).collect();
        let names: HashSet<_> = all.iter().collect();
        assert_eq!(names.len(), all.len(), "{}", scenario.name);
        let only_one = matches!(scenario.bl33, Bl33::Direct(_));
        assert!(!only_one || scenario.vms.is_empty(), "{}", scenario.name);
    }
}
