//! A run: one call after the other, each held against the books.

use super::{
    Report,
    books::{Answer, Books},
    deed::Deed,
    generate,
    party::{Kind, PAGE, Party},
    sabotage::{Damage, Sabotage},
    stage::Stage,
};
use crate::{fid, fuzz, random::Rng, step::Step};
use std::collections::BTreeSet;

/// After how many calls all is read, about.
const ROUND: usize = 500;
/// How often the scheduler asks until there must be nothing.
const MOST_ANSWERS: usize = 64;

/// A system, and its books.
#[derive(Debug)]
pub(super) struct Run<S> {
    pub(super) stage: S,
    pub(super) books: Books,
    cores: usize,
    pub(super) calls: u64,
    digest: u64,
    /// Who has failed.
    dead: BTreeSet<u16>,
    /// Whether the scheduler lets things come together.
    patient: bool,
    /// What is to go wrong, from which call on.
    pub(super) wrong: Option<(Sabotage, u64)>,
}

impl<S: Stage + Damage> Run<S> {
    pub fn new(stage: S, books: Books, cores: usize, wrong: Option<Sabotage>) -> Self {
        Self {
            stage,
            books,
            cores,
            calls: 0,
            digest: 0xcbf2_9ce4_8422_2325,
            dead: BTreeSet::new(),
            patient: false,
            wrong: wrong.map(|wrong| (wrong, 0)),
        }
    }

    pub fn report(&self, report: &mut Report) {
        report.calls = self.calls;
        report.digest = self.digest;
        report.counts = self.books.counts;
    }

    /// Makes so many calls, and reads all now and then and in the end.
    pub fn go(&mut self, rng: &mut Rng, calls: u64, log: &mut Vec<Step>) -> Result<(), String> {
        if let Some((_, from)) = &mut self.wrong {
            *from = calls / 2;
        }
        let mut core = 0;
        while self.calls < calls {
            if rng.chance(1, 4) {
                core = rng.below(self.cores);
            }
            self.patient ^= rng.chance(1, 100);
            let ends = rng.chance(1, 3000);
            let Some(who) = self.somebody(rng) else {
                continue;
            };
            if ends {
                self.end(rng, who, core, log)?;
                continue;
            }
            self.step(rng, who, core, None, log)?;
            if rng.chance(1, ROUND) {
                self.drain(rng, log)?;
            }
        }
        self.drain(rng, log)
    }

    /// Who calls next.
    fn somebody(&self, rng: &mut Rng) -> Option<u16> {
        let proxied = self.books.proxied;
        let parties = self.books.parties.values();
        let all: Vec<_> = parties.filter(|party| party.id != 0 || !proxied).collect();
        let party = all[rng.below(all.len())];
        // What calls for all its VMs shall not be all that there is.
        let one = match party.kind {
            Kind::NormalWorld if rng.chance(1, 2) => {
                let partitions: Vec<_> = all.iter().filter(|party| party.is_partition()).collect();
                partitions[rng.below(partitions.len())].id
            }
            Kind::NormalWorld => 0,
            _ => party.id,
        };
        (!self.dead.contains(&one)).then_some(one)
    }

    /// An endpoint fails.
    fn end(
        &mut self,
        rng: &mut Rng,
        who: u16,
        core: usize,
        log: &mut Vec<Step>,
    ) -> Result<(), String> {
        fuzz::note(log, &Step::Said(format!("core {core}: {who:#x} fails")));
        if self.stage.end(&mut self.books, rng, who, core)? {
            self.dead.insert(who);
            self.books.ended(who);
        }
        self.look()
    }

