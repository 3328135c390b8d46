//! Text that says itself whether it is whole, and whose it is.
//!
//! A sealed file is a line, and then the body. The line is a JSON string, the digest of the body in its place; or,
//! where somebody vouches for it, an array of three: the digest of the body with its code, the code, and how it
//! came to be. The digest covers what the body is, what it is stored under and the body, so that a body in a
//! wrong place is none either, and the code is made of that digest.

use super::key::{Code, Key, Standing};
use crate::digest::{Digest, StructuredHasher};

/// What a body is and what it is stored under.
#[derive(Clone, Debug)]
pub(super) struct Seal(StructuredHasher);

/// The body of a sealed file, and whose it is.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) body: &'a [u8],
    pub(super) standing: Standing,
    /// Whether the line has a code, of whomever.
    pub(super) has_code: bool,
}

impl Seal {
    /// Of a body that is a `what`, stored under `keys`.
    pub(super) fn new(what: &str, keys: &[Digest]) -> Self {
        let mut hasher = StructuredHasher::new("pinion seal v1");
        hasher.text(what).list(keys.len());
        for key in keys {
            hasher.digest(key);
        }
        Self(hasher)
    }

    /// The sealed file. Of what is foreign, the line has the digest alone.
    pub(super) fn close(&self, key: &Key, standing: &Standing, body: &[u8]) -> Vec<u8> {
        let digest = self.digest(body);
        let mut sealed = line(&digest, key.code(&digest, standing).as_ref()).into_bytes();
        sealed.extend_from_slice(body);
        sealed
    }

    /// The body, if it is the one that was sealed, by whomever.
    pub(super) fn open<'a>(&self, key: &Key, sealed: &'a [u8]) -> Option<Opened<'a>> {
        let newline = sealed.iter().position(|byte| *byte == b'\n')?;
        let (found, body) = sealed.split_at_checked(newline + 1)?;
        let digest = self.digest(body);
        let code = match found.first() {
            Some(b'[') => {
                let (_, mac, words): (Digest, String, String) =
                    serde_json::from_slice(found).ok()?;
                Some(Code { mac, words })
            }
            _ => None,
        };
        let standing = code
            .as_ref()
            .map_or(Standing::Foreign, |code| key.standing(&digest, code));
        (found == line(&digest, code.as_ref()).as_bytes()).then_some(Opened {
            body,
            standing,
            has_code: code.is_some(),
        })
    }

    /// The body, if somebody with the key vouches for it.
    pub(super) fn open_own<'a>(&self, key: &Key, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let opened = self.open(key, sealed)?;
        opened.standing.is_own().then_some(opened.body)
    }

    fn digest(&self, body: &[u8]) -> Digest {
        let mut hasher = self.0.clone();
        hasher.bytes(body).finish()
    }
}

fn line(digest: &Digest, code: Option<&Code>) -> String {
    let Some(Code { mac, words }) = code else {
        return format!("\"{digest}\"\n");
    };
    let mut whole = StructuredHasher::new("pinion seal v2");
    whole.digest(digest).text(mac).text(words);
    let line = serde_json::to_string(&(whole.finish(), mac, words)).unwrap_or_default();
    line + "\n"
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_persons_in_one_place() {
        let (key, other) = (Key::new(&[1; 32], &[0; 32]), Key::of_nobody());
        let names = [Digest::of(b"a"), Digest::of(b"b")];
        let seal = Seal::new("recipe", &names[..1]);
        let by = "\"anna\"\n".to_owned();
        for standing in [
            Standing::Made,
            Standing::Verified,
            Standing::Adopted { by },
            Standing::Foreign,
        ] {
            let sealed = seal.close(&key, &standing, b"body\n");
            let opened = seal.open(&key, &sealed).unwrap();
            assert_eq!((opened.body, &opened.standing), (&b"body\n"[..], &standing));
            assert_eq!(opened.has_code, standing.is_own());
            assert_eq!(seal.open_own(&key, &sealed).is_some(), standing.is_own());
            // With another key it is whole, and somebody else's.
            let opened = seal.open(&other, &sealed).unwrap();
            assert_eq!(opened.standing, Standing::Foreign);
            assert!(seal.open_own(&other, &sealed).is_none());
            // In another place it is nothing.
            for elsewhere in [
                Seal::new("recipe", &names[1..]),
                Seal::new("recipe", &names),
                Seal::new("table", &names[..1]),
            ] {
                assert!(elsewhere.open(&key, &sealed).is_none());
            }
            for at in 0..sealed.len() {
                for bit in 0..8 {
                    let mut damaged = sealed.clone();
                    damaged[at] ^= 1 << bit;
                    assert!(seal.open(&key, &damaged).is_none(), "{at} {bit}");
                }
            }
        }
    }

    /// Somebody who has no key can seal whatever he likes, and it stays his word.
    #[test]
    fn what_is_forged_is_foreign() {
        let (key, forger) = (Key::new(&[1; 32], &[0; 32]), Key::new(&[2; 32], &[0; 32]));
        let seal = Seal::new("memo step", &[Digest::of(b"a")]);
        let by = "the owner".to_owned();
        for standing in [Standing::Made, Standing::Verified, Standing::Adopted { by }] {
            let forged = seal.close(&forger, &standing, b"wrong");
            assert!(seal.open_own(&key, &forged).is_none());
        }
        // The code of one body before another.
        let own = seal.close(&key, &Standing::Made, b"right");
        let (_, mac, words): (Digest, String, String) =
            serde_json::from_slice(own.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
        let mut moved = line(&seal.digest(b"wrong"), Some(&Code { mac, words })).into_bytes();
        moved.extend_from_slice(b"wrong");
        assert!(seal.open(&key, &moved).is_some());
        assert!(seal.open_own(&key, &moved).is_none());
    }
}
