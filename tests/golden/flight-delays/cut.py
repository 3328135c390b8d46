"""Makes everything beside this file but `pinion.lock` and `expected.json`: the example `flight-delays`, of which
every 169th flight is left, with its weather and its plane. Needs pyarrow."""

import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent.parent / "examples" / "flight-delays"
# What of the pipeline is different: fewer rows, more partitions, and no crate to build.
CHANGES = {
    "rows = { min = 300_000 }": "rows = { min = 1_900, max = 2_000 }",
    'name = "flight-delays"': 'name = "flight-delays"\nbatch_rows = 100\npartition_batches = 3',
    'use = "./steps/label-late"': 'use = "./components/label-late.wasm"',
}


def main() -> None:
    data = HERE / "data"
    (HERE / "components").mkdir(exist_ok=True)
    data.mkdir(exist_ok=True)

    flights = pq.read_table(EXAMPLE / "data" / "flights.parquet")
    flights = flights.take(list(range(0, flights.num_rows, 169)))
    pq.write_table(flights, data / "flights.parquet", row_group_size=500)

    planes = pq.read_table(EXAMPLE / "data" / "planes.parquet")
    planes = planes.filter(pc.is_in(planes["tailnum"], flights["tailnum"].combine_chunks()))
    pq.write_table(planes, data / "planes.parquet")

    weather = pq.read_table(EXAMPLE / "data" / "weather.parquet")
    keys = flights.select(["origin", "time_hour"]).group_by(["origin", "time_hour"]).aggregate([])
    weather = weather.join(keys, ["origin", "time_hour"], join_type="left semi")
    weather = weather.sort_by([("origin", "ascending"), ("time_hour", "ascending")])
    pq.write_table(weather, data / "weather.parquet", row_group_size=500)

    pipeline = (EXAMPLE / "pinion.toml").read_text()
    for old, new in CHANGES.items():
        assert pipeline.count(old) == 1, old
        pipeline = pipeline.replace(old, new)
    (HERE / "pinion.toml").write_text(pipeline)
    component = Path("components") / "label-late.wasm"
    shutil.copyfile(EXAMPLE / component, HERE / component)
    print(flights.num_rows, planes.num_rows, weather.num_rows)


main()
