//! Coercions: the type that operands meet in, and how they get there.

use arrow_schema::DataType;

use super::{Resolver, integer_array};
use crate::cast::cast;
use crate::error::{Excerpt, SqlError};
use crate::plan::{Node, Plan, Written};
use crate::syntax::{CastFailure, Place, Syntax};
use crate::types::{WIDE_INTEGER, common, is_integer, is_number, sql_name};

impl Resolver<'_> {
    /// Converts implicitly. A literal is converted here, so what it cannot be is an error here.
    pub(super) fn coerce(&self, operand: Node, to: &DataType) -> Result<Node, SqlError> {
        if operand.data_type == *to {
            return Ok(operand);
        }
        let Plan::Literal(array, _) = &operand.plan else {
            return Ok(cast_node(operand, to));
        };
        match cast(array, to, CastFailure::Error) {
            Ok(array) => {
                let plan = Plan::Literal(array, Written::Typed);
                Ok(Node {
                    plan,
                    data_type: to.clone(),
                    ..operand
                })
            }
            Err(fault) => Err(self.type_error_at(&operand, fault.what)),
        }
    }

    /// Converts operands to the type in which they are compared.
    pub(super) fn compared<const N: usize>(
        &self,
        operands: [Node; N],
    ) -> Result<[Node; N], SqlError> {
        let to = self.comparison_type(&operands)?;
        let columns = self.columns(&operands);
        let mut failed = None;
        let operands = operands.map(|operand| match self.coerce(operand.clone(), &to) {
            Ok(node) => node,
            Err(error) => {
                failed.get_or_insert(error);
                operand
            }
        });
        failed.map_or(Ok(operands), |error| Err(about(error, columns)))
    }

    pub(super) fn compared_all(&self, operands: Vec<Node>) -> Result<Vec<Node>, SqlError> {
        let to = self.comparison_type(&operands)?;
        self.coerce_all(operands, &to)
    }

    pub(super) fn comparison_type(&self, operands: &[Node]) -> Result<DataType, SqlError> {
        if let Some(to) = meet(operands) {
            return Ok(to);
        }
        if operands
            .iter()
            .all(|node| is_integer(&node.data_type) || node.data_type == DataType::Null)
        {
            return Ok(WIDE_INTEGER);
        }
        Err(self.no_common_type(operands, "be compared"))
    }

    /// Converts operands to the type of a column that has them all.
    pub(super) fn together(
        &self,
        syntax: &Syntax,
        operands: Vec<Node>,
        name: &str,
    ) -> Result<(DataType, Vec<Node>), SqlError> {
        let Some(to) = meet(&operands) else {
            let mut error = self.no_common_type(&operands, &format!("be mixed in `{name}`"));
            if let SqlError::Type { at, .. } = &mut error {
                *at = self.excerpt(syntax);
            }
            return Err(error);
        };
        let operands = self.coerce_all(operands, &to)?;
        Ok((to, operands))
    }

    /// Converts each, and says of a literal that cannot be converted what columns it stands beside.
    fn coerce_all(&self, operands: Vec<Node>, to: &DataType) -> Result<Vec<Node>, SqlError> {
        let columns = self.columns(&operands);
        operands
            .into_iter()
            .map(|operand| self.coerce(operand, to))
            .collect::<Result<_, _>>()
            .map_err(|error| about(error, columns))
    }

    pub(super) fn no_common_type(&self, operands: &[Node], what: &str) -> SqlError {
        let mut names: Vec<String> = Vec::new();
        for node in operands {
            let name = format!("`{}`", sql_name(&node.data_type));
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let what = format!("{} cannot {what} without a cast", names.join(" and "));
        let place = operands.first().map(|node| node.place).unwrap_or_default();
        self.type_error(place, operands, what)
    }

    /// The operand as a condition: numbers are true unless they are zero.
    pub(super) fn boolean(&self, operand: Node) -> Result<Node, SqlError> {
        let converts = is_number(&operand.data_type)
            || operand.data_type == DataType::Null
            || matches!(operand.plan, Plan::Literal(_, Written::Text));
        if operand.data_type == DataType::Boolean || converts {
            return self.coerce(operand, &DataType::Boolean);
        }
        Err(self.type_error_at(
            &operand,
            format!("`{}` is not a condition", sql_name(&operand.data_type)),
        ))
    }

    pub(super) fn text(&self, operand: Node, name: &str) -> Result<Node, SqlError> {
        match operand.data_type {
            DataType::Utf8 => Ok(operand),
            DataType::Null => self.coerce(operand, &DataType::Utf8),
            _ => Err(self.does_not_take(&operand, name)),
        }
    }

    /// The operand if it is a number, `NULL` as a number of type `null_as`.
    pub(super) fn number(&self, operand: Node, null_as: &DataType) -> Result<Node, SqlError> {
        match operand.data_type {
            DataType::Null => self.coerce(operand, null_as),
            _ => Ok(operand),
        }
    }

    pub(super) fn want_number(&self, operand: &Node, name: &str) -> Result<(), SqlError> {
        match is_number(&operand.data_type) || operand.data_type == DataType::Null {
            true => Ok(()),
            false => Err(self.does_not_take(operand, name)),
        }
    }

    pub(super) fn does_not_take(&self, operand: &Node, name: &str) -> SqlError {
        self.type_error_at(
            operand,
            format!("`{name}` does not take `{}`", sql_name(&operand.data_type)),
        )
    }

    pub(super) fn type_error(
        &self,
        place: Place,
        operands: &[Node],
        what: impl Into<String>,
    ) -> SqlError {
        SqlError::Type {
            what: what.into(),
            columns: self.columns(operands),
            at: Excerpt::new(self.text, place.line, place.column),
        }
    }

    pub(super) fn type_error_at(&self, operand: &Node, what: String) -> SqlError {
        self.type_error(operand.place, std::slice::from_ref(operand), what)
    }

    /// The names of the operands that are columns, each once.
    fn columns(&self, operands: &[Node]) -> Vec<String> {
        let mut columns = Vec::new();
        for node in operands {
            if let Plan::Column(index) = node.plan
                && let Some(name) = self.names.get(index)
                && !columns.contains(name)
            {
                columns.push(name.clone());
            }
        }
        columns
    }

    pub(super) fn excerpt(&self, syntax: &Syntax) -> Excerpt {
        Excerpt::new(self.text, syntax.place.line, syntax.place.column)
    }
}

