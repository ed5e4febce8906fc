//! Why a manifest or a package was refused, with the facts: which file, node and property, what was
//! found and what was wanted. In the log an error reads as one sentence.
//!
//! Owns no policy. Text that comes from a file is printed escaped, so that a name cannot steer the
//! terminal that shows the log.

use core::fmt;
use core::ops::Range;

use dtoolkit::error::FdtParseError;
use ffa_abi::package::PackageError;
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

/// The file that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// The SPMC's own manifest. An error in it stops the SPMC.
    Spmc,
    /// The manifest of the partition with this name. An error in it refuses that partition.
    Partition(Name),
    /// The package of the partition with this name. An error in it refuses that partition.
    Package(Name),
}

impl File {
    /// The manifest of the partition with this name.
    pub fn partition(name: &str) -> Self {
        Self::Partition(clip(name))
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spmc => f.write_str("SPMC manifest"),
            Self::Partition(name) => write!(f, "partition {name:?}"),
            Self::Package(name) => write!(f, "package of partition {name:?}"),
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
    /// This number, and where it comes from.
    Number(u64, &'static str),
    /// A number inside this range, and what the range is.
    Inside(Range<u64>, &'static str),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::Name(name) => write!(f, "{name:?}"),
            Self::Number(number, why) => write!(f, "{number:#x}, {why}"),
            Self::Inside(range, what) => write!(f, "{} ({what})", Extent(range)),
        }
    }
}

impl From<&'static str> for Wanted {
    fn from(words: &'static str) -> Self {
        Self::Words(words)
    }
}

/// Prints a range with both ends included, as memory maps do.
struct Extent<'a>(&'a Range<u64>);

impl fmt::Display for Extent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.0.start, self.0.end.saturating_sub(1))
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
    /// A property has another type than it should have.
    #[error("found {found}, wanted {wanted}")]
    WrongType {
        /// What is there.
        found: Found,
        /// What should be there.
        wanted: &'static str,
    },
    /// A value is of the right type, but not one that is allowed.
    #[error("found {found}, wanted {wanted}")]
    OutOfRange {
        /// The value.
        found: Found,
        /// What is allowed.
        wanted: Wanted,
    },
    /// A value is allowed by the specification, but this SPMC does not do it.
    #[error("found {found}, which is not implemented yet, wanted {wanted}: {why}")]
    Unsupported {
        /// The value.
        found: Found,
        /// What is implemented.
        wanted: &'static str,
        /// The reason.
        why: &'static str,
    },
    /// The property or node asks for something that this SPMC does not do, whatever its value.
    #[error("not implemented yet: {0}")]
    NotImplemented(
        /// The reason.
        &'static str,
    ),
    /// Two ranges of memory share bytes.
    #[error("{} overlaps {other}, {}", Extent(.found), Extent(.at))]
    Overlap {
        /// The range.
        found: Range<u64>,
        /// Whose the other range is.
        other: Owner,
        /// The other range.
        at: Range<u64>,
    },
    /// A range is not inside what it has to be inside of.
    #[error("{} is outside {place}", Extent(.found))]
    Outside {
        /// The range.
        found: Range<u64>,
        /// What it has to be inside of.
        place: &'static str,
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
    /// The package's header is wrong.
    #[error(transparent)]
    Package(#[from] PackageError),
}

/// Who owns a range or a value that another one collides with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The SPMC's image.
    SpmcImage,
    /// Another core.
    Core,
    /// A node of the same file.
    Node(Name),
    /// A partition: an identifier, a place in the boot order, the memory it is loaded to.
    Partition(Name),
    /// The memory that the same partition is loaded to, of which only a part is meant.
    OwnEdge,
    /// A memory region of a partition.
    MemoryOf(Name),
    /// A device region of a partition.
    DeviceOf(Name),
    /// The SPMC or the firmware below it: their devices and memory.
    Firmware,
    /// Whoever has the interrupts that no partition may have.
    System,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpmcImage => f.write_str("the SPMC's image"),
            Self::Core => f.write_str("another core"),
            Self::Node(name) => write!(f, "node {name}"),
            Self::Partition(name) => write!(f, "partition {name:?}"),
            Self::OwnEdge => f.write_str("the edge of the memory that the partition is loaded to"),
            Self::MemoryOf(name) => write!(f, "a memory region of partition {name:?}"),
            Self::DeviceOf(name) => write!(f, "a device region of partition {name:?}"),
            Self::Firmware => f.write_str("what belongs to the SPMC or to the firmware"),
            Self::System => f.write_str("the SPMC, the firmware or the normal world"),
        }
    }
}

/// Why a manifest or a package was refused.
///
/// Reads as one sentence: `SPMC manifest: node /hypervisor/vm1: property mem_size: found 3 bytes,
/// wanted one or two 32-bit cells`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The file.
    pub file: File,
    /// The path of the node in it; empty if the file as a whole is wrong.
    pub node: Path,
    /// The property of that node, if it is about one.
    pub property: Option<&'static str>,
    /// What is wrong.
    pub problem: Problem,
}

impl ManifestError {
    /// About a file as a whole.
    pub(super) fn whole(file: &File, problem: Problem) -> Self {
        Self {
            file: file.clone(),
            node: Path::new(),
            property: None,
            problem,
        }
    }

    /// About the package of the partition with this name: what
    /// [`Package::parse`](ffa_abi::package::Package::parse) said.
    pub fn package(name: &str, problem: PackageError) -> Self {
        Self::whole(&File::Package(clip(name)), problem.into())
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if !self.node.is_empty() {
            write!(f, "node {}: ", self.node)?;
        }
        if let Some(property) = self.property {
            write!(f, "property {property}: ")?;
        }
        write!(f, "{}", self.problem)
    }
}

impl core::error::Error for ManifestError {}
