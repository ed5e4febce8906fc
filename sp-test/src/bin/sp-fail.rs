//! A partition whose initialisation fails: its first call is FFA_ERROR with ABORTED.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use sp_test::{
        abi,
        rt::{
            call::{self, Conduit},
            entry::Boot,
        },
    };

    fn main(_: &Boot) -> ! {
        let mut regs = [0; 18];
        regs[0] = abi::ERROR.into();
        regs[2] = abi::code(abi::ABORTED);
        call::call(Conduit::Smc, &mut regs);
        panic!("FFA_ERROR returned {:#x}", regs[0]);
    }

    sp_test::image!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("sp-fail is firmware: build it for aarch64-unknown-none-softfloat");
}
