//! A machine for the core on the host: partitions that are nothing but registers, and scripts that
//! act as the image's run loop. Every expectation compares all registers of an endpoint.

use crate::{
    context::{
        Context, Giver, Messaging, PartitionInfo, Registers, Request, RequestKind, Slot, WaitsFor,
    },
    spm::{Left, Machine, Negotiated, Next, Outcome, Pe, Spmc},
    state::{Model, State},
};
use core::sync::atomic::{AtomicU64, Ordering};
use ffa_abi::{
    EndpointId, FfaError, Regs, TargetInfo, Uuid, Version,
    contract::Mode,
    fid::{WIDE_BIT, raw},
    id::Endpoints,
    smccc::SVE_HINT,
};

/// x0 to x30 of an endpoint.
pub(super) type Frame = [u64; 31];

/// The machine's part of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gp {
    pub x: Frame,
    /// What `x` held when the context last called.
    pub sent: Frame,
}

impl Registers for Gp {
    fn x(&mut self) -> &mut [u64; 31] {
        &mut self.x
    }
}

/// What was written to the console, by whom.
#[derive(Debug, Default)]
pub(super) struct Console(pub Vec<(EndpointId, u8)>);

impl Machine for Console {
    fn console(&mut self, from: EndpointId, character: u8) {
        self.0.push((from, character));
    }
}

/// Who is who in [`Fixture::new`].
pub(super) const A: Slot = Slot(0);
pub(super) const B: Slot = Slot(1);
pub(super) const C: Slot = Slot(2);
/// Speaks FF-A 1.1.
pub(super) const OLD: Slot = Slot(3);
/// May neither send nor receive a direct message of any kind.
pub(super) const MUTE: Slot = Slot(4);

/// A VM's id.
pub(super) const VM: EndpointId = EndpointId(3);
/// The service of each partition in [`Fixture::new`], other than a second one of its own.
pub(super) const SERVICE: Uuid = Uuid(*b"service of many!");

pub(super) const EVERYTHING: u32 = 1 | 1 << 1 | 1 << 9 | 1 << 10;

/// The id of the partition in `slot`.
pub(super) const fn id(slot: Slot) -> EndpointId {
    EndpointId(0x8001 + slot.0 as u16)
}

/// A partition to set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub version: Version,
    pub contexts: u16,
    pub messaging: u32,
}

impl Spec {
    pub const fn up(version: Version) -> Self {
        Self {
            version,
            contexts: 1,
            messaging: EVERYTHING,
        }
    }

    pub const fn mp(version: Version) -> Self {
        Self {
            contexts: 2,
            ..Self::up(version)
        }
    }

    pub const fn methods(self, messaging: u32) -> Self {
        Self { messaging, ..self }
    }
}

/// A register value that nobody else has, with both halves set.
pub(super) fn mark() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff;
    (0x5a5a_0000_0000_0000 | n << 16) | 0xc0de | n << 32 & 0xffff_0000_0000
}

/// A call with `args` in x0 onwards, zero up to x7, and marks beyond.
pub(super) fn frame(args: &[u64]) -> Frame {
    core::array::from_fn(|n| match args.get(n) {
        Some(value) => *value,
        None if n < 8 => 0,
        None => mark(),
    })
}

/// A direct message of the form `fid` with marks in its payload, upper halves of a 32-bit form
/// included.
pub(super) fn message(fid: u32, sender: EndpointId, receiver: EndpointId) -> Frame {
    let two = matches!(fid, raw::DIRECT_REQ2 | raw::DIRECT_RESP2);
    core::array::from_fn(|n| match n {
        0 => fid.into(),
        1 => Endpoints { sender, receiver }.register(),
        2 => 0,
        3 if two => 0,
        _ => mark(),
    })
}

/// `FFA_RUN` of a partition's context.
pub(super) fn run(slot: Slot, context: u16) -> Frame {
    frame(&[raw::RUN.into(), target(slot, context)])
}

pub(super) fn msg_wait() -> Frame {
    frame(&[raw::MSG_WAIT.into()])
}

pub(super) fn yields(timeout: u64) -> Frame {
    frame(&[raw::YIELD.into(), 0, timeout & 0xffff_ffff, timeout >> 32])
}

/// w1 that names a context.
pub(super) fn target(slot: Slot, context: u16) -> u64 {
    TargetInfo {
        endpoint: id(slot),
        context,
    }
    .register()
}

/// w1 that names sender and receiver.
pub(super) fn ids(sender: EndpointId, receiver: EndpointId) -> u64 {
    Endpoints { sender, receiver }.register()
}

