//! The client `client-record`: one call of each kind from NS-EL2, for a recording of what crosses EL3.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::record::main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-record is firmware: build it for aarch64-unknown-none-softfloat");
}
