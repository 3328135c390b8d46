//! `wasi:random`: bytes that follow from the component and its params, so that hash maps order themselves
//! alike everywhere.
//!
//! They are the output of BLAKE3, made when they are first asked for: most guests ask for a seed alone.

use wasmtime::component::HasData;
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};

use super::state::LimitReached;
use super::tariff::Debt;
use super::watch::Watch;
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
    debt: Debt,
    watch: Watch,
    /// Bytes that there is room for, of so many.
    room: u64,
    limit: u64,
}

impl Random {
    /// Bytes are owed, and made as long as `watch` lets them.
    pub(super) fn new(component: &ComponentDigest, params: &str, debt: Debt, watch: Watch) -> Self {
        let mut hasher = StructuredHasher::new("pinion random v1");
        Self {
            key: hasher.component(component).text(params).finish(),
            bytes: Vec::new(),
            secure: 0,
            insecure: 0,
            debt,
            watch,
            room: 0,
            limit: 0,
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

    /// Says how much memory the next call may use.
    pub(super) fn set_room(&mut self, room: u64, limit: u64) {
        (self.room, self.limit) = (room, limit);
    }

    /// `len` bytes, for each of which a word is used up.
    fn words(
        &mut self,
        len: u64,
        mut word: impl FnMut(&mut Self) -> u32,
    ) -> wasmtime::Result<Vec<u8>> {
        if len > MAX_BYTES {
            wasmtime::bail!("{len} random bytes are asked for, and there are {MAX_BYTES} at once");
        }
        if len > self.room {
            let limit = self.limit;
            return Err(wasmtime::Error::new(LimitReached {
                what: "output",
                limit,
                wanted: Some(limit.saturating_sub(self.room).saturating_add(len)),
            }));
        }
        self.debt.add(len);
        let mut bytes = Vec::with_capacity(len as usize);
        for at in 0..len as usize {
            self.watch.pass(at).map_err(wasmtime::Error::new)?;
            bytes.push(word(self) as u8);
        }
        Ok(bytes)
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

fn integer(mut word: impl FnMut() -> u32) -> u64 {
    u64::from(word()) << 32 | u64::from(word())
}

impl HasData for Random {
    type Data<'a> = &'a mut Self;
}

impl random::Host for Random {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.words(len, Self::secure_word)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(integer(|| self.secure_word()))
    }
}

impl insecure::Host for Random {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.words(len, Self::insecure_word)
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
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use wasmtime_wasi::{Deterministic, WasiCtxBuilder};

    use super::super::Clock;
    use super::*;
    use crate::unit::Limits;

    fn random(component: &ComponentDigest, params: &str) -> Random {
        static NEVER: AtomicBool = AtomicBool::new(false);
        let clock: Clock = Arc::new(|| 0);
        let watch = Watch::new(&clock, &Limits::default(), &NEVER);
        let mut random = Random::new(component, params, Debt::default(), watch);
        random.set_room(u64::MAX, u64::MAX);
        random
    }

    #[test]
    fn bytes_are_owed_and_have_a_limit() {
        let mut random = random(&ComponentDigest::of(b"a component"), "{}");
        random.set_room(10, 30);
        random::Host::get_random_bytes(&mut random, 10).unwrap();
        assert_eq!(random.debt.take(), 10);
        let error = insecure::Host::get_insecure_random_bytes(&mut random, 11).unwrap_err();
        let wanted = Some(31);
        let expected = LimitReached {
            what: "output",
            limit: 30,
            wanted,
        };
        assert_eq!(error.downcast_ref::<LimitReached>(), Some(&expected));
    }

    /// Guests have always been given these bytes; results may depend on them.
    #[test]
    fn bytes_are_those_of_the_engines_generator() {
        let component = ComponentDigest::of(b"a component");
        let mut ours = random(&component, "{}");
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
            insecure_seed::Host::insecure_seed(&mut random(&component, params)).unwrap()
        };
        assert_eq!(seed(b"one", "{}"), seed(b"one", "{}"));
        assert_ne!(seed(b"one", "{}"), seed(b"other", "{}"));
        assert_ne!(seed(b"one", "{}"), seed(b"one", "[]"));
    }
}
