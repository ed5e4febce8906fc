//! Three VMs, each on a core of its own, above the machine of these tests.

pub(in super::super) use super::spmc::*;
use crate::{
    buffers::{Memory, Unreachable},
    forward::{El3, Upstream},
    memory::Shares,
    proxy::{Machine, Next, Pe, Proxy, Turn},
    tests::fixture::{Frame, Gp, frame},
    vcpu::{Vcpu, VcpuId, VmIndex},
    vm::VmInfo,
};
use core::ops::Range;
use ffa_abi::{
    EndpointId, FfaError, Regs, Uuid, Version,
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

/// What stands in for a VM's TX.
pub(in super::super) const fn stand_in(vm: u16) -> u64 {
    0x6000_0000 + vm as u64 * 0x4000
}

/// The service that a VM offers.
pub(in super::super) fn service(vm: u16) -> Uuid {
    Uuid([vm as u8 | 0x40; 16])
}

pub(in super::super) struct Host {
    pub spmc: Spmc,
    pub memory: BTreeMap<u64, Box<[u8; 4096]>>,
    pub open: Vec<Range<u64>>,
    /// How many windows there are tables for.
    pub tables: usize,
    /// The proxy's own TX, and what stands in for those of VMs.
    pub tx: Vec<u8>,
    pub stand_ins: Vec<Vec<u8>>,
    /// Virtual interrupts.
    pub raised: Vec<(VcpuId, u32)>,
    /// Reads of VMs' memory: where, and how many bytes.
    pub reads: Vec<(u64, usize)>,
    /// What every read changes, after it: the hostile VM on another core.
    pub rewrites: Option<fn(&mut [u8])>,
}

impl Host {
    pub fn page(&mut self, address: u64) -> &mut [u8; 4096] {
        let page = self.memory.entry(address & !0xfff);
        page.or_insert_with(|| Box::new([0x5a; 4096]))
    }

    fn bytes(&mut self, range: Range<u64>, mut each: impl FnMut(usize, &mut [u8])) {
        let inside = |window: &Range<u64>| window.start <= range.start && range.end <= window.end;
        assert!(self.open.iter().any(inside), "{range:x?} is not open");
        let mut at = range.start;
        while at < range.end {
            let end = range.end.min((at | 0xfff) + 1);
            let start = (at & 0xfff) as usize;
            let part = &mut self.page(at)[start..start + (end - at) as usize];
            each((at - range.start) as usize, part);
            at = end;
        }
    }
}

impl El3 for Host {
    fn smc(&mut self, regs: &mut Regs) {
        self.spmc.call(regs, &self.tx, &self.stand_ins);
        self.tx.fill(0xee);
    }
}

impl Memory for Host {
    fn open(&mut self, pages: Range<u64>) -> Result<(), Unreachable> {
        if self.open.len() == self.tables {
            return Err(Unreachable);
        }
        self.open.push(pages);
        Ok(())
    }

    fn close(&mut self, pages: Range<u64>) {
        let at = self.open.iter().position(|window| *window == pages);
        self.open.remove(at.expect("closed, but never opened"));
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Unreachable> {
        let range = at..at + bytes.len() as u64;
        self.bytes(range, |start, to| {
            to.copy_from_slice(&bytes[start..start + to.len()]);
        });
        Ok(())
    }

    fn zero(&mut self, range: Range<u64>) -> Result<(), Unreachable> {
        self.bytes(range, |_, to| to.fill(0));
        Ok(())
    }

    fn read(&mut self, at: u64, to: &mut [u8]) -> Result<(), Unreachable> {
        self.reads.push((at, to.len()));
        let rewrites = self.rewrites;
        self.bytes(at..at + to.len() as u64, |start, from| {
            to[start..start + from.len()].copy_from_slice(from);
            if let Some(rewrites) = rewrites {
                rewrites(from);
            }
        });
        Ok(())
    }

    fn read_rx(&mut self, _: usize, _: &mut [u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn write_tx(&mut self, bytes: &[u8]) -> Result<(), Unreachable> {
        let to = self.tx.get_mut(..bytes.len()).ok_or(Unreachable)?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    fn stand_in(&mut self, vm: VmIndex) -> Option<u64> {
        Some(stand_in(u16::from(vm.0) + 1))
    }

    fn write_stand_in(
        &mut self,
        vm: VmIndex,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Unreachable> {
        let to = &mut self.stand_ins[usize::from(vm.0)];
        let to = to.get_mut(offset..offset + bytes.len());
        to.ok_or(Unreachable)?.copy_from_slice(bytes);
        Ok(())
    }
}

crate::tests::spmc::no_estates!(Host);

impl Machine<Gp> for Host {
    fn console(&mut self, _: EndpointId, _: u8) {}

    fn interrupts(&mut self, _: &[VcpuId]) -> Turn {
        Turn::Nobody
    }

    fn has_interrupt(&mut self, _: VcpuId) -> bool {
        false
    }

    fn timer_ns(&mut self, _: VcpuId) -> Option<u64> {
        None
    }

    fn leave(&mut self, _: &mut Vcpu<Gp>) {}

    fn slice(&mut self, _: bool) {}

    fn raise(&mut self, vcpu: VcpuId, intid: u32) {
        self.raised.push((vcpu, intid));
    }

    fn kick(&mut self, _: u16) {}

    fn power_on(&mut self, _: u16) -> bool {
        true
    }
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
}

pub(in super::super) const SETUP: Setup = Setup {
    upstream: Version::V1_3,
    vms: [Version::V1_3; 3],
    indirect: [true; 3],
    notified: [true; 3],
    pages: [1; 3],
    there: true,
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

/// A message in the layout of its sender's version.
#[derive(Clone, Debug)]
pub(in super::super) struct Message {
    pub flags: u32,
    pub offset: u32,
    pub receiver: u16,
    pub sender: u16,
    pub size: u32,
    pub service: Uuid,
    pub payload: Vec<u8>,
}

impl Message {
    pub fn new(sender: u16, receiver: u16) -> Self {
        let payload: Vec<u8> = (0..100).map(|n| n ^ sender as u8).collect();
        Self {
            flags: 0,
            offset: 48,
            receiver,
            sender,
            size: payload.len() as u32,
            service: Uuid::NIL,
            payload,
        }
    }

    pub fn bytes(&self, version: Version) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend([0xdd; 4]);
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(self.receiver.to_le_bytes());
        bytes.extend(self.sender.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        if version >= Version::V1_2 {
            bytes.extend([0xdd; 4]);
            bytes.extend(self.service.0);
        }
        if let Ok(offset) = u16::try_from(self.offset)
            && usize::from(offset) >= bytes.len()
        {
            bytes.resize(offset.into(), 0xdd);
            bytes.extend(&self.payload);
        }
        bytes
    }
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
