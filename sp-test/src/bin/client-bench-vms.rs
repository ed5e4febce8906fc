//! The client `client-bench-vms`: round trips in a system of eight VMs, with a partition and with one of the VMs.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    sp_test::image!(sp_test::client::bench::vms);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("client-bench-vms is firmware: build it for aarch64-unknown-none-softfloat");
}
