//! An expression as written: the part of SQL that this crate knows, and nothing else.

use arrow_schema::DataType;

/// A place in the text: line and column from 1, or zeros if unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// One node of an expression.
#[derive(Debug, Clone)]
pub(crate) struct Syntax {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// The node as text, shortened, for messages. Empty where no message needs it.
    pub(crate) label: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Column(String),
    Null,
    Boolean(bool),
    Integer(i128),
    Double(f64),
    Text(String),
    /// `DATE '…'` and the like.
    TypedText(DataType, String),
    Negate(Box<Syntax>),
    Plus(Box<Syntax>),
    Not(Box<Syntax>),
    And(Vec<Syntax>),
    Or(Vec<Syntax>),
    Arithmetic(ArithmeticOp, Box<Syntax>, Box<Syntax>),
    Compare(CompareOp, Box<Syntax>, Box<Syntax>),
    Distinct {
        left: Box<Syntax>,
        right: Box<Syntax>,
        negated: bool,
    },
    IsNull {
        operand: Box<Syntax>,
        negated: bool,
    },
    IsBoolean {
        operand: Box<Syntax>,
        value: bool,
        negated: bool,
    },
    InList {
        operand: Box<Syntax>,
        list: Vec<Syntax>,
        negated: bool,
    },
    Between {
        operand: Box<Syntax>,
        low: Box<Syntax>,
        high: Box<Syntax>,
        negated: bool,
    },
    Like(Box<Like>),
    Case {
        operand: Option<Box<Syntax>>,
        branches: Vec<(Syntax, Syntax)>,
        otherwise: Option<Box<Syntax>>,
    },
    Cast {
        operand: Box<Syntax>,
        to: DataType,
        fallback: CastFailure,
    },
    Call(Function, Vec<Syntax>),
}

#[derive(Debug, Clone)]
pub(crate) struct Like {
    pub(crate) operand: Syntax,
    pub(crate) pattern: Syntax,
    pub(crate) escape: Option<char>,
    pub(crate) ignore_case: bool,
    pub(crate) negated: bool,
}

/// What a cast does with a value that has no counterpart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CastFailure {
    Error,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    /// `/`, always in floating point.
    Divide,
    /// `//`: truncates for integers, is `/` for floats.
    IntegerDivide,
    /// `%`, with the sign of the dividend.
    Modulo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Functions with plain arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Abs,
    Ceil,
    Coalesce,
    Concat,
    DatePart(DatePart),
    Floor,
    Greatest,
    Least,
    Length,
    Lower,
    NullIf,
    Pipes,
    Round,
    Substring,
    Trim(TrimSide),
    Upper,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrimSide {
    Both,
    Leading,
    Trailing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatePart {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Epoch,
}

impl DatePart {
    /// The part of this name, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" | "years" => DatePart::Year,
            "quarter" | "quarters" => DatePart::Quarter,
            "month" | "months" => DatePart::Month,
            "week" | "weeks" => DatePart::Week,
            "day" | "days" => DatePart::Day,
            "dow" | "dayofweek" => DatePart::DayOfWeek,
            "isodow" => DatePart::IsoDayOfWeek,
            "doy" | "dayofyear" => DatePart::DayOfYear,
            "hour" | "hours" => DatePart::Hour,
            "minute" | "minutes" => DatePart::Minute,
            "second" | "seconds" => DatePart::Second,
            "epoch" => DatePart::Epoch,
            _ => return None,
        })
    }
}

impl Function {
    /// The function of this name, in any case, with the fewest and the most arguments it takes.
    pub(crate) fn named(name: &str) -> Option<(Self, usize, usize)> {
        Some(match name.to_ascii_lowercase().as_str() {
            "abs" => (Function::Abs, 1, 1),
            "ceil" | "ceiling" => (Function::Ceil, 1, 1),
            "coalesce" => (Function::Coalesce, 1, usize::MAX),
            "concat" => (Function::Concat, 1, usize::MAX),
            "floor" => (Function::Floor, 1, 1),
            "greatest" => (Function::Greatest, 1, usize::MAX),
            "ifnull" => (Function::Coalesce, 2, 2),
            "least" => (Function::Least, 1, usize::MAX),
            "length" | "len" | "char_length" | "character_length" => (Function::Length, 1, 1),
            "lower" | "lcase" => (Function::Lower, 1, 1),
            "ltrim" => (Function::Trim(TrimSide::Leading), 1, 2),
            "nullif" => (Function::NullIf, 2, 2),
            "round" => (Function::Round, 1, 2),
            "rtrim" => (Function::Trim(TrimSide::Trailing), 1, 2),
            "substr" | "substring" => (Function::Substring, 2, 3),
            "trim" => (Function::Trim(TrimSide::Both), 1, 2),
            "upper" | "ucase" => (Function::Upper, 1, 1),
            _ => return None,
        })
    }

    /// The function's name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Function::Abs => "abs",
            Function::Ceil => "ceil",
            Function::Coalesce => "coalesce",
            Function::Concat => "concat",
            Function::DatePart(_) => "extract",
            Function::Floor => "floor",
            Function::Greatest => "greatest",
            Function::Least => "least",
            Function::Length => "length",
            Function::Lower => "lower",
            Function::NullIf => "nullif",
            Function::Pipes => "||",
            Function::Round => "round",
            Function::Substring => "substr",
            Function::Trim(TrimSide::Both) => "trim",
            Function::Trim(TrimSide::Leading) => "ltrim",
            Function::Trim(TrimSide::Trailing) => "rtrim",
            Function::Upper => "upper",
        }
    }
}

impl ArithmeticOp {
    /// The operator as written.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            ArithmeticOp::Add => "+",
            ArithmeticOp::Subtract => "-",
            ArithmeticOp::Multiply => "*",
            ArithmeticOp::Divide => "/",
            ArithmeticOp::IntegerDivide => "//",
            ArithmeticOp::Modulo => "%",
        }
    }
}
