//! The partition `sp-keep` (S-EL1): counts the lives of others.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::life::keeper::run);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("sp-keep is firmware: build it for aarch64-unknown-none-softfloat");
}
