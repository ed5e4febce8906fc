//! Room on the disk, looked at before anything is fetched: some tools do not fail but hang when it
//! runs out.

use anyhow::{Context, Result, bail};
use std::path::Path;

/// Checks that the disk of `folder` has `wanted` MB free for `what`.
///
/// # Errors
/// It has less; the error says how much.
pub fn check(folder: &Path, wanted: u64, what: &str) -> Result<()> {
    // The folder itself may not be there yet.
    let there = folder
        .ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(Path::new("/"));
    let disk = rustix::fs::statvfs(there)
        .with_context(|| format!("cannot ask how full the disk of {} is", there.display()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) / 1_000_000;
    if free < wanted {
        bail!(
            "found {free} MB free on the disk of {}, wanted {wanted} MB for {what}: free some, or let TANTALUM_CACHE name a folder on another disk",
            folder.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_one_with_room() {
        assert!(check(Path::new("/no/such/folder"), 0, "x").is_ok());
        let error = check(Path::new("/"), u64::MAX, "the tests").unwrap_err();
        assert!(error.to_string().contains("the tests"));
    }
}
