"""Writes what scikit-learn, SciPy and NumPy find, for the native tests of the machine-learning steps.

Run with the versions in `requirements.txt`; the files land in `plugins/<name>/tests/data/`. The inputs
are made here from fixed seeds and stand in the files beside the figures, so that the Rust tests need
nothing else.
"""

import json
import math
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.preprocessing import MinMaxScaler, StandardScaler

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


def write(plugin: str, name: str, value: object) -> None:
    path = PLUGINS / plugin / "tests" / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain(value), indent=None, allow_nan=False, separators=(",", ":")) + "\n")


def plain(value: object) -> object:
    """JSON has no NaN: a missing value is null."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    count = 240
    cases = {
        "normal": rng.normal(40, 12, count),
        "far": 1e9 + rng.normal(0, 1e-3, count),
        "skewed": rng.lognormal(0, 3, count),
        "whole": rng.integers(-5, 6, count).astype(float),
        "constant": np.full(count, 0.1),
        "even": rng.normal(0, 1, count),
    }
    for name in ("normal", "skewed", "whole"):
        cases[name][rng.random(count) < 0.15] = np.nan
    return cases


def scaler() -> None:
    cases = columns()
    table = np.column_stack(list(cases.values()))
    standard, min_max = StandardScaler().fit(table), MinMaxScaler().fit(table)
    write(
        "fit-scaler",
        "scikit-learn.json",
        {
            "columns": cases,
            "mean": dict(zip(cases, standard.mean_)),
            "scale": dict(zip(cases, standard.scale_)),
            "min": dict(zip(cases, min_max.data_min_)),
            "range": dict(zip(cases, 1 / min_max.scale_)),
        },
    )


def imputer() -> None:
    cases = columns()
    table = np.column_stack(list(cases.values()))
    rng = np.random.default_rng(12)
    text = rng.choice(["UA", "AA", "9E", "B6"], 240, p=[0.3, 0.3, 0.1, 0.3]).astype(object)
    text[::7] = None
    filled = SimpleImputer(strategy="most_frequent", missing_values=None).fit(text.reshape(-1, 1))
    write(
        "fit-imputer",
        "scikit-learn.json",
        {
            "columns": cases,
            **{
                strategy: dict(zip(cases, SimpleImputer(strategy=strategy).fit(table).statistics_))
                for strategy in ("mean", "median", "most_frequent")
            },
            "text": text,
            "text_most_frequent": filled.statistics_[0],
        },
    )


def logistic_case(target, numeric, categorical, c):
    """`categorical` holds codes, -1 for none. One-hot by hand: every category its own column, none dropped."""
    parts = [np.column_stack(numeric)] if numeric else []
    widths = []
    for codes in categorical:
        width = int(codes.max()) + 1
        widths.append(width)
        parts.append((codes[:, None] == np.arange(width)[None, :]).astype(float))
    design = np.column_stack(parts)
    # Newton with a tight tolerance, so that the optimum itself is compared and not a stop rule.
    model = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=500).fit(design, target)
    default = LogisticRegression(C=c, solver="lbfgs", tol=1e-10, max_iter=100_000).fit(design, target)
    probability = model.predict_proba(design)[:, 1]
    loss = log_loss(target, probability)
    weights = model.coef_[0]
    objective = weights @ weights / 2 + c * loss * len(target)
    other = default.coef_[0]
    other_loss = log_loss(target, default.predict_proba(design)[:, 1])
    assert objective <= other @ other / 2 + c * other_loss * len(target) + 1e-9 * objective
    return {
        "c": c,
        "target": [bool(value) for value in target],
        "numeric": numeric,
        "categorical": [[None if code < 0 else int(code) for code in codes] for codes in categorical],
        "coefficients": weights,
        "intercept": model.intercept_[0],
        "objective": objective,
        "log_loss": loss,
        "auc": roc_auc_score(target, probability),
    }


def logistic() -> None:
    features, target = load_breast_cancer(return_X_y=True)
    scaled = StandardScaler().fit_transform(features)
    # Scaled, and five raw columns whose spreads differ by four orders of magnitude.
    write("fit-logistic", "breast-cancer.json", logistic_case(target, list(scaled.T[:12].round(6)), [], 1.0))
    write("fit-logistic", "breast-cancer-raw.json", logistic_case(target, list(features.T[[0, 2, 3, 4, 9]]), [], 1.0))

    rng = np.random.default_rng(13)
    count = 600
    carrier, origin = rng.integers(0, 16, count), rng.integers(0, 3, count)
    carrier[rng.random(count) < 0.05] = -1
    carrier[0] = 15
    distance, hour = rng.lognormal(6, 1, count).round(3), rng.integers(5, 24, count).astype(float)
    effect = rng.normal(0, 1, 17)
    log_odds = effect[carrier] + 0.5 * (origin == 1) + 0.1 * (hour - 12) - distance / 2000 - 0.8
    late = rng.random(count) < 1 / (1 + np.exp(-log_odds))
    write("fit-logistic", "categorical.json", logistic_case(late, [distance / 1000, hour], [carrier, origin], 1.0))
    write(
        "fit-logistic",
        "categorical-weak-penalty.json",
        logistic_case(late, [distance / 1000, hour], [carrier, origin], 1e4),
    )

    line = np.linspace(-3, 3, 80).round(4)
    write("fit-logistic", "separable.json", logistic_case(line > 0.1, [line, rng.normal(0, 1, 80).round(4)], [], 1.0))

    first = rng.normal(0, 1, 200).round(4)
    second = rng.normal(0, 1, 200).round(4)
    outcome = rng.random(200) < 1 / (1 + np.exp(-first + second))
    write("fit-logistic", "collinear.json", logistic_case(outcome, [first, second, first + second, 2 * first], [], 1.0))


def metrics(target, probability, prediction):
    """Null where a figure is not defined, which scikit-learn would call 0 or refuse."""
    target, prediction = np.asarray(target), np.asarray(prediction)
    tn, fp, fn, tp = (int(cell) for cell in confusion_matrix(target, prediction, labels=[False, True]).ravel())

    def score(function, defined):
        return function(target, prediction) if defined else None

    return {
        "rows": len(target),
        "positives": int(target.sum()),
        "accuracy": accuracy_score(target, prediction),
        "precision": score(precision_score, tp + fp),
        "recall": score(recall_score, tp + fn),
        "f1": score(f1_score, tp + fp + fn),
        "log_loss": log_loss(target, probability, labels=[False, True]),
        "brier": brier_score_loss(target, probability, pos_label=True),
        "auc": roc_auc_score(target, probability) if target.any() and not target.all() else None,
        "selection_rate": prediction.mean(),
        "true_positive_rate": tp / (tp + fn) if tp + fn else None,
        "false_positive_rate": fp / (fp + tn) if fp + tn else None,
    }


def evaluation() -> None:
    rng = np.random.default_rng(14)
    count = 400
    probability = rng.beta(1.5, 3, count)
    probability[::3] = probability[::3].round(1)  # Many ties, some of them 0 and 1.
    probability[5], probability[6] = 0.0, 1.0
    target = rng.random(count) < probability
    target[5] = True  # A sure error.
    carrier = rng.choice(["UA", "AA", "9E"], count).astype(object)
    carrier[::31] = None
    month = rng.integers(1, 13, count)
    target[month == 2] = False  # A slice of one class.
    target[month == 11] = True
    prediction = probability >= 0.4
    slices = [["overall", None, metrics(target, probability, prediction)]]

    def by(name, groups):
        for value, mask in groups:
            slices.append([name, value, metrics(target[mask], probability[mask], prediction[mask])])

    carriers = [
        ("9E", carrier == "9E"),
        ("AA", carrier == "AA"),
        ("UA", carrier == "UA"),
        ("null", np.equal(carrier, None)),
    ]
    by("carrier", carriers)
    by("month", [(str(m), month == m) for m in range(1, 13)])
    by(
        "carrier, month",
        [
            (f"{value}, {m}", mask & (month == m))
            for value, mask in carriers
            for m in range(1, 13)
            if (mask & (month == m)).any()
        ],
    )
    write(
        "evaluate-classification",
        "scikit-learn.json",
        {
            "target": target,
            "probability": probability,
            "carrier": carrier,
            "month": month,
            "threshold": 0.4,
            "metrics": slices,
        },
    )


def psi(reference, current):
    edges = np.quantile(reference, np.linspace(0, 1, 11))
    edges[0], edges[-1] = -np.inf, np.inf
    shares = [np.clip(np.histogram(side, edges)[0] / len(side), 1e-4, None) for side in (reference, current)]
    return ((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum()


def drift() -> None:
    rng = np.random.default_rng(7)
    reference, current = rng.normal(0, 1, 5000), rng.normal(0.2, 1.1, 5000)
    test = ks_2samp(reference, current, method="asymp")
    cases = []

    def case(name, reference, current):
        test = ks_2samp(reference, current, method="asymp")
        cases.append(
            {
                "name": name,
                "reference": reference,
                "current": current,
                "psi": psi(reference, current),
                "ks": test.statistic,
                "p_value": test.pvalue,
            }
        )

    case("shifted", reference[:900].round(6), current[:1100].round(6))
    case("same", reference[:700].round(6), reference[700:1500].round(6))
    case("ties", rng.integers(0, 30, 500).astype(float), rng.integers(2, 33, 400).astype(float))
    case("far", reference[:300].round(6), (reference[300:500] + 9).round(6))
    case("close", reference[:600].round(6), (reference[:600] + 0.05).round(6))
    write("measure-drift", "scipy.json", {"cases": cases})
    path = PLUGINS / "measure-drift" / "tests" / "data" / "normal-5000.csv"
    path.write_text("".join(f"{a!r},{b!r}\n" for a, b in zip(reference.tolist(), current.tolist())))
    print("normal-5000.csv:", repr(psi(reference, current)), repr(test.statistic), repr(test.pvalue))


if __name__ == "__main__":
    scaler()
    imputer()
    logistic()
    evaluation()
    drift()
