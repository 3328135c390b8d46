//! Fitted models as files, and the arithmetic that fitting and applying share.
//!
//! A `fit-…` step writes a model, a row-map step reads it: both sides use the types of this crate, so
//! a field cannot be written by one and misread by the other. A file is versioned JSON with sorted
//! keys, one value on a line, floats in the shortest form that reads back to the same bits and a
//! newline at the end: equal models are equal bytes, and a text diff of two models says what changed.
//!
//! A value is *missing* if it is null or, in a float column, NaN.

mod columns;
mod encoder;
mod features;
mod file;
mod imputer;
mod linear;
mod logistic;
mod mean;
mod scaler;
mod slices;
mod sum;

pub use columns::{
    check_code, check_label, check_number, check_present, codes, gather, gather_finite,
    gather_weights, is_number, is_text, labels, numbers, texts,
};
pub use encoder::{Categories, ColumnCategories, Encoder};
pub use features::{CategoricalFeature, NumericFeature, check_features, known_widths, width};
pub use file::Model;
pub use imputer::{Fill, ImputedColumn, Imputer};
pub use linear::{Linear, LinearFit};
pub use logistic::{Fit, Logistic, sigmoid};
pub use mean::{Gap, Mean};
pub use scaler::{ScaledColumn, Scaler};
pub use slices::{Slice, SliceKey};
pub use sum::Sum;
