//! The kinds of direct messages.

use ffa_abi::id::Endpoints;

/// The form of a direct message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `FFA_MSG_SEND_DIRECT_REQ` and `RESP`, 32- or 64-bit.
    Direct {
        /// Whether it is the 64-bit form.
        wide: bool,
    },
    /// `FFA_MSG_SEND_DIRECT_REQ2` and `RESP2`.
    Direct2,
}

impl Kind {
    /// The kind of a direct request by its identifier; `None` if it is none.
    pub(crate) const fn of_request(fid: u32) -> Option<Self> {
        use ffa_abi::fid::raw;
        match fid {
            raw::DIRECT_REQ_32 => Some(Self::Direct { wide: false }),
            raw::DIRECT_REQ_64 => Some(Self::Direct { wide: true }),
            raw::DIRECT_REQ2 => Some(Self::Direct2),
            _ => None,
        }
    }

    /// One bit for each.
    pub(crate) const fn bit(self) -> u8 {
        match self {
            Self::Direct { wide: false } => 1 << 0,
            Self::Direct { wide: true } => 1 << 1,
            Self::Direct2 => 1 << 2,
        }
    }

    /// Whether the call that carries it is a 64-bit one.
    pub(crate) const fn is_wide(self) -> bool {
        !matches!(self, Self::Direct { wide: false })
    }

    /// The identifier of the request.
    pub(crate) const fn request_fid(self) -> u64 {
        use ffa_abi::fid::raw;
        (match self {
            Self::Direct { wide: false } => raw::DIRECT_REQ_32,
            Self::Direct { wide: true } => raw::DIRECT_REQ_64,
            Self::Direct2 => raw::DIRECT_REQ2,
        }) as u64
    }

    /// The identifier of the response.
    pub(crate) const fn response_fid(self) -> u64 {
        use ffa_abi::fid::raw;
        (match self {
            Self::Direct { wide: false } => raw::DIRECT_RESP_32,
            Self::Direct { wide: true } => raw::DIRECT_RESP_64,
            Self::Direct2 => raw::DIRECT_RESP2,
        }) as u64
    }

    /// Whether `response` answers a request of this kind, in the responder's version.
    pub(crate) fn is_answered_by(self, response: Self, version: ffa_abi::Version) -> bool {
        match (self, response) {
            (Self::Direct2, Self::Direct2) => true,
            // A response of the other width is delivered in its own below 1.3.
            (Self::Direct { wide: asked }, Self::Direct { wide }) => {
                asked == wide || version < ffa_abi::Version::V1_3
            }
            _ => false,
        }
    }
}

/// The ids of a message in x1.
pub(crate) const fn ids(x: &[u64; 31]) -> Endpoints {
    Endpoints::from_register(x[1])
}
