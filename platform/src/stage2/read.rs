//! Looking at an IPA space.

use super::descriptor::{self, Entry};
use super::{Attr, IPA_BITS, Mapping, ROOT_LEVEL, Stage2, Stage2Error};
use core::ops::Range;

impl Stage2<'_> {
    /// Where `ipa` leads and what the guest may do there; None if it is not mapped. `ipa` need not be aligned.
    #[must_use]
    pub fn walk(&self, ipa: u64) -> Option<(u64, Attr)> {
        let leaf = self.leaf(ipa)?;
        Some((leaf.pa.checked_add(ipa.checked_sub(leaf.ipa)?)?, leaf.attr))
    }

    /// Where `len` bytes from `ipa` on lead: one item for each leaf, cut to the range, in order. The first page that
    /// is not mapped gives [`Stage2Error::NotMapped`] and ends it. Neither value need be aligned.
    #[must_use]
    pub fn translate_range(&self, ipa: u64, len: u64) -> Translate<'_> {
        match ipa.checked_add(len) {
            Some(end) => Translate {
                stage2: self,
                rest: ipa..end,
                failed: false,
            },
            None => Translate {
                stage2: self,
                rest: ipa..u64::MAX,
                failed: false,
            },
        }
    }

    /// Whether a walk of `ipa` leads somewhere. A translation fault for which this is so, asked under the guest's lock,
    /// was met in the middle of a change: the guest goes on.
    #[must_use]
    pub fn covers(&self, ipa: u64) -> bool {
        self.leaf(ipa).is_some()
    }

    /// The leaf that covers `ipa`, whole.
    pub(super) fn leaf(&self, ipa: u64) -> Option<Mapping> {
        if ipa >> IPA_BITS != 0 {
            return None;
        }
        let mut table = self.root;
        let mut level = ROOT_LEVEL;
        loop {
            let bits = self.pool.table(table)?.get(level.index(ipa));
            match descriptor::next(bits, level) {
                Some(next) => (table, level) = next,
                None => {
                    let Entry::Leaf { pa } = Entry::decode(bits, level) else {
                        return None;
                    };
                    return Some(Mapping {
                        ipa: ipa & !(level.size() - 1),
                        pa,
                        len: level.size(),
                        attr: descriptor::attributes(self.regime, bits),
                    });
                }
            }
        }
    }
}

/// The leaves of a range, in order. See [`Stage2::translate_range`].
pub struct Translate<'a> {
    stage2: &'a Stage2<'a>,
    rest: Range<u64>,
    failed: bool,
}

impl Iterator for Translate<'_> {
    type Item = Result<Mapping, Stage2Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let ipa = self.rest.start;
        let found = self.stage2.leaf(ipa).and_then(|leaf| {
            let offset = ipa.checked_sub(leaf.ipa)?;
            let end = leaf.ipa.checked_add(leaf.len)?.min(self.rest.end);
            self.rest.start = end;
            Some(Mapping {
                ipa,
                pa: leaf.pa.checked_add(offset)?,
                len: end.checked_sub(ipa)?,
                attr: leaf.attr,
            })
        });
        self.failed = found.is_none();
        Some(found.ok_or(Stage2Error::NotMapped { ipa }))
    }
}
