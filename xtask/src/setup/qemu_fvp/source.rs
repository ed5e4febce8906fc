//! QEMU's source: the upstream archive of Debian's source package, checked against the hash in
//! Debian's signed lists.

use crate::{paths, process, progress::Step, setup::apt::Apt};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Debian's source package.
const PACKAGE: &str = "qemu";
/// The version that is taken where there is a choice; the machine was written for it.
const PREFERRED: &str = "10.0.2+ds";
/// Versions for which the machine is known to build: it uses QEMU's inner interfaces.
const SERIES: &str = "10.0.";

/// An upstream archive that Debian offers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Offer {
    /// Debian's version of the source package.
    package: String,
    /// The upstream version.
    version: String,
    /// The archive's SHA-256.
    sha256: String,
}

/// The archive's file.
pub fn archive(folder: &Path, version: &str) -> PathBuf {
    folder.join(format!("{PACKAGE}_{version}.orig.tar.xz"))
}

/// The versions whose archives are in the cache, the preferred one first, then the newest.
pub fn in_cache(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut versions: Vec<_> = names
        .filter_map(|name| {
            let version = name.strip_prefix(PACKAGE)?.strip_prefix('_')?;
            Some(version.strip_suffix(".orig.tar.xz")?.to_owned())
        })
        .collect();
    versions.sort_by_key(|version| order(version));
    versions
}

/// What comes first is taken.
fn order(version: &str) -> (bool, std::cmp::Reverse<u32>) {
    let last = version
        .strip_prefix(SERIES)
        .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect())
        .and_then(|digits: String| digits.parse().ok());
    (version != PREFERRED, std::cmp::Reverse(last.unwrap_or(0)))
}

/// Fetches the archive into `folder`, unless one is there. Returns its version.
///
/// # Errors
/// Debian's archive cannot be reached or has none that will do.
pub fn fetch(folder: &Path, log: &Path) -> Result<String> {
    if let Some(version) = in_cache(folder).into_iter().next() {
        return Ok(version);
    }
    let apt = Apt::new()?;
    apt.update(log)?;
    let offer = choose(parse_offers(&apt.offers(PACKAGE)?))?;
    let part = folder.join("fetch.part");
    if part.exists() {
        fs::remove_dir_all(&part)
            .with_context(|| format!("cannot remove the unfinished {}", part.display()))?;
    }
    paths::make_dir(&part)?;
    let step = Step::start(format!("fetching the source of QEMU {}", offer.version));
    // The package's other files are of no use here, and an archive's mirror that is being renewed may
    // lack them: what counts is that the upstream archive comes, and that it is the signed one.
    let fetched = apt.source(&format!("{PACKAGE}={}", offer.package), &part, log);
    let name = archive(&part, &offer.version);
    if !name.exists() {
        return Err(fetched.err().unwrap_or_else(|| {
            anyhow::anyhow!("apt-get source left no {} (log: {})", name.display(), log.display())
        }))
        .context("QEMU's source cannot be fetched; check the network, or let QEMU_FVP name a binary built as fvp-configs/qemu-machine/README.md says");
    }
    check(&name, &offer.sha256)?;
    let file = archive(folder, &offer.version);
    fs::rename(&name, &file)
        .with_context(|| format!("cannot rename {} to {}", name.display(), file.display()))?;
    let _ = fs::remove_dir_all(&part);
    step.done();
    Ok(offer.version)
}

fn check(file: &Path, wanted: &str) -> Result<()> {
    let found = process::output("sha256sum", &["--", &file.to_string_lossy()])
        .with_context(|| format!("sha256sum cannot read {}", file.display()))?;
    let found = found.split_whitespace().next().unwrap_or_default();
    if found.trim_start_matches('\\') != wanted {
        bail!(
            "{} has SHA-256 {found}, wanted {wanted} from Debian's lists: a damaged download; run it again",
            file.display()
        );
    }
    Ok(())
}

