//! What `FFA_FEATURES` and partition information say.

use super::super::indirect::rig::*;
use ffa_abi::{FfaError::*, Version, fid::raw::*};

fn feature(id: u64) -> [u64; 2] {
    [FEATURES.into(), id]
}

#[test]
fn interrupts_are_told_to_those_that_get_them() {
    let mut rig = Rig::of(Setup {
        vms: [Version::V1_1, Version::V1_1, Version::V1_3],
        notified: [true, true, false],
        ..SETUP
    });
    let is = |intid: u64| [SUCCESS_32.into(), 0, intid];
    rig.sees(1, &feature(1), &is(9));
    rig.sees(1, &feature(2), &is(8));
    rig.sees(2, &feature(1), &is(9));
    rig.refuses(2, &feature(2), NotSupported);
    rig.refuses(3, &feature(1), NotSupported);
    rig.refuses(1, &feature(3), NotSupported);
    rig.refuses(1, &feature(5), NotSupported);
    // Never the same.
    rig.proxy.upstream.sri = Some(9);
    rig.sees(1, &feature(1), &is(10));
    rig.sees(1, &feature(2), &is(9));
    // Before 1.1 there are none.
    let mut rig = Rig::of(Setup {
        vms: [Version::V1_0; 3],
        ..SETUP
    });
    for id in [1, 2, 4] {
        rig.refuses(1, &feature(id), NotSupported);
    }
}

#[test]
fn whether_there_are_some_for_one_vcpu_is_the_spmcs_to_say() {
    let mut rig = Rig::of(Setup {
        vms: [Version::V1_3, Version::V1_2, Version::V1_3],
        ..SETUP
    });
    // Of what it says the numbers of bitmaps are not for VMs.
    rig.sees(1, &feature(4), &[SUCCESS_32.into(), 0, 2]);
    rig.refuses(2, &feature(4), NotSupported);
    rig.host.spmc.refuses = Some((FEATURES, NotSupported));
    rig.sees(1, &feature(4), &[ERROR.into(), 0, NotSupported.register()]);
}

#[test]
fn properties_say_who_takes_part() {
    let mut rig = Rig::of(Setup {
        indirect: [false, true, false],
        notified: [true, false, true],
        ..SETUP
    });
    rig.map_all();
    let told = rig.call(3, &[INFO_GET.into()]);
    assert_eq!((told[2], told[3]), (3, 48));
    let rx = rig.rx(3);
    let properties = |n: usize| u32::from_le_bytes(rx[n * 48 + 4..n * 48 + 8].try_into().unwrap());
    assert_eq!([0, 1, 2].map(|n| properties(n) & 0xc), [8, 4, 8]);
}
