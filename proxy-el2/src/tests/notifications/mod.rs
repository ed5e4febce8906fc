//! Notifications of VMs, above an SPMC that keeps the rules.

mod calls;
mod features;
mod info;
mod life;
mod search;

use super::indirect::rig::*;

fn ids(sender: u16, receiver: u16) -> u64 {
    u64::from(sender) << 16 | u64::from(receiver)
}

fn bind(sender: u16, receiver: u16, flags: u64, bits: u64) -> [u64; 5] {
    let ids = ids(sender, receiver);
    [BIND.into(), ids, flags, bits & 0xffff_ffff, bits >> 32]
}

fn unbind(sender: u16, receiver: u16, bits: u64) -> [u64; 5] {
    let mut call = bind(sender, receiver, 0, bits);
    call[0] = UNBIND.into();
    call
}

fn set(sender: u16, receiver: u16, flags: u64, bits: u64) -> [u64; 5] {
    let mut call = bind(sender, receiver, flags, bits);
    call[0] = SET.into();
    call
}

fn get(receiver: u16, context: u16, flags: u64) -> [u64; 3] {
    [GET.into(), ids(context, receiver), flags]
}

/// What `GET` answers.
fn pending(partitions: u64, vms: u64, spm: u64, hypervisor: u64) -> [u64; 8] {
    let (low, high) = (|bits: u64| bits & 0xffff_ffff, |bits: u64| bits >> 32);
    [
        ffa_abi::fid::raw::SUCCESS_32.into(),
        0,
        low(partitions),
        high(partitions),
        low(vms),
        high(vms),
        spm,
        hypervisor,
    ]
}
