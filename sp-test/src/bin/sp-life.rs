//! The partition `sp-life` (S-EL1): dies as a client asks.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use sp_test::{life::partition, rt::entry::Boot};

    fn main(boot: &Boot) -> ! {
        partition::run(None, boot)
    }

    sp_test::image!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("sp-life is firmware: build it for aarch64-unknown-none-softfloat");
}
