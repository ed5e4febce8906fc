//! Stage 1 of a partition at EL0: what these trees have beside those of stage 2.

use super::path::Part;
use super::{
    After, Attr, Contents, Flush, Level, Mapping, PAGE_SIZE, Regime, Stage2, Stage2Error, Tables,
    descriptor, edit,
};

impl<'p> Stage2<'p> {
    /// An empty space of virtual addresses, cached under `asid`, which is not 0: that is the image's own. Costs one
    /// table of the pool.
    ///
    /// # Errors
    /// [`Stage2Error::OutOfTables`].
    pub fn for_el0(pool: &'p dyn Tables, asid: u16) -> Result<Self, Stage2Error> {
        let root = pool
            .alloc(Contents::Invalid)
            .ok_or(Stage2Error::OutOfTables)?;
        Ok(Self {
            pool,
            regime: Regime::El0,
            root,
            vmid: asid,
        })
    }

    /// The value of TTBR0_EL2: ASID and root, CnP 0. The same fields as in VTTBR_EL2.
    #[must_use]
    pub const fn ttbr0(&self) -> u64 {
        self.vttbr()
    }

    /// Which translations these are.
    #[must_use]
    pub const fn regime(&self) -> Regime {
        self.regime
    }

    /// Maps a page of the image at its own address, to execute or to write, with nothing for EL0.
    ///
    /// # Errors
    /// As [`Stage2::map`].
    pub fn map_image(
        &mut self,
        page: u64,
        execute: bool,
        flush: &dyn Flush,
    ) -> Result<(), Stage2Error> {
        let mapping = Mapping {
            ipa: page,
            pa: page,
            len: PAGE_SIZE,
            attr: Attr::RO,
        };
        let range = mapping.check()?;
        let mut path = self.path(flush)?;
        // What was linked in vain stays, and is empty: a partition that can't have these pages is refused.
        path.link(range.clone(), &mapping)?;
        let make = |_: &Part, level: Level, bits: u64| match level {
            Level::Three => descriptor::image_page(page, execute),
            _ => bits,
        };
        edit(&mut path, core::iter::once(range), make, false, After::Keep)?;
        flush.publish();
        Ok(())
    }
}
