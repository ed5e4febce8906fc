//! A VM's registers and EL3's side, scripted.

use crate::{
    forward::Upstream,
    proxy::{Machine, Next, Pe, Proxy},
    vcpu::{Registers, Vcpu, VcpuId, VmIndex},
    vm::VmInfo,
};
use core::sync::atomic::{AtomicU64, Ordering};
use ffa_abi::{
    EndpointId, FfaError, Regs, TargetInfo, Version,
    contract::Mode,
    fid::raw::{self, *},
    id::Endpoints,
};
use std::{collections::VecDeque, ops::Range};

/// x0 to x30 of the VM.
pub(super) type Frame = [u64; 31];

pub(super) const VM: EndpointId = EndpointId(1);
/// The affinity of its vCPU.
pub(super) const AFFINITY: u64 = 0;
pub(super) const SP: EndpointId = EndpointId(0x8001);

/// Makes a [`Host`] the machine of a single VM.
macro_rules! one_vm {
    ($($name:tt)*) => {
        impl crate::proxy::Machine<super::fixture::Gp> for $($name)* {
            fn console(&mut self, from: ffa_abi::EndpointId, character: u8) {
                super::fixture::Host::console(self, from, character);
            }

            fn interrupts(&mut self, chain: &[crate::vcpu::VcpuId]) -> crate::proxy::Turn {
                assert_eq!(chain.len(), 1);
                match super::fixture::Host::take_own_interrupts(self) {
                    true => crate::proxy::Turn::Nobody,
                    false => crate::proxy::Turn::Level(0),
                }
            }

            fn has_interrupt(&mut self, _: crate::vcpu::VcpuId) -> bool {
                false
            }

            fn timer_ns(&mut self, _: crate::vcpu::VcpuId) -> Option<u64> {
                None
            }

            fn leave(&mut self, _: &mut crate::vcpu::Vcpu<super::fixture::Gp>) {
                panic!("the only vCPU leaves");
            }

            fn slice(&mut self, _: bool) {
                panic!("nobody takes the only vCPU's time");
            }

            fn kick(&mut self, _: u16) {
                panic!("there is one core");
            }

            fn power_on(&mut self, _: u16) -> bool {
                panic!("there is one core");
            }

            fn raise(&mut self, _: crate::vcpu::VcpuId, _: u32) {
                panic!("there is nobody to tell of");
            }
        }
    };
}
pub(super) use one_vm;

/// EL3 as a list of answers, and a record of what it was asked.
#[derive(Debug, Default)]
pub(super) struct El3 {
    pub answers: VecDeque<Regs>,
    pub asked: Vec<Regs>,
    /// What the next looks for interrupts of the proxy's own find.
    pub own_interrupts: VecDeque<bool>,
    pub console: Vec<(EndpointId, u8)>,
}

impl crate::forward::El3 for El3 {
    fn smc(&mut self, regs: &mut Regs) {
        self.asked.push(*regs);
        *regs = self
            .answers
            .pop_front()
            .expect("a call of EL3 that no test wanted");
    }
}

impl Host for El3 {
    fn console(&mut self, from: EndpointId, character: u8) {
        self.console.push((from, character));
    }

    fn take_own_interrupts(&mut self) -> bool {
        self.own_interrupts.pop_front().unwrap_or(false)
    }
}

super::spmc::no_memory!(El3);
one_vm!(El3);

/// What a machine with a single VM is asked.
pub(super) trait Host {
    fn console(&mut self, from: EndpointId, character: u8);

    /// Whether what is pending is the proxy's own; else it is the VM's.
    fn take_own_interrupts(&mut self) -> bool;
}

/// The general registers of a vCPU.
#[derive(Debug)]
pub(super) struct Gp(pub Frame);

impl Registers for Gp {
    fn x(&mut self) -> &mut Frame {
        &mut self.0
    }

    fn start(&mut self, _entry: u64, context: u64) {
        self.0 = [0; 31];
        self.0[0] = context;
    }
}

