//! The NS-EL2 image: joins the pure proxy core to the machine.
//!
//! TF-A starts it at `_start` as BL33. It takes the machine, puts its VM under stage 2 at EL1, and
//! mediates the VM's calls.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod image;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!(
        "proxy-el2 is firmware: build it for aarch64-unknown-none-softfloat, or `cargo xtask run`"
    );
    std::process::exit(2);
}
