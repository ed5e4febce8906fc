//! `cargo xtask vector-check`: no vector register in the SPMC and the proxy outside of the code that
//! switches them.
//!
//! V0-V31, and Z, P and ZA beside them, belong to the endpoints: one instruction that the compiler
//! adds by itself, say to copy sixteen bytes, destroys them without a trap that would tell. So every
//! instruction of the executable sections is looked at, as the top level of the A64 encoding (Arm ARM,
//! C4.1) divides them. Data between code is told from it by the mapping symbols `$x` and `$d`. MSR and
//! MRS of FPCR, FPSR and SVCR are system instructions and no concern of this check.

use crate::{
    board::QEMU_VIRT,
    cmd::test::Suite,
    firmware::{Binary, Firmware, Options, PROXY, SPMC},
    paths,
    results::Case,
};
use anyhow::{Context, Result, bail};
use clap::Args;
use object::{
    Architecture, Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags,
    elf::{FileHeader64, SHF_EXECINSTR},
    read::elf::ElfFile,
};
use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The functions that switch the vector registers (`platform/src/fp/registers.rs`).
const ALLOWED: [&str; 7] = [
    "__fp_save",
    "__fp_load",
    "__fp_take",
    "__fp_give_back",
    "__fp_restore",
    "__sve_save",
    "__sve_load",
];
/// How many findings of an image are told one by one.
const TOLD: usize = 20;

/// Arguments of `vector-check`.
#[derive(Args, Debug)]
pub struct VectorCheck {
    /// ELF files to look at, instead of building the SPMC and the proxy
    files: Vec<PathBuf>,
}

/// What kind of vector instruction a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    LoadStore,
    DataProcessing,
    Sve,
    Sme,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoadStore => "load or store of a vector register",
            Self::DataProcessing => "SIMD or floating-point",
            Self::Sve => "SVE",
            Self::Sme => "SME",
        })
    }
}

/// Whether an instruction is one of vector registers, by bits 31 and 28:25.
fn kind(word: u32) -> Option<Kind> {
    match word >> 25 & 0xf {
        0b0000 if word >> 31 == 1 => Some(Kind::Sme),
        0b0010 => Some(Kind::Sve),
        // Loads and stores are x1x0; the middle x, bit 26, says that the register is a vector.
        0b0110 | 0b1110 => Some(Kind::LoadStore),
        0b0111 | 0b1111 => Some(Kind::DataProcessing),
        _ => None,
    }
}

/// A vector instruction in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    address: u64,
    word: u32,
    kind: Kind,
    symbol: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {:#x}: {:#010x} ({})",
            self.symbol, self.address, self.word, self.kind
        )
    }
}

/// What was seen in an image.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    instructions: u64,
    allowed: u64,
    findings: Vec<Finding>,
}

impl Report {
    /// One sentence.
    fn summary(&self) -> String {
        format!(
            "vectors: {} in the switch, {} elsewhere; {} instructions",
            self.allowed,
            self.findings.len(),
            self.instructions
        )
    }
}

/// The executable bytes of an image and what its symbols say about them.
#[derive(Debug, Default)]
struct Code {
    /// Start and bytes of each executable section.
    sections: Vec<(u64, Vec<u8>)>,
    /// Where code (`true`) and data (`false`) begin, ascending.
    marks: Vec<(u64, bool)>,
    /// Start, size (0 if not known) and name of each function or label, ascending by start.
    symbols: Vec<(u64, u64, String)>,
}

