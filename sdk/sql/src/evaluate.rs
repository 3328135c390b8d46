//! Evaluates a resolved expression over one batch.
//!
//! A part that can fail, such as a cast, is evaluated on the rows that reach it and no others.
//! A part that cannot is evaluated on all rows, which gives the same values sooner.

use std::cell::RefCell;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use crate::cast::cast;
use crate::compare::{compare, distinct};
use crate::error::SqlError;
use crate::gather::{choose, nulls, take};
use crate::logic::{and, is_value, not, or};
use crate::plan::{Node, Plan};
use crate::syntax::{CastFailure, CompareOp};
use crate::value::{Fault, Value};
use crate::{arithmetic, text, time};

/// Evaluates `node` over `columns` of `rows` values each, in the order that its columns count in.
pub(crate) fn evaluate(
    node: &Node,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef, SqlError> {
    // An error needs a row that it happens in.
    if rows == 0 {
        return Ok(nulls(&node.data_type, 0));
    }
    let frame = Frame {
        rows,
        source: Source::Batch(columns),
    };
    Ok(frame.evaluate(node)?.into_rows(rows))
}

/// The rows at hand: those of the batch, or some of another frame's.
struct Frame<'a> {
    rows: usize,
    source: Source<'a>,
}

enum Source<'a> {
    Batch(&'a [ArrayRef]),
    Selection {
        parent: &'a Frame<'a>,
        /// Row numbers in the parent, ascending.
        indices: Vec<usize>,
        /// Columns selected so far, by index.
        columns: RefCell<Vec<(usize, ArrayRef)>>,
    },
}

