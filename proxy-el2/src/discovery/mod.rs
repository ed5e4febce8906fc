//! Partition discovery (DEN0077A, "Partition discovery"): `FFA_PARTITION_INFO_GET` and
//! `FFA_PARTITION_INFO_GET_REGS` of a VM.
//!
//! Both are answered from one list: the SPMC writes it into the proxy's own RX, in the layout of
//! the version that the proxy speaks, and the VM is shown it in its own. Descriptors are read by
//! the size that the SPMC states. The proxy's RX is given back before the VM goes on, whatever has
//! happened. A list that is longer than the proxy's RX is refused with NO_MEMORY by the SPMC, and
//! nothing is cut off.
//!
//! The list holds what the SPMC shows to the normal world, and behind that the services of VMs, the
//! asking one's among them. A VM that offers nothing is not in it.

mod vms;

use crate::{
    buffers::{Memory, Unreachable},
    forward::{El3, Upstream, ask, ask_for_rx, release_rx},
    proxy::Proxy,
    vm::Vm,
};
use core::ops::Range;
use ffa_abi::{
    Call, FfaError, Regs, Reply, Uuid, Version,
    partition_info::{DescriptorLayout, InfoCount, InfoRegs, PartitionInfo, PartitionProperties},
};
use heapless::Vec;
use vms::{Slice, Vms};

/// The most descriptors in the registers of a reply.
const IN_REGISTERS: usize = 5;

/// Machine trouble with memory that the core knows to be there.
fn broken(_: Unreachable) -> FfaError {
    FfaError::Aborted
}

/// What the VM asks for.
#[derive(Clone, Copy)]
struct Query {
    uuid: Uuid,
    /// The VM's version.
    version: Version,
}

impl Query {
    /// Whether the VM is not shown a descriptor. Only 1.3 asks by the UUID of an image; the SPMC,
    /// which answers a caller of 1.3, tells that match by the service's UUID, which it leaves out
    /// where the query named it.
    fn hides(&self, info: &PartitionInfo) -> bool {
        self.version < Version::V1_3
            && !self.uuid.is_nil()
            && !info.protocol.is_nil()
            && info.protocol != self.uuid
    }

    /// The properties that the VM is shown. What a partition sends, it sends to partitions; a VM sends
    /// to VMs as well.
    fn shown(&self, info: &PartitionInfo, secure: bool) -> PartitionProperties {
        let sends = PartitionProperties::SENDS_DIRECT | PartitionProperties::SENDS_DIRECT2;
        let known = info.properties & PartitionProperties::known(self.version);
        if secure { known & !sends } else { known }
    }
}

/// The list in the proxy's RX and what is behind it, and for which query.
#[derive(Clone, Copy)]
struct List<'a> {
    query: Query,
    /// Descriptors of the SPMC.
    secure: usize,
    /// Bytes of each.
    size: usize,
    /// Those of VMs.
    vms: &'a dyn Vms,
    /// All of them together.
    length: usize,
}

impl<'a> List<'a> {
    /// The list that a successful `FFA_PARTITION_INFO_GET` tells of; an error if that can't be.
    fn new(
        query: Query,
        upstream: &Upstream,
        answer: &Regs,
        vms: &'a dyn Vms,
    ) -> Result<Self, FfaError> {
        let told = InfoCount::from_success(upstream.version, answer);
        let (length, size) = (told.count as usize, told.size as usize);
        let shortest = DescriptorLayout::Short.bytes();
        match length.checked_mul(size) {
            Some(bytes) if size >= shortest && bytes <= upstream.rx => Ok(Self {
                query,
                secure: length,
                size,
                vms,
                length: length.saturating_add(vms.count(&query)),
            }),
            _ => Err(FfaError::Aborted),
        }
    }

    /// The list of a query that the SPMC knows nothing of; an error if nobody does.
    fn of_vms(query: Query, vms: &'a dyn Vms) -> Result<Self, FfaError> {
        match vms.count(&query) {
            0 => Err(FfaError::InvalidParameters),
            length => Ok(Self {
                query,
                secure: 0,
                size: 0,
                vms,
                length,
            }),
        }
    }

