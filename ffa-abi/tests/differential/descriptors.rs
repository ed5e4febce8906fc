//! Descriptors in buffers, byte for byte.
//!
//! arm-ffa has the transaction descriptor of 1.1 with access descriptors of 16 bytes, the relinquish
//! descriptor, and boot information. It has none of these, which only this crate's own tests hold
//! against the specification: the transaction header of 1.0, access descriptors of 32 bytes,
//! partition information of 48 bytes, the endpoint RX/TX descriptor, the headers of indirect messages,
//! resource information and address maps, packages.
//!
//! What these tests stay away from: it writes a composite region even where there is no constituent,
//! and asserts that buffers are long enough and counts small enough.

use super::*;
use arm_ffa::{
    boot_info::{BootInfo, BootInfoName},
    memory_management::{
        Cacheability as ArmCacheability, ConstituentMemRegion, DataAccessPerm, DeviceMemAttributes,
        Handle as ArmHandle, InstuctionAccessPerm, MemAccessPerm, MemRegionAttributes,
        MemRelinquishDesc, MemTransactionDesc, MemTransactionFlags, MemType,
        Shareability as ArmShareability,
    },
};
use ffa_abi::{
    boot_info::{self, Contents, Item, ItemKind},
    memory::{
        Access, AccessFlags, AccessPermissions, Attributes, Cacheability, Composite, Constituent,
        DataAccess, DeviceKind, Handle, InstructionAccess, MemoryType, Relinquish, RelinquishFlags,
        Shareability, Transaction, TransactionFlags, TransactionKind,
    },
};

/// Attributes that both can say: arm-ffa has no shareability of devices.
fn attributes() -> impl Strategy<Value = u16> {
    let known = |raw: &u16| MemRegionAttributes::try_from(*raw).is_ok();
    (0u16..0x80)
        .prop_filter("both know it", known)
        .prop_map(|raw| MemRegionAttributes::try_from(raw).unwrap().into())
}

fn permissions() -> impl Strategy<Value = u8> {
    (0u8..3, 0u8..3).prop_map(|(data, instruction)| data | instruction << 2)
}

/// One transaction as both describe it.
#[derive(Debug)]
struct Both {
    theirs: (
        MemTransactionDesc,
        Vec<MemAccessPerm>,
        Vec<ConstituentMemRegion>,
    ),
    ours: (Transaction, Vec<Access>, Vec<Constituent>),
}

prop_compose! {
    fn transactions()(
        sender: u16, raw in attributes(), flags: u32, handle: u64, tag: u64,
        receivers in prop::collection::vec((any::<u16>(), permissions(), any::<u8>()), 1..5),
        parts in prop::collection::vec((any::<u64>(), 0u32..0x1000_0000), 1..8),
    ) -> Both {
        let description = MemTransactionDesc {
            sender_id: sender,
            mem_region_attr: raw.try_into().unwrap(),
            flags: MemTransactionFlags(flags),
            handle: ArmHandle(handle),
            tag,
        };
        let transaction = Transaction {
            flags: TransactionFlags::from_bits_retain(flags),
            handle: Handle(handle),
            tag,
            ..Transaction::new(Version::V1_1, EndpointId(sender), Attributes(raw))
        };
        Both {
            theirs: (
                description,
                receivers.iter().map(|(endpoint_id, permissions, flags)| MemAccessPerm {
                    endpoint_id: *endpoint_id,
                    instr_access: (*permissions).try_into().unwrap(),
                    data_access: (*permissions).try_into().unwrap(),
                    flags: *flags,
                }).collect(),
                parts.iter().map(|(address, page_cnt)| ConstituentMemRegion {
                    address: *address,
                    page_cnt: *page_cnt,
                }).collect(),
            ),
            ours: (
                transaction,
                receivers.iter().map(|(endpoint, permissions, flags)| Access {
                    endpoint: EndpointId(*endpoint),
                    permissions: AccessPermissions(*permissions),
                    flags: AccessFlags::from_bits_retain(*flags),
                    composite_offset: 0,
                    implementation: [0; 16],
                }).collect(),
                parts.iter().map(|(base, pages)| Constituent {
                    base: *base,
                    pages: *pages,
                }).collect(),
            ),
        }
    }
}

