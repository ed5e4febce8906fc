//! FFA_VERSION after the first use of FF-A, and identifiers.

use super::{Case, Env, Verdict, Wrong, case, for_};
use crate::abi;
use crate::expect::{Expect, Want};

pub(super) const CASES: &[Case] = &[
    case("version_same_again", for_::all, same),
    case("version_other_after_use", for_::all, other),
    case("version_of_no_kind", for_::all, none),
    case("version_same_after_refusals", for_::all, same_after),
    case("id_get", for_::all, id_get),
    case("spm_id_get", for_::all, spm_id_get),
    case("console_log_before_version", for_::partitions, early),
];

fn version(env: &mut Env, step: &'static str, wanted: u32, expect: Expect) -> Verdict {
    env.expect_turn(step, wanted.into(), abi::VERSION, &[wanted.into()], &expect)
        .map(|_| ())
}

/// A VM's manifest allows its version and no higher one: the hypervisor has no more for it.
fn own(env: &Env) -> Expect {
    match env.me.is_vm() {
        true => Expect::VersionIs(env.me.version),
        false => Expect::Version,
    }
}

fn same(env: &mut Env) -> Verdict {
    for _ in 0..3 {
        version(env, "the same", env.me.version, own(env))?;
    }
    Ok(())
}

fn other(env: &mut Env) -> Verdict {
    // Whatever comes first locks. Not FFA_ID_GET: at NS-EL2 it is EL3's to answer.
    let query = [abi::VERSION.into()];
    env.expect("FFA_FEATURES", abi::FEATURES, &query, &super::DONE)?;
    for wanted in [abi::V1_0, abi::V1_1, abi::V1_2, abi::V1_3] {
        if wanted != env.me.version {
            version(env, "another", wanted, Expect::VersionRefused)?;
        }
    }
    Ok(())
}

fn none(env: &mut Env) -> Verdict {
    for wanted in [
        0,
        0x0_0001,
        0x0_ffff,
        0x1_0004,
        0x1_00ff,
        0x1_ffff,
        0x2_0000,
        0x7fff_ffff,
        0x8000_0000,
        0x8001_0000,
        0x8001_0002,
        0xffff_ffff,
    ] {
        version(env, "no version", wanted, Expect::VersionRefused)?;
    }
    Ok(())
}

fn same_after(env: &mut Env) -> Verdict {
    other(env)?;
    version(env, "the same", env.me.version, own(env))
}

fn id_get(env: &mut Env) -> Verdict {
    let expect = Expect::Success {
        w2: Want::Is(env.me.id.into()),
        w3: Want::Is(0),
    };
    env.expect("FFA_ID_GET", abi::ID_GET, &[], &expect)
        .map(|_| ())
}

fn spm_id_get(env: &mut Env) -> Verdict {
    let expect = Expect::Success {
        w2: Want::Is(abi::SPMC.into()),
        w3: Want::Is(0),
    };
    env.expect("FFA_SPM_ID_GET", abi::SPM_ID_GET, &[], &expect)
        .map(|_| ())
}

/// What was found at start.
fn early(env: &mut Env) -> Result<(), Wrong> {
    env.start.early.map_or(Ok(()), Err)
}
