"""Writes what scikit-learn, SciPy and NumPy find, for the native tests of the machine-learning steps.

Run with the versions in `requirements.txt`; the files land in `plugins/<name>/tests/data/`. The inputs
are made here from fixed seeds and stand in the files beside the figures, so that the Rust tests need
nothing else.
"""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_absolute_percentage_error,
    median_absolute_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    root_mean_squared_error,
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


def design_of(numeric, categorical):
    """`categorical` holds codes, -1 for none. One-hot by hand: every category its own column, none dropped."""
    parts = [np.column_stack(numeric)] if numeric else []
    for codes in categorical:
        parts.append((codes[:, None] == np.arange(int(codes.max()) + 1)[None, :]).astype(float))
    return np.column_stack(parts)


def nullable(categorical):
    return [[None if code < 0 else int(code) for code in codes] for codes in categorical]


def logistic_case(target, numeric, categorical, c):
    design = design_of(numeric, categorical)
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
        "categorical": nullable(categorical),
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


def exact_fit(target, design):
    """Least squares with an intercept, in rational numbers: what the floats stand for, rounded once."""
    rows = [[Fraction(1), *map(Fraction, row), Fraction(value)] for row, value in zip(design.tolist(), target.tolist())]
    size = len(rows[0]) - 1
    system = [[sum(row[i] * row[j] for row in rows) for j in range(size + 1)] for i in range(size)]
    for pivot in range(size):
        system[pivot] = [value / system[pivot][pivot] for value in system[pivot]]
        for row in range(size):
            if row != pivot:
                factor = system[row][pivot]
                system[row] = [a - factor * b for a, b in zip(system[row], system[pivot])]
    solution = [row[size] for row in system]
    errors = [sum(a * b for a, b in zip(row, solution)) - row[size] for row in rows]
    return [float(value) for value in solution], float(sum(error**2 for error in errors))


def linear_case(name, target, numeric, categorical=(), weights=None, alpha=0.0, fit_intercept=True, exact=False):
    target = np.asarray(target, dtype=float)
    design = design_of(numeric, categorical)
    rank = None
    if exact:
        (intercept, *coefficients), objective = exact_fit(target, design)
    else:
        if alpha:
            model = Ridge(alpha=alpha, fit_intercept=fit_intercept, solver="svd")
        else:
            model = LinearRegression(fit_intercept=fit_intercept)
        model.fit(design, target, sample_weight=weights)
        intercept, coefficients = model.intercept_, model.coef_
        rank = None if alpha else int(model.rank_)
        squares = (target - model.predict(design)) ** 2
        objective = np.average(squares, weights=weights) * (np.sum(weights) if weights is not None else len(target))
        objective += alpha * coefficients @ coefficients
    write(
        "fit-linear",
        f"{name}.json",
        {
            "alpha": alpha,
            "fit_intercept": fit_intercept,
            "target": target,
            "numeric": numeric,
            "categorical": nullable(categorical),
            "weights": weights,
            "coefficients": coefficients,
            "intercept": float(intercept),
            "objective": objective,
            "rank": rank,
        },
    )
    return intercept, coefficients


