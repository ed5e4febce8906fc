//! Worlds: which partitions, cores and VMs a search has, and its starting point.

mod canonical;
mod configurations;
mod notified;
mod with_interrupts;
mod with_notifications;

pub use notified::{Notification, Notified, Sabotage, Who};

use crate::state::{By, CONTEXTS, Ctx, Form, Id, Life, Negotiated, Now, S, Vcpu};
use ffa_abi::{EndpointId, Uuid, Version, contract::Mode};
use heapless::Vec as List;
use spmc::context::{AbortAction, InterruptRules, Messaging, NsAction, PartitionInfo, Service};

/// The id of the first VM behind the proxy.
pub const VM_ID: u16 = 1;

/// The service of the partition in `slot` that takes `FFA_MSG_SEND_DIRECT_REQ2`, as x2 and x3.
pub const fn service(slot: u16) -> (u64, u64) {
    (0x5e_0000 | slot as u64, 0x5e)
}

/// A service of each partition that does not take it.
pub const OTHER_SERVICE: (u64, u64) = (0x0e_0000, 0x0e);

/// A partition.
#[derive(Clone, Copy, Debug)]
pub struct Partition {
    /// Whether it has one context, which migrates.
    pub up: bool,
    /// How mixed completions are handled.
    pub mode: Mode,
    /// The minor number of the version that its manifest names.
    pub minor: u8,
    /// Whether it is restarted when it fails.
    pub restarts: bool,
    /// What interrupts do to it.
    pub rules: InterruptRules,
    /// Whether it is told that a core goes off.
    pub told_off: bool,
}

/// What of interrupts a world has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interrupts {
    /// Devices: one for each of these partitions, one bit for each slot.
    pub devices: u8,
    /// Emulated timers, likewise.
    pub timers: u8,
    /// Interrupts from context to context.
    pub sends: bool,
    /// Whether partitions enable and disable their interrupts; else they enable them first of all.
    pub enables: bool,
    /// Whether partitions fail.
    pub fails: bool,
    /// Whether cores go off.
    pub power: bool,
    /// Whether partitions call each other; else only the normal world calls.
    pub chains: bool,
    /// Whether partitions yield.
    pub yields: bool,
    /// Whether the search starts when all partitions have started on all cores, and not with the boot.
    pub booted: bool,
}

/// A VM behind the proxy. The first one is the primary.
#[derive(Clone, Copy, Debug)]
pub struct Vm {
    /// How mixed completions are handled.
    pub mode: Mode,
    /// The minor number of the version that it has negotiated; `None`: it does so in the search.
    pub minor: Option<u8>,
    /// How many vCPUs it has. If there are more than one, or it is the primary, they are pinned to
    /// cores.
    pub vcpus: u8,
}

/// A configuration of the search.
#[derive(Clone, Debug)]
pub struct World {
    /// Its name.
    pub name: &'static str,
    /// What it has.
    pub about: &'static str,
    /// How many cores.
    pub cores: usize,
    /// The partitions, by slot.
    pub partitions: Vec<Partition>,
    /// Each context's slot and index.
    pub contexts: Vec<(u8, u8)>,
    /// VMs behind the proxy; without any the normal world calls EL3 itself.
    pub vms: Vec<Vm>,
    /// Each vCPU's VM and index.
    pub vcpus: Vec<(u8, u8)>,
    /// The minor number of the version of the proxy and EL3's side together.
    pub upstream: u8,
    /// The forms of messages.
    pub forms: &'static [Form],
    /// Whether several VMs call the 64-bit forms of cycle management as well.
    pub wide_cycles: bool,
    /// Minor numbers that are asked for by `FFA_VERSION`.
    pub versions: &'static [u8],
    /// Whether states that differ only in what means nothing are told apart. Else that is replaced
    /// by values that do harm if used.
    pub exact: bool,
    /// The normal world's version at the start.
    pub normal_world: Negotiated,
    /// Whether it takes minutes, so that it is searched only on demand.
    pub large: bool,
    /// Whether a core that went off is switched on again.
    pub on_again: bool,
    /// Interrupts, if they are searched. Calls are those that matter for who has the core then.
    pub interrupts: Option<Interrupts>,
    /// Notifications and indirect messages, if they are searched.
    pub notified: Option<Notified>,
}

const fn part(up: bool, mode: Mode, minor: u8) -> Partition {
    Partition {
        up,
        mode,
        minor,
        restarts: false,
        rules: RULES,
        told_off: false,
    }
}