/// The contract, said once more: `own` after a message `sent` by another was delivered.
pub(super) fn delivered(sent: &Frame, own: &Frame) -> Frame {
    let fid = sent[0] as u32 & !SVE_HINT;
    let mut x = *own;
    let count = match fid {
        raw::DIRECT_REQ2 | raw::DIRECT_RESP2 => 18,
        _ => 8,
    };
    let mask = if fid & WIDE_BIT == 0 {
        0xffff_ffff
    } else {
        u64::MAX
    };
    for (to, from) in x.iter_mut().zip(sent).take(count) {
        *to = from & mask;
    }
    x[0] = fid.into();
    x[1] = sent[1] & 0xffff_ffff;
    match fid {
        raw::DIRECT_REQ2 => {}
        raw::DIRECT_RESP2 => (x[2], x[3]) = (0, 0),
        _ => x[2] = 0,
    }
    x
}

/// A context and all that an error must not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub slot: Slot,
    /// The core that has it, or `None`: parked.
    pub pe: Option<usize>,
    pub state: State,
    pub model: Model,
    pub giver: Giver,
    pub request: Option<Request>,
    pub waits_for: WaitsFor,
    pub call_is_wide: bool,
    pub gp: Gp,
}

impl View {
    fn of(slot: usize, pe: Option<usize>, context: &Context<Gp>) -> Self {
        Self {
            slot: Slot(slot as u8),
            pe,
            state: context.state(),
            model: context.model,
            giver: context.giver,
            request: context.request,
            waits_for: context.waits_for,
            call_is_wide: context.call_is_wide,
            gp: context.machine.clone(),
        }
    }
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub contexts: Vec<View>,
    pub nwd: Vec<Regs>,
    versions: Vec<Version>,
}

impl Snapshot {
    /// Forgets the result registers of whoever called on `pe`.
    pub fn without_results(mut self, pe: usize, caller: Next) -> Self {
        match caller {
            Next::Partition(slot) => {
                for view in &mut self.contexts {
                    if view.slot == slot && view.pe == Some(pe) {
                        view.gp.x[..8].fill(0);
                    }
                }
            }
            _ => self.nwd[pe].0[..8].fill(0),
        }
        self
    }
}

impl Snapshot {
    /// Fails with what differs, and only that.
    #[track_caller]
    pub fn is(&self, expected: &Self) {
        for (now, before) in self.contexts.iter().zip(&expected.contexts) {
            let place = |view: &View| (view.slot, view.pe, view.state, view.call_is_wide);
            assert_eq!(place(now), place(before), "slot, core, state, width");
            let links = |view: &View| (view.model, view.giver, view.request, view.waits_for);
            assert_eq!(links(now), links(before), "links of {:?}", now.slot);
            assert_eq!(now.gp.x, before.gp.x, "x0-x30 of {:?}", now.slot);
        }
        assert_eq!(self.contexts.len(), expected.contexts.len(), "contexts");
        assert_eq!(self.nwd, expected.nwd, "x0-x17 of the normal world");
        assert_eq!(self.versions, expected.versions, "versions");
        assert!(self == expected);
    }
}

pub(super) struct Fixture {
    pub spmc: Spmc<'static, Gp>,
    pub pes: Vec<Pe<'static, Gp>>,
    /// Who has each core.
    pub now: Vec<Next>,
    /// What the normal world held when it last called from each core.
    pub nwd_sent: Vec<Regs>,
    pub console: Console,
    /// The core on which the script goes on.
    pub pe: usize,
    /// Contexts whose registers are not saved yet, while [`Fixture::lazy`].
    left: Vec<Option<Left>>,
    /// Registers of contexts that leave are saved only at the next step of their core.
    pub lazy: bool,
}

impl Fixture {
    /// Two cores and five partitions that have initialised, the normal world at FF-A 1.2: [`A`]
    /// (one context, 1.2), [`B`] (two contexts, 1.2), [`C`] (one context, 1.3), [`OLD`] (one
    /// context, 1.1) and [`MUTE`] (one context, 1.2).
    pub fn new() -> Self {
        let mut f = Self::with(
            2,
            &[
                Spec::up(Version::V1_2),
                Spec::mp(Version::V1_2),
                Spec::up(Version::V1_3),
                Spec::up(Version::V1_1),
                Spec::up(Version::V1_2).methods(0),
            ],
        );
        f.boot();
        f.nwd(frame(&[raw::VERSION.into(), Version::V1_2.raw().into()]));
        f.nwd_got(&[Version::OWN.raw().into()]);
        f
    }

