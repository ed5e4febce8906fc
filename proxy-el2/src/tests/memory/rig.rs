//! Three VMs, each on a core of its own, above the machine of these tests.

pub(super) use super::offer::*;
use super::{
    super::{
        fixture::{Frame, Gp, frame},
        spmc::{RX_RELEASE, RXTX_MAP_64},
    },
    host::*,
    spmc::*,
};
use crate::{
    forward::Upstream,
    memory::Shares,
    proxy::{Next, Pe, Proxy, Turn},
    vcpu::{Vcpu, VcpuId, VmIndex},
    vm::VmInfo,
};
use ffa_abi::{EndpointId, FfaError, Version, fid::raw::*};

/// Where each VM's TX and RX are: page numbers.
pub(super) const TX: u64 = 0;
pub(super) const RX: u64 = 8;
/// The first page that is neither.
pub(super) const FREE: u64 = 16;

/// What a test says of how it wants the rig.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    /// What the proxy and the SPMC agreed on.
    pub upstream: Version,
    /// What the VMs speak.
    pub vms: Version,
    /// Pages of VMs' buffers, and of the proxy's.
    pub pages: u64,
    pub own_pages: usize,
}

pub(super) const SETUP: Setup = Setup {
    upstream: Version::V1_3,
    vms: Version::V1_3,
    pages: 1,
    own_pages: 1,
};

pub(super) struct Rig {
    pub proxy: Proxy<'static, Gp>,
    pub cores: Vec<Pe<'static, Gp>>,
    pub host: Host,
    pub setup: Setup,
}

impl Rig {
    pub fn new() -> Self {
        Self::of(SETUP)
    }

