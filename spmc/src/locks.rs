//! Locks with an order that the compiler checks.
//!
//! Each lock has a level, and who takes one shows what it holds: a [`Held`] of a lower level. While
//! it has the lock, all it has to show is a token of that lock's level. So two cores can't wait for
//! each other, and a lock can't be taken twice; code that would do so does not build.
//!
//! | level | lock |
//! | --- | --- |
//! | [`PAIRS`] | a partition's RX/TX pair, or those of the normal world |
//! | [`SHARES`] | whose all memory is, and who gave it to whom |
//! | [`MEMORY`] | what the image knows of a partition's memory |
//! | [`CONTEXT`] | a single context while no core has it |
//! | [`NOTIFICATIONS`] | the notifications of a partition, or those of the normal world |
//!
//! Innermost are locks that need no token, since whoever has one calls nothing: the virtual
//! interrupts of a context, and the tables of the image's own map.

use crate::sync::{Mutex, constructor};

/// Level of RX/TX pairs.
pub const PAIRS: u8 = 1;
/// Level of the ownership map and the memory transactions.
pub const SHARES: u8 = 2;
/// Level of what the image knows of a partition's memory.
pub const MEMORY: u8 = 3;
/// Level of a partition's parked context.
pub const CONTEXT: u8 = 4;
/// Level of the notifications of a receiver.
pub const NOTIFICATIONS: u8 = 5;

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
}
