"""Outlier detection on labelled tables; a section for each of four questions.

At most `--max-rows` rows are drawn from a table, with at least ten of its anomalies.
Half of the normal rows, at random, are the rows to train on, and the other half is
fresh, except where it says otherwise.

- quality: area under the ROC curve (AUROC), average precision (AP) and rank by AUROC
  among the detectors (1 is best), means over `--seeds` draws and over tables, and
  seconds of all fits and scores. One-class: fitted to the normal rows to train on, all
  others are scored. Contaminated: fitted to all rows, which are scored. Rows are
  standardised on the training rows, but not for "ours, no scaler".
  IsolationForest, LOF and OneClassSVM (fitted to at most 5,000 rows) with their
  defaults; kNN: mean distance to the 5 nearest training rows other than itself; PCA:
  squared error of what 90 % of the variance leaves; PyOD's AutoEncoder with its
  defaults; MLPRegressor: squared error of an MLPRegressor with layers of 128, d / 4 and
  128 units, fitted to its input; ours: `AutoencoderOutlierDetector` with its defaults.
- thresholds: the share of fresh normal rows (up to 4,000) that `predict` calls outliers
  after a fit to normal rows (up to 4,000) with a given `contamination`: mean over five
  seeds. Beside it, two standard errors of one seed's share, which come from the m rows
  set aside and the n fresh ones: 2 sqrt(c (1 - c) (1 / m + 1 / n)); and how many seeds
  are within them.
- explanations: in each of 200 fresh normal rows one feature that varies, at random, is
  set to 3 standard deviations beyond its largest or smallest value in training. Of
  the rows that `predict` then calls outliers (contamination=0.05), the share whose
  lowest `score_contributions` is that feature.
- stability: the standard deviation of AUROC over ten values of `random_state`, on the
  rows of the first draw (at most 2,000).

Thresholds and explanations get the rows as they are, without a scaler.

    pip install -e ".[plots]" torch pyod tqdm
    python benchmarks/bench_outliers.py --data DIR --json out.json --plot out.png

DIR has tables as `.npz` files with an array X of numbers and an array y, 1 for
anomalies, such as those of ADBench. Numbers before a table's name are dropped.
"""

import argparse
import json
import re
import time
import warnings
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
from _common import installed, print_table, pyplot, report_header, write_json
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from sklearn_ae import AutoencoderOutlierDetector
from sklearn_ae._outlier import LEAST_TO_JUDGE

LEAST_ANOMALIES = 10
MOST_FOR_SVM = 5000
PYOD_BATCH = 32  # PyOD trains on full batches only

CONTAMINATIONS = (0.01, 0.05, 0.1)
THRESHOLD_TABLES = ("donors", "campaign", "mammography", "landsat", "annthyroid")
THRESHOLD_SEEDS = 5
THRESHOLD_ROWS = 4000

EXPLAINED_TABLES = (*THRESHOLD_TABLES, "cardio", "pendigits", "thyroid")
EXPLAINED_ROWS = 200

STABILITY_SEEDS = 10
STABILITY_ROWS = 2000


def load_tables(folder, names=None):
    """Yield (name, X, y) of all tables or of those named."""
    for path in sorted(Path(folder).glob("*.npz")):
        name = re.sub(r"^\d+_", "", path.stem)
        if names is None or name in names:
            with np.load(path) as file:
                yield name, file["X"].astype(np.float32), file["y"].astype(int)