    pub fn of(setup: Setup) -> Self {
        let bytes = setup.own_pages * 4096;
        let mut proxy = Proxy::new(Upstream {
            version: setup.upstream,
            spm_id: EndpointId::SPMC,
            direct2: setup.upstream >= Version::V1_2,
            rx: bytes,
            info_regs: false,
            sri: None,
            indirect: false,
            notifications: false,
        });
        // Lives as long as its test. Made beforehand: there is no room for several of them on a test's stack.
        let shares: &Shares = Box::leak(Box::new(const { Shares::new() }));
        proxy.share_memory(shares);
        for id in 1..=VMS {
            let memory = page(id, 0)..page(id, PAGES);
            let mut info = VmInfo::secondary(EndpointId(id), memory);
            if id == 1 {
                info.primary = true;
                info.vcpus = VMS as u8;
                info.cores = core::array::from_fn(|n| (n < VMS.into()).then_some(n as u16));
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
            host: Host::new(Spmc::new(setup.upstream), bytes),
            setup,
        };
        assert_eq!(this.proxy.begin(&mut this.cores[0]), Next::Vcpu);
        let version = [VERSION.into(), setup.vms.raw().into()];
        this.call(1, &version);
        // On the other cores the primary runs the others for ever.
        let on = u64::from(ffa_abi::smccc::psci::CPU_ON_64);
        for core in 1..VMS {
            this.call(1, &[on, core.into(), page(1, FREE), 0]);
            assert_eq!(
                this.proxy.begin(&mut this.cores[usize::from(core)]),
                Next::Vcpu
            );
            let id = u64::from(core) + 1;
            let _ = this.send(usize::from(core), &[RUN.into(), id << 16]);
        }
        for vm in 1..=VMS {
            assert_eq!(this.call(vm, &version)[1], 0);
            assert_eq!(this.proxy.version(Self::index(vm)), Some(setup.vms));
            let (tx, rx) = (page(vm, TX), page(vm, RX));
            this.succeeds(vm, &[RXTX_MAP_64.into(), tx, rx, setup.pages]);
        }
        this.host.spmc.asked.clear();
        this
    }

    fn send(&mut self, core: usize, args: &[u64]) -> (Frame, Next) {
        let Self {
            proxy, cores, host, ..
        } = self;
        let pe = &mut cores[core];
        pe.running().unwrap().machine.0 = frame(args);
        let next = proxy.call(pe, host);
        assert_ne!(next, Next::El3);
        (pe.running().unwrap().machine.0, next)
    }

    /// A VM calls. Gives x0 to x7 after it.
    pub fn call(&mut self, vm: u16, args: &[u64]) -> [u64; 8] {
        let core = usize::from(vm) - 1;
        let (x, next) = self.send(core, args);
        assert_eq!(next, Next::Vcpu);
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

    #[track_caller]
    pub fn refuses(&mut self, vm: u16, args: &[u64], error: FfaError) {
        self.sees(vm, args, &[ERROR.into(), 0, error.register()]);
    }

    /// A VM writes at the start of its TX.
    pub fn write(&mut self, vm: u16, bytes: &[u8]) {
        for (n, part) in bytes.chunks(4096).enumerate() {
            self.host.page(page(vm, TX + n as u64))[..part.len()].copy_from_slice(part);
        }
    }

    /// What a VM reads at the start of its RX.
    pub fn read(&mut self, vm: u16, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for n in 0..self.setup.pages {
            bytes.extend(*self.host.page(page(vm, RX + n)));
        }
        assert!(
            bytes[length..].iter().all(|byte| *byte == 0),
            "the tail of RX"
        );
        bytes.truncate(length);
        bytes
    }

    pub fn release(&mut self, vm: u16) {
        self.succeeds(vm, &[RX_RELEASE.into()]);
    }

    /// A VM sends an offer, with as many fragments as its TX needs. Gives the last answer.
    pub fn offer(&mut self, fid: u32, vm: u16, offer: &Offer) -> [u64; 8] {
        let bytes = offer.bytes(self.setup.vms);
        let most = self.setup.pages as usize * 4096;
        let mut rest: &[u8] = &bytes;
        let mut x = [0; 8];
        while !rest.is_empty() {
            let first = rest.len() == bytes.len();
            let (part, behind) = rest.split_at(rest.len().min(most));
            self.write(vm, part);
            let length = part.len() as u64;
            x = match first {
                true => self.call(vm, &[fid.into(), bytes.len() as u64, length]),
                false => self.call(vm, &[MEM_FRAG_TX.into(), x[1], x[2], length]),
            };
            rest = behind;
            if x[0] != u64::from(MEM_FRAG_RX) {
                break;
            }
            assert_eq!(x[3..], [(bytes.len() - rest.len()) as u64, 0, 0, 0, 0]);
            assert!(!rest.is_empty(), "more is wanted than there is");
        }
        x
    }

    /// The same, and it succeeds: the handle.
    #[track_caller]
    pub fn offered(&mut self, fid: u32, vm: u16, offer: &Offer) -> u64 {
        let x = self.offer(fid, vm, offer);
        assert_eq!((x[0], x[1]), (SUCCESS_32.into(), 0), "{x:x?}");
        assert_eq!(x[4..], [0; 4]);
        x[2] | x[3] << 32
    }

    /// An offer is refused, and nothing of it is left.
    #[track_caller]
    pub fn offer_refused(&mut self, fid: u32, vm: u16, offer: &Offer, error: FfaError) {
        let before = self.state();
        let x = self.offer(fid, vm, offer);
        assert_eq!(x, [ERROR.into(), 0, error.register(), 0, 0, 0, 0, 0]);
        assert_eq!(self.state(), before);
    }

    /// A VM retrieves: the answer.
    pub fn retrieve(&mut self, vm: u16, request: &Offer) -> [u64; 8] {
        let bytes = request.bytes(self.setup.vms);
        self.write(vm, &bytes);
        let length = bytes.len() as u64;
        self.call(vm, &[MEM_RETRIEVE_REQ.into(), length, length])
    }

    pub fn relinquish(&mut self, vm: u16, handle: u64, flags: u32) -> [u64; 8] {
        let mut bytes = handle.to_le_bytes().to_vec();
        bytes.extend(flags.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(vm.to_le_bytes());
        self.write(vm, &bytes);
        self.call(vm, &[MEM_RELINQUISH.into()])
    }

    pub fn reclaim(&mut self, vm: u16, handle: u64, flags: u64) -> [u64; 8] {
        self.call(
            vm,
            &[
                MEM_RECLAIM.into(),
                handle & 0xffff_ffff,
                handle >> 32,
                flags,
            ],
        )
    }

    /// A VM ends.
    pub fn kill(&mut self, vm: u16) {
        let core = usize::from(vm) - 1;
        let next = self.proxy.abort(&mut self.cores[core], &mut self.host);
        assert_eq!(next, Next::Vcpu);
        self.check();
    }

    /// An interrupt on core 0.
    pub fn interrupt(&mut self) {
        self.host.turn = Turn::Nobody;
        let next = self.proxy.interrupt(&mut self.cores[0], &mut self.host);
        assert_eq!(next, Next::Vcpu);
        self.check();
    }

    pub fn seen(&self, vm: u16, page: u64) -> Option<Seen> {
        self.host.seen(vm, page)
    }

    /// All that a call that is refused must leave as it was.
    #[allow(clippy::type_complexity)]
    pub fn state(
        &mut self,
    ) -> (
        Vec<std::collections::BTreeMap<u64, Option<Seen>>>,
        std::collections::BTreeMap<u64, Sent>,
        String,
    ) {
        self.check();
        let shares = format!("{:?}", self.proxy.shares);
        (self.host.seen.clone(), self.host.spmc.sent.clone(), shares)
    }

    /// What must hold at all times.
    #[track_caller]
    pub fn check(&mut self) {
        self.proxy.shares.unwrap().lock().check();
    }

    pub fn index(vm: u16) -> VmIndex {
        VmIndex(vm as u8 - 1)
    }
}

/// `[ERROR, 0, error, ...]`.
pub(super) fn error(error: FfaError) -> [u64; 8] {
    [ERROR.into(), 0, error.register(), 0, 0, 0, 0, 0]
}

pub(super) const OK: [u64; 8] = [SUCCESS_32 as u64, 0, 0, 0, 0, 0, 0, 0];
