//! Calls of notifications, of RX buffers and of indirect messages.

use super::{fid, ids};
use crate::world::Who;
use std::fmt;

/// `FFA_NOTIFICATION_SET` beside its ids and bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// Whether the context's own are set.
    pub per_context: bool,
    /// Whether the scheduler is told later.
    pub delay: bool,
    /// The context.
    pub context: u16,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The header names another sender.
    Sender,
    /// The payload ends beyond TX.
    Size,
}

/// A call with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are the arguments'.
pub enum Notes {
    Bind {
        sender: u16,
        receiver: u16,
        per_context: bool,
        bits: u64,
    },
    Unbind {
        sender: u16,
        receiver: u16,
        bits: u64,
    },
    Set {
        sender: u16,
        receiver: u16,
        how: Set,
        bits: u64,
    },
    Get {
        receiver: u16,
        context: u16,
        flags: u64,
    },
    /// What lies in TX is for this endpoint, or is wrong.
    Send {
        from: Who,
        to: u16,
        delay: bool,
        fault: Option<Fault>,
    },
    /// In the name of this VM, or for itself.
    Release {
        vm: u16,
    },
    Acquire {
        vm: u16,
    },
    /// Of the caller's pair.
    Map {
        who: Who,
    },
    Unmap,
}

impl Notes {
    /// w0.
    pub const fn fid(self) -> u64 {
        match self {
            Self::Bind { .. } => fid::NOTIFICATION_BIND,
            Self::Unbind { .. } => fid::NOTIFICATION_UNBIND,
            Self::Set { .. } => fid::NOTIFICATION_SET,
            Self::Get { .. } => fid::NOTIFICATION_GET,
            Self::Send { .. } => fid::MSG_SEND2,
            Self::Release { .. } => fid::RX_RELEASE,
            Self::Acquire { .. } => fid::RX_ACQUIRE,
            Self::Map { .. } => fid::RXTX_MAP_64,
            Self::Unmap => fid::RXTX_UNMAP,
        }
    }

    /// w1 and on, as far as they are arguments.
    pub fn arguments(self) -> Vec<u64> {
        let split = |bits: u64| [bits & 0xffff_ffff, bits >> 32];
        match self {
            Self::Bind {
                sender,
                receiver,
                per_context,
                bits,
            } => {
                let [low, high] = split(bits);
                vec![ids(sender, receiver), per_context.into(), low, high]
            }
            Self::Unbind {
                sender,
                receiver,
                bits,
            } => {
                let [low, high] = split(bits);
                vec![ids(sender, receiver), 0, low, high]
            }
            Self::Set {
                sender,
                receiver,
                how,
                bits,
            } => {
                let [low, high] = split(bits);
                let w2 = u64::from(how.per_context)
                    | u64::from(how.delay) << 1
                    | u64::from(how.context) << 16;
                vec![ids(sender, receiver), w2, low, high]
            }
            Self::Get {
                receiver,
                context,
                flags,
            } => vec![ids(context, receiver), flags],
            Self::Send { delay, .. } => vec![0, u64::from(delay) << 1],
            Self::Release { vm } | Self::Acquire { vm } => vec![vm.into()],
            Self::Map { who } => {
                let (tx, rx) = buffers(who);
                vec![tx, rx, 1]
            }
            Self::Unmap => vec![0],
        }
    }
}

/// Where an endpoint's TX and RX are, a page each.
pub const fn buffers(who: Who) -> (u64, u64) {
    let base = 0x10_0000 + ((who.buffer() as u64) << 16);
    (base, base + 0x1000)
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Bind {
                sender,
                receiver,
                per_context,
                bits,
            } => {
                let whole = if per_context { " per context" } else { "" };
                write!(
                    f,
                    "NOTIFICATION_BIND of {bits:#x} of {receiver:#x} to {sender:#x}{whole}"
                )
            }
            Self::Unbind {
                sender,
                receiver,
                bits,
            } => write!(
                f,
                "NOTIFICATION_UNBIND of {bits:#x} of {receiver:#x} from {sender:#x}"
            ),
            Self::Set {
                sender,
                receiver,
                how,
                bits,
            } => {
                write!(
                    f,
                    "NOTIFICATION_SET of {bits:#x} by {sender:#x} for {receiver:#x}"
                )?;
                if how.per_context {
                    write!(f, ", context {}", how.context)?;
                }
                if how.delay {
                    write!(f, ", told later")?;
                }
                Ok(())
            }
            Self::Get {
                receiver,
                context,
                flags,
            } => write!(
                f,
                "NOTIFICATION_GET by {receiver:#x}, context {context}, flags {flags:#x}"
            ),
            Self::Send {
                from, to, fault, ..
            } => {
                write!(f, "MSG_SEND2 by {:#x} to {to:#x}", from.id())?;
                if let Some(fault) = fault {
                    write!(f, ", wrong {fault:?}")?;
                }
                Ok(())
            }
            Self::Release { vm } => write!(f, "RX_RELEASE of {vm:#x}"),
            Self::Acquire { vm } => write!(f, "RX_ACQUIRE of {vm:#x}"),
            Self::Map { .. } => f.write_str("RXTX_MAP"),
            Self::Unmap => f.write_str("RXTX_UNMAP"),
        }
    }
}
