//! Manifests that are good each for itself and do not fit together.

use super::*;

/// Checks the three VMs with one change in each case, and the message for it.
fn each(cores: u16, cases: &[(usize, &str, &str, &str)]) {
    for (which, from, to, message) in cases {
        let mut sources = [FIRST, SECOND, THIRD].map(str::to_owned);
        sources[*which] = changed(&sources[*which], from, to);
        match check(&sources.each_ref().map(String::as_str), cores) {
            Ok(()) => panic!("{from} -> {to}"),
            Err(error) => assert_eq!(&error.to_string(), message, "{from} -> {to}"),
        }
    }
}

#[test]
#[rustfmt::skip]
fn what_two_vms_want_is_refused() {
    let third = "load-address = <0x0 0x52000000>;";
    each(4, &[
        (2, "id = <3>;", "id = <2>;",
         "VM 2 \"vm-three\": node /: property id: found 0x2, already taken by VM 2 \"vm-two\""),
        (2, third, "load-address = <0x51000000>;",
         "VM 3 \"vm-three\": node /: property load-address: 0x51000000-0x517fffff overlaps the memory of VM 2 \"vm-two\", 0x51000000-0x517fffff"),
        (2, third, "load-address = <0x507ff000>;",
         "VM 3 \"vm-three\": node /: property load-address: 0x507ff000-0x50ffefff overlaps the memory of VM 1 \"client\", 0x50000000-0x507fffff"),
        (2, third, "load-address = <0x4f801000>;",
         "VM 3 \"vm-three\": node /: property load-address: 0x4f801000-0x50000fff overlaps the memory of VM 1 \"client\", 0x50000000-0x507fffff"),
    ]);
    for beside in ["0x50800000", "0x4f800000"] {
        let third = changed(THIRD, third, &format!("load-address = <{beside}>;"));
        check(&[FIRST, SECOND, &third], 4).unwrap();
    }
}

#[test]
#[rustfmt::skip]
fn memory_that_no_vm_may_have_is_refused() {
    each(4, &[
        (1, "load-address = <0x0 0x51000000>;", "load-address = <0x60000000>;",
         "VM 2 \"vm-two\": node /: property load-address: found 0x60000000-0x607fffff, wanted normal-world RAM that is neither the proxy's nor the device tree's"),
        (1, "load-address = <0x0 0x51000000>;", "load-address = <0x5f801000>;",
         "VM 2 \"vm-two\": node /: property load-address: found 0x5f801000-0x60000fff, wanted normal-world RAM that is neither the proxy's nor the device tree's"),
    ]);
}

#[test]
fn there_is_one_primary() {
    let sends = changed(THIRD, "<0x603>", "<0x402>");
    let third = changed(&sends, "id = <3>;", "id = <3>; primary;");
    let second = "node /: property primary: found a second primary, wanted one";
    let fail = |sources: &[&str]| check(sources, 4).unwrap_err().to_string();
    assert_eq!(
        fail(&[FIRST, SECOND, &third]),
        format!("VM 3 \"vm-three\": {second}: VM 1 \"client\" is it")
    );
    // The one with id 1 is it without saying so.
    let first = changed(FIRST, "primary;", "");
    check(&[&first, SECOND], 4).unwrap();
    assert_eq!(
        fail(&[&third, &first]),
        format!("VM 1 \"client\": {second}: VM 3 \"vm-three\" is it")
    );
}

#[test]
#[rustfmt::skip]
fn cores_are_the_machines_and_the_primarys() {
    each(4, &[
        (2, "vcpu-cores = <0 1>;", "vcpu-cores = <0 4>;",
         "VM 3 \"vm-three\": node /: property vcpu-cores: found 0x4, wanted a core of this machine, below 4"),
        (1, "vcpu-count = <1>;", "vcpu-cores = <4>;",
         "VM 2 \"vm-two\": node /: property vcpu-cores: found 0x4, wanted a core of this machine, below 4"),
    ]);
    each(3, &[
        (1, "id = <2>;", "id = <2>;  ",
         "VM 1 \"client\": node /: property vcpu-cores: found 0x3, wanted a core of this machine, below 3"),
    ]);
    each(8, &[
        (2, "vcpu-cores = <0 1>;", "vcpu-cores = <5 1>;",
         "VM 3 \"vm-three\": node /: property vcpu-cores: found 0x5, wanted a core on which VM 1 \"client\", the primary, has a vCPU"),
        (0, "vcpu-cores = <0 1 2 3>;", "vcpu-cores = <0 2 4 6>;",
         "VM 3 \"vm-three\": node /: property vcpu-cores: found 0x1, wanted a core on which VM 1 \"client\", the primary, has a vCPU"),
    ]);
}

