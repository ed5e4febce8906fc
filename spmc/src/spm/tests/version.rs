//! `FFA_VERSION` on one core while another negotiates as well, or makes its first call.

use super::fixture::*;
use crate::spm::{Negotiated, Open};
use ffa_abi::{Reply, Version, fid::raw::*};
use std::sync::atomic::{AtomicUsize, Ordering};

const YES: Reply = Reply::Version(Some(Version::OWN));
const NO: Reply = Reply::Version(None);
const VERSIONS: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];

#[test]
fn a_version_and_a_first_call_in_either_order_leave_the_version_and_the_lock() {
    for old in VERSIONS {
        for new in VERSIONS {
            let version = Negotiated::new(old);
            assert_eq!(version.negotiate(Some(new), Version::OWN), YES);
            assert!(!version.is_locked_at(Version::V1_0));
            version.lock();
            assert_eq!(version.get(), new);

            let version = Negotiated::new(old);
            version.lock();
            let answer = if old == new { YES } else { NO };
            assert_eq!(version.negotiate(Some(new), Version::OWN), answer);
            assert_eq!(version.get(), old);

            for version in [Negotiated::new(old), Negotiated::new(new)] {
                version.lock();
                let locked = version.get();
                // Any number of first calls, and a version that is refused, change nothing.
                version.lock();
                assert_eq!(version.negotiate(None, Version::OWN), NO);
                assert_eq!(version.negotiate(Some(locked), Version::OWN), YES);
                for at in VERSIONS {
                    assert_eq!(version.is_locked_at(at), at <= locked, "{at:?} {locked:?}");
                }
            }
        }
    }
}

/// A place where two threads meet again and again, closely: neither sleeps for as long as the other
/// is expected soon.
#[derive(Default)]
struct Meeting(AtomicUsize);

impl Meeting {
    /// Waits until both threads have come `times` times.
    fn wait(&self, times: usize) {
        self.0.fetch_add(1, Ordering::SeqCst);
        let mut spins = 0;
        while self.0.load(Ordering::SeqCst) < 2 * times {
            std::hint::spin_loop();
            spins += 1;
            if spins % 1_000 == 0 {
                std::thread::yield_now();
            }
        }
    }
}

const ROUNDS: usize = 20_000;

#[test]
fn a_version_and_a_first_call_at_once_are_one_after_the_other() {
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|n| (VERSIONS[n % 4], VERSIONS[(n + 1 + n / 4 % 3) % 4]))
        .map(|(old, new)| (Negotiated::new(old), old, new))
        .collect();
    let (meeting, mut answers) = (Meeting::default(), Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (n, (version, ..)) in rounds.iter().enumerate() {
                meeting.wait(n + 1);
                version.lock();
            }
        });
        for (n, (version, _, new)) in rounds.iter().enumerate() {
            meeting.wait(n + 1);
            answers.push(version.negotiate(Some(*new), Version::OWN));
        }
    });
    for ((version, old, new), answer) in rounds.into_iter().zip(answers) {
        let expected = if answer == YES { new } else { old };
        assert_eq!(version.get(), expected, "what was answered holds");
        assert!(version.is_locked_at(expected), "the first call counts");
    }
}

#[test]
#[cfg_attr(miri, ignore = "too slow")]
fn two_contexts_that_negotiate_at_once_leave_the_short_way_with_the_version_that_holds() {
    let mut f = Fixture::with(2, &[Spec::mp(Version::V1_0)]);
    for pe in 0..2 {
        f.pe = pe;
        f.start(A);
    }
    let (spmc, meeting) = (&f.spmc, Meeting::default());
    let wrong = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (pe, own) in f.pes.iter_mut().zip([Version::V1_1, Version::V1_2]) {
            let (meeting, wrong) = (&meeting, &wrong);
            scope.spawn(move || {
                let call = frame(&[VERSION.into(), own.raw().into()]);
                for n in 0..ROUNDS {
                    pe.context(A).unwrap().machine.x = call;
                    meeting.wait(3 * n + 1);
                    let _ = spmc.handle_partition(pe, A, &mut Fake::default());
                    meeting.wait(3 * n + 2);
                    let partition = &spmc.partitions[0];
                    let extended = partition.version.get().has_extended_registers();
                    if partition.open.has(Open::DIRECT2) != extended {
                        wrong.fetch_add(1, Ordering::Relaxed);
                    }
                    meeting.wait(3 * n + 3);
                }
            });
        }
    });
    assert_eq!(wrong.into_inner(), 0, "of {ROUNDS} rounds");
}
