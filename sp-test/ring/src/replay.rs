//! Holds the SPMD's model against recordings of a real one: `recordings/*.jsonl`, one change of
//! exception level in each line.

use crate::{
    fid,
    label::Frame,
    spmd::{Behaviour, Spmd, To},
};

/// One change of exception level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The case that made it.
    pub case: String,
    /// Its number in the case.
    pub step: u64,
    /// On which core.
    pub cpu: usize,
    /// `smc`, `eret` or `exception`.
    pub by: String,
    /// From which exception level.
    pub from: String,
    /// To which.
    pub to: String,
    /// x0-x30.
    pub x: Frame,
}

/// Reads one line. The format is flat: names, strings, numbers, and one array of strings.
pub fn parse(line: &str) -> Result<Crossing, String> {
    let text = |name: &str| {
        let (_, rest) = line
            .split_once(&format!("\"{name}\":"))
            .ok_or(format!("no {name} in {line}"))?;
        Ok::<_, String>(rest)
    };
    let string = |name: &str| {
        let rest = text(name)?;
        let inner = rest.trim_start().strip_prefix('"');
        let value = inner.and_then(|inner| inner.split_once('"'));
        Ok::<_, String>(
            value
                .ok_or(format!("{name} is no string in {line}"))?
                .0
                .to_owned(),
        )
    };
    let number = |name: &str| {
        let rest = text(name)?.trim_start();
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest[..end]
            .parse::<u64>()
            .map_err(|_| format!("{name} is no number in {line}"))
    };
    let list = text("x")?;
    let (inner, _) = list
        .trim_start()
        .strip_prefix('[')
        .and_then(|list| list.split_once(']'))
        .ok_or(format!("x is no array in {line}"))?;
    let mut x = [0; 31];
    let values: Vec<&str> = inner.split(',').collect();
    if values.len() != x.len() {
        return Err(format!("{} registers in {line}", values.len()));
    }
    for (register, value) in x.iter_mut().zip(values) {
        let hex = value.trim().trim_matches('"').trim_start_matches("0x");
        *register = u64::from_str_radix(hex, 16).map_err(|_| format!("{value} is no number"))?;
    }
    Ok(Crossing {
        case: string("case")?,
        step: number("step")?,
        cpu: number("cpu").unwrap_or(0) as usize,
        by: string("by").unwrap_or_else(|_| "smc".to_owned()),
        from: string("from")?,
        to: string("to")?,
        x,
    })
}

/// What comes next on a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Nothing is known: it comes up, or calls PSCI.
    Anything,
    /// EL3 returns to this world.
    Return(To),
    /// A call.
    Call,
}

/// How much was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Returns of EL3 whose registers the model foretold.
    pub returns: usize,
    /// Crossings with nothing to foretell.
    pub skipped: usize,
}

/// Replays crossings in their order.
pub fn replay(behaviour: Behaviour, crossings: &[Crossing]) -> Result<Compared, String> {
    let cpus = crossings.iter().map(|crossing| crossing.cpu + 1).max();
    let mut spmd = Spmd::new(behaviour, cpus.unwrap_or(1), [0; 31]);
    let mut expected = vec![Expected::Anything; spmd.cpus.len()];
    let mut compared = Compared::default();
    for crossing in crossings {
        let Crossing { cpu, x, .. } = crossing;
        let place = format!("{} step {}", crossing.case, crossing.step);
        let now = &mut expected[*cpu];
        match (crossing.from.as_str(), crossing.to.as_str()) {
            ("NS-EL2", "EL3") if crossing.by == "exception" => {
                *now = Expected::Return(spmd.secure_interrupt(*cpu, x));
            }
            ("NS-EL2", "EL3") => {
                let call = fid::of(x[0]);
                *now = match call {
                    fid::CPU_OFF => Expected::Return(spmd.cpu_off(*cpu, x)),
                    0x8400_0003 | 0xc400_0003 => Expected::Anything,
                    _ => Expected::Return(spmd.from_normal(*cpu, x)),
                };
            }
            ("S-EL2", "EL3") if *now == Expected::Anything => {
                spmd.cpus[*cpu].secure = *x;
                compared.skipped += 1;
            }
            ("S-EL2", "EL3") => {
                *now = match spmd.from_secure(*cpu, x) {
                    To::Off => Expected::Anything,
                    to => Expected::Return(to),
                };
            }
            ("EL3", world @ ("S-EL2" | "NS-EL2")) => match *now {
                Expected::Anything | Expected::Call => {
                    compared.skipped += 1;
                    if world == "S-EL2" {
                        *now = Expected::Anything;
                        spmd.cpus[*cpu].secure = *x;
                    } else {
                        *now = Expected::Call;
                    }
                }
                Expected::Return(to) => {
                    let want = match to {
                        To::Normal => ("NS-EL2", spmd.cpus[*cpu].normal),
                        _ => ("S-EL2", spmd.cpus[*cpu].secure),
                    };
                    if want.0 != world {
                        return Err(format!("{place}: returned to {world}, wanted {}", want.0));
                    }
                    if let Some(n) = (0..31).find(|n| want.1[*n] != x[*n]) {
                        return Err(format!(
                            "{place}: to {world} with x{n} {:#x}, wanted {:#x}",
                            x[n], want.1[n]
                        ));
                    }
                    compared.returns += 1;
                    *now = Expected::Call;
                }
            },
            // Between EL1 and EL2, where they are recorded.
            _ => compared.skipped += 1,
        }
    }
    Ok(compared)
}
