//! A VM behind the proxy: the proxy's core on top of a [`World`], whose normal world it is.
//!
//! A call of the VM is made to its end at once: what partitions do meanwhile is asked of a *script*
//! each time that one of them has the core. Several VMs are in [`vms`](crate::vms).

use crate::{
    fid,
    fuzz::{self, Report},
    generate,
    label::{Frame, Labels, Origin},
    oracle::{self, Extended, Kind, Seen},
    random::Rng,
    step::Step,
    vms::{Gp, no_memory},
    world::{Arena, Config, Who, World},
};
use ffa_abi::{EndpointId, Regs, contract::Mode};
use proxy_el2::{
    forward::{El3, Upstream},
    proxy::{self, Next, Pe, Proxy, Turn},
    vcpu::{Vcpu, VcpuId},
    vm::VmInfo,
};
use spmc::context::Slot;

/// The VM's id.
pub const VM: u16 = 1;
/// Whose its registers are.
pub const ORIGIN: Origin = Origin::Vm(1);
/// How many steps partitions may make for one call.
const PATIENCE: usize = 4000;

/// What the partitions do: asked whenever one of them has the core.
pub trait Script {
    /// The next step.
    fn next(&mut self, world: &mut World<'_>) -> Result<Step, String>;
}

impl<F: FnMut(&mut World<'_>) -> Result<Step, String>> Script for F {
    fn next(&mut self, world: &mut World<'_>) -> Result<Step, String> {
        self(world)
    }
}

/// The VM, the proxy, and everything below.
#[derive(Debug)]
pub struct Vmm<'c> {
    /// What is below.
    pub world: World<'c>,
    proxy: Proxy<'c, Gp>,
    pe: Pe<'c, Gp>,
    mode: Mode,
    /// Whose response the proxy keeps for its strict VM.
    kept: Option<u16>,
}

/// The machine during one call.
struct Port {
    /// Whether what is pending is the proxy's own.
    own: bool,
}

no_memory!(Port);

impl El3 for Port {
    fn smc(&mut self, regs: &mut Regs) {
        // The proxy has no pair of its own, and so asks nothing for a VM.
        *regs = Regs::ZERO;
        regs[0] = fid::ERROR.into();
    }
}

impl proxy::Machine<Gp> for Port {
    fn console(&mut self, _from: EndpointId, _character: u8) {}

    fn interrupts(&mut self, chain: &[VcpuId]) -> Turn {
        match (std::mem::take(&mut self.own), chain.is_empty()) {
            (false, false) => Turn::Level(0),
            _ => Turn::Nobody,
        }
    }

    fn has_interrupt(&mut self, _: VcpuId) -> bool {
        false
    }

    fn timer_ns(&mut self, _: VcpuId) -> Option<u64> {
        None
    }

    fn leave(&mut self, _: &mut Vcpu<Gp>) {}

    fn slice(&mut self, _: bool) {}

    fn raise(&mut self, _: VcpuId, _: u32) {}

    fn kick(&mut self, _: u16) {}

    fn power_on(&mut self, _: u16) -> bool {
        false
    }
}

/// The way to EL3 of a proxy that starts.
pub(crate) struct Boot<'a, 'c> {
    pub(crate) world: &'a mut World<'c>,
    /// The first violation; everything after it is answered with an error.
    pub(crate) failed: Option<String>,
}

impl El3 for Boot<'_, '_> {
    fn smc(&mut self, regs: &mut Regs) {
        if self.failed.is_none() {
            let mut x = self.world.labels.frame(Origin::Proxy);
            x[..18].copy_from_slice(&regs.0);
            match self.world.smc(0, Origin::Proxy, &x) {
                Ok(landing) if landing.who == Who::Normal => {
                    regs.0.copy_from_slice(&self.world.registers(0)[..18]);
                    return;
                }
                Ok(landing) => self.failed = Some(format!("no partition should run: {landing:?}")),
                Err(what) => self.failed = Some(what),
            }
        }
        *regs = Regs::ZERO;
        regs[0] = fid::ERROR.into();
    }
}

