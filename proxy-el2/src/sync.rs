//! The locks that the core uses, in one place, so that a model checker's can stand in for them.

pub(crate) use spin::mutex::{SpinMutex as Mutex, SpinMutexGuard as MutexGuard};
