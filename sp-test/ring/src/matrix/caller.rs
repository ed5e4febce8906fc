//! Who calls in a cell: the normal world, a VM behind the proxy, or a partition; and what the called
//! partitions do until the caller goes on.

use super::Setup;
use crate::{
    fid,
    label::{Frame, Origin},
    oracle::Kind,
    step::Step,
    vmm::{self, Vmm},
    world::{Arena, Config, Spec, Who, World, id},
};
use ffa_abi::{Version, contract::Mode};
use spmc::context::Slot;
use std::collections::VecDeque;

/// The partition that is called.
pub const B: Slot = Slot(0);
/// Another one, which is strict and speaks 1.3.
pub const C: Slot = Slot(1);
/// The partition that calls, where it is a partition.
pub const A: Slot = Slot(2);

/// Where a cell looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// A VM at the proxy.
    Vm,
    /// The normal world at EL3.
    Normal,
    /// A partition at the SPMC.
    Partition,
}

impl Boundary {
    pub const ALL: [Self; 3] = [Self::Vm, Self::Normal, Self::Partition];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Vm => "VM",
            Self::Normal => "NS",
            Self::Partition => "SP",
        }
    }
}

/// What the partition that has the core does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Do {
    /// It answers in this form.
    Respond(u32),
    /// It waits.
    Wait(u32),
    /// It yields.
    Yield(u32),
    /// It is interrupted, by the VM's or the normal world's own interrupt.
    Interrupt,
    /// It is interrupted by one that is the proxy's own.
    ProxyInterrupt,
    /// It fails.
    Abort,
    /// It changes its vector registers.
    Vectors,
    /// It sends a request to another partition.
    Send(u32, Slot),
    /// Its call must have been completed by this, before it does the next thing.
    Got(Kind),
}

/// The timeout of every yield.
pub const TIMEOUT: [u64; 2] = [0x123_4567, 0x89a_bcde];

/// The system that all cells begin with: B speaks 1.2, so that it may answer in either width.
pub fn config(setup: &Setup) -> Config {
    Config {
        behaviour: setup.behaviour,
        cores: 1,
        partitions: vec![
            Spec::new(Version::V1_2),
            Spec::new(Version::V1_3).mode(Mode::SmcccStrict),
            Spec::new(setup.version).mode(setup.mode),
        ],
        general: false,
        memory: false,
        interrupts: false,
    }
}

/// The caller of a cell.
pub struct Caller<'c> {
    boundary: Boundary,
    kind: Inner<'c>,
    last: Frame,
}

