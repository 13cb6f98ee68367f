"""Microseconds per training step, beside the peers, in one run.

The same network (ReLU units, linear code and output), batch size, float32 and Adam for
all. Repetitions are interleaved, so that a machine whose speed drifts is the same for
everybody. A step's time is the difference between a long and a short training, divided
by the difference in steps: setting up, compiling and evaluating do not count. Beside
ours stands what share of the machine's own matrix product rate (sgemm, measured between
the repetitions) its products alone amount to. "products alone" makes these in a loop.

    pip install -e ".[bench]" && python benchmarks/bench_step.py --json step.json

With `--before DIR` the package in another checkout takes part as "before", and the
last column is ours divided by it: the median of the repetitions' ratios, and the ratio
of the minima.

    git worktree add ../before COMMIT
    python benchmarks/bench_step.py --before ../before --peers ours --repeats 15

A peer that is not installed is reported and left out; noise is only for ours, and the
variational network for ours and PyTorch.
"""

import argparse
import importlib
import statistics
import sys
import warnings
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from _common import (
    installed,
    jax_epoch,
    jax_start,
    layer_sizes,
    print_table,
    report_header,
    sgemm_rate,
    time_call,
    torch_epoch,
    torch_network,
    torch_steps,
    torch_vae,
    write_json,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

import sklearn_ae

# (encoder widths, code, batch, rows, epochs of the short and the long training, and
# what is special: noise of some size, or that it is variational)
CASES = [
    ((30, 16), 8, 200, 4000, (2, 62), None),
    ((30, 16), 8, 32, 4000, (1, 13), None),
    ((100, 64, 32), 16, 128, 6400, (1, 9), None),
    ((784, 128, 64, 32), 10, 256, 5120, (1, 6), None),
    ((784, 1000, 500, 250), 30, 200, 2000, (1, 5), None),
    ((30, 16), 8, 32, 4000, (1, 13), 0.3),
    ((100, 64, 32), 16, 128, 6400, (1, 9), 0.3),
    ((784, 128, 64, 32), 10, 256, 5120, (1, 6), 0.3),
    ((784, 400), 20, 128, 5120, (1, 6), "variational"),
]

# Who takes part in what is special.
WITH_NOISE = ("ours", "before")
VARIATIONAL = ("ours", "before", "torch eager")


def ours(widths, code, batch, X, special=None, package=sklearn_ae):
    kind, params = package.AutoencoderTransformer, {"noise": special}
    if special == "variational":
        kind = package.VariationalAutoencoder
        params = {"loss": "binary_cross_entropy", "scaling": None}

    def train(n_epochs):
        kind(
            code,
            hidden_layer_sizes=widths[1:],
            activation="relu",
            linear_path=False,
            early_stopping=False,
            solver="adam",
            batch_size=batch,
            max_iter=n_epochs,
            random_state=0,
            **params,
        ).fit(X)

    return train


def package_at(directory):
    """Return the package of another checkout, beside that which is installed."""
    installed = {
        name: sys.modules.pop(name)
        for name in list(sys.modules)
        if name.partition(".")[0] == "sklearn_ae"
    }
    sys.path.insert(0, str(directory))
    try:
        package = importlib.import_module("sklearn_ae")
    finally:
        sys.path.pop(0)
        sys.modules.update(installed)
    if Path(package.__file__).parents[1] != Path(directory).resolve():
        raise SystemExit(f"{directory} has no sklearn_ae, but {package.__file__} is.")
    return package


def mlp_regressor(widths, code, batch, X):
    def train(n_epochs):
        MLPRegressor(
            hidden_layer_sizes=layer_sizes(widths, code)[1:-1],
            solver="adam",
            batch_size=batch,
            max_iter=n_epochs,
            tol=0,
            n_iter_no_change=n_epochs + 1,
            random_state=0,
        ).fit(X, X)

    return train


def torch_eager(widths, code, batch, X, special=None, compiled=False):
    import torch

    torch.manual_seed(0)
    if special == "variational":
        parameters, loss, _ = torch_vae(widths, code)
        adam, rows = torch.optim.Adam(parameters), torch.from_numpy(X)
        return lambda n: [torch_steps(loss, adam, rows, batch) for _ in range(n)]
    network = torch_network(widths, code)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    if compiled:
        network = torch.compile(network)
    rows = torch.from_numpy(X)

    def train(n_epochs):
        for _ in range(n_epochs):
            torch_epoch(network, optimizer, rows, batch)

    train(1)
    return train


def torch_compiled(widths, code, batch, X):
    return torch_eager(widths, code, batch, X, compiled=True)


def jax_whole_epoch(widths, code, batch, X):
    import jax

    epoch = jax.jit(jax_epoch(widths, batch, 1e-3))
    start = jax_start(widths, code, jax.random.key(0))
    rows = jax.numpy.asarray(X)

    def train(n_epochs):
        state = start
        for key in jax.random.split(jax.random.key(1), n_epochs):
            state = epoch(state, rows, key)
        jax.block_until_ready(state)

    train(1)
    return train


def jax_step(widths, code, batch, X):
    """One step is one compiled function: an epoch of a single batch."""
    import jax

    step = jax.jit(jax_epoch(widths, batch, 1e-3))
    start = jax_start(widths, code, jax.random.key(0))
    key = jax.random.key(0)

    def train(n_epochs):
        state, rng = start, np.random.RandomState(0)
        for _ in range(n_epochs):
            order = rng.permutation(len(X))
            for first in range(0, len(X) - batch + 1, batch):
                state = step(state, X[order[first : first + batch]], key)
        jax.block_until_ready(state)

    train(1)
    return train


def keras(widths, code, batch, X):
    import keras

    sizes = layer_sizes(widths, code)
    linear = (len(widths) - 1, len(sizes) - 2)
    network = keras.Sequential(
        [
            keras.layers.Dense(size, None if i in linear else "relu")
            for i, size in enumerate(sizes[1:])
        ]
    )
    network.compile("adam", "mse")

    def train(n_epochs):
        network.fit(X, X, batch_size=batch, epochs=n_epochs, verbose=0)

    train(1)
    return train


def products(widths, code, batch, X):
    """Nothing but the matrix products of each step: what NumPy's BLAS allows."""
    sizes = layer_sizes(widths, code)
    rows = [X[:batch], *(np.ones((batch, size), np.float32) for size in sizes[1:])]
    weights = [np.ones(shape, np.float32) for shape in pairwise(sizes)]
    gradients = [np.empty_like(weight) for weight in weights]
    deltas = [np.empty_like(x) for x in rows]

    def step():
        for x, weight, out in zip(rows, weights, deltas[1:], strict=False):
            x.dot(weight, out)
        for i in reversed(range(len(weights))):
            rows[i].T.dot(rows[i + 1], gradients[i])
            if i:
                rows[i + 1].dot(weights[i].T, deltas[i])

    def train(n_epochs):
        for _ in range(n_epochs * -(-len(X) // batch)):
            step()

    return train


PEERS = {
    "ours": ("sklearn_ae", ours),
    "products alone": ("numpy", products),
    "MLPRegressor": ("sklearn", mlp_regressor),
    "torch eager": ("torch", torch_eager),
    "torch compiled": ("torch", torch_compiled),
    "JAX step": ("jax", jax_step),
    "JAX epoch": ("jax", jax_whole_epoch),
    "Keras": ("keras", keras),
}


def product_flops(widths, code, batch):
    """Return the floating point operations of the matrix products of one step."""
    sizes = layer_sizes(widths, code)
    n_weights = sum(a * b for a, b in zip(sizes, sizes[1:], strict=False))
    # Forward, gradient by weights, gradient by inputs; not for the first layer's.
    return 2 * batch * (3 * n_weights - sizes[0] * sizes[1])


def measure(case, peers, n_repeats):
    """Return the microseconds per step of each repetition by peer, and sgemm's rate."""
    widths, code, batch, n_rows, (short, long), special = case
    X = np.random.RandomState(0).rand(n_rows, widths[0]).astype(np.float32)
    if special == "variational":
        X = (X < 0.2).astype(np.float32)
    trainers = {}
    for name, make in peers.items():
        try:
            if special is None:
                trainers[name] = make(widths, code, batch, X)
            elif name in (VARIATIONAL if special == "variational" else WITH_NOISE):
                trainers[name] = make(widths, code, batch, X, special)
        except RuntimeError as error:
            # torch.compile needs a compiler.
            print(f"{name}: {str(error).splitlines()[0]}")
    n_steps = (long - short) * -(-n_rows // batch)
    times = {name: [] for name in trainers}
    rates = []
    for _ in range(n_repeats):
        rates.append(sgemm_rate(n_repeats=2))
        for name, train in trainers.items():
            seconds = [time_call(train, n_epochs) for n_epochs in (short, long)]
            times[name].append(1e6 * (seconds[1] - seconds[0]) / n_steps)
    return times, statistics.median(rates)


def paired(ours, before):
    ratios = [a / b for a, b in zip(ours, before, strict=True)]
    return f"{statistics.median(ratios):.3f} ({min(ours) / min(before):.3f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)))
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--before", help="a checkout of another version")
    parser.add_argument("--json", help="where to write all measurements")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    peers = installed({name: PEERS[name] for name in options.peers})
    if options.before:
        peers["before"] = partial(ours, package=package_at(options.before))
    report = {**report_header(), "microseconds_per_step": {}}
    rows = []
    for i in options.cases:
        widths, code, batch, *_, special = CASES[i]
        times, rate = measure(CASES[i], peers, options.repeats)
        label = "-".join(map(str, (*widths, code))) + f"-..., {batch}"
        label += {None: "", "variational": ", variational"}.get(
            special, f", noise {special}"
        )
        report["microseconds_per_step"][label] = times
        medians = {name: statistics.median(values) for name, values in times.items()}
        share = product_flops(widths, code, batch) / (1e3 * rate * medians["ours"])
        cells = [
            f"{medians[name]:.0f} ({min(times[name]):.0f})" if name in times else "-"
            for name in peers
        ]
        rows.append([label, *cells, f"{share:.0%}"])
        if options.before:
            rows[-1].append(paired(times["ours"], times["before"]))
        print(rows[-1], flush=True)
    columns = ["network, batch", *peers, "ours of sgemm"]
    columns += ["ours / before"] if options.before else []
    print_table("Median microseconds per step (minimum)", columns, rows)
    write_json(options.json, report)


if __name__ == "__main__":
    main()
