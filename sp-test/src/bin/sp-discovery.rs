//! The partitions of the discovery boots: one image, which knows by its place which of them it is.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::partition::discovery::run);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("sp-discovery is firmware: build it for aarch64-unknown-none-softfloat");
}
