//! What the tracing plugin wrote: every change of exception level with the registers that crossed.

pub mod decode;
pub mod recordings;

use crate::counts::{Level, Ranges};
use anyhow::{Context, Result, bail};
use std::fmt;

/// x0-x30.
pub type Registers = [u64; 31];

/// What made an exception level change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// SMC.
    Smc,
    /// HVC.
    Hvc,
    /// The return from an exception.
    Eret,
    /// An interrupt or a fault.
    Exception,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Smc => "smc",
            Self::Hvc => "hvc",
            Self::Eret => "eret",
            Self::Exception => "exception",
        })
    }
}

/// One side of a crossing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Who executes there.
    pub level: Level,
    /// The last instruction before, or the first one behind the crossing. After an exception the
    /// side before has the start of the last block of code instead.
    pub pc: u64,
    /// The stack pointer there.
    pub sp: u64,
}

/// A change of exception level or world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The CPU's number.
    pub cpu: u8,
    /// By what.
    pub cause: Cause,
    /// Before.
    pub from: Side,
    /// Behind.
    pub to: Side,
    /// x0-x30, which are the same on both sides.
    pub x: Registers,
}

/// One line of the plugin's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A case begins, or by an empty name ends.
    Mark(String),
    /// A change of level.
    Crossing(Box<Crossing>),
}

/// The plugin's argument: the addresses at which another one begins to execute.
pub fn bounds(ranges: Ranges) -> String {
    let starts = ranges
        .0
        .iter()
        .skip(1)
        .map(|(start, _)| format!("{start:x}"));
    starts.collect::<Vec<_>>().join(":")
}

/// A level's name in traces and recordings.
pub fn name(level: Level) -> &'static str {
    match level {
        Level::El1 => "EL1",
        Level::NsEl2 => "NS-EL2",
        Level::El3 => "EL3",
        Level::SEl2 => "S-EL2",
        Level::SEl1 => "S-EL1",
        Level::Other => "elsewhere",
    }
}

/// Finds a level by its name, in any case.
///
/// # Errors
/// There is none of this name; the error lists them.
pub fn level(text: &str) -> Result<Level, String> {
    let known = [
        Level::El1,
        Level::NsEl2,
        Level::El3,
        Level::SEl2,
        Level::SEl1,
    ];
    known
        .into_iter()
        .find(|level| name(*level).eq_ignore_ascii_case(text))
        .ok_or_else(|| {
            let names = known.map(name).join(", ");
            format!("found level {text:?}, wanted one of: {names}")
        })
}

/// Reads the plugin's file of a boot of the board with these ranges. A last line without its end is left out: the machine was stopped in it.
///
/// # Errors
/// A line is none of the plugin's; the error names it.
pub fn parse(text: &str, ranges: Ranges) -> Result<Vec<Event>> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut events = Vec::new();
    for (number, line) in whole.lines().enumerate() {
        let event = parse_line(line, ranges)
            .with_context(|| format!("line {}: the plugin wrote {line:?}", number + 1))?;
        match &event {
            // BL1 and what it loads are two ranges, and both are TF-A.
            Event::Crossing(crossing) if crossing.from.level == crossing.to.level => {}
            _ => events.push(event),
        }
    }
    if events.is_empty() {
        bail!("the plugin wrote nothing: the machine did not start");
    }
    Ok(events)
}

