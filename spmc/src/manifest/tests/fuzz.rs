//! Bytes and numbers that nobody wrote on purpose: nothing panics, an error reads as one line, and
//! what is accepted keeps its promises.

use std::sync::LazyLock;

use ffa_abi::EndpointId;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::dts::Node;
use super::*;

/// Everything that is done with bytes from outside.
fn read_all(blob: &[u8]) {
    static FITS: LazyLock<(SpmcManifest, PartitionManifest)> =
        LazyLock::new(|| (spmc(SPMC).unwrap(), echo(ECHO).unwrap()));
    let (fits, partition) = &*FITS;
    match SpmcManifest::parse(blob) {
        Ok(manifest) => {
            let _ = check_layout(&manifest, IMAGE).map_err(one_line);
            for entry in 0..=manifest.partitions.len() {
                let _ = check_memory(&manifest, entry, &[]).map_err(one_line);
                match check_partition(&manifest, entry, partition, &package(), &[]) {
                    Ok(accepted) => promises(&manifest, &accepted, &[]),
                    Err(error) => one_line(error),
                }
            }
            for cpu in &manifest.cpus {
                assert!(manifest.core_index(*cpu).unwrap() < manifest.cpus.len());
            }
        }
        Err(error) => one_line(error),
    }
    match PartitionManifest::parse("fuzz", blob) {
        Ok(partition) => {
            assert!(!partition.services.is_empty());
            assert_ne!(partition.messaging_method(), 0);
            match check_partition(fits, 0, &partition, &package(), &[]) {
                Ok(accepted) => promises(fits, &accepted, &[]),
                Err(error) => one_line(error),
            }
        }
        Err(error) => one_line(error),
    }
}

fn one_line(error: ManifestError) {
    let text = error.to_string();
    assert!(text.bytes().all(|c| matches!(c, b' '..=b'~')), "{text:?}");
}

/// What holds of every accepted partition.
fn promises(manifest: &SpmcManifest, accepted: &Accepted, earlier: &[Accepted]) {
    let region = &accepted.region;
    assert!(
        region.start < region.end
            && region.start.is_multiple_of(4096)
            && region.end.is_multiple_of(4096)
    );
    assert!(region.contains(&accepted.entrypoint));
    assert!(accepted.id.is_partition());
    let secure = |m: &MemoryRange| {
        m.kind == MemoryKind::Memory && m.base <= region.start && region.end <= m.base + m.size
    };
    assert!(manifest.memory.iter().any(secure));
    let apart = |other: &Range<u64>| other.end <= region.start || region.end <= other.start;
    assert!(manifest.image().is_none_or(|image| apart(&image)));
    for other in earlier {
        assert!(apart(&other.region) && other.id != accepted.id);
    }
}

/// Any node of a tree, counted from the root.
fn any_node(root: &mut Node, at: Index) -> &mut Node {
    fn count(node: &Node) -> usize {
        1 + node.children.iter().map(count).sum::<usize>()
    }
    fn nth(node: &mut Node, mut index: usize) -> &mut Node {
        if index == 0 {
            return node;
        }
        index -= 1;
        for child in &mut node.children {
            let nodes = count(child);
            if index < nodes {
                return nth(child, index);
            }
            index -= nodes;
        }
        unreachable!("the index is below the count")
    }
    let index = at.index(count(root));
    nth(root, index)
}

