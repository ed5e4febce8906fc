//! What a transaction permits, looking at nothing but the transaction and the memory.

use super::{Party, Receiver, Retrieve, Side, Transaction, pages::Kind};
use crate::{
    error::FfaError,
    memory::{
        Attributes, Cacheability, DataAccess, DeviceKind, InstructionAccess, MemoryType,
        Shareability, TransactionFlags, TransactionKind,
    },
};

/// Whether memory of this kind may be sent so. DENIED if not.
pub(super) fn may_send(it: &Transaction, memory: Kind) -> Result<(), FfaError> {
    let lent_to_one = it.kind == TransactionKind::Lend && it.receivers.len() == 1;
    let zero = it.flags.contains(TransactionFlags::ZERO);
    let called_normal = matches!(it.attributes.memory_type(), Some(MemoryType::Normal(_)));
    let written = |receiver: &Receiver| receiver.data == DataAccess::ReadWrite;
    if !memory.shareable()
        || memory.device() && (!lent_to_one || called_normal || zero)
        || !memory.write() && (zero || it.receivers.iter().any(|it| written(&it.receiver)))
    {
        return Err(FfaError::Denied);
    }
    Ok(())
}

/// What a borrower gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Permit {
    /// Its index among the receivers.
    pub(super) borrower: usize,
    pub(super) data: DataAccess,
    pub(super) instruction: InstructionAccess,
}

/// Whether `who` may retrieve memory so, and what it gets. The order of these checks is that of the
/// reference implementation.
pub(super) fn may_retrieve(
    it: &Transaction,
    side: Side,
    who: Party,
    request: &Retrieve,
) -> Result<Permit, FfaError> {
    use FfaError::{Denied, InvalidParameters, NotSupported};
    let flags = request.flags;
    if it.orphan || request.sender != it.sender {
        return Err(Denied);
    }
    let listed = &request.receivers;
    if side == Side::Spmc && !request.caller.is_secure() {
        let of_normal_world = listed.iter().filter(|it| !it.endpoint.is_secure());
        if of_normal_world.count() > 1 {
            return Err(NotSupported);
        }
    }
    let kind = flags.kind();
    if (kind != TransactionKind::Unspecified && kind != it.kind) || request.tag != it.tag {
        return Err(InvalidParameters);
    }
    let borrower = it.borrower(who, request.caller);
    let borrower = borrower.ok_or(InvalidParameters)?;
    let hints = TransactionFlags::HINT_VALID | TransactionFlags::ALIGNMENT_HINT;
    if flags.intersects(hints) || flags.reserved() != 0 {
        return Err(InvalidParameters);
    }
    let zeroing = TransactionFlags::ZERO | TransactionFlags::ZERO_AFTER_RELINQUISH;
    if it.kind == TransactionKind::Share && flags.intersects(zeroing) {
        return Err(InvalidParameters);
    }
    if flags.contains(TransactionFlags::ZERO) && !it.flags.contains(TransactionFlags::ZERO) {
        return Err(Denied);
    }
    if request.attributes.is_non_secure() {
        return Err(InvalidParameters);
    }
    may_be_taken_for(request.attributes)?;
    let several = it.receivers.len() > 1;
    if flags.contains(TransactionFlags::BYPASS_BORROWERS) {
        if listed.len() != 1 || !several {
            return Err(InvalidParameters);
        }
    } else if listed.len() != it.receivers.len() {
        return Err(InvalidParameters);
    }
    let permit = may_have(it, borrower, request)?;
    let called_normal = matches!(
        request.attributes.memory_type(),
        Some(MemoryType::Normal(_))
    );
    if it.memory.device() && called_normal {
        return Err(Denied);
    }
    let own = it.receivers.get(borrower).ok_or(InvalidParameters)?;
    if own.retrievals != 0 {
        let same = (own.data, own.instruction) == (permit.data, permit.instruction);
        if !same || own.retrievals == u8::MAX {
            return Err(Denied);
        }
    }
    Ok(permit)
}

/// Whether memory may be taken for this. What is stated must be how memory is mapped.
fn may_be_taken_for(attributes: Attributes) -> Result<(), FfaError> {
    let inner = attributes.shareability() == Some(Shareability::Inner);
    let good = match attributes.memory_type() {
        Some(MemoryType::Unspecified) => true,
        Some(MemoryType::Normal(Cacheability::WriteBack)) => inner,
        Some(MemoryType::Device(DeviceKind::NoGatherNoReorderNoEarly)) => inner,
        _ => false,
    };
    if good { Ok(()) } else { Err(FfaError::Denied) }
}

/// The permissions of the borrower's own entry, after all that it lists were checked.
fn may_have(it: &Transaction, borrower: usize, request: &Retrieve) -> Result<Permit, FfaError> {
    let (mut permit, mut seen) = (None, 0u32);
    for wanted in &request.receivers {
        let found = it
            .receivers
            .iter()
            .position(|it| it.receiver.endpoint == wanted.endpoint);
        let found = found.ok_or(FfaError::Denied)?;
        let sent = it.receivers.get(found).ok_or(FfaError::Denied)?.receiver;
        let data = data(it, &sent, wanted)?;
        let instruction = instruction(it, wanted)?;
        if seen & 1 << found != 0 {
            return Err(FfaError::InvalidParameters);
        }
        seen |= 1 << found;
        if found != borrower {
            continue;
        }
        let zeroing = TransactionFlags::ZERO | TransactionFlags::ZERO_AFTER_RELINQUISH;
        let unfit = data == DataAccess::ReadOnly || it.memory.device();
        if unfit && request.flags.intersects(zeroing) {
            return Err(FfaError::Denied);
        }
        if let (Some(sent), Some(wanted)) = (sent.implementation, wanted.implementation)
            && sent != wanted
        {
            return Err(FfaError::InvalidParameters);
        }
        permit = Some(Permit {
            borrower,
            data,
            instruction,
        });
    }
    permit.ok_or(FfaError::InvalidParameters)
}

/// What access to data is granted. DENIED beyond what was sent, or what the owner has.
fn data(it: &Transaction, sent: &Receiver, wanted: &Receiver) -> Result<DataAccess, FfaError> {
    let most = match sent.data {
        DataAccess::Unspecified if it.memory.write() => DataAccess::ReadWrite,
        DataAccess::Unspecified => DataAccess::ReadOnly,
        stated => stated,
    };
    match (wanted.data, most) {
        (DataAccess::Unspecified, _) => Ok(most),
        (DataAccess::ReadWrite, DataAccess::ReadOnly) => Err(FfaError::Denied),
        (stated, _) => Ok(stated),
    }
}

/// What access to instructions is granted: what a single borrower of lent or donated memory says, and
/// none otherwise. INVALID_PARAMETERS if it says so elsewhere or not there, or a partition wants to
/// execute the normal world's memory; DENIED beyond what the owner has.
fn instruction(it: &Transaction, wanted: &Receiver) -> Result<InstructionAccess, FfaError> {
    let says = it.kind != TransactionKind::Share && it.receivers.len() == 1;
    match wanted.instruction {
        InstructionAccess::Unspecified if !says => Ok(InstructionAccess::NotExecutable),
        InstructionAccess::NotExecutable if says => Ok(InstructionAccess::NotExecutable),
        InstructionAccess::Executable if says => {
            if it.memory.normal_world() && wanted.endpoint.is_secure() {
                Err(FfaError::InvalidParameters)
            } else if it.memory.execute() && !it.memory.device() {
                Ok(InstructionAccess::Executable)
            } else {
                Err(FfaError::Denied)
            }
        }
        _ => Err(FfaError::InvalidParameters),
    }
}
