"""Fits the model of `examples/flight-delays` with pandas and scikit-learn, from the raw Parquet files.

Joins, features, imputation, scaling and one-hot encoding are done here again, so that an agreement
says something about every step of the pipeline and not only about the last one.

    python flight_delays.py
        prints coefficients and metrics as JSON
    python flight_delays.py --compare MODEL ENCODER TRAIN HOLDOUT
        compares a Pinion run with them

MODEL and ENCODER are the models of `fit-logistic` and `fit-encoder`, TRAIN and HOLDOUT the tables of
`evaluate-classification` for the two parts, as `pinion export` writes them (JSON and Parquet).
Exit code 1 says that a figure is off; each such figure is printed.
"""

import argparse
import json
import pathlib
import sys

import pandas as pd
import pyarrow.parquet
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# What the model sees, all of it known before departure. `examples/flight-delays/pinion.toml` names the same.
NUMERIC = [
    "distance", "temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib",
    "age", "seats", "engines",
]  # fmt: skip
CATEGORICAL = ["carrier", "origin", "hour", "weekday", "engine"]
SLICES = ["carrier", "origin", "month"]

LATE_MINUTES = 15
CUT = pd.Timestamp("2013-10-01T04:00:00Z")  # midnight in New York

# Largest difference that counts as agreement.
COEFFICIENT_RELATIVE, COEFFICIENT_ABSOLUTE = 1e-5, 1e-9
AUC_ABSOLUTE = 1e-6
LOG_LOSS_ABSOLUTE = 1e-5

DATA = pathlib.Path(__file__).parents[2] / "examples" / "flight-delays" / "data"


def flights(data):
    """Returns one row per flight that arrived, with its weather, its plane, the features and `late`."""
    flights = pd.read_parquet(data / "flights.parquet")
    weather = pd.read_parquet(data / "weather.parquet").drop(columns=["year", "month", "day", "hour"])
    planes = pd.read_parquet(data / "planes.parquet").rename(columns={"year": "built"})

    rows = flights[flights["arr_delay"].notna()]
    rows = rows.merge(weather, how="left", on=["origin", "time_hour"], validate="many_to_one")
    rows = rows.merge(planes, how="left", on="tailnum", validate="many_to_one")

    # A station reports gusts only when there are any.
    rows["wind_gust"] = rows["wind_gust"].fillna(rows["wind_speed"])
    rows["weekday"] = pd.to_datetime(rows[["year", "month", "day"]]).dt.day_of_week + 1  # Monday is 1
    rows["age"] = rows["year"] - rows["built"]
    rows["engine"] = rows["engine"].fillna("unknown")
    rows["late"] = rows["arr_delay"] > LATE_MINUTES
    return rows.astype({column: float for column in NUMERIC})


def fit(train):
    """Returns the fitted pipeline: mean imputation, population scaling, one-hot encoding, logistic regression."""
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMERIC),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), CATEGORICAL),
    )
    # Minimises 0.5 |w|^2 + the sum of the log losses; the intercept is not penalised.
    logistic = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10, max_iter=100)
    return make_pipeline(encode, logistic).fit(train[NUMERIC + CATEGORICAL], train["late"])


def coefficients(model):
    """Returns the coefficients by feature: `distance`, `carrier=AA`."""
    encode, logistic = model[0], model[-1]
    names = list(NUMERIC)
    for column, categories in zip(CATEGORICAL, encode.transformers_[1][1].categories_, strict=True):
        names += [f"{column}={category}" for category in categories]
    return dict(zip(names, logistic.coef_[0].tolist(), strict=True))


def score(late, probability):
    """Returns the metrics of one set of rows; the AUC is null where all rows are of one class."""
    both = 0 < late.sum() < len(late)
    return {
        "rows": len(late),
        "late": int(late.sum()),
        "auc": float(roc_auc_score(late, probability)) if both else None,
        "log_loss": float(log_loss(late, probability, labels=[False, True])),
    }


def metrics(rows, probability):
    """Returns the metrics overall and by each slice, keyed by (column, value), and by ("overall", None)."""
    found = {("overall", None): score(rows["late"], probability)}
    for column in SLICES:
        for value, part in rows.groupby(column):
            found[column, str(value)] = score(part["late"], probability[part.index])
    return found


