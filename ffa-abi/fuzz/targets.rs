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
    message::Framework,
    notification::{InfoLists, Pending},
    package::Package,
    partition_info::{DescriptorLayout, InfoRegs, PartitionInfo},
};

/// What a target does with one input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its corpus folder.
pub const ALL: [(&str, Target); 9] = [
    ("call", call),
    ("completion", completion),
    ("console", console),
    ("contract", contract),
    ("features", features),
    ("framework", framework),
    ("info_lists", info_lists),
    ("package", package),
    ("partition_info", partition_info),
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

/// Partition packages and boot information.
pub fn package(data: &[u8]) {
    if let Ok(package) = Package::parse(data) {
        assert!(package.manifest.end <= data.len() && package.image.end <= data.len());
        assert!(package.manifest.start >= 24 && package.image.start >= 24);
        assert!(!package.manifest.is_empty() && !package.image.is_empty());
    }
    let (version, ..) = input(data);
    let info = boot_info::WithManifest::new(version, data.len() as u64, data.len() as u32);
    assert_eq!(info.header.descriptor_count.get(), 1);
}
