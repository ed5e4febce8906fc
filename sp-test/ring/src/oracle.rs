//! The register contract, written down once more from the design's tables and not from the code
//! under test: what a call may find in x0-x30 when it is completed.
//!
//! The oracle does not say *which* completion comes; it says what each may look like. Scripts that
//! expect one compare the [`Kind`] that it returns.

use crate::{
    fid,
    label::{Frame, Label, Origin, describe},
    spmd::Behaviour,
};

/// What completed a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `FFA_VERSION`'s answer: a version, or -1.
    Version(u32),
    /// A function that is not FF-A: x0.
    X0(u64),
    /// `FFA_SUCCESS_32` or `_64`.
    Success,
    /// `FFA_ERROR` with this code.
    Error(i32),
    /// `FFA_MEM_RETRIEVE_RESP`, or a fragment that is wanted or given.
    Memory(u32),
    /// `FFA_INTERRUPT`: w1.
    Interrupt(u32),
    /// `FFA_MSG_WAIT`.
    MsgWait,
    /// `FFA_YIELD`: w1.
    Yield(u32),
    /// `FFA_RUN`.
    Run,
    /// A direct message with this identifier.
    Message(u32),
    /// Nothing: it goes on where it was interrupted.
    Resumed,
}

/// What x8-x17 must be after a completion of eight registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// The endpoint's own.
    Own,
    /// Zero.
    Zero,
}

/// A completion seen by an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Whose registers.
    pub who: Origin,
    /// x0-x30 when it called.
    pub sent: &'a Frame,
    /// x0-x30 now.
    pub got: &'a Frame,
    /// The frame of who sent the message, if it is one.
    pub source: Option<&'a Frame>,
    /// x8-x17 after eight registers.
    pub extended: Extended,
}

/// One row: a completion's identifier, how many registers it writes, whether it carries 32-bit
/// values, and which of x1-x7 it defines.
struct Row {
    id: u32,
    width: usize,
    defined: &'static [usize],
}

const fn row(id: u32, width: usize, defined: &'static [usize]) -> Row {
    Row { id, width, defined }
}

/// Every completion an endpoint can see today.
const TABLE: &[Row] = &[
    row(fid::ERROR, 8, &[2]),
    row(fid::SUCCESS_32, 8, &[2, 3]),
    row(fid::SUCCESS_64, 8, &[2, 3, 4, 5, 6, 7]),
    row(fid::INTERRUPT, 8, &[1, 2]),
    row(fid::RETRIEVE_RESP, 8, &[1, 2]),
    row(fid::FRAG_RX, 8, &[1, 2, 3, 4]),
    row(fid::FRAG_TX, 8, &[1, 2, 3, 4]),
    row(fid::MSG_WAIT_32, 8, &[]),
    row(fid::YIELD_32, 8, &[1, 2, 3]),
    row(fid::RUN_32, 8, &[1]),
    row(fid::REQ_32, 8, &[1, 3, 4, 5, 6, 7]),
    row(fid::REQ_64, 8, &[1, 3, 4, 5, 6, 7]),
    row(fid::REQ2, 18, &[1, 2, 3, 4, 5, 6, 7]),
    row(fid::RESP_32, 8, &[1, 3, 4, 5, 6, 7]),
    row(fid::RESP_64, 8, &[1, 3, 4, 5, 6, 7]),
    row(fid::RESP2, 18, &[1, 4, 5, 6, 7]),
];

/// How many registers the completion `id` of `call` writes.
pub fn width(call: u32, id: u32) -> usize {
    if call == fid::VERSION {
        return 8;
    }
    if (call, id) == (fid::INFO_GET_REGS, fid::SUCCESS_64) {
        return 18;
    }
    TABLE
        .iter()
        .find(|row| row.id == id)
        .map_or(8, |row| row.width)
}

fn is_ffa(call: u32) -> bool {
    call & 0xbfff_ff00 == 0x8400_0000 && (0x60..=0xef).contains(&(call & 0xff))
}

