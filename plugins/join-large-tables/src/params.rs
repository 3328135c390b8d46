//! What is joined, and by what.

use pinion_sdk::Result;
use pinion_tables::join::{Given, How, Names, On};
use schemars::JsonSchema;
use serde::Deserialize;

/// What is joined, and by what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The columns that must be equal: names that both sides have, such as `["carrier", "year"]`, or
    /// names in `right` by names in `left`, such as `{ dest = "faa" }`.
    on: On,
    /// Which rows of `left` come out: `inner` those with a match, once for each; `left` those without one as
    /// well, with nulls; `semi` those with a match, once each and without columns of `right`; `anti` those without
    /// a match. `inner` unless given, as in SQL.
    #[serde(default)]
    pub(crate) how: How,
    /// The columns of `right` to add, in this order. All but the keys unless given. `semi` and `anti` add none.
    columns: Option<Vec<String>>,
    /// Goes before the name of an added column that `left` has as well. Not together with `suffix`.
    prefix: Option<String>,
    /// Goes after the name of an added column that `left` has as well. Not together with `prefix`.
    suffix: Option<String>,
}

impl Params {
    /// The names in the join.
    ///
    /// # Errors
    /// `bad-params`.
    pub(crate) fn names(&self) -> Result<Names> {
        Names::new(Given {
            on: Some(&self.on),
            how: self.how,
            columns: self.columns.as_deref(),
            prefix: self.prefix.as_deref(),
            suffix: self.suffix.as_deref(),
            ..Given::default()
        })
    }
}
