//! The partition `sp-echo` (S-EL1): answers messages with its own transformation, and does what a
//! client asks for.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use sp_test::{abi, partition, rt::entry::Boot, transform};

    fn main(boot: &Boot) -> ! {
        partition::run(
            partition::Config {
                name: "sp-echo",
                uuid: abi::ECHO_UUID,
                peer: abi::RELAY,
                peer_uuid: abi::RELAY_UUID,
                transform: transform::ECHO,
            },
            boot,
        )
    }

    sp_test::image!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("sp-echo is firmware: build it for aarch64-unknown-none-softfloat");
}
