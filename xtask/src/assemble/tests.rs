//! What becomes of images, packages and manifests.

use super::*;

#[test]
fn a_uuid_is_read_in_both_forms() {
    let words = [0x1e67_b5b4, 0xe14f_904a, 0x13fb_1fb8, 0xcbda_e1da];
    let cells = "uuid = <0x1e67b5b4 0xe14f904a 0x13fb1fb8 0xcbdae1da 1 2 3 4>;";
    assert_eq!(first_uuid(cells), Some(words));
    let text = "\tuuid = \"1e67b5b4-e14f-904a-13fb-1fb8cbdae1da\";";
    assert_eq!(first_uuid(text), Some(words));
    assert_eq!(first_uuid("image-uuid = \"00\";"), None);
    assert_eq!(first_uuid("uuid = \"0102\";"), None);
}

#[test]
fn cells_are_read_in_both_bases() {
    let source = "/ {\n\tuuid = <0x1 0x2 3 0xff>;\n\tload-address-x = <1>;\n};";
    assert_eq!(cells(source, "uuid"), Some(vec![1, 2, 3, 255]));
    assert_eq!(cells(source, "load-address"), None);
}

#[test]
fn the_vms_start_two_mebibytes_behind_the_proxy_each_at_a_page() {
    let first = ("vm", b"SPKG one".to_vec());
    let second = ("two", vec![2; PAGE]);
    let third = ("three", b"SPKG three".to_vec());
    let image = proxy_with_vms(vec![1; 100], &[first.clone(), second, third]).unwrap();
    let at = |page: usize, bytes: &[u8]| {
        assert_eq!(&image[PROXY_ROOM + page * PAGE..][..bytes.len()], bytes);
    };
    assert_eq!(&image[99..101], [1, 0]);
    at(0, b"SPKG one\0");
    at(1, &[2; PAGE]);
    at(2, b"SPKG three\0");
    at(3, &[0; PAGE]);
    assert_eq!(image.len(), PROXY_ROOM + 4 * PAGE);
    let image = proxy_with_vms(vec![1; PROXY_ROOM], &[first]).unwrap();
    assert_eq!(image.len(), PROXY_ROOM + 2 * PAGE);
}

#[test]
fn what_does_not_fit_behind_the_proxy_is_refused_with_the_sizes() {
    let error = proxy_with_vms(vec![0; PROXY_ROOM + 1], &[]).unwrap_err();
    assert!(error.to_string().contains("2621441 bytes"), "{error}");
    let half = vec![0; (IMAGE_ROOM - PROXY_ROOM) / 2];
    let mut packages = [("vm", half.clone()), ("vm-two", half)];
    let error = proxy_with_vms(Vec::new(), &packages).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the VMs' packages take 1576960 bytes, each at a page and with a page of zeros behind them, at most 1572864 \
         fit behind the proxy: vm 786432, vm-two 786432"
    );
    packages[1].1.truncate((3 << 18) - PAGE);
    let image = proxy_with_vms(Vec::new(), &packages).unwrap();
    assert_eq!(image.len(), IMAGE_ROOM);
}

#[test]
fn a_scenarios_vms_are_built() {
    let mut scenario = crate::scenario::run();
    scenario.vms.push(crate::scenario::Vm {
        name: "two",
        manifest: Manifest::plain("vms-2.dts"),
        binary: crate::firmware::payload("vm-peer"),
        header_changes: Vec::new(),
    });
    let names: Vec<_> = binaries(&scenario)
        .iter()
        .map(|binary| binary.name)
        .collect();
    assert!(
        names.contains(&"vm-peer") && names.contains(&"client-run"),
        "{names:?}"
    );
}

#[test]
fn a_vms_image_ends_at_its_last_byte_that_is_not_zero() {
    assert_eq!(without_tail(&[0, 1, 0, 2, 0, 0]), [0, 1, 0, 2]);
    assert_eq!(without_tail(&[3, 4]), [3, 4]);
    assert_eq!(without_tail(&[0, 0]), [0]);
    assert!(without_tail(&[]).is_empty());
}
