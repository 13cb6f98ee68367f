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

import numpy as np
from _common import print_table, report_header, write_json
from scipy.stats import rankdata, wasserstein_distance
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # a switch
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

from sklearn_ae import AutoencoderImputer

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
        sizes = sorted({1, 2, 3, *np.geomspace(4, max(4, n_features // 2), 4).astype(int)})
        sizes = [k for k in sizes if k < n_features] or [1]
        holes = np.where(hidden, np.nan, X)
        errors = [np.square(self.filled(holes, k) - X)[hidden].mean() for k in sizes]
        return self.filled(X, sizes[int(np.argmin(errors))])

    def filled(self, X, k):
        gaps = np.isnan(X)
        filled = np.where(gaps, np.nanmean(X, axis=0), X)
        for _ in range(self.n_rounds):
            mean = filled.mean(axis=0)
            U, s, V = np.linalg.svd(filled - mean, full_matrices=False)
            noise = np.square(s[k:]).mean() if k < len(s) else 0.0
            shrunk = s[:k] - noise / np.maximum(s[:k], 1e-12)
            before, filled = filled, np.where(gaps, (U[:, :k] * shrunk) @ V[:k] + mean, X)
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
