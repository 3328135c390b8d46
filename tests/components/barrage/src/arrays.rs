//! Columns of many types, and row numbers, with as little memory here as there can be.

use pinion_sdk::bindings::host::pinion::step::arrow::{self, Batch, Error, FieldParam, NodeParam};

const PLAIN: FieldParam<'_> = FieldParam {
    name: "x",
    format: "l",
    nullable: true,
    children: 0,
    metadata: &[],
};

/// Values of a column, at most.
fn rows(a: u64) -> u64 {
    match a % 8 {
        0 => 0,
        1 => 1,
        2 => 3,
        3 => 1000,
        4 => 65_536,
        5 => 300_000,
        6 => 1 << 20,
        _ => i32::MAX as u64,
    }
}

/// A column of some type, made of zeros.
fn column(kind: u64, rows: u64, then: &mut dyn FnMut(u64, &[FieldParam<'_>], &[NodeParam<'_>])) {
    let few = rows.min(300_000);
    let bits = vec![0xff; few.div_ceil(8) as usize];
    let zeros = vec![0; few as usize * 8 + 8];
    let item = |format| FieldParam {
        name: "item",
        format,
        ..PLAIN
    };
    let of = |format, children| FieldParam {
        format,
        children,
        ..PLAIN
    };
    let node = NodeParam {
        length: few,
        null_count: 0,
        buffers: &[],
    };
    let nothing: &[&[u8]] = &[&[]];
    match kind % 12 {
        0 => then(
            few,
            &[PLAIN],
            &[NodeParam {
                buffers: &[&[], &zeros],
                ..node
            }],
        ),
        1 => then(
            few,
            &[of("u", 0)],
            &[NodeParam {
                buffers: &[&[], &zeros[..few as usize * 4 + 4], &[]],
                ..node
            }],
        ),
        // One long text, and nothing else.
        2 => {
            let text = vec![b'x'; (few as usize * 16).min(1 << 20)];
            let offsets: Vec<u8> = [0, text.len() as i32]
                .iter()
                .flat_map(|at| at.to_le_bytes())
                .collect();
            then(
                1,
                &[of("u", 0)],
                &[NodeParam {
                    length: 1,
                    buffers: &[&[], &offsets, &text],
                    ..node
                }],
            );
        }
        // Nothing in them, and two gigabytes of it for each null.
        3 => then(
            0,
            &[of("w:2147483647", 0)],
            &[NodeParam {
                length: 0,
                buffers: &[&[], &[]],
                ..node
            }],
        ),
        4 => then(
            0,
            &[of("+w:2147483647", 1), item("w:2147483647")],
            &[
                NodeParam {
                    length: 0,
                    buffers: nothing,
                    ..node
                },
                NodeParam {
                    length: 0,
                    buffers: &[&[], &[]],
                    ..node
                },
            ],
        ),
        // One row of as many nulls as there can be, and the row is null.
        5 => then(
            1,
            &[of("+w:2147483647", 1), item("n")],
            &[
                NodeParam {
                    length: 1,
                    null_count: 1,
                    buffers: &[&[0]],
                },
                NodeParam {
                    length: i32::MAX as u64,
                    null_count: 0,
                    buffers: &[],
                },
            ],
        ),
        6 => then(
            rows,
            &[of("n", 0)],
            &[NodeParam {
                length: rows,
                ..node
            }],
        ),
        7 => {
            let child = rows.min(1 << 30);
            let offsets: Vec<u8> = [0, child as i32]
                .iter()
                .flat_map(|at| at.to_le_bytes())
                .collect();
            then(
                1,
                &[of("+l", 1), item("n")],
                &[
                    NodeParam {
                        length: 1,
                        buffers: &[&[], &offsets],
                        ..node
                    },
                    NodeParam {
                        length: child,
                        ..node
                    },
                ],
            );
        }
        // Views of the same bytes again and again.
        8 => {
            let views = few.min(4096);
            let text = vec![b'y'; 4096];
            let view: Vec<u8> = [4096_u32, u32::from_le_bytes(*b"yyyy"), 0, 0]
                .iter()
                .flat_map(|part| part.to_le_bytes())
                .collect();
            let views = view.repeat(views as usize);
            let length = views.len() as u64 / 16;
            then(
                length,
                &[of("vu", 0)],
                &[NodeParam {
                    length,
                    buffers: &[&[], &views, &text, &4096_i64.to_le_bytes()],
                    ..node
                }],
            );
        }
        9 => {
            let words: Vec<u8> = (0..=1000_i32)
                .flat_map(|at| (at * 7).to_le_bytes())
                .collect();
            let text = b"abcdefg".repeat(1000);
            let keys = vec![0; few as usize * 4];
            let dictionary = FieldParam {
                name: "dictionary",
                format: "u",
                ..PLAIN
            };
            then(
                few,
                &[of("i", 1), dictionary],
                &[
                    NodeParam {
                        buffers: &[&[], &keys],
                        ..node
                    },
                    NodeParam {
                        length: 1000,
                        buffers: &[&[], &words, &text],
                        ..node
                    },
                ],
            );
        }
        10 => then(
            few,
            &[of("b", 0)],
            &[NodeParam {
                buffers: &[&[], &bits],
                ..node
            }],
        ),
        _ => {
            let offsets: Vec<u8> = (0..=few as i32).flat_map(|at| at.to_le_bytes()).collect();
            then(
                few,
                &[of("+l", 1), item("l")],
                &[
                    NodeParam {
                        buffers: &[&[], &offsets],
                        ..node
                    },
                    NodeParam {
                        buffers: &[&[], &zeros],
                        ..node
                    },
                ],
            );
        }
    }
}

