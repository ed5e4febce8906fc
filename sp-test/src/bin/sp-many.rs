//! The partition `sp-many` (S-EL1): one image for many partitions of one system, each of which is who its
//! id says.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use sp_test::{abi, many, partition, rt::entry::Boot};

    fn main(boot: &Boot) -> ! {
        let id = partition::own_id();
        partition::run(
            partition::Config {
                name: "sp-many",
                uuid: many::uuid(id),
                peer: abi::ECHO,
                peer_uuid: abi::ECHO_UUID,
                transform: many::transform(id),
            },
            boot,
        )
    }

    sp_test::image!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("sp-many is firmware: build it for aarch64-unknown-none-softfloat");
}
