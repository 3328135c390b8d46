//! Arrays and requests that are not valid, by name. Each must come back as an error, never as a batch.

use pinion_sdk::bindings::host::pinion::step::arrow::{self, Batch, Error, FieldParam, NodeParam};

const INT: FieldParam<'_> = FieldParam {
    name: "x",
    format: "l",
    nullable: true,
    children: 0,
    metadata: &[],
};
const TEXT: FieldParam<'_> = FieldParam { format: "u", ..INT };

/// Sends what `which` names to the host; gives back the host's error.
pub(crate) fn send(which: &str, rows: &Batch) -> Result<(), Error> {
    let made = match which {
        "short values" => make(3, INT, &[node(3, 0, &[&[], &[0; 16]])]),
        "other length" => make(3, INT, &[node(2, 0, &[&[], &[0; 16]])]),
        "huge length" => make(u64::MAX, INT, &[node(u64::MAX, 0, &[&[], &[]])]),
        "large length" => make(1 << 31, INT, &[node(1 << 31, 0, &[&[], &[]])]),
        "too many nulls" => make(1, INT, &[node(1, 2, &[&[0], &[0; 8]])]),
        "too few nulls" => make(2, INT, &[node(2, 1, &[&[0], &[0; 16]])]),
        "nulls without bitmap" => make(1, INT, &[node(1, 1, &[&[], &[0; 8]])]),
        "short bitmap" => make(9, INT, &[node(9, 9, &[&[0], &[0; 72]])]),
        "forbidden nulls" => make(
            1,
            FieldParam {
                nullable: false,
                ..INT
            },
            &[node(1, 1, &[&[0], &[0; 8]])],
        ),
        "no buffers" => make(1, INT, &[node(1, 0, &[])]),
        "too many buffers" => make(1, INT, &[node(1, 0, &[&[], &[0; 8], &[]])]),
        "no nodes" => make(1, INT, &[]),
        "too many nodes" => make(
            1,
            INT,
            &[node(1, 0, &[&[], &[0; 8]]), node(1, 0, &[&[], &[0; 8]])],
        ),
        "bad text" => make(
            1,
            TEXT,
            &[node(1, 0, &[&[], &offsets(&[0, 2]), &[0xc3, 0x28]])],
        ),
        "cut text" => make(
            2,
            TEXT,
            &[node(2, 0, &[&[], &offsets(&[0, 1, 2]), "é".as_bytes()])],
        ),
        "offsets backwards" => make(2, TEXT, &[node(2, 0, &[&[], &offsets(&[0, 2, 1]), b"ab"])]),
        "offsets beyond" => make(1, TEXT, &[node(1, 0, &[&[], &offsets(&[0, 3]), b"ab"])]),
        "offsets below" => make(1, TEXT, &[node(1, 0, &[&[], &offsets(&[-1, 1]), b"ab"])]),
        "no offsets" => make(1, TEXT, &[node(1, 0, &[&[], &offsets(&[0]), b"ab"])]),
        "unknown format" => make(
            0,
            FieldParam {
                format: "+ud:0",
                ..INT
            },
            &[node(0, 0, &[])],
        ),
        "empty format" => make(0, FieldParam { format: "", ..INT }, &[node(0, 0, &[])]),
        "missing children" => make(
            0,
            FieldParam {
                format: "+s",
                children: 4_000_000_000,
                ..INT
            },
            &[node(0, 0, &[&[]])],
        ),
        "surplus children" => make(0, FieldParam { children: 1, ..INT }, &[node(0, 0, &[&[]])]),
        "deep field" => {
            let mut fields = vec![
                FieldParam {
                    name: "item",
                    format: "+l",
                    children: 1,
                    ..INT
                };
                100
            ];
            fields.push(FieldParam {
                name: "item",
                ..INT
            });
            arrow::make_batch(0, &fields, &[&[]])
        }
        "metadata twice" => {
            let metadata = [("key", "1"), ("key", "2")];
            make(
                0,
                FieldParam {
                    metadata: &metadata,
                    ..INT
                },
                &[node(0, 0, &[&[], &[]])],
            )
        }
        "dictionary index" => {
            let fields = [
                FieldParam {
                    format: "c",
                    children: 1,
                    ..INT
                },
                FieldParam {
                    name: "dictionary",
                    ..TEXT
                },
            ];
            arrow::make_batch(
                1,
                &fields,
                &[&[
                    node(1, 0, &[&[], &[2]]),
                    node(1, 0, &[&[], &offsets(&[0, 1]), b"a"]),
                ]],
            )
        }
        "two names" => {
            let values = [node(1, 0, &[&[], &[0; 8]])];
            arrow::make_batch(1, &[INT, INT], &[&values, &values])
        }
        "fields without columns" => arrow::make_batch(1, &[INT], &[]),
        "mask length" => rows.filter(&[node(1, 0, &[&[], &[1]])]),
        "mask type" => rows.filter(&[node(rows.rows(), 0, &[&[]])]),
        "take beyond" => rows.take(&[node(1, 0, &[&[], &rows.rows().to_le_bytes()])]),
        "take nonsense" => rows.take(&[]),
        "slice beyond" => rows.slice(u64::MAX, 2),
        "select nothing" => rows.select(&["nowhere"]),
        "select twice" => rows.select(&["x", "x"]),
        "rename nothing" => rows.rename("nowhere", "here"),
        "rename onto" => rows.rename("x", "y"),
        "with other length" => rows.with_columns(
            &[FieldParam { name: "z", ..INT }],
            &[&[node(1, 0, &[&[], &[0; 8]])]],
        ),
        "zip itself" => rows.zip(rows),
        "zip other length" => rows.zip(&rows.slice(0, 1)?),
        "concat nothing" => Batch::concat(&[]),
        "concat others" => Batch::concat(&[rows, &rows.select(&["x"])?]),
        _ => Err(Error {
            code: "no-such-garbage".to_owned(),
            message: which.to_owned(),
            details: Vec::new(),
        }),
    };
    made.map(drop)
}

fn make(rows: u64, field: FieldParam<'_>, nodes: &[NodeParam<'_>]) -> Result<Batch, Error> {
    arrow::make_batch(rows, &[field], &[nodes])
}

fn node<'a>(length: u64, null_count: u64, buffers: &'a [&'a [u8]]) -> NodeParam<'a> {
    NodeParam {
        length,
        null_count,
        buffers,
    }
}

fn offsets(offsets: &[i32]) -> Vec<u8> {
    offsets
        .iter()
        .flat_map(|offset| offset.to_le_bytes())
        .collect()
}
