//! Reading nodes and properties of a flattened device tree, with errors that say where and what.
//!
//! A thin layer over `dtoolkit`. That crate checks a whole blob when it is opened and panics later
//! only where this check was skipped, or where an iterator is asked again after its end. So blobs
//! are opened here only, with the check; iterators are used here only, by `for` and by adapters
//! that stop at the first `None`; and its recursive printing is never used, since the depth of a
//! tree is the file's choice.

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};

use super::error::{File, Found, ManifestError, Path, Problem, clip};

/// Size of a device tree's header in bytes.
const HEADER: usize = 40;
/// The type of all numbers here: the reference reads one or two cells wherever it reads a number.
const CELLS: &str = "one or two 32-bit cells";
/// The type of texts.
const TEXT: &str = "one string of printable ASCII";

/// An unsigned number and the words for its range.
pub(super) trait Number: TryFrom<u64> {
    /// What is wanted, for messages.
    const WANTED: &'static str;
}

impl Number for u8 {
    const WANTED: &'static str = "at most 0xff";
}
impl Number for u16 {
    const WANTED: &'static str = "at most 0xffff";
}
impl Number for u32 {
    const WANTED: &'static str = "at most 0xffffffff";
}
impl Number for u64 {
    const WANTED: &'static str = CELLS;
}

/// A node, its path and the file it stands in.
#[derive(Clone)]
pub(super) struct Reader<'t> {
    file: &'t File,
    node: FdtNode<'t>,
    path: Path,
}

impl<'t> Reader<'t> {
    /// Checks a blob and gives its root.
    ///
    /// `blob` may go on behind the tree (it is often a page, or room in a package); how long the
    /// tree is stands in its header.
    pub(super) fn open(
        file: &'t File,
        blob: &'t [u8],
        limit: usize,
    ) -> Result<Self, ManifestError> {
        let fail = |problem| Err(ManifestError::whole(file, problem));
        let size = match blob.get(4..8).map(<[u8; 4]>::try_from) {
            Some(Ok(bytes)) if blob.len() >= HEADER => u32::from_be_bytes(bytes) as usize,
            _ => {
                return fail(Problem::WrongType {
                    found: Found::Bytes(blob.len()),
                    wanted: "a device tree of at least 40 bytes",
                });
            }
        };
        // A wrong magic makes the size meaningless; leave that message to the parser.
        let magic = blob.starts_with(&0xd00d_feed_u32.to_be_bytes());
        let limit = limit.min(blob.len());
        if magic && size > limit {
            return fail(Problem::TooLarge { found: size, limit });
        }
        let tree = blob.get(..size).filter(|_| magic).unwrap_or(blob);
        match Fdt::new(tree) {
            Ok(fdt) => Ok(Self {
                file,
                node: fdt.root(),
                path: clip("/"),
            }),
            Err(error) => fail(Problem::Unreadable(error)),
        }
    }