/// Judges one completion: every register of x0-x30.
pub fn judge(seen: &Seen<'_>) -> Result<Kind, String> {
    let Seen { sent, got, .. } = *seen;
    let call = fid::of(sent[0]);
    let fail = |n: usize, want: u64| {
        format!(
            "{}: {} completed by {:#x}: x{n} is {}, wanted {}",
            seen.who,
            fid::name(call),
            got[0],
            describe(got[n]),
            describe(want),
        )
    };
    let wrong = |n: usize, want: u64| Err(fail(n, want));
    let own_from = |first: usize| {
        (first..31)
            .find(|n| got[*n] != sent[*n])
            .map_or(Ok(()), |n| wrong(n, sent[n]))
    };

    if !is_ffa(call) {
        own_from(1)?;
        return Ok(Kind::X0(got[0]));
    }
    // EL3 answers what is above its range with a bare -1.
    if got[0] == u64::MAX && call != fid::VERSION {
        own_from(1)?;
        return Ok(Kind::X0(got[0]));
    }
    let rest = |first: usize| match seen.extended {
        Extended::Own => own_from(first),
        Extended::Zero => match (first..18).find(|n| got[*n] != 0) {
            Some(n) => wrong(n, 0),
            None => own_from(18),
        },
    };
    if call == fid::VERSION {
        for (n, value) in got.iter().enumerate().take(8).skip(1) {
            if *value != 0 {
                return Err(fail(n, 0));
            }
        }
        if got[0] >> 32 != 0 {
            return Err(fail(0, got[0] & 0xffff_ffff));
        }
        own_from(8)?;
        return Ok(Kind::Version(got[0] as u32));
    }

    let Some(row) = TABLE.iter().find(|row| u64::from(row.id) == got[0]) else {
        return Err(format!(
            "{}: {} completed by {}, which is no completion",
            seen.who,
            fid::name(call),
            describe(got[0])
        ));
    };
    let width = width(call, row.id);
    if width == 18 {
        own_from(18)?;
    } else {
        rest(8)?;
    }
    // Results that are not defined are zero, and so are upper halves of 32-bit ones.
    for (n, register) in got.iter().enumerate().take(8).skip(1) {
        let value = if fid::is_wide(row.id) && n != 1 {
            *register
        } else {
            register & 0xffff_ffff
        };
        // Both forms of what asks whom to run have lists up to x7.
        let lists = call == fid::INFO_GET_32 && row.id == fid::SUCCESS_32 && n > 1;
        // And the bitmaps of pending notifications.
        let bitmaps = call == fid::NOTIFICATION_GET && row.id == fid::SUCCESS_32 && n > 1;
        let told = lists || bitmaps || width == 18 && call == fid::INFO_GET_REGS;
        let want = if row.defined.contains(&n) || told {
            value
        } else {
            0
        };
        if *register != want {
            return Err(fail(n, want));
        }
    }
    Ok(match row.id {
        fid::ERROR => Kind::Error(got[2] as u32 as i32),
        fid::SUCCESS_32 | fid::SUCCESS_64 => Kind::Success,
        fid::RETRIEVE_RESP | fid::FRAG_RX | fid::FRAG_TX => Kind::Memory(row.id),
        fid::INTERRUPT => Kind::Interrupt(got[1] as u32),
        fid::MSG_WAIT_32 => Kind::MsgWait,
        fid::YIELD_32 => Kind::Yield(got[1] as u32),
        fid::RUN_32 => Kind::Run,
        id => {
            let Some(source) = seen.source else {
                return Err(format!(
                    "{}: a {} that nobody sent",
                    seen.who,
                    fid::name(id)
                ));
            };
            delivered(id, source, got).map_err(|(n, want)| {
                format!(
                    "{}: {} delivered: x{n} is {}, wanted {}",
                    seen.who,
                    fid::name(id),
                    describe(got[n]),
                    describe(want)
                )
            })?;
            Kind::Message(id)
        }
    })
}

/// Whether `got` is the message `id` of the sender whose registers were `source`.
fn delivered(id: u32, source: &Frame, got: &Frame) -> Result<(), (usize, u64)> {
    if fid::of(source[0]) != id {
        return Err((0, fid::of(source[0]).into()));
    }
    let mask = if fid::is_wide(id) {
        u64::MAX
    } else {
        0xffff_ffff
    };
    let last = width(0, id);
    for n in 1..last {
        let want = match (n, id) {
            (1, _) => source[1] & 0xffff_ffff,
            (2 | 3, fid::RESP2) => 0,
            (2, fid::REQ2) => source[2],
            (2, _) => 0,
            _ => source[n] & mask,
        };
        if got[n] != want {
            return Err((n, want));
        }
    }
    Ok(())
}

/// What x8-x17 of the normal world must be after its `call` was completed by `completion` of eight
/// registers. `versions`: the lower of what both sides speak, as this SPMD believes it, is at least
/// 1.2.
pub fn at_normal_world(
    behaviour: Behaviour,
    new_peers: bool,
    call: u32,
    completion: u64,
) -> Extended {
    let wide = is_ffa(completion as u32) && fid::is_wide(completion as u32);
    if call == fid::VERSION || !wide || fid::is_wide(call) {
        return Extended::Own;
    }
    match behaviour {
        Behaviour::Tfa2_12 => Extended::Zero,
        Behaviour::ByCompletion if new_peers => Extended::Zero,
        Behaviour::ByCompletion => Extended::Own,
    }
}

