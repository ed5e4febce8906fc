//! The register contract as the matrix tests it: who the partitions are, what may reach whom, and
//! what a call may leave in x0-x30 whatever completed it.
//!
//! Pure, and stated from the specifications alone (DEN0077A, DEN0028): the firmware's own rules are
//! not used here. The partitions and the clients of the matrix judge every exchange by [`judge`].

pub mod bad;
pub mod protocol;

use crate::abi::{self, Regs, UuidWords};
use crate::expect::{self, Exchange, Mismatch};
use crate::transform::Transform;

/// One of the partitions that stand side by side. All are made of one source, built once for each
/// version; a strict one has the image of the permissive one of its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: &'static str,
    /// Its id.
    pub id: u16,
    /// The FF-A version it speaks.
    pub version: u32,
    /// Its manifest has `tantalum,smccc-strict`; it also has a single context.
    pub strict: bool,
}

/// Any.
pub(crate) const fn subject(name: &'static str, id: u16, version: u32, strict: bool) -> Subject {
    Subject {
        name,
        id,
        version,
        strict,
    }
}

/// All of them, in the order of the SPMC's manifest.
pub const SUBJECTS: [Subject; 8] = [
    subject("sp-v10", 0x8001, abi::V1_0, false),
    subject("sp-v11", 0x8002, abi::V1_1, false),
    subject("sp-v12", 0x8003, abi::V1_2, false),
    subject("sp-v13", 0x8004, abi::V1_3, false),
    subject("sp-s10", 0x8005, abi::V1_0, true),
    subject("sp-s11", 0x8006, abi::V1_1, true),
    subject("sp-s12", 0x8007, abi::V1_2, true),
    subject("sp-s13", 0x8008, abi::V1_3, true),
];

impl Subject {
    /// The partition with this id.
    pub fn find(id: u16) -> Option<&'static Self> {
        SUBJECTS.iter().find(|subject| subject.id == id)
    }

    /// What it answers.
    pub const fn transform(&self) -> Transform {
        Transform::of(self.id)
    }

    /// Its service: "tantalum" in ASCII, the version ("vm" for VMs, whatever theirs is), the id.
    pub const fn uuid(&self) -> UuidWords {
        let which = if self.id < abi::SPMC {
            0x766d_0000
        } else {
            self.version
        };
        [0x7461_6e74, 0x616c_756d, which, self.id as u32]
    }

    /// Another service of `sp-v13`, which takes no `DIRECT_REQ2`.
    pub const fn second_uuid(&self) -> UuidWords {
        [
            0x7461_6e74,
            0x616c_756d,
            self.version,
            0x1_0000 | self.id as u32,
        ]
    }

    /// Whether its manifest lets it send requests. One does not, to have the check.
    pub const fn sends(&self) -> bool {
        !(self.strict && self.version == abi::V1_0)
    }

    /// Whether it has the registers of `DIRECT_REQ2` at all.
    pub const fn is_extended(&self) -> bool {
        self.version >= abi::V1_2
    }

    /// Whether the 64-bit forms of FFA_MSG_WAIT, FFA_RUN and FFA_YIELD are its to call.
    pub const fn has_wide_cycles(&self) -> bool {
        self.version >= abi::V1_3 || self.strict
    }

    /// Whether a completion of x0-x17 may end a call of this form.
    pub const fn takes_extended(&self, wide_call: bool) -> bool {
        self.is_extended() && (!self.strict || wide_call)
    }

    /// Its column in the matrix.
    pub const fn column(&self) -> Column {
        Column {
            boundary: if self.id < abi::SPMC {
                Boundary::Vm
            } else {
                Boundary::Partition
            },
            version: self.version,
            strict: self.strict,
        }
    }

    /// w1 that names its context on the boot core.
    pub const fn target(&self) -> u64 {
        (self.id as u64) << 16
    }
}

/// Where registers cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// Partition and SPMC.
    Partition,
    /// VM and proxy.
    Vm,
    /// NS-EL2 and EL3.
    Physical,
}

/// A column of the matrix: a boundary, and the version and mode of the endpoint at its lower side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The boundary.
    pub boundary: Boundary,
    /// The version.
    pub version: u32,
    /// The mode.
    pub strict: bool,
}

