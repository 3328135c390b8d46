//! From text to [`Syntax`], by way of `sqlparser`.

mod dialect;
mod names;
mod place;

use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, CeilFloorKind, Expr, FunctionArg, FunctionArgExpr,
    FunctionArguments, TrimWhereField, UnaryOperator, Value,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use self::dialect::ColumnDialect;
use self::names::{construct_name, sql_type};
use self::place::{place, syntax_error};
use crate::error::{Excerpt, SqlError};
use crate::syntax::{
    ArithmeticOp, CastFailure, CompareOp, DatePart, Function, Kind, Like, Place, Syntax, TrimSide,
};

/// Levels an expression may nest. A guest's stack is small, and every level takes some of it.
const MAX_DEPTH: usize = 150;

/// Tokens an expression may have besides literals and commas, which bounds the parser's own recursion.
const MAX_TOKENS: usize = 4_000;

/// Characters of an expression that a message repeats.
const LABEL_CHARS: usize = 80;

/// Parses one scalar expression that fills the whole of `text`.
pub(crate) fn parse(text: &str) -> Result<Syntax, SqlError> {
    let dialect = ColumnDialect;
    let lowering = Lowering { text };
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| SqlError::Syntax {
            message: error.message,
            at: Excerpt::new(text, error.location.line, error.location.column),
        })?;
    let structural = tokens.iter().filter(|token| {
        !matches!(
            token.token,
            Token::Whitespace(_) | Token::Comma | Token::Number(..) | Token::SingleQuotedString(_)
        )
    });
    if structural.count() > MAX_TOKENS {
        let what = format!("an expression of more than {MAX_TOKENS} words and operators");
        return Err(lowering.unsupported(what, Place::default()));
    }
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let expr = parser
        .parse_expr()
        .map_err(|error| syntax_error(text, error))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let place = rest.span.start;
        return Err(SqlError::Syntax {
            message: format!("expected the end of the expression, found `{}`", rest.token),
            at: Excerpt::new(text, place.line, place.column),
        });
    }
    lowering.lower(&expr, MAX_DEPTH)
}

struct Lowering<'a> {
    text: &'a str,
}

