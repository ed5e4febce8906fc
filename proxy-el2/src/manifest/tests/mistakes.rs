//! Each manifest here is a good one with one mistake, and each mistake has its sentence.

use super::*;

/// What to change, into what, and the message for it.
type Mistake<'a> = (&'a str, &'a str, &'a str);

/// Reads `source` with each mistake made in it alone. `who` begins each message.
fn each(source: &str, who: &str, mistakes: &[Mistake<'_>]) {
    for (from, to, message) in mistakes {
        match parse(&changed(source, from, to)) {
            Ok(vm) => panic!("{from} -> {to}: {vm:?}"),
            Err(error) => assert_eq!(
                error.to_string(),
                format!("{who}: {message}"),
                "{from} -> {to}"
            ),
        }
    }
}

#[test]
#[rustfmt::skip]
fn mistakes_in_the_root() {
    each(FULL, "VM 7 \"store\"", &[
        ("tantalum,vm-manifest-1.0", "tantalum,vm-manifest-2.0",
         "node /: property compatible: found \"tantalum,vm-manifest-2.0\", wanted \"tantalum,vm-manifest-1.0\""),
        ("compatible = \"tantalum,vm-manifest-1.0\";", "",
         "node /: property compatible: missing, wanted \"tantalum,vm-manifest-1.0\""),
        ("vcpu-count", "vcpu-cout",
         "node /: found property \"vcpu-cout\", wanted none that the format does not have"),
        ("acme,color", "tantalum,color",
         "node /: found property \"tantalum,color\", wanted none that the format does not have"),
        ("notification-support;", "notification-support = <1>;",
         "node /: property notification-support: found 4 bytes, wanted a flag without a value"),
        ("ffa-version = <0x00010002>;", "ffa-version = <0x00010000>;",
         "node /: property notification-support: found 0 bytes, wanted nothing with an ffa-version below 1.1: notifications are of FF-A 1.1"),
        ("acme,color", "stream-ids",
         "node /: property stream-ids: not implemented yet: there is no SMMU driver, so nothing would confine what the device reads and writes"),
        ("acme,notes", "memory-regions",
         "node /: property memory-regions: not implemented yet: a VM has one range of memory, which load-address and memory-size name, and the VM maps its RX/TX buffers itself"),
        ("acme,notes", "notes@1",
         "node /: found node \"notes\", wanted none that the format does not have"),
        ("load-address = <0x0 0x54000000>;", "",
         "node /: property load-address: missing, wanted one or two 32-bit cells"),
        ("load-address = <0x0 0x54000000>;", "load-address = <0x54000800>;",
         "node /: property load-address: found 0x54000800, wanted a multiple of 4096"),
        ("load-address = <0x0 0x54000000>;", "load-address = <0 0 0x54000000>;",
         "node /: property load-address: found 12 bytes, wanted one or two 32-bit cells"),
        ("memory-size = <0x00400000>;", "",
         "node /: property memory-size: missing, wanted one or two 32-bit cells"),
        ("memory-size = <0x00400000>;", "memory-size = <0>;",
         "node /: property memory-size: found 0x0, wanted a multiple of 4096, not 0, that ends below 2^64"),
        ("memory-size = <0x00400000>;", "memory-size = <0x400001>;",
         "node /: property memory-size: found 0x400001, wanted a multiple of 4096, not 0, that ends below 2^64"),
        ("memory-size = <0x00400000>;", "memory-size = <0xffffffff 0xfffff000>;",
         "node /: property memory-size: found 0xfffffffffffff000, wanted a multiple of 4096, not 0, that ends below 2^64"),
        ("entrypoint-offset = <0x1000>;", "entrypoint-offset = <0x400000>;",
         "node /: property entrypoint-offset: found 0x400000, wanted a multiple of 4 inside the memory"),
        ("entrypoint-offset = <0x1000>;", "entrypoint-offset = <2>;",
         "node /: property entrypoint-offset: found 0x2, wanted a multiple of 4 inside the memory"),
        ("ffa-version = <0x00010002>;", "ffa-version = <0x00010004>;",
         "node /: property ffa-version: found 0x10004, wanted 0x10000 to 0x10003"),
        ("ffa-version = <0x00010002>;", "ffa-version = <0x00020000>;",
         "node /: property ffa-version: found 0x20000, wanted 0x10000 to 0x10003"),
        ("ffa-version = <0x00010002>;", "ffa-version = <0x80010002>;",
         "node /: property ffa-version: found 0x80010002, wanted 0x10000 to 0x10003"),
        ("ffa-version = <0x00010002>;", "ffa-version = <1 0x00010002>;",
         "node /: property ffa-version: found 0x100010002, wanted 0x10000 to 0x10003"),
        ("ffa-version = <0x00010002>;", "ffa-version;",
         "node /: property ffa-version: found 0 bytes, wanted one or two 32-bit cells"),
        ("tantalum,smccc-strict;", "tantalum,smccc-strict = <0>;",
         "node /: property tantalum,smccc-strict: found 4 bytes, wanted a flag without a value"),
        ("tantalum,smccc-strict;", "primary = <1>;",
         "node /: property primary: found 4 bytes, wanted a flag without a value"),
        ("tantalum,smccc-strict;", "time-slice-us = <10000>;",
         "node /: property time-slice-us: found 4 bytes, wanted nothing for a VM that is not the primary: the cores' time is the primary's"),
        ("tantalum,smccc-strict;", "housekeeping-us = <10000>;",
         "node /: property housekeeping-us: found 4 bytes, wanted nothing for a VM that is not the primary: the cores' time is the primary's"),
    ]);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_who_it_is() {
    each(FULL, "VM \"store\"", &[
        ("id = <7>;", "", "node /: property id: missing, wanted one or two 32-bit cells"),
        ("id = <7>;", "id = <0>;", "node /: property id: found 0x0, wanted 0x1 to 0x7ffe"),
        ("id = <7>;", "id = <0x7fff>;", "node /: property id: found 0x7fff, wanted 0x1 to 0x7ffe"),
        ("id = <7>;", "id = <0x8001>;", "node /: property id: found 0x8001, wanted 0x1 to 0x7ffe"),
        ("id = <7>;", "id = <0x10001>;", "node /: property id: found 0x10001, wanted 0x1 to 0x7ffe"),
        ("id = <7>;", "id = \"store\";", "node /: property id: found 6 bytes, wanted one or two 32-bit cells"),
    ]);
    let nameless = changed(FULL, "description = \"store\";", "");
    each(&nameless, "VM 7", &[
        ("entrypoint-offset = <0x1000>;", "description = <1>;",
         "node /: property description: found no printable text that ends in one NUL, wanted one string of printable ASCII"),
        ("entrypoint-offset = <0x1000>;", "description = [1b 00];",
         "node /: property description: found no printable text that ends in one NUL, wanted one string of printable ASCII"),
    ]);
    each(&nameless, "VM manifest", &[
        ("id = <7>;", "", "node /: property id: missing, wanted one or two 32-bit cells"),
    ]);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_vcpus() {
    each(FULL, "VM 7 \"store\"", &[
        ("vcpu-count = <3>;", "vcpu-count = <0>;", "node /: property vcpu-count: found 0x0, wanted 1 to 8"),
        ("vcpu-count = <3>;", "vcpu-count = <9>;", "node /: property vcpu-count: found 0x9, wanted 1 to 8"),
        ("vcpu-count = <3>;", "vcpu-count = <0x101>;", "node /: property vcpu-count: found 0x101, wanted 1 to 8"),
        ("vcpu-count = <3>;", "vcpu-count;", "node /: property vcpu-count: found 0 bytes, wanted one or two 32-bit cells"),
        ("vcpu-count = <3>;", "vcpu-count = <2>;",
         "node /: property vcpu-cores: found 12 bytes, wanted one 32-bit cell for each of 2 vCPUs"),
        ("vcpu-count = <3>;", "",
         "node /: property vcpu-cores: found 12 bytes, wanted one 32-bit cell, for the one vCPU"),
        ("vcpu-cores = <3 0 1>;", "vcpu-cores;",
         "node /: property vcpu-cores: found 0 bytes, wanted one 32-bit cell for each of 3 vCPUs"),
        ("vcpu-cores = <3 0 1>;", "vcpu-cores = [00 00 00];",
         "node /: property vcpu-cores: found 3 bytes, wanted one 32-bit cell for each of 3 vCPUs"),
        ("vcpu-cores = <3 0 1>;", "vcpu-cores = <3 0 3>;",
         "node /: property vcpu-cores: found 0x3, already taken by vCPU 0"),
        ("vcpu-cores = <3 0 1>;", "vcpu-cores = <3 0 0x10000>;",
         "node /: property vcpu-cores: found 0x10000, wanted at most 0xffff"),
    ]);
    each(FIRST, "VM 1 \"client\"", &[
        ("vcpu-cores = <0 1 2 3>;", "vcpu-cores = <1 0 2 3>;",
         "node /: property vcpu-cores: found 0x1, wanted 0x0 for the primary's vCPU 0, the core that boots"),
    ]);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_the_primarys_time() {
    let slice = "time-slice-us = <200000>;";
    each(FIRST, "VM 1 \"client\"", &[
        (slice, "time-slice-us = <99>;", "node /: property time-slice-us: found 0x63, wanted 100 to 1000000"),
        (slice, "time-slice-us = <1000001>;", "node /: property time-slice-us: found 0xf4241, wanted 100 to 1000000"),
        (slice, "time-slice-us = <1 0>;", "node /: property time-slice-us: found 0x100000000, wanted 100 to 1000000"),
        (slice, "housekeeping-us = <99>;", "node /: property housekeeping-us: found 0x63, wanted 100 to 0xffffffff"),
        (slice, "housekeeping-us = <1 0>;", "node /: property housekeeping-us: found 0x100000000, wanted 100 to 0xffffffff"),
    ]);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_services() {
    let method = "messaging-method = <0x203 0x400>;";
    let uuid = "uuid = <1 2 3 4>, <5 6 7 8>;";
    each(FULL, "VM 7 \"store\"", &[
        (uuid, "uuid = <1 2 3>;", "node /: property uuid: found 12 bytes, wanted four 32-bit cells for each UUID"),
        (uuid, "uuid;", "node /: property uuid: found 0 bytes, wanted four 32-bit cells for each UUID"),
        (uuid, "uuid = <0 0 0 0>, <5 6 7 8>;", "node /: property uuid: found the nil UUID, wanted another"),
        (uuid, "", "node /: property messaging-method: found 8 bytes, wanted one 32-bit cell, since there is no uuid"),
        (uuid, "uuid = <1 2 3 4>, <5 6 7 8>, <9 10 11 12>;",
         "node /: property messaging-method: found 8 bytes, wanted one 32-bit cell, or one for each UUID"),
        (method, "messaging-method = [02];", "node /: property messaging-method: found 1 byte, wanted one 32-bit cell, or one for each UUID"),
        (method, "messaging-method = <0>;", "node /: property messaging-method: found 0x0, wanted at least one of bits 0, 1, 2, 9 and 10, and no other"),
        (method, "messaging-method = <0x83>;", "node /: property messaging-method: found 0x83, wanted at least one of bits 0, 1, 2, 9 and 10, and no other"),
        ("ffa-version = <0x00010002>;", "ffa-version = <0x00010001>;",
         "node /: property messaging-method: found 0x203, wanted bits 9 and 10 clear with an ffa-version below 1.2"),
        ("device-regions {", "services { compatible = \"arm,ffa-manifest-services\"; }; device-regions {",
         "node /: property uuid: found 32 bytes, wanted nothing, since the node services says it"),
    ]);
    let old = changed(FULL, "notification-support;", "");
    let old = changed(&old, "ffa-version = <0x00010002>;", "ffa-version = <0x00010000>;");
    each(&old, "VM 7 \"store\"", &[
        (method, "messaging-method = <0x4>;", "node /: property messaging-method: found 0x4, wanted bit 2 clear with an ffa-version below 1.1"),
    ]);
    for receives in ["0x1", "0x403", "0x200", "0x602"] {
        each(FIRST, "VM 1 \"client\"", &[
            ("<0x402>", &format!("<{receives}>"),
             &format!("node /: property messaging-method: found {receives}, wanted bits 0 and 9 (receive) clear for the primary: it is never in FFA_MSG_WAIT")),
        ]);
    }
    let many = |count: u32| (1..=count).map(|n| format!("<{n} 0 0 0>")).collect::<Vec<_>>().join(",");
    let one = changed(FULL, "<0x203 0x400>", "<0x203>");
    assert_eq!(parse(&changed(&one, uuid, &format!("uuid = {};", many(16)))).unwrap().services.len(), 16);
    each(&one, "VM 7 \"store\"", &[
        (uuid, &format!("uuid = {};", many(17)), "node /: property uuid: more than 16 UUIDs"),
        ("<0x203>", &["<1>"; 17].join(","), "node /: property messaging-method: more than 16 cells"),
    ]);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_nodes_of_services() {
    let nodes = "services { compatible = \"arm,ffa-manifest-services\"; \
                 a { uuid = \"00000001-0000-0002-0000-000300000004\"; messaging-method = <1>; }; };";
    let source = changed(SECOND, "uuid = <0x74616e74 0x616c756d 0x766d0000 0x00000002>;", "");
    let source = changed(&source, "messaging-method = <0x603>;", nodes);
    parse(&source).unwrap();
    each(&source, "VM 2 \"vm-two\"", &[
        ("arm,ffa-manifest-services", "services",
         "node /services: property compatible: found \"services\", wanted \"arm,ffa-manifest-services\""),
        ("services {", "services { messaging-method = <1>;",
         "node /services: found property \"messaging-method\", wanted none that the format does not have"),
        ("services {", "services@1 { compatible = \"arm,ffa-manifest-services\"; }; services@2 {",
         "node /services@2: found \"services\", already taken by node services@1"),
        ("a {", "a { id = <1>;",
         "node /services/a: found property \"id\", wanted none that the format does not have"),
        ("uuid = \"00000001-0000-0002-0000-000300000004\";", "",
         "node /services/a: property uuid: missing, wanted one string of printable ASCII"),
        ("-0002-", "-002-",
         "node /services/a: property uuid: found \"00000001-0000-002-0000-0003000..\", wanted a UUID: 8, 4, 4, 4 and 12 hexadecimal digits"),
        ("<1>; };", "<1 1>; };",
         "node /services/a: property messaging-method: found 8 bytes, wanted one 32-bit cell"),
        ("a { uuid = \"00000001-0000-0002-0000-000300000004\"; messaging-method = <1>; };", "",
         "node /services: missing, wanted at least one node with a service"),
    ]);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_device_regions() {
    let base = "base-address = <0x0 0x09010000>;";
    let interrupts = "interrupts = <34 0xa40>, <35 0x800>;";
    let rtc = "node /device-regions/rtc: property";
    let pairs = "wanted two 32-bit cells for each interrupt, its INTID and attributes";
    let attributes = "wanted 1 (read), perhaps with 2 (write) and 8 (normal world), and no other";
    let kind = "wanted attributes with bits 11:10 = 2 (shared), perhaps with bit 9 (level) and a priority in bits 7:0, and no other";
    each(FULL, "VM 7 \"store\"", &[
        ("arm,ffa-manifest-device-regions", "devices",
         "node /device-regions: property compatible: found \"devices\", wanted \"arm,ffa-manifest-device-regions\""),
        ("rtc {", "rtc { x {}; ", "node /device-regions/rtc: found node \"x\", wanted none that the format does not have"),
        ("exclusive-access;", "color;", "node /device-regions/rtc: found property \"color\", wanted none that the format does not have"),
        ("exclusive-access;", "smmu-id = <0>;",
         &format!("{rtc} smmu-id: not implemented yet: there is no SMMU driver, so nothing would confine what the device reads and writes")),
        ("exclusive-access;", "interrupts-target = <34 0 0>;", &format!("{rtc} interrupts-target: not implemented yet: interrupts of devices go to core 0")),
        ("exclusive-access;", "exclusive-access = <0>;", &format!("{rtc} exclusive-access: found 4 bytes, wanted a flag without a value")),
        ("description = \"the clock\";", "description = <1>;", &format!("{rtc} description: found no printable text that ends in one NUL, wanted one string of printable ASCII")),
        (base, "", &format!("{rtc} base-address: missing, wanted one or two 32-bit cells")),
        (base, "base-address = <0x09010004>;", &format!("{rtc} base-address: found 0x9010004, wanted a multiple of 4 KiB")),
        ("pages-count = <1>;", "", &format!("{rtc} pages-count: missing, wanted one or two 32-bit cells")),
        ("pages-count = <1>;", "pages-count = <0>;", &format!("{rtc} pages-count: found 0x0, wanted at least 1, and none past the last address")),
        (base, "base-address = <0xffffffff 0xfffff000>;", &format!("{rtc} pages-count: found 0x1, wanted at least 1, and none past the last address")),
        ("attributes = <3>;", "attributes = <2>;", &format!("{rtc} attributes: found 0x2, {attributes}")),
        ("attributes = <3>;", "attributes = <7>;", &format!("{rtc} attributes: found 0x7, {attributes}")),
        (interrupts, "interrupts = <34>;", &format!("{rtc} interrupts: found 4 bytes, {pairs}")),
        (interrupts, "interrupts;", &format!("{rtc} interrupts: found 0 bytes, {pairs}")),
        (interrupts, "interrupts = <31 0x800>;", &format!("{rtc} interrupts: found 0x1f, wanted 32 to 255, a shared peripheral interrupt")),
        (interrupts, "interrupts = <256 0x800>;", &format!("{rtc} interrupts: found 0x100, wanted 32 to 255, a shared peripheral interrupt")),
        (interrupts, "interrupts = <34 0x900>;", &format!("{rtc} interrupts: found 0x900, {kind}")),
        (interrupts, "interrupts = <34 0x400>;", &format!("{rtc} interrupts: found 0x400, {kind}")),
        (interrupts, "interrupts = <34 0x80000800>;", &format!("{rtc} interrupts: found 0x80000800, {kind}")),
        (interrupts, "interrupts = <34 0x800>, <34 0x800>;", &format!("{rtc} interrupts: found 0x22, already taken by node rtc")),
        (interrupts, "interrupts = <34 0x800 35 0x800 36 0x800 37 0x800 38 0x800>;", &format!("{rtc} interrupts: more than 4 interrupts")),
        ("attributes = <9>;", "attributes = <9>; interrupts = <35 0x800>;",
         "node /device-regions/flash@4000000: property interrupts: found 0x23, already taken by node rtc"),
    ]);
    let devices = |count: u32| -> String {
        let region = |n| format!("d{n} {{ base-address = <{}>; pages-count = <1>; attributes = <1>; }};", n * 0x1000);
        (0..count).map(region).collect()
    };
    let with = |count| changed(SECOND, "messaging-method = <0x603>;",
        &format!("device-regions {{ compatible = \"arm,ffa-manifest-device-regions\"; {} }};", devices(count)));
    assert_eq!(parse(&with(8)).unwrap().devices.len(), 8);
    for (count, message) in [
        (9, "VM 2 \"vm-two\": node /device-regions: more than 8 device regions"),
        (0, "VM 2 \"vm-two\": node /device-regions: missing, wanted at least one node with a region"),
    ] {
        assert_eq!(parse(&with(count)).unwrap_err().to_string(), message);
    }
}

#[test]
fn what_is_no_tree_or_too_large_is_refused() {
    let fail = |blob: &[u8]| VmManifest::parse(blob).unwrap_err().to_string();
    let blob = dts::compile(FULL);
    assert_eq!(
        fail(&blob[..39]),
        "VM manifest: found 39 bytes, wanted a device tree of at least 40 bytes"
    );
    assert_eq!(
        fail(&blob[..200]),
        format!(
            "VM manifest: found a size of {} bytes, wanted at most 200",
            blob.len()
        )
    );
    assert_eq!(
        fail(&[0; 64]),
        "VM manifest: no valid device tree: Invalid FDT magic number at offset 0"
    );
    let mut long = blob;
    long[4..8].copy_from_slice(&65537u32.to_be_bytes());
    long.resize(65537, 0);
    assert_eq!(
        fail(&long),
        "VM manifest: found a size of 65537 bytes, wanted at most 65536"
    );
}

#[test]
fn a_name_that_could_steer_a_terminal_is_none() {
    let refused = |tree: &dts::Node| {
        let error = VmManifest::parse(&dts::emit(tree)).unwrap_err();
        assert!(matches!(error.problem, Problem::Unreadable(_)), "{error}");
    };
    let mut tree = dts::parse(FULL);
    tree.properties.push(("\x1b[2J".into(), Vec::new()));
    refused(&tree);
    let mut tree = dts::parse(FULL);
    tree.children.push(dts::Node::new("\x1b[2J"));
    refused(&tree);
    let name = changed(FULL, "\"store\"", "\"a 'name' \\\"");
    let missing = changed(&name, "memory-size = <0x00400000>;", "");
    assert_eq!(
        parse(&missing).unwrap_err().to_string(),
        "VM 7 \"a 'name' \\\\\": node /: property memory-size: missing, wanted one or two 32-bit cells"
    );
}
