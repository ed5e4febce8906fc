//! Transactions whose constituents do not fit in a buffer, or come in smaller pieces than they could: FFA_MEM_FRAG_TX
//! on the way in, FFA_MEM_FRAG_RX on the way out, each with offsets in the layout of who calls.

use super::party::Entries;
use super::{Answer, Check, Deal, PAGE, Party, Range, Suite, Wrong, offer, request};
use crate::abi::{self, MEM_FRAG_RX, MEM_FRAG_TX, MEM_RETRIEVE_RESP};
use crate::memory::descriptor::{Form, Layout, Region};

const SEED: u64 = 0x700;
/// Constituents that fit in no page.
const MANY: u32 = 600;
/// Constituents in pieces that are smaller than they need be.
const SOME: u64 = 36;
/// Constituents that do not fit in four pages.
const MORE: u32 = 1100;

/// How many constituents are sent in the first fragment, and in each further one.
#[derive(Clone, Copy)]
pub(super) struct Pieces {
    /// The first.
    pub first: u32,
    /// The others.
    pub each: u32,
}

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for borrower in suite.partitions() {
        let name = borrower.who.name;
        suite.named(format_args!("fragments/share/of_600_to_{name}"), |suite| {
            many(suite, Deal::Share, &borrower, PAGE as i64)
        });
        suite.named(format_args!("fragments/lend/of_600_to_{name}"), |suite| {
            many(suite, Deal::Lend, &borrower, -(PAGE as i64))
        });
    }
    suite.case("fragments/share/of_1100_by_four_pages", four_pages);
    for lender in suite.everybody().iter() {
        for (name, pieces) in [
            ("one_by_one", Pieces { first: 1, each: 1 }),
            ("one_then_seven_each", Pieces { first: 1, each: 7 }),
            (
                "thirty_then_the_rest",
                Pieces {
                    first: 30,
                    each: 30,
                },
            ),
        ] {
            suite.named(
                format_args!("fragments/lend/{}/{name}", lender.who.name),
                |suite| small(suite, lender, pieces),
            );
        }
    }
    let vms = suite.vms();
    if let Some(borrower) = vms.first() {
        suite.named(format_args!("fragments/share/of_600_to_vm2"), |suite| {
            many(suite, Deal::Share, borrower, PAGE as i64)
        });
    }
}

impl Suite {
    /// Sends constituents in pieces. The form has a region without constituents; gives the handle.
    pub(super) fn send_in_pieces(
        &self,
        lender: &Party,
        deal: Deal,
        form: &Form,
        entries: &Entries,
        pieces: Pieces,
    ) -> Result<u64, Wrong> {
        let (tx, head) = (lender.who.tx(), form.ranges_offset());
        lender.put(tx, &form.write())?;
        lender.put_entries(tx + u64::from(head), &entries.part(0, pieces.first))?;
        let length = head + 16 * pieces.first;
        let arguments = [form.total().into(), length.into()];
        let mut answer = lender.call(deal.id(), &arguments)?;
        let mut sent = pieces.first;
        while sent < entries.count {
            answer.is(lender, "a fragment", MEM_FRAG_RX)?;
            let [_, low, high, offset, x4] = answer.x;
            lender.equal("offset wanted next", offset, (head + 16 * sent).into())?;
            lender.equal("w4 of FFA_MEM_FRAG_RX", x4, 0)?;
            let count = pieces.each.min(entries.count - sent);
            lender.put_entries(tx, &entries.part(sent, count))?;
            sent += count;
            answer = lender.call(MEM_FRAG_TX, &[low, high, (16 * count).into()])?;
        }
        let handle = answer.handle(lender, "the last fragment")?;
        self.open.borrow_mut().push(handle);
        Ok(handle)
    }

