//! Each configuration to its last state. Minutes in a release build:
//! `cargo test --release -p search --test full -- --ignored`.

use search::{
    explore::{self, Limits},
    world::World,
};

fn all_states(name: &str) {
    let worlds = World::all();
    let world = worlds.iter().find(|world| world.name == name);
    let report = explore::search(world.expect("a configuration"), Limits::default());
    println!(
        "{name}: {} states, {} transitions, depth {}, {:.1} s",
        report.states, report.transitions, report.depth, report.seconds
    );
    if let Some(violation) = report.violation {
        panic!("{}\n{}", violation.what, violation.path.join("\n"));
    }
    assert!(report.complete);
    // It has been where the difficult states are.
    let marks = report.marks;
    assert!(marks.preempted > 0 && marks.quiet > 0);
    // Without a partition nobody leaves anything to be saved.
    assert!(marks.unsaved > 0 || name == "5-three");
    if !name.starts_with('3') {
        assert!(marks.chained > 0);
        // A vCPU's request lasts as long as its sender waits, unless that dies or goes off elsewhere.
        assert!(marks.orphaned > 0 || name.starts_with('4') || name.starts_with('5'));
    }
    let strict = name.contains("strict") || matches!(name, "1-three" | "1-restart" | "4-three");
    assert_eq!(marks.kept > 0, strict);
    // What is promised: docs/testing.md.
    let vms = world.is_some_and(World::has_several);
    assert!(report.runs_within <= WITHIN && (!vms || report.runs_within > 0));
}

/// Each vCPU that waits for cycles can run after this many events, none of them anybody's failure.
const WITHIN: u32 = 8;

macro_rules! configurations {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(
            #[test]
            #[ignore = "long: every state"]
            fn $test() {
                all_states($name);
            }
        )*

        #[test]
        fn every_configuration_has_its_test() {
            let names: Vec<_> = World::all().iter().map(|world| world.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

configurations! {
    one_core: "1",
    one_core_in_strict_mode: "1-strict",
    three_partitions: "1-three",
    two_cores: "2",
    two_cores_in_strict_mode: "2-strict",
    partitions_that_are_restarted: "1-restart",
    one_that_is_restarted_on_two_cores: "2-restart",
    a_vm: "3",
    a_vm_in_strict_mode: "3-strict",
    two_vms: "4",
    two_vms_in_strict_mode: "4-strict",
    three_vms: "4-three",
    two_vms_on_two_cores: "5",
    two_vms_on_two_cores_in_strict_mode: "5-strict",
    two_vms_with_a_vcpu_on_each_core: "5-pinned",
    three_vms_on_two_cores: "5-three",
}
