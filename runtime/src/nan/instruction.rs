//! What instructions mean for NaN bits.

use wasmparser::{BrTable, FrameKind, Operator};

use super::values::{Rule, Width};

/// Lanes of a vector of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lanes {
    F32x4,
    F64x2,
}

/// What an instruction does with the bits of its operands and results.
pub(super) enum Role<'a> {
    /// `block`, `loop` or `if`.
    Open(FrameKind),
    /// `else`.
    Else,
    /// `end`.
    End,
    /// `br`.
    Branch(u32),
    /// `br_if`.
    BranchIf(u32),
    /// `br_table`.
    BranchTable(&'a BrTable<'a>),
    /// `return`.
    Return,
    /// `unreachable`.
    Unreachable,
    /// Gives the canonical NaN with the engine's switch, and any without; bits of operands do not matter.
    Arithmetic(Width),
    /// The same for every lane.
    VectorArithmetic(Lanes),
    /// Gives one float that is no NaN.
    Number,
    /// Sees no more of a NaN than that it is one, and gives no float.
    Blind,
    /// Changes the sign.
    Sign(Rule),
    /// `select`.
    Select,
    /// `local.get`.
    LocalGet(u32),
    /// `local.set`.
    LocalSet(u32),
    /// `local.tee`.
    LocalTee(u32),
    /// Sees all bits of its operands, and gives exact ones.
    Observer,
}

const F32_NAN: u32 = 0x7f80_0000;
const F64_NAN: u64 = 0x7ff0_0000_0000_0000;

/// `None` for what belongs to a proposal that the pass does not know.
pub(super) fn role<'a>(operator: &'a Operator<'a>) -> Option<Role<'a>> {
    use Operator as O;
    Some(match operator {
        O::Block { .. } => Role::Open(FrameKind::Block),
        O::Loop { .. } => Role::Open(FrameKind::Loop),
        O::If { .. } => Role::Open(FrameKind::If),
        O::Else => Role::Else,
        O::End => Role::End,
        O::Br { relative_depth } => Role::Branch(*relative_depth),
        O::BrIf { relative_depth } => Role::BranchIf(*relative_depth),
        O::BrTable { targets } => Role::BranchTable(targets),
        O::Return => Role::Return,
        O::Unreachable => Role::Unreachable,

        O::F32Add
        | O::F32Sub
        | O::F32Mul
        | O::F32Div
        | O::F32Min
        | O::F32Max
        | O::F32Sqrt
        | O::F32Ceil
        | O::F32Floor
        | O::F32Trunc
        | O::F32Nearest
        | O::F32DemoteF64 => Role::Arithmetic(Width::F32),
        O::F64Add
        | O::F64Sub
        | O::F64Mul
        | O::F64Div
        | O::F64Min
        | O::F64Max
        | O::F64Sqrt
        | O::F64Ceil
        | O::F64Floor
        | O::F64Trunc
        | O::F64Nearest
        | O::F64PromoteF32 => Role::Arithmetic(Width::F64),

        O::F32x4Add
        | O::F32x4Sub
        | O::F32x4Mul
        | O::F32x4Div
        | O::F32x4Min
        | O::F32x4Max
        | O::F32x4Sqrt
        | O::F32x4Ceil
        | O::F32x4Floor
        | O::F32x4Trunc
        | O::F32x4Nearest
        | O::F32x4DemoteF64x2Zero => Role::VectorArithmetic(Lanes::F32x4),
        O::F64x2Add
        | O::F64x2Sub
        | O::F64x2Mul
        | O::F64x2Div
        | O::F64x2Min
        | O::F64x2Max
        | O::F64x2Sqrt
        | O::F64x2Ceil
        | O::F64x2Floor
        | O::F64x2Trunc
        | O::F64x2Nearest
        | O::F64x2PromoteLowF32x4 => Role::VectorArithmetic(Lanes::F64x2),

        O::F32Const { value } if value.bits() & !(1 << 31) <= F32_NAN => Role::Number,
        O::F64Const { value } if value.bits() & !(1 << 63) <= F64_NAN => Role::Number,
        O::F32ConvertI32S
        | O::F32ConvertI32U
        | O::F32ConvertI64S
        | O::F32ConvertI64U
        | O::F64ConvertI32S
        | O::F64ConvertI32U
        | O::F64ConvertI64S
        | O::F64ConvertI64U => Role::Number,

        O::F32Eq
        | O::F32Ne
        | O::F32Lt
        | O::F32Gt
        | O::F32Le
        | O::F32Ge
        | O::F64Eq
        | O::F64Ne
        | O::F64Lt
        | O::F64Gt
        | O::F64Le
        | O::F64Ge
        | O::I32TruncF32S
        | O::I32TruncF32U
        | O::I32TruncF64S
        | O::I32TruncF64U
        | O::I64TruncF32S
        | O::I64TruncF32U
        | O::I64TruncF64S
        | O::I64TruncF64U
        | O::I32TruncSatF32S
        | O::I32TruncSatF32U
        | O::I32TruncSatF64S
        | O::I32TruncSatF64U
        | O::I64TruncSatF32S
        | O::I64TruncSatF32U
        | O::I64TruncSatF64S
        | O::I64TruncSatF64U
        | O::Drop => Role::Blind,

        O::F32Neg | O::F64Neg => Role::Sign(Rule::Negate),
        O::F32Abs | O::F64Abs => Role::Sign(Rule::Absolute),
        O::Select | O::TypedSelect { .. } => Role::Select,
        O::LocalGet { local_index } => Role::LocalGet(*local_index),
        O::LocalSet { local_index } => Role::LocalSet(*local_index),
        O::LocalTee { local_index } => Role::LocalTee(*local_index),

        other => return known(other).then_some(Role::Observer),
    })
}

/// Whether an instruction belongs to WebAssembly 2.0, all of which was looked at for this pass.
fn known(operator: &Operator<'_>) -> bool {
    macro_rules! proposals {
        ($(@$proposal:ident $operator:ident $({ $($field:ident: $type:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
            match operator {
                $(Operator::$operator $({ $($field: _),* })? => stringify!($proposal),)*
                _ => "",
            }
        };
    }
    let proposal = wasmparser::for_each_operator!(proposals);
    matches!(
        proposal,
        "mvp"
            | "sign_extension"
            | "saturating_float_to_int"
            | "bulk_memory"
            | "reference_types"
            | "simd"
    )
}