#[test]
fn a_machine_has_one_to_eight_vms() {
    let vm = |n: u32| {
        let source = changed(SECOND, "id = <2>;", &format!("id = <{n}>;"));
        let at = 0x5000_0000 + n * 0x0100_0000;
        parse(&changed(&source, "<0x0 0x51000000>", &format!("<{at}>"))).unwrap()
    };
    let mut all = vec![parse(FIRST).unwrap()];
    all.extend((2..=8).map(vm));
    set::check(&all, 4, ram, device).unwrap();
    let fail = |all: &[VmManifest]| set::check(all, 4, ram, device).unwrap_err().to_string();
    let no_primary = "VM manifests: property primary: found no primary, wanted one VM with this property or with id 1";
    assert_eq!(fail(&all[1..]), no_primary);
    assert_eq!(fail(&[]), no_primary);
    all.push(vm(9));
    assert_eq!(fail(&all), "VM manifests: more than 8 VMs");
}

#[test]
#[rustfmt::skip]
fn devices_are_one_vms_alone() {
    let device = |base: &str, more: &str| format!(
        "device-regions {{ compatible = \"arm,ffa-manifest-device-regions\"; \
         rtc {{ base-address = <{base}>; pages-count = <1>; attributes = <3>; {more} }};");
    let second = |base, more: &str, another: &str|
        changed(SECOND, "messaging-method = <0x603>;", &format!("{} {another} }};", device(base, more)));
    let first = changed(FIRST, "messaging-method = <0x402>;", &(device("0x09012000", "interrupts = <40 0x800>;") + "};"));
    let fail = |second: &str| check(&[&first, second, THIRD], 4).unwrap_err().to_string();
    let at = "VM 2 \"vm-two\": node /device-regions/rtc: property";
    check(&[&first, &second("0x09010000", "interrupts = <41 0x800>;", ""), THIRD], 4).unwrap();
    assert_eq!(fail(&second("0x09012000", "", "")),
        format!("{at} base-address: 0x9012000-0x9012fff overlaps a device of VM 1 \"client\", 0x9012000-0x9012fff"));
    assert_eq!(fail(&second("0x09010000", "interrupts = <40 0x800>;", "")),
        format!("{at} interrupts: found 0x28, already taken by VM 1 \"client\""));
    assert_eq!(fail(&second("0x09014000", "", "")),
        format!("{at} base-address: found 0x9014000-0x9014fff, wanted a device of the normal world that reads and writes no memory by itself and is not the proxy's"));
    let other = "clock { base-address = <0x09010000>; pages-count = <1>; attributes = <1>; };";
    assert_eq!(fail(&second("0x09010000", "", other)),
        "VM 2 \"vm-two\": node /device-regions/clock: property base-address: 0x9010000-0x9010fff overlaps node rtc, 0x9010000-0x9010fff");
    // A board that calls memory a device does not give one VM's to another, whoever comes first.
    for (base, whose) in [
        ("0x50001000", "the memory of VM 1 \"client\", 0x50000000-0x507fffff"),
        ("0x51001000", "the VM's own memory, 0x51000000-0x517fffff"),
        ("0x52001000", "the memory of VM 3 \"vm-three\", 0x52000000-0x527fffff"),
    ] {
        let all = [FIRST, &second(base, "", ""), THIRD].map(|source| parse(source).unwrap());
        let error = set::check(&all, 4, |_, _| true, |_, _| true).unwrap_err();
        let found = format!("0x{}-0x{}fff", &base[2..], &base[2..7]);
        assert_eq!(error.to_string(), format!("{at} base-address: {found} overlaps {whose}"));
    }
}
