//! A partition's own manifest, `arm,ffa-manifest-1.0` and `arm,ffa-manifest-1.1`.
//!
//! Reads what the partition says about itself and refuses what this SPMC cannot give (see
//! [`table`]). Whether it fits the SPMC's manifest, the package and the other
//! partitions is said by [`check_partition`](super::check_partition).

use ffa_abi::{EndpointId, Uuid, Version, availability::VmEvents};
use heapless::Vec;

use super::error::{File, ManifestError, Name, clip};
use super::interrupts;
use super::regions::{self, DeviceRegion, MAX_REGIONS, Region, RxTx};
use super::services::{self, MAX_SERVICES, Service};
use super::table;
use super::tree::{Listed, Reader};
use crate::context::{InterruptRules, NsAction};

/// The largest manifest in bytes.
pub const PARTITION_MANIFEST_LIMIT: usize = 64 << 10;
/// The boot order of a partition that names none: after all others.
pub const BOOT_ORDER_LAST: u16 = 0xffff;
/// Bits of `power-management-messages`: that a core goes off, and all that there are.
const CPU_OFF: u32 = 1 << 0;
const POWER_MESSAGES: u32 = 0xf;
/// What `exception-level` may be.
const WORLDS: &str = "1 (S-EL0) or 2 (S-EL1)";

/// Where a partition runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionLevel {
    /// S-EL1.
    SEl1,
    /// S-EL0: directly under the SPMC, which makes its translations.
    SEl0,
}

/// A partition's own manifest (DEN0077A, "Partition manifest").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionManifest {
    /// The FF-A version it expects; one that this project serves.
    pub ffa_version: Version,
    /// What it offers: at least one service.
    pub services: Vec<Service, MAX_SERVICES>,
    /// Names the image rather than a protocol (FF-A 1.3).
    pub image_uuid: Option<Uuid>,
    /// Execution contexts.
    pub execution_ctx_count: u16,
    /// Where it runs.
    pub exception_level: ExceptionLevel,
    /// Where its package has to be loaded, if it says so: a physical address.
    pub load_address: Option<u64>,
    /// Its first instruction, in bytes from the load address.
    pub entrypoint_offset: u64,
    /// Lower boots first; [`BOOT_ORDER_LAST`] after all others.
    pub boot_order: u16,
    /// The register, x0 to x3, that carries the boot information's address.
    pub gp_register_num: Option<u8>,
    /// What interrupts do to it, and how it hears of its own.
    pub rules: InterruptRules,
    /// `power-management-messages` bit 0: its contexts are told that their core goes off. Never with a
    /// single context, which is tied to no core.
    pub power_off_messages: bool,
    /// The endpoint identifier it asks for. A number without bit 15 names no secure partition;
    /// manifests in the field have such numbers, Hafnium ignores them, and so they are `None` here.
    pub id: Option<EndpointId>,
    /// What its author calls it, cut to 32 bytes; may be empty.
    pub description: Name,
    /// `tantalum,smccc-strict`: a 64-bit completion never reaches its 32-bit calls (see
    /// [`ffa_abi::contract`]).
    pub smccc_strict: bool,
    /// `tantalum,eager-fp`: its FP and SIMD registers are switched with the others.
    pub eager_fp: bool,
    /// Its boot information contains this manifest.
    pub boot_info_fdt: bool,
    /// Its boot information contains the package's HOB list.
    pub boot_info_hob: bool,
    /// The memory it asks for beside the memory it is loaded to, or with other permissions in it.
    pub memory_regions: Vec<Region, MAX_REGIONS>,
    /// The devices it asks for.
    pub device_regions: Vec<DeviceRegion, MAX_REGIONS>,
    /// Its RX/TX buffers, if the SPMC is to map them before it starts.
    pub rx_tx: Option<RxTx>,
    /// It takes part in the partition life cycle (FF-A 1.3). Only with a single context.
    pub lifecycle: bool,
    /// What becomes of it when it aborts. Only with [`lifecycle`](Self::lifecycle).
    pub abort_action: Option<AbortAction>,
    /// `vm-availability-messages`: which it wants to be told of. Not below FF-A 1.1.
    pub vm_events: VmEvents,
    /// `notification-support`: it receives notifications. Not below FF-A 1.1.
    pub notifications: bool,
}

/// What becomes of a partition that aborts (`abort-action`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortAction {
    /// 0: it stays where it is and never runs again.
    Stop,
    /// 1: it is gone.
    Destroy,
    /// 2: it is loaded again and starts anew.
    Restart,
    /// 3: the whole SPMC aborts.
    Propagate,
}

