//! What a partition may say about interrupts, and what is made of it.

use super::*;
use crate::context::{InterruptRules, NsAction};

/// Boots the operating system and the store, whose devices "uart1" and "flash" have these properties
/// too, and gives the interrupts of both.
fn interrupts(uart1: &str, flash: &str) -> [Vec<DeviceInterrupt>; 2] {
    let os = changed(OS, "uart1 {", &format!("uart1 {{ {uart1}"));
    let store = changed(STORE, "flash {", &format!("flash {{ {flash}"));
    let packages = [packed(&dts::compile(&os)), listed(&dts::compile(&store))];
    let (accepted, refused) = boot(FIELD, &[&packages[0], &packages[1]]).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    [0, 1].map(|index: usize| accepted[index].interrupts.to_vec())
}

/// `count` devices with four interrupts each, from 64 on.
pub fn devices(count: u32) -> String {
    let device = |n: u32| {
        let pairs: String = (0..4)
            .map(|m| format!("{} 0xb01 ", 64 + 4 * n + m))
            .collect();
        format!(
            "d{n} {{ base-address = <{}>; pages-count = <1>; attributes = <11>; \
             interrupts = <{pairs}>; }};",
            0x8200_0000 + 0x1000 * n
        )
    };
    (0..count).map(device).collect()
}

const SPI: DeviceInterrupt = DeviceInterrupt {
    intid: 40,
    priority: 0x10,
    level: true,
    target: None,
};

#[test]
fn a_devices_interrupts_are_what_its_source_says() {
    let [os, store] = interrupts(
        "interrupts = <0x28 0xb01>;",
        "interrupts = <56 0x900>, <16 0x740>, <255 0xb20>, <22 0x530>; \
         interrupts-target = <255 0x0 0x10300>, <56 0 0x81000100>;",
    );
    assert_eq!(os, [SPI]);
    let one = |intid, priority, level, target| DeviceInterrupt {
        intid,
        priority,
        level,
        target,
    };
    assert_eq!(
        store,
        [
            one(56, 0x10, false, Some(0x100)),
            one(16, 0x40, true, None),
            one(255, 0x20, true, Some(0x1_0300)),
            one(22, 0x30, false, None),
        ]
    );
    assert_eq!(interrupts("", ""), [vec![], vec![]]);
}

/// Manifests in the field have 0 and 1, which are the SPMC's own priorities.
#[test]
fn a_priority_is_one_that_the_controller_has_and_no_more_urgent_than_the_spmcs() {
    for (priority, is) in [
        (0, 0x10),
        (1, 0x10),
        (0x10, 0x10),
        (0x17, 0x10),
        (0x18, 0x18),
        (0x47, 0x40),
        (0x78, 0x78),
        (0x7f, 0x78),
    ] {
        let source = format!("interrupts = <40 {:#x}>;", 0xb00 | priority);
        let [os, _] = interrupts(&source, "");
        assert_eq!(
            os,
            [DeviceInterrupt {
                priority: is,
                ..SPI
            }]
        );
    }
}

#[test]
fn thirty_two_interrupts_of_a_partition_fit() {
    let os = changed(OS, "uart1 {", &format!("{} uart1 {{", devices(8)));
    let (accepted, refused) = boot(FIELD, &[&packed(&dts::compile(&os))]).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    let intids = accepted[0].interrupts.iter().map(|one| one.intid);
    assert!(intids.eq(64..96));
}

/// Every interrupt controller has the private ones, and no board is known to have none of the shared.
#[test]
fn the_boards_last_interrupt_is_the_last_that_is_given() {
    let manifest = spmc(FIELD).unwrap();
    let os = |intid| {
        let with = format!("uart1 {{ interrupts = <{intid} 0xb01>;");
        echo(&changed(OS, "uart1 {", &with)).unwrap()
    };
    for (end, intid, is_there) in [
        (1020, 1019, true),
        (288, 287, true),
        (288, 288, false),
        (u32::MAX, 1019, true),
        (0, 32, false),
    ] {
        let board = Reserved {
            intids_end: end,
            ..FIRMWARE
        };
        let checked = check_partition(&manifest, 0, &os(intid), &package(), &[], &board);
        assert_eq!(checked.is_ok(), is_there, "{end} {intid}");
    }
}

