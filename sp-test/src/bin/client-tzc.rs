//! The client `client-tzc`: the normal world touches secure memory.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::tzc::main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-tzc is firmware: build it for aarch64-unknown-none-softfloat");
}
