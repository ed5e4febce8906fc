//! Reading nodes and properties of a flattened device tree, with errors that say where and what.
//!
//! A thin layer over `dtoolkit`. That crate checks a whole blob when it is opened and panics later
//! only where this check was skipped, or where an iterator is asked again after its end. So blobs
//! are opened here only, with the check, and iterators are used by `for` and by adapters that stop at
//! the first `None`.

use super::error::{File, Found, Name, Owner, Path, Problem, VmManifestError, Wanted, clip};
use dtoolkit::{
    Node, Property,
    fdt::{Fdt, FdtNode, FdtProperty},
};

/// Size of a device tree's header in bytes.
const HEADER: usize = 40;
/// The type of all numbers.
pub(super) const CELLS: &str = "one or two 32-bit cells";
/// The type of texts.
const TEXT: &str = "one string of printable ASCII";

/// Checks a blob, which may go on behind the tree, and gives the tree's root. How long the tree is
/// stands in its header.
pub(super) fn open(blob: &[u8], limit: usize) -> Result<FdtNode<'_>, VmManifestError> {
    let fail = |problem| {
        Err(VmManifestError {
            file: File::Unnamed,
            node: Path::new(),
            property: None,
            problem,
        })
    };
    let size = match blob.get(4..8).map(<[u8; 4]>::try_from) {
        Some(Ok(bytes)) if blob.len() >= HEADER => u32::from_be_bytes(bytes) as usize,
        _ => {
            return fail(Problem::Wrong {
                found: Found::Bytes(blob.len()),
                wanted: "a device tree of at least 40 bytes".into(),
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
        Ok(fdt) => Ok(fdt.root()),
        Err(error) => fail(Problem::Unreadable(error)),
    }
}

/// A node, its path and the file it stands in.
#[derive(Clone)]
pub(super) struct Reader<'t> {
    file: &'t File,
    node: FdtNode<'t>,
    path: Path,
}

impl<'t> Reader<'t> {
    /// The root of a file.
    pub(super) fn root(file: &'t File, node: FdtNode<'t>) -> Self {
        let path = clip("/");
        Self { file, node, path }
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
        let (file, path) = (self.file, self.path.clone());
        self.node.children().map(move |node| Reader {
            file,
            node,
            path: join(&path, node.name()),
        })
    }

    /// The properties, in the order of the file.
    pub(super) fn properties(&self) -> impl Iterator<Item = FdtProperty<'t>> {
        self.node.properties()
    }

    /// An error about this node, or about a property of it.
    pub(super) fn error(
        &self,
        property: impl Into<Option<&'static str>>,
        problem: Problem,
    ) -> VmManifestError {
        VmManifestError {
            file: self.file.clone(),
            node: self.path.clone(),
            property: property.into(),
            problem,
        }
    }

    /// That something else stands there than should.
    pub(super) fn wrong(
        &self,
        property: &'static str,
        found: Found,
        wanted: impl Into<Wanted>,
    ) -> VmManifestError {
        let wanted = wanted.into();
        self.error(property, Problem::Wrong { found, wanted })
    }

    /// That a property is not there.
    pub(super) fn missing(
        &self,
        property: &'static str,
        wanted: impl Into<Wanted>,
    ) -> VmManifestError {
        let wanted = wanted.into();
        self.error(property, Problem::Missing { wanted })
    }

    /// That a node is there and nothing in it.
    pub(super) fn empty(&self, wanted: &'static str) -> VmManifestError {
        let wanted = wanted.into();
        self.error(None, Problem::Missing { wanted })
    }

    /// The one child that has this name, which has this `compatible`.
    ///
    /// # Errors
    /// [`Problem::Wrong`] or [`Problem::Missing`] if its `compatible` is another;
    /// [`Problem::Duplicate`] if there are two of the name.
    pub(super) fn chapter(
        &self,
        name: &str,
        compatible: &'static str,
    ) -> Result<Option<Self>, VmManifestError> {
        let mut found: Option<Self> = None;
        for child in self.children() {
            if child.base_name() != name {
                continue;
            }
            child.check_compatible(compatible)?;
            if let Some(first) = found {
                let problem = Problem::Duplicate {
                    found: Found::text(child.base_name()),
                    by: Owner::Node(first.short_name()),
                };
                return Err(child.error(None, problem));
            }
            found = Some(child);
        }
        Ok(found)
    }

    /// The node's name, cut to what an error has room for.
    pub(super) fn short_name(&self) -> Name {
        clip(self.name())
    }

    /// A property's bytes.
    pub(super) fn bytes(&self, property: &str) -> Option<&'t [u8]> {
        self.node.property(property)?.value_as::<&'t [u8]>().ok()
    }

    /// Whether a flag stands there.
    ///
    /// # Errors
    /// [`Problem::Wrong`] if it has a value.
    pub(super) fn flag(&self, property: &'static str) -> Result<bool, VmManifestError> {
        match self.bytes(property) {
            None => Ok(false),
            Some([]) => Ok(true),
            Some(value) => {
                let found = Found::Bytes(value.len());
                Err(self.wrong(property, found, "a flag without a value"))
            }
        }
    }

    /// A number of one or two cells, if the property is there.
    ///
    /// # Errors
    /// [`Problem::Wrong`] if it has another length, does not fit in `T` or is not `allowed`.
    pub(super) fn optional<T: TryFrom<u64>>(
        &self,
        property: &'static str,
        allowed: impl Fn(&T) -> bool,
        wanted: &'static str,
    ) -> Result<Option<T>, VmManifestError> {
        let Some(value) = self.bytes(property) else {
            return Ok(None);
        };
        let Some(number) = number(value) else {
            return Err(self.wrong(property, Found::Bytes(value.len()), CELLS));
        };
        match T::try_from(number).ok().filter(allowed) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(property, Found::Number(number), wanted)),
        }
    }

    /// A number of one or two cells.
    ///
    /// # Errors
    /// As [`optional`](Self::optional), and [`Problem::Missing`].
    pub(super) fn number<T: TryFrom<u64>>(
        &self,
        property: &'static str,
        allowed: impl Fn(&T) -> bool,
        wanted: &'static str,
    ) -> Result<T, VmManifestError> {
        self.optional(property, allowed, wanted)?
            .ok_or_else(|| self.missing(property, CELLS))
    }

    /// A text of printable ASCII, if the property is there.
    ///
    /// # Errors
    /// [`Problem::Wrong`] if it is none.
    pub(super) fn optional_text(
        &self,
        property: &'static str,
    ) -> Result<Option<&'t str>, VmManifestError> {
        let Some(value) = self.bytes(property) else {
            return Ok(None);
        };
        match value.split_last() {
            Some((0, text)) if printable(text).is_some() => Ok(printable(text)),
            _ => Err(self.wrong(property, Found::Garbled, TEXT)),
        }
    }

    /// A text of printable ASCII.
    ///
    /// # Errors
    /// As [`optional_text`](Self::optional_text), and [`Problem::Missing`].
    pub(super) fn text(&self, property: &'static str) -> Result<&'t str, VmManifestError> {
        self.optional_text(property)?
            .ok_or_else(|| self.missing(property, TEXT))
    }

    /// The cells of a list of 32-bit numbers, if the property is there.
    ///
    /// # Errors
    /// [`Problem::Wrong`] if it is empty or no multiple of four bytes long.
    pub(super) fn cells(
        &self,
        property: &'static str,
        wanted: impl Into<Wanted>,
    ) -> Result<Option<&'t [[u8; 4]]>, VmManifestError> {
        let Some(value) = self.bytes(property) else {
            return Ok(None);
        };
        match value.as_chunks::<4>() {
            (cells, []) if !cells.is_empty() => Ok(Some(cells)),
            _ => Err(self.wrong(property, Found::Bytes(value.len()), wanted)),
        }
    }

    /// That one of the strings of `compatible` is this one.
    ///
    /// # Errors
    /// [`Problem::Wrong`] or [`Problem::Missing`] if none is.
    pub(super) fn check_compatible(&self, with: &'static str) -> Result<(), VmManifestError> {
        let property = "compatible";
        let wanted = Wanted::Name(with);
        let Some(list) = self.bytes(property) else {
            return Err(self.missing(property, wanted));
        };
        let mut entries = list.split(|c| *c == 0);
        if entries.any(|entry| entry == with.as_bytes()) {
            return Ok(());
        }
        let first = list.split(|c| *c == 0).next().unwrap_or_default();
        let found = printable(first).map_or(Found::Garbled, Found::text);
        Err(self.wrong(property, found, wanted))
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
fn number(value: &[u8]) -> Option<u64> {
    match value.len() {
        4 => value.try_into().ok().map(u32::from_be_bytes).map(u64::from),
        8 => value.try_into().ok().map(u64::from_be_bytes),
        _ => None,
    }
}
