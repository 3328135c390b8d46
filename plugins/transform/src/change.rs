//! What happens to one column.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, StringArray};
use arrow_schema::{DataType, Field};
use pinion_models::{
    Categories, Fill, ScaledColumn, check_number, is_number, is_text, numbers, texts,
};
use pinion_sdk::{Error, Result};

/// Fill, then scale, then encode; each only if it is there.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) fill: Option<Fill>,
    pub(crate) scale: Option<ScaledColumn>,
    pub(crate) categories: Option<Categories>,
}

/// The field that comes out for the field that goes in.
pub(crate) fn output_field(
    field: &Field,
    impute: bool,
    scale: bool,
    encode: bool,
) -> Result<Field> {
    let name = field.name();
    let text = is_text(field.data_type());
    if impute && !text && !is_number(field.data_type()) {
        return Err(Error::wrong_type(
            name,
            "a number or text",
            field.data_type(),
        ));
    }
    if scale {
        check_number(field)?;
    }
    if encode {
        if impute && !text {
            return Err(Error::bad_params(format!(
                "column `{name}` cannot be encoded after it is imputed"
            ))
            .with("column", name)
            .with("expected", "text")
            .with("found", field.data_type())
            .with(
                "hint",
                "an imputed number is `float64`, which has no categories",
            ));
        }
        Categories::check(field)?;
        return Ok(Field::new(name, DataType::Int32, true));
    }
    let data_type = if impute && text {
        DataType::Utf8
    } else {
        DataType::Float64
    };
    Ok(Field::new(name, data_type, !impute))
}

impl Change {
    /// The column as it comes out.
    pub(crate) fn apply(&self, name: &str, column: &ArrayRef) -> Result<(Field, ArrayRef)> {
        let mut column = column.clone();
        let mut nullable = true;
        if let Some(fill) = &self.fill {
            column = filled(name, &column, fill)?;
            nullable = false;
        }
        if let Some(scale) = &self.scale {
            let scaled: Float64Array = numbers(name, &column)?.unary(|value| scale.apply(value));
            column = Arc::new(scaled);
        }
        if let Some(categories) = &self.categories {
            column = Arc::new(categories.encode(name, &column)?);
            nullable = true;
        }
        Ok((
            Field::new(name, column.data_type().clone(), nullable),
            column,
        ))
    }
}

fn filled(name: &str, column: &ArrayRef, fill: &Fill) -> Result<ArrayRef> {
    match fill {
        Fill::Number(number) => {
            let numbers = numbers(name, column)?;
            let values: Vec<f64> = numbers
                .iter()
                .map(|value| value.unwrap_or(*number))
                .collect();
            Ok(Arc::new(Float64Array::from(values)))
        }
        Fill::Text(text) => {
            let texts = texts(name, column)?.into_iter();
            let values: StringArray = texts.map(|value| Some(value.unwrap_or(text))).collect();
            Ok(Arc::new(values))
        }
    }
}
