//! Functions: the types they take and give.

use arrow_schema::{DataType, TimeUnit};

use super::coerce::meet;
use super::{Resolver, node};
use crate::error::SqlError;
use crate::plan::{Node, Plan};
use crate::syntax::{CastFailure, DatePart, Function, Syntax};
use crate::types::{is_integer, sql_name};

impl Resolver<'_> {
    /// Resolves a call. The number of arguments has been checked by the parser.
    pub(super) fn call(
        &self,
        syntax: &Syntax,
        function: Function,
        arguments: Vec<Node>,
    ) -> Result<Node, SqlError> {
        let name = function.name();
        let nullable = arguments.iter().any(|node| node.nullable);
        let all_nullable = arguments.iter().all(|node| node.nullable);
        match function {
            Function::Coalesce => {
                let (data_type, arguments) = self.together(syntax, arguments, name)?;
                return Ok(node(
                    syntax,
                    Plan::Coalesce(arguments),
                    data_type,
                    all_nullable,
                ));
            }
            Function::Greatest => {
                let (data_type, arguments) = self.together(syntax, arguments, name)?;
                return Ok(node(
                    syntax,
                    Plan::Greatest(arguments),
                    data_type,
                    all_nullable,
                ));
            }
            Function::Least => {
                let (data_type, arguments) = self.together(syntax, arguments, name)?;
                return Ok(node(
                    syntax,
                    Plan::Least(arguments),
                    data_type,
                    all_nullable,
                ));
            }
            Function::Concat | Function::Pipes => {
                let skip_nulls = function == Function::Concat;
                let operands = arguments
                    .into_iter()
                    .map(|argument| {
                        self.cast(syntax, argument, &DataType::Utf8, CastFailure::Error)
                    })
                    .collect::<Result<_, _>>()?;
                let plan = Plan::Concat {
                    operands,
                    skip_nulls,
                };
                return Ok(node(syntax, plan, DataType::Utf8, nullable && !skip_nulls));
            }
            _ => {}
        }
        let mut arguments = arguments.into_iter();
        let mut next = || arguments.next();
        let Some(first) = next() else {
            return Err(self.type_error(syntax.place, &[], format!("`{name}` of nothing")));
        };
        let plan = match function {
            Function::Abs | Function::Ceil | Function::Floor | Function::Round => {
                self.want_number(&first, name)?;
                let null_as = if function == Function::Abs {
                    DataType::Int64
                } else {
                    DataType::Float64
                };
                let first = self.number(first, &null_as)?;
                match function {
                    Function::Abs => Plan::Abs(Box::new(first)),
                    Function::Round => {
                        let first = match first.data_type {
                            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
                                self.coerce(first, &DataType::Int64)?
                            }
                            _ => first,
                        };
                        let digits =
                            next().map(|digits| self.whole(digits, name, &DataType::Int32));
                        Plan::Round(Box::new(first), digits.transpose()?.map(Box::new))
                    }
                    // The whole numbers around an integer, as a double: it is what DuckDB gives.
                    _ => {
                        let to = match first.data_type {
                            DataType::Float32 => DataType::Float32,
                            _ => DataType::Float64,
                        };
                        let first = Box::new(self.coerce(first, &to)?);
                        if function == Function::Ceil {
                            Plan::Ceil(first)
                        } else {
                            Plan::Floor(first)
                        }
                    }
                }
            }
            Function::DatePart(part) => {
                let first = match first.data_type {
                    DataType::Date32 | DataType::Timestamp(..) => first,
                    DataType::Null => {
                        self.coerce(first, &DataType::Timestamp(TimeUnit::Microsecond, None))?
                    }
                    _ => return Err(self.does_not_take(&first, name)),
                };
                Plan::DatePart(part, Box::new(first))
            }
            Function::NullIf => {
                let Some(other) = next() else {
                    return Err(self.type_error(syntax.place, &[], "`nullif` of one argument"));
                };
                return self.null_if(syntax, first, other);
            }
            _ => {
                let first = Box::new(self.text(first, name)?);
                match function {
                    Function::Length => Plan::Length(first),
                    Function::Lower => Plan::Lower(first),
                    Function::Upper => Plan::Upper(first),
                    Function::Trim(side) => {
                        let characters = next().map(|characters| self.text(characters, name));
                        Plan::Trim(side, first, characters.transpose()?.map(Box::new))
                    }
                    _ => {
                        let whole = |node| self.whole(node, name, &DataType::Int64).map(Box::new);
                        let Some(start) = next() else {
                            return Err(self.type_error(
                                syntax.place,
                                &[],
                                format!("`{name}` without a start"),
                            ));
                        };
                        Plan::Substring(first, whole(start)?, next().map(whole).transpose()?)
                    }
                }
            }
        };
        let data_type = match &plan {
            Plan::Abs(operand)
            | Plan::Round(operand, _)
            | Plan::Ceil(operand)
            | Plan::Floor(operand) => operand.data_type.clone(),
            Plan::DatePart(DatePart::Epoch, _) => DataType::Float64,
            Plan::DatePart(..) | Plan::Length(_) => DataType::Int64,
            _ => DataType::Utf8,
        };
        Ok(node(syntax, plan, data_type, nullable))
    }

    /// `nullif` keeps the type of its first argument, and compares in the common one.
    fn null_if(&self, syntax: &Syntax, first: Node, other: Node) -> Result<Node, SqlError> {
        let mut pair = vec![first, other];
        let to = self.comparison_type(&pair)?;
        let (other, first) = (pair.pop(), pair.pop());
        let (Some(first), Some(other)) = (first, other) else {
            return Err(self.type_error(syntax.place, &[], "`nullif` of one argument"));
        };
        // Only a literal in quotes changes its type here, and `NULL`.
        let first = match meet(std::slice::from_ref(&first)) {
            Some(DataType::Utf8) => self.coerce(first, &to)?,
            _ => first,
        };
        let other = self.coerce(other, &to)?;
        let data_type = first.data_type.clone();
        let plan = Plan::NullIf {
            value: Box::new(first),
            other: Box::new(other),
        };
        Ok(node(syntax, plan, data_type, true))
    }

    /// A count of digits or characters.
    fn whole(&self, operand: Node, name: &str, to: &DataType) -> Result<Node, SqlError> {
        let fits = crate::types::common(&operand.data_type, to).as_ref() == Some(to);
        if (is_integer(&operand.data_type) || operand.data_type == DataType::Null) && fits {
            return self.coerce(operand, to);
        }
        let what = format!(
            "`{name}` counts in `{}`, not `{}`",
            sql_name(to),
            sql_name(&operand.data_type)
        );
        Err(self.type_error_at(&operand, what))
    }
}
