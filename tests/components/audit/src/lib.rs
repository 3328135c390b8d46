//! Tries everything that can tell two machines apart, and says in a digest for each what it saw.
//!
//! A row-map, so that a unit of one row is enough. Of what ends a guest, such as an overflow of the stack,
//! only the code of the error counts, and that is for the host to see.

// It looks at what only WebAssembly has.
#![cfg(target_arch = "wasm32")]

mod floats;
mod simd;
mod world;

use std::sync::Arc;

use arrow_array::{Array as _, StringArray};
use arrow_schema::{DataType, Field};
use pinion_sdk::{Batch, Descriptor, Inputs, Output, Result, RowMap, Shape, Shapes};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// How the guest is to end, instead of looking around.
    end: Option<End>,
}

#[derive(Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum End {
    /// Calls itself without end.
    Recursion,
    /// Asks for more memory than there can be.
    Memory,
}

/// FNV-1a of 128 bits: small, and whatever goes in changes what comes out.
pub(crate) struct Seen(u128);

impl Seen {
    fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u128::from(*byte);
            self.0 = self
                .0
                .wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    pub(crate) fn float(&mut self, float: f64) {
        self.number(float.to_bits());
    }

    pub(crate) fn single(&mut self, float: f32) {
        self.number(u64::from(float.to_bits()));
    }
}

/// What is looked at, and how.
const LOOKS: [(&str, fn(&mut Seen)); 13] = [
    ("arithmetic", floats::arithmetic),
    ("arithmetic of 32 bits", floats::arithmetic_of_32_bits),
    ("conversions", floats::conversions),
    ("functions", floats::functions),
    ("functions of 32 bits", floats::functions_of_32_bits),
    ("text of floats", floats::text),
    ("simd", simd::all),
    ("clocks", world::clocks),
    ("order of hash maps", world::hash_order),
    ("environment", world::environment),
    ("files", world::files),
    ("memory", world::memory),
    ("addresses", world::addresses),
];

struct Audit(Option<End>);

impl RowMap for Audit {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Looks for what differs between machines.")
            .input(
                "rows",
                "Any; as many as there are, it looks once for each batch.",
            )
            .output("seen", "What it looked at, and a digest of what it saw.")
    }

    fn check(_: Params, _: &Shapes) -> Result<Vec<Shape>> {
        let fields = fields().map(Arc::new);
        Ok(vec![Shape::table("seen", fields.to_vec())])
    }

    fn open(params: Params, _: Inputs) -> Result<Self> {
        Ok(Self(params.end))
    }

    fn apply(&mut self, _: &Batch) -> Result<Vec<Output>> {
        match self.0 {
            Some(End::Recursion) => {
                let mut seen = Seen::new();
                world::recursion(&mut seen, 0);
            }
            Some(End::Memory) => world::too_much_memory(),
            None => {}
        }
        let digests = LOOKS.map(|(_, look)| {
            let mut seen = Seen::new();
            look(&mut seen);
            format!("{:032x}", seen.0)
        });
        let names = StringArray::from_iter_values(LOOKS.map(|(name, _)| name));
        let digests = StringArray::from_iter_values(digests);
        let [name, digest] = fields();
        let batch = Batch::new(
            names.len(),
            vec![
                (name, Arc::new(names) as _),
                (digest, Arc::new(digests) as _),
            ],
        )?;
        Ok(vec![Output::new("seen", batch)])
    }
}

fn fields() -> [Field; 2] {
    ["look", "digest"].map(|name| Field::new(name, DataType::Utf8, false))
}

pinion_sdk::export!(Audit: RowMap);
