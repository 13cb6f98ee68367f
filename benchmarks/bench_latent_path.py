"""One fit with ordered codes, beside a fit of each size, and beside PCA.

R2 over all cells of fresh rows for codes of 1, 2, 4, ... numbers up to half the number
of features: PCA, `AutoencoderTransformer` fitted for each size alone, and cut off from
one fit with ``ordered=True``. All have the defaults but for `hidden_layer_sizes`;
columns of tables are scaled one by one, pixels together. Seconds are of all separate
fits together and of the one, in turns.

    pip install -e .
    python benchmarks/bench_latent_path.py --data DIR --json path.json

DIR has pendigits and cardio of ADBench as `.npz` files, and MNIST images as
`mnist_t10k.npz` in the folder above it or there; without it there are scikit-learn's
digits alone.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from _common import print_table, report_header, write_json
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sklearn_ae import AutoencoderTransformer

# By the least size, as a share of the features: how far below a separate fit is meant
# to be the most.
ALLOWED = {1 / 8: 0.02, 1 / 16: 0.05, 0: 0.1}


def load_tables(folder):
    """Yield (name, training rows, test rows)."""
    yield ("digits", *divided(load_digits().data, 1300))
    if folder is None:
        return
    for path in sorted(Path(folder).glob("*_pendigits.npz")):
        yield ("pendigits", *standardised(read(path)))
    for path in sorted(Path(folder).glob("*_cardio.npz")):
        yield ("cardio", *standardised(read(path)))
    for place in (Path(folder), Path(folder).parent):
        for path in place.glob("mnist_t10k.npz"):
            images = read(path).reshape(10_000, -1) / np.float32(255)
            yield ("MNIST", *divided(images, 8000))


def read(path):
    with np.load(path) as file:
        key = "X" if "X" in file.files else max(file.files, key=lambda k: file[k].size)
        return file[key].astype(np.float32)


def divided(X, n_training):
    X = X[np.random.RandomState(0).permutation(len(X))]
    return X[:n_training], X[n_training:]


def standardised(X):
    train, test = divided(X, 3 * len(X) // 4)
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def measure(train, test, widths, seeds):
    """Return sizes, R2 of each method at each size, and seconds of ours."""
    sizes = [2**i for i in range((train.shape[1] // 2).bit_length())]
    total = np.square(test - train.mean(axis=0)).sum(dtype=float)
    separate, ordered, seconds = [], [], np.zeros(2)

    def r2(reconstruction):
        return float(1 - np.square(test - reconstruction).sum(dtype=float) / total)

    pca = [PCA(k, random_state=0).fit(train) for k in sizes]
    pca = [r2(p.inverse_transform(p.transform(test))) for p in pca]
    for seed in range(seeds):
        params = {"hidden_layer_sizes": widths, "random_state": seed}
        start = time.perf_counter()
        fits = [AutoencoderTransformer(k, **params).fit(train) for k in sizes]
        seconds[0] += time.perf_counter() - start
        separate.append([r2(fit.reconstruct(test)) for fit in fits])
        start = time.perf_counter()
        fit = AutoencoderTransformer(sizes[-1], ordered=True, **params).fit(train)
        seconds[1] += time.perf_counter() - start
        ordered.append([r2(fit.truncated(k).reconstruct(test)) for k in sizes])
    ordered, separate = np.mean(ordered, axis=0), np.mean(separate, axis=0)
    results = {"PCA": pca, "separate": [*separate], "ordered": [*ordered]}
    return sizes, results, [*(seconds / seeds)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of .npz tables")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 64])
    parser.add_argument("--json", help="where to write all measurements")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    report = {**report_header(), "widths": options.widths, "results": {}}
    for name, train, test in load_tables(options.data):
        measured = measure(train, test, tuple(options.widths), options.seeds)
        sizes, results, seconds = measured
        report["results"][name] = measured
        rows = []
        for i, k in enumerate(sizes):
            pca, separate, ordered = (results[method][i] for method in results)
            share = k / train.shape[1]
            allowed = next(ALLOWED[least] for least in ALLOWED if share >= least)
            kept = ordered >= separate - allowed and ordered >= pca - 0.005
            rows.append([str(k), pca, separate, ordered, separate - ordered, allowed])
            rows[-1].append("yes" if kept else "no")
        columns = ["size", "PCA", "separate", "ordered", "below", "allowed", "kept"]
        shape = "x".join(map(str, train.shape))
        print_table(f"{name} {shape}: R2 of fresh rows", columns, rows)
        ratio = f"{seconds[1] / seconds[0]:.2f} of the time"
        print(f"{seconds[0]:.1f} s separately, {seconds[1]:.1f} s ordered: {ratio}")
    write_json(options.json, report)


if __name__ == "__main__":
    main()
