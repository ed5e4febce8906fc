//! What is fuzzed: one function for each decoder, over bytes. Each panics if the decoder does, or if
//! what it read is not what it writes again. They are shared by the fuzzer, which needs a nightly
//! compiler, and by `tests/corpus.rs`, which runs them over the saved corpus on stable.
//!
//! The bytes of most are a version (one byte), flags (one byte) and then registers, eight bytes each,
//! little-endian; what is missing is zero.

use ffa_abi::{
    Call, Completion, EndpointId, Fid, Function, Regs, Reply, Version, boot_info,
    call::console_characters,
    console::{console_call, console_capacity},
    contract::{self, Layout},
    features::{FeatureProperties, FeatureQuery},
    fid::FidKind,
    id::Endpoints,
    indirect::IndirectHeader,
    memory::{
        Access, AccessLayout, AddressMap, Composite, Constituent, Constituents, Relinquish,
        ResourceInfo, Transaction,
    },
    message::Framework,
    notification::{InfoLists, Pending},
    package::Package,
    partition_info::{DescriptorLayout, InfoRegs, PartitionInfo},
    rxtx::ForwardedMap,
};

/// What a target does with one input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its corpus folder.
pub const ALL: [(&str, Target); 11] = [
    ("call", call),
    ("completion", completion),
    ("console", console),
    ("contract", contract),
    ("features", features),
    ("framework", framework),
    ("info_lists", info_lists),
    ("memory", memory),
    ("package", package),
    ("partition_info", partition_info),
    ("rxtx", rxtx),
];

/// A version, flags and registers.
fn input(data: &[u8]) -> (Version, u8, Regs) {
    let (version, rest) = data.split_first().unwrap_or((&0, &[]));
    let (flags, rest) = rest.split_first().unwrap_or((&0, &[]));
    let mut regs = Regs::ZERO;
    for (register, bytes) in regs.0.iter_mut().zip(rest.chunks(8)) {
        let mut value = [0; 8];
        value[..bytes.len()].copy_from_slice(bytes);
        *register = u64::from_le_bytes(value);
    }
    (Version::new(1, u16::from(*version % 5)), *flags, regs)
}

/// The registers that a reply writes, in others that hold junk.
fn written(reply: Reply) -> Regs {
    let mut regs = Regs([0xa5a5_a5a5_a5a5_a5a5; 18]);
    reply.write(&mut regs.0);
    regs
}

/// [`Call::decode`] and [`Call::encode`].
pub fn call(data: &[u8]) {
    let (version, _, regs) = input(data);
    let Ok(call) = Call::decode(version, &regs) else {
        return;
    };
    assert_eq!(Call::decode(version, &call.encode()), Ok(call));
    let mut again = regs;
    call.encode_into(&mut again);
    assert_eq!(Call::decode(version, &again), Ok(call));
    let mask = if call.fid().wide {
        u64::MAX
    } else {
        0xffff_ffff
    };
    for n in call.payload() {
        assert_eq!(again[n], regs[n] & mask);
    }
    assert_eq!(Fid::decode(again[0]), FidKind::Ffa(call.fid()));
}

/// [`Completion::decode`] and [`Completion::encode`].
pub fn completion(data: &[u8]) {
    let (_, flags, regs) = input(data);
    let function = Function::ALL[usize::from(flags) % Function::ALL.len()];
    let call = Fid::narrow(function);
    let Ok(completion) = Completion::decode(call, &regs) else {
        return;
    };
    let mut again = regs;
    completion.encode_into(&mut again);
    assert_eq!(Completion::decode(call, &again), Ok(completion));
    assert!(completion.layout(call).registers() <= 18);
    Pending::from_success(&regs);
}

/// [`Framework::of`] and [`Framework::encode`].
pub fn framework(data: &[u8]) {
    let (version, flags, regs) = input(data);
    if let Ok(message) = Framework::decode(flags & 0x1f, flags & 0x80 != 0, &regs) {
        let ids = Endpoints::from_register(regs[1]);
        let again = message.encode(ids);
        let call = Call::decode(version, &again).expect("a message is a call");
        assert_eq!(Framework::of(&call, &again), Ok(Some(message)));
    }
    if let Ok(call) = Call::decode(version, &regs) {
        let _ = Framework::of(&call, &regs);
    }
}

