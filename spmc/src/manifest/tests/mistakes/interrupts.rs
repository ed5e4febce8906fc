//! Mistakes in what a partition says about interrupts: what they do to it, and those of its devices.

use super::regions::{each_in_store, refused};
use super::*;

/// The last line of the operating system's only device.
const UART: &str = "base-address = <0x0 0x1c0a0000>;";

#[test]
#[rustfmt::skip]
fn mistakes_in_what_interrupts_do() {
    let action = "ns-interrupts-action = <2>;";
    let message = |message: &str| format!("partition \"echo\": node /: property {message}");
    for (to, says) in [
        ("ns-interrupts-action = <3>;",
         "ns-interrupts-action: found 0x3, wanted 0 (queued), 1 (managed exit) or 2 (signalled)"),
        ("ns-interrupts-action = <0xffffffff>;",
         "ns-interrupts-action: found 0xffffffff, wanted 0 (queued), 1 (managed exit) or 2 (signalled)"),
        ("ns-interrupts-action = \"queued\";",
         "ns-interrupts-action: found 7 bytes, wanted one or two 32-bit cells"),
        ("managed-exit; ns-interrupts-action = <2>;",
         "ns-interrupts-action: found 0x2, wanted 1 (managed exit) or nothing together with managed-exit"),
        ("managed-exit; ns-interrupts-action = <0>;",
         "ns-interrupts-action: found 0x0, wanted 1 (managed exit) or nothing together with managed-exit"),
        ("managed-exit = <1>;",
         "managed-exit: found 4 bytes, wanted a flag without a value"),
        ("managed-exit-virq = <1>;",
         "managed-exit-virq: found 4 bytes, wanted a flag without a value"),
        ("other-s-interrupts-action = <0>;",
         "other-s-interrupts-action: found 0x0, wanted 1 (signalled) unless ns-interrupts-action is 0 (queued)"),
        ("ns-interrupts-action = <1>; other-s-interrupts-action = <0>;",
         "other-s-interrupts-action: found 0x0, wanted 1 (signalled) unless ns-interrupts-action is 0 (queued)"),
        ("managed-exit; other-s-interrupts-action = <0>;",
         "other-s-interrupts-action: found 0x0, wanted 1 (signalled) unless ns-interrupts-action is 0 (queued)"),
        ("ns-interrupts-action = <0>; other-s-interrupts-action = <2>;",
         "other-s-interrupts-action: found 0x2, wanted 0 (queued) or 1 (signalled)"),
        ("sri-interrupts-policy = <4>;",
         "sri-interrupts-policy: found 0x4, wanted bit 0 (asked for while waiting), bit 1 (asked for on leaving), and no other"),
        ("sri-interrupts-policy = <0x80000001>;",
         "sri-interrupts-policy: found 0x80000001, wanted bit 0 (asked for while waiting), bit 1 (asked for on leaving), and no other"),
        ("sri-interrupts-policy;",
         "sri-interrupts-policy: found 0 bytes, wanted one or two 32-bit cells"),
        ("power-management-messages = <0x11>;",
         "power-management-messages: found 0x11, wanted bits 0 (CPU_OFF), 1 (CPU_SUSPEND), 2 (CPU_SUSPEND_RESUME), 3 (CPU_ON), and no other"),
        ("power-management-messages = <1 1>;",
         "power-management-messages: found 0x100000001, wanted at most 0xffffffff"),
    ] {
        each(ECHO, &[(action, to, &message(says))], echo);
    }
}

