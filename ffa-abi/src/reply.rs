//! Encoding of completions. A reply knows its [layout](crate::contract::Layout), so that the
//! register contract can be applied to it.

use crate::{
    contract::Layout,
    error::FfaError,
    fid::{Function, raw},
    id::{EndpointId, TargetInfo},
    memory::Handle,
    smccc,
    version::Version,
};

/// The completion of a call that the framework itself answers. Messages are relayed from the
/// sender's registers and are no `Reply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reply {
    /// An interface of FF-A with its x0-x7; registers it does not define are zero.
    Ffa([u64; 8]),
    /// `FFA_VERSION`'s answer: the callee's version, or -1 (`None`).
    Version(Option<Version>),
    /// A function that is not FF-A and not known: x0 = -1, nothing else is touched.
    Unknown,
    /// A function outside of FF-A that was forwarded: x0-x3.
    Smccc([u64; 4]),
    /// A function outside of FF-A that is defined to answer in x0 (PSCI, SMCCC itself).
    X0(u64),
}

impl Reply {
    /// `FFA_ERROR` with `code`.
    pub const fn error(code: FfaError) -> Self {
        Self::Ffa([raw::ERROR as u64, 0, code.register(), 0, 0, 0, 0, 0])
    }

    /// `FFA_SUCCESS_32` with w2.
    pub const fn success(w2: u32) -> Self {
        Self::Ffa([raw::SUCCESS_32 as u64, 0, w2 as u64, 0, 0, 0, 0, 0])
    }

    /// `FFA_SUCCESS_32` with w2 and w3.
    pub const fn success2(w2: u32, w3: u32) -> Self {
        Self::Ffa([raw::SUCCESS_32 as u64, 0, w2 as u64, w3 as u64, 0, 0, 0, 0])
    }

    /// `FFA_MSG_WAIT` as the completion of `FFA_RUN`.
    pub const fn msg_wait() -> Self {
        Self::Ffa([raw::MSG_WAIT as u64, 0, 0, 0, 0, 0, 0, 0])
    }

    /// `FFA_RUN` as the completion of `FFA_MSG_WAIT`: w1 names who runs.
    pub const fn run(target: TargetInfo) -> Self {
        Self::Ffa([raw::RUN as u64, target.register(), 0, 0, 0, 0, 0, 0])
    }

    /// `FFA_YIELD` relayed to the scheduler: who yielded, and the timeout hint.
    pub const fn yielded(from: TargetInfo, timeout: u64) -> Self {
        Self::Ffa([
            raw::YIELD as u64,
            from.register(),
            timeout & 0xffff_ffff,
            timeout >> 32,
            0,
            0,
            0,
            0,
        ])
    }

    /// `FFA_INTERRUPT`: who was interrupted, and the virtual interrupt id (0 where none is told).
    pub const fn interrupt(preempted: TargetInfo, intid: u32) -> Self {
        Self::Ffa([
            raw::INTERRUPT as u64,
            preempted.register(),
            intid as u64,
            0,
            0,
            0,
            0,
            0,
        ])
    }

    /// `FFA_MEM_RETRIEVE_RESP`: a descriptor of `total` bytes, the first `fragment` of them in RX.
    pub const fn retrieved(total: u32, fragment: u32) -> Self {
        Self::Ffa([
            Function::MemRetrieveResp.raw32() as u64,
            total as u64,
            fragment as u64,
            0,
            0,
            0,
            0,
            0,
        ])
    }

    /// `FFA_MEM_FRAG_RX`: the fragment from byte `offset` of the descriptor is wanted; `sender` is
    /// told to a hypervisor only.
    pub const fn fragment_wanted(handle: Handle, offset: u32, sender: EndpointId) -> Self {
        Self::fragment(Function::MemFragRx, handle, offset, sender)
    }

    /// `FFA_MEM_FRAG_TX`: a fragment of `length` bytes lies in RX; `sender` is told to a hypervisor
    /// only.
    pub const fn fragment_given(handle: Handle, length: u32, sender: EndpointId) -> Self {
        Self::fragment(Function::MemFragTx, handle, length, sender)
    }

    const fn fragment(function: Function, handle: Handle, w3: u32, sender: EndpointId) -> Self {
        let (low, high) = handle.words();
        Self::Ffa([
            function.raw32() as u64,
            low as u64,
            high as u64,
            w3 as u64,
            (sender.0 as u64) << 16,
            0,
            0,
            0,
        ])
    }

