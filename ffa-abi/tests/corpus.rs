//! The saved corpus of the fuzzer (`ffa-abi/fuzz/corpus`) through the same functions, without a
//! fuzzer; and the program that made its seeds.
//!
//! To make the seeds anew: `cargo test -p ffa-abi --test corpus -- --ignored`.

#[path = "../fuzz/targets.rs"]
mod targets;

use ffa_abi::{
    EndpointId, Function, Regs, Uuid, Version,
    boot_info::{self, Item, ItemKind},
    fid::{Fid, FidKind},
    id::Endpoints,
    indirect::IndirectHeader,
    memory::{
        Access, AccessFlags, AccessPermissions, AddressMap, Attributes, Constituent, DataAccess,
        Handle, InstructionAccess, MapFlags, MapPermissions, Relinquish, RelinquishFlags,
        ResourceInfo, Transaction,
    },
    message::{Framework, Pages, WarmBoot},
    notification::InfoLists,
    package::transfer_list::{self, EntryHeader},
    partition_info::{DescriptorLayout, InfoRegs, PartitionInfo, PartitionProperties},
    rxtx::{Buffer, ForwardedMap},
    version::VersionQuery,
};
use std::{fs, path::PathBuf};
use zerocopy::IntoBytes;

fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fuzz", "corpus", target]
        .iter()
        .collect()
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn the_saved_corpus_passes() {
    for (target, run) in targets::ALL {
        let mut count = 0;
        for entry in fs::read_dir(folder(target)).expect("each target has a corpus") {
            let path = entry.expect("a readable folder").path();
            let data = fs::read(&path).expect("a readable file");
            println!("{}", path.display());
            run(&data);
            count += 1;
        }
        assert!(count != 0, "{target} has an empty corpus");
    }
}

#[test]
fn the_seeds_pass() {
    for (target, name, data) in seeds() {
        println!("{target} {name}");
        let (_, run) = targets::ALL
            .into_iter()
            .find(|(name, _)| *name == target)
            .expect("a target of that name");
        run(&data);
    }
}

#[test]
#[ignore = "writes files"]
fn write_the_seeds() {
    for (target, name, data) in seeds() {
        fs::create_dir_all(folder(target)).expect("a writable folder");
        fs::write(folder(target).join(name), data).expect("a writable folder");
    }
}

/// The bytes of a version, flags and registers, without zeros at the end.
fn bytes(version: u8, flags: u8, regs: &Regs) -> Vec<u8> {
    let mut bytes = vec![version, flags];
    bytes.extend(regs.0.iter().flat_map(|x| x.to_le_bytes()));
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |n| n + 1);
    bytes.truncate(used);
    bytes
}

fn regs(x: &[u64]) -> Regs {
    let mut regs = Regs::ZERO;
    for (to, from) in regs.0.iter_mut().zip(x) {
        *to = *from;
    }
    regs
}