/// Everything signalled, nobody asked for cycles.
const RULES: InterruptRules = InterruptRules {
    ns_action: NsAction::Signalled,
    managed_exit_virq: false,
    other_s_queued: false,
    sri_waiting: false,
    sri_leaving: false,
};

/// A partition with a single context that is restarted when it fails.
const fn restarted(mode: Mode, minor: u8) -> Partition {
    Partition {
        restarts: true,
        ..part(true, mode, minor)
    }
}

const UNASKED: Negotiated = Negotiated {
    minor: 0,
    locked: false,
};

impl World {
    fn new(
        name: &'static str,
        about: &'static str,
        cores: usize,
        partitions: &[Partition],
    ) -> Self {
        let mut contexts = Vec::new();
        for (slot, partition) in partitions.iter().enumerate() {
            let count = if partition.up { 1 } else { cores };
            contexts.extend((0..count).map(|index| (slot as u8, index as u8)));
        }
        Self {
            name,
            about,
            cores,
            partitions: partitions.to_vec(),
            contexts,
            vms: Vec::new(),
            vcpus: Vec::new(),
            upstream: 2,
            forms: &Form::ALL,
            wide_cycles: true,
            versions: &[2],
            exact: false,
            normal_world: UNASKED,
            large: false,
            on_again: true,
            interrupts: None,
            notified: None,
        }
    }

    /// The same with interrupts. Versions are settled.
    fn with(self, interrupts: Interrupts) -> Self {
        Self {
            forms: &[Form::Narrow],
            versions: &[],
            normal_world: Negotiated {
                minor: 2,
                locked: true,
            },
            interrupts: Some(interrupts),
            ..self
        }
    }

    /// Whether the partition in `slot` has a device.
    pub fn has_device(&self, slot: usize) -> bool {
        self.interrupts
            .is_some_and(|interrupts| interrupts.devices & 1 << slot != 0)
    }

    /// The interrupts that the partition in `slot` enables.
    pub fn ids(&self, slot: u8) -> Vec<Id> {
        let place = usize::from(slot);
        let has = self.interrupts.unwrap_or_default();
        let mut ids = Vec::new();
        if self.has_device(place) {
            ids.push(Id::Device);
        }
        if self.has_timer(place) {
            ids.push(Id::Timer);
        }
        if has.sends && !self.partitions[place].up {
            ids.push(Id::Sent);
        }
        ids
    }

    /// Whether the partition in `slot` uses its timer.
    pub fn has_timer(&self, slot: usize) -> bool {
        self.interrupts
            .is_some_and(|interrupts| interrupts.timers & 1 << slot != 0)
    }

    /// The same behind the proxy, of which this is known.
    fn behind(self, vms: &[Vm]) -> Self {
        let vcpus = vms.iter().enumerate();
        Self {
            vcpus: vcpus
                .flat_map(|(vm, spec)| (0..spec.vcpus).map(move |vcpu| (vm as u8, vcpu)))
                .collect(),
            vms: vms.to_vec(),
            // EL3's side speaks 1.2; so does the proxy, unless it has VMs of 1.3 for each other.
            upstream: if vms.len() > 1 { 3 } else { 2 },
            normal_world: Negotiated {
                minor: 2,
                locked: true,
            },
            ..self
        }
    }

    /// Whether VMs are in front.
    pub fn has_proxy(&self) -> bool {
        !self.vms.is_empty()
    }

    /// Whether there are several VMs.
    pub fn has_several(&self) -> bool {
        self.vms.len() > 1
    }

    /// A VM's id.
    pub const fn vm_id(vm: u8) -> u16 {
        VM_ID + vm as u16
    }

    /// An address in a VM's memory.
    pub const fn entry(&self, vm: u8) -> u64 {
        (vm as u64 + 1) << 12
    }

    /// The VM with an id.
    pub fn vm_of(&self, id: u16) -> Option<u8> {
        let vm = id.checked_sub(VM_ID)?;
        (usize::from(vm) < self.vms.len()).then_some(vm as u8)
    }

    /// The number of a VM's vCPU.
    pub fn vcpu(&self, vm: u8, index: u8) -> Option<usize> {
        self.vcpus.iter().position(|vcpu| *vcpu == (vm, index))
    }