/// What both read from a descriptor, in their own words, brought into ours. `None` if arm-ffa refuses
/// it.
fn their_reading(bytes: &[u8]) -> Option<(Transaction, Vec<Access>, Vec<Constituent>)> {
    let (description, accesses, parts) = MemTransactionDesc::unpack(bytes).ok()?;
    let accesses: Vec<_> = accesses
        .map(|access| {
            access.map(|access| Access {
                endpoint: EndpointId(access.endpoint_id),
                permissions: AccessPermissions(
                    access.data_access as u8 | access.instr_access as u8,
                ),
                flags: AccessFlags::from_bits_retain(access.flags),
                composite_offset: 0,
                implementation: [0; 16],
            })
        })
        .collect::<Result<_, _>>()
        .ok()?;
    let parts = parts
        .into_iter()
        .flatten()
        .map(|part| Constituent {
            base: part.as_ref().unwrap().address,
            pages: part.unwrap().page_cnt,
        })
        .collect();
    let attributes = Attributes(description.mem_region_attr.into());
    let transaction = Transaction {
        flags: TransactionFlags::from_bits_retain(description.flags.0),
        handle: Handle(description.handle.0),
        tag: description.tag,
        receivers: accesses.len() as u32,
        ..Transaction::new(Version::V1_1, EndpointId(description.sender_id), attributes)
    };
    Some((transaction, accesses, parts))
}

proptest! {
    #[test]
    fn transactions_are_written_and_read_alike(Both { theirs, ours } in transactions()) {
        let mut their_bytes = [0x5a; 512];
        let (description, accesses, parts) = &theirs;
        let size = description.pack(parts, accesses, &mut their_bytes);
        let mut our_bytes = [0xa5; 512];
        let (transaction, accesses, parts) = &ours;
        let written = transaction.write_all(Version::V1_1, accesses, parts, &mut our_bytes);
        prop_assert_eq!(written, Some(size));
        prop_assert_eq!(&our_bytes[..size], &their_bytes[..size]);
        let (read, read_accesses, read_parts) = their_reading(&our_bytes[..size]).unwrap();
        prop_assert_eq!(read.receivers as usize, accesses.len());
        prop_assert_eq!(Transaction { receivers: 0, ..read }, *transaction);
        prop_assert_eq!(&read_accesses, accesses);
        prop_assert_eq!(&read_parts, parts);
    }

    /// What arm-ffa takes from a damaged descriptor is what this crate takes from it.
    #[test]
    fn damaged_transactions_are_read_alike(
        Both { ours: (transaction, accesses, parts), .. } in transactions(),
        damage in prop::collection::vec((0usize..128, any::<u8>()), 1..4),
        cut in 0usize..512,
    ) {
        let mut bytes = [0; 512];
        transaction.write_all(Version::V1_1, &accesses, &parts, &mut bytes);
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        // Mostly long enough.
        let bytes = &bytes[..cut.max(300)];
        let Some((theirs, their_accesses, their_parts)) = their_reading(bytes) else {
            return Ok(());
        };
        // It lets the access descriptors overlap the header.
        if bytes[32] < 48 && bytes[33..36] == [0; 3] {
            return Ok(());
        }
        let read = Transaction::read(Version::V1_1, bytes).unwrap();
        let attributes = Attributes(match MemType::try_from(read.attributes.0).unwrap() {
            // It has no shareability of what is not normal memory, and no detail of the unspecified.
            MemType::Device(_) => read.attributes.0 & !3,
            MemType::NotSpecified => read.attributes.0 & !0xf,
            MemType::Normal { .. } => read.attributes.0,
        });
        let access_offset = theirs.access_offset;
        prop_assert_eq!(Transaction { attributes, access_offset, ..read }, theirs);
        let read_accesses: Vec<_> = read.accesses(bytes).unwrap().collect();
        prop_assert_eq!(read_accesses.len(), their_accesses.len());
        for (ours, theirs) in read_accesses.iter().zip(&their_accesses) {
            // Reserved bits of the permissions are kept here.
            let permissions = AccessPermissions(ours.permissions.0 & 0xf);
            prop_assert_eq!(Access { permissions, composite_offset: 0, ..*ours }, *theirs);
        }
        let offset = read_accesses[0].composite_offset;
        if offset != 0 {
            let composite = Composite::read(bytes, offset).unwrap();
            let read_parts: Vec<_> = composite.constituents(bytes, offset).collect();
            prop_assert_eq!(read_parts, their_parts);
        }
    }

    #[test]
    fn relinquish_descriptors(handle: u64, flags: u32, ids in prop::collection::vec(any::<u16>(), 0..9)) {
        let theirs = MemRelinquishDesc { handle: ArmHandle(handle), flags };
        let mut their_bytes = [0x5a; 64];
        let size = theirs.pack(&ids, &mut their_bytes);
        let ours = Relinquish {
            handle: Handle(handle),
            flags: RelinquishFlags::from_bits_retain(flags),
            count: ids.len() as u32,
        };
        let endpoints: Vec<_> = ids.iter().copied().map(EndpointId).collect();
        let mut our_bytes = [0xa5; 64];
        prop_assert_eq!(ours.write(&endpoints, &mut our_bytes), Some(size));
        prop_assert_eq!(&our_bytes[..size], &their_bytes[..size]);
        let (read, read_ids) = MemRelinquishDesc::unpack(&our_bytes[..size]).unwrap();
        prop_assert_eq!(read, theirs);
        prop_assert_eq!(read_ids.collect::<Vec<_>>(), ids);
        prop_assert_eq!(Relinquish::read(&their_bytes), Ok(ours));
        let read: Vec<_> = ours.endpoints(&their_bytes[..size]).unwrap().collect();
        prop_assert_eq!(read, endpoints);
    }
}

