//! Somebody runs again: all of its registers are judged.

use super::{Actor, Core, Landing, Who, World};
use crate::{
    fid,
    label::{Frame, Origin},
    machine::Exit,
    oracle::{self, Extended, Kind, Seen},
};
use spmc::{
    context::Slot,
    state::{Model, State},
};

/// How many responses of a form from one to another are remembered.
const HISTORY: usize = 4;

impl World<'_> {
    /// The normal world runs again: all of its registers are judged.
    pub(super) fn normal_lands(&mut self, core: usize) -> Result<Landing, String> {
        self.cores[core].now = Who::Normal;
        let got = self.spmd.cpus[core].normal;
        let c = &self.cores[core];
        // What the proxy holds is its VM's.
        let mut from = c
            .behind_proxy
            .as_ref()
            .map_or([None, None], |(vm, _)| [None, Some(*vm)]);
        let kind = if c.exit == Exit::Interrupted {
            resumed(c.origin, &c.sent, &got)?
        } else {
            let call = fid::of(c.sent[0]);
            let extended =
                oracle::at_normal_world(self.spmd.behaviour, self.spmd.new_peers(), call, got[0]);
            let source = self.sent_response(core, &got);
            let kind = oracle::judge(&Seen {
                who: c.origin,
                sent: &c.sent,
                got: &got,
                source: source.as_ref(),
                extended,
            })?;
            if let Kind::Message(_) | Kind::Yield(_) = kind {
                from[0] = partition_of((got[1] >> 16) as u16);
            }
            kind
        };
        // Lists of ids are whatever they are.
        let mut plain = got;
        let narrow = fid::of(c.sent[0]) & !fid::WIDE;
        if c.exit == Exit::Call && narrow == fid::INFO_GET_32 && kind == Kind::Success {
            plain[2..8].fill(0);
        }
        oracle::no_foreign_label(c.origin, &plain, from)?;
        if c.machine.sp != c.own_sp {
            return Err(format!("{}: SP is {:#x}", c.origin, c.machine.sp));
        }
        if c.machine.vectors != c.own_vectors {
            return Err(format!("{}: vector registers have changed", c.origin));
        }
        Ok(Landing {
            who: Who::Normal,
            kind,
        })
    }

    /// The response that x0 and x1 of `got` say this is, as it was sent.
    pub(crate) fn sent_response(&self, core: usize, got: &Frame) -> Option<Frame> {
        if !fid::is_response(fid::of(got[0])) {
            return None;
        }
        let wanted = self.response_key(core, got);
        // The newest, but one that was kept may be older.
        let mut sent = self.responses.iter().rev();
        let sent = sent.by_ref().filter(|(key, _)| *key == wanted);
        let mut sent = sent.map(|(_, frame)| *frame);
        let newest = sent.next()?;
        let same = |frame: &Frame| frame[4..18] == got[4..18];
        match fid::of(got[0]) {
            fid::RESP2 if !same(&newest) => sent.find(same).or(Some(newest)),
            _ => Some(newest),
        }
    }

    /// Form, ids, and which context of the receiver.
    fn response_key(&self, core: usize, x: &Frame) -> (u32, u32, usize) {
        let receiver = Slot((x[1] as u16).wrapping_sub(0x8001) as u8);
        let place = if x[1] as u16 & 0x8000 == 0 {
            core
        } else {
            crate::ledger::place(self, receiver, core)
        };
        (fid::of(x[0]), x[1] as u32, place)
    }

    /// A partition runs again: all of its registers are judged.
    pub(super) fn partition_lands(
        &mut self,
        core: usize,
        slot: Slot,
        actor: Actor,
    ) -> Result<Landing, String> {
        let who = Origin::Partition(slot.0);
        let sender = match actor {
            Actor::Normal => match &self.cores[core].behind_proxy {
                Some((origin, frame)) => Some((*origin, *frame)),
                None => Some((self.cores[core].origin, self.cores[core].sent)),
            },
            Actor::Partition(from) if from != slot => self.cores[core]
                .pe
                .context(from)
                .map(|context| (Origin::Partition(from.0), context.machine.sent)),
            _ => None,
        };
        let Core { pe, machine, .. } = &mut self.cores[core];
        let sp = machine.sp;
        let gp = &pe
            .context(slot)
            .ok_or_else(|| format!("{slot:?} runs, and its context is elsewhere"))?
            .machine;
        if sp != gp.own_sp {
            return Err(format!("{who}: SP is {sp:#x}, wanted {:#x}", gp.own_sp));
        }
        let (sent, got, exit) = (gp.sent, gp.x, gp.exit);
        let mut from = None;
        let kind = match exit {
            Exit::New | Exit::Interrupted => resumed(who, &sent, &got)?,
            Exit::Call => {
                let source = match sender {
                    Some((_, frame)) if fid::is_request(fid::of(got[0])) => Some(frame),
                    _ => self.sent_response(core, &got),
                };
                let kind = oracle::judge(&Seen {
                    who,
                    sent: &sent,
                    got: &got,
                    source: source.as_ref(),
                    extended: Extended::Own,
                })?;
                if let Kind::Message(message) = kind {
                    from = if fid::is_request(message) {
                        sender.map(|(origin, _)| origin)
                    } else {
                        partition_of((got[1] >> 16) as u16)
                    };
                }
                // Its timeout.
                if let Kind::Yield(_) = kind {
                    from = partition_of((got[1] >> 16) as u16);
                }
                kind
            }
        };
        oracle::no_foreign_label(who, &got, [from, None])?;
        Ok(Landing {
            who: Who::Partition(slot),
            kind,
        })
    }

    /// Keeps the response that the partition `from` sent, if it was accepted.
    pub(super) fn note_response(&mut self, core: usize, from: Slot) -> Result<(), String> {
        let Some(context) = self.cores[core].pe.context(from) else {
            return Err(format!("{from:?} called, and its context has gone"));
        };
        let sent = context.machine.sent;
        // An interrupt of its own may come before who was answered goes on.
        let intercepted = context.state() == State::Running
            && context.model == Model::SecureInterrupt
            && fid::of(context.machine.x[0]) == fid::INTERRUPT;
        if (context.state() == State::Waiting || intercepted) && fid::is_response(fid::of(sent[0]))
        {
            let key = self.response_key(core, &sent);
            let of_key = self.responses.iter().filter(|(other, _)| *other == key);
            if of_key.count() >= HISTORY
                && let Some(oldest) = self.responses.iter().position(|(other, _)| *other == key)
            {
                self.responses.remove(oldest);
            }
            self.responses.push((key, sent));
        }
        Ok(())
    }
}

pub(crate) fn resumed(who: Origin, sent: &Frame, got: &Frame) -> Result<Kind, String> {
    match (0..31).find(|n| got[*n] != sent[*n]) {
        None => Ok(Kind::Resumed),
        Some(n) => Err(format!(
            "{who} was interrupted and goes on with x{n} {}, wanted {}",
            crate::label::describe(got[n]),
            crate::label::describe(sent[n])
        )),
    }
}

fn partition_of(id: u16) -> Option<Origin> {
    (0x8001..0x8010)
        .contains(&id)
        .then(|| Origin::Partition((id - 0x8001) as u8))
}