    fn read(&self, index: usize, memory: &mut impl Memory) -> Result<PartitionInfo, FfaError> {
        if let Some(number) = index.checked_sub(self.secure) {
            return self.vms.nth(&self.query, number).ok_or(FfaError::Aborted);
        }
        let mut bytes = [0; DescriptorLayout::Long.bytes()];
        let size = self.size.min(bytes.len());
        let descriptor = bytes.get_mut(..size).ok_or(FfaError::Aborted)?;
        // Inside of RX, as `new` has checked.
        let offset = index.saturating_mul(self.size);
        memory.read_rx(offset, descriptor).map_err(broken)?;
        PartitionInfo::read(size, descriptor).ok_or(FfaError::Aborted)
    }

    /// Descriptor `index` as the VM sees it; `None` if it does not.
    fn shown(
        &self,
        index: usize,
        memory: &mut impl Memory,
    ) -> Result<Option<PartitionInfo>, FfaError> {
        let query = &self.query;
        let mut info = self.read(index, memory)?;
        if query.hides(&info) {
            return Ok(None);
        }
        if query.version < Version::V1_2 {
            // One descriptor for each partition: the first, with what all of its services receive.
            for other in (0..self.length).filter(|other| *other != index) {
                let twin = self.read(other, memory)?;
                if twin.id != info.id || query.hides(&twin) {
                    continue;
                }
                if other < index {
                    return Ok(None);
                }
                info.properties |= twin.properties;
            }
        }
        info.properties = query.shown(&info, index < self.secure);
        if query.version < Version::V1_3 && !query.uuid.is_nil() {
            info.protocol = Uuid::NIL;
        }
        Ok(Some(info))
    }

    /// How many the VM sees; an error if there are none.
    fn count(&self, memory: &mut impl Memory) -> Result<u16, FfaError> {
        let mut count = 0u16;
        for index in 0..self.length {
            if self.shown(index, memory)?.is_some() {
                count = count.checked_add(1).ok_or(FfaError::Aborted)?;
            }
        }
        match count {
            0 => Err(FfaError::InvalidParameters),
            _ => Ok(count),
        }
    }

    /// Writes what the VM sees, `count` descriptors, into its RX.
    fn write(
        &self,
        rx: &Range<u64>,
        layout: DescriptorLayout,
        count: u16,
        memory: &mut impl Memory,
    ) -> Result<(), FfaError> {
        let mut at = rx.start;
        let end = u64::from(count)
            .checked_mul(layout.bytes() as u64)
            .and_then(|bytes| at.checked_add(bytes));
        if end.is_none_or(|end| end > rx.end) {
            return Err(FfaError::NoMemory);
        }
        let mut bytes = [0; DescriptorLayout::Long.bytes()];
        self.each(0, count, memory, |memory, info| {
            let size = info.write(layout, &mut bytes).ok_or(FfaError::Aborted)?;
            let descriptor = bytes.get(..size).ok_or(FfaError::Aborted)?;
            memory.write(at, descriptor).map_err(broken)?;
            at = at.saturating_add(size as u64);
            Ok(())
        })?;
        memory.zero(at..rx.end).map_err(broken)
    }

    /// Gives `each` what the VM sees, from the descriptor `start` on and no more than `most`.
    fn each<M: Memory>(
        &self,
        start: u16,
        most: u16,
        memory: &mut M,
        mut each: impl FnMut(&mut M, PartitionInfo) -> Result<(), FfaError>,
    ) -> Result<(), FfaError> {
        let mut seen = 0..most;
        let mut skip = 0..start;
        for index in 0..self.length {
            let Some(info) = self.shown(index, memory)? else {
                continue;
            };
            if skip.next().is_some() {
                continue;
            }
            if seen.next().is_none() {
                break;
            }
            each(memory, info)?;
        }
        Ok(())
    }
}

