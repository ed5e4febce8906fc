//! The client `client-life-external`: a partition whose device answers nothing.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::life::external::main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-life-external is firmware: build it for aarch64-unknown-none-softfloat");
}
