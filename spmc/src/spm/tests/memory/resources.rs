//! `FFA_NS_RES_INFO_GET`.

use super::*;
use ffa_abi::memory::{AddressMap, MapFlags, MapPermissions, ResourceInfo};

const NS_RES_INFO_GET: u64 = 0xc400_008f;
const SUCCESS_64: u64 = 0xc400_0061;
const ID_VALID: u64 = 1;
const CONTINUE: u64 = 1 << 4;

/// The usual partitions and a normal world of 1.3.
fn of_1_3() -> Fixture {
    let mut f = Fixture::with(2, &USUAL);
    f.boot();
    f.nwd(frame(&[0x8400_0063, Version::V1_3.raw().into()]));
    Fixture::pairs(f)
}

/// One piece: its bytes, and how many are left.
fn piece(f: &mut Fixture, id: u16, flags: u64) -> Result<(Vec<u8>, u64), FfaError> {
    let answer = f.ask(&[NS_RES_INFO_GET, id.into(), flags])?;
    assert_eq!((answer[0], answer[1]), (SUCCESS_64, 0));
    assert_eq!(answer[3..], [0; 5]);
    let rx = f.rx();
    let bytes = f.machine.peek(rx, (answer[2] >> 32) as usize);
    f.release();
    Ok((bytes, answer[2] & 0xffff_ffff))
}

fn all(f: &mut Fixture, id: u16) -> Vec<AddressMap> {
    let flags = if id == 0 { 0 } else { ID_VALID };
    let (mut bytes, mut left) = piece(f, id, flags).unwrap();
    while left != 0 {
        let (more, still) = piece(f, id, flags | CONTINUE).unwrap();
        assert_eq!(still + more.len() as u64, left);
        bytes.extend(more);
        left = still;
    }
    let header = ResourceInfo::read(&bytes).unwrap();
    let maps: Vec<_> = header.maps(&bytes).unwrap().collect();
    assert_eq!(bytes.len(), 16 + 16 * maps.len());
    maps
}

const RW_BOTH: u8 = 0x33;
const RO_BOTH: u8 = 0x11;

fn by_manifest(slot: Slot) -> AddressMap {
    AddressMap {
        base: LOANED_MEMORY + u64::from(slot.0) * 4 * PAGE,
        pages: 4,
        permissions: MapPermissions::from_bits_retain(RW_BOTH),
        endpoint: id(slot),
        flags: MapFlags::empty(),
    }
}

#[test]
fn the_normal_world_is_told_what_partitions_have_of_its_memory() {
    let mut f = of_1_3();
    let loaned = [A, B, C, OLD, MUTE].map(by_manifest);
    assert_eq!(all(&mut f, 0), loaned);
    assert_eq!(all(&mut f, id(C).0), [by_manifest(C)]);
    // What is retrieved, and only as long as it is.
    let parts = [(Who::Vm.memory() + PAGE, 2), (Who::Vm.memory(), 1)];
    let both = [(id(B).0, RO), (id(C).0, RW)];
    let draft = share(Who::Vm, B).parts(&parts).to(&both);
    let handle = f.offer(Who::Vm, SHARE, &draft).unwrap();
    let request = retrieve(Who::Vm, B, handle).to(&both);
    f.fetch(Who::Partition(B), &request).unwrap();
    // A partition's own memory is not the normal world's, whoever has it.
    let own = f.offer(Who::Partition(A), SHARE, &share(Who::Partition(A), B));
    f.fetch(
        Who::Partition(B),
        &retrieve(Who::Partition(A), B, own.unwrap()),
    )
    .unwrap();
    f.turn_of(Who::Hypervisor);
    let borrowed = parts.map(|(base, pages)| AddressMap {
        base,
        pages,
        permissions: MapPermissions::from_bits_retain(RO_BOTH),
        endpoint: id(B),
        flags: MapFlags::INDIRECT,
    });
    let told = all(&mut f, id(B).0);
    assert_eq!(told[..1], [by_manifest(B)]);
    assert_eq!(told[1..], borrowed);
    assert_eq!(all(&mut f, 0).len(), 7);
    f.give_back(Who::Partition(B), handle, id(B), 0).unwrap();
    f.turn_of(Who::Hypervisor);
    assert_eq!(all(&mut f, 0), loaned);
}

#[test]
fn a_long_list_comes_in_pieces_and_waits_for_rx() {
    let mut f = of_1_3();
    // Of 512 descriptors, a header and 511 fit in two pages.
    let parts: Vec<_> = (0..700)
        .rev()
        .map(|n| (Who::Vm.memory() + n * PAGE, 1))
        .collect();
    let draft = share(Who::Vm, B).parts(&parts);
    let handle = f.offer(Who::Vm, SHARE, &draft).unwrap();
    f.fetch(Who::Partition(B), &retrieve(Who::Vm, B, handle))
        .unwrap();
    f.turn_of(Who::Hypervisor);
    let told = all(&mut f, id(B).0);
    assert_eq!(told.len(), 701);
    let bases: Vec<_> = told[1..].iter().map(|map| (map.base, map.pages)).collect();
    assert_eq!(bases, parts);
    assert_eq!(piece(&mut f, id(B).0, ID_VALID | CONTINUE), Err(Aborted));
    // RX that is full loses nothing.
    let (_, left) = piece(&mut f, id(B).0, ID_VALID).unwrap();
    assert_ne!(left, 0);
    f.call(frame(&[0x8400_0068]));
    assert_eq!(piece(&mut f, id(B).0, ID_VALID | CONTINUE), Err(Retry));
    f.release();
    // Another question is not the same list.
    let (rest, left) = piece(&mut f, id(B).0, ID_VALID | CONTINUE).unwrap();
    assert_eq!((rest.len(), left), (16 * (701 - 511), 0));
    piece(&mut f, id(B).0, ID_VALID).unwrap();
    assert_eq!(piece(&mut f, 0, CONTINUE), Err(Aborted));
    // Nor is it when something has changed.
    piece(&mut f, id(B).0, ID_VALID).unwrap();
    f.give_back(Who::Partition(B), handle, id(B), 0).unwrap();
    f.turn_of(Who::Hypervisor);
    assert_eq!(piece(&mut f, id(B).0, ID_VALID | CONTINUE), Err(Aborted));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut f = of_1_3();
    for (id, flags) in [
        (0, ID_VALID),
        (VM.0, ID_VALID),
        (0x8000, ID_VALID),
        (0x9000, ID_VALID),
        (id(B).0, 0),
        (0, 1 << 2),
        (0, 1 << 3),
        (0, 1 << 1),
        (0, 1 << 5),
        (0, 1 << 63),
    ] {
        assert_eq!(
            piece(&mut f, id, flags),
            Err(InvalidParameters),
            "{flags:#x}"
        );
    }
    assert_eq!(piece(&mut f, 0, CONTINUE), Err(Aborted));
    f.answered(frame(&[0x8400_0064, NS_RES_INFO_GET]), &DONE);
    f.answered(frame(&[0x8400_0067, 0]), &DONE);
    assert_eq!(piece(&mut f, 0, 0), Err(InvalidParameters));
    f.turn_of(Who::Partition(C));
    f.refused(frame(&[NS_RES_INFO_GET]), NotSupported);
    f.refused(frame(&[0x8400_0064, NS_RES_INFO_GET]), NotSupported);
    let mut f = Fixture::with_pairs();
    f.refused(frame(&[NS_RES_INFO_GET]), NotSupported);
    f.refused(frame(&[0x8400_0064, NS_RES_INFO_GET]), NotSupported);
}
