//! Tables for people.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// An empty table with a heading.
pub fn table(heading: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(heading.iter().copied());
    table
}

/// Aligns columns of numbers to the right.
pub fn align_right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
