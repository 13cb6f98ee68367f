"""Held-out reconstruction on real tables, beside PCA.

Each table is split 70/30, after at most 4,000 of its rows are drawn, and standardised
on the training part. The figure is R2 over all cells of the test part, whose values are
clipped at 20 standard deviations, and the seconds of the fit. Latent sizes are 1, d/4
and d/2. PCA, KernelPCA (rbf, with its inverse), `MLPRegressor(X, X)` with the layers of
ours and its own defaults, and ours with the defaults.

    pip install -e ".[plots]"
    python benchmarks/bench_reconstruction.py --data DIR --json rec.json --plot rec.png

Whether rows set aside choose the depth well, on all rows and on few:

    python benchmarks/bench_reconstruction.py --data DIR --methods ours layers
    python benchmarks/bench_reconstruction.py --data DIR --methods ours layers \\
        --train-rows 160

DIR has tables as `.npz` files with an array X of numbers, such as those of ADBench.
"""

import argparse
import json
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from _common import print_table, pyplot, report_header, write_json
from sklearn.decomposition import PCA, KernelPCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_ae import AutoencoderTransformer

SIZES = {"1": lambda d: 1, "d/4": lambda d: max(1, d // 4), "d/2": lambda d: d // 2}
LEAST_GAIN = -0.005


def load_tables(folder, max_rows, seed=0, train_rows=None):
    """Yield (name, standardised training part, test part)."""
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path, allow_pickle=True) as file:
            X = file["X"].astype(np.float32)
        rows = np.random.RandomState(seed).permutation(len(X))[:max_rows]
        train, test = train_test_split(X[rows], test_size=0.3, random_state=seed)
        train = train[:train_rows]
        scaler = StandardScaler().fit(train)
        test = np.clip(scaler.transform(test), -20, 20)
        yield path.stem.partition("_")[2], scaler.transform(train), test


def fit_pca(X, k, seed):
    pca = PCA(k).fit(X)
    return lambda X: pca.inverse_transform(pca.transform(X))


def fit_kernel_pca(X, k, seed):
    pca = KernelPCA(
        k, kernel="rbf", fit_inverse_transform=True, random_state=seed, copy_X=False
    ).fit(X)
    return lambda X: pca.inverse_transform(pca.transform(X))


def fit_mlp_regressor(X, k, seed):
    mlp = MLPRegressor(hidden_layer_sizes=(64, 64, k, 64, 64), random_state=seed).fit(
        X, X
    )
    return lambda X: mlp.predict(X).reshape(len(X), -1)


def fit_ours(X, k, seed, **params):
    return AutoencoderTransformer(k, random_state=seed, **params).fit(X).reconstruct


METHODS = {
    "PCA": fit_pca,
    "KernelPCA": fit_kernel_pca,
    "MLPRegressor": fit_mlp_regressor,
    "ours": fit_ours,
    "layers": partial(fit_ours, hidden_layer_sizes="auto"),
}
DEFAULT_METHODS = ["PCA", "KernelPCA", "MLPRegressor", "ours"]


def measure(train, test, k, methods, seed):
    """Return {method: (R2, seconds)}."""
    total = ((test - train.mean(axis=0)) ** 2).sum(dtype=float)
    results = {}
    for name in methods:
        start = time.perf_counter()
        reconstruct = METHODS[name](train, k, seed)
        seconds = time.perf_counter() - start
        rest = ((test - reconstruct(test)) ** 2).sum(dtype=float)
        results[name] = (float(1 - rest / total), seconds)
    return results


def summarise(size, results, methods):
    """Return a row for each method: its gains over PCA, and its seconds."""
    rows = []
    for name in methods:
        gains = [table[name][0] - table["PCA"][0] for table in results.values()]
        worst = min(results, key=lambda t: results[t][name][0] - results[t]["PCA"][0])
        rows.append(
            [
                f"{name}, k = {size}",
                float(np.mean(gains)),
                float(np.median(gains)),
                float(np.min(gains)),
                worst,
                int(np.sum(np.less(gains, LEAST_GAIN))),
                float(sum(table[name][1] for table in results.values())),
            ]
        )
    return rows


def plot(report, path):
    """Draw the gain over PCA by table and latent size."""
    plt = pyplot()
    middle = report["results"]["d/4"]
    names = sorted(middle, key=lambda t: middle[t]["ours"][0] - middle[t]["PCA"][0])
    figure, axes = plt.subplots(
        1, 3, figsize=(10, 6.5), sharey=True, sharex=True, layout="constrained"
    )
    shown = {"MLPRegressor": "#b8b8b8", "KernelPCA": "#d9a066", "ours": "#1f6fb4"}
    for axis, (size, results) in zip(axes, report["results"].items(), strict=True):
        for method, color in shown.items():
            if any(method not in table for table in results.values()):
                continue
            gains = [results[t][method][0] - results[t]["PCA"][0] for t in names]
            axis.plot(
                np.clip(gains, -0.6, None), names, "o", color=color, label=method, ms=6
            )
        axis.axvline(0, color="black", lw=1)
        axis.set_title(f"latent size {size}", fontsize=11)
        axis.grid(axis="y", color="#eeeeee")
        axis.spines[["top", "right"]].set_visible(False)
    axes[1].set_xlabel("held-out R2 minus PCA's (below -0.6 drawn there)")
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle("Reconstruction of fresh rows: gain over PCA, by table")
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of .npz tables")
    parser.add_argument("--max-rows", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train-rows", type=int, help="of each table, at most")
    parser.add_argument(
        "--methods", nargs="+", default=DEFAULT_METHODS, choices=METHODS
    )
    parser.add_argument(
        "--params", type=json.loads, default={}, help="of ours, as JSON; else defaults"
    )
    parser.add_argument("--json", help="where to write all measurements")
    parser.add_argument("--plot", help="where to draw the gains")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    METHODS["ours"] = partial(fit_ours, **options.params)
    methods = list(dict.fromkeys(["PCA", *options.methods]))
    report = {**report_header(), "results": {size: {} for size in SIZES}}
    chosen = options.data, options.max_rows, options.seed, options.train_rows
    for name, train, test in load_tables(*chosen):
        for size, k_of in SIZES.items():
            k = min(k_of(train.shape[1]), *train.shape)
            results = measure(train, test, k, methods, options.seed)
            report["results"][size][name] = results
            cells = (f"{m} {r2:.3f} ({s:.1f} s)" for m, (r2, s) in results.items())
            shape = "x".join(map(str, train.shape))
            print(f"{name} {shape}, k = {size} = {k}: " + ", ".join(cells), flush=True)
    rows = [
        row
        for size, results in report["results"].items()
        for row in summarise(size, results, methods)
    ]
    columns = ["gain over PCA", "mean", "median", "least", "on", "below", "seconds"]
    print_table(f"Held-out R2; below: tables under {LEAST_GAIN}", columns, rows)
    write_json(options.json, report)
    if options.plot:
        plot(report, options.plot)


if __name__ == "__main__":
    main()