#[test]
fn attributes_of_memory() {
    for raw in 0..=u16::MAX {
        let ours = Attributes(raw);
        let theirs = MemRegionAttributes::try_from(raw);
        let normal = matches!(ours.memory_type(), Some(MemoryType::Normal(_)));
        let known = ours.reserved() == 0
            && ours.memory_type().is_some()
            && (!normal || ours.shareability().is_some());
        assert_eq!(theirs.is_ok(), known, "{raw:#x}");
        let Ok(theirs) = theirs else { continue };
        let memory_type = match theirs.mem_type {
            MemType::NotSpecified => MemoryType::Unspecified,
            MemType::Device(device) => MemoryType::Device(match device {
                DeviceMemAttributes::DevnGnRnE => DeviceKind::NoGatherNoReorderNoEarly,
                DeviceMemAttributes::DevnGnRE => DeviceKind::NoGatherNoReorder,
                DeviceMemAttributes::DevnGRE => DeviceKind::NoGather,
                DeviceMemAttributes::DevGRE => DeviceKind::Gather,
            }),
            MemType::Normal {
                cacheability,
                shareability,
            } => {
                let shareability = match shareability {
                    ArmShareability::NonShareable => Shareability::None,
                    ArmShareability::Outer => Shareability::Outer,
                    ArmShareability::Inner => Shareability::Inner,
                };
                assert_eq!(ours.shareability(), Some(shareability));
                MemoryType::Normal(match cacheability {
                    ArmCacheability::NonCacheable => Cacheability::NonCacheable,
                    ArmCacheability::WriteBack => Cacheability::WriteBack,
                })
            }
        };
        assert_eq!(ours.memory_type(), Some(memory_type), "{raw:#x}");
        assert_eq!(ours.is_non_secure(), raw & 0x40 != 0);
        let shareability = match memory_type {
            MemoryType::Normal(_) => ours.shareability().unwrap(),
            _ => Shareability::None,
        };
        let made = Attributes::new(memory_type, shareability, ours.is_non_secure());
        assert_eq!(made.0, u16::from(theirs), "{raw:#x}");
    }
}

