//! Putting the cores into a state, and reading the state back.

use super::{
    General, Rig,
    interrupts::{ATTENTION, note_interrupts, restore_interrupts},
};
use crate::{
    label,
    state::{By, Ctx, Form, Life, Negotiated, Serves},
    view::View,
    world::World,
};
use ffa_abi::{EndpointId, Regs, id::Endpoints};
use spmc::{
    context::{Context, Giver, Parked, Request, RequestKind, Slot, WaitsFor},
    spm::Negotiation,
};

fn by(giver: Giver) -> By {
    match giver {
        Giver::Spmc => By::Spmc,
        Giver::NormalWorld => By::NormalWorld,
        Giver::Partition(slot) => By::Slot(slot.0),
        Giver::Interrupted(slot) => By::Interrupted(slot.0),
        Giver::InterruptedNormalWorld => By::InterruptedNormalWorld,
        Giver::AnsweredNormalWorld => By::AnsweredNormalWorld,
        Giver::InterruptedBoot => By::InterruptedBoot,
        Giver::PowerOff => By::PowerOff,
    }
}

fn giver(by: By) -> Giver {
    match by {
        By::Spmc => Giver::Spmc,
        By::NormalWorld => Giver::NormalWorld,
        By::Slot(slot) => Giver::Partition(Slot(slot)),
        By::Interrupted(slot) => Giver::Interrupted(Slot(slot)),
        By::InterruptedNormalWorld => Giver::InterruptedNormalWorld,
        By::AnsweredNormalWorld => Giver::AnsweredNormalWorld,
        By::InterruptedBoot => Giver::InterruptedBoot,
        By::PowerOff => Giver::PowerOff,
    }
}

fn request_kind(form: Form) -> RequestKind {
    match form {
        Form::Two => RequestKind::Direct2,
        form => RequestKind::Direct {
            wide: form.is_wide(),
        },
    }
}

fn form(kind: RequestKind) -> Form {
    match kind {
        RequestKind::Direct2 => Form::Two,
        RequestKind::Direct { wide: true } => Form::Wide,
        // The search sends no messages of the second kind.
        RequestKind::Direct { wide: false }
        | RequestKind::VmAvailability(_)
        | RequestKind::PowerOff => Form::Narrow,
    }
}

const fn negotiation(noted: Negotiated) -> Negotiation {
    Negotiation {
        version: World::version(noted.minor),
        locked: noted.locked,
    }
}

const fn negotiated(noted: Negotiation) -> Negotiated {
    Negotiated {
        minor: noted.version.minor() as u8,
        locked: noted.locked,
    }
}

/// The life that every partition is in before an event; a restart makes it the next.
const LIFE: u16 = 7;

/// Bits 1:0 of a partition's life.
const fn state_of(life: Life) -> u32 {
    match life {
        Life::Alive => 0,
        Life::Failed => 1,
        Life::Stopped => 2,
    }
}

