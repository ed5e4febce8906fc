//! Mistakes in what a partition asks for beside its own memory, in its RX/TX buffers and its life
//! cycle. Each is made in the store's manifest alone, and the operating system is loaded all the same.

use super::*;

/// Boots with a mistake in one of the three manifests.
pub(super) fn refused(field: &str, os: &str, store: &str) -> Vec<String> {
    let packages = [packed(&dts::compile(os)), listed(&dts::compile(store))];
    let (accepted, refused) = boot(field, &[&packages[0], &packages[1]]).unwrap();
    assert_eq!(accepted.len() + refused.len(), 2);
    refused
}

/// Boots with each mistake in the store's manifest.
pub(super) fn each_in_store(mistakes: &[Mistake<'_>]) {
    for (from, to, message) in mistakes {
        let store = changed(STORE, from, to);
        assert_eq!(
            refused(FIELD, OS, &store),
            [format!("partition \"store\": node /{message}")],
            "{from} -> {to}"
        );
    }
}

#[test]
#[rustfmt::skip]
fn mistakes_in_memory_regions() {
    let attributes = "wanted 1 (read), perhaps with 2 (write), 4 (execute) and 8 (normal world), and no other";
    let secure = "is outside secure memory, that is, any one range with device_type \"memory\"";
    each_in_store(&[
        ("\"arm,ffa-manifest-memory-regions\"", "\"arm,ffa-manifest-memory\"",
         "memory-regions: property compatible: found \"arm,ffa-manifest-memory\", wanted \"arm,ffa-manifest-memory-regions\""),
        ("compatible = \"arm,ffa-manifest-memory-regions\";", "",
         "memory-regions: property compatible: missing, wanted \"arm,ffa-manifest-memory-regions\""),
        ("memory-regions {", "memories {",
         "memories: found \"memories\", wanted \"memory-regions\""),
        ("memory-regions {", "memory-regions { compatible = \"arm,ffa-manifest-memory-regions\"; }; memory-regions@1 {",
         "memory-regions@1: found \"memory-regions\", already taken by node memory-regions"),
        ("memory-regions {", "memory-regions { smmu-id = <0>;",
         "memory-regions: property smmu-id: not implemented yet: there is no SMMU driver, so nothing would confine what the device reads and writes"),
        ("description = \"sends\";", "stream-ids = <1 2>;",
         "memory-regions/tx: property stream-ids: not implemented yet: there is no SMMU driver, so nothing would confine what the device reads and writes"),
        ("description = \"sends\";", "stream-ids-access-permissions = <3>;",
         "memory-regions/tx: property stream-ids-access-permissions: not implemented yet: there is no SMMU driver, so nothing would confine what the device reads and writes"),
        ("description = \"sends\";", "description = <1>;",
         "memory-regions/tx: property description: found no printable text that ends in one NUL, wanted one string of printable ASCII"),
        ("base-address = <0x0 0x81000000>;", "",
         "memory-regions/comm-buffer: property base-address: missing, wanted this or load-address-relative-offset, since the SPMC picks no memory"),
        ("base-address = <0x0 0x81000000>;", "base-address = <0x81000800>;",
         "memory-regions/comm-buffer: property base-address: found 0x81000800, wanted a multiple of 4 KiB"),
        ("base-address = <0x0 0x81000000>;", "base-address = <0 0 0x81000000>;",
         "memory-regions/comm-buffer: property base-address: found 12 bytes, wanted one or two 32-bit cells"),
        ("base-address = <0x0 0x81000000>;", "base-address = <0x81000000>; load-address-relative-offset = <0x1000>;",
         "memory-regions/comm-buffer: property load-address-relative-offset: found 0x1000, wanted nothing, since base-address says where the region is"),
        ("offset = <0x0 0x14000>;", "offset = <0x14004>;",
         "memory-regions/constants: property load-address-relative-offset: found 0x14004, wanted a multiple of 4 KiB"),
        ("offset = <0x0 0x14000>;", "offset = <0xffffffff 0xfffff000>;",
         "memory-regions/constants: property pages-count: found 0x10, wanted a size that does not go past the last address"),
        ("pages-count = <0x10>;", "",
         "memory-regions/comm-buffer: property pages-count: missing, wanted one or two 32-bit cells"),
        ("pages-count = <0x10>;", "pages-count = <0>;",
         "memory-regions/comm-buffer: property pages-count: found 0x0, wanted at least 1"),
        ("pages-count = <0x10>;", "pages-count = <1 0>;",
         "memory-regions/comm-buffer: property pages-count: found 0x100000000, wanted at most 0xffffffff"),
        ("base-address = <0x0 0x81000000>;\n\t\t\tpages-count = <0x10>;", "base-address = <0xffffffff 0xfffff000>; pages-count = <2>;",
         "memory-regions/comm-buffer: property pages-count: found 0x2, wanted a size that does not go past the last address"),
        ("pages-count = <0x10>;", "pages-count = <0xffffffff>;",
         "memory-regions/comm-buffer: property base-address: 0x81000000-0x100080ffefff is outside the normal world's memory, that is, any one range with device_type \"ns-memory\""),
        ("attributes = <0x1>;", "",
         "memory-regions/constants: property attributes: missing, wanted one or two 32-bit cells"),
        ("attributes = <0x1>;", "attributes = <0>;",
         &format!("memory-regions/constants: property attributes: found 0x0, {attributes}")),
        ("attributes = <0x1>;", "attributes = <2>;",
         &format!("memory-regions/constants: property attributes: found 0x2, {attributes}")),
        ("attributes = <0x1>;", "attributes = <0x11>;",
         &format!("memory-regions/constants: property attributes: found 0x11, {attributes}")),
        ("attributes = <0x1>;", "attributes = <0x80000001>;",
         &format!("memory-regions/constants: property attributes: found 0x80000001, {attributes}")),
        // Whose memory it is.
        ("attributes = <0x1>;", "attributes = <0x9>;",
         "memory-regions/constants: property load-address-relative-offset: 0x7014000-0x7023fff is outside the normal world's memory, that is, any one range with device_type \"ns-memory\""),
        ("base-address = <0x0 0x07404000>;", "base-address = <0x81100000>;",
         &format!("memory-regions/tx: property base-address: 0x81100000-0x81103fff {secure}")),
        ("base-address = <0x0 0x07404000>;", "base-address = <0x1c0b0000>;",
         &format!("memory-regions/tx: property base-address: 0x1c0b0000-0x1c0b3fff {secure}")),
        ("base-address = <0x0 0x07404000>;", "base-address = <0x060fe000>;",
         "memory-regions/tx: property base-address: 0x60fe000-0x6101fff overlaps the SPMC's image, 0x6000000-0x60fffff"),
        ("base-address = <0x0 0x07404000>;", "base-address = <0x07fee000>;",
         "memory-regions/tx: property base-address: 0x7fee000-0x7ff1fff overlaps what belongs to the SPMC or to the firmware, 0x7ff0000-0x7ffffff"),
        ("base-address = <0x0 0x07404000>;", "base-address = <0x06fff000>;",
         "memory-regions/tx: property base-address: 0x6fff000-0x7002fff overlaps the edge of the memory that the partition is loaded to, 0x7000000-0x72fffff"),
        ("base-address = <0x0 0x07404000>;", "base-address = <0x06ff0000>;",
         "memory-regions/tx: property base-address: 0x6ff0000-0x6ff3fff overlaps partition \"os\", 0x6280000-0x6ffffff"),
        ("base-address = <0x0 0x07404000>;", "base-address = <0x07403000>;",
         "memory-regions/tx: property base-address: 0x7403000-0x7406fff overlaps node rx, 0x7400000-0x7403fff"),
        ("offset = <0x0 0x14000>;", "offset = <0x2f1000>;",
         "memory-regions/constants: property load-address-relative-offset: 0x72f1000-0x7300fff overlaps the edge of the memory that the partition is loaded to, 0x7000000-0x72fffff"),
        ("offset = <0x0 0x14000>;", "offset = <0x13000>;",
         "memory-regions/constants: property load-address-relative-offset: 0x7013000-0x7022fff overlaps node text, 0x7004000-0x7013fff"),
        ("attributes = <0x5>;", "attributes = <0x3>;",
         "memory-regions/text: property attributes: found 0x3, wanted 4 (execute) too, since the first instruction is in this region"),
    ]);
    let empty = "memory-regions { compatible = \"arm,ffa-manifest-memory-regions\"; }; device-regions {";
    assert_eq!(refused(FIELD, &changed(OS, "device-regions {", empty), STORE),
        ["partition \"os\": node /memory-regions: missing, wanted at least one node with a region"]);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_device_regions() {
    let attributes = "wanted 1 (read), perhaps with 2 (write) and 8 (normal world), and no other";
    let secure = "is outside the secure devices, that is, any one range with device_type \"device-memory\"";
    let normal = "is outside the normal world's devices, that is, any one range with device_type \"ns-device-memory\" or \"ns-memory\"";
    let no_smmu = "not implemented yet: there is no SMMU driver, so nothing would confine what the device reads and writes";
    let uart = "base-address = <0x0 0x1c0b0000>;";
    each_in_store(&[
        ("\"arm,ffa-manifest-device-regions\"", "\"arm,device-regions\"",
         "device-regions: property compatible: found \"arm,device-regions\", wanted \"arm,ffa-manifest-device-regions\""),
        ("device-regions {", "devices {", "devices: found \"devices\", wanted \"device-regions\""),
        (uart, "", "device-regions/uart2: property base-address: missing, wanted one or two 32-bit cells"),
        (uart, "base-address = <0x1c0b0004>;", "device-regions/uart2: property base-address: found 0x1c0b0004, wanted a multiple of 4 KiB"),
        ("pages-count = <0x2000>;", "pages-count = <0>;", "device-regions/flash: property pages-count: found 0x0, wanted at least 1"),
        ("pages-count = <0x2000>;", "pages-count = [40 00];", "device-regions/flash: property pages-count: found 2 bytes, wanted one or two 32-bit cells"),
        ("attributes = <0x9>;", "attributes = <0xd>;", &format!("device-regions/rtc: property attributes: found 0xd, {attributes}")),
        ("attributes = <0x9>;", "attributes = <0x7>;", &format!("device-regions/rtc: property attributes: found 0x7, {attributes}")),
        ("attributes = <0x9>;", "attributes = <0x8>;", &format!("device-regions/rtc: property attributes: found 0x8, {attributes}")),
        ("attributes = <0x9>;", "attributes = <0x1>;", &format!("device-regions/rtc: property base-address: 0x1c170000-0x1c170fff {secure}")),
        ("exclusive-access;", "exclusive-access = <1>;", "device-regions/flash: property exclusive-access: found 4 bytes, wanted a flag without a value"),
        ("exclusive-access;", "smmu-id = <0>;", &format!("device-regions/flash: property smmu-id: {no_smmu}")),
        ("exclusive-access;", "stream-ids = <0>;", &format!("device-regions/flash: property stream-ids: {no_smmu}")),
        ("device-regions {", "device-regions { stream-ids = <0>;", &format!("device-regions: property stream-ids: {no_smmu}")),
        (uart, "base-address = <0x07500000>;", &format!("device-regions/uart2: property base-address: 0x7500000-0x7500fff {secure}")),
        (uart, "base-address = <0x2f000000>;", &format!("device-regions/uart2: property base-address: 0x2f000000-0x2f000fff {secure}")),
        ("base-address = <0x0 0x1c170000>;", "base-address = <0x1c17f000>; p = <0>; x;\n\t\t\tpages-count = <2>;",
         &format!("device-regions/rtc: property base-address: 0x1c17f000-0x1c180fff {normal}")),
        (uart, "base-address = <0x1c090000>;",
         "device-regions/uart2: property base-address: 0x1c090000-0x1c090fff overlaps what belongs to the SPMC or to the firmware, 0x1c090000-0x1c090fff"),
        ("base-address = <0x0 0x0c000000>;", "base-address = <0xffffffff 0xfffff000>;",
         "device-regions/flash: property pages-count: found 0x2000, wanted a size that does not go past the last address"),
        ("base-address = <0x0 0x1c170000>;", "base-address = <0x0c001000>;",
         "device-regions/rtc: property base-address: 0xc001000-0xc001fff overlaps node flash, 0xc000000-0xdffffff"),
        ("base-address = <0x0 0x1c170000>;", "base-address = <0x8100f000>;",
         "device-regions/rtc: property base-address: 0x8100f000-0x8100ffff overlaps node comm-buffer, 0x81000000-0x8100ffff"),
    ]);
    let shared = changed(STORE, uart, "base-address = <0x1c0a0000>; exclusive-access;");
    assert_eq!(refused(FIELD, OS, &shared),
        ["partition \"store\": node /device-regions/uart2: property base-address: 0x1c0a0000-0x1c0a0fff overlaps a device region of partition \"os\", 0x1c0a0000-0x1c0a0fff"]);
    let shared = changed(STORE, uart, "base-address = <0x1c0a0000>;");
    assert_eq!(refused(FIELD, &changed(OS, "attributes = <0x3>;", "attributes = <0x3>; exclusive-access;"), &shared),
        ["partition \"store\": node /device-regions/uart2: property base-address: 0x1c0a0000-0x1c0a0fff overlaps a device region of partition \"os\", 0x1c0a0000-0x1c0a0fff"]);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_rx_tx_info() {
    each_in_store(&[
        ("\"arm,ffa-manifest-rx_tx-buffer\"", "\"arm,ffa-manifest-rxtx\"",
         "rx_tx-info: property compatible: found \"arm,ffa-manifest-rxtx\", wanted \"arm,ffa-manifest-rx_tx-buffer\""),
        ("rx_tx-info {", "rxtx-info {",
         "rxtx-info: found \"rxtx-info\", wanted \"rx_tx-info\""),
        ("rx-buffer = <1>;", "",
         "rx_tx-info: property rx-buffer: missing, wanted one or two 32-bit cells"),
        ("tx-buffer = <2>;", "",
         "rx_tx-info: property tx-buffer: missing, wanted one or two 32-bit cells"),
        ("rx-buffer = <1>;", "rx-buffer = <5>;",
         "rx_tx-info: property rx-buffer: found 0x5, wanted the phandle of a node in memory-regions"),
        ("phandle = <2>;", "",
         "rx_tx-info: property tx-buffer: found 0x2, wanted the phandle of a node in memory-regions"),
        ("phandle = <2>;", "phandle = \"tx\";",
         "memory-regions/tx: property phandle: found 3 bytes, wanted one or two 32-bit cells"),
        ("phandle = <2>;", "phandle = <1>;",
         "memory-regions/tx: property phandle: found 0x1, already taken by node rx"),
        ("tx-buffer = <2>;", "tx-buffer = <1>;",
         "rx_tx-info: property tx-buffer: found 0x1, wanted another region than rx-buffer"),
        ("base-address = <0x0 0x07404000>;\n\t\t\tpages-count = <4>;", "base-address = <0x07404000>; pages-count = <2>;",
         "rx_tx-info: property tx-buffer: found 0x2, wanted a region with as many pages as rx-buffer"),
        ("base-address = <0x0 0x07404000>;\n\t\t\tpages-count = <4>;", "base-address = <0x07404000>; pages-count = <5>;",
         "rx_tx-info: property tx-buffer: found 0x2, wanted a region of 1 to 4 pages"),
        ("base-address = <0x0 0x07404000>;\n\t\t\tpages-count = <4>;\n\t\t\tattributes = <0x3>;", "base-address = <0x07404000>; pages-count = <4>; attributes = <1>;",
         "rx_tx-info: property tx-buffer: found 0x2, wanted a region whose attributes are 3 (read, write)"),
        ("base-address = <0x0 0x07404000>;\n\t\t\tpages-count = <4>;\n\t\t\tattributes = <0x3>;", "base-address = <0x07404000>; pages-count = <4>; attributes = <7>;",
         "rx_tx-info: property tx-buffer: found 0x2, wanted a region whose attributes are 3 (read, write)"),
        ("base-address = <0x0 0x07404000>;\n\t\t\tpages-count = <4>;\n\t\t\tattributes = <0x3>;", "base-address = <0x82000000>; pages-count = <4>; attributes = <11>;",
         "rx_tx-info: property tx-buffer: found 0x2, wanted a region whose attributes are 3 (read, write)"),
    ]);
    // Without memory regions there is nothing to name.
    let info = "rx_tx-info { compatible = \"arm,ffa-manifest-rx_tx-buffer\"; rx-buffer = <1>; tx-buffer = <2>; }; device-regions {";
    assert_eq!(refused(FIELD, &changed(OS, "device-regions {", info), STORE),
        ["partition \"os\": node /rx_tx-info: property rx-buffer: found 0x1, wanted the phandle of a node in memory-regions"]);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_the_life_cycle_and_the_boot_information() {
    each_in_store(&[
        ("lifecycle-support;", "",
         ": property abort-action: found 0x2, wanted nothing without lifecycle-support"),
        ("lifecycle-support;", "lifecycle-support = <1>;",
         ": property lifecycle-support: found 4 bytes, wanted a flag without a value"),
        ("abort-action = <2>;", "abort-action = <4>;",
         ": property abort-action: found 0x4, wanted 0 (stop), 1 (destroy), 2 (restart) or 3 (propagate)"),
        ("abort-action = <2>;", "live-activation-register = <1>;",
         ": property live-activation-register: not implemented yet: an image is not exchanged while the system runs"),
        ("abort-action = <2>;", "live-state-buffer-info { };",
         "live-state-buffer-info: not implemented yet: an image is not exchanged while the system runs"),
        ("abort-action = <2>;", "auxiliary-id = <0x80ae>;",
         ": property auxiliary-id: not implemented yet: nobody answers for a second id"),
        ("abort-action = <2>;", "auxiliary-id = <0x100ae>;",
         ": property auxiliary-id: found 0x100ae, wanted at most 0xffff"),
        ("abort-action = <2>;", "smmu-id = <0>;",
         ": property smmu-id: not implemented yet: there is no SMMU driver, so nothing would confine what the device reads and writes"),
        ("hob_list;", "hob_list = <1>;",
         "boot-info: property hob_list: found 4 bytes, wanted a flag without a value"),
        ("boot-info {", "boot-information {",
         "boot-information: found \"boot-information\", wanted \"boot-info\""),
    ]);
    assert_eq!(refused(FIELD, &changed(OS, "gp-register-num = <0>;", "lifecycle-support;"), STORE),
        ["partition \"os\": node /: property execution-ctx-count: found 0x8, wanted 1 together with lifecycle-support"]);
    assert_eq!(refused(FIELD, &changed(OS, "ffa_manifest;", "ffa_manifest; hob_list;"), STORE),
        ["package of partition \"os\": missing, wanted a HOB list, since the manifest's boot-info has hob_list"]);
}

/// The order of loading decides who is refused, and memory is kept both ways.
#[test]
#[rustfmt::skip]
fn a_later_partition_gets_nothing_of_an_earlier_ones_regions() {
    let region = |base: &str, attributes: u32| format!(
        "memory-regions {{ compatible = \"arm,ffa-manifest-memory-regions\"; \
         buffer {{ base-address = <{base}>; pages-count = <2>; attributes = <{attributes}>; }}; }}; device-regions {{");
    let os = |base, attributes| changed(OS, "device-regions {", &region(base, attributes));
    for (os, message) in [
        (os("0x07001000", 3),
         "SPMC manifest: node /hypervisor/vm2: property load_address: 0x7000000-0x72fffff overlaps a memory region of partition \"os\", 0x7001000-0x7002fff"),
        (os("0x07405000", 3),
         "partition \"store\": node /memory-regions/tx: property base-address: 0x7404000-0x7407fff overlaps a memory region of partition \"os\", 0x7405000-0x7406fff"),
        (os("0x81001000", 9),
         "partition \"store\": node /memory-regions/comm-buffer: property base-address: 0x81000000-0x8100ffff overlaps a memory region of partition \"os\", 0x81001000-0x81002fff"),
        (os("0x0c001000", 9),
         "partition \"store\": node /device-regions/flash: property base-address: 0xc000000-0xdffffff overlaps a memory region of partition \"os\", 0xc001000-0xc002fff"),
        (changed(OS, "base-address = <0x0 0x1c0a0000>;\n\t\t\tpages-count = <1>;\n\t\t\tattributes = <0x3>;", "base-address = <0x81001000>; pages-count = <1>; attributes = <11>;"),
         "partition \"store\": node /memory-regions/comm-buffer: property base-address: 0x81000000-0x8100ffff overlaps a device region of partition \"os\", 0x81001000-0x81001fff"),
    ] {
        assert_eq!(refused(FIELD, &os, STORE), [message]);
    }
    let high = changed(FIELD, "load_address = <0x07000000>;", "load_address = <0x07d00000>;");
    assert_eq!(refused(&high, OS, STORE),
        ["SPMC manifest: node /hypervisor/vm2: property load_address: 0x7d00000-0x7ffffff overlaps what belongs to the SPMC or to the firmware, 0x7ff0000-0x7ffffff"]);
}

#[test]
fn a_seventeenth_region_is_refused() {
    let (memory, devices) = super::super::field::regions(17);
    let os = changed(
        OS,
        "device-regions {",
        &format!("{memory} device-regions {{"),
    );
    assert_eq!(
        refused(FIELD, &os, STORE),
        ["partition \"os\": node /memory-regions: more than 16 memory regions"]
    );
    let os = changed(
        OS,
        "device-regions {",
        &format!("device-regions {{ {devices}"),
    );
    assert_eq!(
        refused(FIELD, &os, STORE),
        ["partition \"os\": node /device-regions: more than 16 device regions"]
    );
}
