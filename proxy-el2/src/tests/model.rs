//! Random calls of buffers and discovery, against a model that knows no more than the VM's RX.

use super::{spmc::*, told::*};
use ffa_abi::{
    FfaError::{self, *},
    Version,
    fid::raw::*,
};
use proptest::prelude::*;

/// The VM's RX: where it is and how long, and whether it is FULL.
#[derive(Default)]
struct Model {
    rx: Option<(u64, u64)>,
    full: bool,
}

fn in_memory(tx: u64, rx: u64, pages: u64) -> bool {
    let good =
        |at: u64| at.is_multiple_of(4096) && at >= BASE && at + pages * 4096 <= BASE + PAGES * 4096;
    (1..=4).contains(&pages) && good(tx) && good(rx) && tx.abs_diff(rx) >= pages * 4096
}

impl Model {
    /// The error that a call gets, and what it changes.
    fn step(&mut self, rig: &Rig, call: &[u64]) -> Result<(), FfaError> {
        let version = rig.vm.version();
        let list = |low, high| told(&rig.spmc.partitions, version, [low, high]);
        match call[0] as u32 {
            RXTX_MAP_64 => {
                if self.rx.is_some() {
                    return Err(Denied);
                }
                if !in_memory(call[1], call[2], call[3]) {
                    return Err(InvalidParameters);
                }
                self.rx = Some((call[2], call[3] * 4096));
                self.full = false;
                Ok(())
            }
            RXTX_UNMAP => {
                if call[1] != 0 || self.rx.is_none() {
                    return Err(InvalidParameters);
                }
                (self.rx, self.full) = (None, false);
                Ok(())
            }
            RX_RELEASE => {
                if call[1] != 0 {
                    return Err(InvalidParameters);
                }
                if !self.full {
                    return Err(Denied);
                }
                self.full = false;
                Ok(())
            }
            INFO_GET => {
                let list = list(call[1] | call[2] << 32, call[3] | call[4] << 32);
                if call[5] > 1 || list.is_empty() {
                    return Err(InvalidParameters);
                }
                if call[5] == 1 {
                    return Ok(());
                }
                match self.rx {
                    Some((_, length)) if !self.full => {
                        if list.len() * size(version) > length as usize {
                            return Err(NoMemory);
                        }
                        self.full = true;
                        Ok(())
                    }
                    _ => Err(Busy),
                }
            }
            INFO_GET_REGS => {
                if version < Version::V1_2 {
                    return Err(NotSupported);
                }
                let (start, tag) = (call[3] & 0xffff, (call[3] >> 16) as u16);
                if tag != if start == 0 { 0 } else { rig.spmc.tag } {
                    return Err(Retry);
                }
                if start as usize >= list(call[1], call[2]).len() {
                    return Err(InvalidParameters);
                }
                Ok(())
            }
            _ => Err(NotSupported),
        }
    }
}

fn words() -> impl Strategy<Value = Words> {
    prop_oneof![
        4 => Just(NIL),
        4 => prop::sample::select(vec![1, 2, 3, 4, 101, 102, 103, 999]).prop_map(uuid),
    ]
}

fn pages() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => (0..PAGES + 4).prop_map(|n| BASE + n * 4096),
        1 => any::<u32>().prop_map(|n| BASE + u64::from(n)),
        1 => any::<u64>().prop_map(|at| at >> 1),
    ]
}

/// A call of buffers or discovery.
pub(super) fn call() -> impl Strategy<Value = Vec<u64>> {
    let id = || prop_oneof![8 => Just(0u64), 1 => 1..0x1_0000u64];
    prop_oneof![
        3 => (pages(), pages(), 0..6u64)
            .prop_map(|(tx, rx, pages)| vec![RXTX_MAP_64.into(), tx, rx, pages]),
        1 => id().prop_map(|id| vec![RXTX_UNMAP.into(), id << 16]),
        2 => id().prop_map(|id| vec![RX_RELEASE.into(), id]),
        3 => (words(), prop_oneof![8 => 0..2u64, 1 => 2..9u64])
            .prop_map(|(uuid, w5)| get(uuid, w5).to_vec()),
        2 => (words(), 0..8u64, 0..3u64)
            .prop_map(|(uuid, start, tag)| get_regs(uuid, start, tag).to_vec()),
        1 => id().prop_map(|id| vec![RX_ACQUIRE.into(), id]),
    ]
}

pub(super) fn config(cases: u32) -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(miri) { 4 } else { cases })
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn random_calls_do_what_the_model_says(
        version in prop::sample::select(VERSIONS.to_vec()),
        tag in 0..3u16,
        calls in prop::collection::vec(call(), 1..40),
    ) {
        let mut rig = Rig::new(version);
        rig.spmc.tag = tag;
        let mut model = Model::default();
        for call in calls {
            let wanted = model.step(&rig, &call);
            let before = rig.spmc.memory.clone();
            rig.call(&call);
            let got = match rig.x[0] as u32 {
                ERROR => Err(FfaError::from_register(rig.x[2]).unwrap()),
                SUCCESS_32 | SUCCESS_64 => Ok(()),
                other => panic!("{other:#x}"),
            };
            prop_assert_eq!(got, wanted, "{:x?}", call);
            prop_assert!(!rig.spmc.full);
            // Only a successful look writes, and only into RX.
            let (start, length) = match model.rx {
                Some((rx, length)) if got.is_ok() && call[0] == u64::from(INFO_GET) => {
                    ((rx - BASE) as usize, length as usize)
                }
                _ => (0, 0),
            };
            let (now, end) = (&rig.spmc.memory, start + length);
            prop_assert!(before[..start] == now[..start] && before[end..] == now[end..]);
            prop_assert_eq!(rig.spmc.open.len(), if model.rx.is_some() { 2 } else { 0 });
        }
    }
}
