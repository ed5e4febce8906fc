//! A system of two or three VMs behind the real proxy.

use super::{
    Report,
    behind::{Behind, PRIMARY, buffers, index},
    books::{Books, Pair},
    direct::{VERSIONS, config, first_pairs, partition},
    host::{Host, own_pair, vm_memory},
    party::{Kind, Party},
    run::Run,
    sabotage::Sabotage,
    stage::Stage,
};
use crate::{
    fid,
    label::Origin,
    random::Rng,
    step::Step,
    vmm::Boot,
    vms::Gp,
    world::{Arena, World},
};
use ffa_abi::{
    EndpointId, Version,
    messaging::{Messaging, Service},
};
use proxy_el2::{
    forward::Upstream,
    memory::Shares,
    proxy::{Next, Proxy},
    vcpu::{Vcpu, VcpuId},
    vm::VmInfo,
};

/// `messaging-method`: direct messages of all kinds, and indirect ones.
const DIRECT: u32 = 1 | 1 << 1 | 1 << 9 | 1 << 10;
const INDIRECT: u32 = 1 << 2;
/// PSCI's CPU_ON.
const CPU_ON: u32 = 0xc400_0003;

/// VM 1, who schedules; VM 2, with a vCPU that is never on; VM 3, which may be without notifications or indirect
/// messages.
fn vms(rng: &mut Rng, cores: usize) -> Vec<Party> {
    let first = rng.below(3);
    let count = 2 + rng.below(2) as u16;
    let vms = (1..=count).map(|id| {
        let plain = id == 3 && rng.chance(1, 2);
        Party {
            id,
            kind: Kind::Vm,
            version: VERSIONS[(first + usize::from(id)) % 3],
            contexts: if id == 3 { 1 } else { cores as u16 },
            notified: !(plain && rng.chance(2, 3)),
            indirect: !(plain && rng.chance(2, 3)),
            services: vec![([id as u8 | 0x40; 16], true)],
            base: buffers(id),
        }
    });
    vms.collect()
}

/// The proxy, which has a pair of its own, and wants no messages.
fn the_proxy(version: Version) -> Party {
    Party {
        id: 0,
        kind: Kind::NormalWorld,
        version,
        contexts: 0,
        notified: false,
        indirect: true,
        services: Vec::new(),
        base: own_pair().tx,
    }
}

/// A VM as its manifest says.
fn info(vm: &Party) -> VmInfo {
    let (id, memory) = (EndpointId(vm.id), vm_memory(vm.id));
    let mut info = match vm.id {
        PRIMARY => VmInfo::primary(id, memory),
        _ => VmInfo::secondary(id, memory),
    };
    info.messaging = Messaging(DIRECT | if vm.indirect { INDIRECT } else { 0 });
    info.notifications = vm.notified;
    info.vcpus = vm.contexts as u8;
    if vm.id != 3 {
        for (core, place) in info.cores.iter_mut().enumerate() {
            *place = (core < vm.contexts.into()).then_some(core as u16);
        }
    }
    for (uuid, _) in &vm.services {
        let service = Service {
            uuid: ffa_abi::Uuid(*uuid),
            messaging: info.messaging,
        };
        // There is room for one.
        let _ = info.services.push(service);
    }
    info
}

/// Has the proxy come to terms with the SPMC, and gives what came of it.
fn negotiate(boot: &mut Boot<'_, '_>) -> Result<Upstream, String> {
    let mut upstream = Upstream::negotiate(boot).map_err(|error| error.to_string())?;
    let mapped = upstream.map_buffers(own_pair(), boot);
    mapped.map_err(|error| error.to_string())?;
    match upstream.indirect && upstream.notifications {
        true => Ok(upstream),
        false => Err(format!("the proxy has not all that it wants: {upstream:?}")),
    }
}

/// A random run.
pub(super) fn random(
    rng: &mut Rng,
    calls: u64,
    wrong: Option<Sabotage>,
    log: &mut Vec<Step>,
    report: &mut Report,
) -> Result<(), String> {
    let config = config(rng);
    let parties = vms(rng, config.cores);
    let shares = Box::new(const { Shares::new() });
    let mut arena = Arena::default();
    let Arena { contexts, vcpus } = &mut arena;
    let mut world = World::with(&config, contexts)?;
    let mut boot = Boot {
        world: &mut world,
        failed: None,
    };
    let upstream = negotiate(&mut boot)?;
    let version = upstream.version;
    let mut proxy = Proxy::new(upstream);
    proxy.share_memory(&shares);
    let mut ids = Vec::new();
    for vm in &parties {
        let index = proxy.add(info(vm)).ok_or("the proxy takes no more VMs")?;
        ids.extend((0..vm.contexts as u8).map(|vcpu| VcpuId { vm: index, vcpu }));
    }
    let frames = &mut boot.world.labels;
    *vcpus = ids
        .into_iter()
        .map(|id| Vcpu::new(Gp::new(frames.frame(Origin::Vm(id.vm.0 + 1)), 0), id))
        .collect();
    for vcpu in vcpus {
        let adopted = proxy.adopt(vcpu);
        adopted.map_err(|vcpu| format!("{:?} is not adopted", vcpu.id()))?;
    }
    let mut refused = Vec::new();
    proxy.create_bitmaps(&mut boot, |vm, error| refused.push((vm, error)));
    if !refused.is_empty() || boot.failed.is_some() {
        return Err(format!("{refused:?} have no bitmaps: {:?}", boot.failed));
    }
    let partitions = (0..config.partitions.len()).map(|n| partition(&config, n));
    let others = partitions.chain([the_proxy(version)]);
    let mut books = Books::new(others.chain(parties.iter().cloned()), version);
    let own = own_pair();
    let pair = Pair::new(own.tx, own.rx, own.pages.into());
    books.pairs.insert(0, pair);
    for vm in parties.iter().filter(|vm| vm.notified) {
        books.bitmaps.insert(vm.id, vm.contexts);
    }
    let mut stage = Behind::new(world, proxy, Host::default());
    begin(&mut stage, &mut books, rng, &parties)?;
    first_pairs(&stage, &mut books);
    let mut run = Run::new(stage, books, config.cores, wrong);
    let done = run.go(rng, calls, log);
    run.report(report);
    done
}

/// All cores are the primary's, and all VMs say which version they speak.
fn begin(
    stage: &mut Behind<'_>,
    books: &mut Books,
    rng: &mut Rng,
    parties: &[Party],
) -> Result<(), String> {
    for core in 0..stage.cores.len() {
        if core > 0 {
            let entry = vm_memory(PRIMARY).start;
            let on = [core as u64, entry, 0, 0, 0, 0, 0];
            stage.vcpu_calls(0, CPU_ON, &on)?;
        }
        match stage.proxy.begin(&mut stage.cores[core]) {
            Next::Vcpu => {}
            next => return Err(format!("core {core} begins with {next:?}")),
        }
    }
    for vm in parties {
        let core = stage.bring(books, rng, vm.id, 0)?;
        let asked = [vm.version.raw().into(), 0, 0, 0, 0, 0, 0];
        stage.vcpu_calls(core, fid::VERSION, &asked)?;
        let version: Option<Version> = stage.proxy.version(index(vm.id));
        if version != Some(vm.version) {
            return Err(format!("VM {} speaks {version:?}", vm.id));
        }
    }
    Ok(())
}
