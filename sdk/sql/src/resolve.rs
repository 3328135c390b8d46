//! From [`Syntax`] to [`Node`]: types, coercions, and what does not go together.

mod coerce;
mod functions;

use std::sync::Arc;

use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, NullArray, PrimitiveArray, StringArray};
use arrow_schema::{DataType, Field};

use self::coerce::{adopted_type, written};
use crate::error::SqlError;
use crate::plan::{Node, Plan, Written};
use crate::syntax::{ArithmeticOp, CastFailure, Kind, Like, Syntax};
use crate::types::{
    arithmetic, column_type, integer_range, is_float, is_integer, is_number, sql_name,
};

/// Resolves `syntax` over columns `names`, whose fields are `fields` where the table has them.
pub(crate) fn resolve(
    text: &str,
    syntax: &Syntax,
    names: &[String],
    fields: &[Option<Field>],
) -> Result<Node, SqlError> {
    Resolver {
        text,
        names,
        fields,
    }
    .resolve(syntax)
}

struct Resolver<'a> {
    text: &'a str,
    names: &'a [String],
    fields: &'a [Option<Field>],
}

impl Resolver<'_> {
    fn resolve(&self, syntax: &Syntax) -> Result<Node, SqlError> {
        match &syntax.kind {
            Kind::Column(name) => self.column(syntax, name),
            Kind::Null => Ok(literal(syntax, Arc::new(NullArray::new(1)), Written::Typed)),
            Kind::Boolean(value) => Ok(literal(
                syntax,
                Arc::new(BooleanArray::from(vec![*value])),
                Written::Typed,
            )),
            Kind::Integer(value) => self.integer(syntax, *value),
            Kind::Double(value) => Ok(literal(
                syntax,
                Arc::new(Float64Array::from(vec![*value])),
                Written::Typed,
            )),
            Kind::Text(text) => Ok(text_literal(syntax, text)),
            Kind::TypedText(to, text) => self.coerce(text_literal(syntax, text), to),
            Kind::Negate(operand) => self.negate(syntax, operand),
            Kind::Plus(operand) => {
                let operand = self.resolve(operand)?;
                self.want_number(&operand, "+")?;
                Ok(operand)
            }
            Kind::Not(operand) => {
                let operand = self.boolean(self.resolve(operand)?)?;
                let nullable = operand.nullable;
                Ok(node(
                    syntax,
                    Plan::Not(Box::new(operand)),
                    DataType::Boolean,
                    nullable,
                ))
            }
            Kind::And(operands) => self.connective(syntax, operands, Plan::And),
            Kind::Or(operands) => self.connective(syntax, operands, Plan::Or),
            Kind::Arithmetic(op, left, right) => {
                self.arithmetic(syntax, *op, self.resolve(left)?, self.resolve(right)?)
            }
            Kind::Compare(op, left, right) => {
                let [left, right] = self.compared([self.resolve(left)?, self.resolve(right)?])?;
                let nullable = left.nullable || right.nullable;
                let plan = Plan::Compare(*op, Box::new(left), Box::new(right));
                Ok(node(syntax, plan, DataType::Boolean, nullable))
            }
            Kind::Distinct {
                left,
                right,
                negated,
            } => {
                let [left, right] = self.compared([self.resolve(left)?, self.resolve(right)?])?;
                let plan = Plan::Distinct {
                    left: Box::new(left),
                    right: Box::new(right),
                    negated: *negated,
                };
                Ok(node(syntax, plan, DataType::Boolean, false))
            }
            Kind::IsNull { operand, negated } => {
                let operand = Box::new(self.resolve(operand)?);
                let plan = Plan::IsNull {
                    operand,
                    negated: *negated,
                };
                Ok(node(syntax, plan, DataType::Boolean, false))
            }
            Kind::IsBoolean {
                operand,
                value,
                negated,
            } => {
                let operand = Box::new(self.boolean(self.resolve(operand)?)?);
                let plan = Plan::IsBoolean {
                    operand,
                    value: *value,
                    negated: *negated,
                };
                Ok(node(syntax, plan, DataType::Boolean, false))
            }
            Kind::InList {
                operand,
                list,
                negated,
            } => {
                let mut all = vec![self.resolve(operand)?];
                for item in list {
                    all.push(self.resolve(item)?);
                }
                let nullable = all.iter().any(|node| node.nullable);
                let mut all = self.compared_all(all)?.into_iter();
                let Some(operand) = all.next() else {
                    return Err(self.type_error(syntax.place, &[], "`IN` of nothing"));
                };
                let plan = Plan::InList {
                    operand: Box::new(operand),
                    list: all.collect(),
                    negated: *negated,
                };
                Ok(node(syntax, plan, DataType::Boolean, nullable))
            }
            Kind::Between {
                operand,
                low,
                high,
                negated,
            } => {
                let all = [
                    self.resolve(operand)?,
                    self.resolve(low)?,
                    self.resolve(high)?,
                ];
                let nullable = all.iter().any(|node| node.nullable);
                let [operand, low, high] = self.compared(all)?.map(Box::new);
                let plan = Plan::Between {
                    operand,
                    low,
                    high,
                    negated: *negated,
                };
                Ok(node(syntax, plan, DataType::Boolean, nullable))
            }
            Kind::Like(like) => self.like(syntax, like),
            Kind::Case {
                operand,
                branches,
                otherwise,
            } => self.case(syntax, operand.as_deref(), branches, otherwise.as_deref()),
            Kind::Cast {
                operand,
                to,
                fallback,
            } => {
                let operand = self.resolve(operand)?;
                self.cast(syntax, operand, to, *fallback)
            }
            Kind::Call(function, arguments) => {
                let arguments = arguments
                    .iter()
                    .map(|argument| self.resolve(argument))
                    .collect::<Result<_, _>>()?;
                self.call(syntax, *function, arguments)
            }
        }
    }

    fn column(&self, syntax: &Syntax, name: &str) -> Result<Node, SqlError> {
        let at = || self.excerpt(syntax);
        let index = self.names.iter().position(|known| known == name);
        let field = index.and_then(|index| Some((index, self.fields.get(index)?.as_ref()?)));
        let Some((index, field)) = field else {
            return Err(SqlError::UnknownColumn {
                name: name.to_owned(),
                near: None,
                at: at(),
            });
        };
        let Some(data_type) = column_type(field.data_type()) else {
            return Err(SqlError::ColumnType {
                name: name.to_owned(),
                data_type: sql_name(field.data_type()).to_string(),
                at: at(),
            });
        };
        let nullable = field.is_nullable() || data_type == DataType::Null;
        Ok(node(syntax, Plan::Column(index), data_type, nullable))
    }

    fn integer(&self, syntax: &Syntax, value: i128) -> Result<Node, SqlError> {
        let natural = [DataType::Int32, DataType::Int64, DataType::UInt64]
            .into_iter()
            .find_map(|data_type| integer_array(value, &data_type));
        match natural {
            Some(array) => Ok(literal(syntax, array, Written::Integer(value))),
            None => Err(SqlError::Unsupported {
                what: format!("the integer `{value}`, which is wider than 64 bits,"),
                at: self.excerpt(syntax),
            }),
        }
    }

    fn negate(&self, syntax: &Syntax, operand: &Syntax) -> Result<Node, SqlError> {
        let operand = self.resolve(operand)?;
        if let Plan::Literal(_, Written::Integer(value)) = operand.plan {
            return self.integer(syntax, -value);
        }
        self.want_number(&operand, "-")?;
        let operand = self.number(operand, &DataType::Int64)?;
        let (data_type, nullable) = (operand.data_type.clone(), operand.nullable);
        Ok(node(
            syntax,
            Plan::Negate(Box::new(operand)),
            data_type,
            nullable,
        ))
    }

    fn connective(
        &self,
        syntax: &Syntax,
        operands: &[Syntax],
        plan: impl Fn(Vec<Node>) -> Plan,
    ) -> Result<Node, SqlError> {
        let operands = operands
            .iter()
            .map(|operand| self.boolean(self.resolve(operand)?))
            .collect::<Result<Vec<_>, _>>()?;
        let nullable = operands.iter().any(|node| node.nullable);
        Ok(node(syntax, plan(operands), DataType::Boolean, nullable))
    }

    fn arithmetic(
        &self,
        syntax: &Syntax,
        op: ArithmeticOp,
        left: Node,
        right: Node,
    ) -> Result<Node, SqlError> {
        let nullable = left.nullable || right.nullable;
        let is_days = |node: &Node| {
            matches!(written(node), Written::Integer(_))
                || matches!(
                    node.data_type,
                    DataType::Null
                        | DataType::Int8
                        | DataType::Int16
                        | DataType::Int32
                        | DataType::UInt8
                        | DataType::UInt16
                )
        };
        match (op, &left.data_type, &right.data_type) {
            (ArithmeticOp::Subtract, DataType::Date32, DataType::Date32) => {
                let plan = Plan::DaysBetween(Box::new(left), Box::new(right));
                return Ok(node(syntax, plan, DataType::Int64, nullable));
            }
            (ArithmeticOp::Add | ArithmeticOp::Subtract, DataType::Date32, _)
                if is_days(&right) =>
            {
                let days = self.coerce(right, &DataType::Int32)?;
                let plan = Plan::ShiftDate(op, Box::new(left), Box::new(days));
                return Ok(node(syntax, plan, DataType::Date32, nullable));
            }
            (ArithmeticOp::Add, _, DataType::Date32) if is_days(&left) => {
                let days = self.coerce(left, &DataType::Int32)?;
                let plan = Plan::ShiftDate(op, Box::new(right), Box::new(days));
                return Ok(node(syntax, plan, DataType::Date32, nullable));
            }
            _ => {}
        }
        let integers = is_integer(&left.data_type) && is_integer(&right.data_type);
        let adopted = adopted_type(&left, &right).or_else(|| adopted_type(&right, &left));
        let met = match (adopted, op) {
            (Some(adopted), _) => Some(adopted),
            // Integers need no common type to be divided as doubles.
            (None, ArithmeticOp::Divide) if integers => Some(DataType::Float64),
            (None, _) => arithmetic(&left.data_type, &right.data_type),
        };
        let Some(met) = met else {
            let types = format!(
                "`{}` and `{}`",
                sql_name(&left.data_type),
                sql_name(&right.data_type)
            );
            let symbol = op.symbol();
            let what = if integers {
                format!("{types} have no common type for `{symbol}`; cast one of them")
            } else {
                format!("`{symbol}` does not take {types}")
            };
            return Err(self.type_error(syntax.place, &[left, right], what));
        };
        let met = match (op, met) {
            (ArithmeticOp::Divide, met) if !is_float(&met) => DataType::Float64,
            (_, DataType::Null) => DataType::Int64,
            (_, met) => met,
        };
        let (left, right) = (self.coerce(left, &met)?, self.coerce(right, &met)?);
        let by_zero = matches!(
            op,
            ArithmeticOp::Divide | ArithmeticOp::IntegerDivide | ArithmeticOp::Modulo
        );
        let plan = Plan::Arithmetic(op, Box::new(left), Box::new(right));
        Ok(node(syntax, plan, met, nullable || by_zero))
    }

    fn like(&self, syntax: &Syntax, like: &Like) -> Result<Node, SqlError> {
        let operand = self.text(self.resolve(&like.operand)?, "LIKE")?;
        let pattern = self.text(self.resolve(&like.pattern)?, "LIKE")?;
        let nullable = operand.nullable || pattern.nullable;
        let plan = Plan::Like {
            operand: Box::new(operand),
            pattern: Box::new(pattern),
            escape: like.escape,
            ignore_case: like.ignore_case,
            negated: like.negated,
        };
        Ok(node(syntax, plan, DataType::Boolean, nullable))
    }

    fn case(
        &self,
        syntax: &Syntax,
        operand: Option<&Syntax>,
        branches: &[(Syntax, Syntax)],
        otherwise: Option<&Syntax>,
    ) -> Result<Node, SqlError> {
        let mut conditions = Vec::with_capacity(branches.len());
        let mut values = Vec::with_capacity(branches.len() + 1);
        for (condition, value) in branches {
            conditions.push(self.resolve(condition)?);
            values.push(self.resolve(value)?);
        }
        if let Some(value) = otherwise {
            values.push(self.resolve(value)?);
        }
        let operand = match operand {
            Some(operand) => {
                let all = std::iter::once(self.resolve(operand)?)
                    .chain(conditions)
                    .collect();
                let mut all = self.compared_all(all)?.into_iter();
                let operand = all.next();
                conditions = all.collect();
                operand.map(Box::new)
            }
            None => {
                conditions = conditions
                    .into_iter()
                    .map(|node| self.boolean(node))
                    .collect::<Result<_, _>>()?;
                None
            }
        };
        let nullable = otherwise.is_none() || values.iter().any(|node| node.nullable);
        let (data_type, values) = self.together(syntax, values, "CASE")?;
        let mut values = values.into_iter();
        let branches = conditions.into_iter().zip(values.by_ref()).collect();
        let otherwise = values.next().map(Box::new);
        Ok(node(
            syntax,
            Plan::Case {
                operand,
                branches,
                otherwise,
            },
            data_type,
            nullable,
        ))
    }

    fn cast(
        &self,
        syntax: &Syntax,
        operand: Node,
        to: &DataType,
        fallback: CastFailure,
    ) -> Result<Node, SqlError> {
        let from = &operand.data_type;
        let number = |data_type: &DataType| is_number(data_type) || *data_type == DataType::Boolean;
        let time =
            |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Timestamp(..));
        let possible = matches!(from, DataType::Null | DataType::Utf8)
            || *to == DataType::Utf8
            || (number(from) && number(to))
            || (time(from) && time(to));
        if !possible {
            let what = format!("`{}` cannot be cast to `{}`", sql_name(from), sql_name(to));
            return Err(self.type_error(syntax.place, &[operand], what));
        }
        let nullable = operand.nullable || fallback == CastFailure::Null;
        let plan = Plan::Cast {
            operand: Box::new(operand),
            fallback,
        };
        Ok(node(syntax, plan, to.clone(), nullable))
    }
}