#[test]
fn what_interrupts_do_is_what_the_source_says() {
    let signalled = InterruptRules::default();
    let queued = InterruptRules {
        ns_action: NsAction::Queued,
        ..signalled
    };
    let managed = InterruptRules {
        ns_action: NsAction::ManagedExit,
        ..signalled
    };
    assert_eq!(signalled.ns_action, NsAction::Signalled);
    for (line, rules) in [
        ("", signalled),
        ("ns-interrupts-action = <2>;", signalled),
        ("ns-interrupts-action = <0 2>;", signalled),
        ("ns-interrupts-action = <1>;", managed),
        ("ns-interrupts-action = <0>;", queued),
        ("managed-exit;", managed),
        ("managed-exit; ns-interrupts-action = <1>;", managed),
        (
            "managed-exit; managed-exit-virq;",
            InterruptRules {
                managed_exit_virq: true,
                ..managed
            },
        ),
        // It says only how.
        ("managed-exit-virq;", signalled),
        ("ns-interrupts-action = <0>; managed-exit-virq;", queued),
        ("other-s-interrupts-action = <1>;", signalled),
        (
            "ns-interrupts-action = <0>; other-s-interrupts-action = <1>;",
            queued,
        ),
        (
            "ns-interrupts-action = <0>; other-s-interrupts-action = <0>;",
            InterruptRules {
                other_s_queued: true,
                ..queued
            },
        ),
        ("sri-interrupts-policy = <0>;", signalled),
        (
            "sri-interrupts-policy = <1>;",
            InterruptRules {
                sri_waiting: true,
                ..signalled
            },
        ),
        (
            "sri-interrupts-policy = <2>;",
            InterruptRules {
                sri_leaving: true,
                ..signalled
            },
        ),
        (
            "managed-exit; sri-interrupts-policy = <3>;",
            InterruptRules {
                sri_waiting: true,
                sri_leaving: true,
                ..managed
            },
        ),
    ] {
        let source = changed(ECHO, "ns-interrupts-action = <2>;", line);
        assert_eq!(echo(&source).unwrap().rules, rules, "{line}");
    }
}

#[test]
fn only_contexts_that_belong_to_a_core_are_told_that_it_goes_off() {
    for (messages, contexts, told) in [
        (0, 4, false),
        (1, 4, true),
        (7, 4, true),
        (0xf, 4, true),
        (0xe, 4, false),
        (1, 1, false),
        (7, 1, false),
    ] {
        let source = changed(
            ECHO,
            "gp-register-num = <0>;",
            &format!("power-management-messages = <{messages}>;"),
        );
        let count = format!("execution-ctx-count = <{contexts}>;");
        let source = changed(&source, "execution-ctx-count = <4>;", &count);
        let manifest = echo(&source).unwrap();
        assert_eq!(manifest.power_off_messages, told, "{messages} {contexts}");
    }
}

// Too slow under Miri; what runs there covers the same code.
#[cfg(not(miri))]
mod random {
    use super::super::fuzz::load_all;
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// An interrupt near the edges of what there is, and perhaps where it goes.
    fn interrupt() -> impl Strategy<Value = (u32, u32, Option<u32>)> {
        let intid = prop_oneof![12 => 14u32..46, 2 => 254u32..258, 1 => any::<u32>()];
        let attributes = prop_oneof![
            12 => select(vec![0xb01u32, 0x900, 0xb7f]),
            2 => select(vec![0x301u32, 0xa01, 0xb80, 0x1b01]),
            1 => any::<u32>()
        ];
        let target = prop_oneof![8 => Just(0x100u32), 2 => 0u32..0x400, 1 => any::<u32>()];
        let target = proptest::option::weighted(0.3, target);
        (intid, attributes, target).prop_map(|(intid, attributes, target)| {
            // Mostly of the type that the INTID has.
            let private = (16..32).contains(&intid) && attributes & 0xc00 == 0x800;
            (intid, attributes ^ if private { 0xc00 } else { 0 }, target)
        })
    }

    /// A device's properties.
    fn properties(interrupts: &[(u32, u32, Option<u32>)]) -> String {
        let mut source = String::new();
        for (intid, attributes, _) in interrupts {
            source += if source.is_empty() {
                "interrupts = "
            } else {
                ", "
            };
            source += &format!("<{intid} {attributes}>");
        }
        source += if source.is_empty() { "" } else { "; " };
        let targets = interrupts
            .iter()
            .filter_map(|(intid, _, target)| Some((intid, (*target)?)));
        let targets: Vec<_> = targets
            .map(|(intid, target)| format!("<{intid} 0 {target}>"))
            .collect();
        if !targets.is_empty() {
            source += &format!("interrupts-target = {};", targets.join(", "));
        }
        source
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn accepted_interrupts_are_nobody_elses(
            uart1 in proptest::collection::vec(interrupt(), 0..3),
            flash in proptest::collection::vec(interrupt(), 0..3),
            rtc in proptest::collection::vec(interrupt(), 0..6),
        ) {
            let with = |source: &str, device: &str, interrupts: &[_]| {
                let to = format!("{device} {{ {}", properties(interrupts));
                changed(source, &format!("{device} {{"), &to)
            };
            let sources = [
                with(OS, "uart1", &uart1),
                with(&with(STORE, "flash", &flash), "rtc", &rtc),
            ];
            let read = sources.iter().filter_map(|source| echo(source).ok());
            let mut list = package();
            list.hob_list = Some(0x2_4000..0x2_4800);
            let partitions: Vec<_> = read.map(|read| (read, list.clone())).collect();
            load_all(&spmc(FIELD).unwrap(), &partitions);
        }
    }
}
