//! Everything that is refused: each row of the tables, with its error, and then proof that nothing is left of it. Rows are
//! numbered as the project's tables of checks are: first those of a send, then FFA_MEM_FRAG_TX, retrieving, giving back,
//! taking back, FFA_MEM_FRAG_RX and FFA_MEM_PERM_GET/SET.

mod frag_rx;
mod frag_tx;
mod others;
mod receivers;
mod retrieves;
mod sends;

use super::{
    Check, Deal, PAGE, Party, Range, Suite, Wrong, may_give, offer, relinquishment, request,
};

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    sends::run(suite);
    receivers::run(suite);
    frag_tx::run(suite);
    retrieves::run(suite);
    others::run(suite);
    frag_rx::run(suite);
}
