//! What the counting plugin wrote, split by who executed it.

use anyhow::{Context, Result, bail};

/// Who executes an instruction, told by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The VM.
    El1,
    /// The proxy, or a client that runs in its place.
    NsEl2,
    /// TF-A.
    El3,
    /// The SPMC.
    SEl2,
    /// A secure partition.
    SEl1,
    /// None of the known ranges.
    Other,
}

impl Level {
    /// Who executes at an address.
    pub fn at(address: u64) -> Self {
        RANGES
            .iter()
            .rev()
            .find(|(start, _)| *start <= address)
            .map_or(Self::Other, |(_, level)| *level)
    }
}

/// Where each range of addresses starts and who executes there. The ranges are those of the boot
/// images, which all run where they were loaded.
pub const RANGES: [(u64, Level); 9] = [
    // BL1's ROM and its services, then TF-A's secure memory.
    (0, Level::El3),
    (0x0800_0000, Level::Other),
    (0x0e00_0000, Level::El3),
    (SPMC_BASE, Level::SEl2),
    (0x0e30_0000, Level::SEl1),
    (0x0f00_0000, Level::Other),
    (0x5000_0000, Level::El1),
    (PROXY_BASE, Level::NsEl2),
    (0x7000_0000, Level::Other),
];

/// Where the SPMC runs.
pub const SPMC_BASE: u64 = 0x0e10_0000;
/// Where BL33 runs: the proxy or a client.
pub const PROXY_BASE: u64 = 0x6000_0000;

/// An instruction and how often it was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Its address.
    pub address: u64,
    /// The instruction itself.
    pub opcode: u32,
    /// How often.
    pub count: u64,
}

/// One window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window(pub Vec<Count>);

impl Window {
    /// How many instructions `level` executed.
    pub fn at(&self, level: Level) -> u64 {
        self.sum(|count| Level::at(count.address) == level)
    }

    /// How many instructions were executed in all.
    pub fn total(&self) -> u64 {
        self.sum(|_| true)
    }

    /// How many reads of system registers (`MRS`) `level` executed.
    pub fn mrs(&self, level: Level) -> u64 {
        self.sum(|count| {
            Level::at(count.address) == level && count.opcode & 0xfff0_0000 == 0xd530_0000
        })
    }

    /// How many writes of system registers (`MSR` from a register) `level` executed.
    pub fn msr(&self, level: Level) -> u64 {
        self.sum(|count| {
            Level::at(count.address) == level && count.opcode & 0xfff0_0000 == 0xd510_0000
        })
    }

    fn sum(&self, what: impl Fn(&Count) -> bool) -> u64 {
        self.0
            .iter()
            .filter(|count| what(count))
            .map(|count| count.count)
            .sum()
    }
}

/// Reads the plugin's file.
///
/// # Errors
/// A line is none of the plugin's, or the last window has no end.
pub fn parse(text: &str) -> Result<Vec<Window>> {
    let mut windows = Vec::new();
    let mut open: Option<Window> = None;
    for line in text.lines() {
        match (line, &mut open) {
            ("window", None) => open = Some(Window::default()),
            ("end", Some(_)) => windows.extend(open.take()),
            (line, Some(window)) => window
                .0
                .push(parse_count(line).with_context(|| format!("the counter wrote {line:?}"))?),
            (line, None) => bail!("the counter wrote {line:?} outside of a window"),
        }
    }
    if open.is_some() {
        bail!("the counter's last window has no end: QEMU died in it");
    }
    Ok(windows)
}

fn parse_count(line: &str) -> Option<Count> {
    let mut words = line.split(' ');
    let count = Count {
        address: u64::from_str_radix(words.next()?, 16).ok()?,
        opcode: u32::from_str_radix(words.next()?, 16).ok()?,
        count: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
window
e100000 d53c4000 2000
e100004 d51c4000 1000
e100008 d503201f 500
e090000 d503201f 7000
e300010 d503201f 10
60000000 d503201f 20
50000000 d503201f 30
10 d503201f 1
40000000 d503201f 5
end
window
end
";

    #[test]
    fn counts_are_split_by_address() {
        let windows = parse(TEXT).unwrap();
        assert_eq!(windows.len(), 2);
        let window = &windows[0];
        assert_eq!(window.at(Level::SEl2), 3500);
        assert_eq!(window.at(Level::El3), 7001);
        assert_eq!(window.at(Level::SEl1), 10);
        assert_eq!(window.at(Level::NsEl2), 20);
        assert_eq!(window.at(Level::El1), 30);
        assert_eq!(window.at(Level::Other), 5);
        assert_eq!(window.total(), 10566);
        assert_eq!(window.mrs(Level::SEl2), 2000);
        assert_eq!(window.msr(Level::SEl2), 1000);
    }

    #[test]
    fn a_cut_or_broken_file_is_an_error() {
        assert!(parse("window\n10 1 2\n").is_err());
        assert!(parse("10 1 2\n").is_err());
        assert!(parse("window\n10 x 2\nend\n").is_err());
        assert!(parse("window\n10 1 2 3\nend\n").is_err());
    }
}
