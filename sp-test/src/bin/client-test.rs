//! The client `client-test`: the QEMU suite, one `@case` line per case.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::test::main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-test is firmware: build it for aarch64-unknown-none-softfloat");
}