fn parse_line(line: &str, ranges: Ranges) -> Option<Event> {
    let mut words = line.split(' ');
    let kind = words.next()?;
    let cpu = words.next()?.parse().ok()?;
    let cause = match kind {
        "mark" => None,
        "cross" => Some(match words.next()? {
            "smc" => Cause::Smc,
            "hvc" => Cause::Hvc,
            "eret" => Cause::Eret,
            "exception" => Cause::Exception,
            _ => return None,
        }),
        _ => return None,
    };
    let mut number = || u64::from_str_radix(words.next()?, 16).ok();
    let mut side = || {
        let (pc, sp) = (number()?, number()?);
        let level = ranges.at(pc);
        Some(Side { level, pc, sp })
    };
    let sides = match cause {
        Some(cause) => Some((cause, side()?, side()?)),
        None => None,
    };
    let mut x = [0; 31];
    for slot in &mut x {
        *slot = number()?;
    }
    if words.next().is_some() {
        return None;
    }
    Some(match sides {
        None => Event::Mark(case_name(&x)),
        Some((cause, from, to)) => Event::Crossing(Box::new(Crossing {
            cpu,
            cause,
            from,
            to,
            x,
        })),
    })
}

/// A case's name, from x0-x3.
fn case_name(x: &Registers) -> String {
    x.iter()
        .take(4)
        .flat_map(|word| word.to_le_bytes())
        .filter(u8::is_ascii_graphic)
        .map(char::from)
        .collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::board::QEMU_VIRT;

    const RANGES: Ranges = QEMU_VIRT.ranges;

    /// A line of the plugin's with x0 and up; the rest is 0x1f.
    pub fn cross(cpu: u8, cause: &str, from: u64, to: u64, x: &[u64]) -> String {
        format!(
            "cross {cpu} {cause} {from:x} 10 {to:x} 20{}\n",
            registers(x)
        )
    }

    /// A mark.
    pub fn mark(name: &str) -> String {
        let mut bytes = [0; 32];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        let words: Vec<_> = bytes
            .chunks_exact(8)
            .map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap()))
            .collect();
        format!("mark 0{}\n", registers(&words))
    }

    fn registers(x: &[u64]) -> String {
        let all = x.iter().copied().chain(std::iter::repeat(0x1f));
        all.take(31).map(|x| format!(" {x:x}")).collect()
    }

    #[test]
    fn crossings_and_marks_are_read() {
        let text = mark("a_name_of_more_than_16_bytes")
            + &cross(0, "smc", 0x0e05_0000, 0x400, &[])
            + &cross(3, "smc", 0x6000_0010, 0xe09_1000, &[0x8400_0063])
            + "cross 0 smc 1 2";
        let events = parse(&text, RANGES).unwrap();
        assert_eq!(events.len(), 2, "the cut line is left out");
        assert_eq!(
            events[0],
            Event::Mark("a_name_of_more_than_16_bytes".to_owned())
        );
        let Event::Crossing(crossing) = &events[1] else {
            panic!("{events:?}");
        };
        assert_eq!((crossing.cpu, crossing.cause), (3, Cause::Smc));
        assert_eq!(crossing.from.level, Level::NsEl2);
        assert_eq!(crossing.to.level, Level::El3);
        assert_eq!((crossing.from.sp, crossing.to.sp), (0x10, 0x20));
        assert_eq!((crossing.x[0], crossing.x[30]), (0x8400_0063, 0x1f));
    }

    #[test]
    fn a_line_that_is_not_the_plugins_is_an_error() {
        let good = cross(0, "eret", 0, 0x6000_0000, &[]);
        for bad in [
            good.replace("eret", "jump"),
            good.replace("cross", "across"),
            good.replace(" 1f\n", "\n"),
            good.replace(" 1f\n", " 1f 1f\n"),
            good.replace(" 1f\n", " xyz\n"),
            String::new(),
        ] {
            assert!(parse(&bad, RANGES).is_err(), "{bad:?}");
        }
        assert!(parse(&good, RANGES).is_ok());
    }

    #[test]
    fn the_bounds_are_those_of_the_levels() {
        assert!(bounds(RANGES).starts_with("8000000:e000000:e100000:"));
        for (start, at) in RANGES.0 {
            assert_eq!(RANGES.at(*start), *at);
        }
        assert_eq!(level("s-el2"), Ok(Level::SEl2));
        assert!(level("el4").is_err());
    }
}
