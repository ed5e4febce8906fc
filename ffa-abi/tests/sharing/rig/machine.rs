//! A stage 2 of all parties that remembers, page by page, and fails when it is told to.

use super::{NORMAL_WORLD, NoMemory};
use ffa_abi::{
    FfaError,
    sharing::{Estates, PAGE, Pages, Party, Pieces, Region, View},
};
use std::collections::BTreeMap;

/// What somebody's stage 2 says of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sight {
    pub normal_world: bool,
    pub device: bool,
    pub write: bool,
    pub execute: bool,
    pub hidden: bool,
}

/// Stage 2 of all parties, page by page, and what memory holds. It panics when it is told what makes no
/// sense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    pub sees: BTreeMap<(Party, u64), Sight>,
    pub content: BTreeMap<u64, u8>,
    /// Which of the calls that may fail fails: 0 is the next one.
    pub fails: Option<u32>,
}

impl Machine {
    pub fn add(&mut self, owner: Party, region: &Region) {
        for page in each(region.pages) {
            let sight = Sight {
                normal_world: region.normal_world,
                device: region.device,
                write: region.write,
                execute: region.execute,
                hidden: false,
            };
            self.sees.insert((owner, page), sight);
        }
    }

    /// Whether the party sees the page, and how.
    pub fn sight(&self, who: Party, page: u64) -> Option<Sight> {
        self.sees.get(&(who, page)).copied().filter(|it| !it.hidden)
    }

    fn may_fail(&mut self) -> Result<(), FfaError> {
        match &mut self.fails {
            Some(0) => {
                self.fails = None;
                Err(NoMemory)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// The pages of a range.
pub fn each(pages: Pages) -> impl Iterator<Item = u64> {
    (0..pages.count).map(move |page| pages.base + page * PAGE)
}

impl Estates for Machine {
    fn grant(&mut self, who: Party, pieces: Pieces<'_>, view: View) -> Result<(), FfaError> {
        self.may_fail()?;
        for page in pieces.flat_map(each) {
            let sight = Sight {
                normal_world: view.normal_world,
                device: view.device,
                write: view.write,
                execute: view.execute,
                hidden: false,
            };
            if who == NORMAL_WORLD {
                continue;
            }
            let before = self.sees.insert((who, page), sight);
            assert_eq!(before, None, "{who:?} has {page:#x} already");
        }
        Ok(())
    }

    fn revoke(&mut self, who: Party, pieces: Pieces<'_>, view: View) -> Result<(), FfaError> {
        self.may_fail()?;
        for page in pieces.flat_map(each) {
            if who == NORMAL_WORLD {
                continue;
            }
            let sight = self.sees.remove(&(who, page));
            let sight = sight.unwrap_or_else(|| panic!("{who:?} has no {page:#x}"));
            assert_eq!((sight.write, sight.hidden), (view.write, false));
            assert_eq!(sight.normal_world, view.normal_world);
        }
        Ok(())
    }

    fn hide(&mut self, who: Party, pieces: Pieces<'_>, normal_world: bool) -> Result<(), FfaError> {
        self.may_fail()?;
        for page in pieces.flat_map(each) {
            let sight = self.sees.get_mut(&(who, page));
            let sight = sight.unwrap_or_else(|| panic!("{who:?} has no {page:#x}"));
            assert!(!sight.hidden && sight.normal_world == normal_world);
            sight.hidden = true;
        }
        Ok(())
    }

    fn show(&mut self, who: Party, pieces: Pieces<'_>, normal_world: bool) {
        for page in pieces.flat_map(each) {
            let sight = self.sees.get_mut(&(who, page));
            let sight = sight.unwrap_or_else(|| panic!("{who:?} has no {page:#x}"));
            assert!(sight.hidden && sight.normal_world == normal_world);
            sight.hidden = false;
        }
    }

    fn give_up(&mut self, who: Party, pieces: Pieces<'_>, normal_world: bool) {
        for page in pieces.flat_map(each) {
            let sight = self.sees.remove(&(who, page));
            assert!(sight.is_some_and(|it| it.hidden && it.normal_world == normal_world));
        }
    }

    fn zero(&mut self, pieces: Pieces<'_>, normal_world: bool) {
        for page in pieces.flat_map(each) {
            self.content.insert(page, 0);
            let mut sights = self.sees.iter().filter(|((_, it), _)| *it == page);
            assert!(sights.all(|(_, it)| !it.device && it.normal_world == normal_world));
        }
    }
}
