//! The register contract: which of x0-x30 a completion writes, and with what.
//!
//! FF-A rides on SMCCC, which promises an SMC32/HVC32 caller that x8-x30 come back unchanged. From
//! FF-A 1.2 a 32-bit call (`FFA_MSG_WAIT`, `FFA_RUN`) may complete with a 64-bit message whose
//! payload lies in x4-x17. This module decides, for the SPMC towards its partitions and towards
//! EL3, and for the proxy towards its VMs, from the layout of (call, completion) and never from
//! bit 30 of x0: `FFA_VERSION` answers a number, an unknown SMC answers -1, and both have it set.
//!
//! | layout | when |
//! | --- | --- |
//! | [`Layout::Eighteen`] | `MSG_SEND_DIRECT_REQ2`, `RESP2`; `SUCCESS_64` of `PARTITION_INFO_GET_REGS` |
//! | [`Layout::Eight`] | every other completion of FF-A, 32- or 64-bit, and `FFA_VERSION` |
//! | [`Layout::Four`] | an SMC that is not FF-A and was forwarded |
//! | [`Layout::One`] | an unknown SMC: x0 = -1 |
//! | [`Layout::None`] | a resume |
//!
//! x18-x30 are always the endpoint's own.

use crate::{
    fid::{Fid, FidKind, Function, raw},
    regs::Regs,
    version::Version,
};

/// How many registers a completion writes, from x0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// Nothing: the endpoint is resumed where it was.
    None,
    /// x0.
    One,
    /// x0-x3.
    Four,
    /// x0-x7.
    Eight,
    /// x0-x17.
    Eighteen,
}

impl Layout {
    /// The number of registers.
    pub const fn registers(self) -> usize {
        match self {
            Self::None => 0,
            Self::One => 1,
            Self::Four => 4,
            Self::Eight => 8,
            Self::Eighteen => 18,
        }
    }
}

/// How an endpoint wants the mixed case (its 32-bit call, a 64-bit completion) handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// FF-A 1.2's text: a 64-bit message completes a 32-bit `MSG_WAIT` or `RUN` in x0-x17.
    #[default]
    Permissive,
    /// SMCCC's text: x8-x17 of a 32-bit caller are never touched; a 64-bit message finds its way
    /// only to a caller that used a 64-bit form.
    SmcccStrict,
}

/// An endpoint as far as the contract is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The FF-A version it negotiated.
    pub version: Version,
    /// Its mode.
    pub mode: Mode,
}

/// Why a completion can't be delivered to an endpoint; its sender gets the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeliverable {
    /// The endpoint speaks less than FF-A 1.2: it has no x8-x17.
    Version,
    /// The endpoint is in strict mode and made a 32-bit call.
    Strict,
}

/// The layout of a completion that carries the identifier `completion`, given the function that it
/// completes.
///
/// `call` is `None` for a completion that answers no particular function (a message that ends a
/// wait). Registers that carry no identifier (`FFA_VERSION`'s answer) are not for this function:
/// it looks at the *call* first.
pub fn layout(call: Option<Fid>, completion: u64) -> Layout {
    let layout = layout_by_the_book(call, completion);
    #[cfg(feature = "mutations")]
    let layout = mutation::completion(layout, completion);
    layout
}

fn layout_by_the_book(call: Option<Fid>, completion: u64) -> Layout {
    if let Some(call) = call
        && call.function == Function::Version
    {
        return Layout::Eight;
    }
    match Fid::decode(completion) {
        FidKind::Ffa(fid) => match fid.function {
            Function::MsgSendDirectReq2 | Function::MsgSendDirectResp2 => Layout::Eighteen,
            Function::Success if fid.wide => match call {
                Some(call) if call.function == Function::PartitionInfoGetRegs => Layout::Eighteen,
                _ => Layout::Eight,
            },
            _ => Layout::Eight,
        },
        FidKind::UnknownFfa => Layout::Eight,
        FidKind::Other(_) => Layout::One,
    }
}

