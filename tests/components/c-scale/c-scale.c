/* A row-map in C against the bare contract: multiplies a float64 column by a whole number.
 *
 * Nothing but the canonical ABI of the component model: no SDK, no generated code, no C library. Strings
 * and lists are a pointer and a length; records are laid out as their fields are, like C structs; results
 * that do not fit in one value are returned through a pointer.
 *
 * Params: {"column": "…", "factor": n}, as canonical JSON.
 */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))
#define ARROW "pinion:step/arrow@0.1.0"
#define STEP "pinion:step/step@0.1.0"
#define ROW_MAP "pinion:step/row-map@0.1.0"

typedef struct { const char *at; u32 len; } string;
typedef struct { void *at; u32 len; } list;

/* arrow.wit */
typedef struct { string name, format; u8 nullable; u32 children; list metadata; } field;
typedef struct { u64 length, null_count; list buffers; } node;
typedef struct { string code, message; list details; } error;
typedef struct { u8 is_some; list fields; } option_fields;
typedef struct { u8 is_error; union { u32 batch; error error; }; } result_batch;

/* step.wit */
typedef struct { string name, role, kind; u8 optional; list accepts; string doc; list annotations; } port;
typedef struct { string kind, summary; list inputs, outputs; string params_schema; list annotations; } descriptor;
typedef struct { string port, kind; list fields; string media_type; } port_shape;
typedef struct { string port; u32 rows; } output_batch;
typedef struct { u8 is_error; union { list list; error error; }; } result_list;
typedef struct { u8 is_error; error error; } result_none;

IMPORT(ARROW, "[method]batch.find") void batch_find(u32 self, const char *name, u32 len, option_fields *out);
IMPORT(ARROW, "[method]batch.column") void batch_column(u32 self, const char *name, u32 len, list *out);
IMPORT(ARROW, "[method]batch.with-columns")
void batch_with_columns(u32 self, const field *fields, u32 fields_len, const list *columns, u32 columns_len, result_batch *out);
IMPORT(ARROW, "[resource-drop]batch") void batch_drop(u32 self);

/* Memory is handed out in order and never given back, except all of it before each batch. */

extern u8 __heap_base;
static u32 heap;

static void *allocate(u32 size) {
    if (heap == 0) heap = (u32)&__heap_base;
    heap = (heap + 15) & ~15u;
    u32 start = heap, pages = __builtin_wasm_memory_size(0);
    if (size > 0x7fffffff - start) __builtin_trap();
    heap += size;
    u32 needed = (heap + 65535) >> 16;
    if (needed > pages && __builtin_wasm_memory_grow(0, needed - pages) == (u32)-1) __builtin_trap();
    return (void *)start;
}

EXPORT("cabi_realloc") void *cabi_realloc(void *old, u32 old_size, u32 align, u32 new_size) {
    (void)align;
    u8 *now = allocate(new_size);
    for (u32 at = 0; at < old_size && at < new_size; at++) now[at] = ((u8 *)old)[at];
    return now;
}

/* Text. */

static string text(const char *at) {
    u32 len = 0;
    while (at[len]) len++;
    return (string){at, len};
}

static int equal(string a, string b) {
    if (a.len != b.len) return 0;
    for (u32 at = 0; at < a.len; at++)
        if (a.at[at] != b.at[at]) return 0;
    return 1;
}

static error refuse(const char *code, const char *message) {
    return (error){text(code), text(message), {0, 0}};
}

/* Params. */

static char column_name[256];
static string column;
static double factor;

static int skip(string *json, const char *expected) {
    string wanted = text(expected);
    if (json->len < wanted.len || !equal((string){json->at, wanted.len}, wanted)) return 0;
    json->at += wanted.len;
    json->len -= wanted.len;
    return 1;
}

