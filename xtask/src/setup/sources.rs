//! The machine's package sources, read from apt's own files, so that the private configuration
//! uses the same mirror and keys. Nothing is ever written there.

use std::collections::BTreeMap;

/// One archive: where, which suites, how it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Options of the one-line form, for example `signed-by`.
    pub options: BTreeMap<String, String>,
    /// The archive's address.
    pub uri: String,
    /// The suite.
    pub suite: String,
    /// Its components.
    pub components: Vec<String>,
    /// A key that stands in the source's file itself.
    pub inline_key: Option<String>,
}

/// Reads the one-line form (`sources.list`).
pub fn parse_list(text: &str) -> Vec<Entry> {
    text.lines().filter_map(parse_list_line).collect()
}

fn parse_list_line(line: &str) -> Option<Entry> {
    let line = line.split('#').next()?.trim();
    let mut rest = line
        .strip_prefix("deb")
        .filter(|rest| rest.starts_with([' ', '\t']))?
        .trim_start();
    let mut options = BTreeMap::new();
    if let Some(after) = rest.strip_prefix('[') {
        let (inside, after) = after.split_once(']')?;
        for option in inside.split_whitespace() {
            if let Some((name, value)) = option.split_once('=') {
                options.insert(name.to_ascii_lowercase(), value.to_owned());
            }
        }
        rest = after.trim_start();
    }
    let mut words = rest.split_whitespace();
    Some(Entry {
        options,
        uri: words.next()?.to_owned(),
        suite: words.next()?.to_owned(),
        components: words.map(str::to_owned).collect(),
        inline_key: None,
    })
}

