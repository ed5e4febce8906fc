//! The partition `sp-life-error` (S-EL1): `sp-life`, which fails its first initialisation.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use sp_test::{
        life::{Order, partition},
        rt::entry::Boot,
    };

    fn main(boot: &Boot) -> ! {
        partition::run(Some(Order::Error), boot)
    }

    sp_test::image!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("sp-life-error is firmware: build it for aarch64-unknown-none-softfloat");
}
