//! Everything that is refused: each row of the tables, with its error, and then proof that nothing is left of it. Rows are
//! numbered as the project's tables of checks are: first those of a send, then FFA_MEM_FRAG_TX, retrieving, giving back,
//! taking back, FFA_MEM_FRAG_RX and FFA_MEM_PERM_GET/SET.

mod fragments;
mod others;
mod receivers;
mod retrieves;
mod sends;

use super::{Check, Deal, PAGE, Party, Range, Suite, Wrong, may_give, offer, request};

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    sends::run(suite);
    receivers::run(suite);
    fragments::run(suite);
    retrieves::run(suite);
    others::run(suite);
}
