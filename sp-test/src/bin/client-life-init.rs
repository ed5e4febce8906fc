//! The client `client-life-init`: partitions that failed their first initialisation.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::life::init::main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-life-init is firmware: build it for aarch64-unknown-none-softfloat");
}
