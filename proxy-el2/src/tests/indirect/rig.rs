//! Three VMs, each on a core of its own, above the machine of these tests.

pub(in super::super) use super::{host::*, message::*, spmc::*};
use crate::{
    forward::Upstream,
    memory::Shares,
    proxy::{Next, Pe, Proxy},
    tests::fixture::{Frame, Gp, frame},
    vcpu::{Vcpu, VcpuId, VmIndex},
    vm::VmInfo,
};
use core::ops::Range;
use ffa_abi::{
    EndpointId, FfaError, Uuid, Version,
    fid::raw::*,
    messaging::{Messaging, Service},
};
use std::collections::BTreeMap;

pub(in super::super) const VMS: u16 = 3;
/// Where each VM's TX and RX are: page numbers.
pub(in super::super) const TX: u64 = 0;
pub(in super::super) const RX: u64 = 8;
/// Pages of a VM.
const PAGES: u64 = 64;
const SRI: u32 = 8;
pub(in super::super) const NPI: u32 = 9;

/// The address of a page of a VM's.
pub(in super::super) const fn page(vm: u16, number: u64) -> u64 {
    0x4000_0000 * vm as u64 + number * 0x1000
}

/// The service that a VM offers.
pub(in super::super) fn service(vm: u16) -> Uuid {
    Uuid([vm as u8 | 0x40; 16])
}

/// What a test says of how it wants the rig.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Setup {
    /// What the proxy and the SPMC agreed on.
    pub upstream: Version,
    /// What each VM speaks.
    pub vms: [Version; 3],
    /// Which of them exchange indirect messages, and receive notifications.
    pub indirect: [bool; 3],
    pub notified: [bool; 3],
    /// Pages of each VM's buffers.
    pub pages: [u64; 3],
    /// Whether the SPMC exchanges indirect messages.
    pub there: bool,
    /// What the third one offers as well.
    pub other: Option<Service>,
}

pub(in super::super) const SETUP: Setup = Setup {
    upstream: Version::V1_3,
    vms: [Version::V1_3; 3],
    indirect: [true; 3],
    notified: [true; 3],
    pages: [1; 3],
    there: true,
    other: None,
};

pub(in super::super) struct Rig {
    pub proxy: Proxy<'static, Gp>,
    pub cores: Vec<Pe<'static, Gp>>,
    pub host: Host,
    pub setup: Setup,
}

/// All that a call that is refused must leave as it was.
#[derive(Debug, PartialEq)]
pub(in super::super) struct State {
    spmc: Spmc,
    vms: String,
    open: Vec<Range<u64>>,
    raised: usize,
}

impl Rig {
    pub fn new() -> Self {
        let mut rig = Self::of(SETUP);
        rig.map_all();
        rig
    }