#[test]
fn permissions_of_access() {
    for raw in 0..=u8::MAX {
        let ours = AccessPermissions(raw);
        let data = DataAccessPerm::try_from(raw)
            .ok()
            .map(|theirs| match theirs {
                DataAccessPerm::NotSpecified => DataAccess::Unspecified,
                DataAccessPerm::ReadOnly => DataAccess::ReadOnly,
                DataAccessPerm::ReadWrite => DataAccess::ReadWrite,
            });
        let instruction = InstuctionAccessPerm::try_from(raw)
            .ok()
            .map(|theirs| match theirs {
                InstuctionAccessPerm::NotSpecified => InstructionAccess::Unspecified,
                InstuctionAccessPerm::NotExecutable => InstructionAccess::NotExecutable,
                InstuctionAccessPerm::Executable => InstructionAccess::Executable,
            });
        assert_eq!((ours.data(), ours.instruction()), (data, instruction));
    }
}

#[test]
fn flags_of_transactions() {
    use MemTransactionFlags as Theirs;
    use TransactionFlags as Ours;
    for (ours, theirs) in [
        (Ours::ZERO, Theirs::ZERO_MEMORY),
        (Ours::TIME_SLICE, Theirs::TIME_SLICING),
        (Ours::ZERO_AFTER_RELINQUISH, Theirs::ZERO_AFTER_RELINQ),
        (Ours::ALIGNMENT_HINT, Theirs::ALIGN_HINT_MASK),
        (Ours::HINT_VALID, Theirs::HINT_VALID),
        (
            Ours::empty().with_kind(TransactionKind::Share),
            Theirs::TYPE_SHARE,
        ),
        (
            Ours::empty().with_kind(TransactionKind::Lend),
            Theirs::TYPE_LEND,
        ),
        (
            Ours::empty().with_kind(TransactionKind::Donate),
            Theirs::TYPE_DONATE,
        ),
    ] {
        assert_eq!(ours.bits(), theirs);
    }
}

/// arm-ffa copies the contents behind the descriptors, and counts them to the blob. Here they are
/// elsewhere, in the package.
#[test]
fn boot_information_of_several_items() {
    const BASE: u64 = 0x0e30_0000;
    let std = |kind| BootInfoType::Std(kind);
    let address = |content_buf| BootInfoContents::Address { content_buf };
    let name = BootInfoName::NullTermString(c"");
    let infos = [
        (std(BootInfoStdId::Fdt), address(&[1; 24][..])),
        (std(BootInfoStdId::Hob), address(&[2; 16][..])),
        (
            std(BootInfoStdId::Hob),
            BootInfoContents::Value { val: 7, len: 8 },
        ),
    ]
    .map(|(typ, contents)| BootInfo {
        name: name.clone(),
        typ,
        contents,
    });
    let items = [
        Item {
            kind: ItemKind::Fdt,
            address: BASE + 128,
            size: 24,
        },
        Item {
            kind: ItemKind::HobList,
            address: BASE + 128 + 24,
            size: 16,
        },
    ];
    for version in [Version::V1_1, Version::V1_2] {
        let mut theirs = [0xa5; 200];
        BootInfo::pack(arm(version), &infos, &mut theirs, Some(BASE as usize));
        let (header, descriptors) = boot_info::read(&theirs).unwrap();
        assert_eq!(header.version.get(), version.raw());
        let descriptors: Vec<_> = descriptors.collect();
        let read: Vec<_> = descriptors
            .iter()
            .filter_map(|found| found.item())
            .collect();
        assert_eq!(read, items);
        assert_eq!(descriptors[2].typed_contents(), Some(Contents::Value(7)));
        // The descriptors of the first two are the same bytes, written by either.
        let mut ours = [0x5a; 96];
        assert_eq!(boot_info::write(version, &items, &mut ours), Some(96));
        assert_eq!(ours[32..96], theirs[32..96]);
        assert_eq!(ours[..8], theirs[..8]);
        assert_eq!((ours[12], ours[20]), (theirs[12], theirs[20]));
    }
}