    /// The number of the vCPU that is called on a core.
    pub fn vcpu_on(&self, vm: u8, core: usize) -> Option<usize> {
        let index = match self.pinned(vm) {
            true => core as u8,
            false => 0,
        };
        self.vcpu(vm, index)
    }

    /// Whether a VM's vCPUs are pinned to cores.
    pub fn pinned(&self, vm: u8) -> bool {
        vm == 0 || self.vms[usize::from(vm)].vcpus > 1
    }

    /// The partition's id.
    pub const fn id(slot: usize) -> u16 {
        0x8001 + slot as u16
    }

    /// The number of a partition's context on a core.
    pub fn context(&self, slot: u8, core: usize) -> Option<usize> {
        let up = self.partitions.get(usize::from(slot))?.up;
        let index = if up { 0 } else { core as u8 };
        self.contexts
            .iter()
            .position(|context| *context == (slot, index))
    }

    /// What the SPMC is told of a partition.
    pub fn info(&self, slot: usize) -> PartitionInfo {
        let partition = &self.partitions[slot];
        let indirect = match self.has_pair(Who::Slot(slot as u8)) {
            true => 1 << 2,
            false => 0,
        };
        let all = Messaging(1 | 1 << 1 | indirect | 1 << 9 | 1 << 10);
        let mut services = List::new();
        for (of, messaging) in [
            (service(slot as u16), all),
            (OTHER_SERVICE, Messaging(1 | 1 << 1 | 1 << 10)),
        ] {
            let uuid = Uuid::from_registers(of.0, of.1);
            let added = services.push(Service { uuid, messaging });
            assert!(added.is_ok(), "two services");
        }
        let contexts = if partition.up { 1 } else { 2 };
        PartitionInfo {
            messaging: all,
            mode: partition.mode,
            abort_action: match partition.restarts {
                true => AbortAction::Restart,
                false => AbortAction::Fail,
            },
            rules: partition.rules,
            power_off_messages: partition.told_off,
            notifications: self.is_notified(Who::Slot(slot as u8)),
            devices: self
                .has_device(slot)
                .then(|| Id::Device.number(slot as u8))
                .into_iter()
                .collect(),
            ..PartitionInfo::new(EndpointId(Self::id(slot)), services, contexts)
        }
    }

    /// The version of 1.`minor`.
    pub const fn version(minor: u8) -> Version {
        Version::new(1, minor as u16)
    }

    /// Where the search starts: nothing has run.
    pub fn start(&self) -> S {
        let mut s = S::START;
        for (number, (slot, index)) in self.contexts.iter().enumerate() {
            let at = if self.partitions[usize::from(*slot)].up {
                0
            } else {
                *index
            };
            s.ctx[number] = Ctx::created(at);
        }
        for (slot, partition) in self.partitions.iter().enumerate() {
            s.versions[slot].minor = partition.minor;
            s.versions[slot].locked = self.interrupts.is_some();
        }
        for who in self.messages().iter().flat_map(|(from, to)| [*from, *to]) {
            s.notes.rx[who.buffer()] = crate::state::Rx::Empty;
        }
        s.normal_world = self.normal_world;
        for (vm, spec) in self.vms.iter().enumerate() {
            s.vms[vm].version = match spec.minor {
                Some(minor) => Negotiated {
                    minor,
                    locked: true,
                },
                None => UNASKED,
            };
        }
        for (number, (_, index)) in self.vcpus.iter().enumerate() {
            s.vcpus[number] = Vcpu::OFF;
            if *index == 0 {
                s.vcpus[number].state = proxy_el2::vcpu::State::Ready;
            }
        }
        s
    }

    /// Whether nothing that a context did or was asked counts any more.
    pub fn is_gone(&self, s: &S, number: usize) -> bool {
        let slot = self.contexts.get(number).map_or(0, |context| context.0);
        s.ctx[number].is_gone() || s.lives[usize::from(slot)] != Life::Alive
    }

    /// The numbers of the contexts of the call chain on a core, from who runs back to its head.
    pub fn chain(&self, s: &S, core: usize) -> List<usize, CONTEXTS> {
        let mut chain = List::new();
        let mut slot = match s.core[core].now {
            Now::Slot(slot) => slot,
            _ => return chain,
        };
        while let Some(number) = self.context(slot, core)
            && chain.push(number).is_ok()
        {
            match s.ctx[number].giver {
                By::Slot(previous) | By::Interrupted(previous) => slot = previous,
                _ => break,
            }
        }
        chain
    }
}