impl Code {
    fn read(bytes: &[u8]) -> Result<Self> {
        let file = ElfFile::<FileHeader64<object::Endianness>>::parse(bytes)
            .context("it is no 64-bit ELF file")?;
        if file.architecture() != Architecture::Aarch64 {
            bail!("it is made for {:?}, wanted Aarch64", file.architecture());
        }
        let mut code = Self::default();
        let mut indices = Vec::new();
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
                continue;
            };
            if sh_flags.contains(SHF_EXECINSTR) {
                indices.push(section.index());
                let bytes = section.data().context("a section cannot be read")?;
                code.sections.push((section.address(), bytes.to_vec()));
            }
        }
        for symbol in file.symbols() {
            let name = symbol.name().unwrap_or_default();
            if name.is_empty()
                || !symbol
                    .section_index()
                    .is_some_and(|index| indices.contains(&index))
            {
                continue;
            }
            match mapping(name) {
                Some(is_code) => code.marks.push((symbol.address(), is_code)),
                None => code
                    .symbols
                    .push((symbol.address(), symbol.size(), name.to_owned())),
            }
        }
        if code.sections.is_empty() {
            bail!("it has no executable section");
        }
        // Without them nobody could tell the switch from the rest, nor code from data.
        if code.symbols.is_empty() || code.marks.is_empty() {
            bail!("it has no symbols");
        }
        code.marks.sort_unstable();
        code.symbols.sort_unstable();
        Ok(code)
    }

    fn is_code(&self, address: u64) -> bool {
        let before = self.marks.partition_point(|(start, _)| *start <= address);
        // What stands before the first mark is taken for code.
        before
            .checked_sub(1)
            .and_then(|index| self.marks.get(index))
            .is_none_or(|(_, is_code)| *is_code)
    }

    /// The names of the nearest symbols at or before an address that reach it.
    fn owners(&self, address: u64) -> impl Iterator<Item = &str> {
        let before = self.symbols.partition_point(|symbol| symbol.0 <= address);
        let start = before
            .checked_sub(1)
            .and_then(|index| self.symbols.get(index))
            .map(|symbol| symbol.0);
        self.symbols
            .iter()
            .take(before)
            .rev()
            .take_while(move |symbol| Some(symbol.0) == start)
            .filter(move |(start, size, _)| *size == 0 || address - start < *size)
            .map(|(_, _, name)| name.as_str())
    }

    fn check(&self) -> Report {
        let mut report = Report::default();
        for (start, bytes) in &self.sections {
            let words = bytes.chunks_exact(4).zip((*start..).step_by(4));
            for (word, address) in words {
                if !self.is_code(address) {
                    continue;
                }
                let word = word
                    .iter()
                    .rfold(0, |word, byte| word << 8 | u32::from(*byte));
                report.instructions += 1;
                let Some(kind) = kind(word) else {
                    continue;
                };
                if self.owners(address).any(|name| ALLOWED.contains(&name)) {
                    report.allowed += 1;
                    continue;
                }
                let symbol = self
                    .owners(address)
                    .next()
                    .map_or("no symbol".to_owned(), |name| {
                        format!("{:#}", rustc_demangle::demangle(name))
                    });
                report.findings.push(Finding {
                    address,
                    word,
                    kind,
                    symbol,
                });
            }
        }
        report
    }
}

/// Whether a symbol says that code (`$x`) or data (`$d`) begins; either may have a suffix.
fn mapping(name: &str) -> Option<bool> {
    let kind = name.split('.').next().unwrap_or_default();
    match kind {
        "$x" => Some(true),
        "$d" => Some(false),
        _ => None,
    }
}

fn check_file(elf: &Path) -> Result<Report> {
    let bytes = paths::read(elf)?;
    let code =
        Code::read(&bytes).with_context(|| format!("{} cannot be checked", elf.display()))?;
    Ok(code.check())
}

/// The images that are checked.
pub fn binaries() -> BTreeSet<Binary> {
    BTreeSet::from([SPMC, PROXY])
}

