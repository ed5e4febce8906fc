//! Mistakes in what a partition asks for beside its own memory, in its life cycle, in its transfer
//! list, and in the calls that the SPMC's manifest lets it make.

use super::{RELAY_NODE, bad, refused, with_second};
use crate::scenario::{Layout, Scenario, relay};

/// The last property of the second partition's manifest: nodes may follow it.
const LAST: &str = "gp-register-num = <0>;";
const CONTEXTS: &str = "execution-ctx-count = <8>;";

/// Name, what is wrong, what is changed in the second partition's manifest, what must be said.
const MISTAKES: [[&str; 5]; 15] = [
    [
        "bad-region-of-another",
        "a memory region is another partition's memory",
        LAST,
        "gp-register-num = <0>;\n\tmemory-regions {\n\t\tcompatible = \"arm,ffa-manifest-memory-regions\";\n\t\textra {\n\t\t\tbase-address = <0x0 0x0e380000>;\n\t\t\tpages-count = <1>;\n\t\t\tattributes = <3>;\n\t\t};\n\t};",
        "node /memory-regions/extra: property base-address: 0xe380000-0xe380fff overlaps",
    ],
    [
        "bad-region-world",
        "a memory region calls normal memory secure",
        LAST,
        "gp-register-num = <0>;\n\tmemory-regions {\n\t\tcompatible = \"arm,ffa-manifest-memory-regions\";\n\t\textra {\n\t\t\tbase-address = <0x0 0x70000000>;\n\t\t\tpages-count = <1>;\n\t\t\tattributes = <3>;\n\t\t};\n\t};",
        "node /memory-regions/extra: property base-address: 0x70000000-0x70000fff is outside secure memory",
    ],
    [
        "bad-region-attributes",
        "a memory region can be written and not read",
        LAST,
        "gp-register-num = <0>;\n\tmemory-regions {\n\t\tcompatible = \"arm,ffa-manifest-memory-regions\";\n\t\textra {\n\t\t\tbase-address = <0x0 0x0ef00000>;\n\t\t\tpages-count = <1>;\n\t\t\tattributes = <2>;\n\t\t};\n\t};",
        "node /memory-regions/extra: property attributes: found 0x2",
    ],
    [
        "bad-region-stream-ids",
        "a memory region is for a device behind an SMMU",
        LAST,
        "gp-register-num = <0>;\n\tmemory-regions {\n\t\tcompatible = \"arm,ffa-manifest-memory-regions\";\n\t\textra {\n\t\t\tbase-address = <0x0 0x0ef00000>;\n\t\t\tpages-count = <1>;\n\t\t\tattributes = <3>;\n\t\t\tstream-ids = <1>;\n\t\t};\n\t};",
        "node /memory-regions/extra: property stream-ids: not implemented yet",
    ],
    [
        "bad-device-outside",
        "a device region is no device of the SPMC's manifest",
        LAST,
        "gp-register-num = <0>;\n\tdevice-regions {\n\t\tcompatible = \"arm,ffa-manifest-device-regions\";\n\t\tgpio {\n\t\t\tbase-address = <0x0 0x090b0000>;\n\t\t\tpages-count = <1>;\n\t\t\tattributes = <3>;\n\t\t};\n\t};",
        "node /device-regions/gpio: property base-address: 0x90b0000-0x90b0fff is outside",
    ],
    [
        "bad-device-of-the-spmc",
        "a device region is the SPMC's own UART",
        LAST,
        "gp-register-num = <0>;\n\tdevice-regions {\n\t\tcompatible = \"arm,ffa-manifest-device-regions\";\n\t\tuart {\n\t\t\tbase-address = <0x0 0x09040000>;\n\t\t\tpages-count = <1>;\n\t\t\tattributes = <3>;\n\t\t};\n\t};",
        "node /device-regions/uart: property base-address: 0x9040000-0x9040fff overlaps",
    ],
    [
        "bad-rxtx-phandle",
        "an RX buffer is no memory region",
        LAST,
        "gp-register-num = <0>;\n\trx_tx-info {\n\t\tcompatible = \"arm,ffa-manifest-rx_tx-buffer\";\n\t\trx-buffer = <1>;\n\t\ttx-buffer = <2>;\n\t};",
        "node /rx_tx-info: property rx-buffer: found 0x1",
    ],
    [
        "bad-rxtx-sizes",
        "RX and TX are of different sizes",
        LAST,
        "gp-register-num = <0>;\n\tmemory-regions {\n\t\tcompatible = \"arm,ffa-manifest-memory-regions\";\n\t\trx: rx {\n\t\t\tbase-address = <0x0 0x0ef00000>;\n\t\t\tpages-count = <1>;\n\t\t\tattributes = <3>;\n\t\t};\n\t\ttx: tx {\n\t\t\tbase-address = <0x0 0x0ef10000>;\n\t\t\tpages-count = <2>;\n\t\t\tattributes = <3>;\n\t\t};\n\t};\n\trx_tx-info {\n\t\tcompatible = \"arm,ffa-manifest-rx_tx-buffer\";\n\t\trx-buffer = <&rx>;\n\t\ttx-buffer = <&tx>;\n\t};",
        "node /rx_tx-info: property tx-buffer: found",
    ],
    [
        "bad-lifecycle-contexts",
        "a partition with a context for each core has a life cycle",
        CONTEXTS,
        "execution-ctx-count = <8>;\n\tlifecycle-support;",
        "property execution-ctx-count: found 0x8, wanted 1",
    ],
    [
        "bad-abort-action-alone",
        "an abort action without a life cycle",
        CONTEXTS,
        "execution-ctx-count = <8>;\n\tabort-action = <2>;",
        "property abort-action: found 0x2",
    ],
    [
        "bad-abort-action",
        "an abort action that there is not",
        CONTEXTS,
        "execution-ctx-count = <1>;\n\tlifecycle-support;\n\tabort-action = <4>;",
        "property abort-action: found 0x4",
    ],
    [
        "bad-auxiliary-id",
        "a second id",
        CONTEXTS,
        "execution-ctx-count = <8>;\n\tauxiliary-id = <0x8100>;",
        "property auxiliary-id: not implemented yet",
    ],
    [
        "bad-live-activation",
        "an image that is to be exchanged while the system runs",
        CONTEXTS,
        "execution-ctx-count = <8>;\n\tlive-activation-support;",
        "property live-activation-support: not implemented yet",
    ],
    [
        "bad-hob-list",
        "a HOB list is wanted and the package has none",
        LAST,
        "gp-register-num = <0>;\n\tboot-info {\n\t\tcompatible = \"arm,ffa-manifest-boot-info\";\n\t\thob_list;\n\t};",
        "package of partition \"relay\": missing, wanted a HOB list",
    ],
    [
        "bad-services-format",
        "services of format 1.1 in a manifest of format 1.0's name",
        "compatible = \"arm,ffa-manifest-1.0\";",
        "compatible = \"arm,ffa-manifest-1.1\";",
        "services: missing",
    ],
];

