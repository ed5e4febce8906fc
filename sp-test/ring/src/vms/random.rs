//! Random runs of several VMs.

use super::{Act, Spec, System, vm_id};
use crate::{
    fid,
    fuzz::{self, Report},
    generate,
    label::{Frame, Label, Labels, Origin},
    random::Rng,
    step::Step,
    world::{Arena, Who},
};
use ffa_abi::contract::Mode;
use proxy_el2::{
    proxy::Turn,
    vcpu::{VcpuId, VmIndex},
};

/// A random run.
pub fn random(
    rng: &mut Rng,
    calls: u64,
    log: &mut Vec<Step>,
    report: &mut Report,
) -> Result<(), String> {
    let config = generate::config(rng);
    let vms: Vec<Spec> = (0..2 + rng.below(2))
        .map(|_| Spec {
            mode: match rng.chance(1, 3) {
                true => Mode::SmcccStrict,
                false => Mode::Permissive,
            },
            version: rng.pick(&generate::VERSIONS[1..]),
            pinned: rng.chance(1, 2),
        })
        .collect();
    let mut arena = Arena::default();
    let mut system = System::new(&config, &vms, &mut arena)?;
    let mut labels = Labels::default();
    let mut core = 0;
    while report.calls < calls && !system.ended {
        if rng.chance(1, 3) {
            core = rng.below(config.cores);
        }
        if !system.is_on(core) {
            core = 0;
            continue;
        }
        let Some((said, act)) = act(&mut system, &mut labels, rng, core) else {
            continue;
        };
        report.steps += 1;
        report.calls += u64::from(match &act {
            Act::Call(_) => true,
            Act::Partition(step, _) => step.is_call(),
            _ => false,
        });
        fuzz::note(log, &Step::Said(said));
        system.step(core, act)?;
    }
    report.counts = system.world.counts();
    report.counts.add(&system.books.counts);
    report.between_vms = system.books.counts;
    Ok(())
}

/// What happens next on a core, in words as well.
fn act(
    system: &mut System<'_>,
    labels: &mut Labels,
    rng: &mut Rng,
    core: usize,
) -> Option<(String, Act)> {
    let chain = system.chain(core);
    let turn = |rng: &mut Rng| match rng.below(4) {
        0 => Turn::Nobody,
        1 => Turn::None,
        _ => Turn::Level(rng.below(chain.len())),
    };
    let kicked = system.is_kicked(core) && rng.chance(1, 4);
    if let Who::Partition(slot) = system.world.now(core) {
        let step = if kicked {
            let x = labels.frame(Origin::Partition(slot.0));
            Step::Interrupt { core, x, own: true }
        } else {
            generate::step(&mut system.world, labels, rng, core)?
        };
        let turn = match &step {
            Step::Interrupt { own: true, .. } => Turn::Nobody,
            _ => turn(rng),
        };
        let said = format!("{step} ({turn:?}), for {chain:?}");
        return Some((said, Act::Partition(step, turn)));
    }
    let Some(id) = chain.last().copied() else {
        let said = format!("core {core}: an interrupt while nobody runs");
        return Some((said, Act::Interrupt([0; 31], Turn::Nobody)));
    };
    let origin = Origin::normal(vm_id(id.vm));
    let secondary = id.vm.0 > 0;
    let act = match rng.below(1000) {
        _ if kicked => Act::Interrupt(labels.frame(origin), Turn::Nobody),
        0..30 => Act::Interrupt(labels.frame(origin), turn(rng)),
        30..60 => Act::Vectors,
        60..80 if secondary => Act::Wfi(labels.frame(origin), rng.chance(1, 4)),
        80 if secondary && rng.chance(1, 8) => Act::Abort,
        _ => Act::Call(call(system, labels, rng, core, id)),
    };
    let said = match &act {
        Act::Call(x) => {
            let mut said = format!(
                "core {core}: {origin}, vCPU {} calls {}",
                id.vcpu,
                fid::name(fid::of(x[0]))
            );
            for value in &x[..8] {
                said += &format!(" {value:#x}");
            }
            said
        }
        Act::Interrupt(_, turn) => format!("core {core}: interrupt of {chain:?} ({turn:?})"),
        other => format!("core {core}: {origin}: {other:?}"),
    };
    Some((said, act))
}

