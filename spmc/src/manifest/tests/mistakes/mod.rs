//! Each manifest here is a good one with one mistake, and each mistake has its sentence.

mod fit;
mod interrupts;
mod packages;
mod partition;
mod regions;
mod spmc;

use ffa_abi::package::PackageError;

use super::*;

/// What to change, into what, and the message for it.
type Mistake<'a> = (&'a str, &'a str, &'a str);

/// Reads `source` with each mistake made in it alone.
fn each<T: core::fmt::Debug>(
    source: &str,
    mistakes: &[Mistake<'_>],
    read: impl Fn(&str) -> Result<T, ManifestError>,
) {
    for (from, to, message) in mistakes {
        match read(&changed(source, from, to)) {
            Ok(value) => panic!("{from} -> {to}: {value:?}"),
            Err(error) => assert_eq!(&error.to_string(), message, "{from} -> {to}"),
        }
    }
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
        "package of partition \"echo\": found magic [00, 00, 00, 00], wanted \"SPKG\" or [0b, b1, 0f, 4a], a transfer list"
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
