//! `FFA_NS_RES_INFO_GET` (1.3): which memory of the normal world partitions have, by their manifests
//! and by transactions.
//!
//! | what is wrong, in this order | error |
//! | --- | --- |
//! | another caller than the normal world, or one below 1.3 | NOT_SUPPORTED |
//! | reserved flags; resources other than memory; an endpoint that is no partition, or that does not count and is named | INVALID_PARAMETERS |
//! | no RX buffer | INVALID_PARAMETERS |
//! | RX is not empty; nothing is lost by it | RETRY |
//! | going on with nothing begun, or after something has changed | ABORTED |
//!
//! A list longer than RX comes in pieces. It is made anew for each of them: if it is not the same any
//! more, whoever asks has to start again.

use super::{Caller, Memory, Shares, party};
use crate::{
    context::{Registers, Slot},
    spm::{Machine, Owner, Pe, Spmc},
};
use ffa_abi::{
    EndpointId,
    FfaError::{self, Aborted, InvalidParameters, NotSupported, Retry},
    Reply, Version,
    memory::{
        AddressMap, DataAccess, InstructionAccess, MapFlags, MapPermissions, NsResFlags,
        NsResProgress, ResourceInfo,
    },
    sharing::Pages,
};

/// A list of which not all has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Telling {
    /// Whose memory is told of; `None`: all partitions'.
    of: Option<EndpointId>,
    /// How many descriptors have been told.
    told: u32,
    /// What the list was.
    list: Digest,
}

/// How long a list is, and a number that another list hardly has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest {
    count: u32,
    sum: u64,
}

impl Digest {
    /// The same with one more descriptor.
    fn and(self, map: &AddressMap) -> Self {
        let mut bytes = [0; AddressMap::BYTES];
        let _ = map.write(&mut bytes);
        // FNV-1a.
        let sum = bytes.iter().fold(self.sum, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
        Self {
            count: self.count.saturating_add(1),
            sum,
        }
    }
}

/// What may be done with memory. Stage 2 does not tell a partition's levels apart.
fn permissions(write: bool, execute: bool) -> MapPermissions {
    let mut all = MapPermissions::UNPRIVILEGED_READ | MapPermissions::PRIVILEGED_READ;
    if write {
        all |= MapPermissions::UNPRIVILEGED_WRITE | MapPermissions::PRIVILEGED_WRITE;
    }
    if execute {
        all |= MapPermissions::UNPRIVILEGED_EXECUTE | MapPermissions::PRIVILEGED_EXECUTE;
    }
    all
}

fn map(
    pages: Pages,
    permissions: MapPermissions,
    endpoint: EndpointId,
    flags: MapFlags,
) -> AddressMap {
    AddressMap {
        base: pages.base,
        // No run of pages has more.
        pages: u32::try_from(pages.count).unwrap_or(u32::MAX),
        permissions,
        endpoint,
        flags,
    }
}

/// The memory of the normal world that a partition has.
fn maps_of(
    sharing: &Shares,
    slot: Slot,
    id: EndpointId,
) -> impl Iterator<Item = AddressMap> + use<'_> {
    let who = party(Owner::Partition(slot));
    let own = sharing.regions_of(who);
    let own = own.filter(|region| region.normal_world && !region.device);
    let own = own.map(move |region| {
        let permissions = permissions(region.write, region.execute);
        map(region.pages, permissions, id, MapFlags::empty())
    });
    let borrowed = sharing.transactions().flat_map(move |known| {
        let memory = known.normal_world() && !known.device();
        let borrower = known.receivers().iter().find(|borrower| {
            memory && borrower.retrievals() != 0 && borrower.receiver().party == Some(who)
        });
        borrower.into_iter().flat_map(move |borrower| {
            let (data, instruction) = borrower.granted();
            let permissions = permissions(
                data == DataAccess::ReadWrite,
                instruction == InstructionAccess::Executable,
            );
            let pieces = sharing.pieces(known.handle());
            pieces.map(move |pages| map(pages, permissions, id, MapFlags::INDIRECT))
        })
    });
    own.chain(borrowed)
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// `FFA_NS_RES_INFO_GET`.
    pub(super) fn ns_resources(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Caller,
        endpoint: EndpointId,
        flags: NsResFlags,
        machine: &mut impl Machine,
    ) -> Result<Reply, FfaError> {
        if caller.owner != Owner::NormalWorld || caller.version < Version::V1_3 {
            return Err(NotSupported);
        }
        let of = match flags.contains(NsResFlags::ID_VALID) {
            true => {
                self.find(endpoint).ok_or(InvalidParameters)?;
                Some(endpoint)
            }
            false => None,
        };
        let named = of.is_none() && endpoint.0 != 0;
        if flags.reserved() != 0 || flags.resource_type() != 0 || named {
            return Err(InvalidParameters);
        }
        self.with_pair(caller, &mut pe.held, |pair, held| {
            let pair = pair.ok_or(InvalidParameters)?;
            let mut writer = pair.writable().map_err(|_| Retry)?;
            self.with_memory(caller, machine, held, |memory, ground| {
                let Memory {
                    sharing, telling, ..
                } = memory;
                let sharing = &*sharing;
                let all = || {
                    let partitions = (0u8..).zip(&self.partitions);
                    let wanted = partitions.filter(move |(_, partition)| {
                        let id = partition.info.id;
                        of.is_none_or(|of| of == id) && !partition.life.is_destroyed()
                    });
                    wanted.flat_map(|(n, partition)| maps_of(sharing, Slot(n), partition.info.id))
                };
                let list = all().fold(Digest::default(), |list, map| list.and(&map));
                let told = match flags.contains(NsResFlags::CONTINUE) {
                    false => 0,
                    true => {
                        let same = telling.filter(|before| (before.of, before.list) == (of, list));
                        *telling = same;
                        same.ok_or(Aborted)?.told
                    }
                };
                let each = AddressMap::BYTES as u32;
                let mut room = u32::try_from(writer.size()).unwrap_or(u32::MAX);
                let mut written = 0;
                if told == 0 {
                    let mut header = [0; ResourceInfo::BYTES];
                    let _ = ResourceInfo::new(list.count).write(&mut header);
                    writer.push(ground.machine, &header)?;
                    written = ResourceInfo::BYTES as u32;
                    room = room.saturating_sub(written);
                }
                let count = list.count.saturating_sub(told).min(room / each);
                for map in all().skip(told as usize).take(count as usize) {
                    let mut bytes = [0; AddressMap::BYTES];
                    let _ = map.write(&mut bytes);
                    writer.push(ground.machine, &bytes)?;
                }
                writer.finish(ground.machine)?;
                let told = told.saturating_add(count);
                let left = list.count.saturating_sub(told);
                *telling = (left != 0).then_some(Telling { of, told, list });
                let progress = NsResProgress {
                    written: written.saturating_add(count.saturating_mul(each)),
                    remaining: left.saturating_mul(each),
                };
                Ok(progress.success())
            })
        })
    }
}