    /// The node's name, with its unit address.
    pub(super) fn name(&self) -> &'t str {
        self.node.name()
    }

    /// The node's name without its unit address.
    pub(super) fn base_name(&self) -> &'t str {
        let name = self.name();
        name.split_once('@').map_or(name, |(base, _)| base)
    }

    /// The children, in the order of the file.
    pub(super) fn children(&self) -> impl Iterator<Item = Reader<'t>> {
        let parent = self.clone();
        self.node.children().map(move |node| Reader {
            file: parent.file,
            node,
            path: join(&parent.path, node.name()),
        })
    }

    /// The first child with this name, with or without a unit address.
    pub(super) fn find(&self, name: &str) -> Option<Self> {
        self.children().find(|child| child.base_name() == name)
    }

    /// The first child with this name.
    ///
    /// # Errors
    /// [`Problem::Missing`], about the child, if there is none.
    pub(super) fn child(&self, name: &str) -> Result<Self, ManifestError> {
        self.find(name).ok_or_else(|| ManifestError {
            node: join(&self.path, name),
            ..self.error(
                None,
                Problem::Missing {
                    wanted: "this node",
                },
            )
        })
    }

    /// An error about this node, or about a property of it.
    pub(super) fn error(&self, property: Option<&'static str>, problem: Problem) -> ManifestError {
        ManifestError {
            file: self.file.clone(),
            node: self.path.clone(),
            property,
            problem,
        }
    }

    /// An error about a number.
    pub(super) fn out_of_range(
        &self,
        property: &'static str,
        found: u64,
        wanted: &'static str,
    ) -> ManifestError {
        self.error(
            Some(property),
            Problem::OutOfRange {
                found: Found::Number(found),
                wanted: wanted.into(),
            },
        )
    }

    /// An error about a number that only another stage of this project allows.
    pub(super) fn unsupported(
        &self,
        property: &'static str,
        found: u64,
        wanted: &'static str,
    ) -> ManifestError {
        self.error(
            Some(property),
            Problem::Unsupported {
                found: Found::Number(found),
                wanted,
            },
        )
    }

    /// An error about a property's type.
    pub(super) fn wrong_type(
        &self,
        property: &'static str,
        found: Found,
        wanted: &'static str,
    ) -> ManifestError {
        self.error(Some(property), Problem::WrongType { found, wanted })
    }

    /// A property's bytes.
    pub(super) fn bytes(&self, property: &str) -> Option<&'t [u8]> {
        let property = self.node.property(property)?;
        property.value_as::<&'t [u8]>().ok()
    }

    /// Whether a flag stands there.
    ///
    /// # Errors
    /// [`Problem::WrongType`] if it has a value.
    pub(super) fn flag(&self, property: &'static str) -> Result<bool, ManifestError> {
        match self.bytes(property) {
            None => Ok(false),
            Some([]) => Ok(true),
            Some(value) => Err(self.wrong_type(
                property,
                Found::Bytes(value.len()),
                "a flag without a value",
            )),
        }
    }

    /// A number of one or two cells, if the property is there.
    ///
    /// # Errors
    /// [`Problem::WrongType`] if it has another length, [`Problem::OutOfRange`] if the number does
    /// not fit in `T`.
    pub(super) fn optional<T: Number>(
        &self,
        property: &'static str,
    ) -> Result<Option<T>, ManifestError> {
        let Some(value) = self.bytes(property) else {
            return Ok(None);
        };
        let number = number(value)
            .ok_or_else(|| self.wrong_type(property, Found::Bytes(value.len()), CELLS))?;
        match T::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.out_of_range(property, number, T::WANTED)),
        }
    }

    /// A number of one or two cells.
    ///
    /// # Errors
    /// As [`optional`](Self::optional), and [`Problem::Missing`].
    pub(super) fn number<T: Number>(&self, property: &'static str) -> Result<T, ManifestError> {
        self.optional(property)?
            .ok_or_else(|| self.missing(property, CELLS))
    }

    /// That a property is not there.
    pub(super) fn missing(&self, property: &'static str, wanted: &'static str) -> ManifestError {
        self.error(Some(property), Problem::Missing { wanted })
    }

    /// A text of printable ASCII, if the property is there.
    ///
    /// # Errors
    /// [`Problem::WrongType`] if it is none.
    pub(super) fn optional_text(
        &self,
        property: &'static str,
    ) -> Result<Option<&'t str>, ManifestError> {
        let Some(value) = self.bytes(property) else {
            return Ok(None);
        };
        match value.split_last() {
            Some((0, text)) if printable(text).is_some() => Ok(printable(text)),
            _ => Err(self.wrong_type(property, Found::Garbled, TEXT)),
        }
    }

    /// A text of printable ASCII.
    ///
    /// # Errors
    /// As [`optional_text`](Self::optional_text), and [`Problem::Missing`].
    pub(super) fn text(&self, property: &'static str) -> Result<&'t str, ManifestError> {
        self.optional_text(property)?
            .ok_or_else(|| self.missing(property, TEXT))
    }

    /// A name that fits in `N` bytes.
    ///
    /// # Errors
    /// As [`text`](Self::text), and [`Problem::OutOfRange`] if it is longer or empty.
    pub(super) fn short_text<const N: usize>(
        &self,
        property: &'static str,
        text: &str,
        wanted: &'static str,
    ) -> Result<heapless::String<N>, ManifestError> {
        match heapless::String::try_from(text) {
            Ok(name) if !text.is_empty() => Ok(name),
            _ => Err(self.error(
                Some(property),
                Problem::OutOfRange {
                    found: Found::text(text),
                    wanted: wanted.into(),
                },
            )),
        }
    }

    /// Whether one of the strings of `compatible` is this one.
    pub(super) fn is_compatible(&self, with: &str) -> bool {
        self.bytes("compatible").is_some_and(|list| {
            list.split(|c| *c == 0)
                .any(|entry| entry == with.as_bytes())
        })
    }

    /// That `compatible` is not what it should be.
    pub(super) fn incompatible(&self, wanted: &'static str) -> ManifestError {
        match self.bytes("compatible") {
            None => self.missing("compatible", wanted),
            Some(list) => {
                let first = list.split(|c| *c == 0).next().unwrap_or_default();
                let found = printable(first).map_or(Found::Garbled, Found::text);
                self.error(
                    Some("compatible"),
                    Problem::OutOfRange {
                        found,
                        wanted: wanted.into(),
                    },
                )
            }
        }
    }

    /// The cells of a list of 32-bit numbers, if the property is there.
    ///
    /// # Errors
    /// [`Problem::WrongType`] if it is empty or no multiple of four bytes long.
    pub(super) fn cells(
        &self,
        property: &'static str,
        wanted: &'static str,
    ) -> Result<Option<&'t [[u8; 4]]>, ManifestError> {
        let Some(value) = self.bytes(property) else {
            return Ok(None);
        };
        match value.as_chunks::<4>() {
            (cells, []) if !cells.is_empty() => Ok(Some(cells)),
            _ => Err(self.wrong_type(property, Found::Bytes(value.len()), wanted)),
        }
    }
}

/// Bytes as text, if they are printable ASCII: what is shown in a log must not steer a terminal.
fn printable(bytes: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(bytes).ok()?;
    text.bytes()
        .all(|c| matches!(c, b' '..=b'~'))
        .then_some(text)
}

/// The path of a child. A unit address may have any length, so both parts are cut to what fits.
fn join(parent: &Path, name: &str) -> Path {
    let mut whole = heapless::String::<160>::new();
    // 64 bytes, a slash and 80 bytes: it all fits.
    let _ = whole.push_str(parent);
    if !whole.ends_with('/') {
        let _ = whole.push('/');
    }
    let _ = whole.push_str(&clip::<80>(name));
    clip(&whole)
}

/// The number in one or two big-endian cells; `None` for another length.
pub(super) fn number(value: &[u8]) -> Option<u64> {
    match value.len() {
        4 => value.try_into().ok().map(u32::from_be_bytes).map(u64::from),
        8 => value.try_into().ok().map(u64::from_be_bytes),
        _ => None,
    }
}
