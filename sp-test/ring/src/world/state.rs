//! States to compare: before and after an error, and of two systems.

use super::{Core, World, id};
use crate::{label::Frame, machine::Gp};
use spmc::{
    context::{Context, Giver, Parked, Request, Slot, WaitsFor},
    state::{Model, State},
};

/// What an error may not change of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) slot: Slot,
    pub(crate) state: State,
    pub(crate) model: Model,
    pub(crate) giver: Giver,
    pub(crate) request: Option<Request>,
    pub(crate) waits_for: WaitsFor,
    pub(crate) call_is_wide: bool,
    pub(crate) parked: Option<Parked>,
    pub(crate) x: Frame,
}

impl World<'_> {
    /// Whether another system is in the same state, down to every register: who has each core, what
    /// all contexts hold wherever they are, versions, and EL3's frames.
    pub fn same_as(&mut self, other: &mut World<'_>) -> Result<(), String> {
        for (n, (a, b)) in self.cores.iter_mut().zip(&mut other.cores).enumerate() {
            let place = |core: &Core<'_>| (core.now, core.left.is_some(), core.machine.sp);
            if place(a) != place(b) {
                return Err(format!("core {n}: {:?} and {:?}", place(a), place(b)));
            }
            if a.pe.nwd != b.pe.nwd {
                return Err(format!("core {n}: {:x?} and {:x?}", a.pe.nwd, b.pe.nwd));
            }
            let frames = (&self.spmd.cpus[n], &other.spmd.cpus[n]);
            if (frames.0.normal, frames.0.secure) != (frames.1.normal, frames.1.secure) {
                return Err(format!("core {n}: {frames:x?}"));
            }
            for slot in 0..self.specs.len() {
                let slot = Slot(slot as u8);
                same_context(a.pe.context(slot), b.pe.context(slot))
                    .map_err(|what| format!("core {n}, {slot:?}: {what}"))?;
            }
        }
        if self.spmc.negotiation(None) != other.spmc.negotiation(None) {
            return Err("the normal world's versions differ".to_owned());
        }
        for slot in 0..self.specs.len() {
            let slot = Slot(slot as u8);
            if self.spmc.negotiation(Some(slot)) != other.spmc.negotiation(Some(slot))
                || self.spmc.gone(slot) != other.spmc.gone(slot)
            {
                return Err(format!("the versions of {slot:?} differ"));
            }
            let (mut a, mut b) = (self.spmc.unpark(slot), other.spmc.unpark(slot));
            let same = same_context(a.as_deref_mut(), b.as_deref_mut());
            if let Some(context) = a {
                self.spmc.leave(slot, context);
            }
            if let Some(context) = b {
                other.spmc.leave(slot, context);
            }
            same.map_err(|what| format!("{slot:?} on no core: {what}"))?;
        }
        Ok(())
    }

    /// All contexts on this core.
    ///
    /// A kept response whose sender has died is as good as freed, when ever that is noticed.
    pub(crate) fn views(&mut self, core: usize) -> Vec<View> {
        let (ledger, specs) = (&self.ledger, &self.specs);
        let freed = |parked: &Parked| {
            let per_core = specs
                .get(parked.from.index())
                .is_some_and(|spec| spec.per_core);
            let place = if per_core { parked.core.into() } else { 0 };
            ledger.is_dead(parked.from, place)
        };
        let pe = &mut self.cores[core].pe;
        (0..specs.len() as u8)
            .filter_map(|n| {
                let slot = Slot(n);
                let context = pe.context(slot)?;
                Some(View {
                    slot,
                    state: context.state(),
                    model: context.model,
                    giver: context.giver,
                    request: context.request(),
                    waits_for: context.waits_for,
                    call_is_wide: context.call_is_wide,
                    parked: context.parked.clone().filter(|parked| !freed(parked)),
                    x: context.machine.x,
                })
            })
            .collect()
    }

    /// An error leaves no trace but in its caller's result registers.
    pub(super) fn nothing_changed(
        &mut self,
        core: usize,
        before: &[View],
        caller: Option<Slot>,
    ) -> Result<(), String> {
        let now = self.views(core);
        let same = now.len() == before.len()
            && now.iter().zip(before).all(|(now, before)| {
                if Some(now.slot) == caller {
                    let mut other = before.clone();
                    other.x = now.x;
                    *now == other
                } else {
                    now == before
                }
            });
        if same {
            return Ok(());
        }
        Err(format!(
            "an error left a trace: {:?} became {:?}",
            brief(before),
            brief(&now)
        ))
    }
}

fn same_context(a: Option<&mut Context<Gp>>, b: Option<&mut Context<Gp>>) -> Result<(), String> {
    let (a, b) = match (a, b) {
        (None, None) => return Ok(()),
        (Some(a), Some(b)) => (a, b),
        (a, b) => return Err(format!("there: {} and {}", a.is_some(), b.is_some())),
    };
    fn links(c: &Context<Gp>) -> impl PartialEq + std::fmt::Debug + '_ {
        (
            (c.state(), c.model, c.giver, c.request(), c.expected()),
            (c.waits_for, c.call_is_wide, c.migrates, &c.parked),
        )
    }
    if links(a) != links(b) {
        return Err(format!("{:?} and {:?}", links(a), links(b)));
    }
    if a.machine != b.machine {
        return Err(format!("{:x?} and {:x?}", a.machine.x, b.machine.x));
    }
    Ok(())
}

fn brief(views: &[View]) -> Vec<String> {
    views
        .iter()
        .map(|view| {
            format!(
                "{:#x} {:?} {:?} by {:?} serves {:?} waits for {:?} wide {} parked {}",
                id(view.slot),
                view.state,
                view.model,
                view.giver,
                view.request,
                view.waits_for,
                view.call_is_wide,
                view.parked.is_some()
            )
        })
        .collect()
}
