//! Bytes become a system and its steps: `cargo +nightly fuzz run steps` in `sp-test/ring`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Err(what) = ring::fuzz::bytes(data) {
        panic!("{what}");
    }
});
