//! What a vCPU remembers so that the short way of its messages has little to check.

use crate::{
    kind::Kind,
    vcpu::{Request, VcpuId, VmIndex},
};
use ffa_abi::EndpointId;

/// Where a vCPU's last `DIRECT_REQ2` to a VM went. Nothing that it depends on changes any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// Sender and receiver, as in w1. What w1 can't be for none: a VM may send any value there.
    pub ids: u64,
    /// The service, as in x2 and x3.
    pub service: (u64, u64),
    /// Who gets it.
    pub to: VcpuId,
    /// What that one serves then.
    pub request: Option<Request>,
    /// And how it answers that.
    pub answer: Answer,
}

impl Route {
    /// None is known.
    pub const UNKNOWN: Self = Self {
        ids: u64::MAX,
        service: (0, 0),
        to: VcpuId {
            vm: VmIndex(0),
            vcpu: 0,
        },
        request: None,
        answer: Answer::NONE,
    };
}

/// The one answer that the short way delivers, as a word: who sends it to whom, and which vCPU waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer(u64);

impl Answer {
    const VALID: u64 = 1 << 63;
    /// None.
    pub const NONE: Self = Self(0);

    /// Of `own` to a request, if it is a `DIRECT_REQ2` for whose answer somebody waits.
    #[inline(always)]
    pub const fn to(request: Option<Request>, own: EndpointId) -> Self {
        match request {
            Some(Request {
                sender,
                origin: Some(origin),
                kind: Kind::Direct2,
            }) => Self::of(
                (own.0 as u64) << 16 | sender.0 as u64,
                Self::waited_for(origin),
            ),
            _ => Self::NONE,
        }
    }

    /// The part of one that this vCPU waits for.
    pub const fn waited_for(by: VcpuId) -> Self {
        Self(Self::VALID | (by.word() as u64) << 32)
    }

    /// Of a `DIRECT_RESP2` with this x1, if somebody waits for it.
    #[inline(always)]
    pub const fn of(x1: u64, waits: Self) -> Self {
        Self(waits.0 | x1 as u32 as u64)
    }
}
