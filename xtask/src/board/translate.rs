//! Makes another board's manifests and expected texts from those of QEMU's `virt`.
//!
//! In a manifest only addresses and interrupts are touched: the values of some properties, unit addresses of nodes,
//! and the cores. In a text every hexadecimal number is one that lies in a window.

use super::{Board, Window};
use std::{borrow::Cow, fmt::Write as _};

/// Properties whose value is an address, in one cell or two.
const ADDRESSES: [&str; 5] = [
    "load-address",
    "load_address",
    "entrypoint",
    "base-address",
    "reg",
];
/// The property with pairs of an interrupt's number and its attributes.
const INTERRUPTS: &str = "interrupts";
/// That with an interrupt's number and a core, in two cells.
const TARGETS: &str = "interrupts-target";
/// The node of the cores.
const CORES: &str = "cpus";

impl Board {
    /// Where what lies at an address of QEMU's `virt` lies here.
    pub fn place(&self, address: u64) -> u64 {
        self.windows
            .iter()
            .find_map(|window| window.place(address))
            .unwrap_or(address)
    }

    /// The text with each hexadecimal number that lies in a window replaced.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.windows.is_empty() {
            return text.into();
        }
        numbers(text, |_, value| self.place(value)).into()
    }

    /// The source of a manifest for this board.
    pub fn manifest(&self, source: &str) -> String {
        if self.windows.is_empty() {
            return source.to_owned();
        }
        let mut translated = String::with_capacity(source.len());
        let mut nodes: Vec<&str> = Vec::new();
        for line in source.split_inclusive('\n') {
            let content = line.trim();
            let in_cores = nodes.contains(&CORES);
            if let Some(node) = content.strip_suffix('{') {
                let name = node.trim();
                nodes.push(name);
                translated += &match name.split_once('@') {
                    Some((_, unit)) => self.unit(line, unit, in_cores),
                    None => line.to_owned(),
                };
            } else if content.starts_with('}') {
                nodes.pop();
                translated += line;
            } else if let Some((property, _)) = content.split_once('=')
                && [INTERRUPTS, TARGETS].contains(&property.trim())
            {
                translated += &match property.trim() == INTERRUPTS {
                    true => numbers(line, |cell, value| match cell % 2 {
                        0 => self.interrupt(value),
                        _ => value,
                    }),
                    false => numbers(line, |cell, value| match cell % 3 {
                        0 => self.interrupt(value),
                        1 => value,
                        _ => self.core(value),
                    }),
                };
            } else if let Some((property, _)) = content.split_once('=')
                && ADDRESSES.contains(&property.trim())
            {
                translated += &if in_cores {
                    numbers(line, |_, core| self.core(core))
                } else {
                    // In `reg` an address, in two cells, is followed by a size.
                    numbers(line, |cell, value| match cell % 4 {
                        0 | 1 => self.place(value),
                        _ => value,
                    })
                };
            } else {
                translated += line;
            }
        }
        translated
    }

    /// A node's line with another unit address.
    fn unit(&self, line: &str, unit: &str, in_cores: bool) -> String {
        match u64::from_str_radix(unit, 16) {
            Ok(value) => {
                let to = if in_cores {
                    self.core(value)
                } else {
                    self.place(value)
                };
                line.replacen(&format!("@{unit}"), &format!("@{to:x}"), 1)
            }
            Err(_) => line.to_owned(),
        }
    }

    fn interrupt(&self, number: u64) -> u64 {
        self.interrupts
            .iter()
            .find(|(from, _)| u64::from(*from) == number)
            .map_or(number, |(_, to)| u64::from(*to))
    }

    fn core(&self, number: u64) -> u64 {
        usize::try_from(number)
            .ok()
            .and_then(|number| self.cores.get(number))
            .map_or(number, |affinity| u64::from(*affinity))
    }
}

impl Window {
    fn place(&self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(self.from)?;
        (offset < self.size).then(|| self.to + offset)
    }
}

