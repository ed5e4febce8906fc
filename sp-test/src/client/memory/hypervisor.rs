//! What only the normal world's hypervisor does: it asks what a handle stands for, and sends for its VMs.

use super::fragments::{Pieces, form_of};
use super::party::Entries;
use super::{Check, Deal, PAGE, Party, Suite, Wrong, offer, request};
use crate::abi::{self, DENIED, INVALID_PARAMETERS, MEM_FRAG_RX, MEM_FRAG_TX, MEM_RETRIEVE_RESP};
use crate::memory::block::Block;
use crate::memory::descriptor::{Access, Form, Layout, Region, flags, permissions};

/// A VM of this hypervisor's; nobody has to know of it.
const VM: u16 = 5;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    if !suite.client.direct {
        return;
    }
    type Case = fn(&Suite) -> Check;
    let cases: [(&str, Case); 9] = [
        ("retrieve", whole),
        ("retrieve_of_two_borrowers", two),
        ("retrieve_in_fragments", fragments),
        ("retrieve_again_before_the_last_fragment", unfinished),
        ("retrieve_with_more_than_the_handle", more),
        ("retrieve_of_no_handle", no_handle),
        ("sends_for_a_vm", for_a_vm),
        ("sends_for_a_vm_in_fragments", for_a_vm_in_fragments),
        ("shares_with_a_vm_too", with_a_vm),
    ];
    for (name, case) in cases {
        suite.named(format_args!("hypervisor/{name}"), case);
    }
}

/// A request with nothing but a handle.
fn only(suite: &Suite, handle: u64) -> Block {
    let mut block = Block::new();
    block.put(8, 8, handle);
    block.length = Layout::of(suite.me.who.version).header;
    block
}

/// Asks for all that a handle stands for, which fits in RX.
fn known(suite: &Suite, handle: u64) -> Result<Form, Wrong> {
    let me = &suite.me;
    let answer = suite.ask_for(me, &only(suite, handle))?;
    let form = suite.response(me, &answer)?;
    suite.release(me)?;
    Ok(form)
}

/// That is what was sent.
fn is(me: &Party, form: &Form, sent: &Form, deal: Deal, handle: u64) -> Check {
    me.equal("sender", form.sender.into(), sent.sender.into())?;
    me.equal("handle", form.handle, handle)?;
    me.equal("tag", form.tag, sent.tag)?;
    me.equal(
        "type",
        (form.flags & flags::TYPE).into(),
        deal.flag().into(),
    )?;
    me.equal(
        "receivers",
        form.receivers.len() as u64,
        sent.receivers.len() as u64,
    )?;
    for (got, sent) in form.receivers.iter().zip(sent.receivers.iter()) {
        me.equal("receiver", got.endpoint.into(), sent.endpoint.into())?;
        let data = |access: &Access| u64::from(access.permissions & permissions::DATA);
        me.equal("data access", data(got), data(sent))?;
    }
    let region = |form: &Form| form.region.unwrap_or(Region::of(&[]));
    let (got, sent) = (region(form), region(sent));
    me.equal("pages", got.pages.into(), sent.pages.into())?;
    me.equal("constituents", got.count.into(), sent.count.into())?;
    for (got, sent) in got.ranges.iter().zip(sent.ranges.iter()) {
        me.equal("constituent", got.base, sent.base)?;
        me.equal(
            "pages of a constituent",
            got.pages.into(),
            sent.pages.into(),
        )?;
    }
    Ok(())
}

fn whole(suite: &Suite) -> Check {
    let me = &suite.me;
    let borrower = suite.partitions()[1];
    for deal in Deal::LOANS {
        let all = suite.pages(me, 3);
        let form = offer(deal, me, &[borrower], &super::kinds::two_of(all));
        let handle = suite.send(me, deal, &form)?;
        is(me, &known(suite, handle)?, &form, deal, handle)?;
        suite.take(deal, &form, handle, &borrower)?;
        // And while it is retrieved, as often as wanted.
        for _ in 0..2 {
            is(me, &known(suite, handle)?, &form, deal, handle)?;
        }
        suite.relinquish(&borrower, handle)?;
        suite.reclaim(me, handle)?;
    }
    Ok(())
}

