//! What `FFA_PARTITION_INFO_GET` and `FFA_PARTITION_INFO_GET_REGS` must tell whom (DEN0077A, "Partition
//! discovery").

use super::{Me, SUBJECTS, Subject};
use crate::abi::{self, UuidWords, uuid_registers};

/// A query for all partitions.
pub const NIL: UuidWords = [0; 4];

/// A descriptor of 48 bytes as six words; shorter ones are its beginning.
pub type Descriptor = [u64; 6];

/// Bytes of a descriptor for a caller of this version.
pub const fn size(version: u32) -> usize {
    match version {
        abi::V1_0 => 8,
        abi::V1_1 | abi::V1_2 => 24,
        _ => 48,
    }
}

/// Properties that a caller of this version knows.
const fn known(version: u32) -> u32 {
    match version {
        abi::V1_0 => 0x7,
        abi::V1_1 => 0x1ff,
        abi::V1_2 => 0x7ff,
        _ => 0x3fff,
    }
}

const SENDS: u32 = 1 << 1 | 1 << 10;
const AARCH64: u32 = 1 << 8;
const WIDE_CYCLES: u32 = 1 << 13;

fn descriptor(
    me: &Me,
    subject: &Subject,
    methods: u32,
    protocol: Option<UuidWords>,
    image: Option<UuidWords>,
) -> Descriptor {
    let mut properties = methods | AARCH64;
    if !me.is_partition() {
        properties &= !SENDS;
        // Who creates and destroys VMs is in the normal world.
        properties |= subject.vm_events << 6;
    }
    if subject.strict || subject.version >= abi::V1_3 {
        properties |= WIDE_CYCLES;
    }
    properties &= known(me.version);
    let [p0, p1] = uuid_registers(protocol.unwrap_or(NIL));
    let [i0, i1] = uuid_registers(image.unwrap_or(NIL));
    let first =
        u64::from(subject.id) | u64::from(subject.contexts) << 16 | u64::from(properties) << 32;
    let mut all = [first, p0, p1, i0, i1, u64::from(subject.version)];
    for word in all.iter_mut().skip(size(me.version) / 8) {
        *word = 0;
    }
    all
}

/// The descriptors for a query of `me`, in any order.
pub fn wanted(me: &Me, query: UuidWords) -> impl Iterator<Item = Descriptor> + '_ {
    SUBJECTS.iter().flat_map(move |subject| {
        let by_image = me.version >= abi::V1_3 && query != NIL && subject.image == Some(query);
        let all = subject
            .services
            .iter()
            .fold(0, |methods, service| methods | service.methods);
        let mut services = subject.services.iter().enumerate();
        core::iter::from_fn(move || {
            services.find_map(|(index, service)| {
                let uuid = Some(service.uuid);
                if query == NIL {
                    return if me.is_extended() {
                        Some(descriptor(
                            me,
                            subject,
                            service.methods,
                            uuid,
                            subject.image,
                        ))
                    } else if index == 0 {
                        Some(descriptor(me, subject, all, uuid, subject.image))
                    } else {
                        None
                    };
                }
                if by_image {
                    return Some(descriptor(me, subject, service.methods, uuid, None));
                }
                (service.uuid == query)
                    .then(|| descriptor(me, subject, service.methods, None, subject.image))
            })
        })
    })
}

/// Every query that finds something for `me`, [`NIL`] first. The same one may come again.
pub fn queries(me: &Me) -> impl Iterator<Item = UuidWords> + use<> {
    let images = me.version >= abi::V1_3;
    let of = move |subject: &'static Subject| {
        let services = subject.services.iter().map(|service| service.uuid);
        services.chain(subject.image.filter(|_| images))
    };
    core::iter::once(NIL).chain(SUBJECTS.iter().flat_map(of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::SHARED;

    fn list(me: &Me, query: UuidWords) -> Vec<Descriptor> {
        wanted(me, query).collect()
    }

    #[test]
    fn old_callers_get_one_for_each_partition() {
        for version in [abi::V1_0, abi::V1_1] {
            assert_eq!(list(&Me::client(true, version), NIL).len(), SUBJECTS.len());
        }
        let services: usize = SUBJECTS.iter().map(|s| s.services.len()).sum();
        for version in [abi::V1_2, abi::V1_3] {
            assert_eq!(list(&Me::client(false, version), NIL).len(), services);
        }
    }

    #[test]
    fn descriptors_by_version_of_the_caller() {
        let first = |version| list(&Me::client(true, version), NIL)[0];
        // Eight contexts; receives direct requests; AArch64.
        assert_eq!(first(abi::V1_0), [0x0000_0001_0008_8001, 0, 0, 0, 0, 0]);
        let low = 0x616c_756d_7461_6e74;
        let high = 0x0000_8001_d15c_0001;
        assert_eq!(
            first(abi::V1_1),
            [0x0000_0101_0008_8001, low, high, 0, 0, 0]
        );
        assert_eq!(
            first(abi::V1_3),
            [0x0000_0101_0008_8001, low, high, 0, 0, 0x1_0000]
        );
    }

    #[test]
    fn the_normal_world_sees_from_1_1_who_is_told_of_vms() {
        let second = |version| list(&Me::client(true, version), NIL)[1][0] >> 32;
        assert_eq!(second(abi::V1_0), 0x1);
        assert_eq!(second(abi::V1_1), 0x1c1);
        let me = Me::partition(&SUBJECTS[3]);
        assert_eq!(list(&me, NIL)[1][0] >> 32, 0x103);
    }

    #[test]
    fn partitions_see_who_sends() {
        let me = Me::partition(&SUBJECTS[3]);
        let seen = list(&me, NIL);
        assert_eq!(seen[0][0] >> 32, 0x103);
        // v13's own first service: all four methods, and the 64-bit forms.
        assert_eq!(seen[6][0] >> 32, 0x2703);
    }

    #[test]
    fn a_query_finds_services_and_images() {
        let me = Me::client(true, abi::V1_3);
        let shared = list(&me, SHARED);
        assert_eq!(shared.len(), 3);
        // The protocol was asked for; the image is told.
        assert_eq!(shared[2][1..3], [0, 0]);
        assert_eq!(shared[2][3], 0x616c_756d_7461_6e74);
        let image = SUBJECTS[3].image.unwrap();
        let by_image = list(&me, image);
        assert_eq!(by_image.len(), 3);
        assert_eq!(by_image[0][3..5], [0, 0]);
        assert_ne!(by_image[0][1], 0);
        assert!(list(&Me::client(true, abi::V1_2), image).is_empty());
        assert!(list(&me, abi::UNKNOWN_UUID).is_empty());
    }

    #[test]
    fn every_query_finds_something() {
        for version in [abi::V1_0, abi::V1_1, abi::V1_2, abi::V1_3] {
            let me = Me::client(false, version);
            assert!(queries(&me).all(|query| wanted(&me, query).count() > 0));
        }
    }
}
