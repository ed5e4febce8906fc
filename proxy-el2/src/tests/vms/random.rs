//! Random calls, completions, interrupts and deaths on several cores: nobody is lost, nobody is twice,
//! and nobody gets an answer that is another's.

use super::{
    super::fixture::{eight, frame},
    fixture::*,
};
use crate::{
    owed::Progress,
    proxy::{Next, Turn},
    vcpu::{State, VcpuId, VmIndex, Waits},
};
use ffa_abi::{Regs, Version, fid::raw::*, smccc::psci};
use proptest::prelude::*;

const VMS: u16 = 5;
const CORES: usize = 3;

/// What may happen next on a core: what of it does depends on what the core does.
#[derive(Clone, Debug)]
struct Step {
    core: usize,
    /// Who runs calls.
    call: Vec<u64>,
    /// EL3 comes back with this.
    back: Regs,
    /// An interrupt comes.
    turn: Turn,
    /// Which of them.
    what: u8,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        2 => Just(Turn::Nobody),
        1 => Just(Turn::None),
        4 => (0..4usize).prop_map(Turn::Level),
    ]
}

fn vm() -> impl Strategy<Value = u16> {
    1..=VMS
}

/// `from` 0 stands for who calls.
fn call() -> impl Strategy<Value = Vec<u64>> {
    let requests = prop::sample::select(vec![DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2]);
    let responses = prop::sample::select(vec![DIRECT_RESP_32, DIRECT_RESP_64, DIRECT_RESP2]);
    let wide = any::<bool>().prop_map(|wide| if wide { RUN_64 } else { RUN });
    prop_oneof![
        6 => (requests.clone(), vm()).prop_map(|(fid, to)| message(fid, 0, to)),
        4 => (requests, 0..2u16).prop_map(|(fid, sp)| message(fid, 0, SP.0 + sp)),
        6 => (responses, vm()).prop_map(|(fid, to)| message(fid, 0, to)),
        8 => (wide.clone(), vm(), 0..4u8).prop_map(|(fid, vm, vcpu)| run(fid, vm, vcpu).to_vec()),
        4 => (wide, 0..2u16, 0..3u8).prop_map(|(fid, sp, vcpu)| run(fid, SP.0 + sp, vcpu).to_vec()),
        3 => Just(vec![MSG_WAIT.into()]),
        2 => Just(vec![YIELD.into()]),
        3 => (0..4u64).prop_map(|vcpu| vec![psci::CPU_ON_64.into(), vcpu, 0]),
        1 => Just(vec![psci::CPU_OFF.into()]),
        1 => (0..4u64).prop_map(|vcpu| vec![psci::AFFINITY_INFO_64.into(), vcpu, 0]),
    ]
}

