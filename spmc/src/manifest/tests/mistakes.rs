//! Each manifest here is a good one with one mistake, and each mistake has its sentence.

use ffa_abi::package::PackageError;

use super::*;

/// What to change, into what, and the message for it.
type Mistake = (&'static str, &'static str, &'static str);

/// Reads `source` with each mistake made in it alone.
fn each<T: core::fmt::Debug>(
    source: &str,
    mistakes: &[Mistake],
    read: impl Fn(&str) -> Result<T, ManifestError>,
) {
    for (from, to, message) in mistakes {
        match read(&changed(source, from, to)) {
            Ok(value) => panic!("{from} -> {to}: {value:?}"),
            Err(error) => assert_eq!(&error.to_string(), message, "{from} -> {to}"),
        }
    }
}

/// Reads an SPMC manifest and checks it with the image.
fn spmc_layout(source: &str) -> Result<(), ManifestError> {
    check_layout(&spmc(source)?, IMAGE)
}

#[test]
#[rustfmt::skip]
fn mistakes_in_the_spmc_manifest() {
    each(SPMC, &[
        ("arm,ffa-core-manifest-1.0", "arm,ffa-core-manifest-2.0",
         "SPMC manifest: node /: property compatible: found \"arm,ffa-core-manifest-2.0\", wanted \"arm,ffa-core-manifest-1.0\""),
        ("compatible = \"arm,ffa-core-manifest-1.0\";", "",
         "SPMC manifest: node /: property compatible: missing, wanted \"arm,ffa-core-manifest-1.0\""),
        ("attribute {", "attributes {",
         "SPMC manifest: node /attribute: missing, wanted this node"),
        ("spmc_id = <0x8000>;", "",
         "SPMC manifest: node /attribute: property spmc_id: missing, wanted one or two 32-bit cells"),
        ("spmc_id = <0x8000>;", "spmc_id = <0x18000>;",
         "SPMC manifest: node /attribute: property spmc_id: found 0x18000, wanted at most 0xffff"),
        ("spmc_id = <0x8000>;", "spmc_id = <0x7000>;",
         "SPMC manifest: node /attribute: property spmc_id: found 0x7000, wanted a number with bit 15 set"),
        ("spmc_id = <0x8000>;", "spmc_id = <0x8001>;",
         "SPMC manifest: node /attribute: property spmc_id: found 0x8001, which is not implemented yet, wanted 0x8000"),
        ("maj_ver = <1>;", "maj_ver = <2>;",
         "SPMC manifest: node /attribute: property maj_ver: found 0x2, wanted 1"),
        ("min_ver = <2>;", "min_ver = <4>;",
         "SPMC manifest: node /attribute: property min_ver: found 0x4, wanted at most 3"),
        ("min_ver = <2>;", "min_ver = \"2\";",
         "SPMC manifest: node /attribute: property min_ver: found 2 bytes, wanted one or two 32-bit cells"),
        ("exec_state = <0>;", "exec_state = <1>;",
         "SPMC manifest: node /attribute: property exec_state: found 0x1, which is not implemented yet, wanted 0 (AArch64)"),
        ("\tload_address = <0x0 0x0e100000>;", "load_address = <0x0 0x0e100800>;",
         "SPMC manifest: node /attribute: property load_address: found 0xe100800, wanted a multiple of 4 KiB"),
        ("entrypoint = <0x0 0x0e100000>;", "entrypoint = <0x0 0x0e300000>;",
         "SPMC manifest: node /attribute: property entrypoint: found 0xe300000, wanted 0xe100000-0xe2fffff (the image)"),
        ("binary_size = <0x200000>;", "binary_size = <0>;",
         "SPMC manifest: node /attribute: property binary_size: found 0x0, wanted a size that is not 0 and does not go past the last address"),
        ("binary_size = <0x200000>;", "binary_size = <0xffffffff 0xffffffff>;",
         "SPMC manifest: node /attribute: property binary_size: found 0xffffffffffffffff, wanted a size that is not 0 and does not go past the last address"),
        ("binary_size = <0x200000>;", "binary_size = <0x100000>;",
         "SPMC manifest: node /attribute: property binary_size: 0xe100000-0xe27ffff is outside the memory that load_address and binary_size give to the image"),
        ("hypervisor {", "hypervisors {",
         "SPMC manifest: node /hypervisor: missing, wanted this node"),
        ("hafnium,hafnium", "hafnium,other",
         "SPMC manifest: node /hypervisor: property compatible: found \"hafnium,other\", wanted \"hafnium,hafnium\""),
        ("is_ffa_partition;\n\t\t\tdebug_name = \"echo\";", "debug_name = \"echo\";",
         "SPMC manifest: node /hypervisor/vm1: property is_ffa_partition: missing, wanted this flag, since only FF-A partitions can be loaded"),
        ("is_ffa_partition;\n\t\t\tdebug_name = \"echo\";", "is_ffa_partition = <1>; debug_name = \"echo\";",
         "SPMC manifest: node /hypervisor/vm1: property is_ffa_partition: found 4 bytes, wanted a flag without a value"),
        ("vm2 {", "vm0 {",
         "SPMC manifest: node /hypervisor/vm0: found \"vm0\", wanted \"vm\" and a number from 1 as the node's name"),
        ("vm2 {", "partition {",
         "SPMC manifest: node /hypervisor/partition: found \"partition\", wanted \"vm\" and a number from 1 as the node's name"),
        ("vm2 {", "vm1 {",
         "SPMC manifest: node /hypervisor/vm1: found \"vm1\", already taken by node vm1"),
        ("debug_name = \"echo\";", "",
         "SPMC manifest: node /hypervisor/vm1: property debug_name: missing, wanted one string of printable ASCII"),
        ("debug_name = \"echo\";", "debug_name = [65 63 68 6f];",
         "SPMC manifest: node /hypervisor/vm1: property debug_name: found no printable text that ends in one NUL, wanted one string of printable ASCII"),
        ("debug_name = \"echo\";", "debug_name = [65 1b 63 00];",
         "SPMC manifest: node /hypervisor/vm1: property debug_name: found no printable text that ends in one NUL, wanted one string of printable ASCII"),
        ("debug_name = \"echo\";", "debug_name = \"\";",
         "SPMC manifest: node /hypervisor/vm1: property debug_name: found \"\", wanted 1 to 32 characters"),
        ("debug_name = \"echo\";", "debug_name = \"a partition's name of 33 letters..\";",
         "SPMC manifest: node /hypervisor/vm1: property debug_name: found \"a partition's name of 33 lette..\", wanted 1 to 32 characters"),
        ("load_address = <0x0e300000>;", "",
         "SPMC manifest: node /hypervisor/vm1: property load_address: missing, wanted one or two 32-bit cells"),
        ("mem_size = <0x100000>;", "mem_size = [00 10 00];",
         "SPMC manifest: node /hypervisor/vm1: property mem_size: found 3 bytes, wanted one or two 32-bit cells"),
        ("mem_size = <0x100000>;", "mem_size = <0 0 0x100000>;",
         "SPMC manifest: node /hypervisor/vm1: property mem_size: found 12 bytes, wanted one or two 32-bit cells"),
        ("vcpu_count = <4>;", "vcpu_count = <0x10004>;",
         "SPMC manifest: node /hypervisor/vm1: property vcpu_count: found 0x10004, wanted at most 0xffff"),
        ("cpus {", "cores {",
         "SPMC manifest: node /cpus: missing, wanted this node"),
        ("#address-cells = <2>;\n\t\t#size-cells = <0>;", "#address-cells = <3>;",
         "SPMC manifest: node /cpus: property #address-cells: found 0x3, wanted 1 or 2"),
        ("#address-cells = <2>;\n\t\t#size-cells = <0>;", "#address-cells = <1>;",
         // The first core, 0, is there twice then.
         "SPMC manifest: node /cpus/cpu@0: property reg: found 0x0, already taken by another core"),
        ("reg = <0x0 0x300>;", "",
         "SPMC manifest: node /cpus/cpu@300: property reg: missing, wanted one number of #address-cells cells for each core"),
        ("reg = <0x0 0x300>;", "reg = <0x300>;",
         "SPMC manifest: node /cpus/cpu@300: property reg: found 4 bytes, wanted one number of #address-cells cells for each core"),
        ("reg = <0x0 0x300>;", "reg = <0x0 0x100>;",
         "SPMC manifest: node /cpus/cpu@100: property reg: found 0x100, already taken by another core"),
        ("reg = <0x0 0x300>;", "reg = <0x0 0x80000300>;",
         "SPMC manifest: node /cpus/cpu@300: property reg: found 0x80000300, wanted the affinity fields of MPIDR_EL1 only"),
        ("reg = <0x0 0x300>;", "reg = <0x0 0x10 0x0 0x11 0x0 0x12 0x0 0x13 0x0 0x14 0x0 0x15>;",
         "SPMC manifest: node /cpus: more than 8 cores"),
        ("device_type = \"cpu\";\n\t\t\treg = <0x0 0x300>;", "reg = <0x0 0x300>;",
         "SPMC manifest: node /cpus/cpu@300: property device_type: missing, wanted \"cpu\""),
        ("#size-cells = <2>;", "",
         "SPMC manifest: node /: property #size-cells: missing, wanted one or two 32-bit cells"),
        ("#size-cells = <2>;", "#size-cells = <1>;",
         "SPMC manifest: node /memory@e300000: property reg: found 16 bytes, wanted address and size, of #address-cells and #size-cells cells, for each range"),
        ("#size-cells = <2>;", "#size-cells = <0>;",
         "SPMC manifest: node /: property #size-cells: found 0x0, wanted 1 or 2"),
        ("device_type = \"memory\";", "device_type = \"ram\";",
         "SPMC manifest: node /memory@e300000: property device_type: found \"ram\", wanted \"memory\", \"ns-memory\", \"device-memory\" or \"ns-device-memory\""),
        ("reg = <0x0 0x0e300000 0x0 0x00d00000>;", "",
         "SPMC manifest: node /memory@e300000: property reg: missing, wanted address and size, of #address-cells and #size-cells cells, for each range"),
        ("reg = <0x0 0x0e300000 0x0 0x00d00000>;", "reg = <0x0 0x0e300000 0x0 0>;",
         "SPMC manifest: node /memory@e300000: property reg: found 0x0, wanted a size that is a multiple of 4 KiB and not 0"),
        ("reg = <0x0 0x0e300000 0x0 0x00d00000>;", "reg = <0x0 0x0e300100 0x0 0x00d00000>;",
         "SPMC manifest: node /memory@e300000: property reg: found 0xe300100, wanted an address that is a multiple of 4 KiB"),
        ("reg = <0x0 0x0e300000 0x0 0x00d00000>;", "reg = <0xffffffff 0xfffff000 0x0 0x1000>;",
         "SPMC manifest: node /memory@e300000: property reg: found 0x1000, wanted a size that does not go past the last address"),
        ("reg = <0x0 0x09040000 0x0 0x1000>;", "reg = <0x0 0x0eff0000 0x0 0x20000>;",
         "SPMC manifest: node /memory@9040000: property reg: 0xeff0000-0xf00ffff overlaps node memory@e300000, 0xe300000-0xeffffff"),
        ("reg = <0x0 0x40000000 0x0 0x40000000>;", "reg = <0x0 0x0e000000 0x0 0x101000>;",
         "SPMC manifest: node /memory@40000000: property reg: 0xe000000-0xe100fff overlaps the SPMC's image, 0xe100000-0xe2fffff"),
    ], spmc_layout);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_a_partition_manifest() {
    each(ECHO, &[
        ("arm,ffa-manifest-1.0", "arm,ffa-manifest-0.9",
         "partition \"echo\": node /: property compatible: found \"arm,ffa-manifest-0.9\", wanted \"arm,ffa-manifest-1.0\" or \"arm,ffa-manifest-1.1\""),
        ("arm,ffa-manifest-1.0", "arm,ffa-manifest-1.1",
         "partition \"echo\": node /services: missing, wanted this node"),
        ("ffa-version = <0x00010002>;", "",
         "partition \"echo\": node /: property ffa-version: missing, wanted one or two 32-bit cells"),
        ("ffa-version = <0x00010002>;", "ffa-version = <0x00010004>;",
         "partition \"echo\": node /: property ffa-version: found 0x10004, which is not implemented yet, wanted 0x10000 to 0x10003"),
        ("ffa-version = <0x00010002>;", "ffa-version = <0x80010002>;",
         "partition \"echo\": node /: property ffa-version: found 0x80010002, wanted bit 31 clear"),
        ("ffa-version = <0x00010002>;", "ffa-version = <0x00010001>;",
         "partition \"echo\": node /: property messaging-method: found 0x603, wanted bits 9 and 10 clear with an ffa-version below 1.2"),
        ("uuid = <0x1e67b5b4 0xe14f904a 0x13fb1fb8 0xcbdae1da>;", "",
         "partition \"echo\": node /: property uuid: missing, wanted four 32-bit cells for each UUID"),
        ("uuid = <0x1e67b5b4 0xe14f904a 0x13fb1fb8 0xcbdae1da>;", "uuid;",
         "partition \"echo\": node /: property uuid: found 0 bytes, wanted four 32-bit cells for each UUID"),
        ("0x13fb1fb8 0xcbdae1da", "0x13fb1fb8",
         "partition \"echo\": node /: property uuid: found 12 bytes, wanted four 32-bit cells for each UUID"),
        ("0x1e67b5b4 0xe14f904a 0x13fb1fb8 0xcbdae1da", "0 0 0 0",
         "partition \"echo\": node /: property uuid: found the nil UUID, wanted another"),
        ("messaging-method = <0x603>;", "",
         "partition \"echo\": node /: property messaging-method: missing, wanted one 32-bit cell, or one for each UUID"),
        ("messaging-method = <0x603>;", "messaging-method = <1 2>;",
         "partition \"echo\": node /: property messaging-method: found 8 bytes, wanted one 32-bit cell, or one for each UUID"),
        ("messaging-method = <0x603>;", "messaging-method = <0>;",
         "partition \"echo\": node /: property messaging-method: found 0x0, wanted at least one of bits 0, 1, 2, 9 and 10, and no other"),
        ("messaging-method = <0x603>;", "messaging-method = <0x83>;",
         "partition \"echo\": node /: property messaging-method: found 0x83, wanted at least one of bits 0, 1, 2, 9 and 10, and no other"),
        ("messaging-method = <0x603>;", "messaging-method = <0x607>;",
         "partition \"echo\": node /: property messaging-method: found 0x607, which is not implemented yet, wanted bit 2 (indirect) clear"),
        ("execution-ctx-count = <4>;", "",
         "partition \"echo\": node /: property execution-ctx-count: missing, wanted one or two 32-bit cells"),
        ("exception-level = <2>;", "exception-level = <1>;",
         "partition \"echo\": node /: property exception-level: found 0x1, which is not implemented yet, wanted 2 (S-EL1)"),
        ("exception-level = <2>;", "exception-level = <4>;",
         "partition \"echo\": node /: property exception-level: found 0x4, wanted 2 (S-EL1)"),
        ("execution-state = <0>;", "execution-state = <1>;",
         "partition \"echo\": node /: property execution-state: found 0x1, which is not implemented yet, wanted 0 (AArch64)"),
        ("execution-state = <0>;", "",
         "partition \"echo\": node /: property execution-state: missing, wanted one or two 32-bit cells"),
        ("xlat-granule = <0>;", "xlat-granule = <2>;",
         "partition \"echo\": node /: property xlat-granule: found 0x2, which is not implemented yet, wanted 0 (4 KiB)"),
        ("entrypoint-offset = <0x0 0x4000>;", "entrypoint-offset = [40 00];",
         "partition \"echo\": node /: property entrypoint-offset: found 2 bytes, wanted one or two 32-bit cells"),
        ("boot-order = <0>;", "boot-order = <0x10000>;",
         "partition \"echo\": node /: property boot-order: found 0x10000, wanted at most 0xffff"),
        ("gp-register-num = <0>;", "gp-register-num = <4>;",
         "partition \"echo\": node /: property gp-register-num: found 0x4, wanted 0 to 3"),
        ("gp-register-num = <0>;", "gp-register-num = <256>;",
         "partition \"echo\": node /: property gp-register-num: found 0x100, wanted at most 0xff"),
        ("gp-register-num = <0>;", "id = <0x8000>;",
         "partition \"echo\": node /: property id: found 0x8000, wanted 0x8001 to 0xffbf"),
        ("gp-register-num = <0>;", "id = <0xffc0>;",
         "partition \"echo\": node /: property id: found 0xffc0, wanted 0x8001 to 0xffbf"),
        ("gp-register-num = <0>;", "tantalum,smccc-strict = <1>;",
         "partition \"echo\": node /: property tantalum,smccc-strict: found 4 bytes, wanted a flag without a value"),
        ("gp-register-num = <0>;", "image-uuid = \"1e67b5b4-e14f\";",
         "partition \"echo\": node /: property image-uuid: found \"1e67b5b4-e14f\", wanted a UUID: 8, 4, 4, 4 and 12 hexadecimal digits"),
        ("description = \"echo\";", "description = <1>;",
         "partition \"echo\": node /: property description: found no printable text that ends in one NUL, wanted one string of printable ASCII"),
        ("arm,ffa-manifest-boot-info", "boot-info",
         "partition \"echo\": node /boot-info: property compatible: found \"boot-info\", wanted \"arm,ffa-manifest-boot-info\""),
        ("\"arm,ffa-manifest-boot-info\"", "[d1 b1 00]",
         "partition \"echo\": node /boot-info: property compatible: found no printable text that ends in one NUL, wanted \"arm,ffa-manifest-boot-info\""),
        ("ffa_manifest;", "hob_list;",
         "partition \"echo\": node /boot-info: property hob_list: not implemented yet"),
        ("ns-interrupts-action = <2>;", "ns-interrupts-action = <0>;",
         "partition \"echo\": node /: property ns-interrupts-action: found 0x0, which is not implemented yet, wanted 2 (signalled)"),
        ("ns-interrupts-action = <2>;", "ns-interrupts-action = <1>;",
         "partition \"echo\": node /: property ns-interrupts-action: found 0x1, which is not implemented yet, wanted 2 (signalled)"),
        ("ns-interrupts-action = <2>;", "ns-interrupts-action = <3>;",
         "partition \"echo\": node /: property ns-interrupts-action: found 0x3, wanted 2 (signalled)"),
        ("ns-interrupts-action = <2>;", "other-s-interrupts-action = <0>;",
         "partition \"echo\": node /: property other-s-interrupts-action: found 0x0, which is not implemented yet, wanted 1 (signalled)"),
        ("ns-interrupts-action = <2>;", "managed-exit;",
         "partition \"echo\": node /: property managed-exit: not implemented yet"),
        ("ns-interrupts-action = <2>;", "notification-support;",
         "partition \"echo\": node /: property notification-support: not implemented yet"),
        ("ns-interrupts-action = <2>;", "lifecycle-support;",
         "partition \"echo\": node /: property lifecycle-support: not implemented yet"),
        ("ns-interrupts-action = <2>;", "live-activation-support;",
         "partition \"echo\": node /: property live-activation-support: not implemented yet"),
        ("ns-interrupts-action = <2>;", "vm-availability-messages = <3>;",
         "partition \"echo\": node /: property vm-availability-messages: found 0x3, which is not implemented yet, wanted 0 (none)"),
        ("ns-interrupts-action = <2>;", "power-management-messages = <7>;",
         "partition \"echo\": node /: property power-management-messages: found 0x7, which is not implemented yet, wanted bit 0 (CPU_OFF) clear"),
        ("boot-info {", "memory-regions { compatible = \"arm,ffa-manifest-memory-regions\"; }; boot-info {",
         "partition \"echo\": node /memory-regions: not implemented yet"),
        ("boot-info {", "devices { compatible = \"arm,ffa-manifest-device-regions\"; }; boot-info {",
         "partition \"echo\": node /devices: not implemented yet"),
        ("boot-info {", "rx_tx-info { rx-buffer = <1>; }; boot-info {",
         "partition \"echo\": node /rx_tx-info: not implemented yet"),
    ], echo);
}

#[test]
#[rustfmt::skip]
fn mistakes_in_services() {
    each(SERVICES, &[
        ("arm,ffa-manifest-services", "services",
         "partition \"echo\": node /services: property compatible: found \"services\", wanted \"arm,ffa-manifest-services\""),
        ("uuid = \"1e67b5b4-e14f-904a-13fb-1fb8cbdae1da\";", "",
         "partition \"echo\": node /services/first: property uuid: missing, wanted one string of printable ASCII"),
        ("1e67b5b4-e14f-904a-13fb-1fb8cbdae1da", "1e67b5b4-e14f-904a-13fb-1fb8cbdae1d",
         "partition \"echo\": node /services/first: property uuid: found \"1e67b5b4-e14f-904a-13fb-1fb8cb..\", wanted a UUID: 8, 4, 4, 4 and 12 hexadecimal digits"),
        ("1e67b5b4-e14f-904a-13fb-1fb8cbdae1da", "1e67b5b4-e14f-904a-13fb-1fb8cbdae1da-0",
         "partition \"echo\": node /services/first: property uuid: found \"1e67b5b4-e14f-904a-13fb-1fb8cb..\", wanted a UUID: 8, 4, 4, 4 and 12 hexadecimal digits"),
        ("1e67b5b4-e14f-904a-13fb-1fb8cbdae1da", "1e67b5b4_e14f-904a-13fb-1fb8cbdae1da",
         "partition \"echo\": node /services/first: property uuid: found \"1e67b5b4_e14f-904a-13fb-1fb8cb..\", wanted a UUID: 8, 4, 4, 4 and 12 hexadecimal digits"),
        ("1e67b5b4-e14f-904a-13fb-1fb8cbdae1da", "00000000-0000-0000-0000-000000000000",
         "partition \"echo\": node /services/first: property uuid: found the nil UUID, wanted another"),
        ("messaging-method = <0x200>;", "messaging-method = <0x4>;",
         "partition \"echo\": node /services/second: property messaging-method: found 0x4, which is not implemented yet, wanted bit 2 (indirect) clear"),
    ], echo);
    let empty = SERVICES.split_once("first {").unwrap().0.to_string() + "}; };";
    assert_eq!(
        echo(&empty).unwrap_err().to_string(),
        "partition \"echo\": node /services: missing, wanted at least one node with a service"
    );
}

#[test]
fn what_is_more_than_there_is_room_for_is_refused() {
    let uuids: Vec<_> = (1..=17).map(|n| format!("<{n} 0 0 0>")).collect();
    let uuid = "<0x1e67b5b4 0xe14f904a 0x13fb1fb8 0xcbdae1da>";
    assert_eq!(
        echo(&changed(ECHO, uuid, &uuids.join(",")))
            .unwrap_err()
            .to_string(),
        "partition \"echo\": node /: property uuid: more than 16 UUIDs"
    );
    let vm = "is_ffa_partition; debug_name = \"x\"; load_address = <0>; \
              vcpu_count = <1>; mem_size = <0>;";
    let vms: String = (10..25).map(|n| format!("vm{n} {{ {vm} }};")).collect();
    assert_eq!(
        spmc(&changed(SPMC, "vm1 {", &format!("{vms} vm1 {{")))
            .unwrap_err()
            .to_string(),
        "SPMC manifest: node /hypervisor: more than 16 partitions"
    );
    let ranges: Vec<_> = (0..33)
        .map(|n| format!("<0 {} 0 4096>", n * 4096))
        .collect();
    let reg = "<0x0 0x09040000 0x0 0x1000>";
    assert_eq!(
        spmc(&changed(SPMC, reg, &ranges.join(",")))
            .unwrap_err()
            .to_string(),
        "SPMC manifest: node /memory@9040000: property reg: more than 32 ranges of memory"
    );
}

#[test]
fn what_is_no_tree_or_too_large_is_refused() {
    let blob = dts::compile(SPMC);
    let fail = |blob: &[u8]| SpmcManifest::parse(blob).unwrap_err().to_string();
    assert_eq!(
        fail(&[]),
        "SPMC manifest: found 0 bytes, wanted a device tree of at least 40 bytes"
    );
    assert_eq!(
        fail(&blob[..1000]),
        format!(
            "SPMC manifest: found a size of {} bytes, wanted at most 1000",
            blob.len()
        )
    );
    let mut magic = blob.clone();
    magic[0] = 0;
    assert_eq!(
        fail(&magic),
        "SPMC manifest: no valid device tree: Invalid FDT magic number at offset 0"
    );
    let long = dts::compile(&changed(
        SPMC,
        "hypervisor {",
        &format!("pad = \"{}\"; hypervisor {{", "x".repeat(4096)),
    ));
    let message = format!(
        "SPMC manifest: found a size of {} bytes, wanted at most 4096",
        long.len()
    );
    assert_eq!(fail(&long), message);
    let mut long = dts::compile(ECHO);
    long[4..8].copy_from_slice(&65537u32.to_be_bytes());
    long.resize(65537, 0);
    assert_eq!(
        PartitionManifest::parse("echo", &long)
            .unwrap_err()
            .to_string(),
        "partition \"echo\": found a size of 65537 bytes, wanted at most 65536"
    );
    let package = Package::parse(&[0; 24]).unwrap_err();
    assert_eq!(
        ManifestError::package("echo", package).to_string(),
        "package of partition \"echo\": found magic [00, 00, 00, 00], wanted \"SPKG\""
    );
    assert!(matches!(package, PackageError::Magic { .. }));
}

#[test]
fn long_names_are_cut_and_control_characters_escaped() {
    let mut tree = dts::parse(SPMC);
    let mut cpu = dts::Node::new(&format!("cpu@{}", "0".repeat(100)));
    cpu.properties.push(("device_type".into(), b"cpu\0".into()));
    let cpus = tree.children.iter_mut().find(|node| node.name == "cpus");
    cpus.unwrap().children.insert(0, cpu);
    assert_eq!(
        SpmcManifest::parse(&dts::emit(&tree))
            .unwrap_err()
            .to_string(),
        format!(
            "SPMC manifest: node /cpus/cpu@{}..: property reg: missing, wanted one number of \
             #address-cells cells for each core",
            "0".repeat(52)
        )
    );
    let error = PartitionManifest::parse("\x1b[2Jevil\u{85}", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "partition \"\\u{1b}[2Jevil\\u{85}\": found 0 bytes, wanted a device tree of at least 40 \
         bytes"
    );
}

/// The two partitions of [`SPMC`], each with a manifest that fits.
fn fitting() -> (PartitionManifest, PartitionManifest) {
    (echo(ECHO).unwrap(), echo(SERVICES).unwrap())
}

#[test]
#[rustfmt::skip]
fn a_partition_that_does_not_fit_the_spmc_manifest_is_refused_and_the_other_loads() {
    let outside = "is outside secure memory, that is, any one range with device_type \"memory\"";
    let (echo, relay) = fitting();
    for (from, to, message) in [
        ("\n\t\t\tload_address = <0x0e300000>;", "load_address = <0x0e300800>;",
         "load_address: found 0xe300800, wanted a multiple of 4 KiB".to_string()),
        ("mem_size = <0x100000>;", "mem_size = <0>;",
         "mem_size: found 0x0, wanted a multiple of 4 KiB that is not 0".into()),
        ("mem_size = <0x100000>;", "mem_size = <0x100800>;",
         "mem_size: found 0x100800, wanted a multiple of 4 KiB that is not 0".into()),
        ("mem_size = <0x100000>;", "mem_size = <0xffffffff 0xfffff000>;",
         "mem_size: found 0xfffffffffffff000, wanted a size that does not go past the last address".into()),
        ("load_address = <0x0e300000>;", "load_address = <0x40000000>;",
         format!("load_address: 0x40000000-0x400fffff {outside}")),
        ("load_address = <0x0e300000>;", "load_address = <0x0e2ff000>;",
         "load_address: 0xe2ff000-0xe3fefff overlaps the SPMC's image, 0xe100000-0xe2fffff".into()),
        ("load_address = <0x0e300000>;", "load_address = <0x0ef80000>;",
         format!("load_address: 0xef80000-0xf07ffff {outside}")),
        ("vcpu_count = <4>;", "vcpu_count = <2>;",
         "vcpu_count: found 0x2, wanted 0x4, as execution-ctx-count in the partition's manifest".into()),
        ("vcpu_count = <4>;", "vcpu_count = <4>; smc_whitelist = <0x82000100>;",
         "smc_whitelist: not implemented yet".into()),
        ("vcpu_count = <4>;", "vcpu_count = <4>; hyp_loaded;",
         "hyp_loaded: not implemented yet".into()),
    ] {
        let manifest = spmc(&changed(SPMC, from, to)).unwrap();
        let (accepted, refused) = load(&manifest, &[(&echo, package()), (&relay, package())]);
        assert_eq!(refused, [format!("SPMC manifest: node /hypervisor/vm1: property {message}")]);
        assert_eq!((accepted.len(), accepted[0].name.as_str()), (1, "relay"));
    }
    let manifest = spmc(&changed(SPMC, "load_address = <0x0 0x0e400000>;", "load_address = <0x0e3ff000>;")).unwrap();
    let (accepted, refused) = load(&manifest, &[(&echo, package()), (&relay, package())]);
    assert_eq!(refused, ["SPMC manifest: node /hypervisor/vm2: property load_address: \
        0xe3ff000-0xe5fefff overlaps partition \"echo\", 0xe300000-0xe3fffff"]);
    assert_eq!((accepted.len(), accepted[0].name.as_str()), (1, "echo"));
}

#[test]
#[rustfmt::skip]
fn a_partition_that_does_not_fit_its_package_or_the_machine_is_refused() {
    let manifest = spmc(SPMC).unwrap();
    let (echo, relay) = fitting();
    let part = |manifest, image| Package { manifest, image };
    type Case<'a> = (fn(&mut PartitionManifest), Package, &'a str);
    let cases: [Case<'_>; _] = [
        (|m| m.load_address = Some(0x0e40_0000), package(),
         "partition \"echo\": node /: property load-address: found 0xe400000, wanted 0xe300000, as load_address in the SPMC manifest"),
        (|m| m.entrypoint_offset = 0, package(),
         "partition \"echo\": node /: property entrypoint-offset: found 0x0, wanted 0x4000-0x23fff (the image in the package, a multiple of 4)"),
        (|m| m.entrypoint_offset = 0x4002, package(),
         "partition \"echo\": node /: property entrypoint-offset: found 0x4002, wanted 0x4000-0x23fff (the image in the package, a multiple of 4)"),
        (|m| m.entrypoint_offset = u64::MAX, package(),
         "partition \"echo\": node /: property entrypoint-offset: found 0xffffffffffffffff, wanted 0x4000-0x23fff (the image in the package, a multiple of 4)"),
        (|m| m.execution_ctx_count = 2, package(),
         "partition \"echo\": node /: property execution-ctx-count: found 0x2, wanted 0x4, the number of cores, or 1"),
        (|m| m.execution_ctx_count = 0, package(),
         "partition \"echo\": node /: property execution-ctx-count: found 0x0, wanted 0x4, the number of cores, or 1"),
        (|_| {}, part(0x1000..0x1400, 0x4000..0x10_1000),
         "package of partition \"echo\": image at offset 0x4000 with 0xfd000 bytes does not fit in 0x100000 bytes of memory behind the header"),
        (|_| {}, part(0xfff00..0x10_0100, 0x4000..0x8000),
         "package of partition \"echo\": manifest at offset 0xfff00 with 0x200 bytes does not fit in 0x100000 bytes of memory behind the header"),
        (|_| {}, part(0x40..0x400, 0x4000..0x8000),
         "package of partition \"echo\": 0x40-0x3ff is outside what is left behind the first page, which carries the boot information"),
        (|m| m.gp_register_num = None, part(0x1000..0x1400, 0x800..0x8000),
         "package of partition \"echo\": 0x800-0x7fff is outside what is left behind the first page, which carries the boot information"),
    ];
    for (change, package_of_echo, message) in cases {
        let mut changed = echo.clone();
        change(&mut changed);
        let (accepted, refused) = load(&manifest, &[(&changed, package_of_echo), (&relay, package())]);
        assert_eq!(refused, [message]);
        assert_eq!((accepted.len(), accepted[0].name.as_str()), (1, "relay"));
    }
}

#[test]
fn a_boot_order_or_an_id_that_is_taken_is_refused() {
    let manifest = spmc(SPMC).unwrap();
    let (echo, relay) = fitting();
    let second = |relay: PartitionManifest| {
        let (_, refused) = load(&manifest, &[(&echo, package()), (&relay, package())]);
        refused.join("; ")
    };
    let same_order = PartitionManifest {
        boot_order: 0,
        ..relay.clone()
    };
    assert_eq!(
        second(same_order),
        "partition \"relay\": node /: property boot-order: found 0x0, already taken by partition \
         \"echo\""
    );
    let same_id = PartitionManifest {
        id: Some(ffa_abi::EndpointId(0x8001)),
        ..relay.clone()
    };
    assert_eq!(
        second(same_id),
        "partition \"relay\": node /: property id: found 0x8001, already taken by partition \
         \"echo\""
    );
    let other_id = PartitionManifest {
        id: Some(ffa_abi::EndpointId(0x8020)),
        ..relay.clone()
    };
    assert_eq!(second(other_id), "");
    let high = spmc(&changed(SPMC, "vm2 {", "vm32704 {")).unwrap();
    let (_, refused) = load(&high, &[(&echo, package()), (&relay, package())]);
    assert_eq!(
        refused,
        [
            "SPMC manifest: node /hypervisor/vm32704: found \"vm32704\", wanted a number that gives \
          an id of 0x8001 to 0xffbf"
        ]
    );
    let error = check_partition(&manifest, 2, &relay, &package(), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "SPMC manifest: node /hypervisor: missing, wanted as many partitions as are loaded"
    );
}