/// A call of a vCPU.
fn call(
    system: &mut System<'_>,
    labels: &mut Labels,
    rng: &mut Rng,
    core: usize,
    id: VcpuId,
) -> Frame {
    let own = vm_id(id.vm);
    let origin = Origin::normal(own);
    let wide = rng.chance(1, 3);
    let form = |narrow: u32| if wide { narrow | fid::WIDE } else { narrow };
    let mut other = VmIndex(rng.below(system.vms()) as u8);
    if (other == id.vm || other.0 == 0) && rng.chance(9, 10) {
        other = VmIndex(1 + rng.below(system.vms() - 1) as u8);
    }
    let secondary = id.vm.0 > 0;
    let owes = system.books.owes.get(&id).copied();
    // Most say first which version they speak.
    if !std::mem::replace(&mut system.spoke[usize::from(id.vm.0)], true) && rng.chance(9, 10) {
        let version = system.proxy.info(id.vm).map(|info| info.version);
        return generate::version(labels, origin, version.unwrap_or(generate::VERSIONS[0]));
    }
    let mut x = match rng.below(1000) {
        // Of a VM, a vCPU.
        0..200 => {
            let vcpus = usize::from(system.vcpus(other));
            let index = match rng.chance(1, 10) {
                true => rng.below(3),
                false => core % vcpus.max(1),
            };
            let target = u64::from(vm_id(other)) << 16 | index as u64;
            labels.call(origin, form(fid::RUN_32), &[target])
        }
        200..380 => {
            let request = rng.pick(&[fid::REQ_32, fid::REQ_64, fid::REQ2]);
            labels.message(origin, request, own, vm_id(other))
        }
        380..620 if let Some(to) = owes => {
            let fitting = system.books.asked.get(&id).copied();
            let response = match fitting.filter(|_| rng.chance(7, 8)) {
                Some(request) => fid::response_to(request),
                None => rng.pick(&[fid::RESP_32, fid::RESP_64, fid::RESP2]),
            };
            labels.message(origin, response, own, vm_id(to.vm))
        }
        380..620 if secondary => labels.call(origin, form(fid::MSG_WAIT_32), &[0; 7]),
        620..660 if secondary => {
            let timeout = rng.word() & 0xfff_ffff;
            let arguments = [0, timeout, timeout, 0, 0, 0, 0];
            labels.call(origin, form(fid::YIELD_32), &arguments)
        }
        660..680 => {
            let response = rng.pick(&[fid::RESP_32, fid::RESP_64, fid::RESP2]);
            labels.message(origin, response, own, vm_id(other))
        }
        680 if secondary && rng.chance(1, 4) => {
            labels.call(origin, 0x8400_0090, &[0, 1, 0, 0, 0, 0, 0])
        }
        682..700 => {
            let entry = u64::from(own) << 16;
            labels.call(origin, 0xc400_0003, &[rng.below(3) as u64, entry, 0])
        }
        700..704 => labels.call(origin, fid::CPU_OFF, &[]),
        _ => {
            let x = generate::vm_call(&mut system.world, labels, rng, core, origin, own);
            // The machine stays on, mostly.
            let off = matches!(fid::of(x[0]), 0x8400_0008 | 0x8400_0009);
            if !off || secondary && rng.chance(1, 8) {
                return x;
            }
            generate::version(labels, origin, rng.pick(&generate::VERSIONS))
        }
    };
    if rng.chance(1, 16) {
        let n = 1 + rng.below(2);
        if Label::of(x[n]).iter().all(Option::is_none) {
            x[n] ^= 1 << rng.below(32);
        }
    }
    x
}