# NIST, Statistical Reference Datasets, https://www.itl.nist.gov/div898/strd/lls/lls.shtml, with certified values.
LONGLEY = """60323 83.0 234289 2356 1590 107608 1947; 61122 88.5 259426 2325 1456 108632 1948
60171 88.2 258054 3682 1616 109773 1949; 61187 89.5 284599 3351 1650 110929 1950
63221 96.2 328975 2099 3099 112075 1951; 63639 98.1 346999 1932 3594 113270 1952
64989 99.0 365385 1870 3547 115094 1953; 63761 100.0 363112 3578 3350 116219 1954
66019 101.2 397469 2904 3048 117388 1955; 67857 104.6 419180 2822 2857 118734 1956
68169 108.4 442769 2936 2798 120445 1957; 66513 110.8 444546 4681 2637 121950 1958
68655 112.6 482704 3813 2552 123366 1959; 69564 114.2 502601 3931 2514 125368 1960
69331 115.7 518173 4806 2572 127852 1961; 70551 116.9 554894 4007 2827 130081 1962"""
LONGLEY_CERTIFIED = [
    -3482258.63459582,
    15.0618722713733,
    -0.358191792925910e-01,
    -2.02022980381683,
    -1.03322686717359,
    -0.511041056535807e-01,
    1829.15146461355,
]
FILIP = """0.8116 -6.860120914; 0.9072 -4.324130045; 0.9052 -4.358625055; 0.9039 -4.358426747; 0.8053 -6.955852379
0.8377 -6.661145254; 0.8667 -6.355462942; 0.8809 -6.118102026; 0.7975 -7.115148017; 0.8162 -6.815308569
0.8515 -6.519993057; 0.8766 -6.204119983; 0.8885 -5.853871964; 0.8859 -6.109523091; 0.8959 -5.79832982
0.8913 -5.482672118; 0.8959 -5.171791386; 0.8971 -4.851705903; 0.9021 -4.517126416; 0.909 -4.143573228
0.9139 -3.709075441; 0.9199 -3.499489089; 0.8692 -6.300769497; 0.8872 -5.953504836; 0.89 -5.642065153
0.891 -5.031376979; 0.8977 -4.680685696; 0.9035 -4.329846955; 0.9078 -3.928486195; 0.7675 -8.56735134
0.7705 -8.363211311; 0.7713 -8.107682739; 0.7736 -7.823908741; 0.7775 -7.522878745; 0.7841 -7.218819279
0.7971 -6.920818754; 0.8329 -6.628932138; 0.8641 -6.323946875; 0.8804 -5.991399828; 0.7668 -8.781464495
0.7633 -8.663140179; 0.7678 -8.473531488; 0.7697 -8.247337057; 0.77 -7.971428747; 0.7749 -7.676129393
0.7796 -7.352812702; 0.7897 -7.072065318; 0.8131 -6.774174009; 0.8498 -6.478861916; 0.8741 -6.159517513
0.8061 -6.835647144; 0.846 -6.53165267; 0.8751 -6.224098421; 0.8856 -5.910094889; 0.8919 -5.598599459
0.8934 -5.290645224; 0.894 -4.974284616; 0.8957 -4.64454848; 0.9047 -4.290560426; 0.9129 -3.885055584
0.9209 -3.408378962; 0.9219 -3.13200249; 0.7739 -8.726767166; 0.7681 -8.66695597; 0.7665 -8.511026475
0.7703 -8.165388579; 0.7702 -7.886056648; 0.7761 -7.588043762; 0.7809 -7.283412422; 0.7961 -6.995678626
0.8253 -6.691862621; 0.8602 -6.392544977; 0.8809 -6.067374056; 0.8301 -6.684029655; 0.8664 -6.378719832
0.8834 -6.065855188; 0.8898 -5.752272167; 0.8964 -5.132414673; 0.8963 -4.811352704; 0.9074 -4.098269308
0.9119 -3.66174277; 0.9228 -3.2644011"""
FILIP_CERTIFIED = [
    -1467.48961422980,
    -2772.17959193342,
    -2316.37108160893,
    -1127.97394098372,
    -354.478233703349,
    -75.1242017393757,
    -10.8753180355343,
    -1.06221498588947,
    -0.670191154593408e-01,
    -0.246781078275479e-02,
    -0.402962525080404e-04,
]


