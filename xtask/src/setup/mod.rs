//! What must be on the machine: tools, QEMU, TF-A's build.

mod tfa;

use crate::fip::TfA;
use anyhow::Result;
use std::path::PathBuf;

/// What every boot needs.
#[derive(Clone, Debug)]
pub struct Tools {
    /// QEMU's binary.
    pub qemu: PathBuf,
    /// TF-A's products.
    pub tf_a: TfA,
}

/// Installs or builds what is missing and returns where it is.
///
/// # Errors
/// Something is missing and cannot be had; the error says what to do.
pub fn ensure() -> Result<Tools> {
    let qemu = std::env::var_os("QEMU").map_or_else(|| "qemu-system-aarch64".into(), PathBuf::from);
    Ok(Tools {
        qemu,
        tf_a: tfa::ensure()?,
    })
}