/// A proxy with a single VM that has a single vCPU.
pub(super) struct OneVm {
    proxy: Proxy<'static, Gp>,
    pe: Pe<'static, Gp>,
}

impl OneVm {
    pub fn new(id: EndpointId, memory: Range<u64>, mode: Mode) -> Self {
        let info = VmInfo {
            mode,
            ..VmInfo::primary(id, memory)
        };
        Self::with(info, [])
    }

    /// With others beside it that never run.
    pub fn with(info: VmInfo, others: impl IntoIterator<Item = VmInfo>) -> Self {
        let mut proxy = Proxy::new(Upstream {
            version: Version::OWN,
            spm_id: EndpointId::SPMC,
            direct2: true,
            rx: 0,
            info_regs: false,
            sri: None,
            indirect: false,
            notifications: false,
        });
        let vm = proxy.add(info).unwrap();
        let vcpu = Vcpu::new(Gp([0; 31]), VcpuId { vm, vcpu: 0 });
        // Lives as long as its test.
        proxy.adopt(Box::leak(Box::new(vcpu))).unwrap();
        for other in others {
            proxy.add(other).unwrap();
        }
        let mut pe = Pe::new(0);
        assert_eq!(proxy.begin(&mut pe), Next::Vcpu);
        Self { proxy, pe }
    }

    pub fn version(&self) -> Version {
        self.proxy.version(VmIndex(0)).unwrap()
    }

    /// The VM calls with these registers, and gets its answer in them.
    pub fn handle(
        &mut self,
        upstream: &Upstream,
        x: &mut Frame,
        machine: &mut impl Machine<Gp>,
    ) -> Next {
        let Self { proxy, pe } = self;
        proxy.upstream = *upstream;
        pe.running().unwrap().machine.0 = *x;
        let mut next = proxy.call(pe, machine);
        while next == Next::El3 {
            machine.smc(&mut pe.el3);
            next = proxy.returned(pe, machine);
        }
        *x = pe.running().unwrap().machine.0;
        next
    }
}

pub(super) struct Fixture {
    pub vm: OneVm,
    pub upstream: Upstream,
    pub el3: El3,
    /// The VM's registers after its last call.
    pub x: Frame,
}

impl Fixture {
    /// A VM that has negotiated 1.2, above an EL3 that speaks 1.3 and has all messages.
    pub fn new() -> Self {
        let mut f = Self::fresh();
        f.ok(frame(&[VERSION.into(), Version::V1_2.raw().into()]));
        assert_eq!(f.x[0], Version::V1_3.raw().into());
        f
    }

    /// A VM that has not called anything.
    pub fn fresh() -> Self {
        Self {
            vm: OneVm::new(VM, 0..0, Mode::Permissive),
            upstream: Upstream {
                version: Version::V1_3,
                spm_id: EndpointId::SPMC,
                direct2: true,
                rx: 0,
                info_regs: false,
                sri: None,
                indirect: false,
                notifications: false,
            },
            el3: El3::default(),
            x: [0; 31],
        }
    }

    /// The VM calls.
    pub fn call(&mut self, call: Frame) -> Next {
        self.x = call;
        self.vm.handle(&self.upstream, &mut self.x, &mut self.el3)
    }

    /// The VM calls and goes on.
    #[track_caller]
    pub fn ok(&mut self, call: Frame) {
        assert_eq!(self.call(call), Next::Vcpu);
    }

    /// The VM calls; its call is answered without EL3, with `answer` in x0 onwards, the rest of
    /// x1-x7 zero and x8-x30 its own.
    #[track_caller]
    pub fn answered(&mut self, call: Frame, answer: &[u64]) {
        let asked = self.el3.asked.len();
        self.ok(call);
        assert_eq!(self.el3.asked.len(), asked, "EL3 was asked");
        let mut expected = call;
        expected[..8].fill(0);
        expected[..answer.len()].copy_from_slice(answer);
        assert_eq!(self.x, expected);
    }

    #[track_caller]
    pub fn refused(&mut self, call: Frame, error: FfaError) {
        self.answered(call, &[ERROR.into(), 0, error.register()]);
    }

