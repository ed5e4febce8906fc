//! The partition `sp-relay` (S-EL1): like `sp-echo` with a transformation of its own; the one that
//! `sp-echo` calls.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use sp_test::{abi, partition, rt::entry::Boot, transform};

    fn main(boot: &Boot) -> ! {
        partition::run(
            partition::Config {
                name: "sp-relay",
                uuid: abi::RELAY_UUID,
                peer: abi::ECHO,
                peer_uuid: abi::ECHO_UUID,
                transform: transform::RELAY,
            },
            boot,
        )
    }

    sp_test::image!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("sp-relay is firmware: build it for aarch64-unknown-none-softfloat");
}
