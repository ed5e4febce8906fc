//! A VM that calls at random above an EL3 that answers at random: what reaches EL3 is always this
//! VM's, and nothing reaches the VM that its call's completion does not hold.

use super::fixture::*;
use crate::{forward::Upstream, proxy::Next};
use ffa_abi::{
    EndpointId, Fid, Regs, Version,
    fid::{FidKind, WIDE_BIT, raw::*},
    id::Endpoints,
    smccc::{SVE_HINT, psci},
};
use proptest::prelude::*;

/// EL3 that answers with the given identifiers in turn, and marks in all other registers.
struct Random<'a> {
    answers: &'a [u32],
    taken: usize,
    own: u32,
    asked: Vec<Regs>,
    last: Option<Regs>,
}

impl crate::forward::El3 for Random<'_> {
    fn smc(&mut self, regs: &mut Regs) {
        self.asked.push(*regs);
        let fid = self.answers[self.taken % self.answers.len()];
        self.taken += 1;
        *regs = Regs(core::array::from_fn(|_| mark()));
        regs[0] = fid.into();
        // Answers to somebody else are another test's.
        regs[1] = regs[1] & !0xffff | u64::from(VM.0);
        self.last = Some(*regs);
    }
}

impl Host for Random<'_> {
    fn console(&mut self, from: EndpointId, _: u8) {
        assert_eq!(from, VM);
    }

    fn take_own_interrupts(&mut self) -> bool {
        self.own = self.own.saturating_sub(1);
        self.own > 0
    }
}

one_vm!(Random<'_>);

super::spmc::no_memory!(Random<'_>);

fn completions() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => prop::sample::select(vec![
            DIRECT_RESP_32, DIRECT_RESP_64, DIRECT_RESP2, INTERRUPT, ERROR, YIELD, MSG_WAIT,
            SUCCESS_32, SUCCESS_64, 0xffff_ffff,
        ]),
        1 => any::<u32>(),
    ]
}

fn identifiers() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => prop::sample::select(vec![DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2, RUN]),
        2 => (0x60u32..0xf0, any::<bool>())
            .prop_map(|(low, wide)| 0x8400_0000 | low | if wide { WIDE_BIT } else { 0 }),
        1 => (0u32..0x20).prop_map(|low| 0x8400_0000 | low),
        1 => any::<u32>(),
    ]
}

fn endpoints() -> impl Strategy<Value = u64> {
    let id = || {
        prop_oneof![
            4 => prop::sample::select(vec![VM.0, SP.0]),
            1 => any::<u16>(),
        ]
    };
    (id(), id(), any::<u32>()).prop_map(|(sender, receiver, high)| {
        u64::from(high) << 32 | u64::from(sender) << 16 | u64::from(receiver)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 20_000 }))]

    #[test]
    fn what_goes_up_is_the_vms_and_what_comes_down_is_its_completion(
        fid in identifiers(),
        hint: bool,
        x1 in endpoints(),
        x2 in prop_oneof![3 => Just(0u64), 1 => any::<u64>()],
        minor in 0u16..4,
        direct2: bool,
        answers in prop::collection::vec(completions(), 1..4),
        own in 0u32..4,
    ) {
        let version = Version::new(1, minor);
        let upstream = Upstream { version: Version::V1_3, spm_id: EndpointId::SPMC, direct2, rx: 0, info_regs: false, sri: None, indirect: false, notifications: false };
        let mut vm = OneVm::new(VM, 0..0, ffa_abi::contract::Mode::Permissive);
        let mut el3 = Random { answers: &answers, taken: 0, own, asked: vec![], last: None };
        let mut x = frame(&[VERSION.into(), version.raw().into()]);
        prop_assert_eq!(vm.handle(&upstream, &mut x, &mut el3), Next::Vcpu);
        prop_assert_eq!(vm.version(), version);

        let mut call: Frame = core::array::from_fn(|_| mark());
        call[0] = u64::from(fid | if hint { SVE_HINT } else { 0 }) | 0xabcd << 48;
        (call[1], call[2]) = (x1, x2);
        x = call;
        let next = vm.handle(&upstream, &mut x, &mut el3);
        let fid = fid & !SVE_HINT;
        match fid {
            psci::SYSTEM_OFF => prop_assert_eq!(next, Next::PowerOff),
            psci::SYSTEM_RESET => prop_assert_eq!(next, Next::Reset),
            psci::CPU_SUSPEND_32 | psci::CPU_SUSPEND_64 => prop_assert_eq!(next, Next::Idle),
            _ => prop_assert_eq!(next, Next::Vcpu),
        }
        prop_assert_eq!(x[18..].to_vec(), call[18..].to_vec(), "x18-x30");

        // Upwards.
        for (n, regs) in el3.asked.iter().enumerate() {
            let first = n == 0;
            if first && fid & !WIDE_BIT != RUN {
                let ids = Endpoints::from_register(regs[1]);
                prop_assert_eq!(ids.sender, VM);
                prop_assert!(ids.receiver.is_secure());
                prop_assert_eq!(*regs, asked(&call));
                prop_assert!(fid != DIRECT_REQ2 || direct2 && minor >= 2);
            } else {
                prop_assert_eq!(regs.w::<0>(), RUN);
                prop_assert_eq!(regs[0] >> 32 | regs[1] >> 32, 0);
                prop_assert_eq!(regs.0[2..].to_vec(), vec![0; 16]);
                if first {
                    prop_assert!(EndpointId((regs[1] >> 16) as u16).is_partition());
                    prop_assert_eq!(regs[1], call[1] & 0xffff_ffff);
                }
            }
        }

        // Downwards.
        let ffa = matches!(Fid::decode(fid.into()), FidKind::Ffa(_) | FidKind::UnknownFfa);
        let written = match el3.last {
            None if ffa => 8,
            None => 1,
            Some(last) if matches!(last.w::<0>() & !SVE_HINT, DIRECT_RESP2 | DIRECT_REQ2) => 18,
            Some(_) => 8,
        };
        prop_assert_eq!(x[written..].to_vec(), call[written..].to_vec(), "x{} to x30", written);
        if let Some(last) = el3.last {
            if x[0] == u64::from(ERROR) && last.w::<0>() != ERROR {
                // Replaced: nothing of EL3's registers is left in it.
                prop_assert_eq!(x[1], 0);
                prop_assert_eq!(x[3..8].to_vec(), vec![0; 5]);
            } else {
                let mask = if last.w::<0>() & WIDE_BIT == 0 { 0xffff_ffff } else { u64::MAX };
                for n in 0..written {
                    prop_assert_eq!(x[n], last[n] & mask, "x{}", n);
                }
            }
        } else {
            // Answered here: nothing of the VM's own arguments comes back as a result.
            for (n, value) in x.iter().enumerate().take(written).skip(1) {
                prop_assert_eq!(value >> 32, 0, "x{}", n);
            }
        }
    }
}