/// Has the SPMC write the list into the proxy's RX, uses it, and gives RX back.
fn with_list<M: El3 + Memory, T>(
    query: Query,
    upstream: &Upstream,
    vms: &dyn Vms,
    machine: &mut M,
    read: impl FnOnce(&List<'_>, &mut M) -> Result<T, FfaError>,
) -> Result<T, FfaError> {
    let get = Call::PartitionInfoGet {
        uuid: query.uuid,
        count_only: false,
    };
    let list = match ask_for_rx(get, machine) {
        Ok(answer) => List::new(query, upstream, &answer, vms),
        // A service that no partition offers may be a VM's.
        Err(FfaError::InvalidParameters) => List::of_vms(query, vms),
        Err(error) => Err(error),
    };
    let result = list.and_then(|list| read(&list, machine));
    release_rx(machine);
    result
}

impl<R> Proxy<'_, R> {
    /// `FFA_PARTITION_INFO_GET`: the number, or the descriptors in the VM's RX, which is FULL then.
    pub(crate) fn partition_info_get(
        &self,
        vm: &Vm<'_, R>,
        uuid: Uuid,
        count_only: bool,
        machine: &mut (impl El3 + Memory),
    ) -> Result<Reply, FfaError> {
        let query = vm.query(uuid);
        let layout = DescriptorLayout::of(query.version);
        let _rx = self.rx.lock();
        with_list(
            query,
            &self.upstream,
            &Slice(&self.vms),
            machine,
            |list, machine| {
                let count = list.count(machine)?;
                if count_only {
                    return Ok(Reply::success2(count.into(), 0));
                }
                let mut buffers = vm.buffers.lock();
                let pair = buffers.as_mut().ok_or(FfaError::Busy)?;
                pair.fill(vm.info.id, machine, |rx, machine| {
                    list.write(rx, layout, count, machine)
                })?;
                let size = if query.version < Version::V1_1 {
                    0
                } else {
                    layout.bytes() as u32
                };
                Ok(Reply::success2(count.into(), size))
            },
        )
    }

    /// `FFA_PARTITION_INFO_GET_REGS`: x0-x17 of the reply.
    ///
    /// The SPMC judges the tag and the start, which are the VM's own, and its tag is what the VM is
    /// told. That tag and the list are got by two calls: they belong together only if the tag is
    /// the same afterwards.
    pub(crate) fn partition_info_get_regs(
        &self,
        vm: &Vm<'_, R>,
        uuid: Uuid,
        start: u16,
        tag: u16,
        machine: &mut (impl El3 + Memory),
    ) -> Result<Regs, FfaError> {
        let query = vm.query(uuid);
        let vms = Slice(&self.vms);
        let _rx = self.rx.lock();
        let current = current_tag(&query, start, tag, &vms, machine)?;
        let reply = with_list(query, &self.upstream, &vms, machine, |list, machine| {
            let count = list.count(machine)?;
            let mut infos: Vec<PartitionInfo, IN_REGISTERS> = Vec::new();
            list.each(start, IN_REGISTERS as u16, machine, |_, info| {
                infos.push(info).map_err(|_| FfaError::Aborted)
            })?;
            let layout = DescriptorLayout::of(query.version);
            InfoRegs::new(layout, count, start, current, infos).ok_or(FfaError::InvalidParameters)
        })?;
        if current_tag(&query, start, tag, &vms, machine)? != current {
            return Err(FfaError::Retry);
        }
        Ok(reply.encode())
    }
}

/// The SPMC's tag, if the VM's arguments are right.
fn current_tag(
    query: &Query,
    start: u16,
    tag: u16,
    vms: &dyn Vms,
    machine: &mut impl El3,
) -> Result<u16, FfaError> {
    let get = |uuid, start, tag| Call::PartitionInfoGetRegs { uuid, start, tag };
    let decoded = |answer: Regs| InfoRegs::decode(&answer).ok_or(FfaError::Aborted);
    match ask(get(query.uuid, start, tag), machine) {
        Ok(answer) => Ok(decoded(answer)?.tag),
        // A start behind the SPMC's own list, or a service that no partition offers: the VMs are
        // there.
        Err(FfaError::InvalidParameters) if vms.count(query) != 0 => {
            let current = decoded(ask(get(Uuid::NIL, 0, 0), machine)?)?.tag;
            match (start, tag) {
                (0, 0) => Ok(current),
                (0, _) => Err(FfaError::InvalidParameters),
                _ if tag != current => Err(FfaError::Retry),
                _ => Ok(current),
            }
        }
        Err(error) => Err(error),
    }
}
