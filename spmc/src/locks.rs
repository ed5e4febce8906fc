//! Locks with an order that the compiler checks.
//!
//! Each lock has a level, and who takes one shows what it holds: a [`Held`] of a lower level. While
//! it has the lock, all it has to show is a token of that lock's level. So two cores can't wait for
//! each other, and a lock can't be taken twice; code that would do so does not build.
//!
//! | level | lock |
//! | --- | --- |
//! | [`NORMAL_WORLD_PAIRS`] | the RX/TX pairs of the normal world |
//! | [`PAIRS`] | a partition's RX/TX pair, or those of two partitions |
//! | [`SHARES`] | whose all memory is, and who gave it to whom |
//! | [`MEMORY`] | what the image knows of a partition's memory |
//! | [`CONTEXT`] | a single context while no core has it |
//! | [`NOTIFICATIONS`] | the notifications of a partition, or those of the normal world |
//!
//! Innermost are locks that need no token, since whoever has one calls nothing: the virtual
//! interrupts of a context, and the tables of the image's own map.

use crate::sync::{Mutex, constructor};
use core::{cmp::Ordering, ptr};

/// Level of the normal world's RX/TX pairs.
pub const NORMAL_WORLD_PAIRS: u8 = 1;
/// Level of a partition's RX/TX pair.
pub const PAIRS: u8 = 2;
/// Level of the ownership map and the memory transactions.
pub const SHARES: u8 = 3;
/// Level of what the image knows of a partition's memory.
pub const MEMORY: u8 = 4;
/// Level of a partition's parked context.
pub const CONTEXT: u8 = 5;
/// Level of the notifications of a receiver.
pub const NOTIFICATIONS: u8 = 6;

/// Shows that a core holds no lock above `LEVEL`. It can't be copied, and each core has one for the
/// level 0, in its [`Pe`](crate::spm::Pe).
#[derive(Debug)]
pub struct Held<const LEVEL: u8>(());

impl Held<0> {
    /// For a core, which holds nothing.
    pub(crate) const fn nothing() -> Self {
        Self(())
    }
}

impl<const LEVEL: u8> Held<LEVEL> {
    /// Lends `work` a token that shows more than is held: fewer locks can be taken with it. Building
    /// fails if `HIGHER` is below `LEVEL`.
    ///
    /// ```compile_fail
    /// # use spmc::locks::Held;
    /// fn less(held: &mut Held<2>) {
    ///     held.higher(|_: &mut Held<1>| ());
    /// }
    /// # std::hint::black_box(less as fn(&mut Held<2>));
    /// ```
    pub fn higher<const HIGHER: u8, R>(&mut self, work: impl FnOnce(&mut Held<HIGHER>) -> R) -> R {
        const { assert!(LEVEL <= HIGHER, "it would show less than is held") }
        work(&mut Held(()))
    }
}

/// A lock of level `LEVEL`.
#[derive(Debug)]
pub struct Lock<T, const LEVEL: u8>(Mutex<T>);

