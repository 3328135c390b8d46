//! Guest side: SQL expressions over Arrow columns.
//!
//! One scalar expression, such as `distance / air_time * 60` or `carrier IN ('UA', 'AA')`, is parsed
//! once, resolved against the types of the columns it names, and evaluated batch by batch. Every
//! value depends on its own row and on nothing else, and has the same bits natively and in Wasm.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::{ArrayRef, Int32Array, Float64Array};
//! use arrow_schema::{DataType, Field};
//! use pinion_sql::Expression;
//!
//! let expression = Expression::parse("distance / air_time * 60")?;
//! assert_eq!(expression.columns(), ["distance", "air_time"]);
//! let speed = expression.resolve(&|name| Some(Field::new(name, DataType::Int32, true)))?;
//! assert_eq!(speed.data_type(), &DataType::Float64);
//!
//! let column = |name: &str| -> ArrayRef {
//!     Arc::new(Int32Array::from(if name == "distance" { vec![10, 10] } else { vec![4, 0] }))
//! };
//! let values = speed.evaluate(&column, 2)?;
//! assert_eq!(values.as_ref(), &Float64Array::from(vec![Some(150.0), None]));
//! # Ok::<(), pinion_sql::SqlError>(())
//! ```
//!
//! # Language
//!
//! Grammar, types and results are DuckDB's, and are tested against it value by value; the few that
//! differ are listed with their reasons in `tests/oracles/sql_expressions.py`.
//!
//! - Names are case-sensitive as written. `"quoted"` names may have any character.
//! - Literals: `NULL`, `true`, `1`, `1.5`, `1e3`, `'text'`, `DATE '2013-10-01'`,
//!   `TIMESTAMP '2013-10-01 12:00:00'`. A number with a decimal point is a `DOUBLE`; DuckDB makes it a
//!   `DECIMAL`, a type that expressions do not have. An integer takes the integer type beside it if it
//!   fits, text in quotes is read as the type beside it.
//! - Operators: `+ - * / // %`, `= == <> != < <= > >=`, `AND OR NOT`, `IS [NOT] NULL`,
//!   `IS [NOT] TRUE`, `IS [NOT] FALSE`, `IS [NOT] DISTINCT FROM`, `[NOT] IN (…)`, `[NOT] BETWEEN`,
//!   `[NOT] LIKE` and `ILIKE` with `ESCAPE`, `||`, `CASE`, `CAST`, `TRY_CAST`, `::`.
//! - Functions: `abs ceil floor round`, `least greatest coalesce ifnull nullif`, `lower upper length trim
//!   ltrim rtrim substr concat`, `extract(part FROM x)` and `date_part('part', x)` with `year quarter month
//!   week day dow isodow doy hour minute second epoch`.
//!
//! # Results
//!
//! - `/` is of doubles (of floats if one operand is `FLOAT` and the other no `DOUBLE`), `//` truncates
//!   integers and is `/` for floats. A divisor of zero gives null, as DuckDB does with
//!   `error_on_division_by_zero` and `ieee_floating_point_ops` off.
//! - Integers that overflow, and values that `CAST` cannot convert, are errors that name the row.
//!   A row that a `CASE` branch, `AND`, `OR` or `COALESCE` does not reach raises none.
//! - Floats compare in a total order: `-0.0 = 0.0`, NaN equals NaN and is above all else.
//!   Text compares by bytes.
//! - `CAST` of a float to an integer rounds half to even, of text half away from zero, as does `round`.
//! - A timestamp with a time zone is an instant, and is read, shown and taken apart in UTC. A column
//!   in another zone is refused. A timestamp without one compares with it as if it were in UTC.
//! - Columns of text in any layout are `VARCHAR`, dictionary-encoded ones too; decimal columns are
//!   `DOUBLE`. `UBIGINT` compares with signed integers exactly, but has no common type with them otherwise.

mod arithmetic;
mod calendar;
mod cast;
mod column;
mod compare;
mod error;
mod evaluate;
mod expression;
mod gather;
mod like;
mod logic;
mod parse;
mod plan;
mod resolve;
mod syntax;
mod text;
mod time;
mod types;
mod value;

pub use error::{Excerpt, SqlError};
pub use expression::{Expression, Typed};
