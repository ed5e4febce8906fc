//! A VM behind the proxy: the proxy's core on top of a [`World`], whose normal world it is.
//!
//! The proxy calls EL3 from within its handling of a VM's call, so what partitions do meanwhile is
//! asked of a *script* each time that one of them has the core.

use crate::{
    fid,
    fuzz::{self, Report},
    generate,
    label::{Frame, Labels, Origin},
    oracle::{self, Extended, Kind, Seen},
    random::Rng,
    step::Step,
    world::{Arena, Config, Who, World},
};
use core::ops::Range;
use ffa_abi::{EndpointId, Regs, contract::Mode};
use proxy_el2::{
    buffers::{Memory, Unreachable},
    forward::Upstream,
    vm::{self, Next, Vm},
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
    vm: Vm,
    mode: Mode,
    upstream: Upstream,
    /// Whose response the proxy keeps for its strict VM.
    kept: Option<u16>,
    console: usize,
}

struct Port<'a, 'c> {
    world: &'a mut World<'c>,
    script: &'a mut dyn Script,
    own: bool,
    steps: usize,
    /// x0 and x1 of what EL3 returned last.
    last: Option<[u64; 2]>,
    /// The first violation; everything after it is answered with an error.
    failed: Option<String>,
    console: &'a mut usize,
}

impl Port<'_, '_> {
    fn call(&mut self, regs: &Regs) -> Result<(), String> {
        let mut x = self.world.labels.frame(Origin::Proxy);
        x[..18].copy_from_slice(&regs.0);
        self.world.smc(0, Origin::Proxy, &x)?;
        while let Who::Partition(_) = self.world.now(0) {
            self.steps += 1;
            if self.steps > PATIENCE {
                return Err("partitions do not give the core back".to_owned());
            }
            let step = self.script.next(self.world)?;
            if let Step::Interrupt { own, .. } = step {
                self.own = own;
            }
            step.apply(self.world)?;
        }
        Ok(())
    }
}

/// There is no memory here.
impl Memory for Port<'_, '_> {
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

    fn read_rx(&mut self, _: usize, _: &mut [u8]) -> Result<(), Unreachable> {
        Err(Unreachable)
    }
}

impl vm::Machine for Port<'_, '_> {
    fn smc(&mut self, regs: &mut Regs) {
        if self.failed.is_none()
            && let Err(what) = self.call(regs)
        {
            self.failed = Some(what);
        }
        if self.failed.is_some() {
            *regs = Regs::ZERO;
            regs[0] = fid::ERROR.into();
            return;
        }
        regs.0.copy_from_slice(&self.world.registers(0)[..18]);
        self.last = Some([regs[0], regs[1]]);
    }

    fn console(&mut self, _from: EndpointId, _character: u8) {
        *self.console += 1;
    }

    fn take_own_interrupts(&mut self) -> bool {
        std::mem::take(&mut self.own)
    }
}

impl<'c> Vmm<'c> {
    /// Builds a system of one core and lets the proxy negotiate with EL3.
    pub fn new(config: &Config, mode: Mode, arena: &'c mut Arena) -> Result<Self, String> {
        let mut world = World::new(config, arena)?;
        let mut console = 0;
        let mut port = Port {
            world: &mut world,
            script: &mut |_: &mut World<'_>| Err("no partition should run yet".to_owned()),
            own: false,
            steps: 0,
            last: None,
            failed: None,
            console: &mut console,
        };
        let upstream = Upstream::negotiate(&mut port);
        if let Some(failed) = port.failed {
            return Err(failed);
        }
        Ok(Self {
            world,
            vm: Vm::new(EndpointId(VM), 0, 0..0, mode),
            mode,
            upstream: upstream.map_err(|error| error.to_string())?,
            kept: None,
            console,
        })
    }

    /// The VM calls with these registers; all of its registers are judged when it goes on.
    pub fn call(&mut self, sent: &Frame, script: &mut dyn Script) -> Result<(Frame, Kind), String> {
        self.world.behind_proxy = Some((ORIGIN, *sent));
        let mut got = *sent;
        let mut port = Port {
            world: &mut self.world,
            script,
            own: false,
            steps: 0,
            last: None,
            failed: None,
            console: &mut self.console,
        };
        let next = self.vm.handle(&self.upstream, &mut got, &mut port);
        let last = port.last;
        if let Some(failed) = port.failed {
            return Err(failed);
        }
        if next != Next::Resume {
            return Ok((got, Kind::Resumed));
        }
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
