//! The client `client-life-propagate`: a partition whose end is everybody's.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::life::propagate::main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-life-propagate is firmware: build it for aarch64-unknown-none-softfloat");
}