/* Canonical JSON has one form only: sorted keys, no spaces. Names with escapes are refused. */
static int parse(string json) {
    if (!skip(&json, "{\"column\":\"")) return 0;
    u32 len = 0;
    while (len < json.len && len < sizeof column_name && json.at[len] != '"') {
        if (json.at[len] == '\\') return 0;
        column_name[len] = json.at[len];
        len++;
    }
    column = (string){column_name, len};
    json.at += len;
    json.len -= len;
    if (!skip(&json, "\",\"factor\":")) return 0;
    double sign = skip(&json, "-") ? -1 : 1;
    if (json.len == 0 || json.at[0] == '}') return 0;
    for (factor = 0; json.len && json.at[0] >= '0' && json.at[0] <= '9'; json.at++, json.len--)
        factor = factor * 10 + (json.at[0] - '0');
    factor *= sign;
    return skip(&json, "}") && json.len == 0;
}

/* pinion:step/step */

EXPORT(STEP "#describe") descriptor *describe(void) {
    static port in, out;
    static descriptor all;
    in = (port){text("rows"), text("main"), text("table"), 0, {0, 0}, text("Needs the column."), {0, 0}};
    out = (port){text("rows"), text("out"), text("table"), 0, {0, 0}, text("The same rows, the column scaled."), {0, 0}};
    all = (descriptor){
        text("row-map"),
        text("Multiplies a column by a whole number."),
        {&in, 1},
        {&out, 1},
        text("{\"type\":\"object\",\"required\":[\"column\",\"factor\"],\"additionalProperties\":false,\"properties\":"
             "{\"column\":{\"type\":\"string\"},\"factor\":{\"type\":\"integer\"}}}"),
        {0, 0},
    };
    return &all;
}

EXPORT(STEP "#check") result_list *check(const char *params, u32 params_len, port_shape *inputs, u32 inputs_len) {
    static result_list result;
    result = (result_list){.is_error = 1};
    if (!parse((string){params, params_len})) {
        result.error = refuse("bad-params", "`column` and `factor`, a whole number, are needed");
        return &result;
    }
    result.error = refuse("missing-column", "the column is not there");
    for (u32 at = 0; at < inputs_len; at++) {
        const field *fields = inputs[at].fields.at;
        for (u32 of = 0; of < inputs[at].fields.len; of++) {
            if (!equal(fields[of].name, column)) continue;
            if (!equal(fields[of].format, text("g"))) {
                result.error = refuse("wrong-type", "the column is no float64");
                return &result;
            }
            result = (result_list){.is_error = 0, .list = {&inputs[at], 1}};
            return &result;
        }
    }
    return &result;
}

/* pinion:step/row-map */

EXPORT(ROW_MAP "#open") result_none *open(const char *params, u32 params_len, void *tables, u32 tables_len, void *blobs, u32 blobs_len) {
    static result_none result;
    (void)tables, (void)tables_len, (void)blobs, (void)blobs_len;
    result.is_error = !parse((string){params, params_len});
    if (result.is_error) result.error = refuse("bad-params", "`column` and `factor`, a whole number, are needed");
    return &result;
}

EXPORT(ROW_MAP "#apply") result_list *apply(u32 rows) {
    static result_list result;
    static output_batch output;
    result = (result_list){.is_error = 1, .error = refuse("missing-column", "the column is not there")};
    heap = 0;

    option_fields found;
    batch_find(rows, column.at, column.len, &found);
    if (found.is_some) {
        list nodes;
        batch_column(rows, column.at, column.len, &nodes);
        node *values = nodes.at;
        list *buffers = values->buffers.at;
        double *numbers = buffers[1].at;
        for (u64 at = 0; at < values->length; at++) numbers[at] *= factor;

        result_batch with;
        batch_with_columns(rows, found.fields.at, found.fields.len, &nodes, 1, &with);
        if (with.is_error) {
            result.error = with.error;
        } else {
            output = (output_batch){text("rows"), with.batch};
            result = (result_list){.is_error = 0, .list = {&output, 1}};
        }
    }
    /* A borrowed handle is given back before the call ends. */
    batch_drop(rows);
    return &result;
}
