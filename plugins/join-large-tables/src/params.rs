//! What is joined, and by what.

use pinion_sdk::Result;
use pinion_tables::join::{How, Names, On};
use schemars::JsonSchema;
use serde::Deserialize;

/// What is joined, and by what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The columns that must be equal: names that both sides have, such as `["carrier", "year"]`, or
    /// names in `right` by names in `left`, such as `{ dest = "faa" }`.
    on: On,
    /// What becomes of a left row without a match: `inner` drops it, `left` keeps it, with nulls. `inner`
    /// unless given, as in SQL.
    #[serde(default)]
    pub(crate) how: How,
    /// The columns of `right` to add, in this order. All but the keys unless given.
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
        Names::new(
            &self.on,
            self.columns.as_deref(),
            self.prefix.as_deref(),
            self.suffix.as_deref(),
        )
    }
}