/// One change to a tree.
#[derive(Clone, Debug)]
enum Change {
    /// Another value for a property.
    Value(Index, Index, Vec<u8>),
    /// A property less.
    Remove(Index, Index),
    /// A property more, perhaps for the second time.
    Add(Index, &'static str, Vec<u8>),
    /// A node once more.
    Repeat(Index, Index),
    /// Another name for a node.
    Rename(Index, &'static str),
}

impl Change {
    fn apply(self, root: &mut Node) {
        match self {
            Self::Value(node, property, value) => {
                let properties = &mut any_node(root, node).properties;
                if !properties.is_empty() {
                    let index = property.index(properties.len());
                    properties[index].1 = value;
                }
            }
            Self::Remove(node, property) => {
                let properties = &mut any_node(root, node).properties;
                if !properties.is_empty() {
                    properties.remove(property.index(properties.len()));
                }
            }
            Self::Add(node, name, value) => {
                any_node(root, node).properties.push((name.into(), value));
            }
            Self::Repeat(node, child) => {
                let children = &mut any_node(root, node).children;
                if !children.is_empty() {
                    children.push(children[child.index(children.len())].clone());
                }
            }
            Self::Rename(node, name) => any_node(root, node).name = name.into(),
        }
    }
}

/// Values that are near what is wanted, and some that are not.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let edges = select(vec![
        0,
        1,
        2,
        4,
        0x603,
        0x1000,
        0xffff,
        0x10000,
        0x10002,
        u32::MAX,
    ]);
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..24),
        proptest::collection::vec(edges, 1..6)
            .prop_map(|cells| cells.into_iter().flat_map(u32::to_be_bytes).collect()),
        select(vec![
            &b"memory\0"[..],
            b"cpu\0",
            b"\0\0\0",
            b"",
            b"arm,ffa-manifest-1.1\0"
        ])
        .prop_map(<[u8]>::to_vec),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let names = select(vec![
        "reg",
        "device_type",
        "#address-cells",
        "#size-cells",
        "compatible",
        "is_ffa_partition",
        "mem_size",
        "uuid",
        "image-uuid",
        "id",
        "messaging-method",
        "hob_list",
        "power-management-messages",
    ]);
    let nodes = select(vec![
        "vm1", "vm65535", "vm65536", "vm", "memory", "services", "cpu@1", "x",
    ]);
    let index = any::<Index>;
    prop_oneof![
        (index(), index(), value()).prop_map(|(n, p, v)| Change::Value(n, p, v)),
        (index(), index()).prop_map(|(n, p)| Change::Remove(n, p)),
        (index(), names, value()).prop_map(|(n, p, v)| Change::Add(n, p, v)),
        (index(), index()).prop_map(|(n, c)| Change::Repeat(n, c)),
        (index(), nodes).prop_map(|(n, name)| Change::Rename(n, name)),
    ]
}

fn source() -> impl Strategy<Value = &'static str> {
    select(vec![SPMC, ECHO, SERVICES])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn random_bytes_are_refused(mut blob in proptest::collection::vec(any::<u8>(), 0..512)) {
        read_all(&blob);
        // With a header that leads on to the rest.
        if blob.len() > 56 {
            let size = (blob.len() as u32).to_be_bytes();
            let header = [0xd00d_feed, 0, 56, 200, 40, 17, 16, 0, 8, 128].map(u32::to_be_bytes);
            blob[..40].copy_from_slice(header.as_flattened());
            blob[4..8].copy_from_slice(&size);
            blob[40..56].fill(0);
            read_all(&blob);
        }
    }

    #[test]
    fn damaged_blobs_never_panic(
        source in source(),
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..8),
        end in proptest::option::of(any::<Index>()),
    ) {
        let mut blob = dts::compile(source);
        for (at, byte) in damage {
            let index = at.index(blob.len());
            blob[index] = byte;
        }
        read_all(&blob);
        // Cut, and the header says so, or not.
        if let Some(end) = end {
            blob.truncate(end.index(blob.len()));
            read_all(&blob);
            let size = (blob.len() as u32).to_be_bytes();
            if let Some(field) = blob.get_mut(4..8) {
                field.copy_from_slice(&size);
            }
            read_all(&blob);
        }
    }

    #[test]
    fn damaged_tokens_never_panic(
        source in source(),
        damage in proptest::collection::vec((any::<Index>(), select(vec![0u32, 1, 2, 3, 4, 9])), 1..4),
    ) {
        let mut blob = dts::compile(source);
        for (at, token) in damage {
            let word = at.index(blob.len() / 4) * 4;
            blob[word..word + 4].copy_from_slice(&token.to_be_bytes());
        }
        read_all(&blob);
    }

    #[test]
    fn well_formed_trees_with_any_content_never_panic(
        source in source(),
        changes in proptest::collection::vec(change(), 1..5),
    ) {
        let mut tree = dts::parse(source);
        for change in changes {
            change.apply(&mut tree);
        }
        tree.name.clear();
        read_all(&dts::emit(&tree));
    }

    #[test]
    fn accepted_partitions_never_touch_each_other(
        places in proptest::collection::vec((0u64..0x1400, 0u64..0x800, any::<u16>()), 1..8),
        extreme in any::<(u64, u64, u64)>(),
    ) {
        let mut manifest = spmc(SPMC).unwrap();
        let model = manifest.partitions[0].clone();
        manifest.partitions.clear();
        let mut partitions = Vec::new();
        for (number, (page, pages, order)) in (1..).zip(places) {
            let mut entry = PartitionEntry {
                number,
                load_address: 0x0e00_0000 + page * 4096,
                mem_size: pages * 4096,
                ..model.clone()
            };
            let mut partition = PartitionManifest { load_address: None, ..echo(ECHO).unwrap() };
            partition.boot_order = order % 8;
            if number == 3 {
                (entry.load_address, entry.mem_size, partition.entrypoint_offset) = extreme;
            }
            if number == 4 {
                partition.id = Some(EndpointId(0x8001));
            }
            manifest.partitions.push(entry).unwrap();
            partitions.push(partition);
        }
        let mut accepted: Vec<Accepted> = Vec::new();
        for (entry, partition) in partitions.iter().enumerate() {
            match check_partition(&manifest, entry, partition, &package(), &accepted) {
                Ok(next) => {
                    promises(&manifest, &next, &accepted);
                    accepted.push(next);
                }
                Err(error) => one_line(error),
            }
        }
        let order = boot_sequence(&accepted);
        prop_assert_eq!(order.len(), accepted.len());
        prop_assert!(order.is_sorted_by_key(|index| accepted[*index].boot_order));
    }
}