/// [`FeatureQuery`] and [`FeatureProperties`].
pub fn features(data: &[u8]) {
    let (version, _, regs) = input(data);
    let query = FeatureQuery::from_w1(regs.w::<1>());
    assert_eq!(FeatureQuery::from_w1(query.w1()), query);
    if let Some(properties) = FeatureProperties::from_w2(query, regs.w::<2>()) {
        let w2 = properties.w2(Version::V1_3);
        assert_eq!(FeatureProperties::from_w2(query, w2), Some(properties));
        properties.w2(version);
    }
}

/// [`InfoLists`].
pub fn info_lists(data: &[u8]) {
    let (_, flags, regs) = input(data);
    if let Some(lists) = InfoLists::from_success(&regs) {
        assert_eq!(
            InfoLists::from_success(&written(lists.success())),
            Some(lists)
        );
        assert!(
            lists
                .iter()
                .map(|(_, contexts)| 1 + contexts.len())
                .sum::<usize>()
                <= 20
        );
    }
    // Lists made from the bytes.
    let mut lists = InfoLists::new(flags & 1 != 0);
    for x in regs.0 {
        let ids = [x as u16, (x >> 16) as u16, (x >> 32) as u16];
        let contexts = ids.get(..(x >> 48) as usize % 4).unwrap_or(&ids);
        let before = lists;
        if lists.push(EndpointId((x >> 56) as u16), contexts).is_err() {
            assert_eq!(lists, before);
        }
    }
    assert_eq!(
        InfoLists::from_success(&written(lists.success())),
        Some(lists)
    );
}

/// [`InfoRegs`] and [`PartitionInfo`].
pub fn partition_info(data: &[u8]) {
    let (_, flags, regs) = input(data);
    if let Some(read) = InfoRegs::decode(&regs) {
        let mut again = read.encode();
        again[0] = regs[0];
        again[1] = regs[1];
        assert_eq!(again, regs);
        assert!(read.descriptors(flags.into()).count() <= 5);
    }
    if let Some(info) = PartitionInfo::read(usize::from(flags), data) {
        let mut bytes = [0; 48];
        use DescriptorLayout::{Long, Medium, Short};
        for layout in [Short, Medium, Long] {
            let size = info.write(layout, &mut bytes).expect("long enough");
            if size <= usize::from(flags) {
                let read = PartitionInfo::read(size, &bytes).expect("just written");
                assert_eq!(read.id, info.id);
            }
        }
    }
}

/// The console, both ways.
pub fn console(data: &[u8]) {
    let (version, flags, regs) = input(data);
    let wide = flags & 1 != 0;
    if let Ok(Call::ConsoleLog { wide, count }) = Call::decode(version, &regs) {
        let mut seen = 0;
        console_characters(&regs, wide, count, |_| seen += 1);
        assert_eq!(seen, count);
    }
    let mut left = data;
    let mut seen = Vec::new();
    while let Some((regs, taken)) = console_call(version, wide, left) {
        assert!(taken <= console_capacity(wide, version));
        console_characters(&regs, wide, taken, |character| seen.push(character));
        left = &left[taken..];
    }
    assert_eq!(seen, data);
}

/// The register contract: what it writes, and that it touches nothing else.
pub fn contract(data: &[u8]) {
    let (_, flags, regs) = input(data);
    let call = match Fid::decode(regs[17]) {
        FidKind::Ffa(fid) => Some(fid),
        _ => None,
    };
    let layout = contract::layout(call, regs[0]);
    assert!(layout >= Layout::One);
    let own: [u64; 31] = core::array::from_fn(|n| !(n as u64) ^ u64::from(flags));
    let mut registers = own;
    contract::write(layout, &regs, &mut registers);
    assert_eq!(registers[layout.registers()..], own[layout.registers()..]);
    contract::extended_to_el3(regs[17], regs[0], layout);
    assert!(contract::vm_layout(regs[17], regs[0]) >= Layout::One);
}

