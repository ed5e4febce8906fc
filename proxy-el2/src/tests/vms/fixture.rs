//! Some VMs on some cores, and a machine that does what a test says.

use super::super::{fixture::Frame, fixture::Gp, fixture::frame};
use crate::{
    MAX_VCPUS,
    availability::{News, Outcome},
    buffers::{Memory, Unreachable},
    forward::{El3, Upstream},
    proxy::{Machine, Next, Pe, Proxy, Turn},
    vcpu::{State, Vcpu, VcpuId, VmIndex},
    vm::VmInfo,
};
use core::ops::Range;
use ffa_abi::{
    EndpointId, FfaError, Regs, TargetInfo, Uuid, Version,
    contract::Mode,
    fid::raw::*,
    id::Endpoints,
    messaging::{Messaging, Service},
};
use std::collections::{HashSet, VecDeque};

pub(super) const MSG_WAIT_32: u32 = MSG_WAIT;
pub(super) const RUN_64: u32 = RUN | 1 << 30;
pub(super) const SP: EndpointId = EndpointId(0x8001);

/// A service of each VM: not nil, and no other's.
pub(super) fn service(vm: u16) -> Uuid {
    Uuid([vm as u8 | 0x40; 16])
}

#[derive(Debug, Default)]
pub(super) struct Host {
    pub answers: VecDeque<Regs>,
    pub asked: Vec<Regs>,
    /// What the next looks for interrupts find.
    pub turns: VecDeque<Turn>,
    /// What was in the chain at each look.
    pub looks: Vec<Vec<VcpuId>>,
    /// Who has an interrupt to take.
    pub pending: HashSet<VcpuId>,
    pub timer: Option<u64>,
    /// Who left its core, in order.
    pub left: Vec<VcpuId>,
    pub slices: Vec<bool>,
    pub kicked: Vec<u16>,
    /// Virtual interrupts.
    pub raised: Vec<(VcpuId, u32)>,
    pub powered: Vec<u16>,
    pub power_fails: bool,
    /// Cores go off with their vCPU.
    pub goes_off: bool,
    /// Which cores are on their way.
    pub going_off: HashSet<u16>,
    /// What the proxy's RX holds.
    pub rx: Vec<u8>,
    /// What became of telling partitions.
    pub told: Vec<(News, EndpointId, Outcome)>,
}

impl El3 for Host {
    fn smc(&mut self, regs: &mut Regs) {
        self.asked.push(*regs);
        *regs = self.answers.pop_front().expect("a call that no test wants");
    }
}

