//! The locks and atomics that the core uses, in one place, so that a model checker's can stand in for
//! them.

pub use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
pub use spin::mutex::SpinMutex as Mutex;
