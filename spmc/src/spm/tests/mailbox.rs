//! RX/TX pairs: who may map what, and whose the RX buffer is in every order of calls.

use super::fixture::*;
use crate::spm::{MAX_VM_BUFFERS, Next};
use ffa_abi::{
    EndpointId,
    FfaError::{self, Aborted, Busy, Denied, InvalidParameters, NoMemory, NotSupported},
    Function,
    fid::raw::*,
    rxtx::{Buffer, ForwardedMap},
};

const PAGE: u64 = 4096;
/// An address of the normal world.
const NORMAL: u64 = NORMAL_MEMORY.start;
const DONE: [u64; 1] = [SUCCESS_32 as u64];

fn map(tx: u64, rx: u64, pages: u64) -> Frame {
    frame(&[Function::RxtxMap.raw64().into(), tx, rx, pages])
}

fn unmap(vm: u16) -> Frame {
    frame(&[Function::RxtxUnmap.raw32().into(), u64::from(vm) << 16])
}

fn release(vm: u16) -> Frame {
    frame(&[Function::RxRelease.raw32().into(), vm.into()])
}

fn acquire(vm: u16) -> Frame {
    frame(&[Function::RxAcquire.raw32().into(), vm.into()])
}

/// `FFA_PARTITION_INFO_GET` of all: it fills RX.
fn info() -> Frame {
    frame(&[Function::PartitionInfoGet.raw32().into()])
}

/// Puts a forwarded map into the hypervisor's TX buffer.
fn forward(f: &mut Fixture, endpoint: u16, tx: (u64, u32), rx: (u64, u32)) {
    let buffer = |(base, pages)| Buffer { base, pages };
    let map = ForwardedMap {
        endpoint: EndpointId(endpoint),
        tx: buffer(tx),
        rx: buffer(rx),
    };
    let mut bytes = [0; 128];
    let size = map.write(&mut bytes).unwrap();
    f.machine.poke(NORMAL, &bytes[..size]);
}

/// A hypervisor with its own pair, on which more can be built.
fn hypervisor() -> Fixture {
    let mut f = Fixture::new();
    f.answered(map(NORMAL, NORMAL + PAGE, 1), &DONE);
    f
}

/// Whoever has the core maps and is refused; no window stays open.
#[track_caller]
fn map_refused(f: &mut Fixture, call: Frame, error: FfaError) {
    let windows = f.machine.windows.clone();
    f.refused(call, error);
    assert_eq!(f.machine.windows, windows);
}

#[test]
fn a_pair_of_one_to_four_pages_is_mapped_and_unmapped_by_each_endpoint() {
    for pages in 1..=4 {
        let mut f = Fixture::new();
        let size = pages * PAGE;
        for _ in 0..2 {
            f.answered(map(NORMAL + size, NORMAL, pages), &DONE);
            map_refused(&mut f, map(NORMAL + 0x8000, NORMAL + 0xc000, 1), Denied);
            f.nwd_runs(A);
            let own = Fake::memory(A);
            f.answered(map(own, own + size, pages), &DONE);
            map_refused(&mut f, map(own + 0x9000, own + 0xa000, 1), Denied);
            assert_eq!(f.machine.windows.len(), 4);
            f.answered(unmap(0), &DONE);
            f.refused(unmap(0), InvalidParameters);
            f.sp(msg_wait());
            f.answered(unmap(0), &DONE);
            f.refused(unmap(0), InvalidParameters);
            assert!(f.machine.windows.is_empty());
        }
    }
}

#[test]
fn the_32_bit_form_is_served_too() {
    let mut f = Fixture::new();
    let mut call = map(NORMAL | 0xdead << 32, (NORMAL + PAGE) | 0xbeef << 32, 1);
    call[0] = Function::RxtxMap.raw32().into();
    f.answered(call, &DONE);
    assert_eq!(f.machine.windows[1].base, NORMAL + PAGE);
}

#[test]
fn what_is_no_pair_is_refused() {
    let mut f = Fixture::new();
    for partition in [false, true] {
        let base = if partition {
            f.nwd_runs(A);
            Fake::memory(A)
        } else {
            NORMAL
        };
        for (tx, rx, pages) in [
            (base, base + PAGE, 5),
            (base, base + PAGE, 0xffff_ffff),
            (base, base + PAGE, 1 << 6 | 1),
            (base + 1, base + PAGE, 1),
            (base, base + PAGE + 0x800, 1),
            (base, base, 1),
            (base, base + PAGE, 2),
            (base + 3 * PAGE, base, 4),
            (!0xfff, base, 1),
            (base, !0xfff, 1),
        ] {
            map_refused(&mut f, map(tx, rx, pages), InvalidParameters);
        }
    }
    // All zero is a forwarded map from the normal world, and nothing from a partition.
    map_refused(&mut f, map(0, 0, 0), InvalidParameters);
}