impl Memory for Host {
    fn open(&mut self, _: Range<u64>) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn close(&mut self, _: Range<u64>) {}

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn zero(&mut self, _: Range<u64>) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn read(&mut self, _: u64, _: &mut [u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn write_tx(&mut self, _: &[u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }

    fn read_rx(&mut self, offset: usize, to: &mut [u8]) -> Result<(), Unreachable> {
        let from = self.rx.get(offset..offset + to.len()).ok_or(Unreachable)?;
        to.copy_from_slice(from);
        Ok(())
    }
}

super::super::spmc::no_estates!(Host);

impl Machine<Gp> for Host {
    fn console(&mut self, _: EndpointId, _: u8) {}

    fn interrupts(&mut self, chain: &[VcpuId]) -> Turn {
        self.looks.push(chain.to_vec());
        self.turns.pop_front().unwrap_or(Turn::None)
    }

    fn has_interrupt(&mut self, vcpu: VcpuId) -> bool {
        self.pending.contains(&vcpu)
    }

    fn timer_ns(&mut self, _: VcpuId) -> Option<u64> {
        self.timer
    }

    fn leave(&mut self, vcpu: &mut Vcpu<Gp>) {
        self.left.push(vcpu.id());
    }

    fn slice(&mut self, away: bool) {
        self.slices.push(away);
    }

    fn raise(&mut self, vcpu: VcpuId, intid: u32) {
        self.raised.push((vcpu, intid));
    }

    fn kick(&mut self, core: u16) {
        self.kicked.push(core);
    }

    fn power_on(&mut self, core: u16) -> bool {
        self.powered.push(core);
        !self.power_fails
    }

    fn goes_off(&mut self) -> bool {
        self.goes_off
    }

    fn is_off(&mut self, core: u16) -> bool {
        !self.going_off.contains(&core)
    }

    fn told(&mut self, news: News, partition: EndpointId, outcome: Outcome) {
        self.told.push((news, partition, outcome));
    }
}

/// VMs 1 (the primary), 2, 3 …, their tables, and cores.
pub(super) struct Vms {
    pub proxy: Proxy<'static, Gp>,
    pub cores: Vec<Pe<'static, Gp>>,
    pub host: Host,
}

pub(super) fn vcpu(vm: u16, vcpu: u8) -> VcpuId {
    VcpuId {
        vm: VmIndex(vm as u8 - 1),
        vcpu,
    }
}

/// A primary with a vCPU on each of so many cores.
pub(super) fn primary(cores: u8) -> VmInfo {
    let mut info = VmInfo::primary(EndpointId(1), 0x1000..0x2000);
    info.vcpus = cores;
    info.cores = core::array::from_fn(|n| (n < cores.into()).then_some(n as u16));
    info
}

/// A secondary that offers [`service`] and does everything.
pub(super) fn secondary(id: u16) -> VmInfo {
    let base = u64::from(id) << 12;
    let mut info = VmInfo::secondary(EndpointId(id), base..base + 0x1000);
    let all = Messaging(info.messaging.0);
    let offered = Service {
        uuid: service(id),
        messaging: all,
    };
    info.services.push(offered).unwrap();
    info
}

/// The same with a vCPU on each of so many cores.
pub(super) fn pinned(info: VmInfo, cores: u8) -> VmInfo {
    VmInfo {
        vcpus: cores,
        cores: core::array::from_fn(|n| (n < cores.into()).then_some(n as u16)),
        ..info
    }
}

pub(super) fn strict(info: VmInfo) -> VmInfo {
    VmInfo {
        mode: Mode::SmcccStrict,
        ..info
    }
}

impl Vms {
    /// These VMs; core 0 has begun.
    pub fn of(infos: impl IntoIterator<Item = VmInfo>) -> Self {
        let mut proxy = Proxy::new(Upstream {
            version: Version::V1_3,
            spm_id: EndpointId::SPMC,
            direct2: true,
            rx: 0,
            info_regs: false,
            sri: None,
            indirect: false,
            notifications: false,
        });
        let mut vcpus = Vec::new();
        for info in infos {
            let count = info.vcpus;
            let vm = proxy.add(info).unwrap();
            vcpus.extend((0..count).map(|vcpu| VcpuId { vm, vcpu }));
        }
        for id in vcpus {
            let vcpu = Vcpu::new(Gp(frame(&[])), id);
            // Lives as long as its test.
            proxy.adopt(Box::leak(Box::new(vcpu))).unwrap();
        }
        let mut this = Self {
            proxy,
            cores: (0..MAX_VCPUS as u16).map(Pe::new).collect(),
            host: Host::default(),
        };
        assert_eq!(this.proxy.begin(&mut this.cores[0]), Next::Vcpu);
        this
    }

    /// A primary and so many secondaries in all, which have negotiated 1.2 and wait.
    pub fn waiting(vms: u16) -> Self {
        let mut this = Self::of(core::iter::once(primary(1)).chain((2..=vms).map(secondary)));
        this.version(0, Version::V1_2);
        for vm in 2..=vms {
            this.wait(0, vm, 0, Version::V1_2, MSG_WAIT_32);
        }
        this.host.left.clear();
        this.host.slices.clear();
        this
    }

    /// The running vCPU's VM negotiates.
    pub fn version(&mut self, core: usize, version: Version) {
        self.goes_on(core, &[VERSION.into(), version.raw().into()]);
        assert_ne!(self.x(core)[0] as u32, ERROR);
    }

    /// The primary runs a vCPU for the first time; it negotiates and waits.
    pub fn wait(&mut self, core: usize, vm: u16, index: u8, version: Version, wait: u32) {
        self.goes_on(core, &run(RUN, vm, index));
        assert_eq!(self.running(core), vcpu(vm, index));
        self.version(core, version);
        self.goes_on(core, &[wait.into()]);
        assert_eq!(self.x(core)[0] as u32, MSG_WAIT);
        assert_eq!(self.x(core)[1], u64::from(vm) << 16 | u64::from(index));
    }

    pub fn running(&self, core: usize) -> VcpuId {
        self.cores[core].running_id().unwrap()
    }

    /// x0-x30 of who runs.
    pub fn x(&mut self, core: usize) -> Frame {
        self.cores[core].running().unwrap().machine.0
    }

    /// Who runs calls with `args` in x0 onwards; gives what it sent.
    pub fn send(&mut self, core: usize, args: &[u64]) -> (Frame, Next) {
        let sent = frame(args);
        let Self { proxy, cores, host } = self;
        let pe = &mut cores[core];
        pe.running().unwrap().machine.0 = sent;
        let mut next = proxy.call(pe, host);
        while next == Next::El3 {
            host.smc(&mut pe.el3);
            next = proxy.returned(pe, host);
        }
        (sent, next)
    }

    /// Who runs calls; somebody runs then.
    #[track_caller]
    pub fn goes_on(&mut self, core: usize, args: &[u64]) -> Frame {
        let (sent, next) = self.send(core, args);
        assert_eq!(next, Next::Vcpu);
        sent
    }

    /// The call is refused, and nothing else has changed.
    #[track_caller]
    pub fn refused(&mut self, core: usize, args: &[u64], error: FfaError) {
        let before = self.states();
        let who = self.running(core);
        let chain = self.cores[core].chain();
        let asked = self.host.asked.len();
        let sent = self.goes_on(core, args);
        let mut expected = sent;
        expected[..8].copy_from_slice(&[ERROR.into(), 0, error.register(), 0, 0, 0, 0, 0]);
        assert_eq!(self.x(core), expected);
        assert_eq!(self.running(core), who);
        assert_eq!(self.cores[core].chain(), chain);
        assert_eq!(self.states(), before);
        assert_eq!(self.host.asked.len(), asked, "EL3 was asked");
    }

    /// The states of all parked vCPUs.
    pub fn states(&self) -> Vec<(VcpuId, Option<State>)> {
        let all = (0..8u8).flat_map(|vm| {
            (0..8u8).map(move |vcpu| VcpuId {
                vm: VmIndex(vm),
                vcpu,
            })
        });
        all.map(|id| (id, self.proxy.parked_state(id))).collect()
    }

    pub fn state(&self, vm: u16, index: u8) -> Option<State> {
        self.proxy.parked_state(vcpu(vm, index))
    }

    /// A physical interrupt, after which it is somebody's turn.
    pub fn interrupt(&mut self, core: usize, turn: Turn) -> Next {
        self.host.turns.push_back(turn);
        self.proxy.interrupt(&mut self.cores[core], &mut self.host)
    }

    /// Who runs has an SError.
    pub fn abort(&mut self, core: usize) -> Next {
        self.proxy.abort(&mut self.cores[core], &mut self.host)
    }

    /// Who runs waits for an interrupt.
    pub fn wfi(&mut self, core: usize) -> Next {
        self.proxy.wait(&mut self.cores[core], &mut self.host)
    }
}

pub(super) fn run(fid: u32, vm: u16, index: u8) -> [u64; 2] {
    let target = TargetInfo {
        endpoint: EndpointId(vm),
        context: index.into(),
    };
    [fid.into(), target.register()]
}

pub(super) fn ids(from: u16, to: u16) -> u64 {
    Endpoints {
        sender: EndpointId(from),
        receiver: EndpointId(to),
    }
    .register()
}

/// x0-x17 of a direct message with recognizable values.
pub(super) fn message(fid: u32, from: u16, to: u16) -> Vec<u64> {
    let extended = matches!(fid, DIRECT_REQ2 | DIRECT_RESP2);
    let mut x = vec![fid.into(), ids(from, to), 0];
    let first = if extended { 4 } else { 3 };
    let count = if extended { 18 } else { 8 };
    x.resize(first, 0);
    x.extend((first..count).map(|n| {
        let value = 0x1111_0000_2222_0000 | u64::from(from) << 32 | n as u64;
        value | u64::from(fid & 0xff) << 8
    }));
    x
}

/// What a receiver with registers `own` sees of a message.
pub(super) fn seen(own: &Frame, sent: &[u64]) -> Frame {
    let mut x = *own;
    let narrow = sent[0] & 1 << 30 == 0;
    for (to, from) in x.iter_mut().zip(sent) {
        *to = if narrow { from & 0xffff_ffff } else { *from };
    }
    x
}
