//! The client `client-logical`: a logical partition in EL3.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::logical::main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-logical is firmware: build it for aarch64-unknown-none-softfloat");
}
