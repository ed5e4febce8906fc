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

/// Where each range of addresses of a board starts and who executes there, ascending. All images run where they
/// were loaded.
#[derive(Clone, Copy, Debug)]
pub struct Ranges(pub &'static [(u64, Level)]);

impl Ranges {
    /// Who executes at an address.
    pub fn at(self, address: u64) -> Level {
        self.0
            .iter()
            .rev()
            .find(|(start, _)| *start <= address)
            .map_or(Level::Other, |(_, level)| *level)
    }
}

/// An instruction and how often it was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Its address.
    pub address: u64,
    /// Who executes there.
    pub level: Level,
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
        self.sum(|count| count.level == level)
    }

    /// How many instructions were executed in all.
    pub fn total(&self) -> u64 {
        self.sum(|_| true)
    }

    /// How many reads of system registers (`MRS`) `level` executed.
    pub fn mrs(&self, level: Level) -> u64 {
        self.sum(|count| count.level == level && count.opcode & 0xfff0_0000 == 0xd530_0000)
    }

    /// How many writes of system registers (`MSR` from a register) `level` executed.
    pub fn msr(&self, level: Level) -> u64 {
        self.sum(|count| count.level == level && count.opcode & 0xfff0_0000 == 0xd510_0000)
    }

    /// How often `level` was left for a lower one (`ERET`): as often as it was entered.
    pub fn exits(&self, level: Level) -> u64 {
        self.sum(|count| count.level == level && count.opcode & 0xffff_f3e0 == 0xd69f_03e0)
    }

    fn sum(&self, what: impl Fn(&Count) -> bool) -> u64 {
        self.0
            .iter()
            .filter(|count| what(count))
            .map(|count| count.count)
            .sum()
    }
}

/// Reads the plugin's file of a boot of the board with these ranges.
///
/// # Errors
/// A line is none of the plugin's, or the last window has no end.
pub fn parse(text: &str, ranges: Ranges) -> Result<Vec<Window>> {
    let mut windows = Vec::new();
    let mut open: Option<Window> = None;
    for line in text.lines() {
        match (line, &mut open) {
            ("window", None) => open = Some(Window::default()),
            ("end", Some(_)) => windows.extend(open.take()),
            (line, Some(window)) => window.0.push(
                parse_count(line, ranges).with_context(|| format!("the counter wrote {line:?}"))?,
            ),
            (line, None) => bail!("the counter wrote {line:?} outside of a window"),
        }
    }
    if open.is_some() {
        bail!("the counter's last window has no end: QEMU died in it");
    }
    Ok(windows)
}

fn parse_count(line: &str, ranges: Ranges) -> Option<Count> {
    let mut words = line.split(' ');
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let count = Count {
        address,
        level: ranges.at(address),
        opcode: u32::from_str_radix(words.next()?, 16).ok()?,
        count: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{FVP_BASE_REVC, QEMU_VIRT};

    const RANGES: Ranges = QEMU_VIRT.ranges;
    const TEXT: &str = "\
window
e100000 d53c4000 2000
e100004 d51c4000 1000
e100008 d503201f 500
e090000 d503201f 7000
e300010 d503201f 10
60000000 d503201f 13
60000004 d69f03e0 4
60000008 d69f0fff 3
50000000 d503201f 30
10 d503201f 1
40000000 d503201f 5
end
window
end
";

    #[test]
    fn counts_are_split_by_address() {
        let windows = parse(TEXT, RANGES).unwrap();
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
        // ERET, and ERETAB.
        assert_eq!(window.exits(Level::NsEl2), 7);
        assert_eq!(window.exits(Level::SEl2), 0);
    }

    #[test]
    fn a_cut_or_broken_file_is_an_error() {
        assert!(parse("window\n10 1 2\n", RANGES).is_err());
        assert!(parse("10 1 2\n", RANGES).is_err());
        assert!(parse("window\n10 x 2\nend\n", RANGES).is_err());
        assert!(parse("window\n10 1 2 3\nend\n", RANGES).is_err());
    }

    #[test]
    fn each_board_has_ranges_of_its_own() {
        let ranges = FVP_BASE_REVC.ranges;
        let seen = [
            0x400,
            0x0401_0000,
            0x0600_0000,
            0x0710_4000,
            0x8800_0000,
            0x9000_0000,
        ];
        assert_eq!(
            seen.map(|address| ranges.at(address)),
            [
                Level::El3,
                Level::El3,
                Level::SEl2,
                Level::SEl1,
                Level::NsEl2,
                Level::El1
            ]
        );
        for board in crate::board::BOARDS {
            assert!(board.ranges.0.is_sorted_by_key(|(start, _)| start));
            assert_eq!(board.ranges.at(board.spmc_base), Level::SEl2);
            assert_eq!(board.ranges.at(board.bl33_base), Level::NsEl2);
        }
    }
}
