//! Digests: what names every byte in Pinion.
//!
//! Components are named by SHA-256, as in OCI registries; everything else by BLAKE3, without a key and
//! with 32 bytes of output. Both are always written with their prefix, so that neither can be taken for the
//! other. Components and blobs are hashed as they are, byte by byte; all else as a list of facts.
//!
//! # Structured hashing
//!
//! Facts are hashed through [`StructuredHasher`], so that two different lists of facts never give the
//! same bytes. The format is stored for good: changing it changes every digest. The input of BLAKE3 is
//! the concatenation of items, each of which is one tag byte and a body; all integers are unsigned,
//! 64 bits, little-endian.
//!
//! | item | tag | body |
//! |---|---|---|
//! | text | `t` | length in bytes, then the UTF-8 bytes |
//! | bytes | `b` | length in bytes, then the bytes |
//! | u64 | `u` | the integer |
//! | digest | `d` | the 32 raw bytes of a BLAKE3 digest |
//! | component | `c` | the 32 raw bytes of a SHA-256 digest |
//! | list | `l` | the number of entries; the entries follow as items |
//! | option | `o` | one byte, 0 or 1; if 1, the value follows as items |
//!
//! The first item is a text, the domain, which says what the facts are and in which version. Where a fact is
//! true or false, it is an *option tag*, the `o` and its byte, which no value follows.
//!
//! `tests/oracles/table_digests.py` computes the digests of a run again, from what the documentation says.

pub(crate) mod parts;

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Text that is not a digest.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "not a digest\n  expected `{prefix}` and 64 lower-case hexadecimal digits\n  found    `{found}`"
)]
pub struct BadDigest {
    /// The prefix that was expected, with its colon; empty where bare hexadecimal was.
    pub prefix: &'static str,
    /// The text, cut to its first 100 characters.
    pub found: String,
}

/// Declares a digest newtype over 32 bytes with its text form.
macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// What the text form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The digest whose raw bytes are given.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 raw bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The 64 hexadecimal digits without the prefix, as in file names.
            pub fn hex(&self) -> String {
                hex_digits(&self.0).into_iter().map(char::from).collect()
            }

            /// Reads 64 lower-case hexadecimal digits without the prefix.
            ///
            /// # Errors
            /// [`BadDigest`] if `text` is anything else.
            pub fn from_hex(text: &str) -> Result<Self, BadDigest> {
                parse_hex(text).map(Self).ok_or_else(|| bad_digest("", text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&hex_digits(&self.0)).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadDigest;

            fn from_str(text: &str) -> Result<Self, BadDigest> {
                text.strip_prefix($prefix)
                    .and_then(parse_hex)
                    .map(Self)
                    .ok_or_else(|| bad_digest($prefix, text))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(DigestText(PhantomData))
            }
        }
    };
}

digest! {
    /// The SHA-256 of a component's bytes, its identity. Text form `sha256:<64 hex>`.
    ComponentDigest, "sha256:"
}

digest! {
    /// The BLAKE3 of anything but a component. Text form `blake3:<64 hex>`.
    Digest, "blake3:"
}

impl ComponentDigest {
    /// The digest of a component's bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl Digest {
    /// The digest of raw bytes, such as a blob's.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }
}

/// Hashes a list of facts without ambiguity; the module describes the bytes.
///
/// # Examples
/// ```
/// # use pinion_runtime::digest::StructuredHasher;
/// let pair = |left: &str, right: &str| {
///     let mut hasher = StructuredHasher::new("example 1");
///     hasher.text(left).text(right);
///     hasher.finish()
/// };
/// assert_ne!(pair("ab", "c"), pair("a", "bc"));
/// ```
#[derive(Clone, Debug)]
pub struct StructuredHasher(blake3::Hasher);

impl StructuredHasher {
    /// Starts with `domain`: what is hashed, and the version of its form.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new());
        hasher.text(domain);
        hasher
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.item(b't', text.len() as u64);
        self.0.update(text.as_bytes());
        self
    }

    /// Adds bytes, in one update and without a copy.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.item(b'b', bytes.len() as u64);
        self.0.update(bytes);
        self
    }

    /// Adds an integer.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.item(b'u', value)
    }

    /// Adds a BLAKE3 digest.
    pub fn digest(&mut self, digest: &Digest) -> &mut Self {
        self.0.update(b"d").update(digest.as_bytes());
        self
    }

    /// Adds a component's digest.
    pub fn component(&mut self, digest: &ComponentDigest) -> &mut Self {
        self.0.update(b"c").update(digest.as_bytes());
        self
    }

    /// Begins a list of `len` entries; the caller adds them next.
    pub fn list(&mut self, len: usize) -> &mut Self {
        self.item(b'l', len as u64)
    }

    /// Says whether an optional value is there; if so, the caller adds it next.
    pub fn option_tag(&mut self, present: bool) -> &mut Self {
        self.0.update(&[b'o', u8::from(present)]);
        self
    }

    /// The digest of everything added so far.
    pub fn finish(&self) -> Digest {
        Digest(self.0.finalize().into())
    }

    fn item(&mut self, tag: u8, value: u64) -> &mut Self {
        self.0.update(&[tag]).update(&value.to_le_bytes());
        self
    }
}

/// Reads a digest where it stands, as manifests hold thousands.
struct DigestText<T>(PhantomData<T>);

impl<T: FromStr<Err = BadDigest>> Visitor<'_> for DigestText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

fn hex_digits(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 64];
    let (pairs, _) = digits.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [byte >> 4, byte & 0xf].map(|half| DIGITS[usize::from(half)]);
    }
    digits
}

fn bad_digest(prefix: &'static str, text: &str) -> BadDigest {
    BadDigest {
        prefix,
        found: text.chars().take(100).collect(),
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    fn digit(byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        }
    }

    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let (pairs, _) = digits.as_chunks::<2>();
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        assert_eq!(
            ComponentDigest::of(b"abc").to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            Digest::of(b"").to_string(),
            "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        );
    }

    #[test]
    fn text_and_serde_round_trip() {
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert_eq!(Digest::from_hex(&digest.hex()).unwrap(), digest);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(json, format!("\"{digest}\""));
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }

    #[test]
    fn other_text_is_refused() {
        let digest = Digest::of(b"x").to_string();
        for text in [
            "",
            "blake3:",
            "sha256:00",
            &digest[..70],
            &digest.to_uppercase(),
            &digest.replace("blake3", "sha256"),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        assert!(Digest::from_hex(&"é".repeat(32)).is_err());
    }

    /// The stored format, byte by byte.
    #[test]
    fn structured_bytes() {
        let component = ComponentDigest::of(b"");
        let mut hasher = StructuredHasher::new("d");
        hasher
            .bytes(b"xy")
            .u64(258)
            .list(1)
            .option_tag(true)
            .option_tag(false);
        hasher.digest(&Digest::of(b"")).component(&component);
        let mut bytes = b"t\x01\0\0\0\0\0\0\0d".to_vec();
        bytes.extend(b"b\x02\0\0\0\0\0\0\0xy");
        bytes.extend(b"u\x02\x01\0\0\0\0\0\0");
        bytes.extend(b"l\x01\0\0\0\0\0\0\0");
        bytes.extend(b"o\x01o\0d");
        bytes.extend(Digest::of(b"").as_bytes());
        bytes.push(b'c');
        bytes.extend(component.as_bytes());
        assert_eq!(hasher.finish(), Digest::of(&bytes));
    }
}