impl Rig {
    /// Puts the cores into the state of `view`.
    pub fn load(&mut self, world: &World, view: &View) {
        let mut contexts: [Option<&'static mut Context<General>>; 4] = [const { None }; 4];
        for (number, (slot, index)) in world.contexts.iter().enumerate() {
            let slot = Slot(*slot);
            let up = world.partitions[slot.index()].up;
            contexts[number] = if up {
                let mut taken = self.spmc.unpark(slot);
                for core in &mut self.cores {
                    taken = taken.or_else(|| core.take(slot));
                }
                taken
            } else {
                self.cores[usize::from(*index)].take(slot)
            };
        }
        for (number, (slot, _)) in world.contexts.iter().enumerate() {
            let Some(context) = contexts[number].take() else {
                panic!("context {number} is lost");
            };
            let (slot, ctx) = (Slot(*slot), &view.s.ctx[number]);
            context.machine.0 = view.x[number];
            context.model = ctx.model;
            context.giver = giver(ctx.giver);
            context.waits_for = ctx
                .waits
                .map_or(WaitsFor::Cycles, |callee| WaitsFor::Callee(Slot(callee)));
            context.call_is_wide = ctx.wide;
            context.parked = ctx.kept.zip(view.kept[number]).map(|(from, message)| {
                let (from, index) = world.contexts[usize::from(from)];
                Parked {
                    from: Slot(from),
                    core: index.into(),
                    life: if ctx.kept_old { LIFE - 1 } else { LIFE },
                    message: Regs(message),
                }
            });
            let own = EndpointId(World::id(slot.index()));
            context.restore(
                own,
                ctx.state,
                ctx.serves.map(|serves| Request {
                    sender: EndpointId(serves.sender),
                    origin: serves.origin.map(giver),
                    core: serves.core.into(),
                    life: if serves.old { LIFE - 1 } else { LIFE },
                    kind: match serves.origin {
                        Some(By::PowerOff) => RequestKind::PowerOff,
                        _ => request_kind(serves.form),
                    },
                }),
            );
            restore_interrupts(context, &ctx.irq);
            match ctx.at {
                Some(core) => self
                    .spmc
                    .adopt(&mut self.cores[usize::from(core)], slot, context),
                None => self.spmc.leave(slot, context),
            }
        }
        for (slot, negotiated) in view.s.versions.iter().enumerate() {
            self.spmc
                .set_negotiation(Some(Slot(slot as u8)), negotiation(*negotiated));
        }
        self.spmc
            .set_negotiation(None, negotiation(view.s.normal_world));
        for slot in 0..world.partitions.len() {
            let slot = Slot(slot as u8);
            // Who fails, fails with all contexts that it might have.
            let all = match view.s.lives[slot.index()] {
                Life::Alive => gone(world, view, slot.index()),
                _ => u32::MAX,
            };
            self.spmc.set_gone(slot, all);
            let state = state_of(view.s.lives[slot.index()]);
            self.spmc.set_life(slot, u32::from(LIFE) << 16 | state);
        }
        for (core, pe) in self.cores.iter_mut().enumerate() {
            pe.nwd = Regs(view.nwd[core]);
        }
        if world.notified.is_some() {
            self.load_pairs(world, view);
        }
        self.load_interrupts(world, view);
        if world.notified.is_some() {
            self.load_notifications(world, view);
        }
        if self.vms.is_some() {
            self.load_vms(world, view);
        }
    }

    /// Reads the state back.
    pub(super) fn note(&mut self, world: &World, after: &mut View) -> Result<(), String> {
        let spmc = &self.spmc;
        let is_old = |slot: Slot, core: u16, life: u16| spmc.life_of_context(slot, core) != life;
        for (number, (slot, index)) in world.contexts.iter().enumerate() {
            let slot = Slot(*slot);
            let up = world.partitions[slot.index()].up;
            let mut places = 0;
            for (core, pe) in self.cores.iter_mut().enumerate() {
                if (up || core == usize::from(*index))
                    && let Some(context) = pe.context(slot)
                {
                    places += 1;
                    note_context(
                        world,
                        &is_old,
                        context,
                        after,
                        number,
                        slot.0,
                        Some(core as u8),
                    )?;
                }
            }
            if let Some(context) = self.spmc.unpark(slot) {
                places += 1;
                let noted = note_context(world, &is_old, context, after, number, slot.0, None);
                self.spmc.leave(slot, context);
                noted?;
            }
            if places != 1 {
                return Err(format!("context {number} is in {places} places"));
            }
        }
        for slot in 0..world.partitions.len() {
            let noted = self.spmc.negotiation(Some(Slot(slot as u8)));
            after.s.versions[slot] = negotiated(noted.ok_or("a partition is lost")?);
            after.s.lives[slot] = match self.spmc.life(Slot(slot as u8)) & 3 {
                0 => Life::Alive,
                1 => Life::Failed,
                2 => Life::Stopped,
                _ => return Err("a partition was destroyed".into()),
            };
            let (known, wanted) = (self.spmc.gone(Slot(slot as u8)), gone(world, after, slot));
            let contexts =
                (1 << if world.partitions[slot].up {
                    1
                } else {
                    world.cores
                }) - 1;
            let (known, wanted) = (known & contexts, wanted & contexts);
            if known != wanted {
                return Err(format!(
                    "of partition {:#x}, contexts {wanted:#b} are gone, but {known:#b} are noted",
                    World::id(slot)
                ));
            }
        }
        let noted = self.spmc.negotiation(None);
        after.s.normal_world = negotiated(noted.ok_or("the normal world is lost")?);
        for (core, pe) in self.cores.iter().enumerate() {
            after.nwd[core] = pe.nwd.0;
        }
        self.note_interrupts(world, after)?;
        match world.notified {
            Some(_) => {
                self.note_pairs(world, after);
                self.note_notifications(world, after)
            }
            None => Ok(()),
        }
    }
}

/// Reads a context back. `is_old` says whether a life of a partition's context on a core is over.
fn note_context(
    world: &World,
    is_old: &impl Fn(Slot, u16, u16) -> bool,
    context: &mut Context<General>,
    after: &mut View,
    number: usize,
    slot: u8,
    at: Option<u8>,
) -> Result<(), String> {
    let own = World::id(usize::from(slot));
    let request = context.request();
    let expected = match request {
        Some(Request {
            sender,
            origin: Some(Giver::NormalWorld),
            kind,
            ..
        }) => Context::<General>::answer_code(
            Endpoints {
                sender: EndpointId(own),
                receiver: sender,
            },
            kind,
        ),
        _ => 0,
    };
    if context.expected() & !ATTENTION != expected {
        return Err(format!(
            "context {number} serves {request:?} and expects {:#x}",
            context.expected()
        ));
    }
    let kept = context.parked.as_ref();
    let kept_from = match kept {
        Some(parked) => {
            let from = label::origin(parked.message[4]);
            let from = from.ok_or("the response that is kept is no message")?;
            let (slot, index) = world.contexts[usize::from(from)];
            let up = world.partitions[usize::from(slot)].up;
            if parked.from != Slot(slot) || !up && parked.core != u16::from(index) {
                return Err(format!(
                    "what is kept of context {from} is marked as {parked:?}"
                ));
            }
            Some(from)
        }
        None => None,
    };
    after.kept[number] = kept.map(|parked| parked.message.0);
    after.x[number] = context.machine.0;
    after.s.ctx[number] = Ctx {
        state: context.state(),
        model: context.model,
        giver: by(context.giver),
        serves: request.map(|request| Serves {
            sender: request.sender.0,
            origin: request.origin.map(by),
            core: request.core as u8,
            old: matches!(
                request.origin,
                Some(Giver::Partition(from)) if is_old(from, request.core, request.life)
            ),
            form: form(request.kind),
        }),
        waits: match context.waits_for {
            WaitsFor::Cycles => None,
            WaitsFor::Callee(slot) => Some(slot.0),
        },
        wide: context.call_is_wide,
        kept: kept_from,
        kept_old: kept.is_some_and(|parked| is_old(parked.from, parked.core, parked.life)),
        at,
        irq: note_interrupts(context),
    };
    Ok(())
}

/// One bit for each context of a partition that is gone for good.
fn gone(world: &World, view: &View, slot: usize) -> u32 {
    let mut gone = 0;
    for (number, (of, index)) in world.contexts.iter().enumerate() {
        if usize::from(*of) == slot && world.is_gone(&view.s, number) {
            gone |= 1 << index;
        }
    }
    gone
}