def linear() -> None:
    def data(text):
        return np.array([row.split() for row in text.replace("\n", ";").split(";")], dtype=float).T

    def certified(found, expected, tolerance):
        found = np.array([found[0], *found[1]])
        assert (np.abs(found / expected - 1) <= tolerance).all(), found / expected - 1

    longley = data(LONGLEY)
    certified(linear_case("longley", longley[0], list(longley[1:]), exact=True), LONGLEY_CERTIFIED, 1e-14)
    filip, x = data(FILIP)
    # The powers are rounded to floats, so this is not quite the problem that was certified.
    certified(linear_case("filip", filip, [x**power for power in range(1, 11)], exact=True), FILIP_CERTIFIED, 1e-7)

    rng = np.random.default_rng(15)
    count = 300
    far = 1e9 + rng.normal(0, 1e-3, count)
    small = rng.normal(0, 1e-6, count)
    noise = rng.normal(0, 1, count)
    linear_case("far", 3 * (far - 1e9) + 1e6 * small + noise, [far, small], exact=True)

    carrier, month = rng.integers(0, 9, count), rng.integers(0, 4, count)
    carrier[rng.random(count) < 0.05] = -1
    carrier[0] = 8
    distance, hour = rng.lognormal(6, 1, count).round(3), rng.integers(5, 24, count).astype(float)
    delay = (5 * noise + distance / 100 + hour + 3 * carrier - 2 * (month == 2)).round(3)
    numeric = [distance, hour]
    weights = rng.integers(0, 4, count) / 4
    linear_case("numbers", delay, numeric)
    linear_case("weights", delay, numeric, weights=weights)
    linear_case("no-intercept", delay, numeric, fit_intercept=False)
    linear_case("ridge", delay, numeric, alpha=1e4)
    linear_case("ridge-weights", delay, numeric, [carrier], weights=weights, alpha=2.5)
    linear_case("ridge-no-intercept", delay, numeric, [carrier, month], alpha=0.1, fit_intercept=False)
    # Every category, and the intercept: of many solutions the shortest.
    linear_case("categories", delay, numeric, [carrier, month])
    linear_case("collinear", delay, [distance, hour, distance + hour, 2 * hour, np.full(count, 0.1)])
    linear_case("wide", delay[:8], [rng.normal(0, 1, 8).round(4) for _ in range(12)])


def error_metrics(target, prediction, weights):
    """Null where a figure is not defined, which scikit-learn would call 0, NaN or a very large number."""
    if not weights.any():
        figures = dict.fromkeys(["r2", "rmse", "mae", "median_absolute_error", "bias", "mape"])
        return {"rows": len(target), "weight": 0.0, **figures}
    given = {"sample_weight": weights}
    some = weights > 0
    constant = (target[some] == target[some][0]).all()
    return {
        "rows": len(target),
        "weight": weights.sum(),
        "r2": None if constant else r2_score(target, prediction, **given),
        "rmse": root_mean_squared_error(target, prediction, **given),
        "mae": mean_absolute_error(target, prediction, **given),
        "median_absolute_error": median_absolute_error(target, prediction, **given),
        "bias": np.average(prediction - target, weights=weights),
        "mape": mean_absolute_percentage_error(target, prediction, **given) if target[some].all() else None,
    }


def regression_evaluation() -> None:
    rng = np.random.default_rng(16)
    count = 400
    target = rng.normal(30, 25, count).round(1)
    prediction = (target + rng.normal(1, 8, count)).round(2)
    prediction[::5] = target[::5].round()  # Some small errors, and ties.
    carrier = rng.choice(["UA", "AA", "9E"], count).astype(object)
    carrier[::31] = None
    month = rng.integers(1, 13, count)
    target[month == 2] = 0.1  # A slice that is constant,
    target[np.flatnonzero(month == 3)[:2]] = 0.0  # and one in which no share of the target can be told.
    weights = rng.integers(1, 5, count) / 2
    weights[month == 11] = 0.0
    weights[::7] = 0.0
    carriers = [
        ("9E", carrier == "9E"),
        ("AA", carrier == "AA"),
        ("UA", carrier == "UA"),
        ("null", np.equal(carrier, None)),
    ]

    def slices(weights):
        found = [["overall", None, error_metrics(target, prediction, weights)]]

        def by(name, groups):
            for value, mask in groups:
                found.append([name, value, error_metrics(target[mask], prediction[mask], weights[mask])])

        by("carrier", carriers)
        by("month", [(str(m), month == m) for m in range(1, 13)])
        both = [(f"{value}, {m}", mask & (month == m)) for value, mask in carriers for m in range(1, 13)]
        by("carrier, month", [(value, mask) for value, mask in both if mask.any()])
        return found

    write(
        "evaluate-regression",
        "scikit-learn.json",
        {
            "target": target,
            "prediction": prediction,
            "carrier": carrier,
            "month": month,
            "weights": weights,
            "metrics": slices(np.ones(count)),
            "weighted_metrics": slices(weights),
        },
    )


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
    linear()
    evaluation()
    regression_evaluation()
    drift()
