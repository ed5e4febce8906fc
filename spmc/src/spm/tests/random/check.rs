//! What must hold after each step.

use super::*;

impl World {
    fn registers(&self, snapshot: &Snapshot, who: Who) -> Frame {
        match who {
            Who::NormalWorld(pe) => {
                let mut x = [0; 31];
                x[..18].copy_from_slice(&snapshot.nwd[pe].0);
                x
            }
            Who::Context(slot, _) => self.view(snapshot, slot).gp.x,
        }
    }

    fn view<'a>(&self, snapshot: &'a Snapshot, slot: Slot) -> &'a View {
        let pe = self.f.pe;
        let mut views = snapshot.contexts.iter();
        views
            .find(|view| view.slot == slot && view.pe.is_none_or(|n| n == pe))
            .unwrap()
    }

    /// The next endpoint's call ended with `x` in x0 onwards, and the rest of x0-x7 zero.
    pub(super) fn told(&self, before: &Snapshot, caller: Who, x: &[u64]) {
        let next = self.now();
        assert_ne!(next, caller);
        let mut expected = self.registers(before, next);
        expected[..8].fill(0);
        expected[..x.len()].copy_from_slice(x);
        assert_eq!(
            self.registers(&self.f.snapshot(), next),
            expected,
            "{next:?}"
        );
        if let Who::Context(slot, _) = next {
            let view = self.view(before, slot);
            assert!(matches!(view.waits_for, WaitsFor::Callee(_)));
            assert_eq!(view.state, State::Blocked);
        }
    }

    /// The next endpoint received the caller's message.
    fn received(&mut self, before: &Snapshot, call: &Frame) {
        let next = self.now();
        let mut own = self.registers(before, next);
        let wide = |x: u64| x as u32 & WIDE_BIT != 0;
        if matches!(next, Who::NormalWorld(_)) && wide(call[0]) && !wide(own[0]) {
            own[8..18].fill(0);
        }
        let mut expected = delivered(call, &own);
        if let Who::NormalWorld(_) = next {
            expected[18..].fill(0);
        }
        assert_eq!(
            self.registers(&self.f.snapshot(), next),
            expected,
            "{next:?}"
        );
        let inbox = self.inbox.entry(next).or_default();
        let two = matches!(fid(call), DIRECT_REQ2 | DIRECT_RESP2);
        let payload = if two { 2..18 } else { 3..8 };
        for value in &call[payload] {
            inbox.insert(if wide(call[0]) {
                *value
            } else {
                *value & 0xffff_ffff
            });
        }
    }

    /// Whether a response to `to`, which is in strict mode and in a 32-bit call, is kept for it.
    fn is_kept(&self, before: &Snapshot, to: Who, call: &Frame) -> bool {
        let Who::Context(slot, _) = to else {
            return false;
        };
        let strict = self.f.spmc.info(slot).unwrap().mode == Mode::SmcccStrict;
        strict && fid(call) == DIRECT_RESP2 && !self.view(before, slot).call_is_wide
    }

    /// Whether a response is being kept for `who`.
    fn holds(&self, snapshot: &Snapshot, who: Who) -> bool {
        match who {
            Who::Context(slot, _) => self.view(snapshot, slot).parked.is_some(),
            Who::NormalWorld(_) => false,
        }
    }

    pub(super) fn after_call(&mut self, before: &Snapshot, caller: Who, call: &Frame) {
        let next = self.now();
        let after = self.f.snapshot();
        if next == caller {
            self.answered(before, &after, caller, call);
            return;
        }
        let now_at = |slot| self.view(&after, slot);
        match fid(call) {
            DIRECT_REQ_32 | DIRECT_REQ_64 | DIRECT_REQ2 => {
                let Who::Context(slot, _) = next else {
                    panic!("a request reached {next:?}");
                };
                assert_eq!(self.view(before, slot).state, State::Waiting);
                assert_eq!(now_at(slot).model, Model::DirectRequest);
                assert_eq!(call[1] as u16, id(slot).0);
                let kind = now_at(slot).request.expect("a request").kind;
                self.received(before, call);
                if let RequestKind::VmAvailability(_) = kind {
                    self.told_of_vms += 1;
                }
                let old = self
                    .owes
                    .insert(next, (Some(caller), fid(call), (call[1] >> 16) as u16));
                assert_eq!(old, None, "{next:?} was serving already");
                self.requests += 1;
            }
            DIRECT_RESP_32 | DIRECT_RESP_64 | DIRECT_RESP2 => {
                let (origin, request, sender) = self.owes.remove(&caller).expect("a request");
                self.ended += 1;
                assert_eq!(call[1] as u16, sender, "to whom it is addressed");
                assert_eq!(request == DIRECT_REQ2, fid(call) == DIRECT_RESP2);
                if let Who::Context(slot, _) = caller {
                    let kind = self.view(before, slot).request.expect("a request").kind;
                    let number = match kind {
                        RequestKind::VmAvailability(event) => FRAMEWORK_BIT | event.response(),
                        RequestKind::Direct { .. } | RequestKind::PowerOff => 0,
                        RequestKind::Direct2 => call[2] as u32,
                    };
                    assert_eq!(call[2] as u32, number, "an answer to {kind:?}");
                }
                match origin {
                    Some(origin) => {
                        assert!(origin.is_same_sender(next), "{origin:?} asked");
                        if self.is_kept(before, next, call) {
                            let denied = [ERROR.into(), 0, FfaError::Denied.register()];
                            self.told(before, caller, &denied);
                            // The place was free, or what it held was a dead partition's.
                            let old = self.kept.insert(next, (caller, *call));
                            let from = old.map(|(from, _)| from);
                            assert!(
                                !self.holds(before, next)
                                    || from.is_some_and(|f| self.dead.contains(&f))
                            );
                        } else {
                            self.received(before, call);
                        }
                    }
                    None => self.told(before, caller, &[MSG_WAIT.into()]),
                }
            }
            MSG_WAIT | MSG_WAIT_64 => {
                assert_eq!(self.owes.get(&caller), None, "it owes an answer");
                self.told(before, caller, &[MSG_WAIT.into()]);
            }
            YIELD | YIELD_64 => {
                let Who::Context(slot, index) = caller else {
                    panic!("the normal world does not yield");
                };
                let timeout = [call[2] & 0xffff_ffff, call[3] & 0xffff_ffff];
                self.inbox.entry(next).or_default().extend(timeout);
                let told = [
                    YIELD.into(),
                    target(slot, index as u16),
                    timeout[0],
                    timeout[1],
                ];
                self.told(before, caller, &told);
            }
            RUN | RUN_64 => {
                let Who::Context(slot, index) = next else {
                    panic!("a run reached {next:?}");
                };
                let target = target(slot, index as u16);
                assert_eq!(call[1] & 0xffff_ffff, target);
                let old = self.view(before, slot);
                let mut expected = old.gp.x;
                match (old.state, old.waits_for) {
                    (State::Waiting, _) => {
                        assert!(matches!(caller, Who::NormalWorld(_)));
                        expected[..8].fill(0);
                        (expected[0], expected[1]) = (RUN.into(), target);
                    }
                    (State::Preempted, _) | (State::Blocked, WaitsFor::Cycles) => {}
                    other => panic!("{other:?} was run"),
                }
                assert_eq!(now_at(slot).gp.x, expected, "x0-x30 of who runs");
                if let Some((origin, ..)) = self.owes.get_mut(&next)
                    && let Some(asked) = *origin
                    && !asked.is_same_sender(caller)
                {
                    // The normal world takes care of what one left behind that has ended.
                    let Who::Context(by, by_index) = asked else {
                        panic!("only who asked runs it");
                    };
                    let state = before
                        .contexts
                        .iter()
                        .find(|view| {
                            view.slot == by
                                && view.pe.is_none_or(|pe| by_index == 0 || pe == by_index)
                        })
                        .map(|view| view.state);
                    assert!(
                        matches!(caller, Who::NormalWorld(_)),
                        "only who asked runs it"
                    );
                    assert_eq!(state, Some(State::Waiting), "only who asked runs it");
                    *origin = None;
                }
            }
            other => panic!("{other:#x} changed who runs from {caller:?} to {next:?}"),
        }
    }

    /// The caller goes on: its results hold nothing of anybody's, and nothing else has changed.
    fn answered(&mut self, before: &Snapshot, after: &Snapshot, caller: Who, call: &Frame) {
        let x = self.registers(after, caller);
        let mut expected = self.registers(before, caller);
        let mut before = before.clone();
        if self.holds(&before, caller) && !self.holds(after, caller) {
            let (from, kept) = self.kept.remove(&caller).expect("a response");
            if x[0] == u64::from(DIRECT_RESP2) {
                // A 64-bit run fetched the response that was kept.
                assert_eq!(fid(call), RUN_64);
                assert_eq!(x, delivered(&kept, &expected));
                let inbox = self.inbox.entry(caller).or_default();
                inbox.extend(&kept[4..18]);
                return;
            }
            assert!(
                self.dead.contains(&from),
                "{from:?} lives, and so does its response"
            );
            let Who::Context(slot, _) = caller else {
                panic!("a response was kept for the normal world");
            };
            let mut views = before.contexts.iter_mut();
            let pe = Some(self.f.pe);
            let view = views.find(|view| view.slot == slot && view.pe == pe);
            view.unwrap().parked = None;
        }
        if self.f.now[self.f.pe] == Next::NormalWorldResume {
            assert_eq!(fid(call), INTERRUPT);
            assert_eq!(x, expected);
        } else {
            // EL3 passes on nothing but FF-A, and our own completions that it bounces.
            let from_el3 = matches!(caller, Who::NormalWorld(_));
            let count = if is_ffa(call) || from_el3 { 8 } else { 1 };
            expected[..count].copy_from_slice(&x[..count]);
            assert_eq!(x, expected, "more than the results was written");
            if x[0] != u64::MAX {
                for value in &x[..count] {
                    assert_eq!(value >> 32, 0, "an upper half");
                    assert_eq!(owner(*value), None, "a result shows a register");
                }
            }
        }
        let off = matches!(caller, Who::NormalWorld(_))
            && call[2] as u32 == FRAMEWORK_BIT
            && call[3] as u32 == psci::CPU_OFF
            && x[0] == u64::from(DIRECT_RESP_32);
        if off {
            let pe = self.f.pe;
            let here = after.contexts.iter().filter(|view| view.pe == Some(pe));
            for view in here {
                assert_eq!(view.state, State::Off);
                let who = self.who(view.slot);
                self.ended += usize::from(self.owes.remove(&who).is_some());
                self.died(who);
            }
        } else {
            let now = match caller {
                Who::NormalWorld(_) => Next::NormalWorld,
                Who::Context(slot, _) => Next::Partition(slot),
            };
            let pe = self.f.pe;
            let strip = |snapshot: &Snapshot| {
                let stripped = snapshot.clone().without_results(pe, now);
                // Only FFA_VERSION changes a version.
                match fid(call) {
                    VERSION | DIRECT_REQ_32 => stripped.without_versions(),
                    _ => stripped,
                }
            };
            strip(after).is(&strip(&before));
            self.could_not_run(&before, caller, call);
        }
    }

    /// What was interrupted or yielded can be run again by who sent the request that it serves, from
    /// any core if it migrates, and by the normal world if it serves nobody who lives.
    fn could_not_run(&self, before: &Snapshot, caller: Who, call: &Frame) {
        if fid(call) != RUN || caller != Who::NormalWorld(self.f.pe) {
            return;
        }
        let stopped = before.contexts.iter().find(|view| {
            let up = self.f.spmc.info(view.slot).unwrap().is_up();
            let index = if up { 0 } else { self.f.pe as u16 };
            let here = view.pe.is_none_or(|pe| pe == self.f.pe);
            here && call[1] & 0xffff_ffff == target(view.slot, index)
                && match view.state {
                    State::Preempted => true,
                    State::Blocked => view.waits_for == WaitsFor::Cycles,
                    _ => false,
                }
        });
        if let Some(view) = stopped {
            let owed = self.owes.get(&self.who(view.slot));
            let others = owed.and_then(|(origin, ..)| *origin);
            let others = others.is_some_and(|origin| !origin.is_same_sender(caller));
            assert!(others, "{view:?} can't be run by {caller:?}");
        }
    }

    /// Requests of the dead are answered into the void.
    fn died(&mut self, who: Who) {
        self.dead.insert(who);
        for (origin, ..) in self.owes.values_mut() {
            if *origin == Some(who) {
                *origin = None;
            }
        }
    }

    pub(super) fn after_abort(&mut self, before: &Snapshot, caller: Who) {
        let aborted = [ERROR.into(), 0, FfaError::Aborted.register()];
        self.told(before, caller, &aborted);
        if let Some((origin, ..)) = self.owes.remove(&caller) {
            self.ended += 1;
            if let Some(origin) = origin {
                assert!(origin.is_same_sender(self.now()), "who asked is told");
            }
        }
        self.died(caller);
    }

    pub(super) fn only_caller_and_next_changed(
        &self,
        before: &Snapshot,
        after: &Snapshot,
        caller: Who,
        call: &Frame,
    ) {
        let next = self.now();
        for (pe, (old, new)) in before.nwd.iter().zip(&after.nwd).enumerate() {
            if next != Who::NormalWorld(pe) {
                assert_eq!(old, new, "the normal world's frame on core {pe}");
            }
        }
        for (old, new) in before.contexts.iter().zip(&after.contexts) {
            assert_eq!(old.slot, new.slot);
            let pe = new.pe.or(old.pe);
            let up = self.f.spmc.info(new.slot).unwrap().is_up();
            let who = Who::Context(new.slot, if up { 0 } else { pe.unwrap() });
            if who == next {
                continue;
            }
            if who == caller && matches!(fid(call), YIELD | YIELD_64) {
                let mut expected = *call;
                expected[..8].fill(0);
                expected[0] = SUCCESS_32.into();
                assert_eq!(new.gp.x, expected, "{who:?} yielded");
                continue;
            }
            assert_eq!(old.gp.x, new.gp.x, "registers of {who:?}");
            if who != caller && new.state != State::Off {
                assert_eq!(old.state, new.state, "state of {who:?}");
                assert_eq!(old.pe, new.pe, "where {who:?} is");
            }
        }
    }

    /// Contexts and chains on both cores, and that who serves is who was asked.
    pub(super) fn links(&self, after: &Snapshot) {
        self.f.links_hold(after);
        for view in &after.contexts {
            let up = self.f.spmc.info(view.slot).unwrap().is_up();
            let index = if up { 0 } else { view.pe.unwrap() };
            let owed = self.owes.get(&Who::Context(view.slot, index));
            assert_eq!(owed.is_some(), view.request.is_some(), "{view:?}");
        }
    }

    /// No endpoint sees a register of another that it was not sent.
    pub(super) fn taint(&self, after: &Snapshot) {
        let check = |who: Who, x: &[u64]| {
            for (n, value) in x.iter().enumerate() {
                if let Some(number) = owner(*value)
                    && number != who.number()
                {
                    let sent = self
                        .inbox
                        .get(&who)
                        .is_some_and(|box_| box_.contains(value));
                    assert!(sent, "x{n} of {who:?} holds {value:#x} of number {number}");
                }
            }
        };
        for (pe, nwd) in after.nwd.iter().enumerate() {
            check(Who::NormalWorld(pe), &nwd.0);
        }
        for view in &after.contexts {
            let up = self.f.spmc.info(view.slot).unwrap().is_up();
            let index = if up { 0 } else { view.pe.unwrap() };
            check(Who::Context(view.slot, index), &view.gp.x);
        }
    }
}
