//! The partition `sp-el0` (S-EL0): permissions of its pages, and everything that would be its end.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::el0_image!(sp_test::el0::partition::run);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("sp-el0 is firmware: build it for aarch64-unknown-none-softfloat");
}
