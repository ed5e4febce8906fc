//! Discovery, RX/TX buffers, and what a partition's manifest gives it: who the partitions of these
//! boots are, and what each caller is to be told about them.
//!
//! Pure, and stated from the specifications alone (DEN0077A, "Setup and discovery interfaces",
//! "Partition manifest"). The cases in `cases` are written once, for all who make calls: the client
//! runs those that fit it, and has each partition run those that fit that one.

#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub mod cases;
pub mod features;
pub mod info;
pub mod protocol;
pub mod smc;
pub mod vms;

use crate::abi::{self, UuidWords};
use crate::board;
use crate::contract::Boundary;
use core::ops::Range;

/// A service and its messaging methods, as the manifest has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The protocol.
    pub uuid: UuidWords,
    /// Bits 0, 1: receives, sends direct requests; bits 9, 10: the same of `DIRECT_REQ2`.
    pub methods: u32,
}

/// What a manifest asks for in the way of boot information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootInformation {
    /// The register that carries its address.
    pub register: usize,
    /// Whether the manifest is in it.
    pub fdt: bool,
    /// Whether the package's HOB list is in it.
    pub hob_list: bool,
}

/// The non-FF-A calls of a partition that the SPMC hands to EL3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// Only those that every partition has.
    Usual,
    /// `smc_whitelist`: [`smc::STD_UID`].
    Listed,
    /// `smc_whitelist_permissive`.
    All,
}

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name in the names of cases.
    pub name: &'static str,
    /// Its id.
    pub id: u16,
    /// The FF-A version it speaks.
    pub version: u32,
    /// Its manifest has `tantalum,smccc-strict`.
    pub strict: bool,
    /// Execution contexts.
    pub contexts: u16,
    /// Its services.
    pub services: &'static [Service],
    /// Its image's UUID.
    pub image: Option<UuidWords>,
    /// Its boot information.
    pub boot: Option<BootInformation>,
    /// Which of its calls reach EL3.
    pub forwarded: Forwarded,
    /// What it is told of VMs: bit 0 those that are created, bit 1 those that are destroyed.
    pub vm_events: u32,
}

/// The service `number` of partition `id`.
const fn uuid(number: u32, id: u16) -> UuidWords {
    [0x7461_6e74, 0x616c_756d, 0xd15c_0000 | number, id as u32]
}

const fn service(number: u32, id: u16, methods: u32) -> Service {
    Service {
        uuid: uuid(number, id),
        methods,
    }
}

/// A service that three partitions offer.
pub const SHARED: UuidWords = uuid(15, 0x5a5a);

const fn shared(methods: u32) -> Service {
    Service {
        uuid: SHARED,
        methods,
    }
}

/// All of them, in the order of the SPMC's manifest.
pub const SUBJECTS: [Subject; 6] = [
    Subject {
        name: "v10",
        id: 0x8001,
        version: abi::V1_0,
        strict: false,
        contexts: board::CORES,
        services: &[service(1, 0x8001, 0x003)],
        image: None,
        boot: Some(BootInformation {
            register: 0,
            fdt: true,
            hob_list: false,
        }),
        forwarded: Forwarded::Usual,
        vm_events: 0,
    },
    Subject {
        name: "v11",
        id: 0x8002,
        version: abi::V1_1,
        strict: false,
        contexts: 1,
        services: &[service(1, 0x8002, 0x003), shared(0x001)],
        image: None,
        boot: Some(BootInformation {
            register: 1,
            fdt: true,
            hob_list: false,
        }),
        forwarded: Forwarded::Usual,
        vm_events: 3,
    },
    Subject {
        name: "v12",
        id: 0x8003,
        version: abi::V1_2,
        strict: false,
        contexts: board::CORES,
        services: &[
            service(1, 0x8003, 0x603),
            service(2, 0x8003, 0x003),
            shared(0x601),
        ],
        image: None,
        boot: Some(BootInformation {
            register: 2,
            fdt: true,
            hob_list: false,
        }),
        forwarded: Forwarded::Usual,
        vm_events: 1,
    },
    Subject {
        name: "v13",
        id: 0x8004,
        version: abi::V1_3,
        strict: false,
        contexts: board::CORES,
        services: &[
            service(1, 0x8004, 0x603),
            shared(0x003),
            service(2, 0x8004, 0x201),
        ],
        image: Some(uuid(0xee, 0x8004)),
        boot: Some(BootInformation {
            register: 3,
            fdt: true,
            hob_list: true,
        }),
        forwarded: Forwarded::Usual,
        vm_events: 2,
    },
    Subject {
        name: "s12",
        id: 0x8005,
        version: abi::V1_2,
        strict: true,
        contexts: 1,
        services: &[service(1, 0x8005, 0x603)],
        image: None,
        boot: None,
        forwarded: Forwarded::Listed,
        vm_events: 3,
    },
    Subject {
        name: "r11",
        id: 0x8006,
        version: abi::V1_1,
        strict: false,
        contexts: 1,
        services: &[service(1, 0x8006, 0x003)],
        image: None,
        boot: Some(BootInformation {
            register: 0,
            fdt: false,
            hob_list: false,
        }),
        forwarded: Forwarded::All,
        vm_events: 0,
    },
];