/// Partition packages of both forms, and boot information.
pub fn package(data: &[u8]) {
    if let Ok(package) = Package::parse(data) {
        let mut parts = vec![package.manifest, package.image];
        parts.extend(package.hob_list);
        parts.sort_by_key(|part| part.start);
        let mut end = 24;
        for part in parts {
            assert!(part.start >= end && !part.is_empty());
            end = part.end;
        }
        assert!(end <= data.len());
    }
    if let Some((header, descriptors)) = boot_info::read(data) {
        let mut items: Vec<_> = descriptors.map(|found| found.item()).collect();
        assert_eq!(items.len(), header.descriptor_count.get() as usize);
        let items: Vec<_> = items.drain(..).flatten().collect();
        let mut bytes = vec![0xa5; 32 * (items.len() + 1)];
        let size = boot_info::write(Version::V1_2, &items, &mut bytes);
        assert_eq!(size, Some(bytes.len()));
        let (_, again) = boot_info::read(&bytes).expect("just written");
        assert!(
            again
                .map(|found| found.item())
                .eq(items.into_iter().map(Some))
        );
    }
    let (version, ..) = input(data);
    let info = boot_info::WithManifest::new(version, data.len() as u64, data.len() as u32);
    assert_eq!(info.header.descriptor_count.get(), 1);
}

/// Descriptors of memory transactions: a version (one byte), then the descriptor.
pub fn memory(data: &[u8]) {
    let (version, ..) = input(data);
    let bytes = data.get(1..).unwrap_or_default();
    transaction(version, bytes);
    if let Ok(head) = Relinquish::read(bytes)
        && let Ok(endpoints) = head.endpoints(bytes)
    {
        assert_eq!(endpoints.len(), head.count as usize);
        let endpoints: Vec<_> = endpoints.collect();
        let mut again = vec![0; bytes.len()];
        let size = head.write(&endpoints, &mut again).expect("as long");
        assert_eq!(again[..size], bytes[..size]);
    }
    if let Ok(head) = ResourceInfo::read(bytes)
        && let Ok(maps) = head.maps(bytes)
    {
        let maps: Vec<_> = maps.take(64).collect();
        for map in maps {
            let mut again = [0; AddressMap::BYTES];
            map.write(&mut again).expect("long enough");
            assert_eq!(AddressMap::read(&again), Some(map));
        }
    }
    let fragment = Constituents::new(bytes);
    assert_eq!(fragment.len(), bytes.len() / Constituent::BYTES);
    assert_eq!(fragment.remainder().len(), bytes.len() % Constituent::BYTES);
}

/// A transaction, what it says it holds, and the same written anew.
fn transaction(version: Version, bytes: &[u8]) {
    let Ok(header) = Transaction::read(version, bytes) else {
        return;
    };
    let mut again = [0; 48];
    let size = header.write(version, &mut again).expect("long enough");
    assert_eq!(Transaction::read(version, &again[..size]), Ok(header));
    let Ok(accesses) = header.accesses(bytes) else {
        return;
    };
    assert_eq!(accesses.len(), header.receivers as usize);
    for access in accesses {
        for layout in [AccessLayout::Short, AccessLayout::Long] {
            let mut again = [0; 32];
            access.write(layout, &mut again).expect("long enough");
            let read = Access::read(layout, &again).expect("just written");
            assert_eq!(read.endpoint, access.endpoint);
            assert!(layout == AccessLayout::Short || read == access);
        }
        let offset = access.composite_offset;
        if let Ok(composite) = Composite::read(bytes, offset) {
            let parts: Vec<_> = composite.constituents(bytes, offset).collect();
            assert!(parts.len() <= composite.count as usize);
            if parts.len() == composite.count as usize && Composite::of(&parts) == Some(composite) {
                let mut again = vec![0; composite.bytes() as usize];
                let size = Composite::write_all(&parts, &mut again);
                assert_eq!(size, Some(again.len()));
                let start = offset as usize;
                assert!(composite.constituents(&again, 0).eq(parts));
                assert!(bytes.len() >= start + again.len());
            }
        }
    }
}

/// What lies in RX and TX buffers: a version (one byte), then a forwarded map or an indirect message.
pub fn rxtx(data: &[u8]) {
    let (version, ..) = input(data);
    let bytes = data.get(1..).unwrap_or_default();
    if let Ok(map) = ForwardedMap::read(bytes) {
        let mut again = [0xa5; ForwardedMap::BYTES];
        assert_eq!(map.write(&mut again), Some(again.len()));
        assert_eq!(ForwardedMap::read(&again), Ok(map));
    }
    if let Some(header) = IndirectHeader::read(version, bytes) {
        let mut again = [0; 40];
        let size = header.write(version, &mut again).expect("long enough");
        assert_eq!(IndirectHeader::read(version, &again[..size]), Some(header));
        if let Some(payload) = header.payload(version, bytes.len()) {
            assert!(payload.start >= size && payload.end <= bytes.len());
        }
    }
}