/// The layout of a direct message: `extended` for `MSG_SEND_DIRECT_REQ2` and `RESP2`, else the 32-
/// or 64-bit form of `MSG_SEND_DIRECT_REQ` and `RESP`.
///
/// One reading of FF-A 1.3 gives the 64-bit form x3-x17 as well. Existing callers rely on x8-x17
/// surviving it; should that reading prevail, this is the line to change.
#[inline(always)]
pub fn message_layout(extended: bool, wide: bool) -> Layout {
    let _ = wide;
    let layout = if extended {
        Layout::Eighteen
    } else {
        Layout::Eight
    };
    #[cfg(feature = "mutations")]
    let layout = mutation::message(layout, wide || extended);
    layout
}

/// Whether a completion of `layout` may be delivered to `peer`, which waits in a call of the form
/// `wide`.
#[inline]
pub fn deliverable(peer: Peer, wide: bool, layout: Layout) -> Result<(), Undeliverable> {
    if matches!(layout, Layout::Eighteen) {
        if !peer.version.has_extended_registers() {
            return Err(Undeliverable::Version);
        }
        if matches!(peer.mode, Mode::SmcccStrict) && !wide {
            return Err(Undeliverable::Strict);
        }
    }
    Ok(())
}

/// Whether the results of an identifier are 32-bit, so that upper halves are written zero.
const fn narrow(completion: u64) -> bool {
    completion as u32 & crate::fid::WIDE_BIT == 0
}

/// Writes `completion` into an endpoint's registers (x0 upwards) by `layout`, and touches no other.
///
/// The upper halves of a 32-bit identifier's results are written zero, whatever the source holds.
#[inline]
pub fn write<const N: usize>(layout: Layout, completion: &Regs, registers: &mut [u64; N]) {
    const { assert!(N >= 18) };
    let mask = match layout {
        Layout::Eight if narrow(completion.0[0]) => 0xffff_ffff,
        _ => u64::MAX,
    };
    for (register, value) in registers
        .iter_mut()
        .zip(completion.0)
        .take(layout.registers())
    {
        *register = value & mask;
    }
}

/// What the SPMC leaves in x8-x17 when it completes towards EL3.
///
/// An SPMD may bring the normal world's x8-x17 in on every entry, or leave in them what *we* left
/// there last (perhaps another VM's payload), so they are data only on a 64-bit entry and must go
/// back in a way that is right under both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedToEl3 {
    /// The values that the entry brought.
    Entry,
    /// Zero.
    Zero,
    /// The completion's payload, the rest zero.
    Payload,
}

/// Decides x8-x17 towards EL3 from the entry's identifier (x0) and the completion's identifier and
/// layout.
///
/// | entry | completion | x8-x17 |
/// | --- | --- | --- |
/// | any | 32-bit id, or the framework's answer to `FFA_VERSION` | the entry's values |
/// | 64-bit | 64-bit id, eight registers | the entry's values |
/// | 32-bit | 64-bit id, eight registers | zero |
/// | any | eighteen registers | payload |
#[inline(always)]
pub fn extended_to_el3(entry: u64, completion: u64, layout: Layout) -> ExtendedToEl3 {
    match layout {
        Layout::Eighteen => ExtendedToEl3::Payload,
        _ if narrow(completion) => ExtendedToEl3::Entry,
        #[cfg(feature = "mutations")]
        _ if mutation::echoes() => ExtendedToEl3::Entry,
        _ if narrow(entry) => ExtendedToEl3::Zero,
        _ => ExtendedToEl3::Entry,
    }
}

/// Wrong contracts, to prove that tests see them. Only with the feature `mutations`, which nothing
/// but tests may enable.
#[cfg(feature = "mutations")]
pub mod mutation {
    use super::{Layout, narrow};
    use crate::fid::{Fid, FidKind};
    use core::sync::atomic::{AtomicU8, Ordering};

    /// A wrong contract.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[repr(u8)]
    pub enum Mutation {
        /// x0-x17 are always written.
        CopyAlways = 1,
        /// Bit 30 of x0 decides, also where x0 is no identifier.
        Bit30 = 2,
        /// x8-x17 are never written.
        NeverExtended = 3,
        /// Every 64-bit identifier writes x0-x17.
        EighteenForWide = 4,
        /// x8-x17 of a 32-bit entry from EL3 are echoed in a 64-bit completion.
        EchoOnNarrowEntry = 5,
    }

