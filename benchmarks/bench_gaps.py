"""Filling gaps in real tables, beside other imputers.

At most 1,000 rows and 50 columns are drawn from each table, constant columns left out,
and the columns standardised. Then cells are removed: 10, 30 and 50 % at random, or 30 %
such that of the larger half of each column's values five times as many are lost as of
the smaller half ("by value"). Each imputer is fitted to what is left and fills it.

The figures: the root of the mean squared error of the filled cells, in standard
deviations; the distance of the distribution of a column's filled cells from that of the
true ones (Wasserstein, mean over columns), as the best guess in the first sense has too
little spread; and seconds. Ranks are means over tables and ways of removing cells.

    python benchmarks/bench_gaps.py --data DIR --json gaps.json --plot gaps.png

DIR has tables as `.npz` files with an array X of numbers and an array y that is 1 for
outliers, such as those of ADBench. `IterativeImputer` with trees takes most of the
time: an hour or more for all of 22 tables. Leave it out with

    python benchmarks/bench_gaps.py --data DIR --methods ours mean knn bayes pca
"""

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import _common
import numpy as np
from _common import print_table, report_header, write_json
from scipy.stats import rankdata, wasserstein_distance
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # lets IterativeImputer be imported
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import AutoencoderImputer, AutoencoderOutlierDetector, HiddenCells

REMOVALS = {"10 %": 0.1, "30 %": 0.3, "50 %": 0.5, "30 % by value": 0.3}


