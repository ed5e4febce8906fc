//! `FFA_MEM_SHARE`, `LEND`, `DONATE` and `FRAG_TX` of a VM.

use super::{
    By, Fragment, Given, GivenList, MAX_UNFINISHED, Map, State, Unfinished, copy,
    forward::{Stream, There, drop_unfinished},
    party,
};
use crate::{
    proxy::{Machine, Proxy},
    vcpu::Registers,
};
use ffa_abi::{
    EndpointId, FfaError, Reply,
    memory::{
        Constituent, Constituents, DescriptorCall, Handle, ReclaimFlags, TransactionFlags,
        TransactionKind, request::offer,
    },
    sharing::{Estates, Party, Progress, Send},
};

impl<R: Registers> Proxy<'_, R> {
    /// A VM offers memory: the first fragment of a descriptor, or all of it.
    pub(super) fn send_memory(
        &self,
        by: &By<'_, '_, R>,
        kind: TransactionKind,
        call: DescriptorCall,
        machine: &mut impl Machine<R>,
    ) -> Result<Reply, FfaError> {
        let DescriptorCall {
            total_length: total,
            fragment_length: length,
            ..
        } = call;
        // Other buffers than TX are not supported.
        if call.buffer != 0 || call.pages != 0 || length > total {
            return Err(FfaError::InvalidParameters);
        }
        let By { vm, index, shares } = *by;
        let buffers = vm.buffers.lock();
        let pair = buffers.as_ref().ok_or(FfaError::InvalidParameters)?;
        let mut state = shares.lock();
        let State {
            map,
            unfinished,
            given,
            input,
            output,
            ..
        } = &mut *state;
        let descriptor = copy(&pair.tx, length, input, machine)?;
        let (own, version) = (vm.info.id, vm.version.get());
        let mut to_partitions = false;
        let offer = offer(
            version,
            kind,
            descriptor,
            total,
            |send| {
                to_partitions = self.identify(own, send)?;
                Ok(())
            },
            |sender| sender == own,
        )?;
        let of_vm = unfinished.iter().filter(|one| one.vm == index).count();
        if length != total && of_vm >= MAX_UNFINISHED {
            return Err(FfaError::NoMemory);
        }

        let (owner, mut send) = (party(index), offer.send);
        let asked = send.flags;
        if to_partitions {
            // The SPMC zeroes what goes to them.
            send.flags.remove(TransactionFlags::ZERO);
        }
        let local = map.begin(owner, &send)?;
        let progress = map.extend(local, offer.constituents.clone())?;
        if progress == Progress::Complete {
            map.seal(local, machine)?;
        }
        let mut started = Unfinished {
            handle: local,
            local,
            vm: index,
            sent: length,
            total,
            there: None,
            donated: kind == TransactionKind::Donate,
        };
        if to_partitions {
            send.flags = asked;
            let output = self.fragment_of_own(output);
            let sent = Stream::begin(&send, self.upstream.version, output, machine)
                .and_then(|stream| stream.send(offer.constituents));
            match sent {
                Ok(there) => (started.handle, started.there) = (there.handle, Some(there)),
                Err(error) => {
                    undo(map, owner, local, progress, machine);
                    return Err(error);
                }
            }
        }
        Ok(match progress {
            Progress::Complete => {
                finish(map, given, &started, machine);
                started.handle.success()
            }
            Progress::More => {
                // There is room, as was looked at before.
                let _ = unfinished.push(started);
                wanted(&started)
            }
        })
    }

    /// The next fragment of one that a VM has begun.
    pub(super) fn send_fragment(
        &self,
        by: &By<'_, '_, R>,
        handle: Handle,
        length: u32,
        sender: EndpointId,
        machine: &mut impl Machine<R>,
    ) -> Result<Reply, FfaError> {
        // Only a hypervisor names a sender.
        if sender != EndpointId::HYPERVISOR {
            return Err(FfaError::InvalidParameters);
        }
        let By { vm, index, shares } = *by;
        let buffers = vm.buffers.lock();
        let pair = buffers.as_ref().ok_or(FfaError::InvalidParameters)?;
        let mut state = shares.lock();
        let State {
            map,
            unfinished,
            given,
            input,
            output,
            ..
        } = &mut *state;
        let mut all = unfinished.iter();
        let place = all.position(|one| one.handle == handle && one.vm == index);
        let place = place.ok_or(FfaError::InvalidParameters)?;
        let mut one = *unfinished.get(place).ok_or(FfaError::InvalidParameters)?;
        let sent = one.sent.checked_add(length);
        let sent = sent.filter(|sent| {
            length != 0 && length.is_multiple_of(Constituent::BYTES as u32) && *sent <= one.total
        });
        one.sent = sent.ok_or(FfaError::InvalidParameters)?;
        let constituents = Constituents::new(copy(&pair.tx, length, input, machine)?);

        // From here on it goes on, or it is over.
        unfinished.swap_remove(place);
        let output = self.fragment_of_own(output);
        let progress = map
            .extend(one.local, constituents.clone())
            .and_then(|progress| match progress {
                Progress::Complete => map.seal(one.local, machine).map(|()| progress),
                Progress::More => Ok(progress),
            });
        let progress = match progress {
            Ok(progress) => progress,
            Err(error) => {
                if let Some(there) = one.there {
                    drop_unfinished(there, vm.info.id, output, machine);
                }
                return Err(error);
            }
        };
        if let Some(there) = one.there {
            let stream = Stream::go_on(there, vm.info.id, output, machine);
            match stream.send(constituents) {
                Ok(there) => one.there = Some(there),
                Err(error) => {
                    undo(map, party(index), one.local, progress, machine);
                    return Err(error);
                }
            }
        }
        Ok(match progress {
            Progress::Complete => {
                finish(map, given, &one, machine);
                one.handle.success()
            }
            Progress::More => {
                // Its place is free.
                let _ = unfinished.push(one);
                wanted(&one)
            }
        })
    }

    /// Says of each receiver whose it is. `true` if all of them are partitions, `false` if all are VMs.
    ///
    /// # Errors
    /// INVALID_PARAMETERS for one that does not exist, or is the sender; DENIED for a VM that has ended, and if
    /// both are among them.
    fn identify(&self, own: EndpointId, send: &mut Send) -> Result<bool, FfaError> {
        let (mut partitions, mut vms) = (false, false);
        for receiver in &mut send.receivers {
            let endpoint = receiver.endpoint;
            if endpoint == own {
                return Err(FfaError::InvalidParameters);
            }
            if endpoint.is_secure() {
                // Which there are is for the SPMC to say.
                partitions = true;
                receiver.party = Some(Party::OTHER_WORLD);
                continue;
            }
            let index = self.find(endpoint).ok_or(FfaError::InvalidParameters)?;
            if self.is_dead(index) {
                return Err(FfaError::Denied);
            }
            vms = true;
            receiver.party = Some(party(index));
        }
        match partitions && vms {
            true => Err(FfaError::Denied),
            false => Ok(partitions),
        }
    }

    /// As much of `output` as the proxy's own TX holds.
    pub(super) fn fragment_of_own<'a>(&self, Fragment(output): &'a mut Fragment) -> &'a mut [u8] {
        let length = self.upstream.rx.min(output.len());
        output.get_mut(..length).unwrap_or_default()
    }
}

/// Asks the VM for what is missing.
const fn wanted(one: &Unfinished) -> Reply {
    Reply::fragment_wanted(one.handle, one.sent, EndpointId::HYPERVISOR)
}

/// The SPMC has refused: the map forgets the transaction.
fn undo(
    map: &mut Map,
    owner: Party,
    local: Handle,
    progress: Progress,
    estates: &mut impl Estates,
) {
    match progress {
        Progress::Complete => {
            // Nobody here has retrieved it.
            let undone = map.reclaim(owner, local, ReclaimFlags::empty(), estates);
            debug_assert_eq!(undone, Ok(()));
        }
        Progress::More => map.abandon(local),
    }
}

/// All of it was sent.
fn finish(map: &mut Map, given: &mut GivenList, one: &Unfinished, estates: &mut impl Estates) {
    let Some(There { handle, .. }) = one.there else {
        return;
    };
    let given_there = Given {
        handle,
        local: one.local,
        vm: one.vm,
        donated: one.donated,
    };
    given.note(given_there, map, estates);
}