/// All of them.
pub(super) fn all() -> Vec<Scenario> {
    let manifests = MISTAKES.map(|[name, about, from, to, says]| {
        let mut second = relay();
        second.manifest = second.manifest.with(from, to);
        with_second(second, bad(name, about, &refused(says)))
    });
    manifests
        .into_iter()
        .chain(transfer_lists())
        .chain(whitelists())
        .collect()
}

/// A transfer list with one word of its header changed; what is changed counts for the checksum, which
/// is the same.
fn transfer_lists() -> [Scenario; 2] {
    let mistakes = [
        (
            "bad-list-checksum",
            "a transfer list's checksum is wrong",
            // Reserved.
            (20, 1),
            "transfer list: found checksum",
        ),
        (
            "bad-list-size",
            "a transfer list is larger than the partition",
            (8, 0x1000_0000),
            "0x10000000",
        ),
    ];
    mistakes.map(|(name, about, change, says)| {
        let mut second = relay();
        second.layout = Layout::List;
        second.header_changes.push(change);
        with_second(second, bad(name, about, &refused(says)))
    })
}

/// Calls that nobody may have EL3 answer for a partition.
fn whitelists() -> [Scenario; 2] {
    let mistakes = [
        (
            "bad-whitelist-ffa",
            "a whitelist has a call of FF-A",
            "load_address = <0x0e400000>;\n\t\t\tvcpu_count = <8>;\n\t\t\tmem_size = <0x100000>;\n\t\t\tsmc_whitelist = <0x84000066>;",
            "property smc_whitelist: found 0x84000066",
        ),
        (
            "bad-whitelist-psci",
            "a whitelist has a call of PSCI",
            "load_address = <0x0e400000>;\n\t\t\tvcpu_count = <8>;\n\t\t\tmem_size = <0x100000>;\n\t\t\tsmc_whitelist = <0x82000001 0xc4000003>;",
            "property smc_whitelist: found 0xc4000003",
        ),
    ];
    mistakes.map(|(name, about, node, says)| {
        let mut scenario = bad(name, about, &refused(says));
        scenario.spmc = scenario.spmc.with(RELAY_NODE, node);
        scenario
    })
}