    /// Retrieves in as many fragments as it takes, and looks at all constituents. Gives how many fragments came.
    pub(super) fn retrieve_in_pieces(
        &self,
        borrower: &Party,
        asked: &Form,
        entries: &Entries,
    ) -> Result<u32, Wrong> {
        let rx = borrower.who.rx();
        let answer = self.try_retrieve(borrower, asked)?;
        answer.is(borrower, "retrieve", MEM_RETRIEVE_RESP)?;
        let [_, total, first, ..] = answer.x;
        let head = borrower.get(rx, first.min(256) as u32)?;
        let layout = Layout::of(borrower.who.version);
        let form = Form::read(layout, &head).ok_or_else(|| super::unreadable(borrower))?;
        let region = form
            .region
            .ok_or_else(|| borrower.wrong("region in a response", 0, 1))?;
        borrower.equal(
            "constituents in a response",
            region.count.into(),
            entries.count.into(),
        )?;
        let pages = u64::from(entries.count) * u64::from(entries.pages);
        borrower.equal("pages in a response", region.pages.into(), pages)?;
        borrower.equal("bytes of a response", total, form.total().into())?;
        let head = form.ranges_offset();
        let mut offset = first as u32;
        let mut seen = self.constituents(borrower, head, first as u32 - head, entries, 0)?;
        self.release(borrower)?;
        let mut fragments = 1;
        while seen < entries.count {
            let arguments = [
                asked.handle & 0xffff_ffff,
                asked.handle >> 32,
                offset.into(),
            ];
            let answer = borrower.call(MEM_FRAG_RX, &arguments)?;
            answer.is(borrower, "the next fragment", MEM_FRAG_TX)?;
            let [_, low, high, length, x4] = answer.x;
            borrower.equal("handle of a fragment", low | high << 32, asked.handle)?;
            borrower.equal("w4 of FFA_MEM_FRAG_TX", x4, 0)?;
            let more = self.constituents(borrower, 0, length as u32, entries, seen)?;
            borrower.equal("a fragment has something", (more > 0).into(), 1)?;
            seen += more;
            offset += length as u32;
            fragments += 1;
            self.release(borrower)?;
        }
        borrower.equal("constituents that came", seen.into(), entries.count.into())?;
        borrower.equal("bytes that came", offset.into(), total)?;
        Ok(fragments)
    }

    /// Fetches what is missing of a response, and looks at nothing.
    pub(super) fn fetch_rest(&self, borrower: &Party, handle: u64, response: &Answer) -> Check {
        let [_, total, mut came, ..] = response.x;
        self.release(borrower)?;
        while came < total {
            let answer = next(borrower, handle, came, 0)?;
            answer.is(borrower, "the next fragment", MEM_FRAG_TX)?;
            came += answer.x[3];
            self.release(borrower)?;
        }
        Ok(())
    }

    /// The constituents in `bytes` of RX from `at` on are those from number `from` on. Gives how many there are.
    fn constituents(
        &self,
        borrower: &Party,
        at: u32,
        bytes: u32,
        entries: &Entries,
        from: u32,
    ) -> Result<u32, Wrong> {
        borrower.equal("whole constituents", (bytes % 16).into(), 0)?;
        let room = borrower.who.buffers * PAGE;
        borrower.equal(
            "a fragment fits in RX",
            (u64::from(at + bytes) <= room).into(),
            1,
        )?;
        let count = bytes / 16;
        let part = entries.part(from, count);
        borrower.has_entries(borrower.who.rx() + u64::from(at), &part)?;
        Ok(count)
    }
}

/// FFA_MEM_FRAG_RX.
pub(super) fn next(borrower: &Party, handle: u64, offset: u64, w4: u64) -> Result<Answer, Wrong> {
    let arguments = [handle & 0xffff_ffff, handle >> 32, offset, w4];
    borrower.call(MEM_FRAG_RX, &arguments)
}

/// An offer whose constituents come later.
pub(super) fn form_of(deal: Deal, lender: &Party, borrowers: &[Party], entries: &Entries) -> Form {
    let mut form = offer(deal, lender, borrowers, &[]);
    form.region = Some(Region {
        pages: entries.count * entries.pages,
        count: entries.count,
        ..Region::of(&[])
    });
    form
}

/// As many constituents as a buffer of so many pages has room for, first and later.
fn full(form: &Form, pages: u64) -> Pieces {
    let room = (pages * PAGE) as u32;
    Pieces {
        first: (room - form.ranges_offset()) / 16,
        each: room / 16,
    }
}

/// Single pages of the client's in a row, up or down.
fn row(suite: &Suite, lender: &Party, count: u32, stride: i64) -> (Range, Entries) {
    let all = suite.pages(lender, count.into());
    let base = match stride < 0 {
        true => all.base + u64::from(count - 1) * PAGE,
        false => all.base,
    };
    let entries = Entries {
        base,
        pages: 1,
        stride,
        count,
    };
    (all, entries)
}

