"""Seconds of training until a held-out loss is reached, beside the peers.

The loss is the mean squared error per cell of rows that were held out, as the estimator
or network is given them: pixels from 0 to 1 for the images, standardised columns for
the tables. All start with the same layers, float32 and the same rows.

- ours: `AutoencoderTransformer`, its defaults. "seconds" is a fit as a user calls it.
  A second fit, with the same result, keeps the parameters after each epoch for the
  curve; what that costs does not count.
- MLPRegressor: its defaults, its code rectified too.
- PyTorch, JAX: Adam, relu units, linear code and output. Each trains with three
  learning rates; the one with the lowest final loss is reported, and only its own time
  counts. JAX runs an epoch as one compiled function; its time is given with and without
  compiling it.
- PyOD: its defaults (with dropout and batch normalisation) for as many epochs.

Each is called once before, on a few rows. Setting up counts, evaluating does not.

    pip install -e ".[bench,plots]" pyod tqdm
    python benchmarks/bench_time_to_loss.py --json loss.json --plot loss.png

Without `--data` only scikit-learn's digits are run. The directory has the files of
`CASES`: arrays "X", those of tables as ADBench publishes them. A peer that is not
installed is reported and left out.
"""

import argparse
import json
import time
import warnings
from collections import namedtuple
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from _common import (
    installed,
    jax_epoch,
    jax_reconstruct,
    jax_start,
    print_table,
    pyplot,
    report_header,
    torch_epoch,
    torch_network,
    write_json,
)
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_ae import AutoencoderTransformer
from sklearn_ae._stopping import Tracker

# file (None: scikit-learn's digits), largest value of a pixel (None: standardise),
# share or number of rows held out, hidden widths, code, the batch of PyTorch and JAX
Case = namedtuple("Case", "file largest held_out hidden code batch")
CASES = {
    "digits": Case(None, 16, 0.2, (32,), 8, 128),
    "pendigits": Case("adbench/28_pendigits.npz", None, 0.2, (16, 8), 4, 128),
    "cardio": Case("adbench/6_cardio.npz", None, 0.2, (16,), 5, 128),
    "mnist": Case("mnist_t10k.npz", 255, 0.1, (128, 64, 32), 10, 256),
}
RATES = (3e-4, 1e-3, 3e-3)


class Problem:
    """The rows of a case, and the loss of their reconstruction."""

    def __init__(self, case, training, held_out, params):
        self.case, self.training, self.held_out = case, training, held_out
        self.params = params
        self.widths = (training.shape[1], *case.hidden)
        self.batch = min(case.batch, len(training))

    @classmethod
    def load(cls, case, directory, max_rows, params):
        if case.file is None:
            X = load_digits().data
        else:
            with np.load(Path(directory) / case.file) as arrays:
                X = arrays["X"]
        X = X[:max_rows].astype(np.float32)
        training, held_out = train_test_split(
            X, test_size=case.held_out, random_state=0
        )
        if case.largest is None:
            scaler = StandardScaler().fit(training)
            training, held_out = map(scaler.transform, (training, held_out))
        else:
            training, held_out = training / case.largest, held_out / case.largest
        return cls(case, training, held_out, params)

    def head(self, n_rows=256):
        """Return the problem with few rows, for a first call."""
        training, held_out = self.training[:n_rows], self.held_out[:n_rows]
        return Problem(self.case, training, held_out, self.params)

    def loss(self, predict):
        """Return the mean squared error per held-out cell."""
        residual = np.asarray(predict(self.held_out), np.float64) - self.held_out
        return float(np.mean(residual**2))


# A competitor is a generator that trains between its yields, and yields functions from
# rows to reconstructions: the first before training, then one after each epoch.


def train_mlp(problem, n_epochs, rate):
    X, case = problem.training, problem.case
    sizes = (*case.hidden, case.code, *case.hidden[::-1])
    network = MLPRegressor(hidden_layer_sizes=sizes, random_state=0)
    yield np.zeros_like
    for _ in range(n_epochs):
        network.partial_fit(X, X)
        yield network.predict


def train_torch(problem, n_epochs, rate):
    import torch

    torch.manual_seed(0)
    network = torch_network(problem.widths, problem.case.code)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    rows = torch.from_numpy(problem.training)

    @torch.no_grad()
    def predict(X):
        return network(torch.from_numpy(X)).numpy()

    yield predict
    for _ in range(n_epochs):
        torch_epoch(network, optimizer, rows, problem.batch)
        yield predict


