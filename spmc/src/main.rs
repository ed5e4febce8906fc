//! The S-EL2 image: joins the pure core to the machine.
//!
//! TF-A's BL31 (the SPMD) starts it at `_start`, with the SPMC manifest's address in x0. It brings
//! up the machine, loads the partitions, lets each initialise, and then serves the normal world.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod image;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!(
        "spmc is firmware: build it for aarch64-unknown-none-softfloat, or `cargo xtask run`"
    );
    std::process::exit(2);
}