fn two(suite: &Suite) -> Check {
    let me = &suite.me;
    let [_, one, other, _] = suite.partitions();
    let all = suite.pages(me, 1);
    let form = offer(Deal::Share, me, &[one, other], &[all]);
    let handle = suite.send(me, Deal::Share, &form)?;
    is(me, &known(suite, handle)?, &form, Deal::Share, handle)?;
    suite.reclaim(me, handle)
}

/// 600 constituents.
fn long(suite: &Suite) -> Result<(u64, Entries), Wrong> {
    let me = &suite.me;
    let borrower = suite.partitions()[1];
    let all = suite.pages(me, 600);
    let entries = Entries {
        base: all.base,
        pages: 1,
        stride: PAGE as i64,
        count: 600,
    };
    let form = form_of(Deal::Share, me, &[borrower], &entries);
    let pieces = Pieces {
        first: 200,
        each: 200,
    };
    let handle = suite.send_in_pieces(me, Deal::Share, &form, &entries, pieces)?;
    Ok((handle, entries))
}

fn fragments(suite: &Suite) -> Check {
    let me = &suite.me;
    let (handle, entries) = long(suite)?;
    let layout = Layout::of(me.who.version);
    let rx = me.who.rx();
    let answer = suite.ask_for(me, &only(suite, handle))?;
    answer.is(me, "retrieve", MEM_RETRIEVE_RESP)?;
    let [_, total, first, ..] = answer.x;
    let head = me.get(rx, 256)?;
    let form = Form::read(layout, &head).ok_or_else(|| super::unreadable(me))?;
    let head = form.ranges_offset();
    let mut seen = (first as u32 - head) / 16;
    me.has_entries(rx + u64::from(head), &entries.part(0, seen))?;
    suite.release(me)?;
    let mut offset = first;
    while seen < entries.count {
        let arguments = [handle & 0xffff_ffff, handle >> 32, offset];
        let answer = me.call(MEM_FRAG_RX, &arguments)?;
        answer.is(me, "the next fragment", MEM_FRAG_TX)?;
        let count = answer.x[3] as u32 / 16;
        me.equal("a fragment has something", (count > 0).into(), 1)?;
        me.has_entries(rx, &entries.part(seen, count))?;
        seen += count;
        offset += answer.x[3];
        suite.release(me)?;
    }
    me.equal("bytes that came", offset, total)?;
    suite.reclaim(me, handle)
}

fn unfinished(suite: &Suite) -> Check {
    let me = &suite.me;
    let (handle, _) = long(suite)?;
    let block = only(suite, handle);
    let answer = suite.ask_for(me, &block)?;
    answer.is(me, "retrieve", MEM_RETRIEVE_RESP)?;
    suite.release(me)?;
    suite
        .ask_for(me, &block)?
        .refused(me, "retrieve again", DENIED)?;
    // To the end, and then it may.
    let (total, mut offset) = (answer.x[1], answer.x[2]);
    while offset < total {
        let answer = me.call(MEM_FRAG_RX, &[handle & 0xffff_ffff, handle >> 32, offset])?;
        answer.is(me, "the next fragment", MEM_FRAG_TX)?;
        offset += answer.x[3];
        suite.release(me)?;
    }
    let answer = suite.ask_for(me, &block)?;
    answer.is(me, "retrieve", MEM_RETRIEVE_RESP)?;
    suite.release(me)?;
    suite.reclaim(me, handle)
}

