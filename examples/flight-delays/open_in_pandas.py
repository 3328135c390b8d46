# After `pinion export predict -o predictions.parquet`: how late each carrier was, and how late it was predicted to be.
import sys

import pandas as pd

predictions = pd.read_parquet(sys.argv[1] if len(sys.argv) > 1 else "predictions.parquet")
print(predictions.groupby("carrier")[["late", "probability"]].mean().sort_values("late").round(3))
