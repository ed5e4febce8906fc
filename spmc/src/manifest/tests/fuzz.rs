//! Bytes and numbers that nobody wrote on purpose: nothing panics, an error reads as one line, and
//! what is accepted keeps its promises.

use std::sync::LazyLock;

use ffa_abi::EndpointId;
use ffa_abi::package::Package;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::dts::Node;
use super::*;
use crate::context::NsAction;

/// Everything that is done with bytes from outside.
fn read_all(blob: &[u8]) {
    type Fits = (SpmcManifest, Vec<(PartitionManifest, Package)>);
    static FITS: LazyLock<[Fits; 2]> = LazyLock::new(|| {
        let partition = |source| (echo(source).unwrap(), package());
        let mut store = partition(STORE);
        store.1.hob_list = Some(0x2_4000..0x2_4800);
        [
            (spmc(SPMC).unwrap(), vec![partition(ECHO)]),
            (spmc(FIELD).unwrap(), vec![partition(OS), store]),
        ]
    });
    match SpmcManifest::parse(blob) {
        Ok(manifest) => {
            let _ = check_layout(&manifest, IMAGE).map_err(one_line);
            for entry in 0..=manifest.partitions.len() {
                let _ = check_memory(&manifest, entry, &[], &FIRMWARE).map_err(one_line);
            }
            for (_, partitions) in &*FITS {
                load_all(&manifest, partitions);
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
            assert!(partition.abort_action.is_none() || partition.lifecycle);
            assert!(!partition.lifecycle || partition.execution_ctx_count == 1);
            assert!(!partition.power_off_messages || partition.execution_ctx_count > 1);
            let rules = partition.rules;
            assert!(!rules.other_s_queued || rules.ns_action == NsAction::Queued);
            assert!(!rules.managed_exit_virq || rules.ns_action == NsAction::ManagedExit);
            for (fits, others) in &*FITS {
                for place in 0..others.len() {
                    let mut partitions = others.clone();
                    partitions[place].0 = partition.clone();
                    load_all(fits, &partitions);
                }
            }
        }
        Err(error) => one_line(error),
    }
}

/// Loads partitions one after the other and checks what is promised of those accepted.
pub(super) fn load_all(
    manifest: &SpmcManifest,
    partitions: &[(PartitionManifest, Package)],
) -> Vec<Accepted> {
    let mut accepted: Vec<Accepted> = Vec::new();
    for (entry, (partition, package)) in partitions.iter().enumerate() {
        match check_partition(manifest, entry, partition, package, &accepted, &FIRMWARE) {
            Ok(next) => {
                promises(manifest, partition, &next, &accepted);
                accepted.push(next);
            }
            Err(error) => one_line(error),
        }
    }
    accepted
}

fn one_line(error: ManifestError) {
    let text = error.to_string();
    assert!(text.bytes().all(|c| matches!(c, b' '..=b'~')), "{text:?}");
    // The loader logs it from a buffer of this size.
    assert!(text.len() <= 320, "{text:?}");
}

fn apart(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.end <= b.start || b.end <= a.start
}

/// What holds of every accepted partition.
fn promises(
    manifest: &SpmcManifest,
    partition: &PartitionManifest,
    accepted: &Accepted,
    earlier: &[Accepted],
) {
    let region = &accepted.region;
    let nobodys = |range: &Range<u64>| {
        assert!(range.start < range.end && (range.start | range.end).is_multiple_of(4096));
        assert!(manifest.image().is_none_or(|image| apart(&image, range)));
        assert!(FIRMWARE.own.iter().all(|own| apart(own, range)));
        assert!(earlier.iter().all(|other| apart(&other.region, range)));
    };
    let lies_in = |range: &Range<u64>, kinds: &[MemoryKind]| {
        let holds = |m: &MemoryRange| {
            kinds.contains(&m.kind) && m.base <= range.start && range.end <= m.base + m.size
        };
        assert!(manifest.memory.iter().any(holds));
    };
    nobodys(region);
    lies_in(region, &[MemoryKind::Memory]);
    assert!(region.contains(&accepted.entrypoint));
    assert!(accepted.id.is_partition());
    assert!(earlier.iter().all(|other| other.id != accepted.id));

    assert_eq!(accepted.memory.len(), partition.memory_regions.len());
    assert_eq!(accepted.devices.len(), partition.device_regions.len());
    let own: Vec<_> = accepted.memory.iter().chain(&accepted.devices).collect();
    for (index, mapped) in own.iter().enumerate() {
        let range = &mapped.range;
        nobodys(range);
        assert!(mapped.access.read);
        assert!(own[..index].iter().all(|other| apart(&other.range, range)));
        let inside = region.start <= range.start && range.end <= region.end;
        assert!(mapped.inside == inside && (inside || apart(region, range)));
    }
    for memory in &accepted.memory {
        let kinds = [[MemoryKind::Memory], [MemoryKind::NsMemory]];
        lies_in(&memory.range, &kinds[usize::from(memory.normal_world)]);
        assert!(memory.access.execute || !memory.range.contains(&accepted.entrypoint));
        for other in earlier {
            let mut others = other.memory.iter().chain(&other.devices);
            assert!(others.all(|other| apart(&other.range, &memory.range)));
        }
    }
    for device in &accepted.devices {
        assert!(!device.access.execute && !device.inside);
        match device.normal_world {
            false => lies_in(&device.range, &[MemoryKind::DeviceMemory]),
            true => lies_in(
                &device.range,
                &[MemoryKind::NsDeviceMemory, MemoryKind::NsMemory],
            ),
        }
        for other in earlier {
            let mut memory = other.memory.iter();
            assert!(memory.all(|other| apart(&other.range, &device.range)));
            let shared = |other: &Mapped| !other.exclusive && !device.exclusive;
            let mut devices = other.devices.iter();
            assert!(devices.all(|other| shared(other) || apart(&other.range, &device.range)));
        }
    }
    for other in earlier {
        let mut regions = other.memory.iter().chain(&other.devices);
        assert!(regions.all(|other| apart(&other.range, region)));
    }
    let own = &accepted.interrupts;
    for (index, interrupt) in own.iter().enumerate() {
        let intid = interrupt.intid;
        assert!((16..FIRMWARE.intids_end).contains(&intid));
        assert!(!FIRMWARE.reserved_intids.contains(&intid));
        assert!((0x10..=0x78).contains(&interrupt.priority) && interrupt.priority & 7 == 0);
        let mut others = own[..index]
            .iter()
            .chain(earlier.iter().flat_map(|e| &e.interrupts));
        assert!(others.all(|other| other.intid != intid));
        if let Some(target) = interrupt.target {
            assert!(intid >= 32 && manifest.cpus.contains(&target));
        }
    }
    let listed = partition.device_regions.iter().flat_map(|d| &d.interrupts);
    assert!(own.iter().eq(listed));
    if let Some((rx, tx)) = &accepted.rx_tx {
        let size = rx.end - rx.start;
        assert!(rx != tx && size == tx.end - tx.start && size <= 4 * 4096);
        for buffer in [rx, tx] {
            let memory = accepted.memory.iter().find(|m| m.range == *buffer).unwrap();
            assert!(memory.access.write && !memory.access.execute && !memory.normal_world);
        }
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
        0x1c0a_0000,
        0x0630_0000,
        0x0740_0000,
        0x8100_1000,
        0x38,
        0xb01,
        0x500,
        0xffff_f000,
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
        "base-address",
        "load-address-relative-offset",
        "pages-count",
        "attributes",
        "phandle",
        "exclusive-access",
        "interrupts",
        "interrupts-target",
        "ns-interrupts-action",
        "other-s-interrupts-action",
        "sri-interrupts-policy",
        "managed-exit",
        "managed-exit-virq",
        "stream-ids",
        "lifecycle-support",
        "abort-action",
        "vm-availability-messages",
        "smc_whitelist",
    ]);
    let nodes = select(vec![
        "vm1",
        "vm65535",
        "vm65536",
        "vm",
        "memory",
        "services",
        "cpu@1",
        "memory-regions",
        "device-regions",
        "rx_tx-info",
        "gic",
        "x",
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
    select(vec![SPMC, ECHO, SERVICES, FIELD, OS, STORE])
}

/// A place in a package's first pages, often one in a header.
fn damaged() -> impl Strategy<Value = usize> {
    prop_oneof![
        0usize..0x20,
        0xff8usize..0x1028,
        0x1000usize..0x1800,
        0x2ff8usize..0x3000,
        0x3ff8usize..0x4000
    ]
}

/// A memory region, or a device region that is made of it, near the edges of what there is.
fn region() -> impl Strategy<Value = (bool, Region)> {
    let window = select(vec![0x7400, 0x8040, 0x8060, 0x8080, 0x80a0]);
    let page = prop_oneof![
        12 => (window, 0u64..9).prop_map(|(window, page)| window + page),
        2 => 0x7270u64..0x7340,
        1 => select(vec![0x6000, 0x6100, 0x6280, 0x7fef, u64::MAX >> 12])
    ];
    let base = prop_oneof![
        4 => page.prop_map(|page| Base::Address(page << 12)),
        1 => (0u64..0x400).prop_map(|page| Base::Offset(page << 12)),
    ];
    let pages = prop_oneof![16 => 1u32..4, 1 => 1u32..0x100, 1 => any::<u32>()];
    (any::<(bool, bool, bool, bool)>(), base, pages).prop_map(
        |((device, normal_world, write, execute), base, pages)| {
            let access = Access {
                read: true,
                write,
                execute,
            };
            let region = Region {
                base,
                pages,
                access,
                normal_world,
                name: "r".try_into().unwrap(),
            };
            (device, region)
        },
    )
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
    fn accepted_regions_are_nobody_elses(
        systems in proptest::collection::vec(proptest::collection::vec(region(), 0..3), 2..=2),
        hole in 0u64..0x40,
    ) {
        let mut manifest = spmc(FIELD).unwrap();
        // Kinds of memory close to each other, so that a few pages decide.
        for (memory, page) in manifest.memory.iter_mut().skip(1).zip([0x40, 0x60, 0x80, 0xa0]) {
            (memory.base, memory.size) = (0x0800_0000 + page * 4096, 8 * 4096);
        }
        manifest.partitions[1].load_address += hole * 4096;
        let sources = [OS, STORE].map(|source| echo(source).unwrap());
        let mut partitions = Vec::new();
        for (mut partition, regions) in sources.into_iter().zip(systems) {
            (partition.memory_regions, partition.device_regions) = Default::default();
            partition.rx_tx = None;
            for (device, region) in regions {
                if device {
                    let Base::Address(base) = region.base else { continue };
                    let device = DeviceRegion {
                        base,
                        pages: region.pages,
                        access: Access { execute: false, ..region.access },
                        normal_world: region.normal_world,
                        exclusive: region.access.execute,
                        interrupts: Default::default(),
                        name: region.name,
                    };
                    partition.device_regions.push(device).unwrap();
                } else {
                    partition.memory_regions.push(region).unwrap();
                }
            }
            partition.boot_info_hob = false;
            partitions.push((partition, package()));
        }
        load_all(&manifest, &partitions);
    }

    #[test]
    fn packages_with_any_bytes_are_loaded_or_refused(
        damage in proptest::collection::vec((damaged(), any::<u8>()), 1..8),
        end in proptest::option::of(0usize..0x2_0000),
        header in proptest::option::of(any::<[u32; 6]>()),
        list in any::<bool>(),
    ) {
        let store = dts::compile(STORE);
        let mut memory = if list { listed(&store) } else { packed(&store) };
        if let Some(header) = header {
            for (to, word) in memory.chunks_mut(4).zip(header).skip(1) {
                to.copy_from_slice(&(word % 0x10_1000).to_le_bytes());
            }
            memory[4..8].copy_from_slice(&(header[0] % 4).to_le_bytes());
        }
        for (at, byte) in damage {
            memory[at] = byte;
        }
        memory.truncate(end.unwrap_or(usize::MAX));
        let os = packed(&dts::compile(OS));
        let (accepted, refused) = boot(FIELD, &[&os, &memory]).unwrap();
        prop_assert_eq!(accepted.len() + refused.len(), 2);
        prop_assert_eq!(accepted[0].name.as_str(), "os");
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
            partitions.push((partition, package()));
        }
        let accepted = load_all(&manifest, &partitions);
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
        "managed-exit",
        "managed-exit-virq",
        "ns-interrupts-action",
        "other-s-interrupts-action",
        "sri-interrupts-policy",
        "boot-info",
        "rx_tx-info",
        "lifecycle-support",
        "abort-action",
        "vm-availability-messages",
        "notification-support",
        "memory-regions",
        "device-regions",
    ];
    let all = [
        "auxiliary-id",
        "has-primary-scheduler",
        "time-slice-mem",
        "live-activation-support",
        "live-activation-register",
        "live-state-buffer-info",
        "smmu-id",
        "stream-ids",
        "stream-ids-access-permissions",
    ];
    let table: Vec<_> = table::TABLE.iter().map(|(name, _)| *name).collect();
    for name in all {
        assert!(table.contains(&name), "{name}");
    }
    for name in read {
        assert!(!table.contains(&name), "{name}");
    }
}
