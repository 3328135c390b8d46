//! A source that breaks its contract in the way its params name.

use arrow_schema::{DataType, Field, FieldRef};
use pinion_sdk::{Batch, Blob, Descriptor, Range, Result, Source, TableWriter};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    mode: String,
}

struct Miscut;

impl Source for Miscut {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Breaks its contract.").output("rows", "One column `x`.")
    }

    fn probe(params: &Params, _bytes: &Blob) -> Result<Vec<FieldRef>> {
        let x = || Field::new("x", DataType::UInt64, true).into();
        Ok(if params.mode == "probe-twice" {
            vec![x(), x()]
        } else {
            vec![x()]
        })
    }

    fn partition(params: &Params, bytes: &Blob, _rows: u64) -> Result<Vec<Range>> {
        let range = |offset, len| Range {
            offset,
            len,
            hint: String::new(),
        };
        let len = bytes.len();
        Ok(match params.mode.as_str() {
            "overlap" => vec![range(0, 4), range(3, 2)],
            "backwards" => vec![range(4, 2), range(0, 2)],
            "beyond" => vec![range(0, len + 1)],
            "overflow" => vec![range(u64::MAX, 2)],
            _ => vec![range(0, len)],
        })
    }

    fn read(
        _params: &Params,
        _bytes: &Blob,
        _range: &Range,
        _columns: &[String],
        rows: &mut TableWriter,
    ) -> Result<()> {
        rows.write(&Batch::new(0, Vec::new())?)
    }
}

pinion_sdk::export!(Miscut: Source);
