"""Makes the files under `data/`, which are committed. Needs pyarrow."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

DATA = Path(__file__).parent / "data"
ZONES = ["Bern", "Oslo", "Turin", "Zürich", "São Paulo"]
START = datetime(2024, 3, 1, tzinfo=timezone.utc)
ROWS = 640


def main() -> None:
    random = Random(20240301)
    lines = []
    for number in range(ROWS):
        km = round(random.expovariate(0.2), 3)
        late = random.choice([0.0, 0.0, 0.0, 12.5])
        minutes = "" if number % 41 == 40 else round(3 * km + random.gauss(6, 2) + late, 4)
        at = START + timedelta(minutes=random.randrange(30 * 24 * 60))
        note = random.choice(["", "", "rain", "“two, please”", "zoë 🜁"])
        quoted = f'"{note}"' if "," in note else note
        fields = [number, at.strftime("%Y-%m-%dT%H:%M:%SZ"), random.choice(ZONES), km, minutes]
        fields += [f"{random.randrange(100, 9000) / 100:.2f}", random.randrange(1, 6), quoted]
        lines.append(",".join(map(str, fields)))
    half = ROWS // 2
    for name, part in [("trips-1.csv", lines[:half]), ("trips-2.csv", lines[half:])]:
        text = "id,at,zone,km,minutes,price,passengers,note\n" + "\n".join(part) + "\n"
        (DATA / name).write_bytes(text.encode())

    # Two zones are unknown.
    zones = {"zone": ZONES[:3], "rate": pa.array([1.25, None, 0.1]), "big": [True, False, True]}
    pq.write_table(pa.table(zones), DATA / "zones.parquet")

    times = [START + timedelta(hours=5 * hour) for hour in range(150)]
    depths = [None if number % 7 == 3 else random.gammavariate(0.5, 4) for number in range(150)]
    rain = {"measured_at": pa.array(times, pa.timestamp("us", "UTC")), "mm": pa.array(depths)}
    feather.write_feather(pa.table(rain), DATA / "rain.arrow", compression="uncompressed", chunksize=64)


main()