/// Lets a proxy negotiate with EL3.
pub(crate) fn negotiate(world: &mut World<'_>) -> Result<Upstream, String> {
    let mut boot = Boot {
        world,
        failed: None,
    };
    let upstream = Upstream::negotiate(&mut boot);
    match boot.failed {
        Some(failed) => Err(failed),
        None => upstream.map_err(|error| error.to_string()),
    }
}

impl<'c> Vmm<'c> {
    /// Builds a system of one core and lets the proxy negotiate with EL3.
    pub fn new(config: &Config, mode: Mode, arena: &'c mut Arena) -> Result<Self, String> {
        let mut world = World::with(config, &mut arena.contexts)?;
        let mut proxy = Proxy::new(negotiate(&mut world)?);
        let info = VmInfo {
            mode,
            ..VmInfo::primary(EndpointId(VM), 0..0)
        };
        let vm = proxy.add(info).ok_or("the proxy takes no VM")?;
        let id = VcpuId { vm, vcpu: 0 };
        arena.vcpus = vec![Vcpu::new(Gp::new(world.labels.frame(ORIGIN), 0), id)];
        for vcpu in &mut arena.vcpus {
            let adopted = proxy.adopt(vcpu);
            adopted.map_err(|vcpu| format!("{:?} is not adopted", vcpu.id()))?;
        }
        let mut this = Self {
            world,
            proxy,
            pe: Pe::new(0),
            mode,
            kept: None,
        };
        match this.proxy.begin(&mut this.pe) {
            Next::Vcpu => Ok(this),
            next => Err(format!("the proxy begins with {next:?}")),
        }
    }

    /// The VM calls with these registers; all of its registers are judged when it goes on.
    pub fn call(&mut self, sent: &Frame, script: &mut dyn Script) -> Result<(Frame, Kind), String> {
        self.world.cores[0].behind_proxy = Some((ORIGIN, *sent));
        self.running()?.machine.x = *sent;
        let mut port = Port { own: false };
        let mut last = None;
        let mut steps = 0;
        let mut next = self.proxy.call(&mut self.pe, &mut port);
        loop {
            match next {
                Next::Vcpu => break,
                Next::El3 => {
                    port.own = self.el3(script, &mut steps)?;
                    last = Some([self.pe.el3[0], self.pe.el3[1]]);
                    next = self.proxy.returned(&mut self.pe, &mut port);
                }
                Next::Idle => next = self.proxy.interrupt(&mut self.pe, &mut port),
                // It would be its last.
                Next::Off | Next::PowerOff | Next::Reset => return Ok((*sent, Kind::Resumed)),
            }
        }
        let got = self.running()?.machine.x;
        let source = self.world.sent_response(0, &got);
        let kind = oracle::judge(&Seen {
            who: ORIGIN,
            sent,
            got: &got,
            source: source.as_ref(),
            extended: Extended::Own,
        })?;
        self.account(sent, &got, last, kind)?;
        let from = match kind {
            Kind::Message(_) | Kind::Yield(_) => Some(Origin::Partition((got[1] >> 16) as u8 & 15)),
            _ => None,
        };
        // Slots count from 0, ids from 1.
        let from = match from {
            Some(Origin::Partition(n)) => Some(Origin::Partition(n.wrapping_sub(1) & 15)),
            other => other,
        };
        oracle::no_foreign_label(ORIGIN, &got, [from, None])?;
        Ok((got, kind))
    }

    fn running(&mut self) -> Result<&mut Vcpu<Gp>, String> {
        let running = self.pe.running();
        running.ok_or_else(|| "nobody runs".to_owned())
    }

