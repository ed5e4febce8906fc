//! Every order in which two cores' steps can mix, where more than a lock guards what they share. What the
//! search of whole systems takes for one step is many here, tried by a model checker.
//!
//! `cargo test -p spmc --profile timings --features loom --lib timings`

mod notifications;

use super::{Interrupts, Left, Machine, Mem, Next, Outcome, Pe, Spmc, interrupts::News};
use crate::{
    context::{Context, Messaging, PartitionInfo, Registers, Service, Slot},
    state::State,
};
use ffa_abi::{EndpointId, Function, Uuid, Version, fid::raw};
use loom::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::{Builder, JoinHandle},
};

/// What a core has of stack. A thread of the model checker has less than the core's code may need.
const STACK: usize = 0x2_0000;

/// A core that works beside the first.
fn on_core<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let core = Builder::new().stack_size(STACK).spawn(work);
    core.expect("there is room for it")
}

/// Tries every order of the steps of `work` and of the cores that it starts.
fn model(work: impl Fn() + Copy + Send + Sync + 'static) {
    loom::model(move || on_core(work).join().expect("the first core ends"));
}

/// The registers of a context.
#[derive(Debug)]
struct General([u64; 31]);

impl Registers for General {
    fn x(&mut self) -> &mut [u64; 31] {
        &mut self.0
    }
}

/// The machine of one core: all share which cores were kicked.
#[derive(Clone, Debug)]
struct Chip(Arc<[AtomicU32; 2]>);

impl Chip {
    fn new() -> Self {
        Self(Arc::new([AtomicU32::new(0), AtomicU32::new(0)]))
    }

    /// Whether this core was kicked: it takes the interrupt.
    fn kicked(&self, core: u16) -> bool {
        self.0[usize::from(core)].swap(0, Ordering::SeqCst) != 0
    }
}

impl Mem for Chip {}

impl Interrupts for Chip {
    fn kick(&mut self, core: u16) {
        self.0[usize::from(core)].fetch_or(1, Ordering::SeqCst);
    }
}

impl Machine for Chip {
    fn console(&mut self, _: EndpointId, _: u8) {}
}

type Core = Spmc<'static, General>;
type PeState = Pe<'static, General>;

const A: Slot = Slot(0);
const DEVICES: [u32; 2] = [40, 41];

const ENABLE: u64 = 0xff03;

/// A call of the partition that runs on `pe`.
fn call(spmc: &Core, pe: &mut PeState, chip: &mut Chip, args: &[u64]) -> Outcome {
    if let Some(context) = pe.context(A) {
        context.machine.0 = [0; 31];
        context.machine.0[..args.len()].copy_from_slice(args);
    }
    spmc.handle_partition(pe, A, chip)
}

/// Two cores and one partition, with one context, which has just called `FFA_MSG_WAIT` on the first core
/// for the first time: its registers are not saved yet. Two devices of its can interrupt.
fn waiting() -> (Arc<Core>, [PeState; 2], Chip, Left) {
    let mut spmc = Core::new();
    let services = [Service {
        uuid: Uuid::NIL,
        messaging: Messaging(0x603),
    }];
    let info = PartitionInfo {
        devices: DEVICES.into_iter().collect(),
        notifications: true,
        ..PartitionInfo::new(EndpointId(0x8001), services.into_iter().collect(), 1)
    };
    assert_eq!(spmc.add(info, Version::V1_2), Some(A));
    let mut pes = [PeState::new(0), PeState::new(1)];
    // For each order once more: there are few enough.
    let context = Box::leak(Box::new(Context::new(General([0; 31]))));
    spmc.adopt(&mut pes[0], A, context);
    for pe in &mut pes {
        spmc.core_is_on(pe);
    }
    let mut chip = Chip::new();
    assert!(spmc.start(&mut pes[0], A));
    for intid in DEVICES {
        let done = call(&spmc, &mut pes[0], &mut chip, &[ENABLE, intid.into(), 1, 0]);
        assert_eq!(done.next, Next::Partition(A));
    }
    let done = call(
        &spmc,
        &mut pes[0],
        &mut chip,
        &[Function::MsgWait.raw32().into()],
    );
    assert_eq!(done.next, Next::Booted);
    let left = done.left.expect("it has left");
    (Arc::new(spmc), pes, chip, left)
}

