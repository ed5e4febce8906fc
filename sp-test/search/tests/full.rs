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
    let has = world.and_then(|world| world.interrupts);
    let notified = world.and_then(|world| world.notified);
    if let Some(notified) = notified {
        assert!(notified.list.is_empty() || marks.bound > 0 && marks.pending > 0 && marks.told > 0);
        // What is promised: docs/testing.md.
        assert!(report.notified_within <= READ);
        assert_eq!(report.notified_within > 0, has.is_some());
        let messages = !notified.messages.is_empty();
        assert_eq!(marks.unread > 0 && marks.full > 0, messages);
        assert!(marks.no_pair > 0 || !notified.maps);
        assert_eq!(marks.acquired > 0, name == "10-messages");
        assert_eq!(marks.handed_on > 0, name == "9-off-up");
        let by_partition = notified.list.iter().any(|one| one.sender.is_partition());
        let forgets = has.is_some_and(|has| has.fails) && by_partition;
        assert!(marks.left_behind > 0 || !forgets);
    } else if let Some(has) = has {
        assert!(marks.interrupted > 0 && marks.masked > 0);
        assert!(marks.intercepted > 0);
        assert!(marks.chained > 0 || !has.chains);
        assert_eq!(marks.asked > 0 && name.ends_with("sri"), name == "6-sri");
        assert_eq!(marks.managed_exits > 0, name == "6-managed");
        assert_eq!(marks.told_off > 0, name.contains("-off"));
        assert!(marks.orphaned > 0 || !(has.fails && has.chains));
        // What is promised: docs/testing.md.
        assert!((1..=HEARD).contains(&report.delivered_within));
    } else if !name.starts_with('3') {
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
/// A context hears of an interrupt after this many events, if everybody behaves.
const HEARD: u32 = 12;
/// A notification is read after this many events, if everybody behaves.
const READ: u32 = 12;

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
    cores_that_come_on_again: "2-again",
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
    interrupts_that_are_enabled_and_disabled: "6",
    devices_and_timers: "6-two",
    devices_and_three_partitions: "6-three",
    managed_exits: "6-managed",
    interrupts_that_are_queued: "6-queued",
    interrupts_for_which_cycles_are_asked: "6-sri",
    the_only_core_that_goes_off: "6-off",
    interrupts_of_partitions_that_fail: "6-fails",
    interrupts_on_two_cores: "7",
    interrupts_from_context_to_context: "7-sent",
    interrupts_from_context_to_context_and_requests: "7-sent-chains",
    devices_on_two_cores: "7-both",
    a_timer_and_cores_that_go_off: "7-timer",
    a_timer_and_cores_that_go_off_and_requests: "7-timer-chains",
    cores_that_go_off_and_on: "7-off",
    cores_that_go_off_and_on_and_interrupts_between_them: "7-off-sent",
    partitions_with_devices_that_fail_on_two_cores: "7-fails",
    notifications_on_one_core: "8",
    notifications_of_partitions_that_call_each_other: "8-chains",
    a_notification_that_is_bound_to_one_of_three: "8-same",
    notifications_of_partitions_that_fail: "8-fails",
    messages_on_one_core: "8-messages",
    messages_and_a_notification_of_partitions_that_fail: "8-both",
    notifications_of_each_context: "9",
    notifications_of_a_migrating_partition: "9-up",
    messages_on_two_cores: "9-messages",
    messages_to_a_partition_with_several_contexts: "9-messages-each",
    a_notification_and_cores_that_go_off: "9-off",
    a_notification_of_a_migrating_partition_and_cores_that_go_off: "9-off-up",
    a_notification_and_partitions_that_fail_on_two_cores: "9-fails",
    two_notifications_and_partitions_that_fail_on_two_cores: "9-fails-both",
    notifications_of_two_vms: "10",
    messages_of_two_vms: "10-messages",
}