    /// One call of EL3, until the proxy has the core again; whether the last interrupt of a
    /// partition is the proxy's own.
    fn el3(&mut self, script: &mut dyn Script, steps: &mut usize) -> Result<bool, String> {
        let mut own = false;
        let mut x = self.world.labels.frame(Origin::Proxy);
        x[..18].copy_from_slice(&self.pe.el3.0);
        self.world.smc(0, Origin::Proxy, &x)?;
        while let Who::Partition(_) = self.world.now(0) {
            *steps += 1;
            if *steps > PATIENCE {
                return Err("partitions do not give the core back".to_owned());
            }
            let step = script.next(&mut self.world)?;
            if let Step::Interrupt { own: is_own, .. } = step {
                own = is_own;
            }
            step.apply(&mut self.world)?;
        }
        let answer = self.world.registers(0);
        self.pe.el3.0.copy_from_slice(&answer[..18]);
        Ok(own)
    }

    /// Each RESP2 that EL3 returns reaches the VM at once, or is kept for a strict one that asked in
    /// 32 bits and fetched once; none is lost, and none comes twice.
    fn account(
        &mut self,
        sent: &Frame,
        got: &Frame,
        last: Option<[u64; 2]>,
        kind: Kind,
    ) -> Result<(), String> {
        let call = fid::of(sent[0]);
        let strict = self.mode == Mode::SmcccStrict;
        let sender = |x1: u64| (x1 >> 16) as u16;
        let arrived = last
            .filter(|[x0, _]| fid::of(*x0) == fid::RESP2)
            .map(|[_, x1]| sender(x1));
        let delivered = (kind == Kind::Message(fid::RESP2)).then(|| sender(got[1]));
        let narrow = strict && !fid::is_wide(call);
        match (arrived, delivered) {
            (None, None) => Ok(()),
            (Some(from), Some(to)) if from == to && !narrow => Ok(()),
            (Some(from), None) if narrow && kind == Kind::Error(-6) && self.kept.is_none() => {
                self.kept = Some(from);
                Ok(())
            }
            (None, Some(from)) if self.kept == Some(from) && call == fid::RUN_64 => {
                self.kept = None;
                Ok(())
            }
            _ => Err(format!(
                "{} of the VM: {arrived:x?} answered, {delivered:x?} reached it ({kind:?}), kept \
                 was {:x?}",
                fid::name(call),
                self.kept
            )),
        }
    }
}

/// A random run of a VM.
pub(crate) fn random(
    rng: &mut Rng,
    calls: u64,
    log: &mut Vec<Step>,
    report: &mut Report,
) -> Result<(), String> {
    let mut config = generate::config(rng);
    config.cores = 1;
    let mode = if rng.chance(1, 3) {
        Mode::SmcccStrict
    } else {
        Mode::Permissive
    };
    let mut arena = Arena::default();
    let mut vmm = Vmm::new(&config, mode, &mut arena)?;
    let mut labels = Labels::default();
    if rng.chance(4, 5) {
        let x = generate::version(&mut labels, ORIGIN, rng.pick(&generate::VERSIONS));
        vmm.call(
            &x,
            &mut |_: &mut World<'_>| Err("nothing to run".to_owned()),
        )?;
    }
    while report.calls < calls {
        let x = generate::vm_call(&mut vmm.world, &mut labels, rng, 0, ORIGIN, VM);
        report.calls += 1;
        report.steps += 1;
        let step = Step::Smc {
            core: 0,
            origin: ORIGIN,
            x,
        };
        fuzz::note(log, &step);
        let mut script = |world: &mut World<'_>| {
            let step = generate::step(world, &mut labels, rng, 0).ok_or("the core is off")?;
            report.steps += 1;
            report.calls += u64::from(step.is_call());
            fuzz::note(log, &step);
            Ok(step)
        };
        vmm.call(&x, &mut script)?;
    }
    report.counts = vmm.world.counts();
    Ok(())
}

/// The slot of the partition that has core 0.
pub fn running(world: &World<'_>) -> Option<Slot> {
    match world.now(0) {
        Who::Partition(slot) => Some(slot),
        _ => None,
    }
}
