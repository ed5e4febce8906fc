//! The client `client-many`: a system of twelve partitions.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::many::main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-many is firmware: build it for aarch64-unknown-none-softfloat");
}