#[test]
fn the_largest_trees_are_read_in_little_time() {
    // As deep as 64 KiB allow, and as broad; the work has to stay near the size.
    let mut deep = dts::parse(ECHO);
    let mut chain = Node::new("n");
    for _ in 0..5000 {
        let mut parent = Node::new("n");
        parent.children.push(chain);
        chain = parent;
    }
    deep.children.push(chain);
    let blob = dts::emit(&deep);
    assert!((60_000..=65_536).contains(&blob.len()), "{}", blob.len());
    assert!(PartitionManifest::parse("deep", &blob).is_ok());

    let mut broad = dts::parse(ECHO);
    broad.children.extend(vec![Node::new("n"); 5000]);
    assert!(PartitionManifest::parse("broad", &dts::emit(&broad)).is_ok());

    let mut full = dts::parse(ECHO);
    full.properties.extend(vec![("p".into(), Vec::new()); 4000]);
    assert!(PartitionManifest::parse("full", &dts::emit(&full)).is_ok());
}

/// The specification's list: each name is read, or stands in the table.
#[test]
fn nothing_of_the_specification_is_forgotten() {
    let read = [
        "compatible",
        "ffa-version",
        "uuid",
        "image-uuid",
        "id",
        "description",
        "execution-ctx-count",
        "exception-level",
        "execution-state",
        "load-address",
        "entrypoint-offset",
        "xlat-granule",
        "boot-order",
        "messaging-method",
        "gp-register-num",
        "power-management-messages",
        "boot-info",
    ];
    let all = [
        "auxiliary-id",
        "rx_tx-info",
        "managed-exit",
        "managed-exit-virq",
        "ns-interrupts-action",
        "other-s-interrupts-action",
        "sri-interrupts-policy",
        "notification-support",
        "has-primary-scheduler",
        "time-slice-mem",
        "vm-availability-messages",
        "lifecycle-support",
        "abort-action",
        "live-activation-support",
        "live-activation-register",
        "live-state-buffer-info",
        "memory-regions",
        "device-regions",
        "smmu-id",
        "stream-ids",
    ];
    let table: Vec<_> = table::TABLE.iter().map(|(name, _)| *name).collect();
    for name in all {
        assert!(table.contains(&name), "{name}");
    }
    for name in read {
        assert!(!table.contains(&name), "{name}");
    }
}