    /// Partitions that have not run yet.
    pub fn with(pes: usize, specs: &[Spec]) -> Self {
        let mut spmc = Spmc::new();
        let mut cores: Vec<Pe<'static, Gp>> = (0..pes).map(|n| Pe::new(n as u16)).collect();
        for spec in specs {
            let number = spmc.partitions.len();
            let mut own = SERVICE;
            own.0[15] = number as u8;
            let info = PartitionInfo {
                id: id(Slot(number as u8)),
                uuids: heapless::Vec::from_slice(&[SERVICE, own]).unwrap(),
                messaging: Messaging(spec.messaging),
                contexts: spec.contexts,
                mode: Mode::Permissive,
            };
            let slot = spmc.add(info, spec.version).unwrap();
            for core in cores.iter_mut().take(spec.contexts.into()) {
                let x = core::array::from_fn(|_| mark());
                let gp = Gp { x, sent: x };
                spmc.adopt(core, slot, Box::leak(Box::new(Context::new(gp))));
            }
        }
        Self {
            spmc,
            now: vec![Next::NormalWorld; pes],
            nwd_sent: vec![Regs::ZERO; pes],
            left: (0..pes).map(|_| None).collect(),
            pes: cores,
            console: Console::default(),
            pe: 0,
            lazy: false,
        }
    }

    /// Lets every partition initialise on every core that has a context of it.
    pub fn boot(&mut self) {
        for pe in 0..self.pes.len() {
            self.pe = pe;
            for slot in (0..self.spmc.partitions.len()).map(|n| Slot(n as u8)) {
                if self.pes[pe].context(slot).is_some() {
                    self.start(slot);
                    assert_eq!(self.sp(msg_wait()), Next::Booted);
                    self.now[pe] = Next::NormalWorld;
                }
            }
        }
        self.pe = 0;
    }

    /// Starts a partition's initialisation on this core.
    pub fn start(&mut self, slot: Slot) {
        assert!(self.spmc.start(&mut self.pes[self.pe], slot));
        self.now[self.pe] = Next::Partition(slot);
    }

    /// Lets the core handle a step and notes who has it then.
    fn settle(&mut self, outcome: Outcome) -> Next {
        if self.lazy {
            self.left[self.pe] = outcome.left;
        } else if let Some(left) = outcome.left {
            self.spmc.saved(&mut self.pes[self.pe], left);
        }
        self.now[self.pe] = outcome.next;
        outcome.next
    }

    /// Saves what left this core in a [`Fixture::lazy`] step.
    pub fn save(&mut self) {
        if let Some(left) = self.left[self.pe].take() {
            self.spmc.saved(&mut self.pes[self.pe], left);
        }
    }

    /// The normal world enters from EL3 with x0-x17 of `call`.
    #[track_caller]
    pub fn nwd(&mut self, call: Frame) -> Next {
        assert!(
            !matches!(self.now[self.pe], Next::Partition(_)),
            "a partition has the core"
        );
        self.save();
        let mut regs = Regs::ZERO;
        regs.0.copy_from_slice(&call[..18]);
        self.nwd_sent[self.pe] = regs;
        let pe = &mut self.pes[self.pe];
        pe.nwd = regs;
        let outcome = self.spmc.handle_normal_world(pe, &mut self.console);
        self.settle(outcome)
    }

    /// The partition that has the core.
    #[track_caller]
    pub fn running(&self) -> Slot {
        match self.now[self.pe] {
            Next::Partition(slot) => slot,
            other => panic!("no partition has the core, but {other:?}"),
        }
    }

    /// The partition that has the core calls.
    #[track_caller]
    pub fn sp(&mut self, call: Frame) -> Next {
        let slot = self.running();
        self.save();
        let pe = &mut self.pes[self.pe];
        let gp = &mut pe.context(slot).expect("its context").machine;
        (gp.x, gp.sent) = (call, call);
        let outcome = self.spmc.handle_partition(pe, slot, &mut self.console);
        self.settle(outcome)
    }

    /// An interrupt of the normal world arrives.
    #[track_caller]
    pub fn preempt(&mut self) -> Next {
        let slot = self.running();
        self.save();
        let outcome = self.spmc.preempt(&mut self.pes[self.pe], slot);
        self.settle(outcome)
    }

    /// The partition that has the core fails.
    #[track_caller]
    pub fn abort(&mut self) -> Next {
        let slot = self.running();
        self.save();
        let outcome = self.spmc.abort(&mut self.pes[self.pe], slot);
        self.settle(outcome)
    }

