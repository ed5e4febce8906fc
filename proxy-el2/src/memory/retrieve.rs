//! `FFA_MEM_RETRIEVE_REQ`, `FRAG_RX` and `RELINQUISH` of a VM: of what another VM gave.

use super::{By, Fetch, Map, State, copy, party};
use crate::{buffers::Memory, proxy::Machine};
use core::ops::Range;
use ffa_abi::{
    EndpointId, FfaError, Reply, Version,
    memory::{
        Constituent, DescriptorCall, Handle,
        request::{Description, Retrieval, Return, relinquish, retrieval},
    },
    sharing::Pages,
};

impl Fetch {
    /// All that the borrower is told, but for the constituents.
    fn description(&self) -> Description<'_> {
        let retrieved = &self.retrieved;
        Description {
            sender: retrieved.sender,
            attributes: retrieved.attributes,
            flags: retrieved.flags,
            handle: self.handle,
            tag: retrieved.tag,
            receivers: core::slice::from_ref(&retrieved.receiver),
            pages: retrieved.pages,
            count: retrieved.count,
        }
    }

    /// Writes the next fragment into the borrower's RX. Gives its length in bytes.
    fn write(
        &mut self,
        version: Version,
        map: &Map,
        rx: &Range<u64>,
        memory: &mut impl Memory,
    ) -> Result<u32, FfaError> {
        let mut at = rx.start;
        let room = rx.end.saturating_sub(at);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let parts = map.pieces(self.handle).map(constituent);
        let length =
            self.description()
                .write_fragment(version, parts, self.offset, room, |bytes| {
                    memory.write(at, bytes).map_err(|_| FfaError::Aborted)?;
                    at = at.saturating_add(bytes.len() as u64);
                    Ok(())
                })?;
        memory.zero(at..rx.end).map_err(|_| FfaError::Aborted)?;
        self.offset = self.offset.saturating_add(length);
        Ok(length)
    }

    /// Bytes of the whole descriptor.
    fn total(&self, version: Version) -> Result<u32, FfaError> {
        let total = self.description().bytes(version);
        total.ok_or(FfaError::Aborted)
    }
}

/// As a descriptor says it.
fn constituent(pages: Pages) -> Constituent {
    Constituent {
        base: pages.base,
        // It came as one.
        pages: u32::try_from(pages.count).unwrap_or(u32::MAX),
    }
}

impl<R> By<'_, '_, R> {
    /// It wants the memory that another one has given it.
    pub(super) fn retrieve(
        &self,
        call: DescriptorCall,
        machine: &mut impl Machine<R>,
    ) -> Result<Reply, FfaError> {
        let invalid = FfaError::InvalidParameters;
        let length = call.fragment_length;
        // Other buffers than TX are not supported, and it comes in one piece.
        if call.buffer != 0 || call.pages != 0 || length != call.total_length {
            return Err(invalid);
        }
        let mut buffers = self.vm.buffers.lock();
        let pair = buffers.as_mut().ok_or(invalid)?;
        let mut state = self.shares.lock();
        let State {
            map,
            input,
            fetches,
            ..
        } = &mut *state;
        let place = fetches.get_mut(self.index.index()).ok_or(invalid)?;
        let descriptor = copy(&pair.tx, length, input, machine)?;
        let (own, version) = (self.vm.info.id, self.vm.version.get());
        let (fetch, total, length) = pair.fill(own, machine, |rx, machine| {
            let request = match retrieval(version, descriptor, Some(own))? {
                Retrieval::Borrower(request) => request,
                Retrieval::Hypervisor(_) => return Err(invalid),
            };
            let mut fetch = Fetch {
                handle: request.handle,
                retrieved: map.retrieve(party(self.index), &request, machine)?,
                offset: 0,
            };
            // Who asks for something else does not want the rest of what it had asked for.
            if let Some(earlier) = place.take() {
                map.told(earlier.handle);
            }
            let total = fetch.total(version)?;
            let length = fetch.write(version, map, rx, machine)?;
            Ok((fetch, total, length))
        })?;
        if fetch.offset == total {
            map.told(fetch.handle);
        } else {
            *place = Some(fetch);
        }
        Ok(Reply::retrieved(total, length))
    }

    /// It wants the next fragment of what it is told of memory that it has retrieved.
    pub(super) fn fetch(
        &self,
        handle: Handle,
        offset: u32,
        sender: EndpointId,
        machine: &mut impl Machine<R>,
    ) -> Result<Reply, FfaError> {
        let invalid = FfaError::InvalidParameters;
        let mut buffers = self.vm.buffers.lock();
        let pair = buffers.as_mut().ok_or(invalid)?;
        if pair.full {
            return Err(FfaError::Busy);
        }
        let mut state = self.shares.lock();
        let State { map, fetches, .. } = &mut *state;
        let place = fetches.get_mut(self.index.index()).ok_or(invalid)?;
        // Only a hypervisor names a sender.
        let wanted = |fetch: &&mut Fetch| {
            sender == EndpointId::HYPERVISOR && fetch.handle == handle && fetch.offset == offset
        };
        let fetch = place.as_mut().filter(wanted).ok_or(invalid)?;
        let version = self.vm.version.get();
        let length = pair.fill(self.vm.info.id, machine, |rx, machine| {
            fetch.write(version, map, rx, machine)
        })?;
        if fetch.offset == fetch.total(version)? {
            *place = None;
            map.told(handle);
        }
        Ok(Reply::fragment_given(
            handle,
            length,
            EndpointId::HYPERVISOR,
        ))
    }

    /// It gives back what it has retrieved.
    pub(super) fn relinquish(&self, machine: &mut impl Machine<R>) -> Result<Reply, FfaError> {
        let buffers = self.vm.buffers.lock();
        let pair = buffers.as_ref().ok_or(FfaError::InvalidParameters)?;
        let mut state = self.shares.lock();
        let State {
            map,
            input,
            fetches,
            ..
        } = &mut *state;
        let descriptor = copy(&pair.tx, Return::BYTES as u32, input, machine)?;
        let Return {
            handle,
            endpoint,
            flags,
        } = relinquish(descriptor, Some(self.vm.info.id))?;
        map.relinquish(party(self.index), endpoint, handle, flags, machine)?;
        // Nor does it want the rest of what it was told of it.
        if let Some(place) = fetches.get_mut(self.index.index()) {
            place.take_if(|fetch| fetch.handle == handle);
        }
        Ok(Reply::success(0))
    }
}
