//! A transaction's way to the SPMC: the descriptor in the layout of the version that the proxy speaks, in
//! fragments of the proxy's own TX, whatever the VM's were.
//!
//! All of it is built from what was copied from the VM and read there. The SPMC completes the transaction with
//! its last fragment, so that is sent when everything that can fail here is done.

use crate::{
    buffers::{Memory, PAGE, Unreachable},
    forward::El3,
};
use ffa_abi::{
    Call, Completion, EndpointId, FfaError, Fid, Function, Regs, Version,
    memory::{
        Constituent, DescriptorCall, Handle, ReclaimFlags, TransactionKind, request::Description,
    },
    sharing::Send,
};

/// The most bytes of a first fragment: some SPMCs take no longer one from a hypervisor.
const FIRST: usize = PAGE as usize;
/// The most fragments that an unfinished transaction is dropped with: SPMCs that look at a constituent at the
/// end only give up after 20.
const MOST_DROPS: usize = 32;
/// What can be no part of any memory: not aligned.
const NEVER: Constituent = Constituent { base: 1, pages: 1 };

/// How far a transaction has come at the SPMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct There {
    /// Its handle there; [`Handle::INVALID`] before the first fragment was sent.
    pub handle: Handle,
    /// Bytes that were sent.
    pub sent: u32,
    /// Bytes of the whole descriptor.
    pub total: u32,
}

/// What is sent next.
pub(super) struct Stream<'a, M> {
    /// The bytes of the next fragment, the first `used` of them filled.
    out: &'a mut [u8],
    used: usize,
    /// What the call is until a fragment was sent.
    first: Option<TransactionKind>,
    sender: EndpointId,
    there: There,
    machine: &'a mut M,
}

impl<'a, M: Memory + El3> Stream<'a, M> {
    /// Begins a transaction. Nothing is sent yet.
    ///
    /// # Errors
    /// INVALID_PARAMETERS for what can't be said in the version that the SPMC speaks.
    pub fn begin(
        send: &Send,
        version: Version,
        out: &'a mut [u8],
        machine: &'a mut M,
    ) -> Result<Self, FfaError> {
        let description = Description {
            sender: send.sender,
            attributes: send.attributes,
            flags: send.flags,
            handle: Handle(0),
            tag: send.tag,
            receivers: &send.receivers,
            pages: send.pages,
            count: send.count,
        };
        let used = description.write_head(version, out);
        let used = used.ok_or(FfaError::InvalidParameters)?;
        let total = description.bytes(version);
        Ok(Self {
            out,
            used,
            first: Some(send.kind),
            sender: send.sender,
            there: There {
                handle: Handle::INVALID,
                sent: 0,
                total: total.ok_or(FfaError::InvalidParameters)?,
            },
            machine,
        })
    }

    /// Goes on with one.
    pub const fn go_on(
        there: There,
        sender: EndpointId,
        out: &'a mut [u8],
        machine: &'a mut M,
    ) -> Self {
        Self {
            out,
            used: 0,
            first: None,
            sender,
            there,
            machine,
        }
    }

    /// The next constituents, and how far the transaction has come then. Everything is sent.
    ///
    /// # Errors
    /// What the SPMC says; ABORTED if that makes no sense. What it may still have of the transaction then is
    /// dropped.
    pub fn send(
        mut self,
        constituents: impl Iterator<Item = Constituent>,
    ) -> Result<There, FfaError> {
        match self.send_all(constituents) {
            Ok(()) => Ok(self.there),
            Err(error) => {
                drop_unfinished(self.there, self.sender, self.out, self.machine);
                Err(error)
            }
        }
    }

