//! `FFA_MEM_PERM_GET` and `FFA_MEM_PERM_SET`, row by row.

use super::*;
use ffa_abi::memory::Permissions;

const GET: u64 = 0x8400_0088;
const SET: u64 = 0x8400_0089;

/// The encodings.
const READ_EXECUTE: u64 = 3;
const READ_WRITE: u64 = 5;
const READ_ONLY: u64 = 7;

const EL0: Slot = A;
const EL1: Slot = B;

/// A partition at S-EL0 that has just started, one at S-EL1 beside it.
fn starting(version: Version) -> Fixture {
    let specs = [Spec::up(version).at_el0(), Spec::up(version)];
    let mut f = Fixture::with(1, &specs);
    f.start(EL0);
    f
}

fn base() -> u64 {
    Fake::memory(EL0)
}

impl Fixture {
    /// Who runs makes a call, in both forms, and gets this.
    #[track_caller]
    fn is_told(&mut self, call: [u64; 4], want: &[u64]) {
        let slot = self.running();
        for wide in [0, WIDE] {
            let [id, rest @ ..] = call;
            let sent = [id | wide, rest[0], rest[1], rest[2]];
            assert_eq!(self.sp(frame(&sent)), Next::Partition(slot));
            self.sp_got(slot, want);
        }
    }

    #[track_caller]
    fn is_refused(&mut self, call: [u64; 4], error: FfaError) {
        let before = self.machine.permissions.clone();
        self.is_told(call, &[ERROR.into(), 0, error.register()]);
        assert_eq!(self.machine.permissions, before);
    }
}

/// What a successful `FFA_MEM_PERM_GET` answers.
const fn found(permissions: u64, more: u64) -> [u64; 4] {
    [SUCCESS_32 as u64, 0, permissions, more]
}

#[test]
fn a_partition_at_s_el0_changes_its_pages_while_it_initialises() {
    let mut f = starting(Version::V1_3);
    f.is_told([GET, base(), 0, 0], &found(READ_EXECUTE, 0));
    f.is_told([SET, base(), 2, READ_WRITE], &DONE);
    f.is_told([GET, base(), 0, 0], &found(READ_WRITE, 0));
    f.is_told([GET, base(), 9, 0], &found(READ_WRITE, 1));
    f.is_told([SET, base() + PAGE, 1, READ_ONLY], &DONE);
    f.is_told([GET, base(), 9, 0], &found(READ_WRITE, 0));
    f.is_told([GET, base() + PAGE, 9, 0], &found(READ_ONLY, 0));
    f.is_told([SET, base(), 2, READ_EXECUTE], &DONE);
    f.is_told([GET, base(), 2, 0], &found(READ_EXECUTE, 2));
    let all = f.machine.permissions.values();
    assert!(all.into_iter().all(|one| *one == Permissions::ReadExecute));
}

#[test]
fn below_1_3_one_page_is_asked_for_whatever_w2_is() {
    for version in [Version::V1_1, Version::V1_2] {
        let mut f = starting(version);
        for w2 in [0, 5, 0xffff_ffff] {
            f.is_told([GET, base(), w2, 0], &found(READ_EXECUTE, 0));
        }
    }
}

#[test]
fn get_rows() {
    let mut f = starting(Version::V1_3);
    f.is_refused([GET, base(), 0xffff_ffff, 0], InvalidParameters);
    f.is_refused([GET, base() + 8, 0, 0], InvalidParameters);
    f.is_refused([GET, base() - PAGE, 0, 0], InvalidParameters);
    f.is_refused([GET, Fake::memory(EL1), 0, 0], InvalidParameters);
    f.is_refused([GET, 0, 0, 0], InvalidParameters);
}