/// A target, the name of a file and what it holds.
fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, data| seeds.push((target, format!("seed-{name}"), data));

    // Each function and form once, with arguments that most of them take.
    for function in Function::ALL {
        for fid in [Fid::narrow(function), Fid::wide(function)] {
            if Fid::decode(fid.raw().into()) != FidKind::Ffa(fid) {
                continue;
            }
            let small = match function {
                Function::MsgWait | Function::Abort => [0, 1, 0, 0],
                Function::ConsoleLog => [5, 0x6f6c_6c65_6800, 0, 0],
                Function::MsgSendDirectReq | Function::MsgSendDirectResp => [0x3_8001, 0, 1, 2],
                Function::NotificationUnbind => [0x3_8001, 0, 1, 2],
                _ => [0x3_8001, 1, 1, 0],
            };
            let mut x = regs(&[fid.raw().into()]);
            x.0[1..5].copy_from_slice(&small);
            let name = format!("{:x}", fid.raw());
            add("call", &name, bytes(3, 0, &x));
            let completes = matches!(
                function,
                Function::Success
                    | Function::Error
                    | Function::Interrupt
                    | Function::MsgWait
                    | Function::Yield
                    | Function::Run
                    | Function::NormalWorldResume
                    | Function::MsgSendDirectReq
                    | Function::MsgSendDirectResp
                    | Function::MsgSendDirectReq2
                    | Function::MsgSendDirectResp2
                    | Function::MemRetrieveResp
                    | Function::MemFragRx
                    | Function::MemFragTx
            );
            if completes {
                // Flags 13: the call is FFA_RUN.
                add("completion", &name, bytes(3, 13, &x));
                x.0[17] = Function::Run.raw32().into();
                add("contract", &name, bytes(3, 0, &x));
            }
        }
    }
    add("call", "not-ffa", bytes(3, 0, &regs(&[0x8400_0000])));
    add("completion", "version", bytes(3, 3, &regs(&[0x1_0003])));
    add("completion", "unknown", bytes(3, 13, &regs(&[u64::MAX])));
    add("contract", "unknown", bytes(3, 0, &regs(&[u64::MAX])));
    let mut get_regs = regs(&[Function::Success.raw64().into()]);
    get_regs.0[17] = Function::PartitionInfoGetRegs.raw64().into();
    add("contract", "get-regs", bytes(3, 0, &get_regs));

    let query = |w1, w2| bytes(3, 0, &regs(&[0, w1, w2]));
    for feature in 1..5 {
        add("features", &format!("{feature}"), query(feature, 8));
    }
    for function in [
        Function::RxtxMap,
        Function::MemShare,
        Function::MemRetrieveReq,
        Function::Run,
    ] {
        let name = format!("{function:?}").to_lowercase();
        add("features", &name, query(function.raw32().into(), 6));
    }

    let ids = Endpoints {
        sender: EndpointId::SPMD,
        receiver: EndpointId::SPMC,
    };
    let (handle, vm) = (Handle(1 << 63), EndpointId(3));
    let partition = EndpointId(0x8001);
    let pages = Pages {
        base: 0x1000,
        count: 1,
    };
    for message in [
        Framework::PsciRequest {
            wide: false,
            parameters: [0x8400_0002, 0, 0, 0],
        },
        Framework::WarmBoot(WarmBoot::Shallower),
        Framework::PowerResponse { status: -3 },
        Framework::VmCreated { handle, vm },
        Framework::VmCreatedResponse { status: 0 },
        Framework::VmDestroyed { handle, vm },
        Framework::VmDestroyedResponse { status: 0 },
        Framework::VersionRequest {
            version: Some(Version::V1_2),
            query: Some(VersionQuery::Compatible),
        },
        Framework::VersionResponse(Some(Version::V1_3)),
        Framework::StopRequest { reason: 1 },
        Framework::StopResponse {
            wide: true,
            status: 0,
            base: 0x1000,
            size: 0x1000,
        },
        Framework::ActivationStart {
            partition,
            image: pages,
            manifest: pages,
        },
        Framework::ActivationStartResponse { status: 0 },
        Framework::ActivationFinish { partition },
        Framework::ActivationFinishResponse { status: -2 },
    ] {
        let number = message.number();
        let flags = number | if message.wide() { 0x80 } else { 0 };
        let data = bytes(3, flags, &message.encode(ids));
        add("framework", &format!("{number:02}"), data);
    }

    for wide in [false, true] {
        let mut lists = InfoLists::new(wide);
        lists.push(partition, &[]).expect("room for one");
        lists.push(vm, &[0, 1, 2]).expect("room for four more");
        let mut x = Regs::ZERO;
        lists.success().write(&mut x.0);
        add("info_lists", &format!("{wide}"), bytes(3, wide.into(), &x));
    }

    let info = PartitionInfo {
        id: partition,
        contexts: 8,
        properties: PartitionProperties::RECEIVES_DIRECT,
        protocol: Uuid([1; 16]),
        image: Uuid([2; 16]),
        version: Some(Version::V1_3),
    };
    for layout in [DescriptorLayout::Medium, DescriptorLayout::Long] {
        let reply = InfoRegs::new(layout, 3, 0, 1, [info; 3]).expect("three of three");
        let data = bytes(3, 0, &reply.encode());
        add("partition_info", &format!("{}-regs", layout.bytes()), data);
        let mut data = vec![3, layout.bytes() as u8];
        data.resize(48, 7);
        add("partition_info", &format!("{}", layout.bytes()), data);
    }

    for wide in [0, 1] {
        let mut data = vec![3, wide];
        data.extend(b"hello, world\n");
        add("console", &format!("{wide}"), data);
    }

    for version in [1u8, 2] {
        let mut data = b"SPKG".to_vec();
        for word in [u32::from(version), 24, 8, 32, 8] {
            data.extend(word.to_le_bytes());
        }
        data.resize(40, 0);
        add("package", &format!("{version}"), data);
    }
    add("package", "list", list());
    let items = [ItemKind::Fdt, ItemKind::HobList].map(|kind| Item {
        kind,
        address: 0x0e30_1000,
        size: 0x200,
    });
    let mut blob = vec![0; 96];
    boot_info::write(Version::V1_2, &items, &mut blob).expect("two descriptors and a header");
    add("package", "boot-info", blob);

    for (version, data) in in_buffers() {
        let name = format!("{}-{version}", data.0);
        let mut bytes = vec![version];
        bytes.extend(data.1);
        let target = match data.0 {
            "map" | "message" => "rxtx",
            _ => "memory",
        };
        add(target, &name, bytes);
    }
    seeds
}

