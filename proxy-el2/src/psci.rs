//! PSCI and SMCCC on a VM's behalf: its system is its own, and the primary's is the machine.

use crate::{
    calls::reply,
    cycles::waits,
    proxy::{Machine, Next, Pe, Proxy},
    vcpu::{Event, Model, Registers, State, VcpuId, Waits},
    vm::Vm,
};
use ffa_abi::{
    FfaError, Regs, Reply,
    smccc::{self, psci},
};

/// Answers a call that is not FF-A. Whatever is not known answers -1 in x0 and touches nothing
/// else.
pub(crate) fn answer<'v, R: Registers>(
    proxy: &Proxy<'v, R>,
    pe: &mut Pe<'v, R>,
    fid: u32,
    regs: &Regs,
    machine: &mut impl Machine<R>,
) -> Next {
    let wide = fid & ffa_abi::fid::WIDE_BIT != 0;
    let status = |status| Reply::status(status, wide);
    let Some(id) = pe.running_id() else {
        return Next::Idle;
    };
    let Some(vm) = proxy.vm(id.vm) else {
        return Next::Idle;
    };
    let answer = match fid {
        smccc::SMCCC_VERSION => Reply::X0(smccc::SMCCC_1_2),
        smccc::SMCCC_ARCH_FEATURES => match regs.w::<1>() {
            smccc::SMCCC_VERSION | smccc::SMCCC_ARCH_FEATURES => status(0),
            _ => status(psci::NOT_SUPPORTED),
        },
        psci::VERSION => Reply::X0(psci::V1_1),
        psci::FEATURES => status(if is_implemented(regs.w::<1>()) {
            psci::SUCCESS
        } else {
            psci::NOT_SUPPORTED
        }),
        psci::SYSTEM_OFF | psci::SYSTEM_RESET => {
            return match (vm.info.primary, fid) {
                (true, psci::SYSTEM_OFF) => Next::PowerOff,
                (true, _) => Next::Reset,
                // There is nobody to start it again: it has ended either way.
                (false, _) => proxy.end(pe, id.vm, machine),
            };
        }
        psci::CPU_ON_32 | psci::CPU_ON_64 => {
            let [entry, context] = if wide {
                [regs.x::<2>(), regs.x::<3>()]
            } else {
                [regs.w::<2>().into(), regs.w::<3>().into()]
            };
            let target = target(regs, wide);
            status(switch_on(proxy, pe, vm, target, entry, context, machine))
        }
        psci::AFFINITY_INFO_32 | psci::AFFINITY_INFO_64 => {
            let level = if wide {
                regs.x::<2>()
            } else {
                regs.w::<2>().into()
            };
            status(match vcpu(vm, id, target(regs, wide)) {
                Some(other) if level == 0 => match proxy.parked_state(other) {
                    Some(State::Off) if is_going_off(vm, other.vcpu, machine) => psci::SUCCESS,
                    Some(State::Off | State::Dead) => psci::OFF,
                    Some(State::Ready) => psci::ON_PENDING,
                    // A core has it, or it waits for one.
                    _ => psci::SUCCESS,
                },
                _ => psci::INVALID_PARAMETERS,
            })
        }
        psci::CPU_OFF => {
            // Until it is parked: another one looks whether it is on.
            let _going_off = vm.going_off.lock();
            if !others_are_on(proxy, vm, id) {
                // The last one would never come back.
                status(psci::DENIED)
            } else {
                return switch_off(proxy, pe, machine);
            }
        }
        psci::CPU_SUSPEND_32 | psci::CPU_SUSPEND_64 => {
            // Every state that it may ask for is as good as waiting for an interrupt.
            let _ = reply(pe, status(psci::SUCCESS));
            return proxy.wait(pe, machine);
        }
        // No trusted OS migrates.
        psci::MIGRATE_INFO_TYPE => status(2),
        _ => Reply::Unknown,
    };
    reply(pe, answer)
}

/// Whether the core of a vCPU that is off is not: until then it can't be switched on again.
fn is_going_off<R>(vm: &Vm<'_, R>, vcpu: u8, machine: &mut impl Machine<R>) -> bool {
    let core = vm.info.cores.get(usize::from(vcpu)).copied().flatten();
    // No secondary's vCPU takes its core with it.
    vm.info.primary && core.is_some_and(|core| !machine.is_off(core))
}