impl Lowering<'_> {
    fn lower(&self, expr: &Expr, depth: usize) -> Result<Syntax, SqlError> {
        let place = place(expr);
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.unsupported(format!("nesting deeper than {MAX_DEPTH} levels"), place));
        };
        let boxed = |expr: &Expr| self.lower(expr, depth).map(Box::new);
        let kind = match expr {
            Expr::Nested(inner) => return self.lower(inner, depth),
            Expr::Identifier(ident) => Kind::Column(ident.value.clone()),
            Expr::Value(value) => self.literal(&value.value, place)?,
            Expr::TypedString(typed) => {
                let to = self.data_type(&typed.data_type, place)?;
                match self.literal(&typed.value.value, place)? {
                    Kind::Text(text) => Kind::TypedText(to, text),
                    _ => return Err(self.unsupported(format!("`{expr}`"), place)),
                }
            }
            Expr::UnaryOp { op, expr: operand } => match op {
                UnaryOperator::Minus => Kind::Negate(boxed(operand)?),
                UnaryOperator::Plus => Kind::Plus(boxed(operand)?),
                UnaryOperator::Not => Kind::Not(boxed(operand)?),
                other => return Err(self.unsupported(format!("the operator `{other}`"), place)),
            },
            Expr::BinaryOp { left, op, right } => {
                self.binary(expr, left, op, right, place, depth)?
            }
            Expr::IsNull(operand) => Kind::IsNull {
                operand: boxed(operand)?,
                negated: false,
            },
            Expr::IsNotNull(operand) => Kind::IsNull {
                operand: boxed(operand)?,
                negated: true,
            },
            Expr::IsTrue(operand) => is_boolean(boxed(operand)?, true, false),
            Expr::IsNotTrue(operand) => is_boolean(boxed(operand)?, true, true),
            Expr::IsFalse(operand) => is_boolean(boxed(operand)?, false, false),
            Expr::IsNotFalse(operand) => is_boolean(boxed(operand)?, false, true),
            Expr::IsDistinctFrom(left, right) => Kind::Distinct {
                left: boxed(left)?,
                right: boxed(right)?,
                negated: false,
            },
            Expr::IsNotDistinctFrom(left, right) => Kind::Distinct {
                left: boxed(left)?,
                right: boxed(right)?,
                negated: true,
            },
            Expr::InList {
                expr: operand,
                list,
                negated,
            } => Kind::InList {
                operand: boxed(operand)?,
                list: self.lower_all(list, depth)?,
                negated: *negated,
            },
            Expr::Between {
                expr: operand,
                negated,
                low,
                high,
            } => Kind::Between {
                operand: boxed(operand)?,
                low: boxed(low)?,
                high: boxed(high)?,
                negated: *negated,
            },
            Expr::Like {
                negated,
                any: false,
                expr: operand,
                pattern,
                escape_char,
            }
            | Expr::ILike {
                negated,
                any: false,
                expr: operand,
                pattern,
                escape_char,
            } => Kind::Like(Box::new(Like {
                operand: self.lower(operand, depth)?,
                pattern: self.lower(pattern, depth)?,
                escape: self.escape(escape_char.as_deref())?,
                ignore_case: matches!(expr, Expr::ILike { .. }),
                negated: *negated,
            })),
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => Kind::Case {
                operand: operand.as_deref().map(boxed).transpose()?,
                branches: conditions
                    .iter()
                    .map(|CaseWhen { condition, result }| {
                        Ok((self.lower(condition, depth)?, self.lower(result, depth)?))
                    })
                    .collect::<Result<_, SqlError>>()?,
                otherwise: else_result.as_deref().map(boxed).transpose()?,
            },
            Expr::Cast {
                kind,
                expr: operand,
                data_type,
                format: None,
            } => Kind::Cast {
                operand: boxed(operand)?,
                to: self.data_type(data_type, place)?,
                fallback: match kind {
                    CastKind::Cast | CastKind::DoubleColon => CastFailure::Error,
                    CastKind::TryCast | CastKind::SafeCast => CastFailure::Null,
                },
            },
            Expr::Extract {
                field,
                expr: operand,
                ..
            } => {
                let name = field.to_string();
                let part = self.date_part(name.trim_matches('\''), place)?;
                Kind::Call(Function::DatePart(part), vec![self.lower(operand, depth)?])
            }
            Expr::Ceil {
                expr: operand,
                field: CeilFloorKind::DateTimeField(field),
            }
            | Expr::Floor {
                expr: operand,
                field: CeilFloorKind::DateTimeField(field),
            } => {
                let function = match expr {
                    Expr::Ceil { .. } => Function::Ceil,
                    _ => Function::Floor,
                };
                if *field != sqlparser::ast::DateTimeField::NoDateTime {
                    return Err(self.unsupported(format!("`{} … TO`", function.name()), place));
                }
                Kind::Call(function, vec![self.lower(operand, depth)?])
            }
            Expr::Substring {
                expr: operand,
                substring_from: Some(from),
                substring_for,
                ..
            } => {
                let mut arguments = vec![self.lower(operand, depth)?, self.lower(from, depth)?];
                if let Some(length) = substring_for {
                    arguments.push(self.lower(length, depth)?);
                }
                Kind::Call(Function::Substring, arguments)
            }
            Expr::Trim {
                trim_where,
                trim_what,
                expr: operand,
                trim_characters,
            } => {
                let side = match trim_where {
                    None | Some(TrimWhereField::Both) => TrimSide::Both,
                    Some(TrimWhereField::Leading) => TrimSide::Leading,
                    Some(TrimWhereField::Trailing) => TrimSide::Trailing,
                };
                let characters = trim_characters.iter().flatten();
                let mut arguments = vec![self.lower(operand, depth)?];
                for argument in trim_what.as_deref().into_iter().chain(characters) {
                    arguments.push(self.lower(argument, depth)?);
                }
                if arguments.len() > 2 {
                    return Err(self.unsupported("`trim` of more than 2 arguments", place));
                }
                Kind::Call(Function::Trim(side), arguments)
            }
            Expr::Function(function) => self.call(function, place, depth)?,
            other => return Err(self.unsupported(construct_name(other), place)),
        };
        let label = match &kind {
            Kind::Negate(_)
            | Kind::Arithmetic(..)
            | Kind::Cast { .. }
            | Kind::Call(..)
            | Kind::Like(_) => shorten(&expr.to_string()),
            _ => String::new(),
        };
        Ok(Syntax { kind, place, label })
    }

    fn lower_all(&self, list: &[Expr], depth: usize) -> Result<Vec<Syntax>, SqlError> {
        list.iter().map(|expr| self.lower(expr, depth)).collect()
    }

    fn binary(
        &self,
        expr: &Expr,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        place: Place,
        depth: usize,
    ) -> Result<Kind, SqlError> {
        if matches!(op, BinaryOperator::And | BinaryOperator::Or) {
            let operands = self.lower_all_refs(chain(expr, op), depth)?;
            return Ok(match op {
                BinaryOperator::And => Kind::And(operands),
                _ => Kind::Or(operands),
            });
        }
        if let Some(op) = compare_op(op) {
            // `1 < x < 3` would compare a boolean with 3.
            if [left, right].iter().any(|side| is_comparison(side)) {
                return Err(
                    self.unsupported("a chain of comparisons (join them with `AND`)", place)
                );
            }
            let (left, right) = (self.lower(left, depth)?, self.lower(right, depth)?);
            return Ok(Kind::Compare(op, Box::new(left), Box::new(right)));
        }
        let arithmetic = match op {
            BinaryOperator::Plus => ArithmeticOp::Add,
            BinaryOperator::Minus => ArithmeticOp::Subtract,
            BinaryOperator::Multiply => ArithmeticOp::Multiply,
            BinaryOperator::Divide => ArithmeticOp::Divide,
            BinaryOperator::DuckIntegerDivide => ArithmeticOp::IntegerDivide,
            BinaryOperator::Modulo => ArithmeticOp::Modulo,
            BinaryOperator::StringConcat => {
                let operands = self.lower_all_refs(chain(expr, op), depth)?;
                return Ok(Kind::Call(Function::Pipes, operands));
            }
            other => return Err(self.unsupported(format!("the operator `{other}`"), place)),
        };
        let (left, right) = (self.lower(left, depth)?, self.lower(right, depth)?);
        Ok(Kind::Arithmetic(
            arithmetic,
            Box::new(left),
            Box::new(right),
        ))
    }

    fn lower_all_refs(&self, list: Vec<&Expr>, depth: usize) -> Result<Vec<Syntax>, SqlError> {
        list.into_iter()
            .map(|expr| self.lower(expr, depth))
            .collect()
    }

    fn call(
        &self,
        function: &sqlparser::ast::Function,
        place: Place,
        depth: usize,
    ) -> Result<Kind, SqlError> {
        let name = function.name.to_string();
        let unsupported = |what: &str| Err(self.unsupported(format!("{what} of `{name}`"), place));
        if function.over.is_some() {
            return unsupported("the window");
        }
        if function.filter.is_some()
            || function.null_treatment.is_some()
            || !function.within_group.is_empty()
        {
            return unsupported("a clause");
        }
        let FunctionArguments::List(list) = &function.args else {
            return Err(self.unsupported(format!("the function `{name}`"), place));
        };
        if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return unsupported("a clause");
        }
        let mut arguments = Vec::with_capacity(list.args.len());
        for argument in &list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument else {
                return unsupported("a named argument or `*`");
            };
            arguments.push(self.lower(argument, depth)?);
        }
        if name.eq_ignore_ascii_case("date_part") {
            let operand = arguments.pop();
            return match (arguments.as_slice(), operand) {
                (
                    [
                        Syntax {
                            kind: Kind::Text(part),
                            ..
                        },
                    ],
                    Some(operand),
                ) => {
                    let part = self.date_part(part, place)?;
                    Ok(Kind::Call(Function::DatePart(part), vec![operand]))
                }
                _ => {
                    Err(self.unsupported("`date_part` without a literal part and one value", place))
                }
            };
        }
        let Some((function, fewest, most)) = Function::named(&name) else {
            return Err(self.unsupported(format!("the function `{name}`"), place));
        };
        if !(fewest..=most).contains(&arguments.len()) {
            let what = format!("`{name}` of {} arguments", arguments.len());
            return Err(self.unsupported(what, place));
        }
        Ok(Kind::Call(function, arguments))
    }

    fn literal(&self, value: &Value, place: Place) -> Result<Kind, SqlError> {
        Ok(match value {
            Value::Null => Kind::Null,
            Value::Boolean(value) => Kind::Boolean(*value),
            Value::SingleQuotedString(text) => Kind::Text(text.clone()),
            Value::Number(digits, false) => {
                let digits = digits.replace('_', "");
                if let Ok(integer) = digits.parse::<i128>() {
                    Kind::Integer(integer)
                } else if let Ok(double) = digits.parse::<f64>() {
                    Kind::Double(double)
                } else {
                    return Err(self.unsupported(format!("the number `{digits}`"), place));
                }
            }
            other => return Err(self.unsupported(format!("the literal `{other}`"), place)),
        })
    }

    fn escape(&self, escape: Option<&Expr>) -> Result<Option<char>, SqlError> {
        let Some(escape) = escape else {
            return Ok(None);
        };
        let what = "`ESCAPE` with anything but at most one character";
        let Expr::Value(value) = escape else {
            return Err(self.unsupported(what, place(escape)));
        };
        let Value::SingleQuotedString(text) = &value.value else {
            return Err(self.unsupported(what, place(escape)));
        };
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (escape, None) => Ok(escape),
            _ => Err(self.unsupported(what, place(escape))),
        }
    }

    fn date_part(&self, name: &str, place: Place) -> Result<DatePart, SqlError> {
        DatePart::named(name)
            .ok_or_else(|| self.unsupported(format!("the date part `{name}`"), place))
    }

    fn data_type(
        &self,
        data_type: &sqlparser::ast::DataType,
        place: Place,
    ) -> Result<arrow_schema::DataType, SqlError> {
        sql_type(data_type)
            .ok_or_else(|| self.unsupported(format!("the type `{data_type}`"), place))
    }

    fn unsupported(&self, what: impl Into<String>, place: Place) -> SqlError {
        SqlError::Unsupported {
            what: what.into(),
            at: Excerpt::new(self.text, place.line, place.column),
        }
    }
}

/// The operands of `a op b op c …`, which the parser nests to the left, in order.
fn chain<'a>(mut expr: &'a Expr, chained: &BinaryOperator) -> Vec<&'a Expr> {
    let mut operands = Vec::new();
    while let Expr::BinaryOp { left, op, right } = expr {
        if op != chained {
            break;
        }
        operands.push(right.as_ref());
        expr = left;
    }
    operands.push(expr);
    operands.reverse();
    operands
}

fn is_boolean(operand: Box<Syntax>, value: bool, negated: bool) -> Kind {
    Kind::IsBoolean {
        operand,
        value,
        negated,
    }
}

fn is_comparison(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryOp { op, .. } if compare_op(op).is_some())
}

fn compare_op(op: &BinaryOperator) -> Option<CompareOp> {
    Some(match op {
        BinaryOperator::Eq => CompareOp::Equal,
        BinaryOperator::NotEq => CompareOp::NotEqual,
        BinaryOperator::Lt => CompareOp::Less,
        BinaryOperator::LtEq => CompareOp::LessOrEqual,
        BinaryOperator::Gt => CompareOp::Greater,
        BinaryOperator::GtEq => CompareOp::GreaterOrEqual,
        _ => return None,
    })
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LABEL_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