impl Frame<'_> {
    fn evaluate(&self, node: &Node) -> Result<Value, SqlError> {
        match &node.plan {
            Plan::Literal(array, _) => Ok(Value {
                array: array.clone(),
                scalar: true,
            }),
            _ if node.constant && self.rows > 1 => {
                let array = self.select(vec![0]).compute(node)?;
                Ok(Value {
                    array,
                    scalar: true,
                })
            }
            _ => Ok(Value {
                array: self.compute(node)?,
                scalar: false,
            }),
        }
    }

    /// The values of one step, one for each row.
    fn compute(&self, node: &Node) -> Result<ArrayRef, SqlError> {
        let fault = |fault: Fault| SqlError::Value {
            what: fault.what,
            expression: node.label.to_string(),
            row: self.row(fault.row),
        };
        let one = |operand: &Node| Ok::<_, SqlError>(self.evaluate(operand)?.into_rows(self.rows));
        Ok(match &node.plan {
            Plan::Column(index) => self.column(*index)?,
            Plan::Literal(array, _) => array.clone(),
            Plan::Negate(operand) => arithmetic::negate(&one(operand)?).map_err(fault)?,
            Plan::Not(operand) => Arc::new(not(one(operand)?.as_boolean())),
            Plan::And(operands) => self.connective(operands, true)?,
            Plan::Or(operands) => self.connective(operands, false)?,
            Plan::Arithmetic(op, left, right) => {
                let (left, right) = (self.evaluate(left)?, self.evaluate(right)?);
                arithmetic::arithmetic(*op, &left, &right).map_err(fault)?
            }
            Plan::ShiftDate(op, date, days) => {
                let (date, days) = (self.evaluate(date)?, self.evaluate(days)?);
                arithmetic::shift_date(*op, &date, &days).map_err(fault)?
            }
            Plan::DaysBetween(left, right) => {
                arithmetic::days_between(&self.evaluate(left)?, &self.evaluate(right)?)
            }
            Plan::Compare(op, left, right) => {
                Arc::new(compare(*op, &self.evaluate(left)?, &self.evaluate(right)?))
            }
            Plan::Distinct {
                left,
                right,
                negated,
            } => {
                let differ = distinct(&self.evaluate(left)?, &self.evaluate(right)?);
                booleans(if *negated { !&differ } else { differ })
            }
            Plan::IsNull { operand, negated } => {
                let valid = valid(one(operand)?.as_ref());
                booleans(if *negated { valid } else { !&valid })
            }
            Plan::IsBoolean {
                operand,
                value,
                negated,
            } => {
                let operand = one(operand)?;
                let is = is_value(operand.as_boolean(), *value);
                booleans(if *negated { !&is } else { is })
            }
            Plan::InList {
                operand,
                list,
                negated,
            } => {
                let operand = self.evaluate(operand)?;
                let mut found = BooleanArray::new(BooleanBuffer::new_unset(self.rows), None);
                for item in list {
                    let equal = self.equal(&operand, item)?;
                    found = or(&found, &equal);
                }
                Arc::new(if *negated { not(&found) } else { found })
            }
            Plan::Between {
                operand,
                low,
                high,
                negated,
            } => {
                let operand = self.evaluate(operand)?;
                let above = self.full(compare(
                    CompareOp::GreaterOrEqual,
                    &operand,
                    &self.evaluate(low)?,
                ));
                let below = self.full(compare(
                    CompareOp::LessOrEqual,
                    &operand,
                    &self.evaluate(high)?,
                ));
                let between = and(above.as_boolean(), below.as_boolean());
                Arc::new(if *negated { not(&between) } else { between })
            }
            Plan::Like {
                operand,
                pattern,
                escape,
                ignore_case,
                negated,
            } => {
                let (operand, pattern) = (self.evaluate(operand)?, self.evaluate(pattern)?);
                Arc::new(
                    text::like(&operand, &pattern, *escape, *ignore_case, *negated)
                        .map_err(fault)?,
                )
            }
            Plan::Case {
                operand,
                branches,
                otherwise,
            } => self.case(node, operand.as_deref(), branches, otherwise.as_deref())?,
            Plan::Cast { operand, fallback } => {
                let operand = self.evaluate(operand)?;
                let array = cast(&operand.array, &node.data_type, *fallback).map_err(fault)?;
                Value { array, ..operand }.into_rows(self.rows)
            }
            Plan::Coalesce(operands) => {
                let mut result = nulls(&node.data_type, self.rows);
                for operand in operands {
                    let missing = !&valid(result.as_ref());
                    if missing.count_set_bits() == 0 {
                        break;
                    }
                    let value = self.evaluate_where(operand, &missing)?;
                    result = choose(&missing, &value, &result);
                }
                result
            }
            Plan::NullIf { value, other } => {
                let (value, other) = (one(value)?, self.evaluate(other)?);
                let same_type =
                    cast(&value, other.array.data_type(), CastFailure::Error).map_err(fault)?;
                let equal = compare(
                    CompareOp::Equal,
                    &Value {
                        array: same_type,
                        scalar: false,
                    },
                    &other,
                );
                choose(
                    &is_value(&equal, true),
                    &nulls(&node.data_type, self.rows),
                    &value,
                )
            }
            Plan::Greatest(operands) => self.extreme(node, operands, CompareOp::Greater)?,
            Plan::Least(operands) => self.extreme(node, operands, CompareOp::Less)?,
            Plan::Abs(operand) => arithmetic::abs(&one(operand)?).map_err(fault)?,
            Plan::Ceil(operand) => arithmetic::whole(&one(operand)?, true),
            Plan::Floor(operand) => arithmetic::whole(&one(operand)?, false),
            Plan::Round(operand, digits) => {
                let digits = digits
                    .as_deref()
                    .map(|digits| self.evaluate(digits))
                    .transpose()?;
                arithmetic::round(&self.evaluate(operand)?, digits.as_ref()).map_err(fault)?
            }
            Plan::DatePart(part, operand) => time::date_part(*part, &one(operand)?),
            Plan::Length(operand) => text::length(&one(operand)?),
            Plan::Lower(operand) => text::lower(&one(operand)?),
            Plan::Upper(operand) => text::upper(&one(operand)?),
            Plan::Substring(operand, start, length) => {
                let length = length
                    .as_deref()
                    .map(|length| self.evaluate(length))
                    .transpose()?;
                text::substring(
                    &self.evaluate(operand)?,
                    &self.evaluate(start)?,
                    length.as_ref(),
                )
            }
            Plan::Trim(side, operand, characters) => {
                let characters = characters
                    .as_deref()
                    .map(|node| self.evaluate(node))
                    .transpose()?;
                text::trim(*side, &self.evaluate(operand)?, characters.as_ref())
            }
            Plan::Concat {
                operands,
                skip_nulls,
            } => {
                let operands = operands
                    .iter()
                    .map(|node| self.evaluate(node))
                    .collect::<Result<Vec<_>, _>>()?;
                text::concat(&operands, *skip_nulls)
            }
        })
    }

    /// `AND`, or `OR`: each operand on the rows that those before it have not decided.
    fn connective(&self, operands: &[Node], all: bool) -> Result<ArrayRef, SqlError> {
        let mut result = BooleanArray::new(
            if all {
                BooleanBuffer::new_set(self.rows)
            } else {
                BooleanBuffer::new_unset(self.rows)
            },
            None,
        );
        for operand in operands {
            let undecided = !&is_value(&result, !all);
            let value = self.evaluate_where(operand, &undecided)?;
            let value = value.as_boolean();
            result = if all {
                and(&result, value)
            } else {
                or(&result, value)
            };
        }
        Ok(Arc::new(result))
    }

    fn case(
        &self,
        node: &Node,
        operand: Option<&Node>,
        branches: &[(Node, Node)],
        otherwise: Option<&Node>,
    ) -> Result<ArrayRef, SqlError> {
        let operand = operand.map(|operand| self.evaluate(operand)).transpose()?;
        let mut result = nulls(&node.data_type, self.rows);
        let mut left = BooleanBuffer::new_set(self.rows);
        for (condition, value) in branches {
            if left.count_set_bits() == 0 {
                return Ok(result);
            }
            let condition = self.evaluate_where(condition, &left)?;
            let condition = match &operand {
                Some(operand) => self.full(compare(
                    CompareOp::Equal,
                    operand,
                    &Value {
                        array: condition,
                        scalar: false,
                    },
                )),
                None => condition,
            };
            let reached = &is_value(condition.as_boolean(), true) & &left;
            left = &left & &!&reached;
            let value = self.evaluate_where(value, &reached)?;
            result = choose(&reached, &value, &result);
        }
        match otherwise {
            Some(value) => {
                let value = self.evaluate_where(value, &left)?;
                Ok(choose(&left, &value, &result))
            }
            None => Ok(result),
        }
    }

    /// The greatest or least of the values that are not null; of equal ones the first.
    fn extreme(
        &self,
        node: &Node,
        operands: &[Node],
        better: CompareOp,
    ) -> Result<ArrayRef, SqlError> {
        let mut best = nulls(&node.data_type, self.rows);
        for operand in operands {
            let next = self.evaluate(operand)?.into_rows(self.rows);
            let pair = [next, best].map(|array| Value {
                array,
                scalar: false,
            });
            let [next, best_so_far] = &pair;
            let takes_over = &is_value(&compare(better, next, best_so_far), true)
                | &(&valid(next.array.as_ref()) & &!&valid(best_so_far.array.as_ref()));
            best = choose(&takes_over, &next.array, &best_so_far.array);
        }
        Ok(best)
    }

    fn equal(&self, operand: &Value, item: &Node) -> Result<BooleanArray, SqlError> {
        let equal = compare(CompareOp::Equal, operand, &self.evaluate(item)?);
        Ok(self.full(equal).as_boolean().clone())
    }

    /// A result over two values, which has one row if both were scalars.
    fn full(&self, result: BooleanArray) -> ArrayRef {
        let scalar = result.len() == 1;
        Value {
            array: Arc::new(result),
            scalar,
        }
        .into_rows(self.rows)
    }

    /// Values of `node` in the rows of `mask`; those of other rows are of no account, and null if
    /// computing them could fail.
    fn evaluate_where(&self, node: &Node, mask: &BooleanBuffer) -> Result<ArrayRef, SqlError> {
        let reached = mask.count_set_bits();
        if !node.fallible || reached == self.rows {
            return Ok(self.evaluate(node)?.into_rows(self.rows));
        }
        if reached == 0 {
            return Ok(nulls(&node.data_type, self.rows));
        }
        let values = self
            .select(mask.set_indices().collect())
            .evaluate(node)?
            .into_rows(reached);
        // Puts the values back in their rows.
        let mut next = 0..reached;
        Ok(take(
            &values,
            mask.iter()
                .map(|is_reached| if is_reached { next.next() } else { None }),
        ))
    }

    fn select(&self, indices: Vec<usize>) -> Frame<'_> {
        let rows = indices.len();
        Frame {
            rows,
            source: Source::Selection {
                parent: self,
                indices,
                columns: RefCell::default(),
            },
        }
    }

    fn column(&self, index: usize) -> Result<ArrayRef, SqlError> {
        match &self.source {
            Source::Batch(columns) => columns.get(index).cloned().ok_or_else(|| SqlError::Column {
                name: index.to_string(),
                expected: "a column".to_owned(),
                found: "none".to_owned(),
            }),
            Source::Selection {
                parent,
                indices,
                columns,
            } => {
                if let Some((_, column)) =
                    columns.borrow().iter().find(|(known, _)| *known == index)
                {
                    return Ok(column.clone());
                }
                let column = take(&parent.column(index)?, indices.iter().map(|row| Some(*row)));
                columns.borrow_mut().push((index, column.clone()));
                Ok(column)
            }
        }
    }

    /// The row in the batch of a row at hand.
    fn row(&self, row: usize) -> usize {
        match &self.source {
            Source::Batch(_) => row,
            Source::Selection {
                parent, indices, ..
            } => parent.row(indices.get(row).copied().unwrap_or_default()),
        }
    }
}

fn booleans(values: BooleanBuffer) -> ArrayRef {
    Arc::new(BooleanArray::new(values, None))
}

fn valid(array: &dyn Array) -> BooleanBuffer {
    let rows = array.len();
    array
        .logical_nulls()
        .map_or_else(|| BooleanBuffer::new_set(rows), NullBuffer::into_inner)
}