impl PartitionManifest {
    /// Reads the manifest at the start of `blob`, which may be longer. `name` is for messages: the
    /// partition's name in the SPMC's manifest.
    ///
    /// # Errors
    /// Any refuses this partition.
    pub fn parse(name: &str, blob: &[u8]) -> Result<Self, ManifestError> {
        let file = File::partition(name);
        let root = Reader::open(&file, blob, PARTITION_MANIFEST_LIMIT)?;
        let listed = Listed::of(&root);
        let root = root.with(&listed);
        // What is not implemented first: it is the better message for a manifest made elsewhere.
        table::check(&root)?;
        let ffa_version = read_version(&root)?;
        let services = if root.is_compatible("arm,ffa-manifest-1.0") {
            services::read_1_0(&root, ffa_version)?
        } else if root.is_compatible("arm,ffa-manifest-1.1") {
            services::read_1_1(&root.child("services")?, ffa_version)?
        } else {
            let wanted = "\"arm,ffa-manifest-1.0\" or \"arm,ffa-manifest-1.1\"";
            return Err(root.incompatible(wanted.into()));
        };
        let exception_level = match root.number::<u32>("exception-level")? {
            1 => ExceptionLevel::SEl0,
            2 => ExceptionLevel::SEl1,
            0 => {
                let why = "partitions run in the secure world only";
                return Err(root.unsupported("exception-level", 0, WORLDS, why));
            }
            other => return Err(root.out_of_range("exception-level", other.into(), WORLDS)),
        };
        let state = root.number::<u32>("execution-state")?;
        if state != 0 {
            return Err(root.unsupported(
                "execution-state",
                state.into(),
                "0 (AArch64)",
                "partitions run in AArch64 only",
            ));
        }
        let granule = root.optional::<u32>("xlat-granule")?.unwrap_or(0);
        if granule != 0 {
            return Err(root.unsupported(
                "xlat-granule",
                granule.into(),
                "0 (4 KiB)",
                "memory is mapped in pages of 4 KiB only",
            ));
        }
        let execution_ctx_count: u16 = root.number("execution-ctx-count")?;
        let gp_register_num = root.optional::<u8>("gp-register-num")?;
        if let Some(found) = gp_register_num.filter(|register| *register > 3) {
            return Err(root.out_of_range("gp-register-num", found.into(), "0 to 3"));
        }
        let lifecycle = root.flag("lifecycle-support")?;
        if lifecycle && execution_ctx_count != 1 {
            let wanted = "1 together with lifecycle-support";
            let found = execution_ctx_count.into();
            return Err(root.out_of_range("execution-ctx-count", found, wanted));
        }
        let (boot_info_fdt, boot_info_hob) = read_boot_info(&root)?;
        let memory = regions::read_memory(&root)?;
        let rules = interrupts::read_rules(&root)?;
        if exception_level == ExceptionLevel::SEl0 {
            check_el0(&root, execution_ctx_count, &rules, &memory)?;
        }
        Ok(Self {
            ffa_version,
            services,
            image_uuid: services::read_image_uuid(&root)?,
            execution_ctx_count,
            exception_level,
            // The specification's default, 0, means the same as nothing.
            load_address: root
                .optional("load-address")?
                .filter(|address| *address != 0),
            entrypoint_offset: root.optional("entrypoint-offset")?.unwrap_or(0),
            boot_order: root.optional("boot-order")?.unwrap_or(BOOT_ORDER_LAST),
            gp_register_num,
            rules,
            power_off_messages: read_power_off(&root, execution_ctx_count)?,
            id: read_id(&root)?,
            description: clip(root.optional_text("description")?.unwrap_or_default()),
            smccc_strict: root.flag("tantalum,smccc-strict")?,
            eager_fp: root.flag("tantalum,eager-fp")?,
            boot_info_fdt,
            boot_info_hob,
            memory_regions: memory.regions,
            device_regions: regions::read_devices(&root)?,
            rx_tx: memory.rx_tx,
            lifecycle,
            abort_action: read_abort_action(&root, lifecycle)?,
            vm_events: read_vm_events(&root, ffa_version)?,
            notifications: read_notifications(&root, ffa_version)?,
        })
    }

    /// All messaging methods of all services together.
    pub fn messaging_method(&self) -> u32 {
        self.services
            .iter()
            .fold(0, |all, service| all | service.messaging_method)
    }

    /// The protocols, in the order of the file.
    pub fn uuids(&self) -> impl Iterator<Item = Uuid> {
        self.services.iter().map(|service| service.uuid)
    }
}

fn read_version(root: &Reader<'_>) -> Result<Version, ManifestError> {
    let raw: u32 = root.number("ffa-version")?;
    match Version::from_raw(raw) {
        Some(version) if Version::OWN.serves(version) => Ok(version),
        Some(_) => Err(root.unsupported(
            "ffa-version",
            raw.into(),
            "0x10000 to 0x10003",
            "this is FF-A 1.3, and it serves the versions up to its own",
        )),
        None => Err(root.out_of_range("ffa-version", raw.into(), "bit 31 clear")),
    }
}

