//! A resolved expression: every operand has the type that its operator wants.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use crate::syntax::{ArithmeticOp, CastFailure, CompareOp, DatePart, Place, TrimSide};
use crate::types::is_float;

/// One typed node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) plan: Plan,
    pub(crate) data_type: DataType,
    pub(crate) nullable: bool,
    /// Whether evaluating it can fail on some value, here or below.
    pub(crate) fallible: bool,
    /// Whether it reads no column.
    pub(crate) constant: bool,
    pub(crate) place: Place,
    pub(crate) label: Arc<str>,
}

/// What a node does. Operands of one operator have one type unless said otherwise.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// A column, by its position in the expression's list of columns.
    Column(usize),
    /// One value, and how it was written.
    Literal(ArrayRef, Written),
    Negate(Box<Node>),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    /// `Divide` is of floats. A zero divisor gives null.
    Arithmetic(ArithmeticOp, Box<Node>, Box<Node>),
    /// A date and a number of days as `INTEGER`, to be added or subtracted.
    ShiftDate(ArithmeticOp, Box<Node>, Box<Node>),
    /// Days from the second date to the first.
    DaysBetween(Box<Node>, Box<Node>),
    Compare(CompareOp, Box<Node>, Box<Node>),
    Distinct {
        left: Box<Node>,
        right: Box<Node>,
        negated: bool,
    },
    IsNull {
        operand: Box<Node>,
        negated: bool,
    },
    IsBoolean {
        operand: Box<Node>,
        value: bool,
        negated: bool,
    },
    InList {
        operand: Box<Node>,
        list: Vec<Node>,
        negated: bool,
    },
    Between {
        operand: Box<Node>,
        low: Box<Node>,
        high: Box<Node>,
        negated: bool,
    },
    Like {
        operand: Box<Node>,
        pattern: Box<Node>,
        escape: Option<char>,
        ignore_case: bool,
        negated: bool,
    },
    /// The value of the first branch whose condition is true, or equal to `operand` if there is one.
    Case {
        operand: Option<Box<Node>>,
        branches: Vec<(Node, Node)>,
        otherwise: Option<Box<Node>>,
    },
    Cast {
        operand: Box<Node>,
        fallback: CastFailure,
    },
    Coalesce(Vec<Node>),
    /// `value`, or null where it is equal to `other`, whose type is the one to compare in.
    NullIf {
        value: Box<Node>,
        other: Box<Node>,
    },
    Greatest(Vec<Node>),
    Least(Vec<Node>),
    Abs(Box<Node>),
    Ceil(Box<Node>),
    Floor(Box<Node>),
    /// A number and decimal places as `INTEGER`.
    Round(Box<Node>, Option<Box<Node>>),
    DatePart(DatePart, Box<Node>),
    Length(Box<Node>),
    Lower(Box<Node>),
    Upper(Box<Node>),
    /// Text, start and length as `BIGINT`.
    Substring(Box<Node>, Box<Node>, Option<Box<Node>>),
    Trim(TrimSide, Box<Node>, Option<Box<Node>>),
    /// Joins text. Nulls are left out, or make the result null.
    Concat {
        operands: Vec<Node>,
        skip_nulls: bool,
    },
}

/// How a literal was written, which decides what types it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// Has its type and keeps it.
    Typed,
    /// An integer: takes the integer type beside it if it fits.
    Integer(i128),
    /// Text in quotes: is read as the type beside it.
    Text,
}

impl Plan {
    /// The operands.
    pub(crate) fn operands(&self) -> Vec<&Node> {
        match self {
            Plan::Column(_) | Plan::Literal(..) => Vec::new(),
            Plan::Negate(a)
            | Plan::Not(a)
            | Plan::IsNull { operand: a, .. }
            | Plan::IsBoolean { operand: a, .. }
            | Plan::Cast { operand: a, .. }
            | Plan::Abs(a)
            | Plan::Ceil(a)
            | Plan::Floor(a)
            | Plan::DatePart(_, a)
            | Plan::Length(a)
            | Plan::Lower(a)
            | Plan::Upper(a) => vec![a],
            Plan::Arithmetic(_, a, b)
            | Plan::ShiftDate(_, a, b)
            | Plan::DaysBetween(a, b)
            | Plan::Compare(_, a, b)
            | Plan::Distinct {
                left: a, right: b, ..
            }
            | Plan::Like {
                operand: a,
                pattern: b,
                ..
            }
            | Plan::NullIf { value: a, other: b } => vec![a, b],
            Plan::Round(a, b) | Plan::Trim(_, a, b) => {
                std::iter::once(a).chain(b).map(AsRef::as_ref).collect()
            }
            Plan::Substring(a, b, c) => [a, b].into_iter().chain(c).map(AsRef::as_ref).collect(),
            Plan::Between {
                operand, low, high, ..
            } => vec![operand, low, high],
            Plan::And(all)
            | Plan::Or(all)
            | Plan::Coalesce(all)
            | Plan::Greatest(all)
            | Plan::Least(all)
            | Plan::Concat { operands: all, .. } => all.iter().collect(),
            Plan::InList { operand, list, .. } => {
                std::iter::once(operand.as_ref()).chain(list).collect()
            }
            Plan::Case {
                operand,
                branches,
                otherwise,
            } => operand
                .as_deref()
                .into_iter()
                .chain(
                    branches
                        .iter()
                        .flat_map(|(condition, value)| [condition, value]),
                )
                .chain(otherwise.as_deref())
                .collect(),
        }
    }

    /// Whether this step, its operands aside, can fail on some value. `data_type` is its result's.
    pub(crate) fn can_fail(&self, data_type: &DataType) -> bool {
        match self {
            Plan::Arithmetic(..) | Plan::Negate(_) | Plan::Abs(_) | Plan::Round(..) => {
                !is_float(data_type)
            }
            Plan::ShiftDate(..) => true,
            Plan::Like { escape, .. } => escape.is_some(),
            Plan::NullIf { value, other } => cast_can_fail(&value.data_type, &other.data_type),
            Plan::Cast {
                operand,
                fallback: CastFailure::Error,
            } => cast_can_fail(&operand.data_type, data_type),
            _ => false,
        }
    }
}

/// Whether some value of `from` has no counterpart in `to`.
fn cast_can_fail(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, to) if from == to => false,
        (DataType::Null | DataType::Boolean, _) | (_, DataType::Utf8) => false,
        (from, DataType::Boolean) => *from == DataType::Utf8,
        (from, to) => match (
            crate::types::integer_range(from),
            crate::types::integer_range(to),
        ) {
            (Some((low, high)), Some((to_low, to_high))) => low < to_low || high > to_high,
            (Some(_), None) => false,
            _ => *from != DataType::Float32 || *to != DataType::Float64,
        },
    }
}
