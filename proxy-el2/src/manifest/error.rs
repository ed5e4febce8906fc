//! Why a VM's manifest was refused, with the facts: which VM, node and property, what was found and
//! what was wanted. In the log an error reads as one sentence.
//!
//! Text that comes from a file is printed escaped, so that a name cannot steer the terminal that shows
//! the log.

use core::{fmt, ops::Range};
use dtoolkit::error::FdtParseError;
use ffa_abi::EndpointId;
use heapless::String;
use thiserror::Error;

/// A short name from a file: at most 32 bytes.
pub type Name = String<32>;
/// A node's path: at most 64 bytes; a longer one is cut and ends in two dots.
pub type Path = String<64>;

/// Copies as much of `text` as fits; what had to be cut ends in two dots.
pub(super) fn clip<const N: usize>(text: &str) -> String<N> {
    let mut out = String::new();
    if out.push_str(text).is_err() {
        let room = N.saturating_sub(2);
        for character in text.chars() {
            if out.len() + character.len_utf8() > room {
                break;
            }
            // Both pushes fit: `room` leaves two bytes for the dots.
            let _ = out.push(character);
        }
        let _ = out.push_str("..");
    }
    out
}

/// The manifest that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// One that does not say whose it is.
    Unnamed,
    /// That of a VM: its id and name, as far as the manifest says them.
    Vm(Option<EndpointId>, Name),
    /// All of them together.
    All,
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed => f.write_str("VM manifest"),
            Self::All => f.write_str("VM manifests"),
            Self::Vm(id, name) => {
                f.write_str("VM")?;
                if let Some(id) = id {
                    write!(f, " {}", id.0)?;
                }
                if !name.is_empty() {
                    write!(f, " {name:?}")?;
                }
                Ok(())
            }
        }
    }
}

/// What stood in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A value of this many bytes.
    Bytes(usize),
    /// A number.
    Number(u64),
    /// A text, possibly cut.
    Text(Name),
    /// The nil UUID.
    NilUuid,
    /// Text that is no printable ASCII, or not ended by one NUL.
    Garbled,
}

impl Found {
    /// A text, cut if it is long.
    pub(super) fn text(text: &str) -> Self {
        Self::Text(clip(text))
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(1) => f.write_str("1 byte"),
            Self::Bytes(count) => write!(f, "{count} bytes"),
            Self::Number(number) => write!(f, "{number:#x}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::NilUuid => f.write_str("the nil UUID"),
            Self::Garbled => f.write_str("no printable text that ends in one NUL"),
        }
    }
}

/// What should have stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// In words.
    Words(&'static str),
    /// This name, which is printed in quotes.
    Name(&'static str),
    /// As many cells as this number, which is that of vCPUs.
    Cells(u8),
    /// A core below this number.
    CoreBelow(u16),
    /// A core on which this VM, the primary, has a vCPU.
    CoreOf(File),
}

impl From<&'static str> for Wanted {
    fn from(words: &'static str) -> Self {
        Self::Words(words)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::Name(name) => write!(f, "{name:?}"),
            Self::Cells(1) => f.write_str("one 32-bit cell, for the one vCPU"),
            Self::Cells(vcpus) => write!(f, "one 32-bit cell for each of {vcpus} vCPUs"),
            Self::CoreBelow(cores) => write!(f, "a core of this machine, below {cores}"),
            Self::CoreOf(primary) => {
                write!(f, "a core on which {primary}, the primary, has a vCPU")
            }
        }
    }
}

/// Prints a range with both ends included, as memory maps do.
struct Extent<'a>(&'a Range<u64>);

impl fmt::Display for Extent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.0.start, self.0.end.saturating_sub(1))
    }
}

/// Who has what another VM, or another node, asks for too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A node of the same file.
    Node(Name),
    /// The memory of the same VM.
    OwnMemory,
    /// The vCPU of this index of the same VM.
    Vcpu(u8),
    /// A VM: an id, an interrupt.
    Vm(File),
    /// A VM's memory.
    MemoryOf(File),
    /// A VM's device.
    DeviceOf(File),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node {}", name.escape_debug()),
            Self::OwnMemory => f.write_str("the VM's own memory"),
            Self::Vcpu(index) => write!(f, "vCPU {index}"),
            Self::Vm(vm) => write!(f, "{vm}"),
            Self::MemoryOf(vm) => write!(f, "the memory of {vm}"),
            Self::DeviceOf(vm) => write!(f, "a device of {vm}"),
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The bytes are no device tree.
    #[error("no valid device tree: {0}")]
    Unreadable(FdtParseError),
    /// The file is larger than is accepted, or than the memory it stands in.
    #[error("found a size of {found} bytes, wanted at most {limit}")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
        /// The most that is accepted.
        limit: usize,
    },
    /// A node or a property is not there.
    #[error("missing, wanted {wanted}")]
    Missing {
        /// What should be there.
        wanted: Wanted,
    },
    /// A property has another type than it should have, or a value that is not allowed.
    #[error("found {found}, wanted {wanted}")]
    Wrong {
        /// What is there.
        found: Found,
        /// What should be there.
        wanted: Wanted,
    },
    /// A value means something that VMs cannot have.
    #[error("found {found}, wanted {wanted}: {why}")]
    Refused {
        /// The value.
        found: Found,
        /// What is allowed.
        wanted: &'static str,
        /// The reason.
        why: &'static str,
    },
    /// The property or node asks for something that VMs do not have, whatever its value.
    #[error("not implemented yet: {0}")]
    NotImplemented(
        /// The reason.
        &'static str,
    ),
    /// The format has no property or node of this name.
    #[error("found {what} {name:?}, wanted none that the format does not have")]
    Unknown {
        /// "property" or "node".
        what: &'static str,
        /// Its name.
        name: Name,
    },
    /// Two ranges of addresses share bytes.
    #[error("{} overlaps {other}, {}", Extent(.found), Extent(.at))]
    Overlap {
        /// The range.
        found: Range<u64>,
        /// Whose the other range is.
        other: Owner,
        /// The other range.
        at: Range<u64>,
    },
    /// A range is not what the VM may have.
    #[error("found {}, wanted {wanted}", Extent(.found))]
    Outside {
        /// The range.
        found: Range<u64>,
        /// What it should be.
        wanted: &'static str,
    },
    /// A value that has to be unique is taken.
    #[error("found {found}, already taken by {by}")]
    Duplicate {
        /// The value.
        found: Found,
        /// By whom.
        by: Owner,
    },
    /// There are more of something than there is room for.
    #[error("more than {limit} {what}")]
    TooMany {
        /// The most there is room for.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// Two VMs are the primary.
    #[error("found a second primary, wanted one: {0} is it")]
    SecondPrimary(
        /// The first.
        File,
    ),
    /// No VM is the primary.
    #[error("found no primary, wanted one VM with this property or with id 1")]
    NoPrimary,
}

/// Why a VM's manifest was refused.
///
/// Reads as one sentence: `VM 2 "vm-two": node /: property memory-size: found 3 bytes, wanted one or
/// two 32-bit cells`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmManifestError {
    /// The manifest.
    pub file: File,
    /// The path of the node in it; empty if the file as a whole is wrong.
    pub node: Path,
    /// The property of that node, if it is about one.
    pub property: Option<&'static str>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for VmManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if !self.node.is_empty() {
            write!(f, "node {}: ", self.node.escape_debug())?;
        }
        if let Some(property) = self.property {
            write!(f, "property {property}: ")?;
        }
        write!(f, "{}", self.problem)
    }
}

impl core::error::Error for VmManifestError {}
