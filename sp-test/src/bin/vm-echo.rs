//! A VM that answers like `sp-echo` with its own transformation, and does nothing beside: who measures messages between
//! VMs measures little of it.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use sp_test::{abi, partition, rt::entry::Boot, vms};

    fn main(boot: &Boot) -> ! {
        let id = partition::own_id();
        let Some(me) = vms::peer(id, abi::V1_2, false) else {
            panic!("a VM has the id {id:#x}");
        };
        partition::run(
            partition::Config {
                name: me.name,
                uuid: me.uuid(),
                peer: abi::ECHO,
                peer_uuid: abi::ECHO_UUID,
                transform: me.transform(),
            },
            boot,
        )
    }

    sp_test::image!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("vm-echo is firmware: build it for aarch64-unknown-none-softfloat");
}
