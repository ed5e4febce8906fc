//! The client `client-bench`: round trips in tight loops, marked for an instruction counter.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::bench::main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-bench is firmware: build it for aarch64-unknown-none-softfloat");
}
