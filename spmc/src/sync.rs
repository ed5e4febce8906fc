//! The locks and atomics that the core uses, in one place, so that a model checker's can stand in for
//! them: with the feature `loom`, which is for tests.

#[cfg(not(feature = "loom"))]
mod machine {
    pub use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    pub use spin::mutex::SpinMutex as Mutex;

    /// A function that is `const`.
    macro_rules! constructor {
        ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),*) -> Self $body:block) => {
            $(#[$attribute])*
            $visibility const fn $name($($argument: $type),*) -> Self $body
        };
    }

    /// An array of as many of the same.
    macro_rules! array {
        ($one:expr) => {
            [const { $one }; _]
        };
    }

    pub(crate) use {array, constructor};
}

#[cfg(feature = "loom")]
mod machine {
    pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    /// The model checker's, which are made while it runs: nothing of them is `const`.
    macro_rules! constructor {
        ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),*) -> Self $body:block) => {
            $(#[$attribute])*
            $visibility fn $name($($argument: $type),*) -> Self $body
        };
    }

    macro_rules! array {
        ($one:expr) => {
            core::array::from_fn(|_| $one)
        };
    }

    pub(crate) use {array, constructor};

    /// A lock that is never poisoned, as the machine's.
    #[derive(Debug)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// Free.
        pub fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        /// Takes it.
        pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            match self.0.lock() {
                Ok(guard) => guard,
                Err(poisoned) => poisoned.into_inner(),
            }
        }

        /// The value, while nobody else can have it.
        pub fn get_mut(&mut self) -> &mut T {
            match self.0.get_mut() {
                Ok(value) => value,
                Err(poisoned) => poisoned.into_inner(),
            }
        }
    }
}

pub use machine::*;
