//! Versions as numbers that compare.

use std::fmt;

/// A version: its numbers, most telling first. Missing numbers count as 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u32>);

impl Version {
    /// Finds the first `number.number…` in a text, as tools print it.
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
            .find_map(|word| Self::parse(word.trim_matches('.')))
    }

    /// Reads `number.number…`: two numbers at least.
    fn parse(word: &str) -> Option<Self> {
        let mut numbers = word
            .split('.')
            .map(|number| number.parse().ok())
            .collect::<Option<Vec<u32>>>()?;
        if numbers.len() < 2 {
            return None;
        }
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Some(Self(numbers))
    }
}

impl From<[u32; 2]> for Version {
    fn from([major, minor]: [u32; 2]) -> Self {
        let mut numbers = vec![major, minor];
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Self(numbers)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |index: usize| self.0.get(index).copied().unwrap_or(0);
        write!(f, "{}.{}", number(0), number(1))?;
        self.0
            .iter()
            .skip(2)
            .try_for_each(|number| write!(f, ".{number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::find(text).unwrap()
    }

    #[test]
    fn versions_are_found_in_what_tools_print() {
        let qemu = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2~bpo12+1)";
        assert_eq!(version(qemu).to_string(), "10.0.2");
        assert_eq!(version("Version: DTC 1.6.1").to_string(), "1.6.1");
        assert_eq!(version("Python 3.11.2").to_string(), "3.11.2");
        assert_eq!(Version::find("no number 7 here"), None);
    }

    #[test]
    fn versions_compare_by_number_not_by_text() {
        assert!(version("10.0") > version("7.2.15"));
        assert!(version("10.0.0") == Version::from([10, 0]));
        assert!(version("9.10") > version("9.9"));
        assert!(version("7.2.15") < Version::from([10, 0]));
    }
}