    static CURRENT: AtomicU8 = AtomicU8::new(0);

    /// Sets the mutation, or none. It holds for the whole process: tests that use it must not run
    /// beside others.
    pub fn set(mutation: Option<Mutation>) {
        CURRENT.store(mutation.map_or(0, |m| m as u8), Ordering::SeqCst);
    }

    fn is(mutation: Mutation) -> bool {
        CURRENT.load(Ordering::Relaxed) == mutation as u8
    }

    pub(super) fn echoes() -> bool {
        is(Mutation::EchoOnNarrowEntry)
    }

    pub(super) fn message(layout: Layout, wide: bool) -> Layout {
        let wide = wide && (is(Mutation::Bit30) || is(Mutation::EighteenForWide));
        if wide || is(Mutation::CopyAlways) {
            Layout::Eighteen
        } else if is(Mutation::NeverExtended) {
            Layout::Eight
        } else {
            layout
        }
    }

    pub(super) fn completion(layout: Layout, x0: u64) -> Layout {
        let wide_id = matches!(Fid::decode(x0), FidKind::Ffa(fid) if fid.wide);
        if is(Mutation::CopyAlways)
            || (is(Mutation::Bit30) && !narrow(x0))
            || (is(Mutation::EighteenForWide) && wide_id)
        {
            Layout::Eighteen
        } else if is(Mutation::NeverExtended) {
            layout.min(Layout::Eight)
        } else {
            layout
        }
    }

    /// What a mutated contract does to x8-x17 after a reply was written.
    pub(crate) fn reply<const N: usize>(layout: Layout, registers: &mut [u64; N]) {
        if completion(layout, registers[0]) == Layout::Eighteen {
            for register in registers.iter_mut().take(18).skip(8) {
                *register = 0;
            }
        }
    }
}

/// The layout of what came back to the proxy for a VM's call.
///
/// `call` is the VM's own `x0`; `completion` is what EL3 returned. EL3 answers identifiers above
/// its range with a bare -1, which becomes `FFA_ERROR(NOT_SUPPORTED)` for the VM: the caller of
/// this function has replaced it.
pub fn vm_layout(call: u64, completion: u64) -> Layout {
    let call = match Fid::decode(call) {
        FidKind::Ffa(fid) => Some(fid),
        _ => None,
    };
    layout(call, completion)
}

/// Whether x0 as EL3 returned it is its bare "unknown function": -1 in 64 or in 32 bits.
pub const fn is_bare_unknown(x0: u64) -> bool {
    x0 == u64::MAX || x0 == 0xffff_ffff
}

