//! The descriptor that answers `FFA_MEM_RETRIEVE_REQ`, and its fragments.

use super::super::{
    Access, AccessLayout, AccessPermissions, Attributes, Composite, Constituent, Handle,
    Transaction, TransactionFlags,
};
use crate::{
    error::FfaError,
    id::EndpointId,
    sharing::{MAX_RECEIVERS, Receiver},
    version::Version,
};

/// The most bytes that a description has in front of its constituents.
pub const MAX_HEAD: usize = 48 + 32 * MAX_RECEIVERS + Composite::BYTES;

/// How many constituents are written at a time.
const BATCH: usize = 16;

/// Memory that was retrieved, as its borrower is told of it; or a transaction, as a hypervisor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description<'a> {
    /// Who gave the memory.
    pub sender: EndpointId,
    /// What memory it is.
    pub attributes: Attributes,
    /// Flags, the kind of transaction among them.
    pub flags: TransactionFlags,
    /// The handle.
    pub handle: Handle,
    /// The sender's tag.
    pub tag: u64,
    /// The borrower; all of them for a hypervisor.
    pub receivers: &'a [Receiver],
    /// Pages of all constituents.
    pub pages: u32,
    /// How many constituents.
    pub count: u32,
}

impl Description<'_> {
    /// Bytes in front of the constituents, in the layout of `version`.
    pub fn head_bytes(&self, version: Version) -> u32 {
        let each = AccessLayout::of(version).bytes();
        let receivers = self.receivers.len().min(MAX_RECEIVERS) as u32;
        let rest = Transaction::header_bytes(version) + Composite::BYTES;
        (rest as u32).saturating_add(receivers.saturating_mul(each))
    }

    /// Bytes of the whole descriptor in the layout of `version`; `None` if 32 bits can't say it.
    pub fn bytes(&self, version: Version) -> Option<u32> {
        let constituents = self.count.checked_mul(Constituent::BYTES as u32)?;
        self.head_bytes(version).checked_add(constituents)
    }

    /// Writes what stands in front of the constituents and returns its size in bytes; `None` if `out`
    /// is shorter, or there are more than [`MAX_RECEIVERS`].
    pub fn write_head(&self, version: Version, out: &mut [u8]) -> Option<usize> {
        if self.receivers.len() > MAX_RECEIVERS {
            return None;
        }
        let header = Transaction {
            flags: self.flags,
            handle: self.handle,
            tag: self.tag,
            receivers: self.receivers.len() as u32,
            ..Transaction::new(version, self.sender, self.attributes)
        };
        let composite_offset = header.accesses_end()?;
        let mut written = header.write(version, out)?;
        for receiver in self.receivers {
            let access = Access {
                endpoint: receiver.endpoint,
                permissions: AccessPermissions::new(receiver.data, receiver.instruction),
                flags: receiver.flags,
                composite_offset,
                implementation: receiver.implementation.unwrap_or_default(),
            };
            let size = access.write(header.access_layout, out.get_mut(written..)?)?;
            written = written.checked_add(size)?;
        }
        let composite = Composite {
            pages: self.pages,
            count: self.count,
        };
        let size = composite.write(out.get_mut(written..)?)?;
        written.checked_add(size)
    }

    /// Gives `put` the fragment from byte `offset` of the descriptor on, piece by piece and at most
    /// `room` bytes: the first has all that is in front of the constituents, each has whole
    /// constituents. `parts` are all constituents, in order. Returns the fragment's length in bytes.
    ///
    /// # Errors
    /// INVALID_PARAMETERS if no fragment starts at `offset`, NO_MEMORY if `room` is too small for
    /// one, and those of `put`.
    pub fn write_fragment(
        &self,
        version: Version,
        parts: impl Iterator<Item = Constituent>,
        offset: u32,
        room: usize,
        mut put: impl FnMut(&[u8]) -> Result<(), FfaError>,
    ) -> Result<u32, FfaError> {
        let head = self.head_bytes(version);
        let mut room = u32::try_from(room).unwrap_or(u32::MAX);
        let mut written = 0;
        let mut skip = 0;
        if offset == 0 {
            let Words(bytes) = &mut Words([0; MAX_HEAD]);
            let size = self.write_head(version, bytes);
            let bytes = bytes.get(..size.unwrap_or(usize::MAX));
            let bytes = bytes.ok_or(FfaError::NoMemory)?;
            room = room.checked_sub(head).ok_or(FfaError::NoMemory)?;
            put(bytes)?;
            written = head;
        } else {
            let behind = offset.checked_sub(head).filter(|rest| rest % 16 == 0);
            skip = behind.ok_or(FfaError::InvalidParameters)? / Constituent::BYTES as u32;
        }
        let left = self.count.checked_sub(skip);
        let left = left.filter(|left| *left > 0 || offset == 0);
        let left = left.ok_or(FfaError::InvalidParameters)?;
        let count = left.min(room / Constituent::BYTES as u32);
        if count == 0 && offset != 0 {
            return Err(FfaError::NoMemory);
        }
        let Words(batch) = &mut Words([0; BATCH * Constituent::BYTES]);
        let mut used = 0;
        for part in parts.skip(skip as usize).take(count as usize) {
            let Some(size) = batch.get_mut(used..).and_then(|out| part.write(out)) else {
                return Err(FfaError::NoMemory);
            };
            used += size;
            written += size as u32;
            if used == batch.len() {
                put(batch)?;
                used = 0;
            }
        }
        if let Some(rest) = batch.get(..used)
            && used != 0
        {
            put(rest)?;
        }
        Ok(written)
    }
}

/// Bytes that are copied a word at a time.
#[repr(align(8))]
struct Words<const N: usize>([u8; N]);
