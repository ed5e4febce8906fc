//! ELF files: flat images for the boot chain, section sizes and symbols for the reports.

use crate::paths;
use anyhow::{Context, Result, bail};
use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, SectionKind, SymbolKind,
    elf::{FileHeader64, PT_LOAD, SHF_ALLOC},
    read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _},
};
use std::path::Path;

/// No flat image is larger: a stray segment address must not fill the disk.
const LARGEST: u64 = 64 << 20;

/// Lays out an ELF's loadable segments from address 0, with `.bss` as zeros at the end.
///
/// # Errors
/// It is no AArch64 ELF, has nothing to load, or its segments lie beyond 64 MiB.
pub fn flatten(elf: &Path) -> Result<Vec<u8>> {
    let bytes = paths::read(elf)?;
    flatten_bytes(&bytes).with_context(|| format!("{} cannot be made flat", elf.display()))
}

fn flatten_bytes(bytes: &[u8]) -> Result<Vec<u8>> {
    let header =
        FileHeader64::<object::Endianness>::parse(bytes).context("it is no 64-bit ELF file")?;
    let endian = header.endian().context("its byte order is unknown")?;
    let segments = header
        .program_headers(endian, bytes)
        .context("its program headers cannot be read")?;
    let mut flat = Vec::new();
    for segment in segments {
        if segment.p_type(endian) != PT_LOAD || segment.p_memsz(endian) == 0 {
            continue;
        }
        let start = segment.p_paddr(endian);
        let end = start.saturating_add(segment.p_memsz(endian));
        if end > LARGEST {
            bail!(
                "a segment ends at {end:#x}, wanted an image linked at 0 that ends below {LARGEST:#x}"
            );
        }
        let data = segment
            .data(endian, bytes)
            .ok()
            .context("a segment lies outside of the file")?;
        // Both are below LARGEST.
        let (start, end) = (start as usize, end as usize);
        if flat.len() < end {
            flat.resize(end, 0);
        }
        let room = flat
            .get_mut(start..start + data.len())
            .context("a segment has more bytes in the file than in memory")?;
        room.copy_from_slice(data);
    }
    if flat.is_empty() {
        bail!("it has no loadable segment");
    }
    Ok(flat)
}

/// A section's name and size in bytes.
pub type Section = (String, u64);

/// The allocated sections of an ELF, in their order in memory.
///
/// # Errors
/// It cannot be read.
pub fn sections(elf: &Path) -> Result<Vec<Section>> {
    let bytes = paths::read(elf)?;
    let file = parse(&bytes, elf)?;
    let mut sections: Vec<_> = file
        .sections()
        .filter(|section| {
            !matches!(
                section.kind(),
                SectionKind::Debug | SectionKind::DebugString | SectionKind::OtherString
            ) && is_allocated(section)
                && section.size() > 0
        })
        .map(|section| {
            (
                section.address(),
                section.name().unwrap_or("?").to_owned(),
                section.size(),
            )
        })
        .collect();
    sections.sort();
    Ok(sections
        .into_iter()
        .map(|(_, name, size)| (name, size))
        .collect())
}

fn is_allocated<'a>(section: &impl object::ObjectSection<'a>) -> bool {
    matches!(
        section.flags(),
        SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(SHF_ALLOC)
    )
}

/// A function: its start, its size in bytes and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The address it is linked at.
    pub address: u64,
    /// Its size in bytes; 0 for assembly labels.
    pub size: u64,
    /// Its readable name.
    pub name: String,
}

/// The functions of an ELF, by address.
///
/// # Errors
/// It cannot be read.
pub fn functions(elf: &Path) -> Result<Vec<Symbol>> {
    let bytes = paths::read(elf)?;
    let file = parse(&bytes, elf)?;
    let mut symbols: Vec<_> = file
        .symbols()
        .filter(|symbol| {
            matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown)
                && symbol.is_definition()
                // Log strings are symbols too, at addresses that are none.
                && symbol
                    .section_index()
                    .and_then(|index| file.section_by_index(index).ok())
                    .is_some_and(|section| section.kind() == SectionKind::Text)
                && symbol
                    .name()
                    .is_ok_and(|name| !name.is_empty() && !name.starts_with('$'))
        })
        .map(|symbol| Symbol {
            address: symbol.address(),
            size: symbol.size(),
            name: format!(
                "{:#}",
                rustc_demangle::demangle(symbol.name().unwrap_or("?"))
            ),
        })
        .collect();
    symbols.sort_by_key(|symbol| (symbol.address, symbol.size));
    Ok(symbols)
}

fn parse<'a>(bytes: &'a [u8], elf: &Path) -> Result<ElfFile64<'a>> {
    ElfFile64::parse(bytes).with_context(|| format!("{} is no 64-bit ELF file", elf.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_elf_is_refused_in_a_sentence() {
        let error = flatten_bytes(b"#!/bin/sh").unwrap_err();
        assert_eq!(error.to_string(), "it is no 64-bit ELF file");
    }
}