/// Judges what the SPMC leaves in x8-x17 towards EL3, whose entry was `entry`: the values of the
/// entry, or zero, and the payload in eighteen registers.
pub fn towards_el3(entry: &[u64], left: &[u64]) -> Result<(), String> {
    let (call, completion) = (fid::of(entry[0]), left[0] as u32);
    if left[0] >> 32 != 0 {
        return Err(format!("the SPMC left {:#x} in x0", left[0]));
    }
    if width(call, completion) == 18 {
        return Ok(());
    }
    let zero = fid::is_wide(completion) && !fid::is_wide(call);
    for n in 8..18 {
        let want = if zero { 0 } else { entry[n] };
        if left[n] != want {
            return Err(format!(
                "towards EL3, {} completed by {}: x{n} is {}, wanted {}",
                fid::name(call),
                fid::name(completion),
                describe(left[n]),
                describe(want)
            ));
        }
    }
    Ok(())
}

/// The same in other words, knowing nothing of widths: no label is in an endpoint's registers but
/// its own and those of who sent it the message that it now holds.
pub fn no_foreign_label(
    who: Origin,
    got: &Frame,
    message_from: [Option<Origin>; 2],
) -> Result<(), String> {
    for (n, value) in got.iter().enumerate() {
        for label in Label::of(*value).into_iter().flatten() {
            if label.origin != who && !message_from.contains(&Some(label.origin)) {
                return Err(format!(
                    "{who} sees x{} of {} in its x{n}",
                    label.register, label.origin
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Labels;

    /// A right completion of `call` by the message or answer `id`.
    fn right(call: u32, id: u32) -> (Frame, Frame, Frame) {
        let mut labels = Labels::default();
        let mut sent = labels.frame(Origin::Vm(1));
        sent[0] = call.into();
        let mut source = labels.frame(Origin::Partition(0));
        source[..4].copy_from_slice(&[id.into(), 0x8001_0001, 0, 0]);
        let mut got = sent;
        let width = width(call, id);
        let mask = if fid::is_wide(id) {
            u64::MAX
        } else {
            0xffff_ffff
        };
        if fid::is_response(id) || fid::is_request(id) {
            for n in 0..width {
                got[n] = source[n] & mask;
            }
        } else {
            got[..8].fill(0);
            got[0] = id.into();
        }
        (sent, source, got)
    }

    fn verdict((sent, source, got): &(Frame, Frame, Frame)) -> Result<Kind, String> {
        judge(&Seen {
            who: Origin::Vm(1),
            sent,
            got,
            source: Some(source),
            extended: Extended::Own,
        })
    }

    #[test]
    fn one_wrong_bit_in_any_register_is_seen() {
        for (call, id, free) in [
            (fid::RUN_32, fid::RESP2, &[][..]),
            (fid::MSG_WAIT_32, fid::REQ2, &[]),
            (fid::REQ_64, fid::RESP_64, &[]),
            (fid::REQ_32, fid::RESP_32, &[]),
            // Registers with results that only the cell knows.
            (fid::REQ2, fid::ERROR, &[2]),
            (fid::ID_GET, fid::SUCCESS_32, &[2, 3]),
            (fid::RUN_32, fid::MSG_WAIT_32, &[]),
            (fid::REQ2, fid::INTERRUPT, &[1, 2]),
        ] {
            let case = right(call, id);
            assert!(verdict(&case).is_ok(), "{:?}", verdict(&case));
            for n in 0..31 {
                for bit in [0, 31, 32, 63] {
                    let mut wrong = case;
                    wrong.2[n] ^= 1 << bit;
                    let defined = free.contains(&n) && bit < 32;
                    // Another identifier may be another completion: then the cell sees it.
                    let noticed = verdict(&wrong) != verdict(&case);
                    assert!(noticed || defined, "{id:#x} x{n} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn somebody_elses_label_is_seen_in_either_half() {
        let mut labels = Labels::default();
        let own = labels.frame(Origin::Vm(1));
        let other = labels.frame(Origin::Vm(2));
        for n in 0..31 {
            for mask in [0xffff_ffff, 0xffff_ffff << 32] {
                let mut got = own;
                got[n] = own[n] & !mask | other[n] & mask;
                assert!(no_foreign_label(Origin::Vm(1), &got, [None, None]).is_err());
                let from = [Some(Origin::Vm(2)), None];
                assert!(no_foreign_label(Origin::Vm(1), &got, from).is_ok());
            }
        }
    }
}
