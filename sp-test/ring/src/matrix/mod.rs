//! The matrix: every case of a call and its completion, for every version and mode, at every
//! boundary, under both SPMDs; each a named cell.
//!
//! A cell drives a small system and says which completion comes. That all of x0-x30, SP and the
//! vector registers are right, at the boundary named and at every other one that is crossed on the
//! way, is judged by the [world](crate::world) with the [oracle](crate::oracle)'s own table.
//!
//! | boundary | who is seen |
//! | --- | --- |
//! | `VM` | a VM behind the proxy; its version and mode are the cell's |
//! | `NS` | the normal world at EL3, and EL3 at the SPMC; its version is the cell's |
//! | `EL3` | what passes between EL3 and the SPMC besides: leftovers, interrupts, power, bounces |
//! | `SP` | a partition at the SPMC, calling; its version and mode are the cell's |
//! | `WAIT` | a partition at the SPMC, waiting to be called |

mod caller;
mod conversations;
mod immediate;
mod kept;
mod leftovers;
mod waiting;

use crate::{generate::VERSIONS, oracle::Kind, spmd::Behaviour};
use ffa_abi::{Version, contract::Mode};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What a cell varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The version of who is seen.
    pub version: Version,
    /// Its mode.
    pub mode: Mode,
    /// Which SPMD.
    pub behaviour: Behaviour,
}

impl Setup {
    /// Whether it has x8-x17.
    pub fn extended(&self) -> bool {
        self.version >= Version::V1_2
    }

    /// Whether it is in strict mode.
    pub fn strict(&self) -> bool {
        self.mode == Mode::SmcccStrict
    }

    /// Whether the 64-bit forms of cycle management are its to use.
    pub fn wide_cycles(&self) -> bool {
        self.version >= Version::V1_3 || self.strict()
    }

    fn column(&self) -> String {
        let mode = if self.strict() { "strict" } else { "perm" };
        format!("{} {mode}", self.version)
    }
}

/// A cell, and what came of it.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Boundary and case.
    pub row: String,
    /// What it varied.
    pub setup: Setup,
    /// Nothing, or what was wrong.
    pub result: Result<(), String>,
}

impl Cell {
    /// Its full name.
    pub fn name(&self) -> String {
        format!(
            "{} | {} | {}",
            self.row,
            self.setup.column(),
            self.setup.behaviour.name()
        )
    }
}

/// What a cell does.
type Script = Box<dyn Fn(&Setup) -> Result<(), String>>;

/// A case of a boundary: a name and a script.
struct Case {
    name: String,
    script: Script,
}

/// Cases in the making.
#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    fn add(
        &mut self,
        name: impl Into<String>,
        script: impl Fn(&Setup) -> Result<(), String> + 'static,
    ) {
        self.0.push(Case {
            name: name.into(),
            script: Box::new(script),
        });
    }
}

/// Compares what completed a call with what should have.
fn expect(got: Kind, wanted: Kind) -> Result<(), String> {
    if got == wanted {
        Ok(())
    } else {
        Err(format!("completed by {got:?}, wanted {wanted:?}"))
    }
}

/// Runs the whole matrix. A panic is a cell's failure.
pub fn run() -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut cases = Cases::default();
    conversations::cases(&mut cases);
    kept::cases(&mut cases);
    immediate::cases(&mut cases);
    waiting::cases(&mut cases);
    leftovers::cases(&mut cases);
    for case in &cases.0 {
        // Modes are an affair of partitions and VMs.
        let modes: &[Mode] = if case.name.starts_with("NS") || case.name.starts_with("EL3") {
            &[Mode::Permissive]
        } else {
            &[Mode::Permissive, Mode::SmcccStrict]
        };
        for version in VERSIONS {
            for mode in modes {
                for behaviour in Behaviour::ALL {
                    let setup = Setup {
                        version,
                        mode: *mode,
                        behaviour,
                    };
                    let result = catch_unwind(AssertUnwindSafe(|| (case.script)(&setup)));
                    cells.push(Cell {
                        row: case.name.clone(),
                        setup,
                        result: result.unwrap_or_else(|panic| {
                            Err(format!(
                                "panic: {}",
                                crate::fuzz::panic_text(panic.as_ref())
                            ))
                        }),
                    });
                }
            }
        }
    }
    cells
}

/// The cells as a table: a row for each case, a column for each version and mode, and in it one sign
/// for each SPMD, `.` for right and `F` for wrong.
pub fn table(cells: &[Cell]) -> String {
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<&str> = Vec::new();
    let mut signs: BTreeMap<(&str, String), String> = BTreeMap::new();
    for cell in cells {
        let column = cell.setup.column();
        if !columns.contains(&column) {
            columns.push(column.clone());
        }
        if rows.last() != Some(&cell.row.as_str()) {
            rows.push(&cell.row);
        }
        signs
            .entry((&cell.row, column))
            .or_default()
            .push(if cell.result.is_ok() { '.' } else { 'F' });
    }
    columns.sort();
    let wide = rows
        .iter()
        .map(|row| row.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = format!("{:wide$}", "");
    for column in &columns {
        let _ = write!(text, " | {column}");
    }
    text.push('\n');
    for row in rows {
        let _ = write!(text, "{row:wide$}");
        for column in &columns {
            let sign = signs.get(&(row, column.clone())).map_or("", String::as_str);
            let width = column.chars().count();
            let _ = write!(text, " | {sign:^width$}");
        }
        text.push('\n');
    }
    let failed = cells.iter().filter(|cell| cell.result.is_err()).count();
    let names: Vec<&str> = Behaviour::ALL.iter().map(|b| b.name()).collect();
    let _ = write!(
        text,
        "{} cells, {failed} failed; signs: {}",
        cells.len(),
        names.join(", ")
    );
    text
}