fn more(suite: &Suite) -> Check {
    let me = &suite.me;
    let borrower = suite.partitions()[1];
    let all = suite.pages(me, 1);
    let form = offer(Deal::Share, me, &[borrower], &[all]);
    let handle = suite.send(me, Deal::Share, &form)?;
    for (at, size) in [(0, 2), (2, 2), (4, 4), (16, 8)] {
        let mut block = only(suite, handle);
        block.put(at, size, 8);
        suite
            .ask_for(me, &block)?
            .refused(me, "retrieve", INVALID_PARAMETERS)?;
    }
    is(me, &known(suite, handle)?, &form, Deal::Share, handle)?;
    suite.reclaim(me, handle)
}

fn no_handle(suite: &Suite) -> Check {
    let me = &suite.me;
    let all = suite.pages(me, 1);
    let form = offer(Deal::Share, me, &[suite.partitions()[1]], &[all]);
    let handle = suite.send(me, Deal::Share, &form)?;
    suite.reclaim(me, handle)?;
    for handle in [handle, handle ^ 1, handle | 1 << 63, 0, u64::MAX] {
        suite
            .ask_for(me, &only(suite, handle))?
            .refused(me, "retrieve", INVALID_PARAMETERS)?;
    }
    Ok(())
}

fn for_a_vm(suite: &Suite) -> Check {
    let me = &suite.me;
    let borrower = suite.partitions()[3];
    for deal in Deal::LOANS {
        let all = suite.pages(me, 2);
        let mut form = offer(deal, me, &[borrower], &[all]);
        form.sender = VM;
        let handle = suite.send(me, deal, &form)?;
        // The response names the VM.
        suite.take(deal, &form, handle, &borrower)?;
        is(me, &known(suite, handle)?, &form, deal, handle)?;
        let wrong = request(
            deal,
            &offer(deal, me, &[borrower], &[all]),
            handle,
            &borrower,
        );
        suite.try_retrieve(&borrower, &wrong)?.refused(
            &borrower,
            "retrieve from another sender",
            DENIED,
        )?;
        suite.relinquish(&borrower, handle)?;
        suite.reclaim(me, handle)?;
    }
    Ok(())
}

fn for_a_vm_in_fragments(suite: &Suite) -> Check {
    let me = &suite.me;
    let borrower = suite.partitions()[3];
    let all = suite.pages(me, 8);
    let entries = Entries {
        base: all.base,
        pages: 1,
        stride: PAGE as i64,
        count: 8,
    };
    let mut form = form_of(Deal::Share, me, &[borrower], &entries);
    form.sender = VM;
    let (tx, head) = (me.who.tx(), form.ranges_offset());
    me.put(tx, &form.write())?;
    me.put_entries(tx + u64::from(head), &entries.part(0, 3))?;
    let arguments = [form.total().into(), (head + 48).into()];
    let answer = me.call(abi::MEM_SHARE, &arguments)?;
    answer.is(me, "a fragment", MEM_FRAG_RX)?;
    // It says for whom.
    me.equal("w4 of FFA_MEM_FRAG_RX", answer.x[4], u64::from(VM) << 16)?;
    let [_, low, high, ..] = answer.x;
    me.put_entries(tx, &entries.part(3, 5))?;
    let answer = me.call(MEM_FRAG_TX, &[low, high, 80, u64::from(VM) << 16])?;
    let handle = answer.handle(me, "the last fragment")?;
    let asked = request(Deal::Share, &form, handle, &borrower);
    suite.retrieve_in_pieces(&borrower, &asked, &entries)?;
    suite.relinquish(&borrower, handle)?;
    suite.reclaim(me, handle)
}

/// A VM's own part in it is between it and the hypervisor.
fn with_a_vm(suite: &Suite) -> Check {
    let me = &suite.me;
    let borrower = suite.partitions()[3];
    let all = suite.pages(me, 1);
    let mut form = offer(Deal::Share, me, &[borrower], &[all]);
    form.receivers.push(Access {
        endpoint: VM,
        permissions: permissions::RW,
        ..Access::default()
    });
    let handle = suite.send(me, Deal::Share, &form)?;
    suite.take(Deal::Share, &form, handle, &borrower)?;
    suite.relinquish(&borrower, handle)?;
    suite.reclaim(me, handle)
}