fn back() -> impl Strategy<Value = Regs> {
    let sp = || (0..2u16, 0..3u64).prop_map(|(sp, vcpu)| u64::from(SP.0 + sp) << 16 | vcpu);
    let responses = prop::sample::select(vec![DIRECT_RESP_32, DIRECT_RESP_64, DIRECT_RESP2]);
    let error = prop::sample::select(vec![-6i32, -6, -4, -8, -2, -1]);
    prop_oneof![
        6 => sp().prop_map(|sp| eight(&[INTERRUPT.into(), sp])),
        2 => sp().prop_map(|sp| eight(&[YIELD.into(), sp])),
        2 => Just(eight(&[MSG_WAIT.into()])),
        4 => error.prop_map(|code| eight(&[ERROR.into(), 0, (code as u32).into()])),
        8 => (responses, 0..2u16, vm()).prop_map(|(fid, sp, to)| {
            super::super::fixture::answer(&message(fid, SP.0 + sp, to))
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    (0..CORES, call(), back(), turn(), 0..100u8).prop_map(|(core, call, back, turn, what)| Step {
        core,
        call,
        back,
        turn,
        what,
    })
}

struct Run {
    vms: Vms,
    next: [Next; CORES],
    /// Cores but the first go off with the primary's vCPU.
    go_off: bool,
}

impl Run {
    fn new(modes: bool, go_off: bool) -> Self {
        let with = |info| if modes { strict(info) } else { info };
        let mut vms = Vms::of([
            with(primary(CORES as u8)),
            with(pinned(secondary(2), CORES as u8)),
            secondary(3),
            with(secondary(4)),
            pinned(secondary(5), 2),
        ]);
        vms.version(0, Version::V1_3);
        for vm in 2..=VMS {
            let wait = if modes { MSG_WAIT | 1 << 30 } else { MSG_WAIT };
            vms.goes_on(0, &run(RUN, vm, 0));
            vms.version(0, Version::V1_3);
            vms.goes_on(0, &[wait.into()]);
        }
        let mut next = [Next::Vcpu; CORES];
        for (core, next) in next.iter_mut().enumerate().skip(1) {
            vms.goes_on(0, &[psci::CPU_ON_64.into(), core as u64, 0x1000]);
            *next = vms.proxy.begin(&mut vms.cores[core]);
            assert_eq!(*next, Next::Vcpu);
        }
        Self { vms, next, go_off }
    }

    /// Does what is possible now on that core.
    fn step(&mut self, step: &Step) {
        let Vms { proxy, cores, host } = &mut self.vms;
        let pe = &mut cores[step.core];
        host.answers.clear();
        host.turns = [step.turn].into();
        let secondary = pe.chain().len() > 1;
        let core = step.core as u16;
        host.goes_off = self.go_off && core != 0;
        let before = self.next[step.core];
        let now = match (before, step.what) {
            (Next::El3, _) => {
                pe.el3 = step.back;
                proxy.returned(pe, host)
            }
            // First it is off, then it may come on again.
            (Next::Off, _) if host.going_off.remove(&core) => Next::Off,
            (Next::Off, _) if host.powered.contains(&core) => proxy.begin(pe),
            (Next::Off, _) => Next::Off,
            (Next::Idle, _) | (Next::Vcpu, 0..15) => proxy.interrupt(pe, host),
            (Next::Vcpu, 15..20) => proxy.wait(pe, host),
            // Not the primary: that is the end of the machine.
            (Next::Vcpu, 20) if secondary => proxy.abort(pe, host),
            (Next::Vcpu, _) => {
                let vcpu = pe.running().unwrap();
                let own = u16::from(vcpu.id().vm.0) + 1;
                let request = vcpu.request();
                let x = &mut vcpu.machine.0;
                *x = frame(&step.call);
                match x[0] as u32 {
                    DIRECT_REQ_32 | DIRECT_REQ_64 | DIRECT_REQ2 => x[1] |= u64::from(own) << 16,
                    DIRECT_RESP_32 | DIRECT_RESP_64 | DIRECT_RESP2 => {
                        x[1] |= u64::from(own) << 16;
                        // Most of them are right.
                        if let Some(request) = request
                            && step.what > 30
                        {
                            x[0] = request.kind.response_fid();
                            x[1] = ids(own, request.sender.0);
                        }
                    }
                    psci::CPU_ON_64 => x[2] = u64::from(own) << 12,
                    _ => {}
                }
                proxy.call(pe, host)
            }
            (now, _) => now,
        };
        match now {
            Next::Off if before != Next::Off => {
                assert!(pe.chain().is_empty());
                host.going_off.insert(core);
                host.powered.retain(|on| *on != core);
                for (target, _, progress) in proxy.owed.lock().note_all() {
                    let answered = matches!(progress, Progress::Answered(_));
                    assert!(answered || target.context != core, "{target:?}");
                }
            }
            Next::Off => {}
            Next::Vcpu | Next::El3 => assert!(!host.going_off.contains(&core)),
            Next::Idle => {}
            Next::PowerOff | Next::Reset => panic!("{now:?}"),
        }
        self.next[step.core] = now;
    }

    fn check(&mut self) {
        let Vms { proxy, cores, .. } = &mut self.vms;
        let infos: Vec<_> = (0..VMS as u8)
            .map(|vm| proxy.info(VmIndex(vm)).unwrap().clone())
            .collect();
        let mut owners = std::collections::HashMap::<VcpuId, usize>::new();
        for (core, pe) in cores.iter_mut().enumerate() {
            let chain = pe.chain();
            for (level, id) in chain.iter().enumerate() {
                *owners.entry(*id).or_default() += 1;
                let info = &infos[usize::from(id.vm.0)];
                assert!(info.may_run(id.vcpu, core as u16), "{id:?} on {core}");
                assert_eq!(info.primary, level == 0);
                let above = chain.get(level + 1).copied();
                let vcpu = pe.get(*id).unwrap();
                match above {
                    None => assert_eq!(vcpu.state(), State::Running),
                    Some(above) => {
                        assert_eq!(vcpu.state(), State::Blocked);
                        assert!(
                            matches!(vcpu.waits(), Waits::Callee { callee, .. } if callee == above)
                        );
                    }
                }
            }
            let mut vms: Vec<_> = chain.iter().map(|id| id.vm).collect();
            vms.dedup();
            assert_eq!(vms.len(), chain.len());
            if core < CORES {
                let pending = pe.pending().is_some();
                assert_eq!(pending, self.next[core] == Next::El3);
            }
        }
        for (vm, info) in infos.iter().enumerate() {
            for vcpu in 0..info.vcpus {
                let id = VcpuId {
                    vm: VmIndex(vm as u8),
                    vcpu,
                };
                let parked = proxy.parked_state(id);
                let chains = owners.get(&id).copied().unwrap_or(0);
                assert_eq!(usize::from(parked.is_some()) + chains, 1, "{id:?}");
                assert!(!matches!(parked, Some(State::Running | State::Blocked)));
                if parked.is_some() && proxy.is_dead(id.vm) {
                    assert_eq!(parked, Some(State::Dead));
                }
            }
        }
    }

    /// No message of one VM is in another's registers but by its own direct messages.
    fn answers_are_ones_own(&mut self, core: usize) {
        let pe = &mut self.vms.cores[core];
        let Some(id) = pe.running_id() else { return };
        let x = pe.running().unwrap().machine.0;
        if matches!(x[0] as u32, DIRECT_RESP_32 | DIRECT_RESP_64 | DIRECT_RESP2) {
            assert_eq!(x[1] & 0xffff, u64::from(id.vm.0) + 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 400 }))]

    #[test]
    fn nobody_is_lost_and_nobody_is_twice(
        modes: bool,
        go_off: bool,
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let mut run = Run::new(modes, go_off);
        for step in &steps {
            let back = run.next[step.core] == Next::El3;
            run.step(step);
            run.check();
            if back {
                run.answers_are_ones_own(step.core);
            }
        }
        // Everybody who is dead is off all cores once those have looked, and the primary has its cores.
        for core in 0..CORES {
            let step = Step {
                core,
                call: vec![],
                back: eight(&[MSG_WAIT.into()]),
                turn: Turn::Level(0),
                what: 0,
            };
            while run.next[core] == Next::El3 {
                run.step(&step);
            }
            run.step(&step);
            run.check();
            prop_assert!(run.vms.cores[core].chain().len() <= 1);
        }
    }
}
