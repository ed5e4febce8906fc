//! Wrong register contracts, one after the other: the matrix names cells that catch each.
//!
//! One test, in a process of its own: a mutation holds for the whole process.

use ffa_abi::contract::mutation::{Mutation, set};
use ring::matrix::{self, Cell};

/// A mutation, and cells that must catch it, at several boundaries.
const WANTED: &[(Mutation, &[&str])] = &[
    (
        Mutation::CopyAlways,
        &[
            "WAIT MSG_WAIT_32 -> REQ_32 from NWd | 1.0 perm | tfa-2.12",
            "SP RUN_32 -> MSG_WAIT | 1.2 perm | by-completion",
            "VM REQ_32 -> RESP_32 | 1.1 perm | tfa-2.12",
            "NS REQ_64 -> RESP_64 | 1.2 perm | by-completion",
        ],
    ),
    (
        Mutation::Bit30,
        &[
            "SP VERSION, another after other calls -> -1 | 1.2 perm | tfa-2.12",
            "SP unknown SMC32 -> -1 | 1.0 perm | tfa-2.12",
            "VM unknown SMC64 -> -1 | 1.3 strict | by-completion",
        ],
    ),
    (
        Mutation::NeverExtended,
        &[
            "WAIT MSG_WAIT_32 -> REQ2 from NWd | 1.2 perm | tfa-2.12",
            "WAIT MSG_WAIT_64 -> REQ2 from a partition | 1.3 strict | tfa-2.12",
            "SP REQ2 -> INTERRUPT -> RUN_32 -> RESP2 | 1.2 perm | tfa-2.12",
            "VM REQ2 -> (the proxy's interrupt, its own RUN) -> RESP2 | 1.2 perm | by-completion",
            "NS REQ2 -> RESP2 | 1.3 perm | by-completion",
        ],
    ),
    (
        Mutation::EighteenForWide,
        &[
            "WAIT MSG_WAIT_64 -> REQ_64 from NWd | 1.3 perm | tfa-2.12",
            "VM REQ_64 -> RESP_64 | 1.2 perm | tfa-2.12",
            "SP REQ_32 -> RESP_64 | 1.2 perm | by-completion",
        ],
    ),
    (
        Mutation::EchoOnNarrowEntry,
        &[
            "NS REQ_32 -> RESP_64 | 1.2 perm | by-completion",
            "EL3 another's payload passed, then REQ_32 -> RESP_64 | 1.2 perm | by-completion",
        ],
    ),
];

/// The cells that failed, each with what it saw.
fn failed(cells: &[Cell]) -> Vec<(String, String)> {
    cells
        .iter()
        .filter_map(|cell| Some((cell.name(), cell.result.clone().err()?)))
        .collect()
}

#[test]
fn each_wrong_contract_is_caught_by_named_cells() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut problems = Vec::new();
    for (mutation, wanted) in WANTED {
        set(Some(*mutation));
        let cells = matrix::run();
        set(None);
        let failed = failed(&cells);
        println!(
            "{mutation:?}: {} of {} cells fail",
            failed.len(),
            cells.len()
        );
        for name in *wanted {
            if !cells.iter().any(|cell| cell.name() == *name) {
                problems.push(format!("{mutation:?}: there is no cell {name}"));
                continue;
            }
            // By a register of x8-x17 that is wrong, not by a conversation that went astray.
            match failed.iter().find(|(failed, _)| failed == name) {
                None => problems.push(format!("{mutation:?} is not caught by {name}")),
                Some((_, what)) if !(8..18).any(|n| what.contains(&format!("x{n} is"))) => {
                    problems.push(format!("{mutation:?}, {name}: {what}"));
                }
                Some(_) => {}
            }
        }
    }
    let sane = failed(&matrix::run());
    let _ = std::panic::take_hook();
    assert!(sane.is_empty(), "without a mutation: {sane:?}");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