/// Checks the images, or the files that are named.
///
/// # Errors
/// An image cannot be built or read. A finding is no error, but the exit code tells.
pub fn run(arguments: &VectorCheck) -> Result<ExitCode> {
    let files = if arguments.files.is_empty() {
        let firmware = Firmware::build(&binaries(), &Options::of(&QEMU_VIRT))?;
        binaries()
            .into_iter()
            .map(|binary| firmware.elf(binary))
            .collect()
    } else {
        arguments.files.clone()
    };
    let mut clean = true;
    for file in &files {
        let report = check_file(file)?;
        println!("{}: {}", file.display(), report.summary());
        for finding in report.findings.iter().take(TOLD) {
            println!("    {finding}");
        }
        clean &= report.findings.is_empty();
    }
    if !clean {
        eprintln!(
            "error: vector registers belong to the endpoints; only the FP switch may touch them"
        );
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The same as a suite of tests, of images that are built already: one case for each.
///
/// # Errors
/// An image cannot be read.
pub fn suite(firmware: &Firmware) -> Result<Suite> {
    let mut suite = Suite {
        suite: "images".to_owned(),
        about: "no vector register outside of the FP switch".to_owned(),
        ..Suite::default()
    };
    for binary in binaries() {
        let report = check_file(&firmware.elf(binary))?;
        let passed = report.findings.is_empty();
        let detail = match report.findings.first() {
            None => report.summary(),
            Some(finding) => format!("{}, first {finding}", report.summary()),
        };
        if passed {
            suite.passed += 1;
        } else {
            suite.failed += 1;
        }
        suite.cases.push(Case {
            name: format!("vectors_of_{}", binary.name),
            passed,
            detail,
        });
    }
    Ok(suite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_instructions_are_seen() {
        for (expected, words) in [
            (
                Kind::LoadStore,
                &[
                    0xad00_0400, // stp q0, q1, [x0]
                    0x6d41_27e8, // ldp d8, d9, [sp, #16]
                    0xfd40_0020, // ldr d0, [x1]
                    0x1cff_ffa0, // ldr s0, literal
                    0x9cff_ff83, // ldr q3, literal
                    0x3c5f_f041, // ldur b1, [x2, #-1]
                    0x4c40_7800, // ld1 {v0.4s}, [x0]
                    0x0d9f_0c00, // st1 {v0.b}[3], [x0], #1
                ][..],
            ),
            (
                Kind::DataProcessing,
                &[
                    0x9e67_03e0, // fmov d0, xzr
                    0x9e66_0000, // fmov x0, d0
                    0x6f00_e400, // movi v0.2d, #0
                    0x4ea2_8420, // add v0.4s, v1.4s, v2.4s
                    0x1e62_2820, // fadd d0, d1, d2
                    0x9e78_0020, // fcvtzs x0, d1
                    0x4e28_4820, // aese v0.16b, v1.16b
                    0x5e02_4020, // sha256h q0, q1, v2.4s
                    0x4e01_0c20, // dup v0.16b, w1
                ],
            ),
            (
                Kind::Sve,
                &[
                    0x8580_4c03, // ldr z3, [x0, #3, mul vl]
                    0xe580_0001, // str p1, [x0]
                    0x2519_f000, // rdffr p0.b
                    0x2518_e3e0, // ptrue p0.b
                    0x0420_e3e0, // cntb x0
                ],
            ),
            (
                Kind::Sme,
                &[
                    0x8081_2000, // fmopa za0.s, p0/m, p1/m, z0.s, z1.s
                    0xe100_0000, // ldr za[w12, 0], [x0]
                    0xc008_00ff, // zero {za}
                ],
            ),
        ] {
            for word in words {
                assert_eq!(kind(*word), Some(expected), "{word:#010x}");
            }
        }
    }

    #[test]
    fn others_are_left_alone() {
        for word in [
            0xa8c1_7bfd, // ldp x29, x30, [sp], #16
            0xa900_0440, // stp x0, x1, [x2]
            0x58ff_fc60, // ldr x0, literal
            0x98ff_fc40, // ldrsw x0, literal
            0xf980_0000, // prfm pldl1keep, [x0]
            0xc85f_7c20, // ldxr x0, [x1]
            0xc8e0_fc41, // casal x0, x1, [x2]
            0x4860_fc82, // caspal x0, x1, x2, x3, [x4]
            0xb8e0_8041, // swpal w0, w1, [x2]
            0xf8e0_0041, // ldaddal x0, x1, [x2]
            0xd940_8020, // ldapur x0, [x1, #8]
            0xd920_0820, // stg x0, [x1]
            0x1901_0440, // cpyfp [x0]!, [x1]!, x2!
            0x9b02_0c20, // madd x0, x1, x2, x3
            0x9a82_0020, // csel x0, x1, x2, eq
            0xba00_8401, // rmif x0, #1, #1
            0xd53b_4400, // mrs x0, fpcr
            0xd51b_4420, // msr fpsr, x0
            0xd53b_4240, // mrs x0, svcr
            0xd503_427f, // smstop sm
            0xd503_245f, // bti c
            0xd503_233f, // paciasp
            0xd69f_03e0, // eret
            0xd400_0003, // smc #0
            0x9000_0000, // adrp x0
            0xd280_0020, // mov x0, #1
            0xd342_1020, // ubfx x0, x1, #2, #3
            0x17ff_ffbb, // b
            0x360f_f740, // tbz w0, #1
            0xd65f_03c0, // ret
            0x0000_0000, // udf #0
        ] {
            assert_eq!(kind(word), None, "{word:#010x}");
        }
    }

    const STORE: u32 = 0xad00_0400;
    const NOP: u32 = 0xd503_201f;

    /// Words from 0x1000 on.
    fn code(words: &[u32], marks: &[(u64, bool)], symbols: &[(u64, u64, &str)]) -> Code {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Code {
            sections: vec![(0x1000, bytes)],
            marks: marks.to_vec(),
            symbols: symbols
                .iter()
                .map(|(start, size, name)| (*start, *size, (*name).to_owned()))
                .collect(),
        }
    }

    fn addresses(report: &Report) -> Vec<u64> {
        let findings = report.findings.iter();
        findings.map(|finding| finding.address).collect()
    }

    #[test]
    fn only_the_switch_may_have_them() {
        let code = code(
            &[STORE, NOP, STORE, STORE, STORE],
            &[(0x1000, true)],
            &[
                (0x1000, 8, "memcpy"),
                (0x1008, 0, "__fp_save"),
                (0x100c, 0, "__fp_saved"),
                (0x1010, 0, "__sve_load"),
                (0x1010, 0, "alias"),
            ],
        );
        let report = code.check();
        assert_eq!((report.instructions, report.allowed), (5, 2));
        assert_eq!(
            report
                .findings
                .iter()
                .map(Finding::to_string)
                .collect::<Vec<_>>(),
            [
                "memcpy at 0x1000: 0xad000400 (load or store of a vector register)",
                "__fp_saved at 0x100c: 0xad000400 (load or store of a vector register)",
            ]
        );
    }

    #[test]
    fn the_switch_ends_where_its_size_says() {
        let code = code(
            &[STORE, STORE],
            &[(0x1000, true)],
            &[(0x1000, 4, "__fp_save")],
        );
        let report = code.check();
        assert_eq!(addresses(&report), [0x1004]);
        assert_eq!(report.findings[0].symbol, "no symbol");
    }

    #[test]
    fn data_between_code_is_no_alarm() {
        let code = code(
            &[NOP, STORE, STORE, STORE],
            &[(0x1004, false), (0x100c, true)],
            &[(0x1000, 16, "f")],
        );
        let report = code.check();
        assert_eq!(addresses(&report), [0x100c]);
        assert_eq!(report.instructions, 2);
        assert_eq!(mapping("$d.17"), Some(false));
        assert_eq!(mapping("$x"), Some(true));
        assert_eq!(mapping("$xyz"), None);
    }

    #[test]
    fn what_is_no_elf_is_an_error() {
        assert!(Code::read(b"nothing").is_err());
    }
}