/// The VM's vCPU with this affinity.
fn vcpu<R>(vm: &Vm<'_, R>, own: VcpuId, affinity: u64) -> Option<VcpuId> {
    let vcpu = u8::try_from(affinity).ok()?;
    (vcpu < vm.info.vcpus).then_some(VcpuId { vm: own.vm, vcpu })
}

fn switch_on<'v, R: Registers>(
    proxy: &Proxy<'v, R>,
    pe: &mut Pe<'v, R>,
    vm: &Vm<'v, R>,
    affinity: u64,
    entry: u64,
    context: u64,
    machine: &mut impl Machine<R>,
) -> i32 {
    let own = pe.running_id();
    let Some(other) = own.and_then(|own| vcpu(vm, own, affinity)) else {
        return psci::INVALID_PARAMETERS;
    };
    let impossible = !vm.info.memory.contains(&entry) || !entry.is_multiple_of(4);
    let Some(place) = proxy.place(other) else {
        return psci::INVALID_PARAMETERS;
    };
    {
        let mut place = place.lock();
        match place.as_mut() {
            // A core has it.
            None => return psci::ALREADY_ON,
            Some(vcpu) => match vcpu.state() {
                State::Off if impossible => return psci::INVALID_ADDRESS,
                State::Off if is_going_off(vm, other.vcpu, machine) => return psci::ALREADY_ON,
                State::Off => {
                    vcpu.machine.start(entry, context);
                    vcpu.transition(Event::SwitchOn);
                    vcpu.model = Model::Run;
                    vcpu.waits = Waits::Cycles;
                    vcpu.set_request(None);
                    vcpu.kept = None;
                }
                State::Ready => return psci::ON_PENDING_ERROR,
                _ => return psci::ALREADY_ON,
            },
        }
    }
    let Some(core) = vm
        .info
        .cores
        .get(usize::from(other.vcpu))
        .copied()
        .flatten()
    else {
        return psci::SUCCESS;
    };
    // A secondary's vCPU waits for the primary to run it.
    if vm.info.primary {
        if !machine.power_on(core) {
            if let Some(vcpu) = &mut *place.lock()
                && vcpu.state() == State::Ready
            {
                vcpu.take_back();
            }
            return psci::INTERNAL_FAILURE;
        }
        machine.kick(core);
    }
    psci::SUCCESS
}

/// Whether another vCPU of the VM is on.
fn others_are_on<R: Registers>(proxy: &Proxy<'_, R>, vm: &Vm<'_, R>, own: VcpuId) -> bool {
    (0..vm.info.vcpus)
        .filter(|vcpu| *vcpu != own.vcpu)
        .any(|vcpu| {
            let state = proxy.parked_state(VcpuId { vcpu, ..own });
            !matches!(state, Some(State::Off | State::Dead))
        })
}

fn switch_off<'v, R: Registers>(
    proxy: &Proxy<'v, R>,
    pe: &mut Pe<'v, R>,
    machine: &mut impl Machine<R>,
) -> Next {
    let own = proxy.running_target(pe);
    let below = pe.chain.len().checked_sub(2);
    let below = below.and_then(|level| pe.chain.get(level));
    let below = below.map(|vcpu| vcpu.id());
    let Some(vcpu) = pe.running() else {
        return Next::Idle;
    };
    // Who waits for its answer waits in vain; who ran it is told that it does not run any more.
    let request = vcpu.request();
    vcpu.set_request(None);
    let answer = match request {
        Some(request) if request.origin == below => Reply::error(FfaError::Aborted),
        _ => waits(own),
    };
    vcpu.transition(Event::SwitchOff);
    vcpu.kept = None;
    vcpu.waits = Waits::Cycles;
    if pe.chain.len() == 1 && machine.goes_off() {
        proxy.pop(pe, machine);
        proxy.lose(pe.index);
        return Next::Off;
    }
    proxy.give_back(pe, answer, machine)
}

fn target(regs: &Regs, wide: bool) -> u64 {
    if wide {
        regs.x::<1>()
    } else {
        regs.w::<1>().into()
    }
}

const fn is_implemented(fid: u32) -> bool {
    matches!(
        fid,
        smccc::SMCCC_VERSION
            | psci::VERSION
            | psci::FEATURES
            | psci::SYSTEM_OFF
            | psci::SYSTEM_RESET
            | psci::CPU_ON_32
            | psci::CPU_ON_64
            | psci::CPU_SUSPEND_32
            | psci::CPU_SUSPEND_64
            | psci::AFFINITY_INFO_32
            | psci::AFFINITY_INFO_64
            | psci::CPU_OFF
            | psci::MIGRATE_INFO_TYPE
    )
}
