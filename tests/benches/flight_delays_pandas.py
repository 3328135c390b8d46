"""The job of `examples/flight-delays` as one plain pandas + scikit-learn script: the baseline for whole-process timing.

    python flight_delays_pandas.py [OUTPUT_DIRECTORY]

It reads, checks, joins, makes features, fits, predicts, and writes predictions, metrics and drift, one
thread or many as numpy decides. Nothing is cached between runs. `OMP_NUM_THREADS=1` makes it serial.
"""

import json
import pathlib
import sys

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, precision_score, recall_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

data = pathlib.Path(__file__).parents[2] / "examples" / "flight-delays" / "data"
output = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
output.mkdir(parents=True, exist_ok=True)

numeric = [
    "distance", "temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib",
    "age", "seats", "engines",
]  # fmt: skip
categorical = ["carrier", "origin", "hour", "weekday", "engine"]

# Read: only what is needed.
flights = pd.read_parquet(
    data / "flights.parquet",
    columns=["year", "month", "day", "arr_delay", "carrier", "tailnum", "origin", "distance", "hour", "time_hour"],
)
weather = pd.read_parquet(data / "weather.parquet", columns=["origin", "time_hour", *numeric[1:9]])
planes = pd.read_parquet(data / "planes.parquet", columns=["tailnum", "year", "seats", "engines", "engine"])

# Check.
assert flights["origin"].isin(["EWR", "JFK", "LGA"]).all()
assert flights["distance"].between(1, 6000).all()
assert flights["hour"].between(0, 23).all()
assert weather["humid"].dropna().between(0, 100).all()
assert weather["visib"].between(0, 10).all()
assert planes["tailnum"].is_unique

# Join and make features.
flights = flights[flights["arr_delay"].notna()]
rows = flights.merge(weather, how="left", on=["origin", "time_hour"], validate="many_to_one")
rows = rows.merge(planes.rename(columns={"year": "built"}), how="left", on="tailnum", validate="many_to_one")
rows["wind_gust"] = rows["wind_gust"].fillna(rows["wind_speed"])
rows["weekday"] = pd.to_datetime(rows[["year", "month", "day"]]).dt.day_of_week + 1
rows["age"] = rows["year"] - rows["built"]
rows["engine"] = rows["engine"].fillna("unknown")
rows["late"] = rows["arr_delay"] > 15

# Split, fit, predict.
before = rows["time_hour"] < pd.Timestamp("2013-10-01T04:00:00Z")
train, holdout = rows[before], rows[~before]
model = make_pipeline(
    make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numeric),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categorical),
    ),
    LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10),
)
model.fit(train[numeric + categorical], train["late"])
rows["probability"] = model.predict_proba(rows[numeric + categorical])[:, 1]
train, holdout = rows[before], rows[~before]


# Evaluate, overall and by slice.
def score(part):
    late, probability = part["late"], part["probability"]
    predicted = probability >= 0.5
    return {
        "rows": len(part),
        "late": int(late.sum()),
        "mean_probability": float(probability.mean()),
        "accuracy": float(accuracy_score(late, predicted)),
        "precision": float(precision_score(late, predicted, zero_division=0)),
        "recall": float(recall_score(late, predicted, zero_division=0)),
        "auc": float(roc_auc_score(late, probability)) if late.nunique() == 2 else None,
        "log_loss": float(log_loss(late, probability, labels=[False, True])),
        "brier": float(brier_score_loss(late, probability)),
    }


metrics = {}
for name, part in ("train", train), ("holdout", holdout):
    metrics[name] = {"overall": score(part)}
    for column in "carrier", "origin", "month":
        metrics[name][column] = {str(value): score(group) for value, group in part.groupby(column)}


# Measure the drift of the last quarter.
def psi(expected, actual):
    expected, actual = np.clip(expected / expected.sum(), 1e-4, None), np.clip(actual / actual.sum(), 1e-4, None)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


drift = {}
for column in [*numeric, "probability"]:
    expected, actual = train[column].dropna().to_numpy(float), holdout[column].dropna().to_numpy(float)
    inner = np.unique(np.quantile(expected, np.linspace(0, 1, 11)[1:-1]))
    counts = [
        np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(inner) + 1)
        for values in (expected, actual)
    ]
    drift[column] = {"psi": psi(*counts), "ks": float(ks_2samp(expected, actual, method="asymp").statistic)}
for column in categorical:
    expected, actual = train[column].value_counts().align(holdout[column].value_counts(), fill_value=0)
    drift[column] = {"psi": psi(expected.to_numpy(), actual.to_numpy())}

# Write.
holdout[["time_hour", "carrier", "origin", "month", "late", "probability"]].to_parquet(
    output / "predictions.parquet", index=False
)
(output / "metrics.json").write_text(json.dumps(metrics, indent=2))
(output / "drift.json").write_text(json.dumps(drift, indent=2))
print(json.dumps({name: part["overall"] for name, part in metrics.items()}, indent=2))
