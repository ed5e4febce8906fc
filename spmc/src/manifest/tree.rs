//! Reading nodes and properties of a flattened device tree, with errors that say where and what.
//!
//! A thin layer over `dtoolkit`. That crate checks a whole blob when it is opened and panics later
//! only where this check was skipped, or where an iterator is asked again after its end. So blobs
//! are opened here only, with the check; iterators are used here only, by `for` and by adapters
//! that stop at the first `None`; and its recursive printing is never used, since the depth of a
//! tree is the file's choice.

use dtoolkit::fdt::{Fdt, FdtNode, FdtProperty};
use dtoolkit::{Node, Property};
use heapless::Vec;

use super::error::{File, Found, ManifestError, Owner, Path, Problem, Wanted, clip};

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

/// The most properties, and the most children, of a node that are listed; more are looked for in the
/// tree.
const LISTED: usize = 32;

/// A node's properties and children. A root is asked for dozens of names, and each look into the tree
/// would read all names up to the wanted one again.
pub(super) struct Listed<'t> {
    properties: Vec<FdtProperty<'t>, LISTED>,
    children: Vec<FdtNode<'t>, LISTED>,
    /// There are no other properties.
    all_properties: bool,
    /// There are no other children.
    all_children: bool,
}

impl<'t> Listed<'t> {
    /// Lists the properties of a node whose children are not looked for.
    pub(super) fn properties_of(reader: &Reader<'t>) -> Self {
        let mut listed = Self {
            properties: Vec::new(),
            children: Vec::new(),
            all_properties: true,
            all_children: false,
        };
        for property in reader.node.properties() {
            listed.all_properties &= listed.properties.push(property).is_ok();
        }
        listed
    }

    /// Lists the properties and the children of a node.
    pub(super) fn of(reader: &Reader<'t>) -> Self {
        let mut listed = Self {
            all_children: true,
            ..Self::properties_of(reader)
        };
        for child in reader.node.children() {
            listed.all_children &= listed.children.push(child).is_ok();
        }
        listed
    }
}

/// A node, its path and the file it stands in.
#[derive(Clone)]
pub(super) struct Reader<'t> {
    file: &'t File,
    node: FdtNode<'t>,
    path: Path,
    listed: Option<&'t Listed<'t>>,
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
                listed: None,
            }),
            Err(error) => fail(Problem::Unreadable(error)),
        }
    }

    /// The same node, looked at through a list of its properties.
    pub(super) fn with(self, listed: &'t Listed<'t>) -> Self {
        Self {
            listed: Some(listed),
            ..self
        }
    }

    /// The node's name, with its unit address.
    pub(super) fn name(&self) -> &'t str {
        self.node.name()
    }

    /// The node's name without its unit address.
    pub(super) fn base_name(&self) -> &'t str {
        base_name(self.name())
    }

    /// The children, in the order of the file.
    pub(super) fn children(&self) -> impl Iterator<Item = Reader<'t>> {
        let parent = self.clone();
        self.nodes().map(move |node| parent.at(node))
    }

    /// A child.
    fn at(&self, node: FdtNode<'t>) -> Self {
        Self {
            file: self.file,
            node,
            path: join(&self.path, node.name()),
            listed: None,
        }
    }

    /// The children with this name or this `compatible`, in the order of the file.
    // No paths are made of those that are neither.
    pub(super) fn chapters(
        &self,
        name: &'static str,
        compatible: &'static str,
    ) -> impl Iterator<Item = Self> {
        let is_it = move |node: &FdtNode<'_>| {
            base_name(node.name()) == name
                || node
                    .property("compatible")
                    .is_some_and(|list| has(list.value(), compatible))
        };
        self.nodes().filter(is_it).map(|node| self.at(node))
    }

    /// The children as the tree has them.
    fn nodes(&self) -> impl Iterator<Item = FdtNode<'t>> {
        let listed = self.listed.filter(|listed| listed.all_children);
        let from_list = listed.map(|listed| listed.children.iter().copied());
        let from_tree = listed.is_none().then(|| self.node.children());
        let from_list = from_list.into_iter().flatten();
        from_list.chain(from_tree.into_iter().flatten())
    }

    /// The first child with this name, with or without a unit address.
    pub(super) fn find(&self, name: &str) -> Option<Self> {
        let is_it = |node: &FdtNode<'_>| {
            let rest = node.name().strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
        };
        self.nodes().find(is_it).map(|node| self.at(node))
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
                    wanted: "this node".into(),
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
        why: &'static str,
    ) -> ManifestError {
        self.error(
            Some(property),
            Problem::Unsupported {
                found: Found::Number(found),
                wanted,
                why,
            },
        )
    }

    /// Refuses the node if this property stands there.
    ///
    /// # Errors
    /// [`Problem::NotImplemented`], with the reason.
    pub(super) fn refuse(
        &self,
        property: &'static str,
        why: &'static str,
    ) -> Result<(), ManifestError> {
        match self.bytes(property) {
            None => Ok(()),
            Some(_) => Err(self.error(Some(property), Problem::NotImplemented(why))),
        }
    }

    /// The one child that has this name and this `compatible`, if there is one.
    ///
    /// # Errors
    /// [`Problem::OutOfRange`] or [`Problem::Missing`] if a child has only one of both: some readers
    /// look for the one and some for the other. [`Problem::Duplicate`] if there are two.
    pub(super) fn chapter(
        &self,
        name: &'static str,
        compatible: &'static str,
    ) -> Result<Option<Self>, ManifestError> {
        let mut found: Option<Self> = None;
        for child in self.chapters(name, compatible) {
            if child.base_name() != name {
                let problem = Problem::OutOfRange {
                    found: Found::text(child.name()),
                    wanted: Wanted::Name(name),
                };
                return Err(child.error(None, problem));
            }
            if !child.is_compatible(compatible) {
                return Err(child.incompatible(Wanted::Name(compatible)));
            }
            if let Some(first) = found {
                let problem = Problem::Duplicate {
                    found: Found::text(child.base_name()),
                    by: Owner::Node(clip(first.name())),
                };
                return Err(child.error(None, problem));
            }
            found = Some(child);
        }
        Ok(found)
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
        let listed = self.listed.and_then(|listed| {
            let mut own = listed.properties.iter();
            own.find(|listed| listed.name() == property).copied()
        });
        let found = match listed {
            None if self.listed.is_none_or(|listed| !listed.all_properties) => {
                self.node.property(property)
            }
            found => found,
        };
        found?.value_as::<&'t [u8]>().ok()
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
    pub(super) fn missing(
        &self,
        property: &'static str,
        wanted: impl Into<Wanted>,
    ) -> ManifestError {
        let wanted = wanted.into();
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
        self.bytes("compatible").is_some_and(|list| has(list, with))
    }

    /// That `compatible` is not what it should be.
    pub(super) fn incompatible(&self, wanted: Wanted) -> ManifestError {
        match self.bytes("compatible") {
            None => self.missing("compatible", wanted),
            Some(list) => {
                let first = list.split(|c| *c == 0).next().unwrap_or_default();
                let found = printable(first).map_or(Found::Garbled, Found::text);
                self.error(Some("compatible"), Problem::OutOfRange { found, wanted })
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

/// A name without its unit address.
fn base_name(name: &str) -> &str {
    name.split_once('@').map_or(name, |(base, _)| base)
}

/// Whether one of a list of strings is this one.
fn has(list: &[u8], with: &str) -> bool {
    list.split(|c| *c == 0)
        .any(|entry| entry == with.as_bytes())
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