#[test]
fn only_own_memory_can_be_a_buffer() {
    let mut f = Fixture::new();
    for address in [0, PARTITION_MEMORY, NORMAL_MEMORY.end, NORMAL - PAGE] {
        map_refused(&mut f, map(address, NORMAL, 1), Denied);
        map_refused(&mut f, map(NORMAL, address, 1), Denied);
    }
    // The last page reaches beyond.
    map_refused(&mut f, map(NORMAL_MEMORY.end - PAGE, NORMAL, 2), Denied);
    f.nwd_runs(A);
    let (own, other) = (Fake::memory(A), Fake::memory(B));
    // Nothing, another's, the normal world's, read-only.
    for address in [PAGE, other, NORMAL, own + 0xf000] {
        map_refused(&mut f, map(address, own, 1), InvalidParameters);
        map_refused(&mut f, map(own, address, 1), InvalidParameters);
    }
}

#[test]
fn without_room_nothing_is_left_behind() {
    let mut f = Fixture::new();
    for room in 0..2 {
        f.machine.room = Some(room);
        map_refused(&mut f, map(NORMAL, NORMAL + PAGE, 1), NoMemory);
        assert_eq!(f.machine.room, Some(room));
    }
    f.machine.room = Some(2);
    f.answered(map(NORMAL, NORMAL + PAGE, 1), &DONE);
}

#[test]
fn pairs_of_vms_are_mapped_by_the_hypervisor() {
    let mut f = hypervisor();
    for (vm, at) in [(1, 0x4001_0000), (2, 0x4002_0000)] {
        forward(&mut f, vm, (at, 2), (at + 2 * PAGE, 2));
        f.answered(map(0, 0, 0), &DONE);
        map_refused(&mut f, map(0, 0, 0), Denied);
    }
    assert_eq!(f.machine.windows.len(), 6);
    // The pages of another, whole or in part.
    for at in [0x4001_0000, 0x4002_3000] {
        forward(&mut f, 3, (at, 1), (0x4003_0000, 1));
        map_refused(&mut f, map(0, 0, 0), Denied);
        forward(&mut f, 3, (0x4003_0000, 1), (at, 1));
        map_refused(&mut f, map(0, 0, 0), Denied);
    }
    for unknown in [3, 0x7fff, 0x8001, 0xffff] {
        f.refused(unmap(unknown), InvalidParameters);
    }
    f.answered(unmap(1), &DONE);
    f.refused(unmap(1), InvalidParameters);
    forward(&mut f, 3, (0x4001_0000, 1), (0x4001_1000, 1));
    f.answered(map(0, 0, 0), &DONE);
    // The hypervisor's own pair may go before those of its VMs.
    f.answered(unmap(0), &DONE);
    map_refused(&mut f, map(0, 0, 0), InvalidParameters);
    f.answered(unmap(2), &DONE);
    f.answered(unmap(3), &DONE);
    assert!(f.machine.windows.is_empty());
}

#[test]
fn forwarded_maps_that_make_no_sense_are_refused() {
    let mut f = Fixture::new();
    map_refused(&mut f, map(0, 0, 0), InvalidParameters);
    let mut f = hypervisor();
    for endpoint in [0, 0x7fff, 0x8000, 0x8001, 0xffff] {
        forward(&mut f, endpoint, (0x4001_0000, 1), (0x4001_1000, 1));
        map_refused(&mut f, map(0, 0, 0), InvalidParameters);
    }
    for (tx, rx) in [
        ((0x4001_0000, 0), (0x4001_1000, 0)),
        ((0x4001_0000, 5), (0x4002_0000, 5)),
        ((0x4001_0000, 1), (0x4002_0000, 2)),
        ((0x4001_0000, 1), (0x4001_0000, 1)),
        ((0x4001_0800, 1), (0x4002_0000, 1)),
    ] {
        forward(&mut f, 1, tx, rx);
        map_refused(&mut f, map(0, 0, 0), InvalidParameters);
    }
    forward(&mut f, 1, (PARTITION_MEMORY, 1), (0x4001_0000, 1));
    map_refused(&mut f, map(0, 0, 0), Denied);
    f.machine.poke(NORMAL, &[0xff; 64]);
    map_refused(&mut f, map(0, 0, 0), InvalidParameters);
    f.machine.broken = true;
    map_refused(&mut f, map(0, 0, 0), Aborted);
}

#[test]
fn there_is_room_for_so_many_vms() {
    let mut f = hypervisor();
    let at = |n: usize| NORMAL + 0x1_0000 + 2 * PAGE * n as u64;
    for n in 0..MAX_VM_BUFFERS {
        forward(&mut f, n as u16 + 1, (at(n), 1), (at(n) + PAGE, 1));
        f.answered(map(0, 0, 0), &DONE);
    }
    let n = MAX_VM_BUFFERS;
    forward(&mut f, n as u16 + 1, (at(n), 1), (at(n) + PAGE, 1));
    map_refused(&mut f, map(0, 0, 0), NoMemory);
    // The hypervisor's own place is kept.
    f.answered(unmap(0), &DONE);
    f.answered(map(NORMAL, NORMAL + PAGE, 1), &DONE);
}

