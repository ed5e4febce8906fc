//! Borrowing: state-machines rows 4 to 27 of RETRIEVE, and RELINQUISH.

use crate::rig::*;
use ffa_abi::{
    FfaError,
    memory::{
        Attributes, DataAccess, Handle, InstructionAccess, RelinquishFlags, TransactionFlags,
        TransactionKind,
    },
    sharing::{Party, Retrieve, Send},
};

mod back;
mod done;
mod how;
mod who;

const PARTS: [(u64, u32); 1] = [(MEMORY, 2)];

/// A's two pages to `to`, the transaction changed by `sent`, are not retrieved by B with `wanted`, and
/// are without.
#[track_caller]
fn refused_of(
    (kind, to): (TransactionKind, &[Party]),
    sent: impl FnOnce(&mut Send),
    error: FfaError,
    wanted: impl FnOnce(&mut Retrieve),
) {
    let mut world = World::new();
    let mut it = send(kind, A, to, &PARTS);
    sent(&mut it);
    let handle = world.give(A, &it, &PARTS).unwrap();
    let mut request = world.request(handle, B);
    wanted(&mut request);
    world.refuses(error, |world| world.retrieve(B, &request));
    world.retrieves(B, handle);
}

#[track_caller]
fn refused(kind: TransactionKind, error: FfaError, wanted: impl FnOnce(&mut Retrieve)) {
    refused_of((kind, &[B]), |_| (), error, wanted);
}