#[test]
#[rustfmt::skip]
fn mistakes_in_interrupts() {
    let pairs = "two 32-bit cells for each interrupt, its INTID and its attributes";
    let triples = "three 32-bit cells for each interrupt, its INTID and an MPIDR";
    let shared = "attributes whose bits 11:10 are 2 (SPI), as for all INTIDs from 32 on";
    let private = "attributes whose bits 11:10 are 1 (PPI), as for all INTIDs of 16 to 31";
    let any = "an INTID of 16 to 31 (PPI) or 32 to 1019 (SPI)";
    let secure = "attributes with bit 8 (secure): others are the normal world's";
    let urgent = "attributes whose bits 7:0, the priority, are at most 0x7f: others are the normal world's";
    let board = "0x20-0xff (the shared interrupts of this board)";
    let system = "already taken by the SPMC, the firmware or the normal world";
    for (to, property, says) in [
        ("interrupts;", "interrupts", format!("found 0 bytes, wanted {pairs}")),
        ("interrupts = <40>;", "interrupts", format!("found 4 bytes, wanted {pairs}")),
        ("interrupts = <40 0xb01 41>;", "interrupts", format!("found 12 bytes, wanted {pairs}")),
        ("interrupts = [28 01];", "interrupts", format!("found 2 bytes, wanted {pairs}")),
        ("interrupts = <0 0xb01>;", "interrupts", format!("found 0x0, wanted {any}")),
        ("interrupts = <15 0x101>;", "interrupts", format!("found 0xf, wanted {any}")),
        ("interrupts = <1020 0xb01>;", "interrupts", format!("found 0x3fc, wanted {any}")),
        ("interrupts = <0xffffffff 0xb01>;", "interrupts", format!("found 0xffffffff, wanted {any}")),
        ("interrupts = <256 0xb01>;", "interrupts", format!("found 0x100, wanted {board}")),
        ("interrupts = <1019 0xb01>;", "interrupts", format!("found 0x3fb, wanted {board}")),
        ("interrupts = <40 0x1b01>;", "interrupts", "found 0x1b01, wanted attributes whose bits 31:12 are 0".into()),
        ("interrupts = <40 0x80000b01>;", "interrupts", "found 0x80000b01, wanted attributes whose bits 31:12 are 0".into()),
        ("interrupts = <40 0x301>;", "interrupts", format!("found 0x301, wanted {shared}")),
        ("interrupts = <40 0x701>;", "interrupts", format!("found 0x701, wanted {shared}")),
        ("interrupts = <40 0xf01>;", "interrupts", format!("found 0xf01, wanted {shared}")),
        ("interrupts = <16 0xb01>;", "interrupts", format!("found 0xb01, wanted {private}")),
        ("interrupts = <31 0x101>;", "interrupts", format!("found 0x101, wanted {private}")),
        ("interrupts = <40 0xa01>;", "interrupts", format!("found 0xa01, wanted {secure}")),
        ("interrupts = <16 0x400>;", "interrupts", format!("found 0x400, wanted {secure}")),
        ("interrupts = <40 0xb80>;", "interrupts", format!("found 0xb80, wanted {urgent}")),
        ("interrupts = <40 0xbff>;", "interrupts", format!("found 0xbff, wanted {urgent}")),
        ("interrupts = <40 0xb01>, <41 0xb01>, <40 0x901>;", "interrupts", "found 0x28, already taken by node flash".into()),
        ("interrupts = <40 0xb01 41 0xb01 42 0xb01 43 0xb01 44 0xb01>;", "interrupts", "more than 4 interrupts".into()),
        ("interrupts = <20 0x700>;", "interrupts", format!("found 0x14, {system}")),
        ("interrupts = <25 0x700>;", "interrupts", format!("found 0x19, {system}")),
        ("interrupts = <26 0x700>;", "interrupts", format!("found 0x1a, {system}")),
        ("interrupts = <27 0x700>;", "interrupts", format!("found 0x1b, {system}")),
        ("interrupts = <28 0x700>;", "interrupts", format!("found 0x1c, {system}")),
        ("interrupts = <30 0x700>;", "interrupts", format!("found 0x1e, {system}")),
        ("interrupts = <40 0xb01>, <39 0xb01>;", "interrupts", format!("found 0x27, {system}")),

        ("interrupts-target = <40 0 0>;", "interrupts-target", "found 0x28, wanted an INTID in the interrupts of this node".into()),
        ("interrupts = <40 0xb01>; interrupts-target = <41 0 0>;", "interrupts-target", "found 0x29, wanted an INTID in the interrupts of this node".into()),
        ("interrupts = <40 0xb01>; interrupts-target;", "interrupts-target", format!("found 0 bytes, wanted {triples}")),
        ("interrupts = <40 0xb01>; interrupts-target = <40 0>;", "interrupts-target", format!("found 8 bytes, wanted {triples}")),
        ("interrupts = <40 0xb01>; interrupts-target = <40 0 0 40>;", "interrupts-target", format!("found 16 bytes, wanted {triples}")),
        ("interrupts = <40 0xb01>; interrupts-target = <40 0 0x100>, <40 0 0x100>;", "interrupts-target", "found 0x28, already taken by node flash".into()),
        ("interrupts = <16 0x700>; interrupts-target = <16 0 0>;", "interrupts-target", "found 0x10, wanted an INTID of 32 to 1019: each core has the others for itself".into()),
        ("interrupts = <40 0xb01>; interrupts-target = <40 0 1>;", "interrupts-target", "found 0x1, wanted the MPIDR of a core in the SPMC manifest".into()),
        ("interrupts = <40 0xb01>; interrupts-target = <40 0 0x10400>;", "interrupts-target", "found 0x10400, wanted the MPIDR of a core in the SPMC manifest".into()),
        ("interrupts = <40 0xb01>; interrupts-target = <40 1 0>;", "interrupts-target", "found 0x100000000, wanted the MPIDR of a core in the SPMC manifest".into()),
        ("interrupts = <40 0xb01>; interrupts-target = <40 0 0x2000000>;", "interrupts-target", "found 0x2000000, wanted an MPIDR: bits 63:40 and 29:25 are 0".into()),
        ("interrupts = <40 0xb01>; interrupts-target = <40 0x100 0>;", "interrupts-target", "found 0x10000000000, wanted an MPIDR: bits 63:40 and 29:25 are 0".into()),
    ] {
        let says = format!("device-regions/flash: property {property}: {says}");
        let to = format!("exclusive-access; {to}");
        each_in_store(&[("exclusive-access;", &to, &says)]);
    }
}