/// Takes the preferred version, else the newest of the same series.
fn choose(mut offers: Vec<Offer>) -> Result<Offer> {
    offers.retain(|offer| offer.version.starts_with(SERIES));
    offers.sort_by_key(|offer| order(&offer.version));
    offers.into_iter().next().with_context(|| {
        format!("Debian's archives have no source of QEMU {SERIES}x now, which the machine is written for: let QEMU_FVP name a binary built as fvp-configs/qemu-machine/README.md says")
    })
}

/// Reads what `apt-cache showsrc` prints: a stanza for each source package.
fn parse_offers(text: &str) -> Vec<Offer> {
    text.split("\n\n").filter_map(parse_offer).collect()
}

fn parse_offer(stanza: &str) -> Option<Offer> {
    let package = stanza
        .lines()
        .find_map(|line| line.strip_prefix("Version: "))?
        .trim();
    let hashes = stanza
        .lines()
        .skip_while(|line| !line.starts_with("Checksums-Sha256:"))
        .skip(1)
        .take_while(|line| line.starts_with(' '));
    for line in hashes {
        let mut words = line.split_whitespace();
        let (sha256, _size, name) = (words.next()?, words.next()?, words.next()?);
        let version = name
            .strip_prefix(PACKAGE)
            .and_then(|name| name.strip_prefix('_'))
            .and_then(|name| name.strip_suffix(".orig.tar.xz"));
        if let Some(version) = version {
            return Some(Offer {
                package: package.to_owned(),
                version: version.to_owned(),
                sha256: sha256.to_owned(),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: &str = "\
Package: qemu
Binary: qemu-system,
 qemu-user
Version: 1:10.0.13+ds-0+deb13u1
Files:
 00 12 qemu_10.0.13+ds.orig.tar.xz
Checksums-Sha256:
 aa11 4001 qemu_10.0.13+ds.orig.tar.xz
 bb22 100 qemu_10.0.13+ds-0+deb13u1.debian.tar.xz
Directory: pool/main/q/qemu

Package: qemu
Version: 1:10.0.2+ds-2+deb13u1~bpo12+1
Checksums-Sha256:
 cc33 100 qemu_10.0.2+ds-2+deb13u1~bpo12+1.debian.tar.xz
 dd44 4000 qemu_10.0.2+ds.orig.tar.xz

Package: qemu
Version: 1:11.0.1+ds-1
Checksums-Sha256:
 ee55 4000 qemu_11.0.1+ds.orig.tar.xz
";

    #[test]
    fn the_lists_are_read() {
        let offers = parse_offers(LISTS);
        assert_eq!(offers.len(), 3);
        assert_eq!(
            offers[1],
            Offer {
                package: "1:10.0.2+ds-2+deb13u1~bpo12+1".to_owned(),
                version: "10.0.2+ds".to_owned(),
                sha256: "dd44".to_owned(),
            }
        );
    }

    #[test]
    fn the_preferred_version_is_taken_else_the_newest_of_its_series() {
        let mut offers = parse_offers(LISTS);
        assert_eq!(choose(offers.clone()).unwrap().sha256, "dd44");
        offers.remove(1);
        assert_eq!(choose(offers.clone()).unwrap().sha256, "aa11");
        offers.remove(0);
        let error = choose(offers).unwrap_err().to_string();
        assert!(error.contains("no source of QEMU 10.0.x"), "{error}");
        assert!(error.contains("QEMU_FVP"), "{error}");
    }

    #[test]
    fn versions_are_ordered_by_number() {
        let mut versions = ["10.0.9+ds", "10.0.13+ds", "10.0.2+ds"];
        versions.sort_by_key(|version| order(version));
        assert_eq!(versions, ["10.0.2+ds", "10.0.13+ds", "10.0.9+ds"]);
    }

    #[test]
    fn a_damaged_archive_is_refused() {
        let file = std::env::temp_dir().join(format!("qemu-fvp-{}", std::process::id()));
        fs::write(&file, "abc").unwrap();
        let good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let (right, wrong) = (check(&file, good), check(&file, "dd44"));
        fs::remove_file(&file).unwrap();
        right.unwrap();
        assert!(wrong.unwrap_err().to_string().contains("wanted dd44"));
    }
}
