//! The boots of the suite `vectors`: what a client has in vector registers and the like, and partitions that use theirs.

use super::{Bl33, Clock, Edit, Manifest, Scenario, boot};
use crate::firmware::payload;
use std::time::Duration;

/// All of them.
pub fn all() -> [Scenario; 4] {
    let direct = Bl33::Direct(payload("client-vectors"));
    let mut eager = vectors(
        "vectors-eager",
        "the same, of partitions that have them from the start",
        direct,
    );
    let mut cores = vectors(
        "vectors-cores",
        "partitions that use vector registers go from core to core",
        Bl33::Direct(payload("client-vectors-cores")),
    );
    for address in ["0x0e300000", "0x0e400000"] {
        let node =
            |contexts| format!("load_address = <{address}>;\n\t\t\tvcpu_count = <{contexts}>;");
        cores.spmc = cores.spmc.with(node(8), node(1));
    }
    for (number, partition) in cores.partitions.iter_mut().enumerate() {
        change(&mut partition.manifest, ONE_CONTEXT);
        if number == 0 {
            change(&mut partition.manifest, EAGER);
        }
    }
    for partition in &mut eager.partitions {
        change(&mut partition.manifest, EAGER);
    }
    [
        vectors(
            "vectors-direct",
            "vector registers and the like of NS-EL2 survive calls",
            direct,
        ),
        eager,
        vectors(
            "vectors-vm",
            "vector registers and the like of a VM survive calls",
            Bl33::Vm(payload("client-vectors")),
        ),
        cores,
    ]
}

const ONE_CONTEXT: (&str, &str) = ("execution-ctx-count = <8>;", "execution-ctx-count = <1>;");
const EAGER: (&str, &str) = (
    "gp-register-num = <0>;",
    "gp-register-num = <0>;\n\ttantalum,eager-fp;",
);

fn change(manifest: &mut Manifest, (from, to): (&'static str, &'static str)) {
    let edit: Edit = (from.into(), to.into());
    manifest.edits.push(edit);
}

fn vectors(name: &'static str, about: &'static str, bl33: Bl33) -> Scenario {
    Scenario {
        timeout: Duration::from_secs(120),
        clock: Clock::Instructions,
        ..boot(name, about, bl33)
    }
}
