//! The build script of both images: links them with their layout; on the host there is nothing to
//! do.

fn main() {
    let script = "../platform/image.ld";
    println!("cargo:rerun-if-changed={script}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        for argument in [
            &format!("-T{folder}/{script}"),
            "-Tdefmt.x",
            // Position independent: relocated at entry, so one layout serves every board. Constants
            // with addresses in them are relocated before they become read-only.
            "-pie",
            "--no-dynamic-linker",
            "-znotext",
            "--no-apply-dynamic-relocs",
        ] {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
    }
}
