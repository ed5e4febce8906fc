//! Statics that are handed out once, as `&'static mut`.

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, AtomicPtr, Ordering},
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

impl<T> Once<T> {
    /// The value again, for a core that starts anew.
    ///
    /// # Safety
    ///
    /// Whoever took it can never run again: its core was switched off.
    #[allow(clippy::mut_from_ref)] // Exclusive because the earlier holder is gone.
    pub unsafe fn retake(&'static self) -> &'static mut T {
        self.taken.store(true, Ordering::Release);
        // SAFETY: The caller promises that no other reference is in use.
        unsafe { &mut *self.value.get() }
    }
}

/// A reference that one core sets and all read.
#[derive(Debug)]
pub struct Shared<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Shared<T> {
    /// Not set yet.
    #[allow(clippy::new_without_default)] // Only ever a static.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// Sets the reference.
    pub fn set(&self, value: &'static T) {
        self.0
            .store((&raw const *value).cast_mut(), Ordering::Release);
    }

    /// The reference, once it was set.
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: Null, or what `set` was given: a shared reference for ever.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
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