/// A core on which the normal world runs takes this interrupt, or the SPMC's own. Whether the partition
/// runs there now.
fn takes(spmc: &Core, pe: &mut PeState, chip: &mut Chip, intid: Option<u32>) -> bool {
    match intid {
        Some(intid) => spmc.device(pe, intid, chip),
        None => spmc.kicked(pe, chip),
    }
    let Outcome { next, left } = spmc.dispatch(pe, None, chip);
    assert_eq!(left, None);
    next == Next::Partition(A)
}

/// A core that was kicked looks; whether the partition runs there now. It goes on if it `runs` already.
fn looks(spmc: &Core, pe: &mut PeState, chip: &mut Chip, runs: bool) -> bool {
    if runs {
        spmc.kicked(pe, chip);
        let done = spmc.dispatch(pe, Some(A), chip);
        assert_eq!(done.next, Next::Partition(A));
        return true;
    }
    takes(spmc, pe, chip, None)
}

/// What is still to be looked at is looked at, wherever nobody runs; whether the partition runs in the
/// end, on one core.
fn settles(spmc: &Core, pes: &mut [PeState; 2], chip: &mut Chip, mut runs: [bool; 2]) -> [bool; 2] {
    for _ in 0..4 {
        for core in 0..2 {
            if chip.kicked(core) {
                let place = usize::from(core);
                runs[place] = looks(spmc, &mut pes[place], chip, runs[place]);
            }
        }
    }
    runs
}

/// The partition has dealt with all that it was told of: it takes `count` interrupts and waits.
fn deals(spmc: &Core, pe: &mut PeState, chip: &mut Chip, count: usize) {
    const GET: u64 = 0xff04;
    for taken in 0..=count {
        let _ = call(spmc, pe, chip, &[GET]);
        let x0 = pe.context(A).map(|context| context.machine.0[0]);
        assert_eq!(
            x0 == Some(0xffff_ffff),
            taken == count,
            "{taken} of {count}"
        );
    }
    let done = call(spmc, pe, chip, &[Function::MsgWait.raw32().into()]);
    assert_eq!(done.next, Next::NormalWorldResume);
    spmc.saved(pe, done.left.expect("it has left"));
}

#[test]
fn news_for_a_core_that_goes_off_reach_one_that_is_on() {
    model(|| {
        let news = Arc::new(News::new());
        news.switch_on(0);
        news.switch_on(1);
        let kicked = Arc::new(AtomicU32::new(0));
        let leaver = {
            let (news, kicked) = (news.clone(), kicked.clone());
            on_core(move || {
                if let Some(core) = news.leave(1, 4) {
                    kicked.fetch_or(1 << core, Ordering::SeqCst);
                }
            })
        };
        let left = news.switch_off(1);
        if left != 0
            && let Some(core) = news.leave(1, left)
        {
            kicked.fetch_or(1 << core, Ordering::SeqCst);
        }
        leaver.join().expect("it leaves its news");
        assert_eq!(news.take(0), 4, "they are at the other");
        assert_ne!(kicked.load(Ordering::SeqCst) & 1, 0, "which is told");
    });
}

#[test]
fn news_reach_the_last_core_though_two_go_off() {
    model(|| {
        let news = Arc::new(News::new());
        (0..3).for_each(|core| news.switch_on(core));
        let goes_off = |core: u16| {
            let news = news.clone();
            on_core(move || {
                let left = news.switch_off(core);
                if left != 0 {
                    let _ = news.leave(core, left);
                }
            })
        };
        let others = [goes_off(0), goes_off(1)];
        let _ = news.leave(1, 4);
        for other in others {
            other.join().expect("it goes off");
        }
        assert_eq!(news.take(2), 4);
    });
}

