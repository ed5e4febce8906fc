//! What FFA_FEATURES says of these calls, to whom.

use super::{Check, Deal, Party, Suite, offer, request};
use crate::abi::{self, NOT_SUPPORTED};
use crate::memory::descriptor::{NON_SECURE, NORMAL};

/// A borrower counts what it retrieves in so many bits, less one.
const COUNTER: u64 = 7;
/// It understands the NS bit.
const NS_BIT: u64 = 1 << 1;
/// The normal world's hypervisor may retrieve.
const HYPERVISOR: u64 = 1 << 2;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for party in suite.everybody().iter() {
        let who = party.who.name;
        suite.named(format_args!("features/{who}/sending"), |_| sending(party));
        suite.named(
            format_args!("features/{who}/fragments_and_giving_back"),
            |_| plain(party),
        );
        suite.named(format_args!("features/{who}/retrieving"), |_| {
            retrieving(party)
        });
        if party.who.is_partition() {
            suite.named(format_args!("features/{who}/permissions"), |_| {
                permissions(party)
            });
        }
    }
}

fn query(party: &Party, id: u32, input: u64) -> Result<super::Answer, super::Wrong> {
    party.call(abi::FEATURES, &[id.into(), input])
}

/// Both forms; no buffers of their own.
fn sending(party: &Party) -> Check {
    for id in [abi::MEM_DONATE, abi::MEM_LEND, abi::MEM_SHARE] {
        for id in [id, id | abi::WIDE] {
            query(party, id, 0)?.done(party, "FFA_FEATURES")?;
        }
    }
    Ok(())
}

fn plain(party: &Party) -> Check {
    for id in [
        abi::MEM_RELINQUISH,
        abi::MEM_RECLAIM,
        abi::MEM_FRAG_RX,
        abi::MEM_FRAG_TX,
    ] {
        query(party, id, 0)?.done(party, "FFA_FEATURES")?;
    }
    Ok(())
}

fn retrieving(party: &Party) -> Check {
    let old = party.who.is_partition() && party.who.version == abi::V1_0;
    for id in [abi::MEM_RETRIEVE_REQ, abi::MEM_RETRIEVE_REQ | abi::WIDE] {
        // Who has 1.0 gets the NS bit once it has said that it knows it: later.
        let input = if old { 0 } else { NS_BIT };
        let answer = query(party, id, input)?.handle(party, "FFA_FEATURES")?;
        party.equal("bits of the counter", answer >> 32, COUNTER)?;
        if !party.who.is_partition() || old {
            continue;
        }
        party.equal("properties", answer & 0xffff_ffff, NS_BIT | HYPERVISOR)?;
        query(party, id, 0)?.refused(party, "FFA_FEATURES", NOT_SUPPORTED)?;
    }
    Ok(())
}

/// 1.0 is told of the normal world's memory when it has said that it knows the bit.
pub(super) fn ns_bit(suite: &mut Suite) {
    suite.case("features/ns_bit_for_1_0_that_asks_for_it", |suite| {
        let (me, borrower) = (&suite.me, &suite.partitions()[0]);
        let all = suite.pages(me, 1);
        let form = offer(Deal::Share, me, &[*borrower], &[all]);
        let handle = suite.send(me, Deal::Share, &form)?;
        let asked = request(Deal::Share, &form, handle, borrower);
        let before = suite.retrieve(borrower, &asked)?;
        query(borrower, abi::MEM_RETRIEVE_REQ, NS_BIT)?.handle(borrower, "FFA_FEATURES")?;
        let after = suite.retrieve(borrower, &asked)?;
        for _ in 0..2 {
            suite.relinquish(borrower, handle)?;
        }
        suite.reclaim(me, handle)?;
        borrower.equal("attributes before", before.attributes.into(), NORMAL.into())?;
        let with = NORMAL | NON_SECURE;
        borrower.equal("attributes after", after.attributes.into(), with.into())
    });
}

/// These are for partitions at S-EL0.
fn permissions(party: &Party) -> Check {
    for id in [abi::MEM_PERM_GET, abi::MEM_PERM_SET] {
        for id in [id, id | abi::WIDE] {
            query(party, id, 0)?.refused(party, "FFA_FEATURES", NOT_SUPPORTED)?;
        }
    }
    Ok(())
}