impl core::fmt::Display for Column {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let boundary = match self.boundary {
            Boundary::Partition => "sp",
            Boundary::Vm => "vm",
            Boundary::Physical => "ns",
        };
        let mode = if self.strict { "strict" } else { "permissive" };
        let (major, minor) = (self.version >> 16, self.version & 0xffff);
        write!(f, "{boundary}/{major}.{minor}-{mode}")
    }
}

/// The three direct requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `FFA_MSG_SEND_DIRECT_REQ_32`.
    Req32,
    /// `FFA_MSG_SEND_DIRECT_REQ_64`.
    Req64,
    /// `FFA_MSG_SEND_DIRECT_REQ2`.
    Req2,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Req32, Self::Req64, Self::Req2];

    /// The request's identifier.
    pub const fn request(self) -> u32 {
        match self {
            Self::Req32 => abi::DIRECT_REQ_32,
            Self::Req64 => abi::DIRECT_REQ_64,
            Self::Req2 => abi::DIRECT_REQ2,
        }
    }

    /// The response's identifier.
    pub const fn response(self) -> u32 {
        match self {
            Self::Req32 => abi::DIRECT_RESP_32,
            Self::Req64 => abi::DIRECT_RESP_64,
            Self::Req2 => abi::DIRECT_RESP2,
        }
    }

    /// The kind with this request or response identifier.
    pub const fn of(id: u32) -> Option<Self> {
        match id {
            abi::DIRECT_REQ_32 | abi::DIRECT_RESP_32 => Some(Self::Req32),
            abi::DIRECT_REQ_64 | abi::DIRECT_RESP_64 => Some(Self::Req64),
            abi::DIRECT_REQ2 | abi::DIRECT_RESP2 => Some(Self::Req2),
            _ => None,
        }
    }

    /// The first payload register and how many there are.
    pub const fn payload(self) -> (usize, usize) {
        match self {
            Self::Req32 | Self::Req64 => (3, 5),
            Self::Req2 => (4, 14),
        }
    }
}

/// x0-x17 of the response `id` of the partition with this transformation to `request`.
pub fn response(transform: Transform, request: &Regs, id: u32) -> Regs {
    let mut regs = [0; 18];
    regs[0] = id.into();
    regs[1] = (request[1] >> 16 & 0xffff) | (request[1] & 0xffff) << 16;
    let (from, _) = Kind::of(request[0] as u32).unwrap_or(Kind::Req2).payload();
    let kind = Kind::of(id).unwrap_or(Kind::Req2);
    let (to, count) = kind.payload();
    let payload = request.iter().skip(from).chain(core::iter::repeat(&0));
    for ((index, slot), value) in (0..).zip(regs.iter_mut().skip(to)).take(count).zip(payload) {
        *slot = match kind {
            Kind::Req32 => transform.narrow(index, *value),
            _ => transform.wide(index, *value),
        };
    }
    regs
}

/// SMCCC's hint that no vector state beyond 128 bits is live.
pub const SVE_HINT: u64 = 1 << 16;
const WIDE: u32 = 1 << 30;

/// Whether x8-x17 are arguments of a call.
pub const fn is_extended_call(id: u32) -> bool {
    matches!(
        id,
        abi::DIRECT_REQ2 | abi::DIRECT_RESP2 | abi::CONSOLE_LOG_64
    )
}

