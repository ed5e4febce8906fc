//! Partitions at S-EL0: what they may ask for.

use super::*;

/// A manifest of one at S-EL0, with one more property.
fn el0(more: &str) -> Result<PartitionManifest, ManifestError> {
    let source = changed(ECHO, "exception-level = <2>;", "exception-level = <1>;");
    let single = format!("execution-ctx-count = <1>;{more}");
    echo(&changed(&source, "execution-ctx-count = <4>;", &single))
}

/// A memory region with these attributes.
fn region(attributes: u32) -> String {
    format!(
        "memory-regions {{ compatible = \"arm,ffa-manifest-memory-regions\"; heap {{ base-address = <0x0e380000>; \
         pages-count = <1>; attributes = <{attributes}>; }}; }};"
    )
}

#[test]
fn one_at_s_el0_is_read() {
    let manifest = el0("").unwrap();
    assert_eq!(manifest.exception_level, ExceptionLevel::SEl0);
    assert!(!manifest.power_off_messages);
    assert!(
        !el0("power-management-messages = <1>;")
            .unwrap()
            .power_off_messages
    );
    for attributes in [1, 3, 5, 9, 11, 13] {
        el0(&region(attributes)).unwrap();
    }
}

#[test]
fn what_only_s_el1_can_have_is_refused_by_name() {
    let refused = |more: &str, why: &str| {
        let text = el0(more).unwrap_err().to_string();
        assert_eq!(text, format!("partition \"echo\": node {why}"));
    };
    refused(
        "sri-interrupts-policy = <1>;",
        "/: property sri-interrupts-policy: found 0x1, wanted 0 at S-EL0",
    );
    refused(
        "sri-interrupts-policy = <2>;",
        "/: property sri-interrupts-policy: found 0x2, wanted 0 at S-EL0",
    );
    refused(
        &region(7),
        "/memory-regions/heap: property attributes: found 0x7, wanted not both 2 (write) and 4 (execute) at S-EL0",
    );
    let managed = changed(
        ECHO,
        "ns-interrupts-action = <2>;",
        "ns-interrupts-action = <1>;",
    );
    let managed = changed(
        &managed,
        "execution-ctx-count = <4>;",
        "execution-ctx-count = <1>;",
    );
    let managed = changed(&managed, "exception-level = <2>;", "exception-level = <1>;");
    assert_eq!(
        echo(&managed).unwrap_err().to_string(),
        "partition \"echo\": node /: property ns-interrupts-action: found 0x1, wanted 0 (queued) or 2 (signalled) at S-EL0, \
         which can't be asked to exit"
    );
}
