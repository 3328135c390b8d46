//! The two public stages: an expression, and an expression with types.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field};

use crate::column::column;
use crate::error::SqlError;
use crate::evaluate::evaluate;
use crate::parse::parse;
use crate::plan::Node;
use crate::resolve::resolve;
use crate::syntax::{Kind, Syntax};

/// One scalar SQL expression.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    syntax: Syntax,
    columns: Vec<String>,
}

/// An expression whose columns have types, ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Typed {
    node: Node,
    columns: Vec<(String, DataType)>,
}

impl Expression {
    /// Parses `text`, all of which must be one expression.
    ///
    /// # Errors
    /// - [`SqlError::Syntax`]: not an SQL expression.
    /// - [`SqlError::Unsupported`]: SQL that this crate does not evaluate.
    pub fn parse(text: &str) -> Result<Self, SqlError> {
        let syntax = parse(text)?;
        let mut columns = Vec::new();
        collect_columns(&syntax, &mut columns);
        Ok(Self {
            text: text.into(),
            syntax,
            columns,
        })
    }

    /// The text as it was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names of the columns it reads, each once, in order of first use.
    pub fn columns(&self) -> Vec<String> {
        self.columns.clone()
    }

    /// Gives every part a type. `field` is asked once for each of [`Self::columns`], in that order.
    ///
    /// # Errors
    /// - [`SqlError::UnknownColumn`]: `field` has none of that name; see [`SqlError::suggest`].
    /// - [`SqlError::ColumnType`]: a column of a type that expressions do not have.
    /// - [`SqlError::Unsupported`]: an integer wider than any type.
    /// - [`SqlError::Type`]: types that do not go together, or a literal that is not of its type.
    pub fn resolve(&self, field: &dyn Fn(&str) -> Option<Field>) -> Result<Typed, SqlError> {
        let fields: Vec<_> = self.columns.iter().map(|name| field(name)).collect();
        let node = resolve(&self.text, &self.syntax, &self.columns, &fields)?;
        let types = fields
            .into_iter()
            .flatten()
            .map(|field| field.data_type().clone());
        Ok(Typed {
            node,
            columns: self.columns.iter().cloned().zip(types).collect(),
        })
    }
}

impl Typed {
    /// The type of the result.
    pub fn data_type(&self) -> &DataType {
        &self.node.data_type
    }

    /// Whether the result may have nulls.
    pub fn nullable(&self) -> bool {
        self.node.nullable
    }

    /// The result as a field called `name`.
    pub fn field(&self, name: &str) -> Field {
        Field::new(name, self.node.data_type.clone(), self.node.nullable)
    }

    /// Evaluates the expression over one batch of `rows` rows. The result has `rows` values of
    /// [`Self::data_type`]. `column` is asked once for each column, in order of first use.
    ///
    /// # Errors
    /// As [`Self::evaluate_columns`].
    pub fn evaluate(
        &self,
        column: &dyn Fn(&str) -> ArrayRef,
        rows: usize,
    ) -> Result<ArrayRef, SqlError> {
        let columns: Vec<_> = self.columns.iter().map(|(name, _)| column(name)).collect();
        self.evaluate_columns(&columns, rows)
    }

    /// Evaluates the expression over `columns` of `rows` values each, in order of first use.
    ///
    /// # Errors
    /// - [`SqlError::Column`]: a column is missing, or of another type or length than it should have.
    /// - [`SqlError::Value`]: a row in which the expression has no result. Of several in one part of
    ///   the expression it is the first row.
    pub fn evaluate_columns(
        &self,
        columns: &[ArrayRef],
        rows: usize,
    ) -> Result<ArrayRef, SqlError> {
        let mut given = columns.iter();
        let mut columns = Vec::with_capacity(self.columns.len());
        for (name, data_type) in &self.columns {
            let mismatch = |found| SqlError::Column {
                name: name.clone(),
                expected: format!("{rows} values of {data_type}"),
                found,
            };
            let array = given.next().ok_or_else(|| mismatch("none".to_owned()))?;
            if array.data_type() != data_type || array.len() != rows {
                return Err(mismatch(format!(
                    "{} values of {}",
                    array.len(),
                    array.data_type()
                )));
            }
            // Resolving let only columns through that have a type here.
            columns.push(column(array).ok_or_else(|| mismatch(array.data_type().to_string()))?);
        }
        evaluate(&self.node, &columns, rows)
    }
}

fn collect_columns(syntax: &Syntax, columns: &mut Vec<String>) {
    let mut visit = |syntax: &Syntax| collect_columns(syntax, columns);
    match &syntax.kind {
        Kind::Column(name) => {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        Kind::Null
        | Kind::Boolean(_)
        | Kind::Integer(_)
        | Kind::Double(_)
        | Kind::Text(_)
        | Kind::TypedText(..) => {}
        Kind::Negate(operand)
        | Kind::Plus(operand)
        | Kind::Not(operand)
        | Kind::IsNull { operand, .. }
        | Kind::IsBoolean { operand, .. }
        | Kind::Cast { operand, .. } => visit(operand),
        Kind::And(operands) | Kind::Or(operands) | Kind::Call(_, operands) => {
            operands.iter().for_each(visit);
        }
        Kind::Arithmetic(_, left, right)
        | Kind::Compare(_, left, right)
        | Kind::Distinct { left, right, .. } => {
            visit(left);
            visit(right);
        }
        Kind::InList { operand, list, .. } => {
            visit(operand);
            list.iter().for_each(visit);
        }
        Kind::Between {
            operand, low, high, ..
        } => [operand, low, high]
            .into_iter()
            .for_each(|node| visit(node)),
        Kind::Like(like) => [&like.operand, &like.pattern].into_iter().for_each(visit),
        Kind::Case {
            operand,
            branches,
            otherwise,
        } => {
            operand.iter().for_each(|operand| visit(operand));
            for (condition, value) in branches {
                visit(condition);
                visit(value);
            }
            otherwise.iter().for_each(|value| visit(value));
        }
    }
}