fn read_id(root: &Reader<'_>) -> Result<Option<EndpointId>, ManifestError> {
    match root.optional::<u16>("id")?.map(EndpointId) {
        Some(id) if id.is_secure() && !id.is_partition() => {
            Err(root.out_of_range("id", id.0.into(), "0x8001 to 0xffbf"))
        }
        id => Ok(id.filter(|id| id.is_secure())),
    }
}

/// Which items the boot information has: this manifest, and the HOB list.
fn read_boot_info(root: &Reader<'_>) -> Result<(bool, bool), ManifestError> {
    match root.chapter("boot-info", "arm,ffa-manifest-boot-info")? {
        Some(node) => Ok((node.flag("ffa_manifest")?, node.flag("hob_list")?)),
        None => Ok((false, false)),
    }
}

/// That a partition at S-EL0 asks for nothing that only S-EL1 can have.
fn check_el0(
    root: &Reader<'_>,
    contexts: u16,
    rules: &InterruptRules,
    memory: &regions::Memory,
) -> Result<(), ManifestError> {
    if contexts != 1 {
        let wanted = "1 at S-EL0";
        return Err(root.out_of_range("execution-ctx-count", contexts.into(), wanted));
    }
    if rules.ns_action == NsAction::ManagedExit {
        let wanted = "0 (queued) or 2 (signalled) at S-EL0, which can't be asked to exit";
        return Err(root.out_of_range("ns-interrupts-action", 1, wanted));
    }
    if rules.sri_waiting || rules.sri_leaving {
        let found = u64::from(rules.sri_waiting) | u64::from(rules.sri_leaving) << 1;
        return Err(root.out_of_range("sri-interrupts-policy", found, "0 at S-EL0"));
    }
    let both = |region: &&regions::Region| region.access.write && region.access.execute;
    match memory.regions.iter().find(both) {
        Some(region) => {
            let list = root.child("memory-regions")?;
            // A name that was cut finds nothing.
            let node = list.child(region.name.as_str());
            let node = node.as_ref().unwrap_or(&list);
            let found = region.access.attributes().into();
            let wanted = "not both 2 (write) and 4 (execute) at S-EL0";
            Err(node.out_of_range("attributes", found, wanted))
        }
        None => Ok(()),
    }
}

/// Whether its contexts are told that their core goes off.
///
/// EL3 tells the SPMC of no other power event of which a partition could be told, so the other bits
/// only inform, as with Hafnium.
fn read_power_off(root: &Reader<'_>, contexts: u16) -> Result<bool, ManifestError> {
    let property = "power-management-messages";
    let found = root.optional::<u32>(property)?.unwrap_or(0);
    if found & !POWER_MESSAGES != 0 {
        let wanted = "bits 0 (CPU_OFF), 1 (CPU_SUSPEND), 2 (CPU_SUSPEND_RESUME), 3 (CPU_ON), and no \
                      other";
        return Err(root.out_of_range(property, found.into(), wanted));
    }
    Ok(found & CPU_OFF != 0 && contexts > 1)
}

fn read_vm_events(root: &Reader<'_>, version: Version) -> Result<VmEvents, ManifestError> {
    let property = "vm-availability-messages";
    let found = root.optional::<u32>(property)?.unwrap_or(0);
    let Some(events) = VmEvents::from_bits(found) else {
        let wanted = "bit 0 (created), bit 1 (destroyed), and no other";
        return Err(root.out_of_range(property, found.into(), wanted));
    };
    if !events.is_empty() && version < Version::V1_1 {
        let wanted = "0 with an ffa-version below 1.1";
        return Err(root.out_of_range(property, found.into(), wanted));
    }
    Ok(events)
}

/// Whether it receives notifications.
fn read_notifications(root: &Reader<'_>, version: Version) -> Result<bool, ManifestError> {
    let property = "notification-support";
    let found = root.flag(property)?;
    if found && version < Version::V1_1 {
        let wanted = "nothing with an ffa-version below 1.1";
        return Err(root.out_of_range(property, 1, wanted));
    }
    Ok(found)
}

fn read_abort_action(
    root: &Reader<'_>,
    lifecycle: bool,
) -> Result<Option<AbortAction>, ManifestError> {
    let property = "abort-action";
    let Some(found) = root.optional::<u32>(property)? else {
        return Ok(None);
    };
    let action = match found {
        0 => AbortAction::Stop,
        1 => AbortAction::Destroy,
        2 => AbortAction::Restart,
        3 => AbortAction::Propagate,
        _ => {
            let wanted = "0 (stop), 1 (destroy), 2 (restart) or 3 (propagate)";
            return Err(root.out_of_range(property, found.into(), wanted));
        }
    };
    if !lifecycle {
        let wanted = "nothing without lifecycle-support";
        return Err(root.out_of_range(property, found.into(), wanted));
    }
    Ok(Some(action))
}
