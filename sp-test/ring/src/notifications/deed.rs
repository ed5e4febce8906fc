//! What an endpoint does: calls as data.

use super::party::Head;
use crate::fid;
use std::fmt;

/// Sender and receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub sender: u16,
    pub receiver: u16,
}

impl Ids {
    const fn register(self) -> u64 {
        (self.sender as u64) << 16 | self.receiver as u64
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// `FFA_NOTIFICATION_BIND`.
    Bind { ids: Ids, flags: u32, bits: u64 },
    /// `FFA_NOTIFICATION_UNBIND`.
    Unbind { ids: Ids, flags: u32, bits: u64 },
    /// `FFA_NOTIFICATION_SET`.
    Set { ids: Ids, flags: u32, bits: u64 },
    /// `FFA_NOTIFICATION_GET`.
    Get {
        receiver: u16,
        context: u16,
        flags: u32,
    },
    /// `FFA_NOTIFICATION_INFO_GET`.
    Info { wide: bool },
    /// `FFA_NOTIFICATION_BITMAP_CREATE`.
    Create { vm: u16, contexts: u32 },
    /// `FFA_NOTIFICATION_BITMAP_DESTROY`.
    Destroy { vm: u16 },
    /// `FFA_MSG_SEND2` of what lies in the TX of `sender`, which may be another than the header says.
    Send {
        sender: u16,
        named: u16,
        flags: u32,
        head: Head,
        payload: Vec<u8>,
    },
    /// `FFA_RX_RELEASE`.
    Release { vm: u16 },
    /// `FFA_RX_ACQUIRE`.
    Acquire { vm: u16 },
    /// `FFA_RXTX_MAP` of one's own pair.
    Map { tx: u64, rx: u64, pages: u32 },
    /// The same of a VM's, by its hypervisor.
    Forward { vm: u16, base: u64, pages: u32 },
    /// `FFA_RXTX_UNMAP`.
    Unmap { vm: u16 },
    /// `FFA_PARTITION_INFO_GET`: the number, or the list in RX.
    Discover { count_only: bool },
    /// A partition asks for its next virtual interrupt.
    Take,
}

impl Deed {
    /// The registers of the call.
    pub fn registers(&self) -> [u64; 8] {
        let mut x = [0; 8];
        let args: [u64; 5] = match self {
            Self::Bind { ids, flags, bits } => notify(fid::NOTIFICATION_BIND, *ids, *flags, *bits),
            Self::Unbind { ids, flags, bits } => {
                notify(fid::NOTIFICATION_UNBIND, *ids, *flags, *bits)
            }
            Self::Set { ids, flags, bits } => notify(fid::NOTIFICATION_SET, *ids, *flags, *bits),
            Self::Get {
                receiver,
                context,
                flags,
            } => {
                let who = u64::from(*context) << 16 | u64::from(*receiver);
                short(fid::NOTIFICATION_GET, who, (*flags).into())
            }
            Self::Info { wide: true } => short(fid::INFO_GET_64, 0, 0),
            Self::Info { wide: false } => short(fid::INFO_GET_32, 0, 0),
            Self::Create { vm, contexts } => {
                short(fid::BITMAP_CREATE, (*vm).into(), (*contexts).into())
            }
            Self::Destroy { vm } => short(fid::BITMAP_DESTROY, (*vm).into(), 0),
            Self::Send { named, flags, .. } => {
                short(fid::MSG_SEND2, u64::from(*named) << 16, (*flags).into())
            }
            Self::Release { vm } => short(fid::RX_RELEASE, (*vm).into(), 0),
            Self::Acquire { vm } => short(fid::RX_ACQUIRE, (*vm).into(), 0),
            Self::Map { tx, rx, pages } => [fid::RXTX_MAP_64.into(), *tx, *rx, (*pages).into(), 0],
            Self::Forward { .. } => short(fid::RXTX_MAP_64, 0, 0),
            Self::Unmap { vm } => short(fid::RXTX_UNMAP, u64::from(*vm) << 16, 0),
            Self::Discover { count_only } => {
                x[5] = (*count_only).into();
                short(fid::PARTITION_INFO_GET, 0, 0)
            }
            Self::Take => short(0xff04, 0, 0),
        };
        x[..5].copy_from_slice(&args);
        x
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What the payload is counts for nothing.
            Self::Send {
                sender,
                named,
                flags,
                head,
                payload,
            } => {
                let bytes = payload.len();
                let from = format_args!("Send from {sender:#x} ({named:#x}), flags {flags:#x}");
                write!(f, "{from}: {head:x?}, {bytes} bytes")
            }
            other => write!(f, "{other:x?}"),
        }
    }
}

fn notify(call: u32, ids: Ids, flags: u32, bits: u64) -> [u64; 5] {
    [
        call.into(),
        ids.register(),
        flags.into(),
        bits & 0xffff_ffff,
        bits >> 32,
    ]
}

fn short(call: u32, one: u64, two: u64) -> [u64; 5] {
    [call.into(), one, two, 0, 0]
}