#[test]
fn set_rows() {
    let mut f = starting(Version::V1_3);
    f.is_refused([SET, base() + 8, 1, READ_WRITE], InvalidParameters);
    f.is_refused([SET, base(), 0, READ_WRITE], InvalidParameters);
    f.is_refused([SET, base(), 0xffff_ffff, READ_WRITE], InvalidParameters);
    for raw in (0..=9).chain([0x8000_0005]) {
        if !matches!(raw, READ_EXECUTE | READ_WRITE | READ_ONLY) {
            f.is_refused([SET, base(), 1, raw], InvalidParameters);
        }
    }
    // Nobody's, somebody else's, and some of it: the last page of a partition's memory is followed by
    // another partition's.
    f.is_refused([SET, base() - PAGE, 1, READ_WRITE], InvalidParameters);
    f.is_refused([SET, Fake::memory(EL1), 1, READ_WRITE], InvalidParameters);
    let last = base() + 15 * PAGE;
    f.is_refused([SET, last, 2, READ_ONLY], InvalidParameters);
    f.is_told([SET, last, 1, READ_ONLY], &DONE);
}

#[test]
fn no_more_than_the_manifest_permits() {
    let mut f = starting(Version::V1_3);
    // The last page is read-only; registers of a device and memory of the normal world can't be executed.
    let last = base() + 15 * PAGE;
    f.is_refused([SET, last, 1, READ_WRITE], InvalidParameters);
    f.is_refused([SET, last - PAGE, 2, READ_WRITE], InvalidParameters);
    for [regions, ..] in [[DEVICES], [LOANED_MEMORY]] {
        f.is_refused([SET, regions, 1, READ_EXECUTE], InvalidParameters);
        f.is_told([SET, regions, 1, READ_ONLY], &DONE);
        f.is_told([SET, regions, 1, READ_WRITE], &DONE);
    }
}

#[test]
fn without_tables_nothing_changes() {
    let mut f = starting(Version::V1_3);
    f.machine.tables = Some(0);
    f.is_refused([SET, base(), 1, READ_WRITE], NoMemory);
}

#[test]
fn nobody_else_may_and_nobody_later() {
    let mut f = starting(Version::V1_3);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.start(EL1);
    // It is told what is wrong with a count that overflows before anything else.
    f.is_refused([GET, base(), 0xffff_ffff, 0], InvalidParameters);
    f.is_refused([GET, Fake::memory(EL1), 0, 0], Denied);
    f.is_refused([SET, Fake::memory(EL1), 1, READ_WRITE], Denied);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.now[0] = Next::NormalWorld;
    f.nwd(frame(&[0x8400_0063, Version::V1_2.raw().into()]));
    for id in [GET, SET, GET | WIDE, SET | WIDE] {
        let not_supported = NotSupported.register();
        f.answered(
            frame(&[id, base(), 1, 5]),
            &[ERROR.into(), 0, not_supported],
        );
    }
    f.nwd_runs(EL0);
    f.is_refused([GET, base(), 0xffff_ffff, 0], InvalidParameters);
    f.is_refused([GET, base(), 0, 0], Denied);
    f.is_refused([SET, base(), 1, READ_WRITE], Denied);
    // Before anything that is wrong with it.
    f.is_refused([SET, base() + 8, 0, 99], Denied);
}

#[test]
fn what_it_borrows_keeps_the_permissions_that_it_was_given() {
    let mut f = starting(Version::V1_3);
    let (page, view) = (Fake::memory(EL1), READ_WRITE);
    f.is_refused([SET, page, 1, view], InvalidParameters);
    f.machine.ground.hidden.insert((EL0.0, base()));
    f.is_refused([SET, base(), 1, READ_WRITE], InvalidParameters);
}

#[test]
fn features_admit_it_to_partitions_at_s_el0_only() {
    let mut f = starting(Version::V1_3);
    let features = |id| [0x8400_0064, id, 0, 0];
    for id in [GET, SET, GET | WIDE, SET | WIDE] {
        assert_eq!(f.sp(frame(&features(id))), Next::Partition(EL0));
        f.sp_got(EL0, &DONE);
    }
    // The managed exit interrupt is nothing for it.
    let not_supported = [ERROR.into(), 0, NotSupported.register()];
    f.sp(frame(&features(3)));
    f.sp_got(EL0, &not_supported);
    f.sp(msg_wait());
    f.start(EL1);
    for id in [GET, SET] {
        f.sp(frame(&features(id)));
        f.sp_got(EL1, &not_supported);
    }
    f.sp(frame(&features(3)));
    f.sp_got(EL1, &[SUCCESS_32.into(), 0, 4]);
}