/// The text with each hexadecimal number replaced by what `change` makes of its place among them and its value.
/// Leading zeros stay as many digits as there were, if they are still enough.
fn numbers(text: &str, mut change: impl FnMut(usize, u64) -> u64) -> String {
    let mut changed = String::with_capacity(text.len());
    let mut rest = text;
    let mut count = 0;
    while let Some(start) = rest.find("0x") {
        let (before, number) = rest.split_at(start + 2);
        let end = number
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(number.len());
        let (digits, after) = number.split_at(end);
        changed += before;
        match u64::from_str_radix(digits, 16) {
            Ok(value) => {
                let to = change(count, value);
                if to == value {
                    changed += digits;
                } else if digits.starts_with('0') {
                    let _ = write!(changed, "{to:0width$x}", width = digits.len());
                } else {
                    let _ = write!(changed, "{to:x}");
                }
                count += 1;
            }
            Err(_) => changed += digits,
        }
        rest = after;
    }
    changed + rest
}

#[cfg(test)]
mod tests {
    use crate::board::{BOARDS, FVP_BASE_REVC, QEMU_VIRT};

    const SOURCE: &str = "/ {
	uuid = <0x092358d1 0xb94723f0 0x64447c82 0xc88f57f5>;
	load-address = <0x0 0x0e400000>;
	entrypoint-offset = <0x0 0x4000>;
	cpus {
		#address-cells = <2>;
		cpu@5 {
			device_type = \"cpu\";
			reg = <0x0 0x5>;
		};
	};
	memory@40000000 {
		reg = <0x0 0x40000000 0x0 0x40000000>;
	};
	smc_whitelist = <0x40000000>;
	interrupts = <0x27 0xb20>, <0x20 0x27>, <0x17 0x520>;
	interrupts-target = <0x27 0x0 0x5>;
};
";

    #[test]
    fn addresses_and_cores_are_translated_and_nothing_else() {
        assert_eq!(QEMU_VIRT.manifest(SOURCE), SOURCE);
        let translated = FVP_BASE_REVC.manifest(SOURCE);
        let wanted = SOURCE
            .replace("0x0e400000", "0x07100000")
            .replace("cpu@5", "cpu@10100")
            .replace("<0x0 0x5>", "<0x0 0x10100>")
            .replace("memory@40000000", "memory@80000000")
            .replace("<0x0 0x40000000 0x0", "<0x0 0x80000000 0x0")
            .replace("<0x27 0xb20>, <0x20 0x27>", "<0x3a 0xb20>, <0x38 0x27>")
            .replace("<0x27 0x0 0x5>", "<0x3a 0x0 0x10100>");
        assert_eq!(translated, wanted);
    }

    #[test]
    fn texts_are_translated_with_and_without_leading_zeros() {
        let text = |text| FVP_BASE_REVC.text(text).into_owned();
        assert_eq!(
            text("load_address: 0xe380000-0xe47ffff overlaps"),
            "load_address: 0x7080000-0x717ffff overlaps"
        );
        assert_eq!(text("at 0x60001000, 0x4000"), "at 0x88001000, 0x4000");
        assert_eq!(text("0xeffffff 0xf000000"), "0x7cfffff 0xf000000");
        assert_eq!(text("found 0x84000066, 0xxyz"), "found 0x84000066, 0xxyz");
    }

    #[test]
    fn windows_end_nowhere_in_each_other() {
        for board in BOARDS {
            for (number, one) in board.windows.iter().enumerate() {
                for other in &board.windows[number + 1..] {
                    // What an earlier window has is its own on both sides, but may be cut out of a later one.
                    let apart = one.to + one.size <= other.to
                        || other.to + other.size <= one.to
                        || (one.to >= other.to && one.to + one.size <= other.to + other.size);
                    assert!(apart, "{one:x?} {other:x?}");
                }
            }
        }
    }
}