enum Inner<'c> {
    World(Box<World<'c>>),
    Vmm(Box<Vmm<'c>>),
}

impl<'c> Caller<'c> {
    /// A system whose caller has the core and has said its version.
    pub fn new(boundary: Boundary, setup: &Setup, arena: &'c mut Arena) -> Result<Self, String> {
        let config = config(setup);
        let kind = match boundary {
            Boundary::Vm => Inner::Vmm(Box::new(Vmm::new(&config, setup.mode, arena)?)),
            _ => Inner::World(Box::new(World::new(&config, arena)?)),
        };
        let mut caller = Self {
            boundary,
            kind,
            last: [0; 31],
        };
        let version = match boundary {
            Boundary::Partition => Version::V1_2,
            _ => setup.version,
        };
        let origin = caller.normal_origin();
        let x = caller.world().labels.call(
            origin,
            fid::VERSION,
            &[version.raw().into(), 0, 0, 0, 0, 0, 0],
        );
        if let Inner::World(world) = &mut caller.kind {
            world.normal_uses_vectors(0, origin);
            world.smc(0, origin, &x)?;
        } else {
            caller.call(&x, &[])?;
        }
        if boundary == Boundary::Partition {
            caller.run_from_normal(A)?;
        }
        Ok(caller)
    }

    /// What is below.
    pub fn world(&mut self) -> &mut World<'c> {
        match &mut self.kind {
            Inner::World(world) => world,
            Inner::Vmm(vmm) => &mut vmm.world,
        }
    }

    const fn normal_origin(&self) -> Origin {
        match self.boundary {
            Boundary::Vm => vmm::ORIGIN,
            _ => Origin::Vm(2),
        }
    }

    /// Whose the caller's registers are.
    pub const fn origin(&self) -> Origin {
        match self.boundary {
            Boundary::Partition => Origin::Partition(A.0),
            _ => self.normal_origin(),
        }
    }

    /// Its id.
    pub const fn id(&self) -> u16 {
        match self.boundary {
            Boundary::Vm => vmm::VM,
            Boundary::Normal => 2,
            Boundary::Partition => id(A),
        }
    }

    /// A request to a partition.
    pub fn request(&mut self, fid: u32, to: u16) -> Frame {
        let (origin, from) = (self.origin(), self.id());
        self.world().labels.message(origin, fid, from, to)
    }

    /// `FFA_RUN` of a partition.
    pub fn run(&mut self, fid: u32, slot: Slot) -> Frame {
        let origin = self.origin();
        let target = u64::from(id(slot)) << 16;
        self.world().labels.call(origin, fid, &[target])
    }

    /// The normal world runs a partition, which has the core then.
    pub fn run_from_normal(&mut self, slot: Slot) -> Result<(), String> {
        let target = u64::from(id(slot)) << 16;
        let world = self.world();
        let x = world.labels.call(Origin::Vm(2), fid::RUN_32, &[target]);
        let landing = world.smc(0, Origin::Vm(2), &x)?;
        if landing.who != Who::Partition(slot) {
            return Err(format!("FFA_RUN of {slot:?} led to {landing:?}"));
        }
        Ok(())
    }

    /// Whether the caller has the core.
    fn has_core(world: &World<'_>, boundary: Boundary) -> bool {
        match boundary {
            Boundary::Partition => world.now(0) == Who::Partition(A),
            _ => world.now(0) == Who::Normal,
        }
    }

    /// The caller calls, the others do so much, and the caller goes on: what completed its call.
    pub fn call(&mut self, x: &Frame, others: &[Do]) -> Result<Kind, String> {
        let mut others: VecDeque<Do> = others.iter().copied().collect();
        let boundary = self.boundary;
        let kind = match &mut self.kind {
            Inner::Vmm(vmm) => {
                let mut last = None;
                let mut script = |world: &mut World<'_>| loop {
                    match next(world, &mut others, &mut last)? {
                        Some(step) => return Ok(step),
                        None => continue,
                    }
                };
                let (got, kind) = vmm.call(x, &mut script)?;
                self.last = got;
                kind
            }
            Inner::World(world) => {
                let mut landing = match boundary {
                    Boundary::Partition => world.partition(0, x)?,
                    _ => world.smc(0, Origin::Vm(2), x)?,
                };
                while !Self::has_core(world, boundary) {
                    let mut last = Some(landing.kind);
                    if let Some(step) = next(world, &mut others, &mut last)?
                        && let Some(next) = step.apply(world)?
                    {
                        landing = next;
                    }
                }
                self.last = world.registers(0);
                landing.kind
            }
        };
        match others.front() {
            None => Ok(kind),
            Some(left) => Err(format!("the caller goes on ({kind:?}) before {left:?}")),
        }
    }

    /// x0-x30 of the caller after its last call.
    pub const fn last(&self) -> &Frame {
        &self.last
    }
}

/// The next step of whoever has the core, `None` after a mere check.
fn next(
    world: &mut World<'_>,
    others: &mut VecDeque<Do>,
    last: &mut Option<Kind>,
) -> Result<Option<Step>, String> {
    let Who::Partition(slot) = world.now(0) else {
        return Err("no partition has the core".to_owned());
    };
    let origin = Origin::Partition(slot.0);
    let Some(act) = others.pop_front() else {
        return Err(format!(
            "{slot:?} runs ({last:?}), and nothing is left to do"
        ));
    };
    Ok(Some(match act {
        Do::Respond(fid) => Step::Call {
            core: 0,
            x: world.response(0, fid),
        },
        Do::Wait(fid) => Step::Call {
            core: 0,
            x: world.labels.call(origin, fid, &[0; 7]),
        },
        Do::Yield(fid) => {
            let [low, high] = TIMEOUT;
            let x = world.labels.call(origin, fid, &[0, low, high, 0, 0, 0, 0]);
            Step::Call { core: 0, x }
        }
        Do::Interrupt | Do::ProxyInterrupt => Step::Interrupt {
            core: 0,
            x: world.labels.frame(origin),
            own: act == Do::ProxyInterrupt,
        },
        Do::Abort => Step::Abort { core: 0 },
        Do::Vectors => Step::Vectors { core: 0 },
        Do::Send(fid, to) => Step::Call {
            core: 0,
            x: world.labels.message(origin, fid, id(slot), id(to)),
        },
        Do::Got(kind) => {
            if let Some(last) = last {
                super::expect(*last, kind)?;
            }
            return Ok(None);
        }
    }))
}
