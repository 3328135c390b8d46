//! Keeps the flights that arrived and marks the late ones: what the model learns.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `flights` | table | `(n_flights, n_columns)`; `arr_delay` is `int16`, in minutes, null if the flight never arrived |
//! | out `flights` | table | `(n_arrived, n_columns + 1)`, in the same order, with `late`, a boolean without nulls |
//!
//! One step does both, because both look at `arr_delay`: it is the outcome itself, and no other step may
//! see it. Deterministic; asks for no capabilities.

use std::sync::Arc;

use arrow_array::{BooleanArray, Int16Array};
use arrow_schema::{DataType, Field};
use pinion_sdk::{Batch, Descriptor, Inputs, Output, Result, RowMap};

/// What `pinion.toml` gives under `params`.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// A flight that arrives more than this many minutes after its time is late.
    minutes: i16,
}

struct LabelLate(Params);

impl RowMap for LabelLate {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Keeps the flights that arrived and marks the late ones.")
            .input("flights", "Needs `arr_delay`, in minutes.")
            .output("flights", "The flights that arrived, with `late`.")
            .same_columns()
    }

    fn open(params: Params, _side: Inputs) -> Result<Self> {
        Ok(Self(params))
    }

    fn apply(&mut self, flights: &Batch) -> Result<Vec<Output>> {
        // The only column that is read. All others pass through, and cost nothing.
        let delay: Int16Array = flights.column("arr_delay")?;
        let arrived: BooleanArray = delay.iter().map(|delay| Some(delay.is_some())).collect();
        let is_late = |delay| Some(delay > self.0.minutes);
        let late: BooleanArray = delay.iter().flatten().map(is_late).collect();

        let field = Field::new("late", DataType::Boolean, false);
        let flights = flights.filter(&arrived)?;
        let flights = flights.with_columns(vec![(field, Arc::new(late))])?;
        Ok(vec![Output::new("flights", flights)])
    }
}

pinion_sdk::export!(LabelLate: RowMap);

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use arrow_array::{Array, ArrayRef, Int32Array, RecordBatch};
    use pinion_sdk::testing;

    use super::*;

    /// The flights that are left, and whether each is late.
    fn label(minutes: i16, delay: ArrayRef) -> Result<(Vec<i32>, Vec<bool>)> {
        let flight: ArrayRef = Arc::new((0..delay.len() as i32).collect::<Int32Array>());
        let columns = [("flight", flight, false), ("arr_delay", delay, true)];
        let flights = RecordBatch::try_from_iter_with_nullable(columns)?;
        let params = format!(r#"{{"minutes": {minutes}}}"#);
        let side = Inputs::default();
        let labelled = testing::row_map::<LabelLate>(&params, side, &[flights], "flights")?;

        let flight = labelled[0]["flight"].as_primitive::<Int32Type>();
        let late = labelled[0]["late"].as_boolean();
        assert!(!labelled[0].schema().field_with_name("late")?.is_nullable());
        Ok((flight.values().to_vec(), late.values().iter().collect()))
    }

    #[test]
    fn a_flight_is_late_after_more_than_that_many_minutes() -> Result<()> {
        let delay = || Arc::new(Int16Array::from(vec![-20, 0, 15, 16]));
        assert_eq!(label(15, delay())?.1, [false, false, false, true]);
        assert_eq!(label(-1, delay())?.1, [false, true, true, true]);
        Ok(())
    }

    #[test]
    fn a_flight_that_never_arrived_is_dropped() -> Result<()> {
        let delay = Arc::new(Int16Array::from(vec![None, Some(40), None, Some(2)]));
        assert_eq!(label(15, delay)?, (vec![1, 3], vec![true, false]));
        Ok(())
    }

    #[test]
    fn no_flights_are_no_error() -> Result<()> {
        assert_eq!(
            label(15, Arc::new(Int16Array::from(Vec::<i16>::new())))?,
            (vec![], vec![])
        );
        Ok(())
    }

    #[test]
    fn delays_of_another_type_are_refused() {
        let refused = label(15, Arc::new(Int32Array::from(vec![20])));
        assert_eq!(
            refused.map_err(|error| error.code),
            Err("wrong-type".to_owned())
        );
    }
}
