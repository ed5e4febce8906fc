//! Mistakes in packages: each refuses its partition, and the other is loaded.

use super::*;

/// Boots with this package of the store.
fn boot_with(store: &[u8]) -> Vec<String> {
    let os = packed(&dts::compile(OS));
    let (accepted, refused) = boot(FIELD, &[&os, store]).unwrap();
    assert_eq!((accepted.len(), accepted[0].name.as_str()), (1, "os"));
    refused
}

/// The store's manifest, for a package without a HOB list.
fn manifest() -> Vec<u8> {
    dts::compile(&changed(STORE, "hob_list;", ""))
}

/// Boots with a change in the store's package, of the form SPKG.
fn refused(change: impl Fn(&mut Vec<u8>)) -> Vec<String> {
    let mut store = packed(&manifest());
    change(&mut store);
    boot_with(&store)
}

#[test]
#[rustfmt::skip]
fn mistakes_in_the_header() {
    let size = manifest().len();
    for (field, value, message) in [
        (0, 0x4b50_5300, "found magic [00, 53, 50, 4b], wanted \"SPKG\" or [0b, b1, 0f, 4a], a transfer list"),
        (1, 0, "found package version 0, wanted 1 or 2"),
        (1, 3, "found package version 3, wanted 1 or 2"),
        (2, 0, &format!("manifest at offset 0x0 with {size:#x} bytes does not fit in 0x100000 bytes of memory behind the header")),
        (2, 0xffff_f000, &format!("manifest at offset 0xfffff000 with {size:#x} bytes does not fit in 0x100000 bytes of memory behind the header")),
        (2, 0x40, "0x40-END is outside what is left behind the first page, which carries the boot information"),
        (2, 0x4000, "manifest and image overlap"),
        (3, 0, "manifest at offset 0x1000 with 0x0 bytes does not fit in 0x100000 bytes of memory behind the header"),
        (4, 0xff000, "image at offset 0xff000 with 0x20000 bytes does not fit in 0x100000 bytes of memory behind the header"),
        (5, 0, "image at offset 0x4000 with 0x0 bytes does not fit in 0x100000 bytes of memory behind the header"),
        (5, u32::MAX, "image at offset 0x4000 with 0xffffffff bytes does not fit in 0x100000 bytes of memory behind the header"),
    ] {
        let refused = refused(|memory| {
            if (field, value) == (2, 0x40) {
                memory.copy_within(0x1000..0x1000 + size, 0x40);
            }
            memory[field * 4..][..4].copy_from_slice(&value.to_le_bytes());
        });
        let message = message.replace("END", &format!("{:#x}", 0x40 + size - 1));
        assert_eq!(refused, [format!("package of partition \"store\": {message}")]);
    }
}

#[test]
fn mistakes_in_what_the_package_carries() {
    let size = manifest().len();
    for (change, message) in [
        (
            (|memory| memory.truncate(23)) as fn(&mut Vec<u8>),
            "package of partition \"store\": found 23 bytes, wanted at least a header of 24",
        ),
        (
            |memory| memory[0x1000..0x1004].fill(0),
            "partition \"store\": no valid device tree: Invalid FDT magic number at offset 0",
        ),
        (
            |memory| memory[12..16].copy_from_slice(&39u32.to_le_bytes()),
            "partition \"store\": found 39 bytes, wanted a device tree of at least 40 bytes",
        ),
        (
            |memory| memory[12..16].copy_from_slice(&512u32.to_le_bytes()),
            "partition \"store\": found a size of SIZE bytes, wanted at most 512",
        ),
        (
            |memory| memory[0x1004..0x1008].copy_from_slice(&u32::MAX.to_be_bytes()),
            "partition \"store\": found a size of 4294967295 bytes, wanted at most SIZE",
        ),
    ] {
        let message = message.replace("SIZE", &size.to_string());
        assert_eq!(refused(change), [message]);
    }
}

#[test]
#[rustfmt::skip]
fn mistakes_in_a_transfer_list() {
    let store = dts::compile(STORE);
    let word = |memory: &mut [u8], at: usize, word: u32| memory[at..at + 4].copy_from_slice(&word.to_le_bytes());
    type Case<'a> = (&'a dyn Fn(&mut Vec<u8>), &'a str);
    let cases: [Case<'_>; _] = [
        (&|m| m[5] = 0, "found version 0, wanted 1 or higher"),
        (&|m| m[6] = 16, "found a header of 16 bytes, wanted at least 24"),
        (&|m| word(m, 8, 8), "found a size of 0x8 bytes, wanted 0x18 to 0x24000"),
        (&|m| word(m, 8, 0x25000), "found a size of 0x25000 bytes, wanted 0x18 to 0x24000"),
        (&|m| m.truncate(0x2_0000), "found a size of 0x24000 bytes, wanted 0x18 to 0x20000"),
        (&|m| m[0xffb] = 4, "entry at offset 0xff8: found a header of 4 bytes, wanted at least 8"),
        (&|m| word(m, 0x3ffc, 0x2_0001), "entry at offset 0x3ff8, tag 0x103, with 0x20001 bytes of data does not fit in a list of 0x24000 bytes"),
        (&|m| m[0xff8] = 0, "found no manifest, wanted an entry with tag 0x106"),
        (&|m| m[0x3ff8] = 0, "found no image, wanted an entry with tag 0x103"),
        (&|m| m[0x2ff8..0x2ffa].copy_from_slice(&[6, 1]), "found a second manifest (tag 0x106) at offset 0x2ff8, wanted one"),
        (&|m| m[0x3ff9] = 2, "found no image, wanted an entry with tag 0x103"),
    ];
    for (change, message) in cases {
        let mut memory = listed(&store);
        change(&mut memory);
        assert_eq!(boot_with(&memory), [format!("package of partition \"store\": transfer list: {message}")]);
    }
    let mut memory = listed(&store);
    // Without its HOB list.
    memory[0x2ff8] = 0;
    assert_eq!(boot_with(&memory),
        ["package of partition \"store\": missing, wanted a HOB list, since the manifest's boot-info has hob_list"]);
}
