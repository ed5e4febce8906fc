//! What must hold of VMs and the proxy.

use crate::{state::S, world::World};

/// Checks a state.
///
/// # Errors
/// The invariant that is broken, in words.
pub fn check(_world: &World, _s: &S) -> Result<(), String> {
    Ok(())
}