/// Judges all registers after a call by its completion alone.
///
/// * upper halves of 32-bit results are zero, and so is every result register that the completion
///   does not define;
/// * x8-x17 are the payload of `DIRECT_REQ2` and `RESP2`, and else the caller's own; at the physical
///   boundary a 64-bit completion of a 32-bit call may leave them zero, because EL3 carries them
///   along;
/// * x18-x30 and SP are the caller's own.
///
/// # Errors
/// The first register that differs; x0 if the completion is none that this matrix knows.
pub fn judge(exchange: &Exchange, boundary: Boundary) -> Result<(), Mismatch> {
    let Exchange { sent, got, .. } = exchange;
    let call = sent[0] as u32 & !(SVE_HINT as u32);
    let zero = |range: core::ops::Range<usize>, mask: u64| {
        range
            .into_iter()
            .find(|n| got[*n] & mask != 0)
            .map_or(Ok(()), |n| {
                Err(Mismatch {
                    register: n as u8,
                    got: got[n],
                    want: got[n] & !mask,
                })
            })
    };
    const ALL: u64 = u64::MAX;
    const UPPER: u64 = 0xffff_ffff_0000_0000;
    if got[0] == u64::MAX {
        // Unknown to SMCCC: x0 is all there is. No call of FF-A may end so but at EL3.
        if is_ffa(call) && boundary != Boundary::Physical {
            return wrong(0, got[0], abi::ERROR.into());
        }
        return expect::own(exchange, 1);
    }
    zero(0..1, UPPER)?;
    if call == abi::VERSION {
        let answer = got[0] as u32;
        if answer != abi::NOT_SUPPORTED as u32 && answer >> 16 != 1 {
            return wrong(0, got[0], abi::V1_3.into());
        }
        zero(1..8, ALL)?;
        return expect::own(exchange, 8);
    }
    let id = got[0] as u32;
    match id {
        abi::DIRECT_REQ2 => zero(1..2, UPPER)?,
        abi::DIRECT_RESP2 => {
            zero(1..2, UPPER)?;
            zero(2..4, ALL)?;
        }
        abi::DIRECT_REQ_64 | abi::DIRECT_RESP_64 => {
            zero(1..2, UPPER)?;
            zero(2..3, ALL)?;
        }
        abi::DIRECT_REQ_32 | abi::DIRECT_RESP_32 => {
            zero(1..8, UPPER)?;
            zero(2..3, ALL)?;
        }
        abi::RUN | abi::INTERRUPT => {
            zero(1..2, UPPER)?;
            zero(2..8, ALL)?;
        }
        // Of a VM, who waits is told; of a partition it was known.
        abi::MSG_WAIT if boundary == Boundary::Vm => {
            zero(1..2, UPPER)?;
            zero(2..8, ALL)?;
        }
        abi::MSG_WAIT => zero(1..8, ALL)?,
        abi::YIELD => {
            zero(1..4, UPPER)?;
            zero(4..8, ALL)?;
        }
        abi::SUCCESS_32 => {
            zero(1..2, ALL)?;
            zero(2..4, UPPER)?;
            zero(4..8, ALL)?;
        }
        // Lists.
        abi::SUCCESS_64 if call == abi::NOTIFICATION_INFO_GET_64 => zero(1..2, ALL)?,
        abi::ERROR => {
            zero(1..2, ALL)?;
            zero(2..3, UPPER)?;
            zero(3..8, ALL)?;
        }
        _ => return wrong(0, got[0], abi::ERROR.into()),
    }
    let written = expect::written(got[0]);
    // The SPMC must not leave in x8-x17 what an older EL3 brought in there with a 32-bit call: the
    // same registers may be another VM's leftovers under a newer one.
    let zeroed = boundary == Boundary::Physical && call & WIDE == 0 && id & WIDE != 0;
    if written == 8 && zeroed {
        zero(8..18, ALL)?;
        return expect::own(exchange, 18);
    }
    expect::own(exchange, written)
}

fn wrong(register: u8, got: u64, want: u64) -> Result<(), Mismatch> {
    Err(Mismatch {
        register,
        got,
        want,
    })
}