#[test]
fn an_interrupt_while_the_context_is_saved_on_another_core_is_delivered() {
    model(|| {
        let (spmc, [mut first, mut second], mut chip, left) = waiting();
        let other = {
            let (spmc, mut chip) = (spmc.clone(), chip.clone());
            on_core(move || {
                let runs = takes(&spmc, &mut second, &mut chip, Some(DEVICES[0]));
                (second, runs)
            })
        };
        spmc.saved(&mut first, left);
        let mut runs = [false; 2];
        if chip.kicked(0) {
            runs[0] = takes(&spmc, &mut first, &mut chip, None);
        }
        let (second, there) = other.join().expect("it takes its interrupt");
        runs[1] = there;
        let mut pes = [first, second];
        let runs = settles(&spmc, &mut pes, &mut chip, runs);
        let core = runs.iter().position(|runs| *runs).expect("it is told");
        assert!(!(runs[0] && runs[1]));
        deals(&spmc, &mut pes[core], &mut chip, 1);
    });
}

#[test]
fn an_interrupt_for_one_whose_core_goes_off_is_delivered_on_another() {
    model(|| {
        let (spmc, [mut first, mut second], mut chip, left) = waiting();
        let other = {
            let (spmc, mut chip) = (spmc.clone(), chip.clone());
            on_core(move || {
                let runs = takes(&spmc, &mut second, &mut chip, Some(DEVICES[0]));
                (second, runs)
            })
        };
        spmc.saved(&mut first, left);
        let cpu_off = [raw::DIRECT_REQ_32, 0xffff_8000, 1 << 31, 0x8400_0002];
        for (register, value) in first.nwd.0.iter_mut().zip(cpu_off) {
            *register = value.into();
        }
        let done = spmc.handle_normal_world(&mut first, &mut chip);
        assert_eq!(done, Outcome::to(Next::NormalWorld));
        assert_eq!(first.nwd[0], raw::DIRECT_RESP_32.into());
        let (mut second, mut runs) = other.join().expect("it takes its interrupt");
        while chip.kicked(1) {
            runs = looks(&spmc, &mut second, &mut chip, runs);
        }
        assert!(runs, "it is told");
        deals(&spmc, &mut second, &mut chip, 1);
    });
}

#[test]
fn two_interrupts_on_two_cores_enter_a_context_once() {
    model(|| {
        let (spmc, [mut first, mut second], mut chip, left) = waiting();
        spmc.saved(&mut first, left);
        let other = {
            let (spmc, mut chip) = (spmc.clone(), chip.clone());
            on_core(move || {
                let runs = takes(&spmc, &mut second, &mut chip, Some(DEVICES[1]));
                (second, runs)
            })
        };
        let here = takes(&spmc, &mut first, &mut chip, Some(DEVICES[0]));
        let (second, there) = other.join().expect("it takes its interrupt");
        let mut pes = [first, second];
        let runs = settles(&spmc, &mut pes, &mut chip, [here, there]);
        assert!(runs[0] != runs[1], "on one core: {runs:?}");
        let core = usize::from(runs[1]);
        let context = pes[core].context(A).expect("it is here");
        assert_eq!(context.state(), State::Running);
        assert!(context.lines().irq);
        deals(&spmc, &mut pes[core], &mut chip, 2);
    });
}

#[test]
fn a_request_and_an_interrupt_for_one_context_do_not_lose_each_other() {
    model(|| {
        let (spmc, [mut first, mut second], mut chip, left) = waiting();
        spmc.saved(&mut first, left);
        let other = {
            let (spmc, mut chip) = (spmc.clone(), chip.clone());
            on_core(move || {
                let runs = takes(&spmc, &mut second, &mut chip, Some(DEVICES[0]));
                (second, runs)
            })
        };
        first.nwd[0] = Function::Run.raw32().into();
        first.nwd[1] = 0x8001_0000;
        let asked = spmc.handle_normal_world(&mut first, &mut chip).next;
        let here = asked == Next::Partition(A);
        let (second, there) = other.join().expect("it takes its interrupt");
        let mut pes = [first, second];
        // Whoever came second was told that it is busy, or told the other to look.
        let runs = settles(&spmc, &mut pes, &mut chip, [here, there]);
        assert!(runs[0] != runs[1], "on one core: {runs:?}");
        let core = usize::from(runs[1]);
        let context = pes[core].context(A).expect("it is here");
        assert!(context.lines().irq, "it sees its interrupt");
    });
}