    pub fn snapshot(&self) -> Snapshot {
        let mut contexts = Vec::new();
        for slot in 0..self.spmc.partitions.len() {
            for (n, pe) in self.pes.iter().enumerate() {
                if let Some(context) = pe.contexts[slot].as_deref() {
                    contexts.push(View::of(slot, Some(n), context));
                }
            }
            if let Some(context) = self.spmc.partitions[slot].parked.lock().as_deref() {
                contexts.push(View::of(slot, None, context));
            }
        }
        let negotiated = |n: &Negotiated| n.get();
        let mut versions = vec![negotiated(&self.spmc.normal_world)];
        versions.extend(self.spmc.partitions.iter().map(|p| p.version.get()));
        Snapshot {
            contexts,
            nwd: self.pes.iter().map(|pe| pe.nwd).collect(),
            versions,
        }
    }

    /// The context of `slot` on this core, or parked.
    #[track_caller]
    pub fn view(&self, slot: Slot) -> View {
        self.snapshot()
            .contexts
            .into_iter()
            .find(|view| view.slot == slot && view.pe.is_none_or(|pe| pe == self.pe))
            .expect("its context")
    }

    /// The state of `slot` on this core, or parked.
    #[track_caller]
    pub fn state(&self, slot: Slot) -> State {
        self.view(slot).state
    }

    /// Whoever has the core makes a call that is refused with `error`: it goes on, and nothing else
    /// has changed anywhere.
    #[track_caller]
    pub fn refused(&mut self, call: Frame, error: FfaError) {
        let answer = [raw::ERROR.into(), 0, error.register()];
        self.answered(call, &answer);
    }

    /// Whoever has the core makes a call that is answered at once with `answer` in x0 onwards, the
    /// rest of x1-x7 zero, and nothing else has changed anywhere.
    #[track_caller]
    pub fn answered(&mut self, call: Frame, answer: &[u64]) {
        let (pe, caller) = (self.pe, self.now[self.pe]);
        let mut before = self.snapshot();
        match caller {
            Next::Partition(slot) => {
                for view in &mut before.contexts {
                    if view.slot == slot && view.pe == Some(pe) {
                        (view.gp.x, view.gp.sent) = (call, call);
                    }
                }
                assert_eq!(self.sp(call), caller);
                self.sp_got(slot, answer);
            }
            _ => {
                before.nwd[pe].0.copy_from_slice(&call[..18]);
                assert_eq!(self.nwd(call), Next::NormalWorld);
                self.nwd_got(answer);
            }
        }
        self.snapshot()
            .without_results(pe, caller)
            .is(&before.without_results(pe, caller));
    }

    /// The normal world goes on with `x` in x0 onwards, the rest of x0-x7 zero, and x8-x17 as they
    /// came.
    #[track_caller]
    pub fn nwd_got(&self, x: &[u64]) {
        let mut expected = self.nwd_sent[self.pe];
        expected.0[..8].fill(0);
        expected.0[..x.len()].copy_from_slice(x);
        self.nwd_got_all(expected);
    }

    #[track_caller]
    pub fn nwd_got_all(&self, expected: Regs) {
        assert_eq!(self.now[self.pe], Next::NormalWorld);
        assert_eq!(
            self.pes[self.pe].nwd, expected,
            "x0-x17 of the normal world"
        );
    }

    /// The normal world receives the message `sent` by a partition.
    #[track_caller]
    pub fn nwd_got_message(&self, sent: &Frame) {
        let entry = self.nwd_sent[self.pe];
        let mut own = [0; 31];
        own[..18].copy_from_slice(&entry.0);
        let narrow_entry = entry.0[0] as u32 & WIDE_BIT == 0;
        if sent[0] as u32 & WIDE_BIT != 0 && narrow_entry {
            own[8..18].fill(0);
        }
        let mut expected = Regs::ZERO;
        expected.0.copy_from_slice(&delivered(sent, &own)[..18]);
        self.nwd_got_all(expected);
    }

    /// `slot` goes on with `x` in x0 onwards, the rest of x0-x7 zero, and x8-x30 its own.
    #[track_caller]
    pub fn sp_got(&mut self, slot: Slot, x: &[u64]) {
        let mut expected = self.sent(slot);
        expected[..8].fill(0);
        expected[..x.len()].copy_from_slice(x);
        self.sp_got_all(slot, &expected);
    }

    /// `slot` receives the message `sent` by another endpoint.
    #[track_caller]
    pub fn sp_got_message(&mut self, slot: Slot, sent: &Frame) {
        let expected = delivered(sent, &self.sent(slot));
        self.sp_got_all(slot, &expected);
    }

    /// `slot` goes on, with exactly these registers.
    #[track_caller]
    pub fn sp_got_all(&mut self, slot: Slot, expected: &Frame) {
        assert_eq!(self.now[self.pe], Next::Partition(slot));
        assert!(matches!(self.state(slot), State::Running | State::Starting));
        assert_eq!(&self.view(slot).gp.x, expected, "x0-x30 of {slot:?}");
    }

