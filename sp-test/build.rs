//! Links the images position independent, by `image.ld`, when the target is the firmware's. On the
//! host the binaries are ordinary programs and nothing is passed.

fn main() {
    println!("cargo:rerun-if-changed=image.ld");
    println!("cargo:rerun-if-changed=build.rs");
    let var = |name| std::env::var(name).unwrap_or_default();
    if var("CARGO_CFG_TARGET_OS") != "none" {
        return;
    }
    println!(
        "cargo:rustc-link-arg-bins=-T{}/image.ld",
        var("CARGO_MANIFEST_DIR")
    );
    // Read-only data may hold relocated addresses: the image relocates itself, so `notext`.
    for arg in [
        "-pie",
        "-z",
        "notext",
        "--no-dynamic-linker",
        "-z",
        "max-page-size=4096",
    ] {
        println!("cargo:rustc-link-arg-bins={arg}");
    }
}
