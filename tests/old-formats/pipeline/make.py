"""Makes `data/rain.arrow`, which is committed. Needs pyarrow."""

from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.feather as feather

random = Random(7)
ROWS = 150
places = ["Bergen", "Cherrapunji", "Quibdó", "Arica", "雨崩"]
columns = {
    "place": pa.array([random.choice(places) for _ in range(ROWS)]).dictionary_encode(),
    "hour": pa.array([row % 24 for row in range(ROWS)], pa.uint8()),
    "warm": pa.array([random.gauss(12, 6) for _ in range(ROWS)]),
    "mm": pa.array([None if row % 11 == 5 else random.gammavariate(0.5, 4) for row in range(ROWS)]),
    "notes": pa.array([["damp"] * (row % 3) if row % 4 else None for row in range(ROWS)]),
}
path = Path(__file__).parent / "data" / "rain.arrow"
feather.write_feather(pa.table(columns), path, compression="uncompressed", chunksize=40)
