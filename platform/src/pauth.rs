//! Pointer authentication keys. EL3 keeps those of each world; between partitions they are ours.
//! APIAKey is not here: it is switched with the general registers.

use crate::{read_sysreg, write_sysreg};

macro_rules! keys {
    ($($field:ident = $name:literal;)*) => {
        /// Four of the five 128-bit keys of one guest.
        #[derive(Clone, Debug)]
        #[allow(missing_docs)] // The names are the registers'.
        pub struct Keys { $(pub $field: u64,)* }

        impl Keys {
            /// All zero.
            pub const RESET: Self = Self { $($field: 0,)* };

            /// Saves the live keys.
            pub fn save(&mut self) {
                $(self.$field = read_sysreg!($name);)*
            }

            /// Makes these the live keys.
            pub fn load(&self) {
                // SAFETY: The image's own code uses no keys; those of the guest that is about to
                // run are its own.
                unsafe { $(write_sysreg!($name, self.$field);)* }
            }
        }
    };
}

keys! {
    ib_low = "S3_0_C2_C1_2";
    ib_high = "S3_0_C2_C1_3";
    da_low = "S3_0_C2_C2_0";
    da_high = "S3_0_C2_C2_1";
    db_low = "S3_0_C2_C2_2";
    db_high = "S3_0_C2_C2_3";
    ga_low = "S3_0_C2_C3_0";
    ga_high = "S3_0_C2_C3_1";
}

/// A key that nobody can guess, as far as the CPU has random numbers; otherwise one that differs each time.
pub fn fresh_key() -> [u64; 2] {
    /// ID_AA64ISAR0_EL1.RNDR.
    const RNDR_SHIFT: u32 = 60;
    let mut seed = read_sysreg!("cntpct_el0");
    if read_sysreg!("id_aa64isar0_el1") >> RNDR_SHIFT != 0 {
        seed ^= read_sysreg!("S3_3_C2_C4_0");
    }
    let low = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [low, low.rotate_left(29) ^ seed]
}

impl Keys {
    /// Four keys of [`fresh_key`].
    pub fn fresh() -> Self {
        let [
            [ib_low, ib_high],
            [da_low, da_high],
            [db_low, db_high],
            [ga_low, ga_high],
        ] = core::array::from_fn(|_| fresh_key());
        Self {
            ib_low,
            ib_high,
            da_low,
            da_high,
            db_low,
            db_high,
            ga_low,
            ga_high,
        }
    }
}