/// Reads the form with fields (`*.sources`, deb822).
pub fn parse_sources(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            entries.extend(stanza(&std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            if let Some(value) = fields.get_mut(&last) {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last = name.trim().to_ascii_lowercase();
            fields.insert(last.clone(), value.trim().to_owned());
        }
    }
    entries
}

fn stanza(fields: &BTreeMap<String, String>) -> Vec<Entry> {
    let words = |name: &str| -> Vec<String> {
        fields
            .get(name)
            .map(|value| value.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let off = |name: &str| {
        fields
            .get(name)
            .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "no" | "false"))
    };
    if off("enabled") || !words("types").iter().any(|kind| kind == "deb") {
        return Vec::new();
    }
    let mut options = BTreeMap::new();
    let mut inline_key = None;
    if let Some(key) = fields.get("signed-by") {
        if key.contains("BEGIN PGP") {
            inline_key = Some(key_text(key));
        } else {
            options.insert(
                "signed-by".to_owned(),
                key.replace(char::is_whitespace, ","),
            );
        }
    }
    for (field, option) in [
        ("check-valid-until", "check-valid-until"),
        ("trusted", "trusted"),
    ] {
        if let Some(value) = fields.get(field) {
            options.insert(option.to_owned(), value.clone());
        }
    }
    if let Some(value) = fields.get("architectures") {
        options.insert("arch".to_owned(), value.replace(char::is_whitespace, ","));
    }
    let mut entries = Vec::new();
    for uri in words("uris") {
        for suite in words("suites") {
            entries.push(Entry {
                options: options.clone(),
                uri: uri.clone(),
                suite,
                components: words("components"),
                inline_key: inline_key.clone(),
            });
        }
    }
    entries
}

/// A key inside a field has a dot for each empty line.
fn key_text(field: &str) -> String {
    field
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| if line == "." { "" } else { line })
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// The entries that are Debian's own archives for `codename`.
pub fn debian(entries: &[Entry], codename: &str) -> Vec<Entry> {
    let fits: Vec<_> = entries
        .iter()
        .filter(|entry| {
            let base = entry
                .suite
                .strip_prefix(codename)
                .is_some_and(|rest| matches!(rest, "" | "-updates" | "-security" | "/updates"));
            base && entry.components.iter().any(|name| name == "main")
        })
        .cloned()
        .collect();
    let known: Vec<_> = fits
        .iter()
        .filter(|entry| is_debian_archive(&entry.uri))
        .cloned()
        .collect();
    // A mirror may have any name; but where some entry has Debian's, the others are not Debian's.
    if known.iter().any(|entry| entry.suite == codename) {
        known
    } else {
        fits
    }
}

fn is_debian_archive(uri: &str) -> bool {
    let path = uri.trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    let host = uri.split("//").nth(1).unwrap_or_default();
    let host = host.split('/').next().unwrap_or_default();
    host == "debian.org"
        || host.ends_with(".debian.org")
        || matches!(
            last,
            "debian" | "debian-security" | "debian.list" | "debian-security.list"
        )
}

/// One line of `sources.list`. `key_file` stands in for a key inside the source's file.
pub fn line(kind: &str, entry: &Entry, suite: &str, key_file: Option<&str>) -> String {
    let mut options = entry.options.clone();
    if let Some(file) = key_file {
        options.insert("signed-by".to_owned(), file.to_owned());
    }
    let options: Vec<_> = options
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let options = if options.is_empty() {
        String::new()
    } else {
        format!("[{}] ", options.join(" "))
    };
    format!("{kind} {options}{} {suite} main\n", entry.uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "\
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
";
    const OTHER: &str = "\
Types: deb
URIs: https://deb.example.com/node_20.x
Suites: nodistro
Components: main

Types: deb
URIs: https://packages.example.com/debian/12/prod
Suites: bookworm
Components: main
";

    #[test]
    fn fields_become_one_entry_per_suite() {
        let entries = parse_sources(DEBIAN);
        assert_eq!(entries.len(), 3);
        assert_eq!(
            line("deb", &entries[0], "bookworm", None),
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm main\n"
        );
    }

    #[test]
    fn one_line_entries_keep_their_options() {
        let text = "# deb http://a b main\ndeb-src http://x/debian bookworm main\n\
                    deb [arch=amd64 signed-by=/k.gpg] http://x/debian bookworm main contrib # tail\n";
        let entries = parse_list(text);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].options["signed-by"], "/k.gpg");
        assert_eq!(entries[0].components, ["main", "contrib"]);
        assert_eq!(
            line("deb-src", &entries[0], "trixie", None),
            "deb-src [arch=amd64 signed-by=/k.gpg] http://x/debian trixie main\n"
        );
    }

    #[test]
    fn other_vendors_are_left_out() {
        let mut entries = parse_sources(DEBIAN);
        entries.extend(parse_sources(OTHER));
        entries.extend(parse_list(
            "deb https://download.example.com/linux/debian bookworm stable\n\
             deb https://packages.example.com/apt cloud-sdk-bookworm main",
        ));
        let suites: Vec<_> = debian(&entries, "bookworm")
            .into_iter()
            .map(|entry| entry.suite)
            .collect();
        assert_eq!(
            suites,
            ["bookworm", "bookworm-updates", "bookworm-security"]
        );
    }

    #[test]
    fn a_mirror_of_any_name_serves_if_it_is_the_only_one() {
        let entries = parse_list("deb http://mirror.local/deb-remote bookworm main");
        assert_eq!(debian(&entries, "bookworm").len(), 1);
        assert!(debian(&entries, "trixie").is_empty());
    }

    #[test]
    fn disabled_stanzas_are_left_out_and_inline_keys_are_kept() {
        let text = "Types: deb\nURIs: http://x/debian\nSuites: trixie\nComponents: main\nEnabled: no\n\n\
                    Types: deb\nURIs: http://y/debian\nSuites: trixie\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n";
        let entries = parse_sources(text);
        assert_eq!(entries.len(), 1);
        assert_eq!(
            entries[0].inline_key.as_deref(),
            Some("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n")
        );
        assert!(line("deb", &entries[0], "trixie", Some("/k.asc")).contains("signed-by=/k.asc"));
    }
}
