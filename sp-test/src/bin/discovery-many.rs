//! The client of the boot whose partitions have more services than a page has room for.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use sp_test::{client, rt::entry::Boot};

    fn main(boot: &Boot) -> ! {
        client::discovery::many("discovery-many", boot)
    }

    sp_test::image!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("discovery-many is firmware: build it for aarch64-unknown-none-softfloat");
}