#[test]
fn rx_is_filled_and_released_in_turn() {
    let mut f = Fixture::new();
    for partition in [false, true] {
        let base = if partition {
            f.nwd_runs(A);
            Fake::memory(A)
        } else {
            NORMAL
        };
        f.refused(info(), Busy);
        f.refused(release(0), Denied);
        f.answered(map(base, base + PAGE, 1), &DONE);
        f.refused(release(0), Denied);
        for _ in 0..2 {
            f.call(info());
            assert_eq!(f.result()[0], DONE[0]);
            f.refused(info(), Busy);
            f.answered(release(0), &DONE);
            f.refused(release(0), Denied);
        }
        // Whatever RX holds, the pair can go; the next one is empty.
        f.call(info());
        f.answered(unmap(0), &DONE);
        f.refused(info(), Busy);
        f.answered(map(base, base + PAGE, 1), &DONE);
        f.refused(release(0), Denied);
        f.call(info());
        assert_eq!(f.result()[0], DONE[0]);
    }
}

#[test]
fn partitions_name_no_vm() {
    let mut f = hypervisor();
    forward(&mut f, 1, (0x4001_0000, 1), (0x4001_1000, 1));
    f.answered(map(0, 0, 0), &DONE);
    f.nwd_runs(A);
    let own = Fake::memory(A);
    f.answered(map(own, own + PAGE, 1), &DONE);
    f.call(info());
    for vm in [1, 0x8001] {
        f.refused(unmap(vm), InvalidParameters);
        f.refused(release(vm), InvalidParameters);
        f.refused(acquire(vm), NotSupported);
    }
    f.refused(acquire(0), NotSupported);
    f.answered(release(0), &DONE);
}

#[test]
fn the_hypervisor_takes_the_buffers_of_its_vms() {
    let mut f = hypervisor();
    forward(&mut f, 1, (0x4001_0000, 1), (0x4001_1000, 1));
    f.answered(map(0, 0, 0), &DONE);
    f.refused(acquire(0x8001), NotSupported);
    for unknown in [0, 2, 0x7fff] {
        f.refused(acquire(unknown), InvalidParameters);
    }
    for unknown in [2, 0x7fff, 0x8001] {
        f.refused(release(unknown), InvalidParameters);
    }
    for _ in 0..2 {
        f.refused(release(1), Denied);
        f.answered(acquire(1), &DONE);
        f.refused(acquire(1), Denied);
        f.answered(release(1), &DONE);
    }
    // Its own is not concerned.
    f.call(info());
    f.answered(acquire(1), &DONE);
    f.refused(info(), Busy);
    f.answered(release(0), &DONE);
    f.refused(release(0), Denied);
    f.answered(release(1), &DONE);
}

#[test]
fn who_waits_gives_its_rx_back_unless_it_retains_it() {
    // Bit 0 of w2 exists from 1.2 on.
    for (slot, retains) in [(A, false), (A, true), (OLD, false)] {
        let mut f = Fixture::new();
        f.nwd_runs(slot);
        let own = Fake::memory(slot);
        f.answered(map(own, own + PAGE, 1), &DONE);
        f.call(info());
        if slot == OLD {
            f.refused(frame(&[MSG_WAIT.into(), 0, 1]), InvalidParameters);
            f.refused(info(), Busy);
        }
        f.sp(frame(&[MSG_WAIT.into(), 0, retains.into()]));
        f.nwd_runs(slot);
        if retains {
            f.refused(info(), Busy);
            f.answered(release(0), &DONE);
        } else {
            f.refused(release(0), Denied);
        }
        // A refused wait releases nothing, and neither does a response.
        f.sp(msg_wait());
        f.nwd_requests(slot, DIRECT_REQ_32);
        f.call(info());
        f.refused(msg_wait(), Denied);
        f.refused(info(), Busy);
        f.responds_to_nwd(DIRECT_RESP_32);
        f.nwd_requests(slot, DIRECT_REQ_32);
        f.refused(info(), Busy);
    }
}

#[test]
fn memory_that_fails_ends_the_call_and_leaves_rx_empty() {
    let mut f = hypervisor();
    f.machine.broken = true;
    f.refused(info(), Aborted);
    f.machine.broken = false;
    f.refused(release(0), Denied);
    f.call(info());
    assert_eq!(f.result()[0], DONE[0]);
}

#[test]
fn a_partition_that_fails_leaves_no_window_open() {
    let mut f = hypervisor();
    f.nwd_runs(A);
    let own = Fake::memory(A);
    f.answered(map(own, own + PAGE, 1), &DONE);
    assert_eq!(f.abort(), Next::NormalWorld);
    assert_eq!(f.machine.windows.len(), 2);
}

#[test]
fn a_pair_that_the_manifest_fixes_can_be_unmapped_but_not_mapped_again_beside_it() {
    let mut f = Fixture::new();
    let own = Fake::memory(A);
    let mapped = f
        .spmc
        .map_of_partition(A, own, own + PAGE, 1, &mut f.machine, &mut f.pes[0].held);
    assert_eq!(mapped, Ok(()));
    f.nwd_runs(A);
    map_refused(&mut f, map(own + 2 * PAGE, own + 3 * PAGE, 1), Denied);
    f.call(info());
    assert_eq!(f.result()[0], DONE[0]);
    f.answered(unmap(0), &DONE);
}
