//! From the bytes of a descriptor to what is asked: every check that needs nothing but the descriptor,
//! its length and its sender's version. And back: what answers `FFA_MEM_RETRIEVE_REQ`.
//!
//! Both halves use it, the SPMC and the proxy, on a copy of the caller's buffer. Whom a descriptor
//! names, they say themselves: [`offer`] asks at the right moment, so that the first mistake of a
//! descriptor decides its error, whoever reads it. What has to be compared with a transaction is the
//! business of [`Sharing`](crate::sharing::Sharing).
//!
//! | what is wrong with an offer, in this order | error |
//! | --- | --- |
//! | longer than stated; reserved fields; size, place or number of access descriptors; composite offsets that differ or point outside | INVALID_PARAMETERS |
//! | flags of a retrieval; zeroing what is shared | INVALID_PARAMETERS |
//! | a donation without exactly one receiver | INVALID_PARAMETERS |
//! | a receiver that the reader does not allow | the reader's |
//! | no whole composite region in the first fragment; lengths that are no multiples of 16, or too short for one constituent | INVALID_PARAMETERS |
//! | a sender that the caller is not | DENIED |
//! | a composite region that is unaligned, or does not end where the descriptor does | INVALID_PARAMETERS |
//! | slicing in time | INVALID_PARAMETERS |
//! | a receiver twice | INVALID_PARAMETERS |
//! | reserved permissions, or any about instructions | INVALID_PARAMETERS |
//! | no access to data, or, of a donation, any | INVALID_PARAMETERS |
//! | the NS bit | INVALID_PARAMETERS |
//! | a type of memory where it is not the sender's to say: a donation, or a single borrower | INVALID_PARAMETERS |
//! | elsewhere a type other than normal (write back, inner shareable) or device (nGnRnE) | DENIED |

mod offer;
mod response;
mod retrieval;
pub mod single;
#[cfg(test)]
mod tests;

pub use offer::{Offer, offer};
pub use response::{Description, MAX_HEAD};
pub use retrieval::{Retrieval, Return, relinquish, retrieval};

use super::{AccessLayout, Accesses, Transaction};
use crate::{error::FfaError, sharing::MAX_RECEIVERS, version::Version};

/// The header and the access descriptors of a descriptor, if both are sane: lengths, numbers and
/// reserved fields.
fn sane(version: Version, descriptor: &[u8]) -> Result<(Transaction, Accesses<'_>), FfaError> {
    let header = Transaction::read(version, descriptor)?;
    let accesses = header.accesses(descriptor)?;
    let good = Transaction::reserved_is_zero(version, descriptor)
        && header.attributes.reserved() == 0
        && header.access_layout == AccessLayout::of(version)
        && (1..=MAX_RECEIVERS).contains(&accesses.len())
        && accesses.reserved_is_zero()
        && accesses.clone().all(|access| access.flags.reserved() == 0);
    match good {
        true => Ok((header, accesses)),
        false => Err(FfaError::InvalidParameters),
    }
}

/// An error unless this holds.
const fn require(good: bool, error: FfaError) -> Result<(), FfaError> {
    if good { Ok(()) } else { Err(error) }
}
