//! Guest side: write a Pinion step in Rust.
//!
//! A step is a type that implements one of four traits: [`RowMap`], [`Reduce`], [`WholeTable`] or
//! [`Source`]. [`export!`] makes it a component; off Wasm the macro is inert and the step's own tests
//! run natively through [`testing`].
//!
//! ```
//! use arrow_array::{Array, BooleanArray, Float64Array};
//! use pinion_sdk::{Batch, Descriptor, Inputs, Output, Result, RowMap};
//! use std::sync::Arc;
//!
//! /// Marks the flights that arrive late.
//! struct LabelLate {
//!     minutes: f64,
//! }
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Params {
//!     /// A flight that arrives later than this many minutes is late.
//!     minutes: f64,
//! }
//!
//! impl RowMap for LabelLate {
//!     type Params = Params;
//!
//!     fn describe() -> Descriptor {
//!         Descriptor::new("Marks the flights that arrive late.")
//!             .input("flights", "Needs `arr_delay`, in minutes.")
//!             .output("flights", "Adds `late`.")
//!     }
//!
//!     fn open(params: Params, _side: Inputs) -> Result<Self> {
//!         Ok(Self { minutes: params.minutes })
//!     }
//!
//!     fn apply(&mut self, flights: &Batch) -> Result<Vec<Output>> {
//!         let delay: Float64Array = flights.column("arr_delay")?;
//!         let late: BooleanArray = delay.iter().map(|delay| delay.map(|delay| delay > self.minutes)).collect();
//!         Ok(vec![Output::new("flights", flights.with("late", Arc::new(late))?)])
//!     }
//! }
//!
//! pinion_sdk::export!(LabelLate: RowMap);
//! # fn main() {}
//! ```

#[doc(hidden)]
pub mod bindings;
pub mod context;
pub mod guest;
pub mod testing;

mod batch;
mod descriptor;
mod error;
mod mark;
mod scratch;
mod select;
mod step;
mod table;
mod wire;

pub use batch::Batch;
pub use descriptor::{Content, Descriptor, Port, Shape, Shapes, TableShape};
pub use error::{Error, Result};
pub use scratch::Scratch;
pub use step::{Output, Range, Reduce, Round, RowMap, Source, WholeTable};
pub use table::{Blob, BlobWriter, Inputs, Outputs, Table, TableWriter};