def draw(X, y, max_rows, seed):
    """Return rows, their labels, and the indices of two halves of the normal ones."""
    rng = np.random.RandomState(seed)
    rows = rng.permutation(len(X))[:max_rows]
    if y[rows].sum() < LEAST_ANOMALIES:
        anomalies = np.flatnonzero(y)
        n_kept = min(LEAST_ANOMALIES, len(anomalies))
        kept = rng.choice(anomalies, n_kept, replace=False)
        rows = np.r_[kept, rows[y[rows] == 0]][:max_rows]
    X, y = X[rows], y[rows]
    normal = rng.permutation(np.flatnonzero(y == 0))
    half, fresh = np.split(normal, [len(normal) // 2])
    return X, y, half, fresh


def protocols(X, y, half):
    """Return {protocol: (rows to train on, rows to score, labels of these)}."""
    is_rest = np.ones(len(X), dtype=bool)
    is_rest[half] = False
    return {
        "one-class": (X[half], X[is_rest], y[is_rest]),
        "contaminated": (X, X, y),
    }


# Detectors: fit to rows, return how abnormal others are, or the same if the same array.


def isolation_forest(train, rows, seed):
    return -IsolationForest(random_state=seed).fit(train).score_samples(rows)


def nearest_neighbors(train, rows, seed):
    neighbors = NearestNeighbors(n_neighbors=5).fit(train)
    return neighbors.kneighbors(None if rows is train else rows)[0].mean(axis=1)


def local_outlier_factor(train, rows, seed):
    if rows is train:
        return -LocalOutlierFactor().fit(train).negative_outlier_factor_
    return -LocalOutlierFactor(novelty=True).fit(train).score_samples(rows)


def one_class_svm(train, rows, seed):
    chosen = np.random.RandomState(seed).permutation(len(train))[:MOST_FOR_SVM]
    return -OneClassSVM().fit(train[chosen]).score_samples(rows)


def pca(train, rows, seed):
    pca = PCA(n_components=0.9, svd_solver="full").fit(train)
    return squared_error(rows, pca.inverse_transform(pca.transform(rows)))


def pyod_autoencoder(train, rows, seed):
    from pyod.models.auto_encoder import AutoEncoder

    detector = AutoEncoder(random_state=seed, verbose=0)
    detector.fit(train)
    if rows is train:
        return detector.decision_scores_
    return detector.decision_function(rows)


def mlp_regressor(train, rows, seed):
    k = max(1, train.shape[1] // 4)
    mlp = MLPRegressor(hidden_layer_sizes=(128, k, 128), random_state=seed)
    mlp.fit(train, train)
    return squared_error(rows, mlp.predict(rows).reshape(rows.shape))


def ours(train, rows, seed, **params):
    detector = AutoencoderOutlierDetector(random_state=seed, **params).fit(train)
    return -detector.score_samples(rows)


def squared_error(rows, reconstructed):
    return ((rows - reconstructed) ** 2).mean(axis=1)


DETECTORS = {
    "IsolationForest": ("sklearn", isolation_forest),
    "kNN": ("sklearn", nearest_neighbors),
    "LOF": ("sklearn", local_outlier_factor),
    "OneClassSVM": ("sklearn", one_class_svm),
    "PCA": ("sklearn", pca),
    "PyOD AutoEncoder": ("pyod torch tqdm", pyod_autoencoder),
    "MLPRegressor": ("sklearn", mlp_regressor),
    "ours": ("sklearn", ours),
    "ours, no scaler": ("sklearn", ours),
}
UNSCALED = "ours, no scaler"


def measure(name, train, rows, labels, seed):
    """Return AUROC, average precision and seconds of a detector."""
    if name != UNSCALED:
        scaler = StandardScaler().fit(train)
        same = rows is train
        train = scaler.transform(train)
        rows = train if same else scaler.transform(rows)
    detect = DETECTORS[name][1]
    start = time.perf_counter()
    abnormality = detect(train, rows, seed)
    seconds = time.perf_counter() - start
    return {
        "auroc": float(roc_auc_score(labels, abnormality)),
        "ap": float(average_precision_score(labels, abnormality)),
        "seconds": seconds,
    }


def run_quality(options):
    """Return {protocol: {table: {detector: [a measurement for each seed]}}}."""
    names = list(installed({name: DETECTORS[name] for name in options.detectors}))
    if "PyOD AutoEncoder" in names:
        import_module("pyod.models.auto_encoder")  # takes seconds, which do not count
    results = {"one-class": {}, "contaminated": {}}
    for table, X, y in load_tables(options.data):
        for seed in range(options.seeds):
            drawn, labels, half, _ = draw(X, y, options.max_rows, seed)
            for protocol, (train, *rest) in protocols(drawn, labels, half).items():
                of_table = results[protocol].setdefault(table, {})
                for name in names:
                    if name != "PyOD AutoEncoder" or len(train) >= PYOD_BATCH:
                        measured = measure(name, train, *rest, seed)
                        of_table.setdefault(name, []).append(measured)
        shape = "x".join(map(str, drawn.shape))
        for protocol, tables in results.items():
            cells = ", ".join(
                f"{n} {mean(m, 'auroc'):.3f}" for n, m in tables[table].items()
            )
            print(f"{table} {shape}, {protocol}: {cells}", flush=True)
    print_quality(results, names)
    return results


def mean(measurements, key):
    return float(np.mean([measured[key] for measured in measurements]))


def summarise(tables, names):
    """Return {detector: (mean AUROC, mean AP, mean rank)}."""
    complete = [table for table in tables.values() if set(names) <= set(table)]
    aurocs, aps = (
        np.array([[mean(table[name], key) for name in names] for table in complete])
        for key in ("auroc", "ap")
    )
    ranks = rankdata(-aurocs, axis=1)
    columns = (values.mean(axis=0).tolist() for values in (aurocs, aps, ranks))
    return dict(zip(names, zip(*columns, strict=True), strict=True))


def print_quality(results, names):
    summaries = [summarise(tables, names) for tables in results.values()]
    rows = []
    for name in names:
        of_detector = [t.get(name, []) for p in results.values() for t in p.values()]
        seconds = sum(measured["seconds"] for m in of_detector for measured in m)
        rows.append([name, *summaries[0][name], *summaries[1][name], seconds])
    columns = ["", *2 * ["AUROC", "AP", "rank"], "seconds"]
    n_tables = len(results["one-class"])
    title = f"Quality, means over {n_tables} tables: one-class, then contaminated"
    print_table(title, columns, rows)


def run_thresholds(options):
    """Return a list with a dict for each table and contamination."""
    results = []
    for table, X, y in load_tables(options.data, THRESHOLD_TABLES):
        for contamination in CONTAMINATIONS:
            outcomes = [
                share_flagged(X, y, options.max_rows, contamination, seed)
                for seed in range(THRESHOLD_SEEDS)
            ]
            shares, n_aside, n_fresh = zip(*outcomes, strict=True)
            result = {"table": table, "contamination": contamination, "shares": shares}
            result.update(n_set_aside=n_aside[0], n_fresh=n_fresh[0])
            results.append(result)
    print_thresholds(results)
    return results


def share_flagged(X, y, max_rows, contamination, seed):
    """Return the share of fresh rows flagged, and the numbers of rows behind it."""
    X, _, half, fresh = draw(X, y, max_rows, seed)
    half, fresh = half[:THRESHOLD_ROWS], fresh[:THRESHOLD_ROWS]
    detector = AutoencoderOutlierDetector(
        contamination=contamination, random_state=seed
    ).fit(X[half])
    share = float(np.mean(detector.predict(X[fresh]) == -1))
    calibration = detector.calibration_scores_
    return share, 0 if calibration is None else len(calibration), len(fresh)


def print_thresholds(results):
    rows = []
    for result in results:
        c, m, n = (result[k] for k in ("contamination", "n_set_aside", "n_fresh"))
        row = [result["table"], c, float(np.mean(result["shares"]))]
        if m < LEAST_TO_JUDGE:  # the threshold comes from the training rows
            rows.append([*row, "-", "-", m, n])
            continue
        error = 2 * (c * (1 - c) * (1 / m + 1 / n)) ** 0.5
        within = sum(abs(share - c) <= error for share in result["shares"])
        rows.append([*row, error, within, m, n])
    columns = ["", "contamination", "share", "2 s.e. of one", "within", "m", "n"]
    title = f"Thresholds: fresh normal rows flagged, {THRESHOLD_SEEDS} seeds"
    print_table(title, columns, rows)


def run_explanations(options):
    """Return {table: share of flagged rows explained, and their number}."""
    results = {}
    for table, X, y in load_tables(options.data, EXPLAINED_TABLES):
        X, _, half, fresh = draw(X, y, options.max_rows, seed=0)
        train, rows = X[half], X[fresh[:EXPLAINED_ROWS]]
        rows, changed = with_extremes(rows, train, np.random.RandomState(0))
        detector = AutoencoderOutlierDetector(contamination=0.05, random_state=0)
        flagged = detector.fit(train).predict(rows) == -1
        blamed = detector.score_contributions(rows).argmin(axis=1)
        found = (blamed == changed)[flagged]
        results[table] = {
            "share": float(found.mean()) if len(found) else None,
            "n_flagged": len(found),
            "n_rows": len(rows),
            "n_features": X.shape[1],
        }
    rows = [[table, *result.values()] for table, result in results.items()]
    columns = ["", "share", "flagged", "of", "features"]
    print_table("Explanations: the changed feature contributes most", columns, rows)
    return results


def with_extremes(rows, train, rng):
    """Return rows with an extreme value in one feature each, and which it is."""
    low, high = train.min(axis=0), train.max(axis=0)
    beyond = 3 * train.std(axis=0)
    changed = rng.choice(np.flatnonzero(high > low), len(rows))
    is_high = rng.rand(len(rows)) < 0.5
    rows = rows.copy()
    extremes = np.where(is_high, (high + beyond)[changed], (low - beyond)[changed])
    rows[np.arange(len(rows)), changed] = extremes
    return rows, changed


def run_stability(options):
    """Return {protocol: {table: [AUROC for each seed]}}."""
    results = {"one-class": {}, "contaminated": {}}
    max_rows = min(options.max_rows, STABILITY_ROWS)
    for table, X, y in load_tables(options.data):
        X, y, half, _ = draw(X, y, max_rows, seed=0)
        for protocol, data in protocols(X, y, half).items():
            results[protocol][table] = [
                measure("ours", *data, seed)["auroc"] for seed in range(STABILITY_SEEDS)
            ]
    rows = []
    for protocol, tables in results.items():
        spreads = {t: float(np.std(aurocs, ddof=1)) for t, aurocs in tables.items()}
        worst = max(spreads, key=spreads.get)
        rows.append([protocol, float(np.mean(list(spreads.values())))])
        rows[-1] += [spreads[worst], worst]
    title = f"Stability: std of AUROC over {STABILITY_SEEDS} seeds"
    print_table(title, ["", "mean", "worst", "on"], rows)
    return results


SECTIONS = {
    "quality": run_quality,
    "thresholds": run_thresholds,
    "explanations": run_explanations,
    "stability": run_stability,
}


def plot(results, path):
    """Draw each detector's AUROC on all tables, and the mean."""
    plt = pyplot()
    figure, axes = plt.subplots(
        1, 2, figsize=(11, 4.8), sharex=True, layout="constrained"
    )
    for axis, (protocol, tables) in zip(axes, results.items(), strict=True):
        draw_panel(axis, tables)
        axis.set_title(protocol, fontsize=11)
    lowest = min(
        mean(measurements, "auroc")
        for tables in results.values()
        for table in tables.values()
        for measurements in table.values()
    )
    axes[0].set_xticks(np.arange(np.floor(5 * lowest), 6) / 5)
    figure.supxlabel(
        "AUROC: a dot for each table, the mean over them large", fontsize=10
    )
    figure.suptitle("Outlier detection: detectors by mean AUROC")
    figure.savefig(path, dpi=110)


def draw_panel(axis, tables):
    """Draw a row of dots for each detector, the best on top."""
    dots = {}
    for table in tables.values():
        for name, measurements in table.items():
            dots.setdefault(name, []).append(mean(measurements, "auroc"))
    names = sorted(dots, key=lambda name: np.mean(dots[name]))
    for i, name in enumerate(names):
        center = np.mean(dots[name])
        color = "#1f6fb4" if name.startswith("ours") else "#444444"
        axis.plot(dots[name], [i] * len(dots[name]), "o", color="#d0d0d0", ms=5)
        axis.plot(center, i, "o", color=color, ms=11, mec="white")
        axis.text(1.03, i, f"{center:.3f}", color=color, va="center", fontsize=9)
    axis.set_yticks(range(len(names)), names)
    axis.axvline(0.5, color="#bbbbbb", lw=1, ls=":")
    axis.set_xlim(right=1.13)
    axis.grid(axis="y", color="#eeeeee")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of .npz tables")
    parser.add_argument("--max-rows", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=2, help="draws, for the quality")
    parser.add_argument(
        "--detectors", nargs="+", default=list(DETECTORS), choices=DETECTORS
    )
    parser.add_argument(
        "--sections", nargs="+", default=list(SECTIONS), choices=SECTIONS
    )
    parser.add_argument(
        "--params",
        type=json.loads,
        default={},
        help="of ours in quality and stability, as JSON",
    )
    parser.add_argument("--json", help="where to write all measurements")
    parser.add_argument("--plot", help="where to draw the quality")
    options = parser.parse_args()
    if options.plot and "quality" not in options.sections:
        parser.error("--plot needs the section quality")
    if not any(Path(options.data).glob("*.npz")):
        parser.error(f"no .npz tables in {options.data}")
    warnings.simplefilter("ignore", ConvergenceWarning)

    for name in ("ours", UNSCALED):
        DETECTORS[name] = ("sklearn", partial(ours, **options.params))
    report = report_header()
    for section in options.sections:
        report[section] = SECTIONS[section](options)
        write_json(options.json, report)
    if options.plot:
        plot(report["quality"], options.plot)


if __name__ == "__main__":
    main()