    /// A PSCI or SMCCC status: 32 bits, sign-extended in the 64-bit form of a function.
    pub const fn status(status: i32, wide: bool) -> Self {
        Self::X0(if wide {
            status as i64 as u64
        } else {
            status as u32 as u64
        })
    }

    /// The layout by which this reply is written.
    pub const fn layout(&self) -> Layout {
        match self {
            Self::Ffa(_) | Self::Version(_) => Layout::Eight,
            Self::Unknown | Self::X0(_) => Layout::One,
            Self::Smccc(_) => Layout::Four,
        }
    }

    /// The values of x0-x7; only as many as the layout says are to be written.
    pub const fn values(&self) -> [u64; 8] {
        match *self {
            Self::Ffa(x) => x,
            Self::Version(version) => [version_word(version), 0, 0, 0, 0, 0, 0, 0],
            Self::Unknown => [smccc::UNKNOWN, 0, 0, 0, 0, 0, 0, 0],
            Self::Smccc([a, b, c, d]) => [a, b, c, d, 0, 0, 0, 0],
            Self::X0(x0) => [x0, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    /// Writes the reply into the caller's registers and touches no other.
    ///
    /// `regs` are x0 upwards, at least eight of them.
    #[inline]
    pub fn write<const N: usize>(&self, regs: &mut [u64; N]) {
        const { assert!(N >= 8) };
        match self {
            Self::Ffa(x) => {
                crate::copy_registers!(regs, x, u64::MAX, 0 1, 2 3, 4 5, 6 7);
            }
            Self::Smccc(x) => {
                crate::copy_registers!(regs, x, u64::MAX, 0 1, 2 3);
            }
            Self::Unknown => regs[0] = smccc::UNKNOWN,
            Self::X0(x0) => regs[0] = *x0,
            Self::Version(version) => {
                regs[0] = version_word(*version);
                let zero = [0; 8];
                regs[1] = 0;
                crate::copy_registers!(regs, zero, 0, 2 3, 4 5, 6 7);
            }
        }
        #[cfg(feature = "mutations")]
        crate::contract::mutation::reply(self.layout(), regs);
    }

    /// The error code, if this is `FFA_ERROR`.
    pub fn error_code(&self) -> Option<FfaError> {
        match self {
            Self::Ffa(x) if x[0] == raw::ERROR as u64 => FfaError::from_register(x[2]),
            _ => None,
        }
    }
}

/// w0 of the answer to `FFA_VERSION`.
const fn version_word(version: Option<Version>) -> u64 {
    match version {
        Some(version) => version.raw() as u64,
        None => FfaError::NotSupported.register(),
    }
}

impl From<FfaError> for Reply {
    fn from(code: FfaError) -> Self {
        Self::error(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reply_touches_exactly_its_registers() {
        let mark = |n: usize| 0xa5a5_0000_0000_0000 | n as u64;
        let target = TargetInfo {
            endpoint: EndpointId(0x8001),
            context: 2,
        };
        for (reply, count) in [
            (Reply::error(FfaError::Denied), 8),
            (Reply::success(7), 8),
            (Reply::run(target), 8),
            (Reply::interrupt(target, 9), 8),
            (Reply::yielded(target, 1 << 40), 8),
            (Reply::msg_wait(), 8),
            (Reply::retrieved(0x2000, 0x1000), 8),
            (
                Reply::fragment_wanted(Handle(1 << 63 | 2), 0x1000, EndpointId(3)),
                8,
            ),
            (Reply::fragment_given(Handle(2), 0x1000, EndpointId(3)), 8),
            (Reply::Version(Some(Version::V1_3)), 8),
            (Reply::Version(None), 8),
            (Reply::Unknown, 1),
            (Reply::Smccc([5, 6, 7, 8]), 4),
            (Reply::X0(5), 1),
            (Reply::status(-2, true), 1),
        ] {
            let mut regs: [u64; 31] = core::array::from_fn(mark);
            reply.write(&mut regs);
            for (n, value) in regs.iter().enumerate() {
                if n < count {
                    assert_eq!(*value, reply.values()[n], "{reply:?} x{n}");
                    let full = matches!(reply, Reply::Unknown | Reply::Smccc(_) | Reply::X0(_));
                    assert!(full || value >> 32 == 0, "{reply:?}: upper half of x{n}");
                } else {
                    assert_eq!(*value, mark(n), "{reply:?} x{n}");
                }
            }
        }
    }

    #[test]
    fn an_error_is_read_back() {
        assert_eq!(
            Reply::error(FfaError::Busy).error_code(),
            Some(FfaError::Busy)
        );
        assert_eq!(Reply::success(0).error_code(), None);
    }
}
