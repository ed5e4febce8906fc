//! FF-A error codes: the signed 32-bit value in w2 of `FFA_ERROR` (DEN0077A, chapter "Interface
//! error codes").

use num_enum::{IntoPrimitive, TryFromPrimitive};
use thiserror::Error;

/// An FF-A error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error, TryFromPrimitive, IntoPrimitive)]
#[repr(i32)]
pub enum FfaError {
    /// The interface is not implemented at this instance.
    #[error("NOT_SUPPORTED")]
    NotSupported = -1,
    /// A parameter is wrong: an unknown identifier, a reserved bit, an address out of range.
    #[error("INVALID_PARAMETERS")]
    InvalidParameters = -2,
    /// Not enough memory to finish the call.
    #[error("NO_MEMORY")]
    NoMemory = -3,
    /// The callee or a resource is in use.
    #[error("BUSY")]
    Busy = -4,
    /// A blocking call was interrupted (FF-A 1.0 only).
    #[error("INTERRUPTED")]
    Interrupted = -5,
    /// The caller may not do this, or not in its present state.
    #[error("DENIED")]
    Denied = -6,
    /// Try again.
    #[error("RETRY")]
    Retry = -7,
    /// The callee has aborted.
    #[error("ABORTED")]
    Aborted = -8,
    /// There is nothing to return (FF-A 1.1).
    #[error("NO_DATA")]
    NoData = -9,
    /// The callee is not ready.
    #[error("NOT_READY")]
    NotReady = -10,
}

impl FfaError {
    /// The code as it stands in x2: 32 bits, the upper half zero.
    pub const fn register(self) -> u64 {
        self as i32 as u32 as u64
    }

    /// Reads a code from x2; only the lower 32 bits count.
    pub fn from_register(x2: u64) -> Option<Self> {
        Self::try_from(x2 as u32 as i32).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_32_bit_with_a_zero_upper_half() {
        for code in -10..=-1 {
            let error = FfaError::try_from(code).unwrap();
            assert_eq!(error.register() >> 32, 0);
            assert_eq!(error.register() as u32 as i32, code);
            assert_eq!(
                FfaError::from_register(error.register() | 0xdead_0000_0000_0000),
                Some(error)
            );
        }
        assert_eq!(FfaError::from_register(0), None);
        assert_eq!(FfaError::from_register(0xffff_fff5), None);
    }
}