/// A transfer list: a manifest at 0x1000 and an image at 0x2000.
fn list() -> Vec<u8> {
    let mut bytes = vec![0; 0x2008];
    let header = transfer_list::Header {
        signature: transfer_list::SIGNATURE,
        checksum: 0,
        version: 1,
        header_size: 24,
        alignment: 12,
        size: 0x2008.into(),
        max_size: 0x2008.into(),
        flags: 0.into(),
        reserved: 0.into(),
    };
    bytes[..24].copy_from_slice(header.as_bytes());
    for (offset, tag, size) in [
        (0x18, transfer_list::TAG_EMPTY, 0xfd8),
        (0xff8, transfer_list::TAG_MANIFEST, 8),
        (0x1008, transfer_list::TAG_EMPTY, 0xfe8),
        (0x1ff8, transfer_list::TAG_IMAGE, 8),
    ] {
        bytes[offset..][..8].copy_from_slice(EntryHeader::new(tag, size).as_bytes());
    }
    bytes
}

/// What lies in RX and TX buffers, each with the minor version that it is for.
fn in_buffers() -> Vec<(u8, (&'static str, Vec<u8>))> {
    let mut all = Vec::new();
    let mut add = |minor, name, bytes: &[u8], size: Option<usize>| {
        let size = size.expect("the buffer is long enough");
        all.push((minor, (name, bytes[..size].to_vec())));
    };
    let mut bytes = [0; 512];
    let vm = EndpointId(3);
    for minor in 0..4 {
        let version = Version::new(1, minor.into());
        let header = Transaction::new(version, vm, Attributes::NORMAL);
        let access = Access {
            endpoint: EndpointId(0x8001),
            permissions: AccessPermissions::new(
                DataAccess::ReadWrite,
                InstructionAccess::NotExecutable,
            ),
            flags: AccessFlags::empty(),
            composite_offset: 0,
            implementation: [7; 16],
        };
        let parts = [0x8_8000_0000, 0x8_9000_0000].map(|base| Constituent { base, pages: 2 });
        let size = header.write_all(version, &[access; 2], &parts, &mut bytes);
        add(minor, "transaction", &bytes, size);
        let size = header.write_all(version, &[access], &[], &mut bytes);
        add(minor, "retrieve", &bytes, size);
        let message = IndirectHeader {
            flags: 0,
            sender: vm,
            receiver: EndpointId(0x8001),
            payload_offset: IndirectHeader::bytes(version) as u32,
            payload_size: 8,
            service: Uuid([7; 16]),
        };
        let size = message.write(version, &mut bytes).map(|size| size + 8);
        add(minor, "message", &bytes, size);
    }
    let relinquish = Relinquish {
        handle: Handle(5),
        flags: RelinquishFlags::ZERO,
        count: 2,
    };
    let size = relinquish.write(&[vm, EndpointId(0x8001)], &mut bytes);
    add(1, "relinquish", &bytes, size);
    let map = AddressMap {
        base: 0x8_8000_0000,
        pages: 1,
        permissions: MapPermissions::PRIVILEGED_READ,
        endpoint: EndpointId(0x8001),
        flags: MapFlags::INDIRECT,
    };
    let size = ResourceInfo::new(1).write(&mut bytes);
    let size = size.zip(map.write(&mut bytes[16..]));
    add(
        3,
        "resources",
        &bytes,
        size.map(|(header, map)| header + map),
    );
    let buffer = |base| Buffer { base, pages: 1 };
    let forwarded = ForwardedMap {
        endpoint: vm,
        tx: buffer(0x8_8000_1000),
        rx: buffer(0x8_8000_2000),
    };
    let size = forwarded.write(&mut bytes);
    add(1, "map", &bytes, size);
    all
}
