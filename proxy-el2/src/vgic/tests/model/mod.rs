//! Random sequences of what devices, guests and cores do.
//!
//! [`exact`]: whoever is kicked looks at once; then each interrupt that a guest takes is the one that a plain GIC would
//! give it, and all that can be read is the same. [`late`]: kicks take their time; then no interrupt is lost or
//! invented, and none is active twice.

mod exact;
mod late;
mod reference;
mod rig;

use proptest::prelude::*;
use rig::{Id, id};

/// Some interrupts of up to three vCPUs: SGIs, PPIs and SPIs, enough to fill list registers.
fn interrupts(vcpus: u8) -> impl Strategy<Value = Id> {
    prop_oneof![
        (
            0..vcpus,
            prop::sample::select(vec![0u32, 1, 15, 16, 27, 31])
        )
            .prop_map(|(v, n)| id(v, n)),
        prop::sample::select(vec![32u32, 33, 34, 63, 64, 255]).prop_map(|n| id(0, n)),
    ]
}
