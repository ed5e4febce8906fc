//! A system of VMs behind the real proxy: who runs where, and how they call.

mod stage;

use super::{
    books::Books,
    host::{Host, Port, vm_memory},
    stage::leave_partition,
};
use crate::{
    fid,
    label::{Labels, Origin},
    machine::Exit,
    oracle::{self, Extended, Kind, Seen},
    random::Rng,
    vms::Gp,
    world::{Who, World},
};
use proxy_el2::{
    proxy::{Next, Pe, Proxy, Turn},
    vcpu::{VcpuId, VmIndex},
};
use spmc::{context::Slot, state::State};
use std::collections::{BTreeMap, BTreeSet};

/// The primary, who schedules.
pub(super) const PRIMARY: u16 = 1;

/// The index of a VM.
pub(super) const fn index(id: u16) -> VmIndex {
    VmIndex(id as u8 - 1)
}

/// The system.
#[derive(Debug)]
pub(super) struct Behind<'c> {
    pub world: World<'c>,
    pub proxy: Proxy<'c, Gp>,
    pub cores: Vec<Pe<'c, Gp>>,
    pub labels: Labels,
    pub host: Host,
    /// Where partitions with a single context were interrupted.
    interrupted: BTreeMap<u8, usize>,
    visited: BTreeSet<usize>,
}

/// What the proxy does.
#[derive(Clone, Copy, Debug)]
enum Entry {
    /// A vCPU has called.
    Call,
    /// An interrupt, after which it is the chain's first one's turn.
    Interrupt,
    /// EL3 has returned.
    Returned,
    /// A vCPU has failed.
    Abort,
}

impl<'c> Behind<'c> {
    pub fn new(world: World<'c>, proxy: Proxy<'c, Gp>, host: Host) -> Self {
        let cores = (0..world.cores()).map(|core| Pe::new(core as u16));
        Self {
            cores: cores.collect(),
            world,
            proxy,
            labels: Labels::default(),
            host,
            interrupted: BTreeMap::new(),
            visited: BTreeSet::new(),
        }
    }

    /// The partition that has a core, if one has.
    fn partition(&self, core: usize) -> Option<Slot> {
        match self.world.now(core) {
            Who::Partition(slot) => Some(slot),
            _ => None,
        }
    }

    /// The id of the VM that has a core, or for which a partition runs there.
    fn vm(&mut self, core: usize) -> Option<u16> {
        let id = self.cores[core].running_id()?;
        Some(u16::from(id.vm.0) + 1)
    }

    /// The proxy acts until a vCPU or a partition runs.
    fn proxy(&mut self, core: usize, entry: Entry) -> Result<(), String> {
        let mut returned = matches!(entry, Entry::Returned);
        let mut first = Some(entry);
        for _ in 0..4 {
            let Self {
                world,
                proxy,
                cores,
                host,
                ..
            } = self;
            let pe = &mut cores[core];
            if returned {
                pe.el3.0.copy_from_slice(&world.registers(core)[..18]);
            }
            let origin = pe.running_id().map(|id| Origin::Vm(id.vm.0 + 1));
            let sent = pe.running().map(|vcpu| vcpu.machine.sent);
            let caller = origin.zip(sent);
            let mut port = Port {
                turn: match entry {
                    Entry::Interrupt | Entry::Returned => Turn::Level(0),
                    _ => Turn::None,
                },
                world,
                core,
                host,
                caller,
                failed: None,
            };
            let next = match first.take().unwrap_or(Entry::Returned) {
                Entry::Call => proxy.call(pe, &mut port),
                Entry::Interrupt => proxy.interrupt(pe, &mut port),
                Entry::Returned => proxy.returned(pe, &mut port),
                Entry::Abort => proxy.abort(pe, &mut port),
            };
            if let Some(failed) = port.failed {
                return Err(failed);
            }
            match next {
                Next::Vcpu => return Ok(()),
                Next::El3 => {}
                other => return Err(format!("core {core}: the proxy ends with {other:?}")),
            }
            let mut x = world.labels.frame(Origin::Proxy);
            x[..18].copy_from_slice(&pe.el3.0);
            world.cores[core].behind_proxy = caller;
            let landing = world.smc(core, Origin::Proxy, &x)?;
            if landing.who != Who::Normal {
                return Ok(());
            }
            returned = true;
        }
        Err(format!("core {core}: the proxy calls EL3 for ever"))
    }

