//! Statics that are handed out once, as `&'static mut`.

use core::{
    cell::UnsafeCell,
    mem::MaybeUninit,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering},
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

/// The memory of an [`Arena`]. What it holds at first does not matter, so it may lie where nothing is cleared at start,
/// with `#[unsafe(link_section = ".noinit")]`.
pub struct Cells<T, const N: usize>([UnsafeCell<MaybeUninit<T>>; N]);

// SAFETY: The values are only reachable through `Arena::add`, which gives each to one caller.
unsafe impl<T: Send, const N: usize> Sync for Cells<T, N> {}

impl<T, const N: usize> Cells<T, N> {
    /// For a `static`.
    #[allow(clippy::new_without_default)] // Only ever a static.
    pub const fn new() -> Self {
        Self([const { UnsafeCell::new(MaybeUninit::uninit()) }; N])
    }
}

/// Static memory for up to `N` values that live for ever, each handed out once.
pub struct Arena<T: 'static, const N: usize> {
    cells: &'static Cells<T, N>,
    used: AtomicUsize,
}

impl<T, const N: usize> Arena<T, N> {
    /// All of `cells`, which no other arena uses, is free.
    pub const fn new(cells: &'static Cells<T, N>) -> Self {
        Self {
            cells,
            used: AtomicUsize::new(0),
        }
    }

    /// Puts a value into the next free place; `None` if there is none.
    #[allow(clippy::mut_from_ref)] // Exclusive because each place is given once.
    pub fn add(&'static self, value: T) -> Option<&'static mut T> {
        let place = self.used.fetch_add(1, Ordering::AcqRel);
        let Some(cell) = self.cells.0.get(place) else {
            // So that it can't overflow.
            self.used.store(N, Ordering::Release);
            return None;
        };
        // SAFETY: The counter gives each place to one caller, and nothing else touches it.
        Some(unsafe { (*cell.get()).write(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arena_gives_each_place_once() {
        static CELLS: Cells<u32, 2> = Cells::new();
        static ARENA: Arena<u32, 2> = Arena::new(&CELLS);
        let one = ARENA.add(1);
        let two = ARENA.add(2);
        assert_eq!((one.copied(), two.copied()), (Some(1), Some(2)));
        assert!(ARENA.add(3).is_none());
        assert!(ARENA.add(4).is_none());
    }

    #[test]
    fn only_the_first_gets_it() {
        static CELL: Once<u32> = Once::new(7);
        assert_eq!(CELL.take().copied(), Some(7));
        assert!(CELL.take().is_none());
    }
}
