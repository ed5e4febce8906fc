//! The contract matrix as a table: rows are calls and what completed them, columns are boundaries
//! with the version and mode of the endpoint at their lower side.
//!
//! A cell is a case named `contract/<boundary>/<version>-<mode>/<call>-<completion>[/variant]`; the
//! same cell from several boots has failed if it has failed in one. Calls that must be refused
//! (`…/bad/…`) are counted in one row.

use crate::{report, results::Case};
use std::{
    collections::{BTreeSet, HashMap},
    fmt::{self, Display},
};

/// What the names of its cells begin with.
const PREFIX: &str = "contract/";
/// The row of all that must be refused.
const BAD: &str = "bad/";
const BOUNDARIES: [&str; 3] = ["vm", "ns", "sp"];

/// How often a cell passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    passed: u64,
    failed: u64,
}

/// A column: where its boundary stands among [`BOUNDARIES`], the version and mode.
type Column = (usize, String);

/// The matrix.
#[derive(Debug, Default)]
pub struct Matrix {
    columns: BTreeSet<Column>,
    rows: BTreeSet<String>,
    cells: HashMap<(String, Column), Cell>,
}

impl Matrix {
    /// Collects the cells among `cases`; `None` if there is none.
    pub fn collect<'c>(cases: impl IntoIterator<Item = &'c Case>) -> Option<Self> {
        let mut matrix = Self::default();
        for case in cases {
            let Some((column, row)) = place(&case.name) else {
                continue;
            };
            matrix.columns.insert(column.clone());
            let row = if row.starts_with(BAD) { BAD } else { row };
            matrix.rows.insert(row.to_owned());
            let cell = matrix.cells.entry((row.to_owned(), column)).or_default();
            if case.passed {
                cell.passed += 1;
            } else {
                cell.failed += 1;
            }
        }
        (!matrix.rows.is_empty()).then_some(matrix)
    }

    /// Cells that passed and that failed.
    fn totals(&self) -> (usize, usize) {
        let failed = self.cells.values().filter(|cell| cell.failed > 0).count();
        (self.cells.len() - failed, failed)
    }
}

/// Whether a case is a cell of the matrix.
pub fn is_cell(name: &str) -> bool {
    place(name).is_some()
}

/// The column and row that a case's name stands for.
fn place(name: &str) -> Option<(Column, &str)> {
    let mut parts = name.strip_prefix(PREFIX)?.splitn(3, '/');
    let (boundary, endpoint, row) = (parts.next()?, parts.next()?, parts.next()?);
    let boundary = BOUNDARIES.iter().position(|known| *known == boundary)?;
    Some(((boundary, endpoint.to_owned()), row))
}

/// A short heading: `vm 1.2`, and `vm 1.2 s` for strict mode.
fn heading((boundary, endpoint): &Column) -> String {
    let boundary = BOUNDARIES.get(*boundary).unwrap_or(&"?");
    let (version, mode) = endpoint.split_once('-').unwrap_or((endpoint, ""));
    match mode {
        "strict" => format!("{boundary} {version} s"),
        _ => format!("{boundary} {version}"),
    }
}

impl Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = vec!["call-completion".to_owned()];
        head.extend(self.columns.iter().map(heading));
        let head: Vec<_> = head.iter().map(String::as_str).collect();
        let mut table = report::table(&head);
        let (bad, rows): (Vec<_>, Vec<_>) = self.rows.iter().partition(|row| row.as_str() == BAD);
        for row in rows.into_iter().chain(bad) {
            let mut line = vec![match row.as_str() {
                BAD => "refused, as must be".to_owned(),
                row => row.to_owned(),
            }];
            for column in &self.columns {
                let cell = self.cells.get(&(row.clone(), column.clone()));
                line.push(match cell {
                    None => "–".to_owned(),
                    Some(cell) if cell.failed > 0 && row == BAD => format!("{} FAIL", cell.failed),
                    Some(cell) if cell.failed > 0 => "FAIL".to_owned(),
                    Some(cell) if row == BAD => cell.passed.to_string(),
                    Some(_) => "ok".to_owned(),
                });
            }
            table.add_row(line);
        }
        writeln!(f, "{table}")?;
        let (passed, failed) = self.totals();
        write!(
            f,
            "vm: VM and proxy; ns: NS-EL2 and EL3; sp: partition and SPMC; s: strict mode\n\
             matrix: {} cells ok, {failed} FAIL",
            passed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, passed: bool) -> Case {
        Case {
            name: name.to_owned(),
            passed,
            detail: String::new(),
        }
    }

    #[test]
    fn a_cell_of_several_boots_has_failed_if_one_has() {
        let cases = [
            case("contract/sp/1.2-permissive/MSG_WAIT_32-REQ2", true),
            case("contract/sp/1.2-permissive/MSG_WAIT_32-REQ2", false),
            case("contract/vm/1.2-strict/REQ2-RESP2/stale", true),
            case("contract/vm/1.2-strict/bad/run_unknown", true),
            case("contract/vm/1.2-strict/bad/run_spmc", true),
            case("version", false),
        ];
        let text = Matrix::collect(&cases).unwrap().to_string();
        let line = |start: &str| {
            text.lines()
                .find(|line| line.contains(start))
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .unwrap()
        };
        assert_eq!(
            line("call-completion"),
            "| call-completion | vm 1.2 s | sp 1.2 |"
        );
        assert_eq!(line("MSG_WAIT_32-REQ2"), "| MSG_WAIT_32-REQ2 | – | FAIL |");
        assert_eq!(line("stale"), "| REQ2-RESP2/stale | ok | – |");
        assert_eq!(line("refused"), "| refused, as must be | 2 | – |");
        assert!(text.ends_with("matrix: 2 cells ok, 1 FAIL"));
    }

    #[test]
    fn other_cases_make_no_matrix() {
        assert!(Matrix::collect(&[case("version", true), case("contract/x", true)]).is_none());
    }
}