#[test]
fn an_interrupt_is_one_devices_alone() {
    let with = |source: &str, at: &str, interrupts: &str| {
        changed(source, at, &format!("{at} interrupts = <{interrupts}>;"))
    };
    // Of the same partition.
    let flash = with(STORE, "exclusive-access;", "40 0xb01 41 0xb01");
    let both = with(&flash, "base-address = <0x0 0x1c0b0000>;", "41 0x900");
    assert_eq!(
        refused(FIELD, OS, &both),
        [
            "partition \"store\": node /device-regions/uart2: property interrupts: found 0x29, already taken by node flash"
        ]
    );
    // Of two: who comes first has it, shared devices or not.
    for intid in ["41 0xb01", "16 0x700"] {
        let os = with(OS, UART, intid);
        let store = with(STORE, "base-address = <0x0 0x1c0b0000>;", intid);
        let store = changed(&store, "<0x0 0x1c0b0000>", "<0x0 0x1c0a0000>");
        let (number, _) = intid.split_once(' ').unwrap();
        let number: u32 = number.parse().unwrap();
        assert_eq!(
            refused(FIELD, &os, &store),
            [format!(
                "partition \"store\": node /device-regions/uart2: property interrupts: found {number:#x}, already taken by partition \"os\""
            )]
        );
    }
}

#[test]
fn a_thirty_third_interrupt_is_refused() {
    let fit = super::super::interrupts::devices(8);
    assert!(
        refused(
            FIELD,
            &changed(OS, "uart1 {", &format!("{fit} uart1 {{")),
            STORE
        )
        .is_empty()
    );
    let os = changed(OS, UART, &format!("{UART} interrupts = <200 0xb01>;"));
    let os = changed(&os, "uart1 {", &format!("{fit} uart1 {{"));
    assert_eq!(
        refused(FIELD, &os, STORE),
        [
            "partition \"os\": node /device-regions/uart1: property interrupts: more than 32 interrupts of one partition's devices"
        ]
    );
}
