//! The machine's files, as the repository has them.

use crate::{paths, setup::hash};
use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The patch that makes QEMU's build know of the machine.
const GLUE: &str = "qemu-glue.patch";

/// What is built into QEMU.
#[derive(Debug)]
pub struct Machine {
    /// The patch.
    pub glue: Vec<u8>,
    /// Everything else that the build reads, by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Where the patch is.
    pub glue_file: PathBuf,
}

impl Machine {
    /// Reads the files.
    ///
    /// # Errors
    /// They are not there.
    pub fn read() -> Result<Self> {
        Self::read_from(&paths::root().join("fvp-configs/qemu-machine"))
    }

    fn read_from(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let listing =
            fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in listing {
            let path = entry
                .with_context(|| format!("cannot list {}", folder.display()))?
                .path();
            if let Some(name) = path.file_name().and_then(|name| name.to_str())
                && is_built(name)
            {
                files.insert(name.to_owned(), paths::read(&path)?);
            }
        }
        if files.is_empty() {
            bail!("{} has no files of the machine", folder.display());
        }
        let glue_file = folder.join(GLUE);
        Ok(Self {
            glue: paths::read(&glue_file)?,
            files,
            glue_file,
        })
    }

    /// A key of all that goes into the binary from here.
    pub fn hash(&self) -> u64 {
        let files = self
            .files
            .iter()
            .flat_map(|(name, bytes)| [name.as_bytes(), bytes]);
        hash(
            files
                .chain([self.glue.as_slice(), &options_text()])
                .flat_map(|part| part.iter().copied().chain([0])),
        )
    }

    /// A key of what the whole build depends on: with another, the tree is made anew.
    pub fn tree_hash(&self) -> u64 {
        hash(self.glue.iter().copied().chain(options_text()))
    }
}

fn options_text() -> Vec<u8> {
    super::build::OPTIONS.join("\n").into_bytes()
}

/// Whether QEMU's build reads a file.
fn is_built(name: &str) -> bool {
    let kind = Path::new(name).extension().and_then(|kind| kind.to_str());
    matches!(kind, Some("c" | "h")) || matches!(name, "Kconfig" | "meson.build")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_of_the_repository_is_whole() {
        let machine = Machine::read().unwrap();
        let list = String::from_utf8(machine.files["meson.build"].clone()).unwrap();
        let sources: Vec<_> = machine
            .files
            .keys()
            .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "c"))
            .collect();
        assert!(sources.len() > 1);
        for source in sources {
            assert!(list.contains(&format!("'{source}'")), "{source}");
        }
        assert!(!machine.files.contains_key("README.md"));
    }

    #[test]
    fn only_the_patch_and_the_options_make_a_new_tree() {
        let mut machine = Machine::read().unwrap();
        let (all, tree) = (machine.hash(), machine.tree_hash());
        machine
            .files
            .get_mut("fvp-base.c")
            .unwrap()
            .extend(b"/* */");
        assert_ne!(machine.hash(), all);
        assert_eq!(machine.tree_hash(), tree);
        machine.glue.push(b'\n');
        assert_ne!(machine.tree_hash(), tree);
    }
}
