//! `FFA_NOTIFICATION_BITMAP_CREATE` and `_DESTROY`.

use super::*;
use FfaError::*;

#[test]
fn a_bitmap_is_created_once_and_destroyed_once() {
    let mut f = world();
    f.refused(create(EndpointId(0x7fff), 1), InvalidParameters);
    f.refused(create(EndpointId(0x8001), 1), InvalidParameters);
    f.refused(create(TWO, 0), InvalidParameters);
    f.refused(create(ONE, 0), InvalidParameters);
    f.refused(create(ONE, 3), Denied);
    f.refused(create(TWO, 65), NoMemory);
    f.refused(create(TWO, 0x1_0001), NoMemory);
    f.refused(create(TWO, 0xffff_ffff), NoMemory);
    f.answers(create(TWO, 64));
    f.refused(create(TWO, 1), Denied);
    f.refused(destroy(EndpointId(0x8001)), InvalidParameters);
    f.refused(destroy(EndpointId(0x7fff)), InvalidParameters);
    f.refused(destroy(EndpointId(5)), Denied);
    f.answers(destroy(TWO));
    f.refused(destroy(TWO), Denied);
    f.answers(create(TWO, 1));
}

#[test]
fn what_is_pending_keeps_a_bitmap_and_nothing_of_it_is_left_after_its_end() {
    let mut f = world();
    f.answers(bind(id(C), ONE, 0, 0b11));
    f.by(C, &[set(id(C), ONE, 0, 0b01)]);
    f.refused(destroy(ONE), Denied);
    f.finds(
        get(ONE, 0, PARTITIONS),
        Pending {
            partitions: 1,
            ..Pending::default()
        },
    );
    f.answers(destroy(ONE));
    f.refused(get(ONE, 0, PARTITIONS), InvalidParameters);
    f.answers(create(ONE, 3));
    f.nwd_runs(C);
    f.refused(set(id(C), ONE, 0, 0b01), Denied);
}

#[test]
fn sixteen_vms_have_one_and_the_place_of_the_os_is_kept() {
    let mut f = Fixture::new();
    for vm in 1..=16 {
        f.answers(create(EndpointId(vm), 1));
    }
    f.refused(create(EndpointId(17), 1), NoMemory);
    f.refused(create(ONE, 1), Denied);
    f.answers(create(OS, 8));
    f.answers(destroy(EndpointId(7)));
    f.answers(create(EndpointId(17), 1));
}

#[test]
fn a_partition_creates_none() {
    let mut f = world();
    f.nwd_runs(A);
    f.refused(create(TWO, 1), NotSupported);
    f.refused(destroy(ONE), NotSupported);
    f.refused(info(), NotSupported);
}

#[test]
fn below_1_1_there_is_none_of_it() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_0)]);
    f.boot();
    let calls = [
        create(TWO, 1),
        destroy(TWO),
        bind(id(A), TWO, 0, 1),
        unbind(id(A), TWO, 1),
        set(TWO, id(A), 0, 1),
        get(TWO, 0, 1),
        info(),
    ];
    f.nwd(frame(&[VERSION.into(), Version::V1_0.raw().into()]));
    for call in calls {
        f.refused(call, NotSupported);
    }
    f.nwd_runs(A);
    for call in calls {
        f.refused(call, NotSupported);
    }
}