    /// `who` calls, on `core` if it can.
    fn step(
        &mut self,
        rng: &mut Rng,
        who: u16,
        core: usize,
        deed: Option<Deed>,
        log: &mut Vec<Step>,
    ) -> Result<(), String> {
        let by = self.books.parties.get(&who).cloned();
        let by = by.ok_or_else(|| format!("{who:#x} is nobody"))?;
        let core = self.stage.bring(&mut self.books, rng, who, core)?;
        self.look()?;
        let deed = deed.unwrap_or_else(|| generate::deed(&self.books, rng, &by, self.patient));
        fuzz::note(log, &Step::Said(format!("core {core}: {who:#x}: {deed}")));
        self.prepare(&by, &deed);
        let before = self.notes_before(&deed);
        let pending = self.books.pending.len();
        let wanted = self.books.answer(who, core, &deed);
        let got = self.stage.call(core, who, &deed.registers())?;
        self.calls += 1;
        for register in &got[..8] {
            self.digest = (self.digest ^ register).wrapping_mul(0x0100_0000_01b3);
        }
        let good = self.judge(&wanted, &got);
        good.map_err(|what| format!("core {core}: {who:#x}, {deed}: {what}"))?;
        let told = self.stage.vm_interrupts();
        self.books.told(&told)?;
        match (&wanted, &deed) {
            (Answer::Done, _) => self.note_pair(&by, &deed),
            (Answer::Counted, Deed::Discover { count_only: false }) => {
                self.note_list(who, got[2] * got[3])?;
            }
            _ => {}
        }
        let before = before.filter(|_| match wanted {
            // What it was before it is to be again.
            Answer::Done | Answer::Pending(_) => self.books.pending.len() != pending,
            _ => true,
        });
        self.go_wrong(&deed, &wanted, before);
        self.look()?;
        self.stage.settle(rng)?;
        self.look()
    }

    /// What a call needs in TX.
    fn prepare(&mut self, by: &Party, deed: &Deed) {
        let of = match deed {
            Deed::Send { sender, .. } => *sender,
            Deed::Forward { .. } => 0,
            _ => return,
        };
        let Some(pair) = self.books.pairs.get(&of) else {
            return;
        };
        let (tx, size) = (pair.tx, pair.size());
        match deed {
            Deed::Send { head, payload, .. } => {
                let version = match by.kind {
                    Kind::NormalWorld => self.books.upstream,
                    _ => by.version,
                };
                self.stage.put(tx, &head.bytes(version));
                if head.fits(version, size) {
                    self.stage.put(tx + u64::from(head.offset), payload);
                }
            }
            Deed::Forward { vm, base, pages } => {
                self.stage.put(tx, &forwarded(*vm, *base, *pages));
            }
            _ => {}
        }
    }

    /// What lies in RX of a pair that is new.
    fn note_pair(&mut self, by: &Party, deed: &Deed) {
        let of = match deed {
            Deed::Map { .. } => by.id,
            Deed::Forward { vm, .. } => *vm,
            _ => return,
        };
        if let Some(pair) = self.books.pairs.get_mut(&of) {
            pair.holds = Some(self.stage.bytes(pair.rx, pair.size() as usize));
        }
    }

    /// A list of so many bytes lies in RX, and nothing behind it.
    fn note_list(&mut self, who: u16, length: u64) -> Result<(), String> {
        let Some(pair) = self.books.pairs.get_mut(&who) else {
            return Err(format!("{who:#x} gets a list, and has no RX"));
        };
        let bytes = self.stage.bytes(pair.rx, pair.size() as usize);
        let rest = bytes.get(length as usize..).unwrap_or_default();
        if length == 0 || rest.is_empty() || rest.iter().any(|byte| *byte != 0) {
            return Err(format!(
                "{who:#x} finds more in RX than {length:#x} bytes of a list"
            ));
        }
        pair.holds = Some(bytes);
        Ok(())
    }

    /// Whether a call was answered so.
    fn judge(&mut self, wanted: &Answer, got: &[u64; 18]) -> Result<(), String> {
        let success = u64::from(fid::SUCCESS_32);
        let mut x = [0; 8];
        match wanted {
            Answer::Done => x[0] = success,
            Answer::Refused(error) => {
                x[0] = fid::ERROR.into();
                x[2] = u64::from(*error as u32);
            }
            Answer::Pending([partitions, vms, spm, hypervisor]) => {
                let (low, high) = (|bits: u64| bits & 0xffff_ffff, |bits: u64| bits >> 32);
                x = [
                    success,
                    0,
                    low(*partitions),
                    high(*partitions),
                    low(*vms),
                    high(*vms),
                    *spm,
                    *hypervisor,
                ];
            }
            // How long the list is is not the ledger's to say.
            Answer::Counted => (x[0], x[2], x[3]) = (success, got[2], got[3]),
            Answer::Lists => return self.books.named(got),
            // The other registers are the caller's own.
            Answer::Interrupt(id) => {
                return match got[0] == id.unwrap_or(0xffff_ffff) {
                    true => Ok(()),
                    false => Err(format!("{:#x}, wanted {id:x?}", got[0])),
                };
            }
        }
        match got[..8] == x {
            true => Ok(()),
            false => Err(format!("{:x?}, wanted {x:x?}", &got[..8])),
        }
    }

