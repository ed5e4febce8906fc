//! What `bench` found, its bounds, and how both are shown.

use crate::{
    counts::{Level, Window},
    image::{Section, Symbol},
    report,
    results::Bench,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// How many functions a profile lists.
const HOTTEST: usize = 20;
/// Seconds of wall clock within which the VM runs, from power-on.
pub const POWER_ON_SECONDS: f64 = 3.0;

/// An upper bound on a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bound {
    /// Whose instructions.
    pub of: &'static str,
    /// At most this many per round trip.
    pub at_most: u64,
    /// Whether it is kept.
    pub kept: bool,
}

/// One bench from one place: instructions in its window.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Where the calls come from: `vm` or `direct`.
    pub from: &'static str,
    /// The bench's name.
    pub name: String,
    /// Round trips in the window.
    pub iterations: u64,
    /// The VM's instructions.
    pub el1: u64,
    /// The proxy's, or the direct client's.
    pub ns_el2: u64,
    /// TF-A's.
    pub el3: u64,
    /// The SPMC's.
    pub s_el2: u64,
    /// The partition's.
    pub s_el1: u64,
    /// At addresses that are nobody's; 0 unless something is wrong.
    pub other: u64,
    /// All.
    pub total: u64,
    /// Reads of system registers by the SPMC.
    pub s_el2_mrs: u64,
    /// Writes of system registers by the SPMC.
    pub s_el2_msr: u64,
    /// How often the VM was left for the proxy.
    pub ns_el2_exits: u64,
    /// Its bound, if it has one.
    pub bound: Option<Bound>,
    /// The window itself, for the profile.
    #[serde(skip)]
    pub window: Window,
}

impl Row {
    /// Splits a window.
    pub fn new(from: &'static str, bench: &Bench, window: Window) -> Self {
        let mut row = Self {
            from,
            name: bench.name.clone(),
            iterations: bench.iterations,
            el1: window.at(Level::El1),
            ns_el2: window.at(Level::NsEl2),
            el3: window.at(Level::El3),
            s_el2: window.at(Level::SEl2),
            s_el1: window.at(Level::SEl1),
            other: window.at(Level::Other),
            total: window.total(),
            s_el2_mrs: window.mrs(Level::SEl2),
            s_el2_msr: window.msr(Level::SEl2),
            ns_el2_exits: window.exits(Level::NsEl2),
            bound: None,
            window,
        };
        row.bound = row.find_bound();
        row
    }

    /// What the images at EL2 spend, without those who talk and EL3.
    const fn both_el2(&self) -> u64 {
        self.s_el2 + self.ns_el2
    }

    /// The bounds the project promises.
    fn find_bound(&self) -> Option<Bound> {
        let (of, at_most, found) = match (self.from, self.name.as_str()) {
            ("direct", "direct_req2") => ("S-EL2", 400, self.s_el2),
            ("direct", "direct_req2_fp") => ("S-EL2", 500, self.s_el2),
            // Predicates, and Z that is longer than V: 37 more.
            ("direct", "direct_req2_fp_longest") => ("S-EL2", 530, self.s_el2),
            ("direct", "features") => ("S-EL2", 120, self.s_el2),
            ("direct", "notification_set") => ("S-EL2", 500, self.s_el2),
            ("direct", "secure_interrupt") => ("S-EL2", 2500, self.s_el2),
            ("direct", "mem_share_1") => ("S-EL2", 8000, self.s_el2),
            (_, BOOT) => ("S-EL2", 500_000, self.s_el2),
            ("vm", "direct_req32" | "direct_req64" | "direct_req2" | "direct_req2_with_8_vms") => {
                ("NS-EL2", 260, self.ns_el2)
            }
            ("vm", "vm_to_vm_req2") => ("NS-EL2", 600, self.ns_el2),
            ("vm", "mem_share_page" | "mem_share_reclaim") => ("NS-EL2", 700, self.ns_el2),
            // One exit for each, and none for the end of the interrupt.
            ("vm", "timer_tick" | "timer_tick_with_8_vms") => {
                ("exits to NS-EL2", 1, self.ns_el2_exits)
            }
            _ => return None,
        };
        Some(Bound {
            of,
            at_most,
            kept: found > 0 && found <= at_most * self.iterations,
        })
    }
}