class IterativePCA:
    """PCA of k directions, fitted to what it fills gaps with, again and again.

    With directions shrunk by what their variance is in noise (Josse & Husson 2012,
    section 2.3). Of the sizes the best on a tenth of the known cells is taken.
    """

    def __init__(self, n_rounds=100, tol=1e-4):
        self.n_rounds, self.tol = n_rounds, tol

    def fit_transform(self, X):
        rng, n_features = np.random.RandomState(0), X.shape[1]
        hidden = ~np.isnan(X) & (rng.uniform(size=X.shape) < 0.1)
        sizes = sorted(
            {1, 2, 3, *np.geomspace(4, max(4, n_features // 2), 4).astype(int)}
        )
        sizes = [k for k in sizes if k < n_features] or [1]
        holes = np.where(hidden, np.nan, X)
        errors = [np.square(self.filled(holes, k) - X)[hidden].sum() for k in sizes]
        return self.filled(X, sizes[int(np.argmin(errors))])

    def filled(self, X, k):
        gaps = np.isnan(X)
        filled = np.where(gaps, np.nanmean(X, axis=0), X)
        for _ in range(self.n_rounds):
            mean = filled.mean(axis=0)
            U, s, V = np.linalg.svd(filled - mean, full_matrices=False)
            noise = np.square(s[k:]).mean() if k < len(s) else 0.0
            shrunk = s[:k] - noise / np.maximum(s[:k], 1e-12)
            before, filled = (
                filled,
                np.where(gaps, (U[:, :k] * shrunk) @ V[:k] + mean, X),
            )
            change = np.square(filled - before).sum()
            if change <= self.tol**2 * np.square(filled[gaps]).sum():
                break
        return filled


def with_trees():
    trees = ExtraTreesRegressor(n_estimators=50, random_state=0)
    return IterativeImputer(trees, random_state=0, max_iter=10)


METHODS = {
    "ours": lambda: AutoencoderImputer(),
    "mean": SimpleImputer,
    "knn": KNNImputer,
    "bayes": partial(IterativeImputer, random_state=0),
    "trees": with_trees,
    "pca": IterativePCA,
}

# What they are called in the picture.
NAMES = {
    "mean": "mean",
    "knn": "KNNImputer",
    "bayes": "IterativeImputer\nBayesianRidge",
    "trees": "IterativeImputer\nExtraTrees",
    "pca": "iterative PCA",
}


def load_tables(folder, names=None, max_rows=1000, max_columns=50, seed=0):
    """Yield (name, X, y): standardised columns of rows that are drawn."""
    for path in sorted(Path(folder).glob("*.npz")):
        name = path.stem.partition("_")[2] or path.stem
        if names and name not in names:
            continue
        with np.load(path, allow_pickle=True) as file:
            X, y = file["X"].astype(np.float64), file["y"]
        rng = np.random.RandomState(seed)
        rows = rng.permutation(len(X))[:max_rows]
        X, y = X[rows], y[rows]
        columns = np.flatnonzero(np.ptp(X, axis=0) > 0)
        columns = np.sort(rng.permutation(columns)[:max_columns])
        X = X[:, columns]
        yield name, (X - X.mean(axis=0)) / X.std(axis=0), y


def remove(X, share, by_value, rng):
    """Return X with gaps; each column keeps two values at least."""
    probability = np.full(X.shape, share)
    if by_value:
        larger = X > np.median(X, axis=0)
        weight = np.where(larger, 5.0, 1.0)
        probability = share * weight / weight.mean(axis=0)
    gaps = rng.uniform(size=X.shape) < np.minimum(probability, 0.95)
    for column, missing in zip(X.T, gaps.T, strict=True):
        missing[[column.argmin(), column.argmax()]] = False
    return np.where(gaps, np.nan, X)


def measure(X, removed, method):
    """Return error, distance of distributions and seconds of one imputer."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        filled = method().fit_transform(removed)
    seconds = time.perf_counter() - start
    gaps = np.isnan(removed)
    error = np.sqrt(np.square(filled - X)[gaps].mean())
    distances = [
        wasserstein_distance(filled[missing, j], X[missing, j])
        for j, missing in enumerate(gaps.T)
        if missing.any()
    ]
    return float(error), float(np.mean(distances)), seconds


def compare(tables, methods, seeds):
    """Return one record for each table, way of removing cells, seed and method."""
    records = []
    for name, X, _ in tables:
        for removal, share in REMOVALS.items():
            for seed in seeds:
                rng = np.random.RandomState(seed)
                removed = remove(X, share, "value" in removal, rng)
                for label, method in methods.items():
                    figures = measure(X, removed, method)
                    keys = ("rmse", "distance", "seconds")
                    record = {"table": name, "removal": removal, "seed": seed}
                    record |= {"method": label} | dict(zip(keys, figures, strict=True))
                    records.append(record)
                    print(*record.values(), flush=True)
    return records


def summary(records, methods):
    """Return rows of a table: mean ranks, mean figures beside ours, by method."""
    cells = sorted({(r["table"], r["removal"], r["seed"]) for r in records})
    keys = ("table", "removal", "seed", "method")
    figures = {tuple(r[key] for key in keys): r for r in records}
    rows = []
    for method in methods:
        row = [method]
        for figure in ("rmse", "distance"):
            ranks, ratios = [], []
            for cell in cells:
                of_all = [figures[*cell, other][figure] for other in methods]
                ranks.append(rankdata(of_all)[list(methods).index(method)])
                of_ours = figures[*cell, "ours"][figure]
                ratios.append(np.log(figures[*cell, method][figure] / of_ours))
            row += [float(np.mean(ranks)), float(np.exp(np.mean(ratios)))]
        times = [
            figures[*cell, method]["seconds"] / figures[*cell, "ours"]["seconds"]
            for cell in cells
        ]
        rows.append([*row, float(np.median(times))])
    return rows


def detector(**params):
    return AutoencoderOutlierDetector(random_state=0, **params)


# How outliers are found among gaps: directly, or after they are filled.
DETECTION = {
    "directly": detector,
    "HiddenCells": lambda: detector(noise=HiddenCells()),
    "mean first": lambda: make_pipeline(SimpleImputer(), detector()),
    "knn first": lambda: make_pipeline(KNNImputer(), detector()),
    "ours first": lambda: make_pipeline(AutoencoderImputer(), detector()),
}


def detect(tables, share=0.3):
    """Return AUROC of outliers, and of having gaps, for each table and way.

    Trained on half of the normal rows. First with gaps in all rows; then, for the
    second figure, in half of the rows of each part, where outliers are left out.
    """
    records = []
    for name, X, y in tables:
        rng = np.random.RandomState(0)
        train = np.zeros(len(X), bool)
        train[rng.permutation(len(X))[: len(X) // 2]] = True
        fit_rows, others, normal = train & (y == 0), ~train, ~train & (y == 0)
        gaps = rng.uniform(size=X.shape) < share
        half = rng.uniform(size=(len(X), 1)) < 0.5
        for way, method in DETECTION.items():
            figures = []
            for where, rows in ((gaps, others), (gaps & half, normal)):
                removed = np.where(where, np.nan, X)
                removed = removed[:, ~np.isnan(removed[fit_rows]).all(axis=0)]
                scores = method().fit(removed[fit_rows]).score_samples(removed[rows])
                labels = y[rows] if not figures else where[rows].any(axis=1)
                figures.append(float(roc_auc_score(labels, -scores)))
            whole = detector().fit(X[fit_rows]).score_samples(X[others])
            record = {"table": name, "way": way, "outliers": figures[0]}
            record |= {"gaps": figures[1]}
            record |= {"whole": float(roc_auc_score(y[others], -whole))}
            records.append(record)
            print(*record.values(), flush=True)
    return records


def classify(share=0.3, seeds=range(5)):
    """Return accuracies of a classifier behind each imputer, on three tables."""
    records = []
    for load in (load_breast_cancer, load_digits, load_wine):
        X, y = load(return_X_y=True)
        for seed in seeds:
            rng = np.random.RandomState(seed)
            removed = np.where(rng.uniform(size=X.shape) < share, np.nan, X)
            for label, method in METHODS.items():
                if label in ("pca", "trees"):
                    continue
                classifier = LogisticRegression(max_iter=5000)
                steps = method(), StandardScaler(), classifier
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    scores = cross_val_score(make_pipeline(*steps), removed, y, cv=3)
                record = {"table": load.__name__[5:], "method": label, "seed": seed}
                records.append(record | {"accuracy": float(scores.mean())})
    return records


def draw(records, methods, path):
    """Draw the error of each method beside ours, for each way of removing cells."""
    pyplot = _common.pyplot()
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    others = [method for method in methods if method != "ours"]
    errors = {
        (r["table"], r["removal"], r["seed"], r["method"]): r["rmse"] for r in records
    }
    for i, method in enumerate(others):
        for j, removal in enumerate(REMOVALS):
            ratios = [
                error / errors[table, way, seed, "ours"]
                for (table, way, seed, name), error in errors.items()
                if name == method and way == removal
            ]
            position = i + (j - 1.5) / 6
            axes.plot([position] * len(ratios), ratios, ".", color="#c9ced6", zorder=1)
            axes.plot(
                position,
                np.exp(np.mean(np.log(ratios))),
                "o",
                color=f"C{j}",
                label=removal if i == 0 else None,
            )
    axes.axhline(1, color="black", lw=0.8)
    axes.set(yscale="log", ylabel="error beside AutoencoderImputer's", ylim=(0.45, 5))
    axes.set_xticks(range(len(others)), [NAMES[method] for method in others])
    axes.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    axes.minorticks_off()
    axes.legend(frameon=False, title="cells removed", ncols=4)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of .npz tables")
    parser.add_argument("--tables", nargs="*", help="names of some of them")
    parser.add_argument("--methods", nargs="*", default=[*METHODS], choices=METHODS)
    parser.add_argument("--rows", type=int, default=1000, help="most rows of a table")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--sections",
        nargs="*",
        default=["filling", "detection", "classifying"],
        choices=["filling", "detection", "classifying"],
    )
    parser.add_argument("--json", help="where to write all figures")
    parser.add_argument("--plot", help="where to draw the errors beside ours")
    args = parser.parse_args()
    report = {"header": report_header()}
    tables = [*load_tables(args.data, args.tables, args.rows)]
    if "filling" in args.sections:
        methods = {name: METHODS[name] for name in args.methods}
        records = compare(tables, methods, range(args.seeds))
        report["filling"] = records
        columns = ["", "rank", "rmse / ours", "rank", "distance / ours", "time / ours"]
        print_table("Filled cells", columns, summary(records, methods))
        if args.plot:
            draw(records, methods, args.plot)
    if "detection" in args.sections:
        some = [(name, X, y) for name, X, y in tables if y.any() and not y.all()]
        report["detection"] = records = detect(some)
        rows = [
            [way, *(np.mean([r[k] for r in records if r["way"] == way]) for k in keys)]
            for keys in [("outliers", "whole", "gaps")]
            for way in DETECTION
        ]
        columns = ["", "AUROC", "without gaps", "of having gaps"]
        print_table("Outliers, 30 % of cells removed", columns, rows)
    if "classifying" in args.sections:
        report["classifying"] = records = classify()
        names = sorted({r["table"] for r in records})
        rows = [
            [
                method,
                *(
                    float(
                        np.mean(
                            [
                                r["accuracy"]
                                for r in records
                                if (r["table"], r["method"]) == (name, method)
                            ]
                        )
                    )
                    for name in names
                ),
            ]
            for method in dict.fromkeys(r["method"] for r in records)
        ]
        print_table("Accuracy behind, 30 % removed", ["", *names], rows)
    write_json(args.json, report)


if __name__ == "__main__":
    main()