/// The memory of a partition, in bytes.
const PARTITION_SIZE: u64 = 0x10_0000;

impl Subject {
    /// The partition whose memory `address` lies in.
    pub fn at(address: u64) -> Option<&'static Self> {
        SUBJECTS
            .iter()
            .find(|subject| subject.memory().contains(&address))
    }

    /// Its memory: one mebibyte for each, in the order of their ids.
    pub const fn memory(&self) -> Range<u64> {
        let start = board::place(0x0e30_0000) + (self.id as u64 - 0x8001) * PARTITION_SIZE;
        start..start + PARTITION_SIZE
    }

    /// Its manifest gives it RX/TX buffers.
    pub fn is_static(&self) -> bool {
        self.id == 0x8006
    }

    /// Its manifest gives it [memory regions](regions).
    pub fn has_regions(&self) -> bool {
        self.id == 0x8003
    }

    /// Its manifest gives it [`regions::DEVICE`].
    pub fn has_device(&self) -> bool {
        self.id == 0x8002
    }
}

/// The regions in the partitions' manifests, and what lies behind them.
pub mod regions {
    use crate::board::{self, place};

    /// Secure, readable and writable: two pages.
    pub const READ_WRITE: u64 = place(0x0ef0_0000);
    /// Secure, readable: one page.
    pub const READ_ONLY: u64 = place(0x0ef1_0000);
    /// The last page of the partition's own memory, in bytes from its start: readable only.
    pub const OWN_READ_ONLY: u64 = 0xf_f000;
    /// The normal world's, readable and writable: two pages.
    pub const NORMAL_WORLD: u64 = place(0x7000_0000);
    /// A device: one page.
    pub const DEVICE: u64 = board::DEVICE;
    /// RX of the partition whose buffers are in its manifest: two pages.
    pub const RX: u64 = place(0x0ef2_0000);
    /// TX of the same: two pages.
    pub const TX: u64 = place(0x0ef2_2000);
    /// What a partition leaves in [`NORMAL_WORLD`].
    pub const LEFT_BEHIND: u64 = 0x6e73_5f70_6167_6521;
}

/// Who makes a call.
#[derive(Clone, Copy, Debug)]
pub struct Me {
    /// What is below the caller.
    pub boundary: Boundary,
    /// The version it speaks.
    pub version: u32,
    /// Its id.
    pub id: u16,
    /// The partition, if it is one.
    pub subject: Option<&'static Subject>,
}

impl Me {
    /// A partition.
    pub const fn partition(subject: &'static Subject) -> Self {
        Self {
            boundary: Boundary::Partition,
            version: subject.version,
            id: subject.id,
            subject: Some(subject),
        }
    }

    /// A client.
    pub const fn client(direct: bool, version: u32) -> Self {
        Self {
            boundary: if direct {
                Boundary::Physical
            } else {
                Boundary::Vm
            },
            version,
            id: if direct { abi::HYPERVISOR } else { abi::VM1 },
            subject: None,
        }
    }

    /// Whether it is a partition.
    pub const fn is_partition(&self) -> bool {
        matches!(self.boundary, Boundary::Partition)
    }

    /// Whether it is a VM.
    pub const fn is_vm(&self) -> bool {
        matches!(self.boundary, Boundary::Vm)
    }

    /// Whether it is the normal world's hypervisor.
    pub const fn is_physical(&self) -> bool {
        matches!(self.boundary, Boundary::Physical)
    }

    /// Whether its RX/TX buffers are its own to map.
    pub fn maps(&self) -> bool {
        !self.subject.is_some_and(Subject::is_static)
    }

    /// Whether it has FF-A 1.2's registers, and what came with them.
    pub const fn is_extended(&self) -> bool {
        self.version >= abi::V1_2
    }