def train_jax(problem, n_epochs, rate):
    """Yield once more before training: between the first two it only compiles."""
    import jax

    keys = jax.random.split(jax.random.key(0), n_epochs + 1)
    rows = jax.numpy.asarray(problem.training)
    state = jax_start(problem.widths, problem.case.code, keys[-1])

    def predict(X):
        return jax_reconstruct(state[0], X, problem.widths)

    yield predict
    epoch = jax.jit(jax_epoch(problem.widths, problem.batch, rate))
    epoch = epoch.lower(state, rows, keys[0]).compile()
    yield predict
    for key in keys[:-1]:
        state = jax.block_until_ready(epoch(state, rows, key))
        yield predict


def train_pyod(problem, n_epochs, rate):
    """Yield only before and after training."""
    from pyod.models.auto_encoder import AutoEncoder

    case = problem.case
    detector = AutoEncoder(
        hidden_neuron_list=[*case.hidden, case.code],
        epoch_num=n_epochs,
        preprocessing=False,
        verbose=0,
        random_state=0,
    )

    def predict(X):
        # Scores are the distances of rows from their reconstructions: any residuals
        # of that length have the same loss.
        distances = detector.decision_function(X)
        return X + distances[:, None] / X.shape[1] ** 0.5

    yield np.zeros_like
    detector.fit(problem.training)
    yield predict


# module, generator, learning rates (None: its default)
PEERS = {
    "MLPRegressor": ("sklearn", train_mlp, (None,)),
    "PyTorch": ("torch", train_torch, RATES),
    "JAX": ("jax", train_jax, RATES),
    "PyOD": ("pyod tqdm", train_pyod, (None,)),
}


def follow(competitor, problem, n_epochs, rate):
    """Return [seconds of training, loss] at each yield of a competitor."""
    curve, seconds = [], 0.0
    training = competitor(problem, n_epochs, rate)
    while True:
        start = time.perf_counter()
        predict = next(training, None)
        seconds += time.perf_counter() - start
        if predict is None:
            return curve
        curve.append([seconds, problem.loss(predict)])


def run_peer(competitor, rates, problem, n_epochs):
    """Return the best learning rate, its curve and the final loss of each rate."""
    follow(competitor, problem.head(), 1, rates[0])
    curves = {rate: follow(competitor, problem, n_epochs, rate) for rate in rates}
    losses = {rate: curve[-1][1] for rate, curve in curves.items()}
    best = min(rates, key=lambda rate: np.nan_to_num(losses[rate], nan=np.inf))
    return {"rate": best, "curve": curves[best], "losses": list(losses.values())}


def without_compiling(result):
    """Return JAX's result as if its function had been compiled before."""
    setting_up, compiled, *epochs = result["curve"]
    seconds = compiled[0] - setting_up[0]
    curve = [setting_up, *([t - seconds, loss] for t, loss in epochs)]
    return {**result, "curve": curve}


@contextmanager
def recorded_parameters():
    """Give a list that a fit inside fills with [seconds, parameters].

    The clock starts here, and stands still while parameters are copied.
    """
    start, record = time.perf_counter(), []

    def recording(method):
        def wrapper(tracker, theta, value):
            nonlocal start
            now = time.perf_counter()
            record.append([now - start, theta.copy()])
            start += time.perf_counter() - now
            return method(tracker, theta, value)

        return wrapper

    with (
        patch.object(Tracker, "start", recording(Tracker.start)),
        patch.object(Tracker, "update", recording(Tracker.update)),
    ):
        yield record


def our_estimator(problem):
    params = {"hidden_layer_sizes": problem.case.hidden, "random_state": 0}
    return AutoencoderTransformer(problem.case.code, **params | problem.params)


def our_curve(problem):
    """Return [seconds, loss] before and after each epoch of a fit."""
    estimator = our_estimator(problem)
    with recorded_parameters() as record:
        estimator.fit(problem.training)
    seconds, thetas = map(list, zip(*record, strict=True))
    if np.array_equal(thetas[0], thetas[1]):
        # Epochs were reported with the parameters that they started from.
        thetas = [*thetas[1:], estimator._fitted.theta]
    model = estimator._fitted.model
    losses = []
    for theta in thetas:
        views = model.network.views(theta)
        losses.append(problem.loss(partial(model.reconstruct, views)))
    return list(map(list, zip(seconds, losses, strict=True)))


