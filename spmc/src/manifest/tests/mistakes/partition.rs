//! Mistakes in a partition's manifest.

use super::*;

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
         "partition \"echo\": node /: property ffa-version: found 0x10004, which is not implemented yet, wanted 0x10000 to 0x10003: this is FF-A 1.3, and it serves the versions up to its own"),
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
        ("execution-ctx-count = <4>;", "",
         "partition \"echo\": node /: property execution-ctx-count: missing, wanted one or two 32-bit cells"),
        ("exception-level = <2>;", "exception-level = <0>;",
         "partition \"echo\": node /: property exception-level: found 0x0, which is not implemented yet, wanted 1 (S-EL0) or 2 (S-EL1): partitions run in the secure world only"),
        ("exception-level = <2>;", "exception-level = <1>;",
         "partition \"echo\": node /: property execution-ctx-count: found 0x4, wanted 1 at S-EL0"),
        ("exception-level = <2>;", "exception-level = <4>;",
         "partition \"echo\": node /: property exception-level: found 0x4, wanted 1 (S-EL0) or 2 (S-EL1)"),
        ("execution-state = <0>;", "execution-state = <1>;",
         "partition \"echo\": node /: property execution-state: found 0x1, which is not implemented yet, wanted 0 (AArch64): partitions run in AArch64 only"),
        ("execution-state = <0>;", "",
         "partition \"echo\": node /: property execution-state: missing, wanted one or two 32-bit cells"),
        ("xlat-granule = <0>;", "xlat-granule = <2>;",
         "partition \"echo\": node /: property xlat-granule: found 0x2, which is not implemented yet, wanted 0 (4 KiB): memory is mapped in pages of 4 KiB only"),
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
        ("messaging-method = <0x603>;", "messaging-method = <0x3>; vm-availability-messages = \"both\";",
         "partition \"echo\": node /: property vm-availability-messages: found 5 bytes, wanted one or two 32-bit cells"),
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
    ], echo);
    let empty = SERVICES.split_once("first {").unwrap().0.to_string() + "}; };";
    assert_eq!(
        echo(&empty).unwrap_err().to_string(),
        "partition \"echo\": node /services: missing, wanted at least one node with a service"
    );
}