/// The row of the boot, up to the normal world's first instruction.
pub const BOOT: &str = "boot";

/// Bounds the rows of messages to partitions at S-EL0 by those to one at S-EL1 that has a single context too: at most
/// 60 % of them at S-EL2. A row's name is `NAME_el0`, and the other's `NAME_single`.
pub fn bound_by_single(rows: &mut [Row]) {
    let single: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            let name = row.name.strip_suffix("_single")?.to_owned();
            Some((row.from, name, row.s_el2, row.iterations))
        })
        .collect();
    for row in rows {
        let Some(name) = row.name.strip_suffix("_el0") else {
            continue;
        };
        let base = single
            .iter()
            .find(|(from, other, ..)| *from == row.from && other == name);
        // Without anything to compare with, the bound is not kept.
        let at_most = base.map_or(0, |(_, _, count, iterations)| {
            count * 60 / 100 / iterations.max(&1)
        });
        row.bound = Some(Bound {
            of: "S-EL2",
            at_most,
            kept: row.s_el2 > 0 && row.s_el2 <= at_most * row.iterations,
        });
    }
}

/// Bounds the rows of messages in a system of many partitions, with many cores on, or after a use of vector registers by
/// another partition, by those in a system of two on one core without it: at most 5 % more at both EL2. A row's name is
/// that of the one it is compared with, and what is different. Likewise memory of many pages in one piece by that of one.
pub fn bound_by_few(rows: &mut [Row]) {
    let few: Vec<_> = rows
        .iter()
        .map(|row| (row.from, row.name.clone(), row.both_el2(), row.iterations))
        .collect();
    for row in rows {
        let Some((name, percent)) = few_of(&row.name) else {
            continue;
        };
        let base = few
            .iter()
            .find(|(from, other, ..)| *from == row.from && other == name);
        // Without anything to compare with, the bound is not kept.
        let at_most = base.map_or(0, |(_, _, count, iterations)| {
            count * percent / 100 / iterations.max(&1)
        });
        let found = row.both_el2();
        row.bound = Some(Bound {
            of: "S-EL2 + NS-EL2",
            at_most,
            kept: found > 0 && found <= at_most * row.iterations,
        });
    }
}

/// What a row is compared with, and how many percent of it it may have: for `NAME_first_of_12`, `NAME_with_8_cores` and
/// `NAME_after_fp_elsewhere`, `NAME`; for many pages in one piece, one page.
fn few_of(name: &str) -> Option<(&str, u64)> {
    match name {
        "mem_share_512" => return Some(("mem_share_1", 200)),
        "mem_lend_512_of_block" => return Some(("mem_lend_1_of_block", 200)),
        _ => {}
    }
    let others = ["_with_8_cores", "_after_fp_elsewhere"];
    let other = others.into_iter().find_map(|end| name.strip_suffix(end));
    let name = other.or_else(|| {
        let (name, _) = name.split_once("_of_12")?;
        Some(name.rsplit_once('_')?.0)
    })?;
    Some((name, 105))
}

/// Says which counts of `rows` at S-EL2 and NS-EL2 are more than 2 % away from those of `others`, which has the same
/// benches of another board.
pub fn differences(rows: &[Row], others: &[Row]) -> Vec<String> {
    let mut different = Vec::new();
    for row in rows {
        let same = |other: &&Row| other.from == row.from && other.name == row.name;
        let Some(other) = others.iter().find(same) else {
            different.push(format!(
                "{} from {} was measured on one board only",
                row.name, row.from
            ));
            continue;
        };
        for (level, one, two) in [
            ("S-EL2", row.s_el2, other.s_el2),
            ("NS-EL2", row.ns_el2, other.ns_el2),
        ] {
            if one.abs_diff(two) * 50 > two {
                different.push(format!(
                    "{} from {}: {} at {level}, {} on the other board",
                    row.name,
                    row.from,
                    mean(one, row.iterations),
                    mean(two, other.iterations)
                ));
            }
        }
    }
    different
}

/// A firmware image's sections.
#[derive(Clone, Debug, Serialize)]
pub struct Image {
    /// Its name.
    pub name: &'static str,
    /// Its sections in memory.
    pub sections: Vec<Section>,
}

