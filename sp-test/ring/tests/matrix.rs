//! The matrix as the code stands.

#[test]
fn every_cell_is_right_under_both_spmds() {
    let cells = ring::matrix::run();
    let failed: Vec<String> = cells
        .iter()
        .filter_map(|cell| Some(format!("{}: {}", cell.name(), cell.result.as_ref().err()?)))
        .collect();
    println!("{}", ring::matrix::table(&cells));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(cells.len() > 5000, "{} cells", cells.len());
}

#[test]
fn names_are_unique() {
    let cells = ring::matrix::run();
    let mut names: Vec<String> = cells.iter().map(ring::matrix::Cell::name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