    /// What `slot` held when it last called.
    #[track_caller]
    pub fn sent(&self, slot: Slot) -> Frame {
        self.view(slot).gp.sent
    }

    /// The normal world sends `slot` a message of the form `fid`, which is delivered.
    #[track_caller]
    pub fn nwd_requests(&mut self, slot: Slot, fid: u32) {
        let request = message(fid, VM, id(slot));
        assert_eq!(self.nwd(request), Next::Partition(slot));
        self.sp_got_message(slot, &request);
        let view = self.view(slot);
        assert_eq!(view.model, Model::DirectRequest);
        assert_eq!(view.giver, Giver::NormalWorld);
        assert_eq!(view.request.map(|r| r.kind), Some(kind(fid)));
    }

    /// The partition that has the core sends `to` a message of the form `fid`, which is delivered.
    #[track_caller]
    pub fn sp_requests(&mut self, to: Slot, fid: u32) {
        let from = self.running();
        let request = message(fid, id(from), id(to));
        assert_eq!(self.sp(request), Next::Partition(to));
        self.sp_got_message(to, &request);
        let sender = self.view(from);
        assert_eq!(sender.state, State::Blocked);
        assert_eq!(sender.waits_for, WaitsFor::Callee(to));
        assert_eq!(sender.gp.x, request, "registers of a blocked sender");
        assert_eq!(self.view(to).giver, Giver::Partition(from));
    }

    /// The partition that has the core answers the normal world, which receives it.
    #[track_caller]
    pub fn responds_to_nwd(&mut self, fid: u32) {
        let from = self.running();
        let response = message(fid, id(from), VM);
        assert_eq!(self.sp(response), Next::NormalWorld);
        self.nwd_got_message(&response);
        self.waits(from, &response);
    }

    /// The partition that has the core answers `to`, which receives it.
    #[track_caller]
    pub fn responds_to(&mut self, to: Slot, fid: u32) {
        let from = self.running();
        let response = message(fid, id(from), id(to));
        assert_eq!(self.sp(response), Next::Partition(to));
        self.sp_got_message(to, &response);
        self.waits(from, &response);
    }

    /// `slot` waits, with its registers as it left them, parked if it may migrate.
    #[track_caller]
    pub fn waits(&self, slot: Slot, x: &Frame) {
        let view = self.view(slot);
        assert_eq!((view.state, view.request), (State::Waiting, None));
        assert_eq!(&view.gp.x, x, "registers of a waiting context");
        let up = self.spmc.info(slot).unwrap().is_up();
        assert_eq!(view.pe.is_none(), up, "where {slot:?} waits");
    }

    /// The normal world runs `slot`, which waited.
    #[track_caller]
    pub fn nwd_runs(&mut self, slot: Slot) {
        assert_eq!(self.nwd(run(slot, 0)), Next::Partition(slot));
        self.sp_got(slot, &[raw::RUN.into(), target(slot, 0)]);
        assert_eq!(self.view(slot).model, Model::Run);
    }
}

fn kind(fid: u32) -> RequestKind {
    match fid {
        raw::DIRECT_REQ2 => RequestKind::Direct2,
        _ => RequestKind::Direct {
            wide: fid & WIDE_BIT != 0,
        },
    }
}

// Whoever has the core: the same script for the normal world and for partitions.
impl Fixture {
    /// Whoever has the core calls.
    #[track_caller]
    pub fn call(&mut self, call: Frame) -> Next {
        match self.now[self.pe] {
            Next::Partition(_) => self.sp(call),
            _ => self.nwd(call),
        }
    }

    /// Whoever has the core goes on with `x` in x0 onwards, the rest of x0-x7 zero.
    #[track_caller]
    pub fn got(&mut self, x: &[u64]) {
        match self.now[self.pe] {
            Next::Partition(slot) => self.sp_got(slot, x),
            _ => self.nwd_got(x),
        }
    }

    /// x0-x7 of whoever has the core.
    pub fn result(&self) -> [u64; 8] {
        let x = match self.now[self.pe] {
            Next::Partition(slot) => self.view(slot).gp.x[..8].to_vec(),
            _ => self.pes[self.pe].nwd.0[..8].to_vec(),
        };
        x.try_into().unwrap()
    }

    /// The version of whoever has the core.
    pub fn version(&self) -> Version {
        match self.now[self.pe] {
            Next::Partition(slot) => self.spmc.version(slot),
            _ => self.spmc.normal_world.get(),
        }
    }
}
