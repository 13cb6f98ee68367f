"""Microseconds per training step, beside the peers, in one run.

The same network (ReLU units, linear code and output), batch size, float32 and Adam for
all. Repetitions are interleaved, so that a machine whose speed drifts is the same for
everybody. A step's time is the difference between a long and a short training, divided
by the difference in steps: setting up, compiling and evaluating do not count.

    pip install -e ".[bench]" && python benchmarks/bench_step.py --json step.json

A peer that is not installed is reported and left out.
"""

import argparse
import importlib.util
import json
import platform
import statistics
import time
import warnings
from itertools import pairwise

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from sklearn_ae import AutoencoderTransformer

# (encoder widths, code, batch, rows, epochs of the short and the long training)
CASES = [
    ((30, 16), 8, 200, 4000, (2, 62)),
    ((30, 16), 8, 32, 4000, (1, 13)),
    ((100, 64, 32), 16, 128, 6400, (1, 9)),
    ((784, 128, 64, 32), 10, 256, 5120, (1, 4)),
    ((784, 1000, 500, 250), 30, 200, 2000, (1, 3)),
]


def ours(widths, code, batch, X):
    def train(n_epochs):
        AutoencoderTransformer(
            code,
            hidden_layer_sizes=widths[1:],
            activation="relu",
            solver="adam",
            batch_size=batch,
            max_iter=n_epochs,
            random_state=0,
        ).fit(X)

    return train


def mlp_regressor(widths, code, batch, X):
    def train(n_epochs):
        MLPRegressor(
            hidden_layer_sizes=(*widths[1:], code, *widths[:0:-1]),
            solver="adam",
            batch_size=batch,
            max_iter=n_epochs,
            tol=0,
            n_iter_no_change=n_epochs + 1,
            random_state=0,
        ).fit(X, X)

    return train


def torch_eager(widths, code, batch, X):
    import torch

    torch.manual_seed(0)
    sizes = (*widths, code, *widths[::-1])
    layers = []
    for i, (n_inputs, n_outputs) in enumerate(pairwise(sizes)):
        layers.append(torch.nn.Linear(n_inputs, n_outputs))
        if i not in (len(widths) - 1, len(sizes) - 2):
            layers.append(torch.nn.ReLU())
    network = torch.nn.Sequential(*layers)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    rows = torch.from_numpy(X)

    def train(n_epochs):
        for _ in range(n_epochs):
            for index in torch.randperm(len(rows)).split(batch):
                x = rows[index]
                optimizer.zero_grad(set_to_none=True)
                torch.nn.functional.mse_loss(network(x), x).backward()
                optimizer.step()

    return train


def jax_epoch(widths, code, batch, X):
    """The whole epoch is one compiled function."""
    import jax
    import jax.numpy as jnp

    sizes = (*widths, code, *widths[::-1])
    keys = jax.random.split(jax.random.key(0), len(sizes))
    theta = [
        (jax.random.normal(key, (a, b)) * (2 / (a + b)) ** 0.5, jnp.zeros(b))
        for key, (a, b) in zip(keys, pairwise(sizes), strict=False)
    ]
    rows = jnp.asarray(X)

    def loss(theta, x):
        out = x
        for i, (weight, bias) in enumerate(theta):
            out = out @ weight + bias
            if i not in (len(widths) - 1, len(sizes) - 2):
                out = jax.nn.relu(out)
        return jnp.mean((out - x) ** 2)

    def step(state, index):
        theta, first, second, t = state
        gradient = jax.grad(loss)(theta, rows[index])
        t = t + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        theta = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), theta, first, second
        )
        return (theta, first, second, t), None

    @jax.jit
    def epoch(state, key):
        n_batches = len(rows) // batch
        order = jax.random.permutation(key, len(rows))[: n_batches * batch]
        return jax.lax.scan(step, state, order.reshape(n_batches, batch))[0]

    zeros = jax.tree.map(jnp.zeros_like, theta)
    start = (theta, zeros, zeros, jnp.float32(0))
    epoch(start, keys[0])

    def train(n_epochs):
        state = start
        for key in jax.random.split(keys[-1], n_epochs):
            state = epoch(state, key)
        jax.block_until_ready(state)

    return train


PEERS = {
    "ours": ("sklearn_ae", ours),
    "MLPRegressor": ("sklearn", mlp_regressor),
    "torch eager": ("torch", torch_eager),
    "JAX epoch": ("jax", jax_epoch),
}


def sgemm_rate(n=2048):
    """Return the GFLOP/s of a large float32 matrix product."""
    a = np.random.RandomState(0).rand(n, n).astype(np.float32)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    return 2 * n**3 / min(times) / 1e9


def measure(case, peers, n_repeats):
    """Return, for each peer, the microseconds per step of each repetition."""
    widths, code, batch, n_rows, (short, long) = case
    X = np.random.RandomState(0).rand(n_rows, widths[0]).astype(np.float32)
    trainers = {name: make(widths, code, batch, X) for name, make in peers.items()}
    n_steps = (long - short) * -(-n_rows // batch)
    times = {name: [] for name in trainers}
    for _ in range(n_repeats):
        for name, train in trainers.items():
            seconds = []
            for n_epochs in (short, long):
                start = time.perf_counter()
                train(n_epochs)
                seconds.append(time.perf_counter() - start)
            times[name].append(1e6 * (seconds[1] - seconds[0]) / n_steps)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)))
    parser.add_argument("--json", help="where to write all measurements")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    peers = {}
    for name, (module, make) in PEERS.items():
        if importlib.util.find_spec(module):
            peers[name] = make
        else:
            print(f"{name}: not installed, left out")
    report = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": platform.processor() or platform.machine(),
        "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
        "sgemm_gflops": round(sgemm_rate(), 1),
        "microseconds_per_step": {},
    }
    print(json.dumps({key: report[key] for key in list(report)[:4]}))
    print("median microseconds per step (minimum)")
    print(f"{'network, batch':>40}" + "".join(f"{name:>22}" for name in peers))
    for i in options.cases:
        widths, code, batch, *_ = CASES[i]
        label = "-".join(map(str, (*widths, code))) + f"-..., {batch}"
        times = measure(CASES[i], peers, options.repeats)
        report["microseconds_per_step"][label] = times
        cells = (
            f"{statistics.median(t):10.0f} ({min(t):8.0f})" for t in times.values()
        )
        print(f"{label:>40}" + "".join(f"{cell:>22}" for cell in cells), flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