/// Whether an identifier lies in FF-A's range.
const fn is_ffa(id: u32) -> bool {
    id & !(WIDE | 0xff) == 0x8400_0000 && id as u8 >= 0x60
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(call: u32, results: &[u64]) -> Exchange {
        let mut sent: [u64; 31] = core::array::from_fn(|n| 0xabcd_0000_0000_0000 + n as u64);
        sent[0] = call.into();
        let mut got = sent;
        got[..results.len()].copy_from_slice(results);
        Exchange {
            sent,
            got,
            sp_ok: true,
        }
    }

    #[test]
    fn subjects_are_found_by_their_ids_and_differ() {
        for (place, subject) in (0x8001..).zip(&SUBJECTS) {
            assert_eq!(subject.id, place);
            assert_eq!(Subject::find(place), Some(subject));
        }
        assert_eq!(Subject::find(0x8009), None);
        assert_eq!(SUBJECTS[2].column().to_string(), "sp/1.2-permissive");
        assert_eq!(SUBJECTS[7].column().to_string(), "sp/1.3-strict");
    }

    #[test]
    fn extended_messages_reach_who_has_the_registers_and_asked_for_them() {
        let reached: Vec<_> = SUBJECTS
            .iter()
            .map(|subject| [false, true].map(|wide| subject.takes_extended(wide)))
            .collect();
        let (no, yes, wide) = ([false; 2], [true; 2], [false, true]);
        assert_eq!(reached, [no, no, yes, yes, no, no, wide, wide]);
    }

    #[test]
    fn extended_registers_are_payload_of_two_messages_only() {
        let payload: [u64; 18] = core::array::from_fn(|n| match n {
            0 => abi::DIRECT_REQ2.into(),
            1 => 0x0001_8001,
            _ => 0xfeed_0000_0000_0000 + n as u64,
        });
        assert_eq!(
            judge(&exchange(abi::MSG_WAIT, &payload), Boundary::Partition),
            Ok(())
        );
        let mut wide = payload;
        wide[0] = abi::DIRECT_REQ_64.into();
        wide[2] = 0;
        let leak = judge(&exchange(abi::MSG_WAIT, &wide), Boundary::Partition);
        assert_eq!(leak.unwrap_err().register, 8);
        assert_eq!(
            judge(&exchange(abi::MSG_WAIT, &wide[..8]), Boundary::Partition),
            Ok(())
        );
    }

    #[test]
    fn at_el3_a_64_bit_completion_of_a_32_bit_call_leaves_zero() {
        let mut results = [0; 18];
        results[0] = abi::DIRECT_RESP_64.into();
        let zeroed = exchange(abi::DIRECT_REQ_32, &results);
        assert_eq!(judge(&zeroed, Boundary::Physical), Ok(()));
        assert!(judge(&zeroed, Boundary::Vm).is_err());
        let kept = exchange(abi::DIRECT_REQ_32, &results[..8]);
        assert!(judge(&kept, Boundary::Physical).is_err());
        assert_eq!(judge(&kept, Boundary::Vm), Ok(()));
    }

    #[test]
    fn numbers_are_no_identifiers() {
        let mut results = [0; 8];
        for answer in [0xffff_ffff, 0x1_0003] {
            results[0] = answer;
            let version = exchange(abi::VERSION, &results);
            assert_eq!(judge(&version, Boundary::Vm), Ok(()));
        }
        let unknown = exchange(abi::UNKNOWN_VENDOR_64, &[u64::MAX]);
        assert_eq!(judge(&unknown, Boundary::Vm), Ok(()));
        let unknown = exchange(abi::UNKNOWN_FFA_64, &[u64::MAX]);
        assert!(judge(&unknown, Boundary::Vm).is_err());
        assert_eq!(judge(&unknown, Boundary::Physical), Ok(()));
    }

    #[test]
    fn what_a_completion_does_not_define_is_zero() {
        for (id, defined) in [
            (abi::RUN, 2),
            (abi::INTERRUPT, 2),
            (abi::MSG_WAIT, 2),
            (abi::YIELD, 4),
        ] {
            let mut results = [0; 8];
            results[0] = id.into();
            for n in 1..8 {
                let mut dirty = results;
                dirty[n] = 1;
                let verdict = judge(&exchange(abi::RUN, &dirty), Boundary::Vm);
                assert_eq!(verdict.is_ok(), n < defined, "{id:#x} x{n}");
                dirty[n] = 1 << 32;
                assert!(judge(&exchange(abi::RUN, &dirty), Boundary::Vm).is_err());
            }
        }
    }

    #[test]
    fn a_response_swaps_ids_and_transforms_by_its_own_width() {
        let mut request = [0; 18];
        request[0] = abi::DIRECT_REQ_32.into();
        request[1] = abi::ids(1, 0x8001);
        request[3] = 0xffff_ffff_1234_5678;
        let transform = SUBJECTS[0].transform();
        let narrow = response(transform, &request, abi::DIRECT_RESP_32);
        assert_eq!(narrow[1], abi::ids(0x8001, 1));
        assert_eq!(narrow[3], transform.narrow(0, 0x1234_5678));
        let wide = response(transform, &request, abi::DIRECT_RESP_64);
        assert_eq!(wide[3], transform.wide(0, request[3]));
        assert_eq!(wide[8..], [0; 10]);
    }
}