def oracle(data):
    """Returns every figure of the job, from the raw files."""
    rows = flights(data)
    before = rows["time_hour"] < CUT
    model = fit(rows[before])
    probability = pd.Series(model.predict_proba(rows[NUMERIC + CATEGORICAL])[:, 1], index=rows.index)
    return {
        "intercept": float(model[-1].intercept_[0]),
        "coefficients": coefficients(model),
        "train": metrics(rows[before], probability[before]),
        "holdout": metrics(rows[~before], probability[~before]),
    }


def pinion(model, encoder, train, holdout):
    """Returns the same figures from the files of a Pinion run."""
    logistic = json.loads(model.read_text())["model"]
    columns = json.loads(encoder.read_text())["model"]["columns"]
    coefficients = {feature["column"]: feature["coefficient"] for feature in logistic["numeric"]}
    for feature in logistic["categorical"]:
        # `{"text": ["AA", "AS"]}`: one coefficient for each category, in the same order.
        [categories] = columns[feature["column"]]["categories"].values()
        # `transform` encodes in place, so a column that is still needed as it was is encoded as a copy.
        column = feature["column"].removesuffix("_code")
        names = [f"{column}={category}" for category in categories]
        coefficients |= zip(names, feature["coefficients"], strict=True)
    return {
        "intercept": logistic["intercept"],
        "coefficients": coefficients,
        "train": read_metrics(train),
        "holdout": read_metrics(holdout),
    }


def read_metrics(path):
    """Returns what `metrics` returns, from a table of `evaluate-classification`."""
    found = {}
    for row in pyarrow.parquet.read_table(path).to_pylist():
        found[row["slice"], row["value"]] = {
            "rows": row["rows"],
            "late": row["positives"],
            "auc": row["auc"],
            "log_loss": row["log_loss"],
        }
    return found


def figures(result):
    """Returns all figures of a result by name, flat."""
    flat = {"intercept": result["intercept"]}
    flat |= {f"coefficient {name}": value for name, value in result["coefficients"].items()}
    for part in "train", "holdout":
        for (column, value), scores in result[part].items():
            where = f"{part} {column}" if value is None else f"{part} {column}={value}"
            flat |= {f"{where} {name}": figure for name, figure in scores.items()}
    return flat


def allowed(name, expected):
    """Returns the largest difference that counts as agreement."""
    if name.endswith(" auc"):
        return AUC_ABSOLUTE
    if name.endswith(" log_loss"):
        return LOG_LOSS_ABSOLUTE
    if name.endswith((" rows", " late")):
        return 0
    return COEFFICIENT_RELATIVE * abs(expected) + COEFFICIENT_ABSOLUTE


def compare(expected, found):
    """Prints how far the figures of each kind are apart at most, and every miss; returns whether there is none."""
    expected, found = figures(expected), figures(found)
    misses, worst = [], {}
    for name in sorted(expected.keys() | found.keys()):
        left, right = expected.get(name), found.get(name)
        if left is None or right is None:
            agrees = name in expected and name in found and left is right
        else:
            difference = abs(left - right)
            agrees = difference <= allowed(name, left)  # false for NaN
            kind = "coefficient" if name.startswith(("coefficient ", "intercept")) else name.rsplit(" ", 1)[-1]
            part = difference / abs(left) if kind == "coefficient" and left else difference
            worst[kind] = max(worst.get(kind, (0.0, name)), (part, name))
        if not agrees:
            misses.append(f"{name}: expected {left}, found {right}")
    for kind, (difference, name) in sorted(worst.items()):
        print(f"{kind}: at most {difference:.1e} {'relative' if kind == 'coefficient' else 'absolute'} ({name})")
    for miss in misses:
        print(miss, file=sys.stderr)
    print(f"{len(expected)} figures expected, {len(misses)} misses")
    return not misses


def as_json(result):
    """Returns a result as JSON, with the slices nested by column."""

    def nested(found):
        tree = {}
        for (column, value), scores in found.items():
            if value is None:
                tree[column] = scores
            else:
                tree.setdefault(column, {})[value] = scores
        return tree

    return json.dumps(result | {part: nested(result[part]) for part in ("train", "holdout")}, indent=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=DATA, help="directory with the Parquet files")
    parser.add_argument(
        "--compare",
        type=pathlib.Path,
        nargs=4,
        metavar=("MODEL", "ENCODER", "TRAIN", "HOLDOUT"),
        help="files of a Pinion run to compare with",
    )
    arguments = parser.parse_args()
    expected = oracle(arguments.data)
    if arguments.compare is None:
        print(as_json(expected))
        return 0
    return 0 if compare(expected, pinion(*arguments.compare)) else 1


if __name__ == "__main__":
    sys.exit(main())