/// The identifiers that complete in eighteen registers as calls of a message, for a first look that
/// must be cheap.
#[inline(always)]
pub const fn is_direct2(x0: u64) -> bool {
    matches!(
        x0 as u32 & !crate::smccc::SVE_HINT,
        raw::DIRECT_REQ2 | raw::DIRECT_RESP2
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FfaError;
    use proptest::prelude::*;

    const V: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];

    #[test]
    fn layouts_by_call_and_completion() {
        let n = |f: Function| Some(Fid::narrow(f));
        let w = |f: Function| Some(Fid::wide(f));
        let error = raw::ERROR as u64;
        let table = [
            (
                n(Function::MsgWait),
                raw::DIRECT_REQ2 as u64,
                Layout::Eighteen,
            ),
            (
                w(Function::MsgWait),
                raw::DIRECT_REQ2 as u64,
                Layout::Eighteen,
            ),
            (n(Function::Run), raw::DIRECT_RESP2 as u64, Layout::Eighteen),
            (
                n(Function::MsgWait),
                raw::DIRECT_REQ_64 as u64,
                Layout::Eight,
            ),
            (
                n(Function::MsgSendDirectReq),
                raw::DIRECT_RESP_64 as u64,
                Layout::Eight,
            ),
            (w(Function::MsgSendDirectReq2), error, Layout::Eight),
            (
                w(Function::MsgSendDirectReq2),
                raw::INTERRUPT as u64,
                Layout::Eight,
            ),
            (
                w(Function::PartitionInfoGetRegs),
                raw::SUCCESS_64 as u64,
                Layout::Eighteen,
            ),
            (w(Function::PartitionInfoGetRegs), error, Layout::Eight),
            (
                w(Function::NotificationInfoGet),
                raw::SUCCESS_64 as u64,
                Layout::Eight,
            ),
            (w(Function::RxtxMap), raw::SUCCESS_32 as u64, Layout::Eight),
            // A version and -1 look like 64-bit identifiers, or like nothing.
            (n(Function::Version), 0x1_0003, Layout::Eight),
            (
                n(Function::Version),
                FfaError::NotSupported.register(),
                Layout::Eight,
            ),
            (None, u64::MAX, Layout::One),
        ];
        for (call, completion, expected) in table {
            assert_eq!(
                layout(call, completion),
                expected,
                "{call:?} {completion:#x}"
            );
        }
    }

    #[test]
    fn eighteen_registers_only_reach_peers_that_have_them() {
        for version in V {
            for mode in [Mode::Permissive, Mode::SmcccStrict] {
                for wide in [false, true] {
                    let got = deliverable(Peer { version, mode }, wide, Layout::Eighteen);
                    let expected = if version < Version::V1_2 {
                        Err(Undeliverable::Version)
                    } else if mode == Mode::SmcccStrict && !wide {
                        Err(Undeliverable::Strict)
                    } else {
                        Ok(())
                    };
                    assert_eq!(got, expected);
                    for layout in [Layout::None, Layout::One, Layout::Four, Layout::Eight] {
                        assert_eq!(deliverable(Peer { version, mode }, wide, layout), Ok(()));
                    }
                }
            }
        }
    }

    #[test]
    fn towards_el3() {
        let narrow_entry = raw::DIRECT_REQ_32 as u64;
        let wide_entry = raw::DIRECT_REQ2 as u64;
        let table = [
            (
                narrow_entry,
                raw::ERROR,
                Layout::Eight,
                ExtendedToEl3::Entry,
            ),
            (wide_entry, raw::ERROR, Layout::Eight, ExtendedToEl3::Entry),
            (
                wide_entry,
                raw::DIRECT_RESP_64,
                Layout::Eight,
                ExtendedToEl3::Entry,
            ),
            (
                narrow_entry,
                raw::DIRECT_RESP_64,
                Layout::Eight,
                ExtendedToEl3::Zero,
            ),
            (
                narrow_entry,
                raw::DIRECT_RESP2,
                Layout::Eighteen,
                ExtendedToEl3::Payload,
            ),
            (
                wide_entry,
                raw::DIRECT_RESP2,
                Layout::Eighteen,
                ExtendedToEl3::Payload,
            ),
        ];
        for (entry, completion, layout, expected) in table {
            assert_eq!(extended_to_el3(entry, completion as u64, layout), expected);
        }
    }

    #[test]
    fn bare_unknown_of_el3() {
        assert!(is_bare_unknown(u64::MAX) && is_bare_unknown(0xffff_ffff));
        assert!(!is_bare_unknown(raw::ERROR as u64));
        assert!(is_direct2((raw::DIRECT_REQ2 | 1 << 16) as u64));
        assert!(!is_direct2(raw::DIRECT_REQ_64 as u64));
    }

    proptest! {
        #![proptest_config(crate::property())]

        #[test]
        fn a_completion_writes_its_registers_and_no_other(
            own: [u64; 31], source: [u64; 18], layout in 0usize..5,
        ) {
            let layout = [Layout::None, Layout::One, Layout::Four, Layout::Eight, Layout::Eighteen][layout];
            let mut regs = own;
            write(layout, &Regs(source), &mut regs);
            for n in 0..31 {
                if n >= layout.registers() {
                    prop_assert_eq!(regs[n], own[n]);
                } else if layout == Layout::Eight && source[0] as u32 & (1 << 30) == 0 {
                    prop_assert_eq!(regs[n], source[n] & 0xffff_ffff);
                } else {
                    prop_assert_eq!(regs[n], source[n]);
                }
            }
        }
    }
}