def run_ours(problem):
    """Return seconds and loss of a fit, and the curve of a second one."""
    our_estimator(problem).fit(problem.head().training)
    estimator = our_estimator(problem)
    start = time.perf_counter()
    estimator.fit(problem.training)
    seconds = time.perf_counter() - start
    final = [seconds, problem.loss(estimator.reconstruct)]
    return {"final": final, "epochs": estimator.n_iter_, "curve": our_curve(problem)}


def measure(problem, peers, n_epochs):
    """Return the result of each competitor."""
    results = {"ours": run_ours(problem)}
    for name, (competitor, rates) in peers.items():
        result = run_peer(competitor, rates, problem, n_epochs)
        if name == "JAX":
            results["JAX"] = without_compiling(result)
            name = "JAX with compiling"
        results[name] = result
    for result in results.values():
        result.setdefault("epochs", n_epochs)
        result.setdefault("final", result["curve"][-1])
        first = first_below(results["ours"]["curve"], result["final"][1])
        result["ours_reaches_it_after"] = first
    return results


def first_below(curve, loss):
    """Return the seconds after which a curve is at most at a loss, or None."""
    return next((seconds for seconds, value in curve if value <= loss), None)


def print_results(label, results):
    rows = []
    for name, result in results.items():
        (seconds, loss), reached = result["final"], result["ours_reaches_it_after"]
        if name == "ours":
            reached_cells = ["", ""]
        elif reached is None:
            best = min(loss for _, loss in results["ours"]["curve"])
            reached_cells = [f"never ({best:.4g})", ""]
        else:
            reached_cells = [reached, seconds / reached]
        rate = result.get("rate") or ""
        rows.append([name, result["epochs"], rate, seconds, loss, *reached_cells])
    columns = ["competitor", "epochs", "rate", "seconds", "held-out loss"]
    columns += ["ours is there after", "times faster"]
    print_table(label, columns, rows)


def plot(path, results):
    """Draw a panel for each case, a line for each competitor."""
    n = len(results)
    figure, axes = pyplot().subplots(
        1, n, figsize=(1 + 4 * n, 4), squeeze=False, layout="constrained"
    )
    colors = {"ours": "C3", "MLPRegressor": "C7", "PyTorch": "C1", "PyOD": "C4"}
    for ax, (label, result) in zip(axes[0], results.items(), strict=True):
        for name, competitor in result.items():
            # Before training there is no time to speak of.
            seconds, losses = zip(*competitor["curve"][1:], strict=True)
            if name == "JAX with compiling":
                seconds, losses = seconds[1:], losses[1:]
            ax.plot(
                seconds,
                losses,
                color=colors.get(name, "C0"),
                linestyle="--" if name == "JAX with compiling" else "-",
                linewidth=3 if name == "ours" else 1.5,
                marker="o" if len(seconds) == 1 else None,
                zorder=3 if name == "ours" else 2,
                label=name,
            )
        ax.set(xscale="log", yscale="log", title=label, xlabel="seconds of training")
        ax.grid(which="both", alpha=0.2)
    axes[0][0].set_ylabel("held-out mean squared error")
    lines, names = axes[0][0].get_legend_handles_labels()
    place, n_columns = "outside lower center", min(6, 3 * n)
    figure.legend(lines, names, loc=place, ncols=n_columns, frameon=False)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="directory with the files of the other cases")
    parser.add_argument("--cases", nargs="*", choices=CASES, help="default: all")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--epochs", type=int, default=60, help="of the peers")
    parser.add_argument("--max-rows", type=int, help="for a quick try")
    parser.add_argument(
        "--params", type=json.loads, default={}, help="of ours, as JSON; else defaults"
    )
    parser.add_argument("--json", help="where to write all measurements")
    parser.add_argument("--plot", help="where to draw the curves")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    report = {"header": report_header(), "results": {}}
    peers = installed({name: PEERS[name] for name in options.peers})
    for name in options.cases or CASES:
        case = CASES[name]
        if case.file and not options.data:
            print(f"{name}: no --data, left out")
            continue
        problem = Problem.load(case, options.data, options.max_rows, options.params)
        results = measure(problem, peers, options.epochs)
        widths = "-".join(map(str, (*problem.widths, case.code)))
        label = f"{name}, {len(problem.training)} rows, {widths}"
        print_results(label, results)
        report["results"][label] = results
        write_json(options.json, report)
    if options.plot:
        plot(options.plot, report["results"])


if __name__ == "__main__":
    main()