/// All that `bench` found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The benches.
    pub rows: Vec<Row>,
    /// The images.
    pub images: Vec<Image>,
    /// Wall clock from power-on to the VM's first line.
    pub power_on_to_vm_seconds: Option<f64>,
}

/// Who must have been measured, from where: a bound is broken too if its bench did not run.
const WANTED: [(&str, &str); 25] = [
    ("direct", "direct_req2"),
    ("direct", "features"),
    ("direct", "notification_set"),
    ("direct", "notification_set_again"),
    ("direct", "direct_req2_fp"),
    ("direct", "direct_req2_fp_longest"),
    ("direct", "direct_req2_after_fp_elsewhere"),
    ("vm", "direct_req2_after_fp_elsewhere"),
    ("vm", "direct_req2"),
    ("direct", BOOT),
    ("direct", "secure_interrupt"),
    ("direct", "mem_share_1"),
    ("direct", "mem_share_512"),
    ("direct", "mem_lend_1_of_block"),
    ("direct", "mem_lend_512_of_block"),
    ("direct", "direct_req2_with_8_cores"),
    ("direct", "direct_req2_first_of_12"),
    ("direct", "direct_req2_last_of_12"),
    ("vm", "direct_req2_last_of_12"),
    ("vm", "direct_req2_with_8_vms"),
    ("vm", "vm_to_vm_req2"),
    ("vm", "timer_tick"),
    ("vm", "timer_tick_with_8_vms"),
    ("direct", "direct_req2_el0"),
    ("direct", "direct_req64_el0"),
];

impl Report {
    /// The bounds that are not kept, each as a sentence. A bound whose bench did not run is not
    /// kept either.
    pub fn broken_bounds(&self) -> Vec<String> {
        let mut broken: Vec<_> = self
            .rows
            .iter()
            .filter_map(|row| {
                let bound = row.bound.as_ref().filter(|bound| !bound.kept)?;
                Some(format!(
                    "{} from {}: more than {} at {}",
                    row.name, row.from, bound.at_most, bound.of
                ))
            })
            .collect();
        for (from, name) in WANTED {
            if !self
                .rows
                .iter()
                .any(|row| row.from == from && row.name == name)
            {
                broken.push(format!("{name} from {from} did not run"));
            }
        }
        match self.power_on_to_vm_seconds {
            Some(seconds) if seconds < POWER_ON_SECONDS => {}
            Some(seconds) => broken.push(format!(
                "power-on to VM took {seconds:.2} s, wanted under 3 s"
            )),
            None => broken.push("the VM did not start".to_owned()),
        }
        broken
    }
}

/// A mean per round trip, to one decimal. It is exact to that decimal: the counts are whole.
pub fn mean(count: u64, iterations: u64) -> String {
    let tenths = (count * 10 + iterations / 2) / iterations.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The functions that a row spends most in, with their counts. `base` is where the image runs.
pub fn hottest(row: &Row, functions: &[Symbol], base: u64) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let end = functions
        .last()
        .map_or(0, |last| last.address + last.size.max(0x1_0000));
    for count in &row.window.0 {
        let Some(offset) = count.address.checked_sub(base).filter(|at| *at < end) else {
            continue;
        };
        let after = functions.partition_point(|function| function.address <= offset);
        let name = after
            .checked_sub(1)
            .map_or("?", |index| functions[index].name.as_str());
        *counts.entry(name).or_default() += count.count;
    }
    let mut list: Vec<_> = counts
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    list.truncate(HOTTEST);
    list
}

/// The report as tables: what is the same each time.
pub fn text(report: &Report) -> String {
    let mut text = format!(
        "instructions per round trip (release, logs off, mean of a warm window; boots: in all)\n{}\n",
        rows(&report.rows)
    );
    for image in &report.images {
        let mut table = report::table(&["section", "bytes"]);
        for (name, size) in &image.sections {
            table.add_row([name.clone(), size.to_string()]);
        }
        let total: u64 = image.sections.iter().map(|(_, size)| size).sum();
        table.add_row(["all".to_owned(), total.to_string()]);
        report::align_right(&mut table, &[1]);
        text += &format!("\nimage {}\n{table}\n", image.name);
    }
    text
}