    /// Without pairs.
    pub fn of(setup: Setup) -> Self {
        let mut proxy = Proxy::new(Upstream {
            version: setup.upstream,
            spm_id: EndpointId::SPMC,
            direct2: setup.upstream >= Version::V1_2,
            rx: 4096,
            info_regs: false,
            sri: Some(SRI),
            indirect: setup.there,
            notifications: true,
        });
        // Lives as long as its test. Made beforehand: there is no room for several of them on a test's stack.
        let shares: &Shares = Box::leak(Box::new(const { Shares::new() }));
        proxy.share_memory(shares);
        for id in 1..=VMS {
            let memory = page(id, 0)..page(id, PAGES);
            let mut info = VmInfo::secondary(EndpointId(id), memory);
            info.notifications = setup.notified[usize::from(id) - 1];
            info.messaging.0 |= u32::from(setup.indirect[usize::from(id) - 1]) << 2;
            let offered = Service {
                uuid: service(id),
                messaging: Messaging(info.messaging.0),
            };
            info.services.push(offered).unwrap();
            info.services.extend(setup.other.filter(|_| id == 3));
            let pinned = core::array::from_fn(|n| (n < VMS.into()).then_some(n as u16));
            match id {
                1 => (info.primary, info.vcpus, info.cores) = (true, VMS as u8, pinned),
                // Two vCPUs, of which one never is on.
                2 => (info.vcpus, info.cores[0], info.cores[1]) = (2, Some(1), Some(0)),
                _ => {}
            }
            let vcpus = info.vcpus;
            let vm = proxy.add(info).unwrap();
            for vcpu in 0..vcpus {
                let vcpu = Vcpu::new(Gp(frame(&[])), VcpuId { vm, vcpu });
                // Lives as long as its test.
                proxy.adopt(Box::leak(Box::new(vcpu))).unwrap();
            }
        }
        let mut this = Self {
            proxy,
            cores: (0..VMS).map(Pe::new).collect(),
            host: Host {
                spmc: Spmc::new(setup.upstream),
                memory: BTreeMap::new(),
                open: Vec::new(),
                tables: usize::MAX,
                tx: vec![0xee; 4096],
                stand_ins: vec![vec![0xcc; 4 * 4096]; 3],
                raised: Vec::new(),
                reads: Vec::new(),
                rewrites: None,
            },
            setup,
        };
        let Self { proxy, host, .. } = &mut this;
        proxy.create_bitmaps(host, |vm, error| panic!("{vm}: {error}"));
        assert_eq!(this.proxy.begin(&mut this.cores[0]), Next::Vcpu);
        this.negotiate(1);
        // On the other cores the primary runs the others for ever.
        let on = u64::from(ffa_abi::smccc::psci::CPU_ON_64);
        for core in 1..VMS {
            this.call(1, &[on, core.into(), page(1, 32), 0]);
            assert_eq!(
                this.proxy.begin(&mut this.cores[usize::from(core)]),
                Next::Vcpu
            );
            let id = u64::from(core) + 1;
            this.call(core + 1, &[RUN.into(), id << 16]);
        }
        for vm in 2..=VMS {
            this.negotiate(vm);
        }
        this.host.spmc.asked.clear();
        // Those that were switched on looked for what is pending.
        this.host.raised.clear();
        this
    }

    fn negotiate(&mut self, vm: u16) {
        let version = self.setup.vms[usize::from(vm) - 1];
        self.call(vm, &[VERSION.into(), version.raw().into()]);
        assert_eq!(self.proxy.version(index(vm)), Some(version));
    }

    /// All have their pairs.
    pub fn map_all(&mut self) {
        for vm in 1..=VMS {
            self.succeeds(vm, &self.map(vm));
        }
        self.host.spmc.asked.clear();
    }

    pub fn map(&self, vm: u16) -> [u64; 4] {
        let pages = self.setup.pages[usize::from(vm) - 1];
        [RXTX_MAP_64.into(), page(vm, TX), page(vm, RX), pages]
    }

    /// Who runs on the VM's core calls. Gives x0 to x7 after it.
    pub fn call(&mut self, vm: u16, args: &[u64]) -> [u64; 8] {
        let core = usize::from(vm) - 1;
        let Self {
            proxy, cores, host, ..
        } = self;
        let pe = &mut cores[core];
        let sent: Frame = frame(args);
        pe.running().unwrap().machine.0 = sent;
        assert_eq!(proxy.call(pe, host), Next::Vcpu);
        let x = pe.running().unwrap().machine.0;
        x[..8].try_into().unwrap()
    }

    #[track_caller]
    pub fn sees(&mut self, vm: u16, args: &[u64], answer: &[u64]) {
        let mut expected = [0; 8];
        expected[..answer.len()].copy_from_slice(answer);
        assert_eq!(self.call(vm, args), expected);
    }

    #[track_caller]
    pub fn succeeds(&mut self, vm: u16, args: &[u64]) {
        self.sees(vm, args, &[SUCCESS_32.into()]);
    }

