//! Whose a store's facts are: the key that seals them, and what a seal says of how it came to be.
//!
//! A digest shows that a fact is whole, and not whose it is: anybody can compute one. So what is not named by
//! its own bytes carries a code as well, which only somebody with the key can make. Without a valid code a fact
//! is somebody else's word. It can be shown, and nothing is built on it.

use std::fmt;

use crate::digest::{Digest, StructuredHasher};

/// A secret that a store's facts are sealed with, and what tells this machine from others.
#[derive(Clone)]
pub struct Key {
    seals: [u8; 32],
    machine: Digest,
}

/// How a sealed fact came to be in a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It was made here, by somebody with the store's key.
    Made,
    /// Somebody else wrote it, and it was made again here with the same digests.
    Verified,
    /// Somebody else wrote it, and somebody with the store's key took it over unseen.
    Adopted {
        /// Who that was, and when, as it is shown.
        by: String,
    },
    /// Somebody without the store's key wrote it.
    Foreign,
}

impl Key {
    /// The key that follows from a secret. `machine` is a secret of the user on this machine: what is remembered
    /// of a file by its inode and its times holds only where both are the same.
    pub fn new(secret: &[u8; 32], machine: &[u8; 32]) -> Self {
        Self {
            seals: blake3::derive_key("pinion 2026-11-30 seals of a store", secret),
            machine: Digest::from_bytes(blake3::derive_key("pinion 2026-11-30 machine", machine)),
        }
    }

    /// A key that everybody has: what it seals is nobody's, as in a store that is only unpacked and looked through.
    pub(crate) fn of_nobody() -> Self {
        Self::new(&[0; 32], &[0; 32])
    }

    /// What tells this machine, and this user, from others.
    pub(crate) fn machine(&self) -> &Digest {
        &self.machine
    }

    /// The code of something whose digest is `of`. None if nobody vouches for it.
    pub(super) fn code(&self, of: &Digest, standing: &Standing) -> Option<Code> {
        let words = standing.words()?;
        let mac = self.mac(of, &words).to_hex().to_string();
        Some(Code { mac, words })
    }

    /// Whether a code is one that this key has made for something whose digest is `of`, and how it came to be.
    pub(super) fn standing(&self, of: &Digest, code: &Code) -> Standing {
        // Compared in constant time, as `Hash` does.
        let holds =
            blake3::Hash::from_hex(&code.mac).is_ok_and(|mac| mac == self.mac(of, &code.words));
        match Standing::parse(&code.words) {
            Some(standing) if holds => standing,
            _ => Standing::Foreign,
        }
    }

    fn mac(&self, of: &Digest, words: &str) -> blake3::Hash {
        let mut hasher = StructuredHasher::new("pinion code v1");
        hasher.digest(of).text(words);
        blake3::keyed_hash(&self.seals, hasher.finish().as_bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A code as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// 64 hexadecimal digits.
    pub(super) mac: String,
    /// The standing, for all but what was made here.
    pub(super) words: String,
}

const VERIFIED: &str = "verified";
const ADOPTED: &str = "adopted by ";

impl Standing {
    /// Whether it is as good as if it had been made here.
    pub fn is_own(&self) -> bool {
        *self != Self::Foreign
    }

    /// Whether it rests on nobody else's word.
    pub fn is_made_here(&self) -> bool {
        matches!(self, Self::Made | Self::Verified)
    }

    /// Whether it is worth more than another: what was adopted rests on somebody's word, what was made here on none.
    pub(super) fn is_above(&self, other: &Self) -> bool {
        let rank = |standing: &Self| match standing {
            Self::Foreign => 0,
            Self::Adopted { .. } => 1,
            Self::Verified | Self::Made => 2,
        };
        rank(self) > rank(other)
    }

    /// Who took it over, if somebody did.
    pub fn adopted_by(&self) -> Option<&str> {
        match self {
            Self::Adopted { by } => Some(by),
            Self::Made | Self::Verified | Self::Foreign => None,
        }
    }

    fn words(&self) -> Option<String> {
        match self {
            Self::Made => Some(String::new()),
            Self::Verified => Some(VERIFIED.to_owned()),
            Self::Adopted { by } => Some(format!("{ADOPTED}{by}")),
            Self::Foreign => None,
        }
    }

    fn parse(words: &str) -> Option<Self> {
        match words {
            "" => Some(Self::Made),
            VERIFIED => Some(Self::Verified),
            words => words
                .strip_prefix(ADOPTED)
                .map(|by| Self::Adopted { by: by.to_owned() }),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_code_holds_for_one_key_one_thing_and_one_standing() {
        let (key, other) = (Key::new(&[1; 32], &[0; 32]), Key::new(&[2; 32], &[0; 32]));
        let of = Digest::of(b"a");
        let standings = [
            Standing::Made,
            Standing::Verified,
            Standing::Adopted {
                by: "anna".to_owned(),
            },
        ];
        for standing in standings {
            let code = key.code(&of, &standing).unwrap();
            assert_eq!(key.standing(&of, &code), standing);
            assert_eq!(other.standing(&of, &code), Standing::Foreign);
            assert_eq!(key.standing(&Digest::of(b"b"), &code), Standing::Foreign);
            let renamed = Code {
                words: format!("{}x", code.words),
                ..code.clone()
            };
            assert_eq!(key.standing(&of, &renamed), Standing::Foreign);
            let cut = Code {
                mac: code.mac[1..].to_owned(),
                ..code
            };
            assert_eq!(key.standing(&of, &cut), Standing::Foreign);
        }
        assert_eq!(key.code(&of, &Standing::Foreign), None);
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", Key::of_nobody()), "Key(…)");
    }
}