    fn send_all(
        &mut self,
        constituents: impl Iterator<Item = Constituent>,
    ) -> Result<(), FfaError> {
        for constituent in constituents {
            let limit = match self.first {
                Some(_) => self.out.len().min(FIRST),
                None => self.out.len(),
            };
            if self.used.saturating_add(Constituent::BYTES) > limit {
                self.flush()?;
            }
            let place = self.out.get_mut(self.used..).unwrap_or_default();
            let size = constituent.write(place).ok_or(FfaError::Aborted)?;
            self.used = self.used.saturating_add(size);
        }
        match self.used {
            0 => Ok(()),
            _ => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<(), FfaError> {
        let fragment = self.out.get(..self.used).ok_or(FfaError::Aborted)?;
        let length = u32::try_from(self.used).map_err(|_| FfaError::Aborted)?;
        let There { sent, total, .. } = self.there;
        let sent = sent.checked_add(length).filter(|sent| *sent <= total);
        let sent = sent.ok_or(FfaError::Aborted)?;
        let first = self.first.take();
        let call = match first {
            Some(kind) => first_call(kind, total, length),
            None => Call::MemFragTx {
                handle: self.there.handle,
                length,
                sender: self.sender,
            },
        };
        let written = self.machine.write_tx(fragment);
        written.map_err(|Unreachable| FfaError::Aborted)?;
        let answer = answered(call, self.machine)?;
        let told = match answer {
            Answer::Complete(handle) | Answer::More { handle, .. } => handle,
            Answer::Nonsense => self.there.handle,
        };
        if first.is_some() {
            self.there.handle = told;
        }
        self.there.sent = sent;
        self.used = 0;
        let fits = match answer {
            Answer::Complete(_) => sent == total,
            Answer::More { offset, .. } => sent != total && offset == sent,
            Answer::Nonsense => false,
        };
        match fits && told == self.there.handle {
            true => Ok(()),
            false => Err(FfaError::Aborted),
        }
    }
}

/// Why the SPMC did not do what it was asked. What it wants more of it is told it won't get.
#[cold]
pub(super) fn refusal(regs: &Regs, machine: &mut impl El3) -> FfaError {
    match decode(Fid::narrow(Function::MemShare), regs) {
        Err(error) => error,
        Ok(Answer::More { handle, .. }) => {
            let _ = reclaim(handle, ReclaimFlags::empty(), machine);
            FfaError::Aborted
        }
        Ok(Answer::Complete(_) | Answer::Nonsense) => FfaError::Aborted,
    }
}

/// What the SPMC says of a fragment.
enum Answer {
    /// It was the last one.
    Complete(Handle),
    /// It wants the next one, from this byte on.
    More { handle: Handle, offset: u32 },
    /// Nothing that completes such a call.
    Nonsense,
}

/// Makes a call that sends a fragment.
fn answered(call: Call, machine: &mut impl El3) -> Result<Answer, FfaError> {
    let mut regs = call.encode();
    machine.smc(&mut regs);
    decode(call.fid(), &regs)
}

fn decode(fid: Fid, regs: &Regs) -> Result<Answer, FfaError> {
    match Completion::decode(fid, regs) {
        Ok(Completion::Success { .. }) => Ok(Answer::Complete(Handle::from_success(regs))),
        Ok(Completion::MemFragRx { handle, offset, .. }) => Ok(Answer::More { handle, offset }),
        Ok(Completion::Unknown) => Err(FfaError::NotSupported),
        Ok(Completion::Error { code: Ok(code), .. }) => Err(code),
        _ => Ok(Answer::Nonsense),
    }
}

const fn first_call(kind: TransactionKind, total_length: u32, fragment_length: u32) -> Call {
    let call = DescriptorCall {
        wide: false,
        total_length,
        fragment_length,
        buffer: 0,
        pages: 0,
    };
    match kind {
        TransactionKind::Donate => Call::MemDonate(call),
        TransactionKind::Lend => Call::MemLend(call),
        TransactionKind::Share | TransactionKind::Unspecified => Call::MemShare(call),
    }
}

/// Drops what the SPMC has of a transaction that will never be finished.
///
/// FF-A has no call for that. An SPMC drops a transaction that it finds an error in: some at once, others when it is
/// complete or after a number of fragments. So it gets constituents that can't be.
pub(super) fn drop_unfinished<M: Memory + El3>(
    there: There,
    sender: EndpointId,
    out: &mut [u8],
    machine: &mut M,
) {
    let There {
        handle,
        mut sent,
        total,
    } = there;
    if handle == Handle::INVALID {
        return;
    }
    for _ in 0..MOST_DROPS {
        let rest = total.saturating_sub(sent) as usize;
        if rest == 0 {
            break;
        }
        let mut length = 0usize;
        while length < rest.min(out.len())
            && let Some(size) = out.get_mut(length..).and_then(|place| NEVER.write(place))
        {
            length = length.saturating_add(size);
        }
        let (Some(fragment), Ok(bytes)) = (out.get(..length), u32::try_from(length)) else {
            return;
        };
        if machine.write_tx(fragment).is_err() {
            return;
        }
        let call = Call::MemFragTx {
            handle,
            length: bytes,
            sender,
        };
        match answered(call, machine) {
            Ok(Answer::More { .. } | Answer::Nonsense) => sent = sent.saturating_add(bytes),
            // It has dropped it, or it has all of it.
            Ok(Answer::Complete(_)) | Err(_) => break,
        }
    }
    // An SPMC that has all of it, or took even that.
    let _ = reclaim(handle, ReclaimFlags::empty(), machine);
}

/// `FFA_MEM_RECLAIM` at the SPMC.
///
/// # Errors
/// What it says; ABORTED if that makes no sense.
pub(super) fn reclaim(
    handle: Handle,
    flags: ReclaimFlags,
    machine: &mut impl El3,
) -> Result<Regs, FfaError> {
    crate::forward::ask(Call::MemReclaim { handle, flags }, machine)
}
