// Hello world: a step that hands its rows on.

const port = (role) => ({
  name: "rows",
  role,
  kind: "table",
  optional: false,
  accepts: [],
  doc: "",
  annotations: [],
});

export const step = {
  describe: () => ({
    kind: "row-map",
    summary: "Says hello.",
    inputs: [port("main")],
    outputs: [port("out")],
    paramsSchema: '{"type": "object"}',
    annotations: [],
  }),
  check: (params, inputs) => inputs,
};

export const rowMap = {
  open(params, side) {},
  apply: (rows) => [{ port: "rows", rows: rows.slice(0n, rows.rows()) }],
};
