//! The short way of `FFA_MEM_SHARE` and `LEND` of one range of pages to one partition, and of taking it back.
//!
//! As that of direct messages it only knows how to succeed: what is not the plain good case goes the general way, which
//! finds the error. Where the VM and the SPMC speak 1.2 or later both have the same layout of a descriptor: once every
//! word of it was looked at, the SPMC gets the copy as it is.

use super::{Given, State, forward, party};
use crate::{
    proxy::{Machine, Next, Pe, Proxy},
    vcpu::Registers,
};
use ffa_abi::{
    EndpointId, Function, Regs, Reply, Version, copy_registers,
    fid::raw,
    memory::{
        Handle, ReclaimFlags,
        request::single::{self, OFFER},
    },
    sharing::{Party, Single},
};

/// Bytes of a descriptor with one receiver and one constituent.
const LENGTH: u32 = single::bytes(OFFER);

const SHARE: u32 = Function::MemShare.raw32();
const SHARE_64: u32 = Function::MemShare.raw64();
const LEND: u32 = Function::MemLend.raw32();
const LEND_64: u32 = Function::MemLend.raw64();
const RECLAIM: u32 = Function::MemReclaim.raw32();

/// What a descriptor offers, if it is what the short way is for. `sender` is the VM. Its implementation defined value only
/// who keeps its access compares.
#[inline(always)]
fn read(words: &[u64; OFFER], share: bool, sender: EndpointId) -> Option<Single> {
    let (mut single, _) = single::offer(words, share, sender)?;
    single.receiver.party = Some(Party::OTHER_WORLD);
    Some(single)
}

/// x0 to x17 of a call of EL3.
#[inline(always)]
fn ask(el3: &mut Regs, fid: u32, arguments: [u64; 3]) {
    // As a value that nothing is known of: else it becomes a call of memset, which costs several times as much.
    let zeros = [core::hint::black_box(0u64); 18];
    copy_registers!(el3, zeros, u64::MAX, 4 5, 6 7, 8 9, 10 11, 12 13, 14 15, 16 17);
    el3[0] = fid.into();
    [el3[1], el3[2], el3[3]] = arguments;
}

impl<'v, R: Registers> Proxy<'v, R> {
    /// A call about memory, if it is one that the short way is for.
    #[inline(always)]
    pub(crate) fn fast_memory(
        &self,
        pe: &mut Pe<'v, R>,
        fid: u32,
        machine: &mut impl Machine<R>,
    ) -> Option<Next> {
        match fid {
            SHARE | SHARE_64 => self.fast_send::<true, _>(pe, machine),
            LEND | LEND_64 => self.fast_send::<false, _>(pe, machine),
            RECLAIM => self.fast_reclaim(pe, machine),
            _ => None,
        }
    }

    #[inline(never)]
    fn fast_send<const SHARED: bool, M: Machine<R>>(
        &self,
        pe: &mut Pe<'v, R>,
        machine: &mut M,
    ) -> Option<Next> {
        let Pe { chain, el3, .. } = pe;
        let vcpu = chain.last_mut()?;
        let index = vcpu.id().vm;
        let vm = self.vm(index)?;
        let shares = self.shares?;
        let x = vcpu.machine.x();
        let one_piece = x[1] as u32 == LENGTH && x[2] as u32 == LENGTH;
        let same = vm.version.is_locked_at(Version::V1_2) && self.upstream.version >= Version::V1_2;
        if !one_piece || !same || x[3] | x[4] != 0 || self.upstream.rx == 0 {
            return None;
        }
        let buffers = vm.buffers.lock();
        let tx = buffers.as_ref()?.tx.start;
        let mut state = shares.lock();
        let words = machine.pass_words::<OFFER>(tx).ok()?;
        let single = read(&words, SHARED, vm.info.id)?;
        let local = state.map.send_single(party(index), &single, machine)?;

        let fid = if SHARED { SHARE } else { LEND };
        let length = u64::from(LENGTH);
        ask(el3, fid, [length, length, 0]);
        machine.smc(el3);
        if el3.w::<0>() != raw::SUCCESS_32 {
            let error = forward::refusal(el3, machine);
            let owner = party(index);
            let back = state
                .map
                .reclaim(owner, local, ReclaimFlags::empty(), machine);
            debug_assert_eq!(back, Ok(()));
            Reply::error(error).write(x);
            return Some(Next::Vcpu);
        }
        let handle = Handle::from_success(el3);
        let one = Given {
            handle,
            local,
            vm: index,
            donated: false,
        };
        let State { map, given, .. } = &mut *state;
        given.note(one, map, machine);
        let (low, high) = handle.words();
        let zeros = [core::hint::black_box(0u64); 8];
        copy_registers!(x, zeros, u64::MAX, 4 5, 6 7);
        (x[0], x[1]) = (raw::SUCCESS_32.into(), 0);
        (x[2], x[3]) = (low.into(), high.into());
        Some(Next::Vcpu)
    }

    #[inline(never)]
    fn fast_reclaim(&self, pe: &mut Pe<'v, R>, machine: &mut impl Machine<R>) -> Option<Next> {
        let Pe { chain, el3, .. } = pe;
        let vcpu = chain.last_mut()?;
        let index = vcpu.id().vm;
        let vm = self.vm(index)?;
        let x = vcpu.machine.x();
        let handle = Handle::from_words(x[1] as u32, x[2] as u32);
        let flags = x[3] & 0xffff_ffff;
        if !vm.version.is_locked_at(Version::V1_0) || flags > ReclaimFlags::ZERO.bits().into() {
            return None;
        }
        let mut state = self.shares?.lock();
        let State { map, given, .. } = &mut *state;
        let place = given.find(handle)?;
        let one = given.get(place)?;
        if one.vm != index || one.donated {
            return None;
        }
        ask(
            el3,
            RECLAIM,
            [x[1] & 0xffff_ffff, x[2] & 0xffff_ffff, flags],
        );
        machine.smc(el3);
        if el3.w::<0>() != raw::SUCCESS_32 {
            let error = forward::refusal(el3, machine);
            Reply::error(error).write(x);
            return Some(Next::Vcpu);
        }
        given.remove(place);
        let back = map.reclaim(party(index), one.local, ReclaimFlags::empty(), machine);
        debug_assert_eq!(back, Ok(()));
        Reply::success(0).write(x);
        Some(Next::Vcpu)
    }
}
