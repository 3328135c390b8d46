//! `wasi:random`: bytes that follow from the component and its params, so that hash maps order themselves
//! alike everywhere.
//!
//! They are the output of BLAKE3, made when they are first asked for: most guests ask for a seed alone.

use wasmtime::component::HasData;
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};

use crate::digest::{ComponentDigest, Digest, StructuredHasher};

/// Bytes before they repeat; hash maps need sixteen.
const PERIOD: usize = 4096;

/// Bytes that a guest may ask for at once.
const MAX_BYTES: u64 = 64 << 20;

/// Two streams of the same bytes, each read from its beginning in words of four.
pub(super) struct Random {
    key: Digest,
    /// One period; empty until a stream is read.
    bytes: Vec<u8>,
    secure: usize,
    insecure: usize,
}

impl Random {
    pub(super) fn new(component: &ComponentDigest, params: &str) -> Self {
        let mut hasher = StructuredHasher::new("pinion random v1");
        Self {
            key: hasher.component(component).text(params).finish(),
            bytes: Vec::new(),
            secure: 0,
            insecure: 0,
        }
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut stream = blake3::Hasher::new_keyed(self.key.as_bytes()).finalize_xof();
        stream.fill(bytes);
    }

    /// The next four bytes of a stream, most significant first, and where it goes on.
    fn word(&mut self, position: usize) -> (u32, usize) {
        if self.bytes.is_empty() {
            let mut bytes = vec![0; PERIOD];
            self.fill(&mut bytes);
            self.bytes = bytes;
        }
        let word = self.bytes[position..].first_chunk().copied();
        let word = u32::from_be_bytes(word.unwrap_or_default());
        (word, (position + 4) % PERIOD)
    }

    fn secure_word(&mut self) -> u32 {
        let word;
        (word, self.secure) = self.word(self.secure);
        word
    }

    fn insecure_word(&mut self) -> u32 {
        let word;
        (word, self.insecure) = self.word(self.insecure);
        word
    }
}

/// `len` bytes, for each of which a word is used up.
fn bytes(len: u64, mut word: impl FnMut() -> u32) -> wasmtime::Result<Vec<u8>> {
    if len > MAX_BYTES {
        wasmtime::bail!("{len} random bytes are asked for, and there are {MAX_BYTES} at once");
    }
    Ok((0..len).map(|_| word() as u8).collect())
}

fn integer(mut word: impl FnMut() -> u32) -> u64 {
    u64::from(word()) << 32 | u64::from(word())
}

impl HasData for Random {
    type Data<'a> = &'a mut Self;
}

impl random::Host for Random {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        bytes(len, || self.secure_word())
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(integer(|| self.secure_word()))
    }
}

impl insecure::Host for Random {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        bytes(len, || self.insecure_word())
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(integer(|| self.insecure_word()))
    }
}

impl insecure_seed::Host for Random {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        let mut seed = [0; 16];
        self.fill(&mut seed);
        let seed = u128::from_be_bytes(seed);
        Ok((seed as u64, (seed >> 64) as u64))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use wasmtime_wasi::{Deterministic, WasiCtxBuilder};

    use super::*;

    /// Guests have always been given these bytes; results may depend on them.
    #[test]
    fn bytes_are_those_of_the_engines_generator() {
        let component = ComponentDigest::of(b"a component");
        let mut ours = Random::new(&component, "{}");
        let mut period = vec![0; PERIOD];
        ours.fill(&mut period);
        let mut theirs = WasiCtxBuilder::new()
            .secure_random(Deterministic::new(period.clone()))
            .insecure_random(Deterministic::new(period))
            .build();
        let theirs = theirs.random();
        for len in [1, 3, 2000] {
            let expected = random::Host::get_random_bytes(theirs, len).unwrap();
            assert_eq!(
                random::Host::get_random_bytes(&mut ours, len).unwrap(),
                expected
            );
            let expected = random::Host::get_random_u64(theirs).unwrap();
            assert_eq!(random::Host::get_random_u64(&mut ours).unwrap(), expected);
            let expected = insecure::Host::get_insecure_random_bytes(theirs, len).unwrap();
            let found = insecure::Host::get_insecure_random_bytes(&mut ours, len).unwrap();
            assert_eq!(found, expected);
            let expected = insecure::Host::get_insecure_random_u64(theirs).unwrap();
            assert_eq!(
                insecure::Host::get_insecure_random_u64(&mut ours).unwrap(),
                expected
            );
        }
        assert!(random::Host::get_random_bytes(&mut ours, MAX_BYTES + 1).is_err());
    }

    #[test]
    fn bytes_follow_from_component_and_params() {
        let seed = |component: &[u8], params| {
            let component = ComponentDigest::of(component);
            insecure_seed::Host::insecure_seed(&mut Random::new(&component, params)).unwrap()
        };
        assert_eq!(seed(b"one", "{}"), seed(b"one", "{}"));
        assert_ne!(seed(b"one", "{}"), seed(b"other", "{}"));
        assert_ne!(seed(b"one", "{}"), seed(b"one", "[]"));
    }
}
