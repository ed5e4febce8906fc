//! What a transaction does to the parties' stage 2.

use super::{Party, Pieces, View};
use crate::error::FfaError;

/// The stage 2 of the parties. `pieces` is all of a transaction, in the order in which its sender listed
/// them; none of them overlap. Each call is all or nothing.
///
/// The normal world has no stage 2 at the SPMC: there, nothing is to be done for
/// [`Party::OTHER_WORLD`].
pub trait Estates {
    /// A borrower gets pages, each at its own address. NO_MEMORY if there are no tables for it.
    fn grant(&mut self, who: Party, pieces: Pieces<'_>, view: View) -> Result<(), FfaError>;

    /// A borrower loses what it was granted. NO_MEMORY if a block can't be split.
    fn revoke(&mut self, who: Party, pieces: Pieces<'_>, view: View) -> Result<(), FfaError>;

    /// An owner loses sight of pages that it keeps owning. NO_MEMORY if a block can't be split. What is
    /// needed to undo it is kept.
    fn hide(&mut self, who: Party, pieces: Pieces<'_>, normal_world: bool) -> Result<(), FfaError>;

    /// The owner sees hidden pages as before. The owner may be dead.
    fn show(&mut self, who: Party, pieces: Pieces<'_>, normal_world: bool);

    /// Hidden pages are another's for good: they are never shown again.
    fn give_up(&mut self, who: Party, pieces: Pieces<'_>, normal_world: bool);

    /// Zeroes pages, which are normal memory. It may come while somebody has access to them.
    fn zero(&mut self, pieces: Pieces<'_>, normal_world: bool);
}
