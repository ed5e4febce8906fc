//! The client `client-run`: a short conversation with both partitions, for a human to read.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::run::main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-run is firmware: build it for aarch64-unknown-none-softfloat");
}
