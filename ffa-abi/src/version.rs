//! FF-A versions and their negotiation (DEN0077A, `FFA_VERSION`).

use crate::reply::Reply;
use core::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};
use num_enum::{IntoPrimitive, TryFromPrimitive};

/// A version word: bit 31 zero, major in bits 30:16, minor in bits 15:0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Version(u32);

impl Version {
    /// FF-A 1.0.
    pub const V1_0: Self = Self(0x1_0000);
    /// FF-A 1.1.
    pub const V1_1: Self = Self(0x1_0001);
    /// FF-A 1.2.
    pub const V1_2: Self = Self(0x1_0002);
    /// FF-A 1.3.
    pub const V1_3: Self = Self(0x1_0003);
    /// What this project speaks.
    pub const OWN: Self = Self::V1_3;

    /// A version from its two numbers.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self(((major & 0x7fff) as u32) << 16 | minor as u32)
    }

    /// Reads a version word; `None` if bit 31 is set.
    pub const fn from_raw(raw: u32) -> Option<Self> {
        if raw & 0x8000_0000 == 0 {
            Some(Self(raw))
        } else {
            None
        }
    }

    /// The word.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The major number.
    pub const fn major(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The minor number.
    pub const fn minor(self) -> u16 {
        self.0 as u16
    }

    /// Whether a callee of this version can serve a caller that asks for `requested`: the same
    /// major number and a minor number that is not higher than the callee's.
    pub const fn serves(self, requested: Self) -> bool {
        self.major() == requested.major() && requested.minor() <= self.minor()
    }

    /// Whether x8-x17 take part in 64-bit messages: from FF-A 1.2.
    pub const fn has_extended_registers(self) -> bool {
        self.0 >= Self::V1_2.0
    }
}

/// What kind of `FFA_VERSION` call it is: w2 bits 1:0, from FF-A 1.3. Callees below 1.3 ignore w2,
/// and so do today's SPMDs, which do not pass it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromPrimitive, IntoPrimitive)]
#[repr(u32)]
pub enum VersionQuery {
    /// Negotiate: the version is from now on that of the caller.
    Negotiate = 0,
    /// Tell whether that version is served, and change nothing.
    Compatible = 1,
    /// Tell which version has been negotiated.
    Negotiated = 2,
}

impl VersionQuery {
    /// Reads w2; `None` if a reserved bit or value is set.
    pub fn from_w2(w2: u32) -> Option<Self> {
        Self::try_from(w2).ok()
    }

    /// The value of w2.
    pub const fn w2(self) -> u32 {
        self as u32
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

/// An endpoint's negotiated version, and whether it may still change: bit 31 says that another call
/// was made since. 0 is the version 1.0 of one that has neither asked nor called.
#[derive(Debug)]
pub struct Negotiated(AtomicU32);

impl Negotiated {
    const LOCKED: u32 = 1 << 31;

    /// Of one that speaks this version until it says otherwise.
    pub const fn new(version: Version) -> Self {
        Self(AtomicU32::new(version.raw()))
    }

    /// The version.
    #[inline(always)]
    pub fn get(&self) -> Version {
        // All versions have the bits of 1.0, and one that never asked has that.
        let word = self.0.load(Ordering::Relaxed) & !Self::LOCKED;
        Version::from_raw(word | Version::V1_0.raw()).unwrap_or(Version::V1_0)
    }

    /// Of one that is taken to be of version 1.0 if it never asks.
    pub const fn unasked() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Whether it has neither asked nor called.
    pub fn is_unasked(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Whether the version is fixed, and not lower than `version`.
    #[inline(always)]
    pub fn is_locked_at(&self, version: Version) -> bool {
        self.0.load(Ordering::Relaxed) >= Self::LOCKED | version.raw()
    }

    /// All that is remembered, for tests that go on from it.
    pub fn raw(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// The reverse of [`raw`](Self::raw).
    pub fn set_raw(&self, raw: u32) {
        self.0.store(raw, Ordering::Relaxed);
    }

    /// Nothing was called yet, and the version is this one.
    pub fn forget(&self, version: Version) {
        self.0.store(version.raw(), Ordering::Relaxed);
    }

    /// Any call but `FFA_VERSION` fixes the version.
    #[inline(always)]
    pub fn lock(&self) {
        if self.0.load(Ordering::Relaxed) & Self::LOCKED == 0 {
            // The bits of 1.0 are for one that never asked.
            self.0
                .fetch_or(Self::LOCKED | Version::V1_0.raw(), Ordering::Relaxed);
        }
    }

    /// `FFA_VERSION`: the answer, after having noted the caller's version if it is served.
    ///
    /// `own` is the version that the callee offers this endpoint.
    pub fn negotiate(&self, requested: Option<Version>, own: Version) -> Reply {
        let Some(version) = requested.filter(|version| own.serves(*version)) else {
            return Reply::Version(None);
        };
        // Two cores may negotiate at once, or one while the other makes its first call.
        let noted = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let fixed = word & Self::LOCKED;
                (fixed == 0 || word == version.raw() | fixed).then_some(version.raw() | fixed)
            });
        Reply::Version(noted.ok().map(|_| own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_major_and_no_higher_minor_is_served() {
        assert!(Version::OWN.serves(Version::V1_0));
        assert!(Version::OWN.serves(Version::V1_3));
        assert!(!Version::OWN.serves(Version::new(1, 4)));
        assert!(!Version::OWN.serves(Version::new(2, 0)));
        assert!(!Version::OWN.serves(Version::new(0, 9)));
        assert_eq!(Version::from_raw(0x8001_0000), None);
    }

    #[test]
    fn kinds_of_queries() {
        for (w2, query) in [
            (0, Some(VersionQuery::Negotiate)),
            (1, Some(VersionQuery::Compatible)),
            (2, Some(VersionQuery::Negotiated)),
            (3, None),
            (4, None),
            (1 << 31, None),
        ] {
            assert_eq!(VersionQuery::from_w2(w2), query);
            assert!(query.is_none_or(|query| query.w2() == w2));
        }
    }
}
