//! `FFA_NOTIFICATION_GET`.

use super::*;
use FfaError::*;

#[test]
fn the_normal_world_reads_for_its_endpoints_what_partitions_have_set() {
    let mut f = world();
    for receiver in [id(A), EndpointId(0xffc1), TWO, EndpointId(0x7fff)] {
        f.refused(get(receiver, 0, PARTITIONS), InvalidParameters);
    }
    for flags in [VMS, HYPERVISOR, PARTITIONS | VMS, 0xf, 1 << 4, 1 << 31] {
        f.refused(get(ONE, 0, flags), InvalidParameters);
    }
    f.refused(get(ONE, 3, PARTITIONS), InvalidParameters);
    f.refused(get(OS, 2, PARTITIONS), InvalidParameters);
    f.answers(bind(id(C), ONE, PER_CONTEXT, 1 << 40));
    f.answers(bind(id(C), ONE, 0, 1));
    f.by(
        C,
        &[
            set(id(C), ONE, 1 << 16 | PER_CONTEXT, 1 << 40),
            set(id(C), ONE, 0, 1),
        ],
    );
    f.finds(get(ONE, 1, SPM), Pending::default());
    f.finds(get(ONE, 1, 0), Pending::default());
    f.finds(get(OS, 1, PARTITIONS | SPM), Pending::default());
    f.finds(
        get(ONE, 0, PARTITIONS),
        Pending {
            partitions: 1,
            ..Pending::default()
        },
    );
    f.finds(
        get(ONE, 1, PARTITIONS),
        Pending {
            partitions: 1 << 40,
            ..Pending::default()
        },
    );
    f.finds(get(ONE, 1, PARTITIONS), Pending::default());
}

#[test]
fn a_partition_reads_its_own() {
    let mut f = world();
    f.by(
        B,
        &[
            bind(ONE, id(B), PER_CONTEXT, 1),
            bind(id(C), id(B), 0, 1 << 33),
        ],
    );
    f.answers(set(ONE, id(B), 1 << 16 | PER_CONTEXT, 1));
    f.by(C, &[set(id(C), id(B), 0, 1 << 33)]);
    f.nwd_runs(B);
    for receiver in [id(A), OS, ONE] {
        f.refused(get(receiver, 0, PARTITIONS), InvalidParameters);
    }
    f.refused(get(id(B), 2, PARTITIONS), InvalidParameters);
    f.refused(get(id(B), 0, 1 << 4), InvalidParameters);
    f.finds(get(id(B), 0, HYPERVISOR | SPM | VMS), Pending::default());
    f.finds(
        get(id(B), 0, 0xf),
        Pending {
            partitions: 1 << 33,
            ..Pending::default()
        },
    );
    f.sp(msg_wait());
    f.on(1).nwd_runs(B);
    f.finds(
        get(id(B), 1, 0xf),
        Pending {
            vms: 1,
            ..Pending::default()
        },
    );
}
