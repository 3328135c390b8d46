//! Names: of SQL types, and of what is not supported.

use arrow_schema::{DataType, TimeUnit};
use sqlparser::ast::Expr;

use crate::types::UTC;

/// The Arrow type of an SQL type, by DuckDB's names. A length of text is ignored, as DuckDB does.
pub(super) fn sql_type(data_type: &sqlparser::ast::DataType) -> Option<DataType> {
    let written = data_type.to_string().to_ascii_uppercase();
    let (name, length) = match written.split_once('(') {
        Some((name, length)) => (name.trim_end(), Some(length)),
        None => (written.as_str(), None),
    };
    let known = match name {
        "BOOLEAN" | "BOOL" | "LOGICAL" => DataType::Boolean,
        "TINYINT" | "INT1" => DataType::Int8,
        "SMALLINT" | "INT2" | "SHORT" | "INT16" => DataType::Int16,
        "INTEGER" | "INT" | "INT4" | "SIGNED" | "INT32" => DataType::Int32,
        "BIGINT" | "INT8" | "LONG" | "INT64" => DataType::Int64,
        "UTINYINT" | "UINT8" => DataType::UInt8,
        "USMALLINT" | "UINT16" => DataType::UInt16,
        "UINTEGER" | "UINT32" => DataType::UInt32,
        "UBIGINT" | "UINT64" => DataType::UInt64,
        "REAL" | "FLOAT" | "FLOAT4" => DataType::Float32,
        "DOUBLE" | "DOUBLE PRECISION" | "FLOAT8" => DataType::Float64,
        "VARCHAR" | "TEXT" | "STRING" | "CHAR" | "BPCHAR" | "CHARACTER" | "CHARACTER VARYING" => {
            return Some(DataType::Utf8);
        }
        "DATE" => DataType::Date32,
        "TIMESTAMP" | "DATETIME" | "TIMESTAMP WITHOUT TIME ZONE" | "TIMESTAMP_US" => {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        "TIMESTAMP_S" => DataType::Timestamp(TimeUnit::Second, None),
        "TIMESTAMP_MS" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "TIMESTAMP_NS" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => {
            DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
        }
        _ => return None,
    };
    length.is_none().then_some(known)
}

/// What to call a construct that is not supported.
pub(super) fn construct_name(expr: &Expr) -> String {
    let name = match expr {
        Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => {
            return format!("the name with a dot `{expr}` (quote a name that has one: `\"a.b\"`)");
        }
        Expr::AnyOp { .. } | Expr::AllOp { .. } => "`ANY` and `ALL`",
        Expr::Array(_) => "an array",
        Expr::AtTimeZone { .. } => "`AT TIME ZONE`",
        Expr::Cast { .. } => "`CAST` with a format",
        Expr::Ceil { .. } | Expr::Floor { .. } => "a scale of `ceil` and `floor`",
        Expr::Collate { .. } => "`COLLATE`",
        Expr::Convert { .. } => "`CONVERT`",
        Expr::Dictionary(_) | Expr::Struct { .. } => "a struct",
        Expr::Exists { .. } | Expr::Subquery(_) | Expr::InSubquery { .. } => "a subquery",
        Expr::Interval(_) => "`INTERVAL`",
        Expr::IsUnknown(_) | Expr::IsNotUnknown(_) => "`IS UNKNOWN`",
        Expr::Lambda(_) => "a lambda",
        Expr::Like { .. } | Expr::ILike { .. } => "`LIKE ANY`",
        Expr::Map(_) => "a map",
        Expr::Overlay { .. } => "`overlay`",
        Expr::Position { .. } => "`position`",
        Expr::RLike { .. } => "`RLIKE`",
        Expr::SimilarTo { .. } => "`SIMILAR TO`",
        Expr::Substring { .. } => "`substring` without a start",
        Expr::Tuple(_) => "a list of values in parentheses",
        Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => "`*`",
        other => return format!("`{other}`"),
    };
    name.to_owned()
}
