//! VMs: what does not change of one, and what its vCPUs share.

use crate::{
    MAX_VCPUS,
    buffers::Pair,
    sync::Mutex,
    vcpu::{Kind, Vcpu},
};
use core::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};
use ffa_abi::{
    EndpointId, Negotiated, Uuid, Version,
    contract::{Mode, Peer},
    messaging::{MAX_SERVICES, Messaging, Service},
    notifications::{Manager, Receiver},
};
use heapless::Vec;

/// What does not change of a VM after boot.
#[derive(Clone, Debug)]
pub struct VmInfo {
    /// Its id, 1 to 0x7ffe.
    pub id: EndpointId,
    /// How mixed 32- and 64-bit completions are handled for it.
    pub mode: Mode,
    /// The highest version that it may negotiate.
    pub version: Version,
    /// Whether the cores' time is its own.
    pub primary: bool,
    /// What it offers. Without any it is not discovered.
    pub services: Vec<Service, MAX_SERVICES>,
    /// How it exchanges messages: the methods of all services together.
    pub messaging: Messaging,
    /// Whether it receives notifications.
    pub notifications: bool,
    /// How many vCPUs it has, 1 to [`MAX_VCPUS`].
    pub vcpus: u8,
    /// The linear index of the core that each vCPU is pinned to; `None`: it runs where it is called.
    pub cores: [Option<u16>; MAX_VCPUS],
    /// Its memory, as intermediate physical addresses.
    pub memory: Range<u64>,
}

impl VmInfo {
    /// A permissive primary with one vCPU on core 0 that sends direct messages, receives notifications and offers
    /// nothing.
    pub fn primary(id: EndpointId, memory: Range<u64>) -> Self {
        let mut cores = [None; MAX_VCPUS];
        if let Some(first) = cores.first_mut() {
            *first = Some(0);
        }
        Self {
            id,
            mode: Mode::Permissive,
            version: Version::OWN,
            primary: true,
            services: Vec::new(),
            messaging: Messaging(1 << 1 | 1 << 10),
            notifications: true,
            vcpus: 1,
            cores,
            memory,
        }
    }

    /// A permissive secondary with one vCPU that runs anywhere and exchanges all direct messages.
    pub fn secondary(id: EndpointId, memory: Range<u64>) -> Self {
        Self {
            primary: false,
            messaging: Messaging(1 | 1 << 1 | 1 << 9 | 1 << 10),
            notifications: false,
            cores: [None; MAX_VCPUS],
            ..Self::primary(id, memory)
        }
    }

    /// How messages to a service are exchanged, the nil UUID being any; `None` if it is not offered.
    pub(crate) fn methods(&self, service: Uuid) -> Option<Messaging> {
        if service.is_nil() {
            return Some(self.messaging);
        }
        let mut services = self.services.iter();
        services
            .find(|offered| offered.uuid == service)
            .map(|offered| offered.messaging)
    }

    /// The vCPU that runs on this core when the VM is called there.
    pub fn vcpu_on(&self, core: u16) -> Option<u8> {
        if self.vcpus == 1 && self.cores.first() == Some(&None) {
            return Some(0);
        }
        let place = self.cores.iter().take(self.vcpus.into());
        let place = place.enumerate().find(|(_, pinned)| **pinned == Some(core));
        place.map(|(vcpu, _)| vcpu as u8)
    }

    /// Whether this vCPU may run on this core.
    pub(crate) fn may_run(&self, vcpu: u8, core: u16) -> bool {
        match self.cores.get(usize::from(vcpu)) {
            Some(Some(pinned)) => *pinned == core,
            Some(None) => true,
            None => false,
        }
    }
}

/// A VM in the proxy's table.
#[derive(Debug)]
pub(crate) struct Vm<'v, R> {
    pub info: VmInfo,
    pub version: Negotiated,
    dead: AtomicBool,
    /// Held while a vCPU goes off, so that not two of them are each other's last.
    pub going_off: Mutex<()>,
    /// Whether the SPMC keeps its notifications from partitions.
    bitmap: AtomicBool,
    /// Its notifications from VMs.
    pub receiver: Mutex<Receiver<MAX_VCPUS>>,
    /// Its RX/TX pair.
    pub buffers: Mutex<Option<Pair>>,
    /// Its vCPUs while no core has them.
    pub parked: [Mutex<Option<&'v mut Vcpu<R>>>; MAX_VCPUS],
}

impl<'v, R> Vm<'v, R> {
    pub fn new(info: VmInfo) -> Self {
        Self {
            info,
            version: Negotiated::unasked(),
            dead: AtomicBool::new(false),
            going_off: Mutex::new(()),
            bitmap: AtomicBool::new(false),
            receiver: Mutex::new(Receiver::new(Manager::Hypervisor)),
            buffers: Mutex::new(None),
            parked: [const { Mutex::new(None) }; MAX_VCPUS],
        }
    }

    /// Where a vCPU is parked while no core has it.
    #[inline(always)]
    pub fn place(&self, vcpu: u8) -> &Mutex<Option<&'v mut Vcpu<R>>> {
        const { assert!(MAX_VCPUS.is_power_of_two()) };
        &self.parked[usize::from(vcpu) & (MAX_VCPUS - 1)]
    }

    /// Whether it has ended.
    #[inline(always)]
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    /// It has ended. `false` if it had before.
    pub fn end(&self) -> bool {
        !self.dead.swap(true, Ordering::AcqRel)
    }

    /// Whether the SPMC keeps its notifications from partitions.
    pub fn has_bitmap(&self) -> bool {
        self.bitmap.load(Ordering::Acquire)
    }

    /// It does so from now on, or no more.
    pub fn set_bitmap(&self, there: bool) {
        self.bitmap.store(there, Ordering::Release);
    }

    /// It for the register contract.
    pub fn peer(&self) -> Peer {
        Peer {
            version: self.version.get(),
            mode: self.info.mode,
        }
    }

    /// Whether it may use the 64-bit forms of cycle management: from FF-A 1.3, and in strict mode
    /// whatever its version, since it needs them there.
    pub fn wide_cycles(&self) -> bool {
        self.version.get() >= Version::V1_3 || self.info.mode == Mode::SmcccStrict
    }

    /// Whether its manifest lets it send a message of this kind.
    #[inline(always)]
    pub fn sends(&self, kind: Kind) -> bool {
        match kind {
            Kind::Direct2 => self.info.messaging.sends_direct2(),
            Kind::Direct { .. } => self.info.messaging.sends_direct(),
        }
    }

    /// Whether it exchanges indirect messages, which are of FF-A 1.1.
    pub fn sends_indirect(&self) -> bool {
        self.info.messaging.is_indirect() && self.version.get() >= Version::V1_1
    }

    #[cfg(any(test, feature = "snapshot"))]
    pub fn revive(&self, dead: bool) {
        self.dead.store(dead, Ordering::Release);
    }
}