/// The first, the last and two more pages.
fn some(all: Range) -> [Range; 4] {
    let last = u64::from(all.pages) - 1;
    [0, last / 3, last / 2, last].map(|n| Range {
        base: all.base + n * PAGE,
        pages: 1,
    })
}

fn many(suite: &Suite, deal: Deal, borrower: &Party, stride: i64) -> Check {
    let me = &suite.me;
    let (all, entries) = row(suite, me, MANY, stride);
    let form = form_of(deal, me, &[*borrower], &entries);
    in_pieces(
        suite,
        me,
        borrower,
        (deal, &form),
        all,
        &entries,
        full(&form, 1),
    )?;
    // All of it is back.
    suite.nothing_left(me, borrower, &[all])
}

fn in_pieces(
    suite: &Suite,
    lender: &Party,
    borrower: &Party,
    (deal, form): (Deal, &Form),
    all: Range,
    entries: &Entries,
    pieces: Pieces,
) -> Check {
    for page in some(all) {
        lender.fill(page, SEED)?;
    }
    let handle = suite.send_in_pieces(lender, deal, form, entries, pieces)?;
    let asked = request(deal, form, handle, borrower);
    suite.retrieve_in_pieces(borrower, &asked, entries)?;
    for page in some(all) {
        borrower.holds(page, SEED)?;
        borrower.fill(page, SEED + 1)?;
    }
    suite.relinquish(borrower, handle)?;
    borrower.cannot_reach(all)?;
    suite.reclaim(lender, handle)?;
    for page in some(all) {
        lender.holds(page, SEED + 1)?;
    }
    Ok(())
}

/// A party that thinks nothing of it sends small pieces.
fn small(suite: &Suite, lender: &Party, pieces: Pieces) -> Check {
    let [.., one, other] = suite.partitions();
    let borrower = if lender.who.id == other.who.id {
        one
    } else {
        other
    };
    // Every second page.
    let all = suite.pages(lender, 2 * SOME);
    let entries = Entries {
        base: all.base,
        pages: 1,
        stride: 2 * PAGE as i64,
        count: SOME as u32,
    };
    let form = form_of(Deal::Lend, lender, &[borrower], &entries);
    let handle = suite.send_in_pieces(lender, Deal::Lend, &form, &entries, pieces)?;
    let asked = request(Deal::Lend, &form, handle, &borrower);
    suite.retrieve_in_pieces(&borrower, &asked, &entries)?;
    let page = |n: u64| Range {
        base: all.base + n * PAGE,
        pages: 1,
    };
    for n in [0, 32, 2 * SOME - 2] {
        lender.has_lost(page(n))?;
        borrower.fill(page(n), SEED + n)?;
        lender.fill(page(n + 1), SEED)?;
        borrower.cannot_reach(page(n + 1))?;
    }
    suite.relinquish(&borrower, handle)?;
    suite.reclaim(lender, handle)?;
    for n in [0, 32, 2 * SOME - 2] {
        lender.holds(page(n), SEED + n)?;
    }
    suite.nothing_left(lender, &borrower, &[all])
}

/// The client has buffers of four pages for a while, and so does the borrower.
fn four_pages(suite: &Suite) -> Check {
    let who = suite.me.who;
    let me = Party {
        who: crate::memory::Who { buffers: 4, ..who },
        ..suite.me
    };
    let map = |pages: u64| {
        me.call(abi::RXTX_UNMAP, &[])?.done(&me, "FFA_RXTX_UNMAP")?;
        me.call(abi::RXTX_MAP_64, &[who.tx(), who.rx(), pages])?
            .done(&me, "FFA_RXTX_MAP")
    };
    map(4)?;
    let borrower = suite.partitions()[2];
    let (all, entries) = row(suite, &me, MORE, PAGE as i64);
    let form = form_of(Deal::Share, &me, &[borrower], &entries);
    let pieces = full(&form, 4);
    let result = in_pieces(
        suite,
        &me,
        &borrower,
        (Deal::Share, &form),
        all,
        &entries,
        pieces,
    );
    map(1)?;
    result
}