/// The error, which is about `columns` unless it is about others.
fn about(mut error: SqlError, about: Vec<String>) -> SqlError {
    if let SqlError::Type { columns, .. } = &mut error
        && columns.is_empty()
    {
        *columns = about;
    }
    error
}

fn cast_node(operand: Node, to: &DataType) -> Node {
    let (place, label, nullable) = (operand.place, operand.label.clone(), operand.nullable);
    let (fallible, constant) = (operand.fallible, operand.constant);
    let plan = Plan::Cast {
        operand: Box::new(operand),
        fallback: CastFailure::Error,
    };
    let fallible = fallible || plan.can_fail(to);
    Node {
        plan,
        data_type: to.clone(),
        nullable,
        fallible,
        constant,
        place,
        label,
    }
}

/// The type in which all operands can stand in one column. Literals give way to what is not one.
pub(super) fn meet(operands: &[Node]) -> Option<DataType> {
    let mut firm: Option<DataType> = None;
    for node in operands
        .iter()
        .filter(|node| written(node) == Written::Typed)
    {
        firm = Some(match firm {
            Some(firm) => common(&firm, &node.data_type)?,
            None => node.data_type.clone(),
        });
    }
    let mut met = firm;
    for node in operands {
        if let Written::Integer(value) = written(node) {
            met = Some(match met {
                Some(met) if integer_array(value, &met).is_some() => met,
                Some(met) => common(&met, &node.data_type)?,
                None => node.data_type.clone(),
            });
        }
    }
    match met {
        // Text in quotes is read as the type of the others.
        Some(DataType::Null) | None
            if operands.iter().any(|node| written(node) == Written::Text) =>
        {
            Some(DataType::Utf8)
        }
        met => met,
    }
}

/// The type of `firm` if `literal` is an integer that it has room for.
pub(super) fn adopted_type(literal: &Node, firm: &Node) -> Option<DataType> {
    match (written(literal), written(firm)) {
        (Written::Integer(value), Written::Typed) => {
            integer_array(value, &firm.data_type).map(|_| firm.data_type.clone())
        }
        _ => None,
    }
}

pub(super) fn written(node: &Node) -> Written {
    match node.plan {
        Plan::Literal(_, written) => written,
        _ => Written::Typed,
    }
}
