//! What the scheduler is told.

use super::{super::party::is_secure, Books, NO_DATA, Source};
use crate::fid;
use std::collections::BTreeSet;

/// An endpoint, and its contexts.
type Named = (u16, Vec<u16>);

/// Who is named in an answer, and whether there is more.
fn lists(x: &[u64; 18]) -> Option<(Vec<Named>, bool)> {
    let per_register = match x[0] as u32 {
        fid::SUCCESS_64 => 4,
        fid::SUCCESS_32 => 2,
        _ => return None,
    };
    let mut ids = (0..per_register * 5).map(|n| {
        let register = x[3 + n / per_register];
        (register >> (16 * (n % per_register))) as u16
    });
    let mut all = Vec::new();
    for n in 0..x[2] >> 7 & 0x1f {
        let count = x[2] >> (12 + 2 * n) & 3;
        let id = ids.next()?;
        let contexts = (0..count).map(|_| ids.next()).collect::<Option<_>>()?;
        all.push((id, contexts));
    }
    // What is left of the registers is zero, and so is what is reserved.
    let rest = ids.all(|id| id == 0) && x[2] & 0x7e == 0;
    rest.then_some((all, x[2] & 1 != 0))
}

/// Whether the proxy keeps those of its VMs.
const fn is_proxys(source: Source) -> bool {
    matches!(source, Source::Vms | Source::Hypervisor)
}

impl Books {
    /// The scheduler has asked, and is answered with `x`.
    pub fn named(&mut self, x: &[u64; 18]) -> Result<(), String> {
        if x[0] as u32 == fid::ERROR {
            if x[2] as u32 as i32 != NO_DATA || !self.news.is_empty() {
                return Err(format!("nobody is named, and there is {:x?}", self.news));
            }
            self.scheduler = false;
            return Ok(());
        }
        let (all, more) = lists(x).ok_or_else(|| format!("{x:x?} are no lists"))?;
        let wrong = |what: &str, one: &Named| Err(format!("{what}: {one:x?} of {all:x?}"));
        self.vm_interrupts.clear();
        for one in &all {
            let (id, contexts) = one;
            let scopes: Vec<Option<u16>> = match contexts.is_empty() {
                true => vec![None],
                false => contexts.iter().map(|context| Some(*context)).collect(),
            };
            // The proxy keeps what is between VMs, the SPMC the rest.
            let two = self.proxied && !is_secure(*id);
            for scope in scopes {
                let mut there = self.news_of(*id, scope);
                let keepers: BTreeSet<bool> =
                    there.iter().map(|source| is_proxys(*source)).collect();
                // Of contexts, each of two keepers names its own.
                if two && scope.is_some() && keepers.len() == 2 {
                    there.retain(|source| !is_proxys(*source));
                }
                if there.is_empty() && !self.perhaps.remove(&(*id, scope)) {
                    return wrong("nothing new", one);
                }
                // One keeper may have had no room for what the other one tells of as well.
                if two && more && keepers.len() == 2 {
                    self.perhaps.insert((*id, scope));
                }
                for source in there {
                    self.news.remove(&(*id, source, scope));
                }
                if two && self.bitmaps.contains_key(id) {
                    self.vm_interrupts.push((*id, scope));
                }
                self.counts.named += 1;
            }
        }
        self.counts.more += u64::from(more);
        match (more, self.news.is_empty()) {
            (false, false) => Err(format!("{:x?} were not named in {all:x?}", self.news)),
            (true, true) if self.perhaps.is_empty() => {
                Err("there is to be more, and is not".to_owned())
            }
            _ => {
                self.scheduler = more;
                Ok(())
            }
        }
    }

    /// Whose news there is for an endpoint, or one of its contexts.
    fn news_of(&self, id: u16, scope: Option<u16>) -> Vec<Source> {
        let mut all = Source::ALL.to_vec();
        all.retain(|source| self.news.contains(&(id, *source, scope)));
        all
    }

    /// Those vCPUs of VMs were interrupted for the last call.
    pub fn told(&mut self, raised: &[(u16, u16)]) -> Result<(), String> {
        for (vm, context) in std::mem::take(&mut self.vm_interrupts) {
            let mut its = raised.iter().filter(|(of, _)| *of == vm);
            if !its.any(|(_, vcpu)| context.is_none_or(|context| context == *vcpu)) {
                return Err(format!(
                    "VM {vm}, {context:?} is not interrupted: {raised:x?}"
                ));
            }
        }
        Ok(())
    }

    /// The schedule receiver interrupt was raised so often since the last look; `normal` says which cores
    /// the normal world has.
    pub fn interrupted(&mut self, raised: usize, normal: &BTreeSet<usize>) -> Result<(), String> {
        let owed = self.promised.intersection(normal).count();
        if raised == 0 && owed > 0 {
            return Err("the scheduler is to be interrupted later, and is not".to_owned());
        }
        if raised > 0 && owed == 0 && self.news.is_empty() && self.perhaps.is_empty() {
            return Err("the scheduler is interrupted for nothing".to_owned());
        }
        self.promised.retain(|core| !normal.contains(core));
        self.counts.scheduler += raised as u64;
        self.counts.delayed += owed as u64;
        self.scheduler |= raised > 0;
        if !self.news.is_empty() && !self.scheduler && self.promised.is_empty() {
            return Err(format!("the scheduler does not hear of {:x?}", self.news));
        }
        Ok(())
    }
}
