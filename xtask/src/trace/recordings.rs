//! Recordings of what EL3 does with registers, for tests that hold a model of it against reality.
//!
//! One JSON object per line and crossing: `case`, `step` (from 0 in each case), `cpu`, `by` (what
//! made the level change), `from`, `to`, and `x`, which is x0-x30. Only crossings between NS-EL2, EL3
//! and S-EL2 are kept. The first case, `boot`, is all that was before the client's first mark.

use super::{Crossing, Event, name};
use crate::counts::Level;
use anyhow::{Result, bail};
use serde::Serialize;
use std::collections::HashSet;

/// The case before the first mark.
const BOOT: &str = "boot";

#[derive(Serialize)]
struct Line<'a> {
    case: &'a str,
    step: usize,
    cpu: u8,
    by: String,
    from: &'static str,
    to: &'static str,
    x: Vec<String>,
}

/// The recordings' text.
///
/// # Errors
/// A case has no crossing or comes twice, or the client made no mark at all.
pub fn text(events: &[Event]) -> Result<String> {
    let mut text = String::new();
    let mut seen = HashSet::from([BOOT]);
    let mut case = BOOT;
    let mut step = 0;
    for event in events {
        match event {
            Event::Mark(name) => {
                if !case.is_empty() && step == 0 {
                    bail!("nothing crossed in case {case}");
                }
                if !name.is_empty() && !seen.insert(name) {
                    bail!("case {name} comes twice");
                }
                case = name;
                step = 0;
            }
            Event::Crossing(crossing) if !case.is_empty() && is_kept(crossing) => {
                text += &line(case, step, crossing)?;
                text.push('\n');
                step += 1;
            }
            Event::Crossing(_) => {}
        }
    }
    if seen.len() == 1 {
        bail!("no case was marked: only the scenario `record` can be recorded");
    }
    Ok(text)
}

fn is_kept(crossing: &Crossing) -> bool {
    [crossing.from.level, crossing.to.level]
        .iter()
        .all(|level| matches!(level, Level::NsEl2 | Level::El3 | Level::SEl2))
}

fn line(case: &str, step: usize, crossing: &Crossing) -> Result<String> {
    Ok(serde_json::to_string(&Line {
        case,
        step,
        cpu: crossing.cpu,
        by: crossing.cause.to_string(),
        from: name(crossing.from.level),
        to: name(crossing.to.level),
        x: crossing.x.iter().map(|x| format!("{x:#x}")).collect(),
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{
        parse,
        tests::{cross, mark},
    };

    const CLIENT: u64 = 0x6000_0000;
    const TF_A: u64 = 0x0e09_0000;
    const SPMC: u64 = 0x0e10_0000;
    const PARTITION: u64 = 0x0e30_0000;

    fn recorded(lines: &[String]) -> Result<String> {
        text(&parse(&lines.concat(), crate::board::QEMU_VIRT.ranges)?)
    }

    #[test]
    fn cases_are_numbered_and_partitions_left_out() {
        let text = recorded(&[
            cross(0, "eret", TF_A, SPMC, &[1]),
            mark("a"),
            cross(0, "smc", CLIENT, TF_A, &[2]),
            cross(0, "eret", SPMC, PARTITION, &[3]),
            cross(1, "eret", TF_A, CLIENT, &[4]),
            mark(""),
            cross(0, "smc", CLIENT, TF_A, &[5]),
        ])
        .unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        for (line, start) in lines.iter().zip([
            r#"{"case":"boot","step":0,"cpu":0,"by":"eret","from":"EL3","to":"S-EL2","x":["0x1","0x1f","#,
            r#"{"case":"a","step":0,"cpu":0,"by":"smc","from":"NS-EL2","to":"EL3","x":["0x2","#,
            r#"{"case":"a","step":1,"cpu":1,"by":"eret","from":"EL3","to":"NS-EL2","x":["0x4","#,
        ]) {
            assert!(line.starts_with(start), "{line}");
        }
    }

    #[test]
    fn empty_repeated_and_missing_cases_are_errors() {
        let some = cross(0, "smc", CLIENT, TF_A, &[]);
        for lines in [
            vec![some.clone()],
            vec![mark("a")],
            vec![some.clone(), mark("a"), mark("")],
            vec![some.clone(), mark("a"), some.clone(), mark("a")],
        ] {
            assert!(recorded(&lines).is_err(), "{lines:?}");
        }
    }
}