fn node(syntax: &Syntax, plan: Plan, data_type: DataType, nullable: bool) -> Node {
    let operands = plan.operands();
    let fallible = plan.can_fail(&data_type) || operands.iter().any(|node| node.fallible);
    let constant = !matches!(plan, Plan::Column(_)) && operands.iter().all(|node| node.constant);
    let label = Arc::from(syntax.label.as_str());
    Node {
        plan,
        data_type,
        nullable,
        fallible,
        constant,
        place: syntax.place,
        label,
    }
}

fn literal(syntax: &Syntax, array: ArrayRef, written: Written) -> Node {
    let (data_type, nullable) = (
        array.data_type().clone(),
        array.is_null(0) || *array.data_type() == DataType::Null,
    );
    node(syntax, Plan::Literal(array, written), data_type, nullable)
}

fn text_literal(syntax: &Syntax, text: &str) -> Node {
    literal(
        syntax,
        Arc::new(StringArray::from(vec![text])),
        Written::Text,
    )
}

/// One value of an integer type, if it fits.
fn integer_array(value: i128, data_type: &DataType) -> Option<ArrayRef> {
    let (low, high) = integer_range(data_type)?;
    if !(low..=high).contains(&value) {
        return None;
    }
    macro_rules! array {
        ($type:ty) => {
            Arc::new(PrimitiveArray::<$type>::from_value(
                value.try_into().ok()?,
                1,
            ))
        };
    }
    Some(match data_type {
        DataType::Int8 => array!(Int8Type),
        DataType::Int16 => array!(Int16Type),
        DataType::Int32 => array!(Int32Type),
        DataType::Int64 => array!(Int64Type),
        DataType::UInt8 => array!(UInt8Type),
        DataType::UInt16 => array!(UInt16Type),
        DataType::UInt32 => array!(UInt32Type),
        DataType::UInt64 => array!(UInt64Type),
        _ => return None,
    })
}
