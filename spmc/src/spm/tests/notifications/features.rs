//! What `FFA_FEATURES` and partition information say of notifications.

use super::*;
use FfaError::NotSupported;

fn asks(what: u64) -> Frame {
    frame(&[FEATURES.into(), what])
}

#[test]
fn the_interrupts_and_the_kinds_that_there_are() {
    let success = u64::from(SUCCESS_32);
    let mut f = world();
    f.answered(asks(2), &[success, 0, 8]);
    for slot in [A, B, OLD] {
        f.nwd_runs(slot);
        f.answered(asks(1), &[success, 0, 5]);
        f.refused(asks(4), NotSupported);
        f.sp(msg_wait());
    }
    // Without notifications, and without virtual interrupts.
    for slot in [C, MUTE] {
        f.nwd_runs(slot);
        f.refused(asks(1), NotSupported);
        f.sp(msg_wait());
    }
    // From 1.3 on: global ones and such for each context, for all.
    f.nwd_runs(C);
    f.answered(asks(4), &[success]);
}

#[test]
fn who_receives_has_the_functions() {
    use Function::*;
    let mut f = world();
    let receiving = [NotificationBind, NotificationUnbind, NotificationGet];
    for slot in [A, OLD, MUTE] {
        f.nwd_runs(slot);
        for function in receiving.into_iter().chain([NotificationSet]) {
            f.answered(asks(function.raw32().into()), &DONE);
        }
        for function in [NotificationBitmapCreate, NotificationInfoGet] {
            f.refused(asks(function.raw32().into()), NotSupported);
        }
        f.sp(msg_wait());
    }
    f.nwd_runs(C);
    for function in receiving {
        f.refused(asks(function.raw32().into()), NotSupported);
    }
}

#[test]
fn the_larger_forms_are_not_there() {
    use Function::*;
    let mut f = world();
    for slot in [None, Some(A)] {
        if let Some(slot) = slot {
            f.nwd_runs(slot);
        }
        for function in [
            NotificationBind2,
            NotificationUnbind2,
            NotificationSet2,
            NotificationGet2,
        ] {
            f.refused(asks(function.raw64().into()), NotSupported);
            f.refused(
                frame(&[function.raw64().into(), ids(OS, id(A)), 0, 1]),
                NotSupported,
            );
        }
    }
}