impl<T, const LEVEL: u8> Lock<T, LEVEL> {
    constructor! {
        /// Free.
        pub fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }
    }

    /// Gives `work` the value, and what it can take further locks with. Building fails if `HELD` is
    /// not below `LEVEL`.
    ///
    /// ```
    /// # use spmc::locks::{Held, Lock};
    /// fn both(first: &Lock<u32, 1>, second: &Lock<u32, 2>, held: &mut Held<0>) {
    ///     first.with(held, |_, held| second.with(held, |value, _| *value = 1));
    /// }
    /// # std::hint::black_box(both as fn(&Lock<u32, 1>, &Lock<u32, 2>, &mut Held<0>));
    /// ```
    ///
    /// ```compile_fail
    /// # use spmc::locks::{Held, Lock};
    /// fn twice(first: &Lock<u32, 1>, held: &mut Held<0>) {
    ///     first.with(held, |_, held| first.with(held, |value, _| *value = 1));
    /// }
    /// # std::hint::black_box(twice as fn(&Lock<u32, 1>, &mut Held<0>));
    /// ```
    pub fn with<const HELD: u8, R>(
        &self,
        _held: &mut Held<HELD>,
        work: impl FnOnce(&mut T, &mut Held<LEVEL>) -> R,
    ) -> R {
        const { assert!(HELD < LEVEL, "a lock of a lower level is taken first") }
        work(&mut self.0.lock(), &mut Held(()))
    }

    /// Gives `work` the values of this lock and of another one of its level, as [`with`](Self::with)
    /// does. All cores take two such locks in the order of their addresses, so nobody waits for one
    /// while he keeps another from who has it. `None` if both are one lock.
    ///
    /// ```compile_fail
    /// # use spmc::locks::{Held, Lock};
    /// fn inside(first: &Lock<u32, 1>, second: &Lock<u32, 1>, held: &mut Held<0>) {
    ///     first.with(held, |_, held| first.with_both(second, held, |_, _, _| ()));
    /// }
    /// # std::hint::black_box(inside as fn(&Lock<u32, 1>, &Lock<u32, 1>, &mut Held<0>));
    /// ```
    pub fn with_both<const HELD: u8, R>(
        &self,
        other: &Self,
        _held: &mut Held<HELD>,
        work: impl FnOnce(&mut T, &mut T, &mut Held<LEVEL>) -> R,
    ) -> Option<R> {
        const { assert!(HELD < LEVEL, "a lock of a lower level is taken first") }
        let (mut own, mut others);
        match ptr::from_ref(self).cmp(&ptr::from_ref(other)) {
            Ordering::Less => {
                own = self.0.lock();
                others = other.0.lock();
            }
            Ordering::Greater => {
                others = other.0.lock();
                own = self.0.lock();
            }
            Ordering::Equal => return None,
        }
        Some(work(&mut own, &mut others, &mut Held(())))
    }

    /// The value, while nobody else can have it.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

/// Runs `work` as a core that holds nothing: for tests, which have no [`Pe`](crate::spm::Pe).
#[cfg(any(test, feature = "snapshot"))]
pub fn run<R>(work: impl FnOnce(&mut Held<0>) -> R) -> R {
    work(&mut Held::nothing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_order_of_levels() {
        let first: Lock<u32, 1> = Lock::new(1);
        let second: Lock<u32, 3> = Lock::new(2);
        let sum = run(|held| first.with(held, |a, held| second.with(held, |b, _| *a + *b)));
        assert_eq!(sum, 3);
        // Both are free again.
        run(|held| second.with(held, |b, _| *b = 5));
        run(|held| first.with(held, |_, held| second.with(held, |b, _| assert_eq!(*b, 5))));
    }

    #[test]
    fn two_of_one_level_whichever_is_named_first() {
        let locks: [Lock<u32, 2>; 2] = [Lock::new(1), Lock::new(2)];
        let [a, b] = &locks;
        let both = |a: &Lock<u32, 2>, b: &Lock<u32, 2>| {
            run(|held| a.with_both(b, held, |a, b, _| (*a, *b)))
        };
        assert_eq!(both(a, b), Some((1, 2)));
        assert_eq!(both(b, a), Some((2, 1)));
        assert_eq!(both(a, a), None);
        let seen = run(|held| held.higher(|held: &mut Held<1>| a.with(held, |a, _| *a)));
        assert_eq!(seen, 1);
    }

    /// Two who name them in either order never wait for each other.
    #[test]
    #[cfg(not(any(miri, feature = "loom")))]
    fn who_takes_two_waits_for_nobody_for_ever() {
        let locks: [Lock<u32, 1>; 2] = [Lock::new(0), Lock::new(0)];
        let [a, b] = &locks;
        std::thread::scope(|scope| {
            for (a, b) in [(a, b), (b, a)] {
                scope.spawn(move || {
                    for _ in 0..10_000 {
                        run(|held| {
                            a.with_both(b, held, |a, b, _| {
                                *a += 1;
                                *b += 1;
                            })
                        });
                    }
                });
            }
        });
        run(|held| a.with_both(b, held, |a, b, _| assert_eq!((*a, *b), (20_000, 20_000))));
    }
}