fn rows(rows: &[Row]) -> String {
    let mut table = report::table(&[
        "from",
        "bench",
        "EL1",
        "NS-EL2",
        "EL3",
        "S-EL2",
        "S-EL1",
        "total",
        "S-EL2 MRS",
        "S-EL2 MSR",
        "bound",
    ]);
    for row in rows {
        let per = |count| mean(count, row.iterations);
        let bound = row.bound.as_ref().map_or_else(String::new, |bound| {
            let verdict = if bound.kept { "kept" } else { "NOT KEPT" };
            format!("{} <= {}: {verdict}", bound.of, bound.at_most)
        });
        table.add_row([
            row.from.to_owned(),
            row.name.clone(),
            per(row.el1),
            per(row.ns_el2),
            per(row.el3),
            per(row.s_el2),
            per(row.s_el1),
            per(row.total),
            per(row.s_el2_mrs),
            per(row.s_el2_msr),
            bound,
        ]);
    }
    report::align_right(&mut table, &[2, 3, 4, 5, 6, 7, 8, 9]);
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::QEMU_VIRT, counts::Count};

    fn row(from: &'static str, name: &str, address: u64, count: u64) -> Row {
        let bench = Bench {
            name: name.to_owned(),
            iterations: 10,
        };
        let opcode = 0xd503_201f;
        let window = Window(vec![Count {
            address,
            level: QEMU_VIRT.ranges.at(address),
            opcode,
            count,
        }]);
        Row::new(from, &bench, window)
    }

    #[test]
    fn means_are_rounded_to_a_tenth() {
        assert_eq!(mean(285_000, 1000), "285.0");
        assert_eq!(mean(285_049, 1000), "285.0");
        assert_eq!(mean(285_050, 1000), "285.1");
        assert_eq!(mean(0, 1000), "0.0");
    }

    #[test]
    fn a_bound_is_kept_up_to_its_last_instruction() {
        let kept = |count| {
            row("direct", "direct_req2", 0x0e10_0000, count)
                .bound
                .unwrap()
                .kept
        };
        assert!(kept(4000));
        assert!(!kept(4001));
        let none = row("vm", "direct_req2", 0x0e10_0000, 9_999_999);
        assert!(!none.bound.unwrap().kept, "nothing was seen at NS-EL2");
        assert!(row("direct", "direct_req32", 0, 1).bound.is_none());
    }

    #[test]
    fn a_bench_that_did_not_run_breaks_its_bound() {
        let report = Report {
            rows: vec![row("direct", "direct_req2", 0x0e10_0000, 1)],
            images: Vec::new(),
            power_on_to_vm_seconds: Some(3.5),
        };
        // All others, and the time from power-on.
        assert_eq!(report.broken_bounds().len(), WANTED.len());
    }

    #[test]
    fn many_partitions_and_cores_may_cost_five_percent() {
        let mut rows = [
            row("direct", "direct_req2", 0x0e10_0000, 1000),
            row("direct", "direct_req2_last_of_12", 0x0e10_0000, 1050),
            row("direct", "direct_req2_first_of_12", 0x0e10_0000, 1051),
            row("vm", "direct_req2_last_of_12", 0x0e10_0000, 1),
            row("direct", "direct_req2_with_8_cores", 0x0e10_0000, 1050),
        ];
        bound_by_few(&mut rows);
        let kept = rows.map(|row| row.bound.map(|bound| bound.kept));
        // 100 for each of ten; the first row has the bound of its own.
        let wanted = [true, true, false, false, true];
        assert_eq!(kept, wanted.map(Some));
    }

    #[test]
    fn boards_may_differ_by_two_percent() {
        let of = |count| [row("direct", "direct_req2", 0x0e10_0000, count)];
        assert!(differences(&of(102), &of(100)).is_empty());
        assert_eq!(differences(&of(103), &of(100)).len(), 1);
        assert_eq!(differences(&of(97), &of(100)).len(), 1);
        assert_eq!(differences(&of(1), &[]).len(), 1);
    }

    #[test]
    fn a_profile_names_the_function_before_the_address() {
        let symbol = |address, name: &str| Symbol {
            address,
            size: 16,
            name: name.to_owned(),
        };
        let functions = [symbol(0, "entry"), symbol(0x100, "handle")];
        let row = row("direct", "direct_req2", 0x0e10_0104, 7);
        assert_eq!(
            hottest(&row, &functions, 0x0e10_0000),
            [("handle".to_owned(), 7)]
        );
    }
}