    /// What must hold after whatever has happened.
    fn look(&mut self) -> Result<(), String> {
        let mut raised = self.stage.scheduler_interrupts();
        let first = !self.books.scheduler && !self.books.news.is_empty();
        if self.is_due(Sabotage::Silent) && first && raised > 0 {
            raised = 0;
        }
        let normal = self.stage.normal();
        self.books.interrupted(raised, &normal)?;
        for (id, pair) in &self.books.pairs {
            let holds = pair.holds.as_deref();
            if holds.is_some_and(|bytes| !self.stage.holds(pair.rx, bytes)) {
                let bytes = self.stage.bytes(pair.rx, pair.size() as usize);
                let at =
                    (0..bytes.len()).find(|n| holds.is_some_and(|holds| holds[*n] != bytes[*n]));
                return Err(format!(
                    "RX of {id:#x} is other than it should be, at {at:x?}"
                ));
            }
        }
        Ok(())
    }

    /// The scheduler asks as long as it was interrupted, everybody reads: nothing is left.
    fn drain(&mut self, rng: &mut Rng, log: &mut Vec<Step>) -> Result<(), String> {
        let scheduler = self.scheduler();
        for core in 0..self.cores {
            self.stage.bring(&mut self.books, rng, scheduler, core)?;
            self.look()?;
        }
        let mut answers = 0;
        while self.books.scheduler {
            answers += 1;
            if answers > MOST_ANSWERS {
                return Err("there is always more to tell the scheduler".to_owned());
            }
            let wide = rng.chance(1, 2);
            self.step(rng, scheduler, 0, Some(Deed::Info { wide }), log)?;
        }
        let parties = self.books.parties.values();
        let own = parties.filter(|party| party.kind != Kind::NormalWorld && party.notified);
        let own = own.filter(|party| !self.dead.contains(&party.id));
        let own = own.map(|party| (party.id, party.id, party.contexts));
        let bitmaps = self.books.bitmaps.iter();
        let bitmaps = bitmaps.filter(|_| scheduler == 0);
        let vms = bitmaps.map(|(vm, contexts)| (0, *vm, *contexts));
        for (by, receiver, contexts) in own.chain(vms).collect::<Vec<_>>() {
            for context in 0..contexts {
                let flags = if by == 0 { 0b101 } else { 0xf };
                let get = Deed::Get {
                    receiver,
                    context,
                    flags,
                };
                let core = usize::from(context) % self.cores;
                self.step(rng, by, core, Some(get), log)?;
            }
        }
        self.nothing_is_left()?;
        self.books.counts.drained += 1;
        Ok(())
    }

    fn nothing_is_left(&self) -> Result<(), String> {
        let Books {
            pending,
            news,
            unread,
            interrupts,
            counts,
            ..
        } = &self.books;
        if !(pending.is_empty() && news.is_empty() && unread.is_empty() && interrupts.is_empty()) {
            return Err(format!(
                "all was read, and there is {pending:x?}, {news:x?}, {unread:x?}, {interrupts:x?}"
            ));
        }
        match counts.set == counts.read + counts.gone {
            true => Ok(()),
            false => Err(format!("not each was read once: {counts:?}")),
        }
    }

    /// Who asks whom to run.
    fn scheduler(&self) -> u16 {
        u16::from(self.books.proxied)
    }
}

/// What a hypervisor leaves in its TX of the pair of a VM: RX behind TX.
fn forwarded(vm: u16, tx: u64, pages: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(80);
    bytes.extend(vm.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(48_u32.to_le_bytes());
    bytes.extend([0; 4]);
    for base in [tx + u64::from(pages) * PAGE, tx] {
        // One region, of one piece.
        bytes.extend(pages.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(base.to_le_bytes());
        bytes.extend(pages.to_le_bytes());
        bytes.extend([0; 4]);
    }
    bytes
}
