//! A vCPU runs again: all of its registers are judged, and the books are kept.

use super::{Act, Core, System, port::TIMER, vm_id};
use crate::{
    fid,
    label::{Frame, Origin},
    ledger,
    machine::Exit,
    oracle::{self, Extended, Kind, Seen},
    step::Step,
    world::{Landing, Who, resumed},
};
use ffa_abi::contract::Mode;
use proxy_el2::vcpu::{State, VcpuId};

impl System<'_> {
    /// A partition has made a step, and somebody runs.
    pub(super) fn partition_has_acted(
        &mut self,
        core: usize,
        step: &Step,
        landing: Landing,
    ) -> Result<(), String> {
        let Some(slot) = self.world.last_partition(core) else {
            return Ok(());
        };
        let place = ledger::place(&self.world, slot, core);
        match (step, landing.who, landing.kind) {
            (Step::Call { x, .. }, Who::Normal, Kind::Message(message))
                if fid::is_response(message) =>
            {
                self.books.answered(slot, place, x[1] as u16, x)
            }
            (Step::Abort { .. }, ..) => {
                self.books.secure.remove(&(slot.0, place));
                Ok(())
            }
            (Step::Call { .. }, ..) if self.world.ended_itself(core, slot) => {
                self.books.secure.remove(&(slot.0, place));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Who runs on a core now is judged. `before` was the chain.
    pub(super) fn land(&mut self, core: usize, act: &Act, before: &[VcpuId]) -> Result<(), String> {
        for vm in 1..self.vms() as u8 {
            let vm = proxy_el2::vcpu::VmIndex(vm);
            if self.proxy.is_dead(vm) {
                self.books.died(vm);
            }
        }
        if self.ended {
            return Ok(());
        }
        let actor = match act {
            Act::Call(_) | Act::Wfi(..) => before.last().copied(),
            _ => None,
        };
        if let (Some(actor), Act::Call(x)) = (actor, act)
            && fid::of(x[0]) == fid::CPU_OFF
            && self.proxy.parked_state_of(actor) == Some(State::Off)
        {
            self.books.went_off(actor);
        }
        let answers = self.accepted(actor, act);
        let runs = self.world.now(core) == Who::Normal;
        let Some(id) = self.cores[core].pe.running_id().filter(|_| runs) else {
            return match answers {
                Some(_) => Err("a response was accepted, and nobody goes on".to_owned()),
                None => Ok(()),
            };
        };
        let Core { pe, live, .. } = &mut self.cores[core];
        live.enter(&mut self.world, pe, core, id);
        let vcpu = pe.running().ok_or("nobody runs")?;
        if self.world.normal_live(core).0 != vcpu.machine.own_sp {
            return Err(format!("{id:?} finds another SP than it left"));
        }
        let (sent, got, exit) = (vcpu.machine.sent, vcpu.machine.x, vcpu.machine.exit);
        let who = Origin::normal(vm_id(id.vm));
        let (kind, from) = match exit {
            Exit::New | Exit::Interrupted => (resumed(who, &sent, &got)?, None),
            Exit::Call => {
                // Of a VM that waits it says which.
                let mut plain = got;
                if plain[0] == u64::from(fid::MSG_WAIT_32) && Some(plain[1]) == above(before, id) {
                    plain[1] = 0;
                }
                self.judge(core, id, actor, act, &sent, &plain)?
            }
        };
        oracle::no_foreign_label(who, &got, [from, None])?;
        self.names_the_right_one(core, id, kind, before)?;
        self.book(core, id, kind, actor, act, answers, before)
    }

    /// The completion of a vCPU's call, and whose values it may hold.
    fn judge(
        &mut self,
        core: usize,
        id: VcpuId,
        actor: Option<VcpuId>,
        act: &Act,
        sent: &Frame,
        got: &Frame,
    ) -> Result<(Kind, Option<Origin>), String> {
        let message = fid::of(got[0]);
        let sender = (got[1] >> 16) as u16;
        let of_actor = match act {
            Act::Call(x) if actor.is_some_and(|actor| vm_id(actor.vm) == sender) => Some(*x),
            _ => None,
        };
        let source = if fid::is_request(message) {
            of_actor
        } else if fid::is_response(message) && sender & 0x8000 == 0 {
            of_actor.or(self.books.kept.get(&id).copied())
        } else if fid::is_response(message) {
            let arrived = self.books.arrived.map(|(_, frame)| frame);
            let held = self
                .books
                .held
                .iter()
                .find(|(to, frame)| *to == vm_id(id.vm) && frame[1] as u32 == got[1] as u32);
            let kept = self.books.kept.get(&id).copied();
            arrived.or(kept).or(held.map(|(_, frame)| *frame))
        } else {
            None
        };
        let kind = oracle::judge(&Seen {
            who: Origin::normal(vm_id(id.vm)),
            sent,
            got,
            source: source.as_ref(),
            extended: Extended::Own,
        })
        .map_err(|what| format!("core {core}, {id:?}: {what}"))?;
        let from = match kind {
            Kind::Message(_) | Kind::Yield(_) if sender & 0x8000 != 0 => {
                Some(Origin::Partition(sender.wrapping_sub(0x8001) as u8 & 15))
            }
            Kind::Message(_) | Kind::Yield(_) => Some(Origin::normal(sender)),
            _ => None,
        };
        if let (Kind::Yield(_), Act::Wfi(..)) = (kind, act)
            && [got[2], got[3]] != [TIMER & 0xffff_ffff, TIMER >> 32]
        {
            return Err(format!("WFI yields for {:#x} and {:#x}", got[2], got[3]));
        }
        Ok((kind, from))
    }

    /// `FFA_INTERRUPT` and `FFA_YIELD` name who had the core.
    fn names_the_right_one(
        &self,
        core: usize,
        id: VcpuId,
        kind: Kind,
        before: &[VcpuId],
    ) -> Result<(), String> {
        let (Kind::Interrupt(named) | Kind::Yield(named)) = kind else {
            return Ok(());
        };
        if named >> 31 != 0 {
            return Ok(());
        }
        let above = above(before, id);
        match above == Some(named.into()) {
            true => Ok(()),
            false => Err(format!(
                "core {core}: {id:?} is told {kind:x?}, above it was {above:x?}"
            )),
        }
    }

    /// Whom the response that was just made answers, if it was accepted.
    fn accepted(&mut self, actor: Option<VcpuId>, act: &Act) -> Option<Option<VcpuId>> {
        let (Some(actor), Act::Call(x)) = (actor, act) else {
            return None;
        };
        let waits = matches!(
            self.proxy.parked_state_of(actor),
            Some(State::Waiting | State::Dead)
        );
        let response = fid::is_response(fid::of(x[0]));
        (response && waits).then(|| self.books.owes.remove(&actor))
    }

    #[allow(clippy::too_many_arguments)]
    fn book(
        &mut self,
        core: usize,
        id: VcpuId,
        kind: Kind,
        actor: Option<VcpuId>,
        act: &Act,
        answers: Option<Option<VcpuId>>,
        before: &[VcpuId],
    ) -> Result<(), String> {
        let message = match kind {
            Kind::Message(message) => Some(message),
            _ => None,
        };
        if let Kind::Error(_) = kind {
            self.books.counts.errors += 1;
        }
        let x = match act {
            Act::Call(x) => Some(*x),
            _ => None,
        };
        // A request reaches its receiver.
        if let (Some(request), Some(actor), Some(_)) = (message, actor, x)
            && fid::is_request(request)
        {
            self.books.counts.requests += 1;
            self.books.lost.remove(&id);
            self.books.asked.insert(id, request);
            let before = self.books.owes.insert(id, actor);
            return match before {
                None if actor != id => Ok(()),
                _ => Err(format!("{id:?} is given a second request")),
            };
        }
        let strict = self.modes[usize::from(id.vm.0)] == Mode::SmcccStrict;
        // A vCPU answers.
        if let (Some(to), Some(actor), Some(x)) = (answers, actor, x) {
            let below = before.iter().rev().nth(1).copied();
            let Some(to) = to else {
                return Err(format!("{actor:?} answers what nobody asked"));
            };
            let delivered = message.is_some_and(fid::is_response);
            let lost = self.books.lost.remove(&actor);
            let narrow = self.narrow_call(core);
            return match (below == Some(to), delivered, kind) {
                (true, true, _) if id == to => {
                    self.books.counts.responses += 1;
                    Ok(())
                }
                (true, false, Kind::Error(-6))
                    if id == to && strict && narrow && fid::of(x[0]) == fid::RESP2 =>
                {
                    self.books.counts.kept += 1;
                    match self.books.kept.insert(id, x) {
                        None => Ok(()),
                        Some(_) => Err(format!("two responses are kept for {id:?}")),
                    }
                }
                (on, false, Kind::MsgWait) if !on || lost => {
                    self.books.counts.void += 1;
                    Ok(())
                }
                // The requester died, or the responder has.
                (_, false, Kind::Error(-8)) => Ok(()),
                _ => Err(format!(
                    "{actor:?} answers {to:?}, below is {below:?}: {id:?} sees {kind:?}"
                )),
            };
        }
        self.book_secure(core, id, kind, message, strict)
    }

    /// Answers of partitions, and those that were kept.
    fn book_secure(
        &mut self,
        core: usize,
        id: VcpuId,
        kind: Kind,
        message: Option<u32>,
        strict: bool,
    ) -> Result<(), String> {
        let response = message.filter(|message| fid::is_response(*message));
        let own = vm_id(id.vm);
        if let Some((to, frame)) = self.books.arrived.take() {
            let dead = self.proxy.is_dead(proxy_el2::vcpu::VmIndex(to as u8 - 1));
            let narrow = self.narrow_call(core);
            return match (to == own, response, kind) {
                (true, Some(_), _) => Ok(()),
                (true, None, Kind::Error(-6))
                    if strict && narrow && fid::of(frame[0]) == fid::RESP2 =>
                {
                    self.books.counts.kept += 1;
                    match self.books.kept.insert(id, frame) {
                        None => Ok(()),
                        Some(_) => Err(format!("two responses are kept for {id:?}")),
                    }
                }
                // FFA_RUN of one below 1.2, or a request that asked for less.
                (true, None, Kind::Error(-8)) => Ok(()),
                (false, None, _) if dead => Ok(()),
                (false, None, _) => {
                    self.books.held.push((to, frame));
                    Ok(())
                }
                _ => Err(format!(
                    "an answer to VM {to} came, and {id:?} sees {kind:?}"
                )),
            };
        }
        if let Some(response) = response {
            let vcpu = self.cores[core].pe.running().ok_or("nobody runs")?;
            let got = vcpu.machine.x;
            if let Some(kept) = self.books.kept.get(&id)
                && kept[1] as u32 == got[1] as u32
                && response == fid::RESP2
            {
                self.books.kept.remove(&id);
                self.books.counts.fetched += 1;
                return Ok(());
            }
            let held = self
                .books
                .held
                .iter()
                .position(|(to, frame)| *to == own && frame[1] as u32 == got[1] as u32);
            let Some(held) = held else {
                return Err(format!(
                    "{id:?} is given an answer that it had, or nobody gave"
                ));
            };
            self.books.held.swap_remove(held);
        }
        Ok(())
    }

    /// Whether the call of who runs is a 32-bit one.
    fn narrow_call(&mut self, core: usize) -> bool {
        let vcpu = self.cores[core].pe.running();
        vcpu.is_some_and(|vcpu| !fid::is_wide(fid::of(vcpu.machine.sent[0])))
    }
}

/// The vCPU that was above another one in a chain, as w1 names it.
fn above(chain: &[VcpuId], id: VcpuId) -> Option<u64> {
    let level = chain.iter().position(|member| *member == id)?;
    let above = chain.get(level + 1)?;
    Some(u64::from(vm_id(above.vm)) << 16 | u64::from(above.vcpu))
}
