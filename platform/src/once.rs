//! Statics that are handed out once, as `&'static mut`.

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

/// A value in static memory that exactly one caller gets.
#[derive(Debug)]
pub struct Once<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: The value is only reachable through `take`, which gives it to one caller.
unsafe impl<T: Send> Sync for Once<T> {}

impl<T> Once<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// The value, the first time; `None` ever after.
    #[allow(clippy::mut_from_ref)] // Exclusive because it is given once.
    pub fn take(&'static self) -> Option<&'static mut T> {
        if self.taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        // SAFETY: The flag lets exactly one caller come here, and nothing else touches the value.
        Some(unsafe { &mut *self.value.get() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_gets_it() {
        static CELL: Once<u32> = Once::new(7);
        assert_eq!(CELL.take().copied(), Some(7));
        assert!(CELL.take().is_none());
    }
}