/// A batch of one column, or of very many.
pub(crate) fn make(a: u64, b: u64) -> Result<Batch, Error> {
    if b % 16 == 0 {
        let names: Vec<String> = (0..a % 70_000).map(|at| format!("c{at}")).collect();
        let fields: Vec<_> = names
            .iter()
            .map(|name| FieldParam {
                name,
                format: "n",
                ..PLAIN
            })
            .collect();
        let nodes = [NodeParam {
            length: 1,
            null_count: 0,
            buffers: &[],
        }];
        let columns = vec![&nodes[..]; fields.len()];
        return arrow::make_batch(1, &fields, &columns);
    }
    let mut made = None;
    column(b, rows(a), &mut |rows, fields, nodes| {
        made = Some(arrow::make_batch(rows, fields, &[nodes]));
    });
    made.unwrap_or_else(|| arrow::make_batch(0, &[], &[]))
}

/// The batch with one more column.
pub(crate) fn with(batch: &Batch, b: u64) -> Result<Batch, Error> {
    let mut made = None;
    column(b, batch.rows(), &mut |_, fields, nodes| {
        made = Some(batch.with_columns(fields, &[nodes]));
    });
    made.unwrap_or_else(|| batch.select(&[]))
}

/// Row numbers, many of them nulls, handed to whoever takes them.
pub(crate) fn take(
    from: impl Fn(&[NodeParam<'_>]) -> Result<Batch, Error>,
    b: u64,
) -> Result<Batch, Error> {
    let length = [0_usize, 1, 4, 1000, 100_000, 300_000][(b % 6) as usize];
    let all_null = (b >> 4) % 2 == 0;
    let validity = vec![0; if all_null { length.div_ceil(8) } else { 0 }];
    let values = vec![0; length * 8];
    from(&[NodeParam {
        length: length as u64,
        null_count: if all_null { length as u64 } else { 0 },
        buffers: &[&validity, &values],
    }])
}

/// A list as it is returned.
#[repr(C)]
struct Bytes {
    start: *mut u8,
    len: usize,
}

/// Random bytes.
pub(crate) fn random(b: u64) -> Vec<u8> {
    #[expect(
        unsafe_code,
        reason = "nothing else asks for as many bytes as one likes"
    )]
    #[link(wasm_import_module = "wasi:random/random@0.2.6")]
    unsafe extern "C" {
        #[link_name = "get-random-bytes"]
        fn get(len: u64, result: *mut Bytes);
    }
    let mut result = Bytes {
        start: std::ptr::null_mut(),
        len: 0,
    };
    #[expect(unsafe_code, reason = "as above")]
    // SAFETY: the result is where the canonical ABI puts a list, made by this allocator.
    unsafe {
        get(b % (70 << 20), &raw mut result);
        Vec::from_raw_parts(result.start, result.len, result.len)
    }
}