    /// The VM calls; only x0 is written.
    #[track_caller]
    pub fn answered_x0(&mut self, call: Frame, x0: u64) {
        self.ok(call);
        assert!(self.el3.asked.is_empty(), "EL3 was asked");
        let mut expected = call;
        expected[0] = x0;
        assert_eq!(self.x, expected);
    }

    /// The VM calls; EL3 is asked once for each answer, first with `asked`; the VM sees the first
    /// `count` registers of `seen`, and the rest its own.
    #[track_caller]
    pub fn forwarded(
        &mut self,
        call: Frame,
        asked: Regs,
        answers: &[Regs],
        seen: Regs,
        count: usize,
    ) {
        self.el3.asked.clear();
        self.el3.answers = answers.iter().copied().collect();
        self.ok(call);
        assert!(self.el3.answers.is_empty(), "EL3 was asked too little");
        assert_eq!(self.el3.asked[0], asked, "what EL3 was asked first");
        let mut expected = call;
        expected[..count].copy_from_slice(&seen.0[..count]);
        assert_eq!(self.x, expected, "what the VM sees");
    }
}

/// A register value that nobody else has, with both halves set.
pub(super) fn mark() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed) & 0xff_ffff;
    0x5a00_0000_5a00_0000 | n << 32 | n
}

/// A call with `args` in x0 onwards, zero up to x7, and marks beyond.
pub(super) fn frame(args: &[u64]) -> Frame {
    core::array::from_fn(|n| match args.get(n) {
        Some(value) => *value,
        None if n < 8 => 0,
        None => mark(),
    })
}

/// A direct request with marks in its payload and in every register that it does not use.
pub(super) fn request(fid: u32, sender: EndpointId, receiver: EndpointId) -> Frame {
    core::array::from_fn(|n| match n {
        0 => fid.into(),
        1 => Endpoints { sender, receiver }.register(),
        2 if fid != DIRECT_REQ2 => 0,
        _ => mark(),
    })
}

pub(super) fn run(endpoint: EndpointId, context: u16) -> Frame {
    frame(&[RUN.into(), TargetInfo { endpoint, context }.register()])
}

/// What a call becomes towards EL3: its own registers, and zero in all others.
pub(super) fn asked(call: &Frame) -> Regs {
    let mut regs = Regs::ZERO;
    let fid = call[0] as u32 & !ffa_abi::smccc::SVE_HINT;
    let (count, mask) = match fid {
        DIRECT_REQ2 => (18, u64::MAX),
        DIRECT_REQ_64 => (8, u64::MAX),
        RUN => (2, 0xffff_ffff),
        _ => (8, 0xffff_ffff),
    };
    for (to, from) in regs.0.iter_mut().zip(call).take(count) {
        *to = from & mask;
    }
    regs[0] = fid.into();
    regs[1] = call[1] & 0xffff_ffff;
    if matches!(fid, DIRECT_REQ_32 | DIRECT_REQ_64) {
        regs[2] = 0;
    }
    regs
}

/// What EL3 answers: `args` in x0 onwards, marks everywhere else.
pub(super) fn answer(args: &[u64]) -> Regs {
    Regs(core::array::from_fn(|n| {
        args.get(n).copied().unwrap_or_else(mark)
    }))
}

/// A completion of eight registers: `args`, zero up to x7, marks beyond.
pub(super) fn eight(args: &[u64]) -> Regs {
    let mut regs = answer(args);
    for register in &mut regs.0[args.len()..8] {
        *register = 0;
    }
    regs
}

/// A partition's response of the form `fid`.
pub(super) fn response(fid: u32, to: EndpointId) -> Regs {
    let ids = Endpoints {
        sender: SP,
        receiver: to,
    };
    let mut regs = answer(&[fid.into(), ids.register(), 0]);
    if fid == raw::DIRECT_RESP2 {
        regs[3] = 0;
    }
    if fid == raw::DIRECT_RESP_32 {
        for register in &mut regs.0[3..8] {
            *register &= 0xffff_ffff;
        }
    }
    regs
}
