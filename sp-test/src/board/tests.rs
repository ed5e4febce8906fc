use super::*;

const VIRT: &Board = &qemu_virt::BOARD;
const FVP: &Board = &fvp_base_revc::BOARD;

#[test]
fn on_qemu_virt_everything_is_where_it_is() {
    for (window, place) in WINDOWS.iter().zip(VIRT.places) {
        assert_eq!(window.0, place);
    }
    assert_eq!(VIRT.place(0x7fff_ffff), 0x7fff_ffff);
}

#[test]
fn on_the_fvp_each_window_lies_elsewhere() {
    for (here, there) in [
        (0x0e10_0000, 0x0600_0000),
        (0x0e2f_ffff, 0x061f_ffff),
        (0x0e30_0000, 0x0700_0000),
        (0x0eff_ffff, 0x07cf_ffff),
        (0x4000_0000, 0x8000_0000),
        (0x5000_0000, 0x9000_0000),
        (0x5fff_ffff, 0x9fff_ffff),
        (0x6000_0000, 0x8800_0000),
        (0x603f_ffff, 0x883f_ffff),
        (0x6040_0000, 0xa040_0000),
        (0x7fff_ffff, 0xbfff_ffff),
        (0x0904_0000, 0x1c0b_0000),
        (0x0901_0000, 0x1c17_0000),
        (0x0903_0000, 0x2a83_0000),
        (0x090b_0fff, 0x2a49_0fff),
        (0x080b_0000, 0x2f11_0000),
    ] {
        assert_eq!(FVP.place(here), there, "{here:#x}");
    }
}

#[test]
fn an_address_in_no_window_has_no_place() {
    for address in [0, 0x0e00_1fff, 0x0f00_0000, 0x8000_0000, u64::MAX] {
        let placed = std::panic::catch_unwind(|| VIRT.place(address));
        assert!(placed.is_err(), "{address:#x}");
    }
}

#[test]
fn windows_are_pages_of_pages() {
    for board in BOARDS {
        for ((_, size), place) in WINDOWS.iter().zip(board.places) {
            assert!((size | place).is_multiple_of(0x1000), "{}", board.name);
        }
    }
}

#[test]
fn cores_have_the_affinities_of_the_board() {
    let of = |board: &Board| [0, 1, 3, 4, 7].map(|index| board.affinity(index));
    assert_eq!(of(VIRT), [0, 1, 3, 4, 7]);
    assert_eq!(of(FVP), [0, 0x100, 0x300, 0x1_0000, 0x1_0300]);
}

#[test]
fn boards_are_found_by_their_names() {
    for board in BOARDS {
        assert_eq!(by_name(board.name).unwrap().name, board.name);
    }
    assert!(by_name("fvp").is_none());
}

#[test]
fn lines_have_numbers_and_interrupts_of_their_own() {
    for line in Line::ALL {
        assert_eq!(Line::from_number(line as u64), Some(line));
        assert!((32..1020).contains(&line.intid()));
    }
    assert_eq!(Line::from_number(3), None);
    for board in BOARDS {
        let intids: std::collections::BTreeSet<_> = board.lines.iter().map(|l| l.intid).collect();
        assert_eq!(intids.len(), Line::ALL.len(), "{}", board.name);
    }
}
