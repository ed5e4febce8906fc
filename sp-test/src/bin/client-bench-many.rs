//! The client `client-bench-many`: round trips in a system of twelve partitions.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::bench::many);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-bench-many is firmware: build it for aarch64-unknown-none-softfloat");
}
