//! Bytes and numbers that nobody wrote on purpose: nothing panics, an error reads as one line, and
//! what is accepted keeps its promises.

use super::dts::Node;
use super::*;
use crate::MAX_VCPUS;
use core::ops::Range;
use ffa_abi::Version;
use proptest::{
    prelude::*,
    sample::{Index, select},
};
use std::collections::HashSet;

fn one_line(error: VmManifestError) {
    let text = error.to_string();
    assert!(text.bytes().all(|c| matches!(c, b' '..=b'~')), "{text:?}");
    // The image says it from a buffer of this size.
    assert!(text.len() <= 320, "{text:?}");
}

/// What holds of every manifest that is accepted.
fn promises(vm: &VmManifest) {
    assert!(vm.id.is_vm());
    let memory = &vm.memory;
    assert!(memory.start < memory.end && (memory.start | memory.end).is_multiple_of(PAGE));
    assert!(memory.contains(&vm.entrypoint) && vm.entrypoint.is_multiple_of(4));
    assert!(Version::OWN.serves(vm.version));
    let vcpus = usize::from(vm.vcpus);
    assert!((1..=MAX_VCPUS).contains(&vcpus));
    let pinned: HashSet<_> = vm.cores.iter().flatten().collect();
    assert_eq!(pinned.len(), vm.cores.iter().flatten().count());
    assert!(vm.cores[vcpus..].iter().all(Option::is_none));
    // A VM with several vCPUs has them all pinned, and so has the primary.
    assert!(pinned.len() == vcpus || (vcpus == 1 && !vm.primary));
    if vm.primary {
        assert_eq!(vm.cores[0], Some(0));
        assert!(!vm.messaging.receives_direct() && !vm.messaging.receives_direct2());
    }
    assert!((100..=1_000_000).contains(&vm.time_slice_us));
    assert_eq!(vm.messaging.0 & !0x607, 0);
    assert!(vm.services.iter().all(|service| !service.uuid.is_nil()));
    for device in &vm.devices {
        let Range { start, end } = device.registers;
        assert!(start < end && (start | end).is_multiple_of(PAGE));
        assert!(
            device
                .interrupts
                .iter()
                .all(|i| (32..256).contains(&i.intid))
        );
    }
}

/// What holds of every set that is accepted.
fn promises_of_set(all: &[VmManifest]) {
    let apart = |a: &Range<u64>, b: &Range<u64>| a.end <= b.start || b.end <= a.start;
    assert_eq!(all.iter().filter(|vm| vm.primary).count(), 1);
    let primary = all.iter().find(|vm| vm.primary).unwrap();
    for (index, vm) in all.iter().enumerate() {
        assert!(
            vm.cores
                .iter()
                .flatten()
                .all(|core| *core < 4 && primary.cores.contains(&Some(*core)))
        );
        let interrupts = |vm: &VmManifest| -> HashSet<_> {
            vm.devices
                .iter()
                .flat_map(|d| &d.interrupts)
                .map(|i| i.intid)
                .collect()
        };
        for other in &all[..index] {
            assert!(vm.id != other.id && apart(&vm.memory, &other.memory));
            assert!(interrupts(vm).is_disjoint(&interrupts(other)));
            for device in &vm.devices {
                let others = other.devices.iter().map(|other| &other.registers);
                let mut taken = others.chain([&vm.memory, &other.memory]);
                assert!(taken.all(|range| apart(range, &device.registers)));
            }
        }
    }
}

/// Everything that is done with bytes from outside.
fn read_all(blob: &[u8]) {
    match VmManifest::parse(blob) {
        Ok(vm) => {
            promises(&vm);
            for place in 0..3 {
                let mut all = [FIRST, SECOND, THIRD].map(|source| parse(source).unwrap());
                all[place] = vm.clone();
                match set::check(&all, 4, |_, _| true, |_, _| true) {
                    Ok(()) => promises_of_set(&all),
                    Err(error) => one_line(error),
                }
            }
        }
        Err(error) => one_line(error),
    }
}

/// Values that are near what is wanted, and some that are not.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let edges = select(vec![
        0,
        1,
        2,
        3,
        4,
        8,
        9,
        34,
        40,
        0x402,
        0x603,
        0x800,
        0xa40,
        0x1000,
        0xffff,
        0x10000,
        0x10002,
        0x0901_0000,
        0x5000_0000,
        0x5080_0000,
        0x5100_0000,
        0xffff_f000,
        u32::MAX,
    ]);
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..24),
        proptest::collection::vec(edges, 1..6)
            .prop_map(|cells| cells.into_iter().flat_map(u32::to_be_bytes).collect()),
        Just(b"tantalum,vm-manifest-1.0\0".to_vec()),
        Just(Vec::new()),
    ]
}

fn name() -> impl Strategy<Value = &'static str> {
    select(vec![
        "id",
        "primary",
        "vcpu-count",
        "vcpu-cores",
        "uuid",
        "messaging-method",
        "notification-support",
        "base-address",
        "pages-count",
        "attributes",
        "interrupts",
        "entrypoint-offset",
        "time-slice-us",
        "housekeeping-us",
        "ffa-version",
        "description",
        "stream-ids",
        "x",
        "a,b",
        "\x1b",
        "",
        "device-regions",
        "services",
    ])
}

/// The node with this number, the root being 0.
fn nth(node: &mut Node, index: usize) -> &mut Node {
    let mut index = index;
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

fn count(node: &Node) -> usize {
    1 + node.children.iter().map(count).sum::<usize>()
}

/// Changes a tree: a property's value (or a property more), a property less, a child twice, another name.
fn change(root: &mut Node, (kind, node, place, name, value): (u8, Index, Index, &str, Vec<u8>)) {
    let nodes = count(root);
    let node = nth(root, node.index(nodes));
    let properties = node.properties.len();
    match kind {
        0 if properties > 0 => node.properties[place.index(properties)].1 = value,
        1 if properties > 0 => {
            node.properties.remove(place.index(properties));
        }
        2 if !node.children.is_empty() => {
            let child = node.children[place.index(node.children.len())].clone();
            node.children.push(child);
        }
        3 => node.name = name.into(),
        _ => node.properties.push((name.into(), value)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn arbitrary_bytes_do_no_harm(blob in proptest::collection::vec(any::<u8>(), 0..256)) {
        read_all(&blob);
    }

    #[test]
    fn a_damaged_manifest_does_no_harm(
        source in select(vec![ONE, FIRST, SECOND, THIRD, FULL]),
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..8),
        length in any::<Index>(),
        cut in any::<bool>(),
    ) {
        let mut blob = dts::compile(source);
        for (place, byte) in damage {
            let place = place.index(blob.len());
            blob[place] = byte;
        }
        if cut {
            blob.truncate(length.index(blob.len()));
        }
        read_all(&blob);
    }

    #[test]
    fn a_changed_manifest_does_no_harm(
        source in select(vec![ONE, FIRST, SECOND, THIRD, FULL]),
        changes in proptest::collection::vec(
            (0u8..6, any::<Index>(), any::<Index>(), name(), value()), 1..4),
    ) {
        let mut root = dts::parse(source);
        for one in changes {
            change(&mut root, one);
        }
        read_all(&dts::emit(&root));
    }
}