    /// Whether it has the 64-bit forms of FFA_MSG_WAIT, FFA_RUN and FFA_YIELD.
    pub const fn has_wide_cycles(&self) -> bool {
        match self.boundary {
            Boundary::Physical => false,
            Boundary::Vm => self.version >= abi::V1_3,
            Boundary::Partition => match self.subject {
                Some(subject) => self.version >= abi::V1_3 || subject.strict,
                None => false,
            },
        }
    }

    /// Its memory, as far as it is known to be its own.
    pub fn memory(&self) -> Range<u64> {
        match (self.boundary, self.subject) {
            (Boundary::Partition, Some(subject)) => subject.memory(),
            (Boundary::Vm, _) => board::all(0x5000_0000, 0x80_0000),
            _ => board::NORMAL_RAM,
        }
    }

    /// Pages in it that nothing else uses, at least 64, the last of its memory not among them.
    pub fn scratch(&self) -> u64 {
        match self.boundary {
            Boundary::Partition => self.memory().start + 0x8_0000,
            Boundary::Vm => board::place(0x5040_0000),
            Boundary::Physical => board::place(0x6800_0000),
        }
    }
}

/// Where names of cases say who made the calls.
impl core::fmt::Display for Me {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.subject {
            Some(subject) => write!(f, "discovery/{}/partition", subject.name),
            None => write!(
                f,
                "discovery/v1{}/{}",
                self.version & 0xf,
                if self.is_vm() { "vm" } else { "direct" }
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    /// A manifest's source.
    fn manifest(subject: &Subject) -> String {
        let file = format!(
            "{}/../fvp-configs/qemu-virt/sp-discovery-{}.dts",
            env!("CARGO_MANIFEST_DIR"),
            subject.name
        );
        std::fs::read_to_string(file).unwrap()
    }

    /// The text form of a UUID as manifests have it: the digits of its words.
    fn text(words: UuidWords) -> String {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let mut text = String::new();
        for (index, byte) in bytes.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            write!(text, "{byte:02x}").unwrap();
        }
        text
    }

    #[test]
    fn manifests_say_what_the_table_says() {
        for subject in &SUBJECTS {
            let source = manifest(subject);
            let has = |part: String| assert!(source.contains(&part), "{}: {part}", subject.name);
            has(format!("ffa-version = <{:#010x}>;", subject.version));
            has(format!("execution-ctx-count = <{}>;", subject.contexts));
            let (_, rest) = source.split_once("load-address = <0x0 0x").unwrap();
            let (address, _) = rest.split_once('>').unwrap();
            let address = u64::from_str_radix(address, 16).unwrap();
            assert_eq!(board::place(address), subject.memory().start);
            for service in subject.services {
                let [a, b, c, d] = service.uuid;
                let cells = format!("{a:#x} {b:#x} {c:#x} {d:#x}");
                let string = text(service.uuid);
                assert!(
                    source.contains(&cells) || source.contains(&string),
                    "{}: neither {cells} nor {string}",
                    subject.name
                );
                has(format!("{:#05x}", service.methods));
            }
            if let Some(image) = subject.image {
                has(format!("image-uuid = \"{}\";", text(image)));
            }
            if let Some(boot) = subject.boot {
                has(format!("gp-register-num = <{}>;", boot.register));
                assert_eq!(source.contains("ffa_manifest;"), boot.fdt);
                assert_eq!(source.contains("hob_list;"), boot.hob_list);
            }
            assert_eq!(source.contains("tantalum,smccc-strict;"), subject.strict);
            assert_eq!(source.contains("rx_tx-info"), subject.is_static());
            match subject.vm_events {
                0 => assert!(!source.contains("vm-availability-messages")),
                bits => has(format!("vm-availability-messages = <{bits}>;")),
            }
        }
    }

    #[test]
    fn partitions_are_found_by_where_they_are() {
        for subject in &SUBJECTS {
            assert_eq!(Subject::at(subject.memory().start + 0x4000), Some(subject));
        }
        assert_eq!(Subject::at(board::place(0x0e90_0000)), None);
    }

    #[test]
    fn callers_are_named_by_version_and_boundary() {
        assert_eq!(
            Me::partition(&SUBJECTS[4]).to_string(),
            "discovery/s12/partition"
        );
        assert_eq!(
            Me::client(true, abi::V1_3).to_string(),
            "discovery/v13/direct"
        );
        assert_eq!(Me::client(false, abi::V1_0).to_string(), "discovery/v10/vm");
    }
}