    /// The call is refused, and nothing has changed.
    #[track_caller]
    pub fn refuses(&mut self, vm: u16, args: &[u64], error: FfaError) {
        let before = self.state();
        self.sees(vm, args, &[ERROR.into(), 0, error.register()]);
        assert_eq!(self.state(), before, "{args:x?}");
    }

    pub fn state(&self) -> State {
        let mut spmc = self.host.spmc.clone();
        spmc.asked.clear();
        let vms = (1..=VMS).map(index);
        let vms = vms.map(|vm| (self.proxy.note_notifications(vm), self.proxy.note_pair(vm)));
        State {
            spmc,
            vms: format!("{:?}", vms.collect::<Vec<_>>()),
            open: self.host.open.clone(),
            raised: self.host.raised.len(),
        }
    }

    /// The functions that the SPMC was asked for since this was asked.
    pub fn asked(&mut self) -> Vec<u32> {
        let asked = self.host.spmc.asked.drain(..);
        asked.map(|regs| regs.w::<0>()).collect()
    }

    /// The virtual interrupts since: VM, vCPU, and which.
    pub fn raised(&mut self) -> Vec<(u16, u8, u32)> {
        let raised = self.host.raised.drain(..);
        let raised = raised.map(|(id, intid)| (u16::from(id.vm.0) + 1, id.vcpu, intid));
        raised.collect()
    }

    pub fn write(&mut self, vm: u16, bytes: &[u8]) {
        for (n, part) in bytes.chunks(4096).enumerate() {
            self.host.page(page(vm, TX + n as u64))[..part.len()].copy_from_slice(part);
        }
    }

    /// All of a VM's RX.
    pub fn rx(&mut self, vm: u16) -> Vec<u8> {
        let pages = self.setup.pages[usize::from(vm) - 1];
        (0..pages)
            .flat_map(|n| *self.host.page(page(vm, RX + n)))
            .collect()
    }

    /// A partition sends a message to a VM.
    pub fn partition_sends(&mut self, vm: u16, first: u8) -> bool {
        let pair = self.host.spmc.pairs.get_mut(&vm).unwrap();
        if pair.whose != Whose::Empty {
            return false;
        }
        pair.whose = Whose::Full;
        if let Some(bitmap) = self.host.spmc.bitmaps.get_mut(&vm) {
            bitmap.rx_full = true;
        }
        self.host.page(page(vm, RX))[0] = first;
        true
    }

    /// A VM ends.
    pub fn kill(&mut self, vm: u16) {
        let core = usize::from(vm) - 1;
        let next = self.proxy.abort(&mut self.cores[core], &mut self.host);
        assert_eq!(next, Next::Vcpu);
    }

    /// An interrupt on core 0.
    pub fn interrupt(&mut self) {
        let next = self.proxy.interrupt(&mut self.cores[0], &mut self.host);
        assert_eq!(next, Next::Vcpu);
    }
}

pub(in super::super) fn index(vm: u16) -> VmIndex {
    VmIndex(vm as u8 - 1)
}

impl Rig {
    /// A VM puts a message into its TX.
    pub fn puts(&mut self, vm: u16, message: &Message) {
        let version = self.setup.vms[usize::from(vm) - 1];
        self.write(vm, &message.bytes(version));
    }

    #[track_caller]
    pub fn sends(&mut self, vm: u16, message: &Message) {
        self.puts(vm, message);
        self.succeeds(vm, &[SEND2.into()]);
    }

    #[track_caller]
    pub fn send_refused(&mut self, vm: u16, message: &Message, error: FfaError) {
        self.puts(vm, message);
        let rx: Vec<_> = (1..=VMS).map(|vm| self.rx(vm)).collect();
        self.refuses(vm, &[SEND2.into()], error);
        assert_eq!((1..=VMS).map(|vm| self.rx(vm)).collect::<Vec<_>>(), rx);
    }
}