    /// The vCPU that has a core calls; the proxy acts. `None` if it does not go on.
    pub fn vcpu_calls(
        &mut self,
        core: usize,
        call: u32,
        arguments: &[u64],
    ) -> Result<Option<[u64; 18]>, String> {
        let id = self.cores[core].running_id().ok_or("nobody runs")?;
        let origin = Origin::Vm(id.vm.0 + 1);
        let sent = self.labels.call(origin, call, arguments);
        let vcpu = self.cores[core].running().ok_or("nobody runs")?;
        let gp = &mut vcpu.machine;
        (gp.x, gp.sent, gp.exit) = (sent, sent, Exit::Call);
        self.proxy(core, Entry::Call)?;
        if self.partition(core).is_some() || self.cores[core].running_id() != Some(id) {
            return Ok(None);
        }
        let got = self.cores[core].running().ok_or("nobody runs")?.machine.x;
        let kind = oracle::judge(&Seen {
            who: origin,
            sent: &sent,
            got: &got,
            source: None,
            extended: Extended::Own,
        })?;
        let mut plain = got;
        if call & !fid::WIDE == fid::INFO_GET_32 && kind == Kind::Success {
            plain[2..8].fill(0);
        }
        oracle::no_foreign_label(origin, &plain, [None, None])?;
        let mut x = [0; 18];
        x.copy_from_slice(&got[..18]);
        Ok(Some(x))
    }

    /// A partition that has the core gives it back to the VM that ran it.
    fn leave(&mut self, books: &mut Books, rng: &mut Rng, core: usize) -> Result<(), String> {
        let Some(slot) = self.partition(core) else {
            return Ok(());
        };
        leave_partition(&mut self.world, &mut self.labels, books, rng, core, slot)?;
        if self.partition(core).is_some() {
            return Err(format!("{slot:?} does not leave core {core}"));
        }
        self.world.save(core);
        self.visited.insert(core);
        self.interrupted.remove(&slot.0);
        if self.world.state_anywhere(core, slot) == Some(State::Preempted) {
            self.interrupted.insert(slot.0, core);
        }
        self.proxy(core, Entry::Returned)
    }

    /// The primary has the core: a VM that had it waits, with or without its RX, or is interrupted.
    fn back_to_primary(
        &mut self,
        books: &mut Books,
        rng: &mut Rng,
        core: usize,
    ) -> Result<(), String> {
        self.leave(books, rng, core)?;
        let vm = self.vm(core).ok_or("nobody runs")?;
        if vm == PRIMARY {
            return Ok(());
        }
        if rng.chance(1, 2) {
            self.proxy(core, Entry::Interrupt)?;
        } else {
            let version = books.parties.get(&vm).map(|party| party.version);
            let keeps = version >= Some(ffa_abi::Version::V1_2) && rng.chance(1, 3);
            self.vcpu_calls(core, fid::MSG_WAIT_32, &[0, keeps.into(), 0, 0, 0, 0, 0])?;
            if !keeps {
                books.waits(vm);
            }
        }
        match self.vm(core) {
            Some(PRIMARY) => Ok(()),
            other => Err(format!(
                "core {core}: VM {vm} leaves, and VM {other:?} runs"
            )),
        }
    }

    /// The core on which a VM runs, or for which it waits there.
    fn core_of(&self, vm: u16) -> Option<usize> {
        let of = |id: &VcpuId| id.vm == index(vm);
        (0..self.cores.len()).find(|core| self.cores[*core].chain().iter().any(of))
    }

    fn bring_vm(
        &mut self,
        books: &mut Books,
        rng: &mut Rng,
        vm: u16,
        core: usize,
    ) -> Result<usize, String> {
        if vm == PRIMARY {
            self.back_to_primary(books, rng, core)?;
            return Ok(core);
        }
        let pinned = self.proxy.info(index(vm)).and_then(|info| info.cores[0]);
        let core = pinned.map_or(core, usize::from);
        let core = self.core_of(vm).unwrap_or(core);
        self.leave(books, rng, core)?;
        if self.vm(core) == Some(vm) {
            return Ok(core);
        }
        self.back_to_primary(books, rng, core)?;
        let target = u64::from(vm) << 16;
        self.vcpu_calls(core, fid::RUN_32, &[target, 0, 0, 0, 0, 0, 0])?;
        match self.vm(core) == Some(vm) {
            true => Ok(core),
            false => Err(format!("VM {vm} does not run on core {core}")),
        }
    }
}

/// Where a VM's buffers are.
pub(super) const fn buffers(vm: u16) -> u64 {
    vm_memory(vm).start
}
