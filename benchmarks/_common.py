"""What the benchmarks share: the report's header, the peers, tables and files."""

import importlib.util
import json
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise

import numpy as np

DISTRIBUTIONS = ("sklearn-ae", "numpy", "scipy", "scikit-learn", "torch", "jax", "pyod")


def report_header():
    """Return when, on what and with which versions; print the same."""
    header = {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": installed_versions(),
        "sgemm_gflops": round(sgemm_rate(), 1),
    }
    print(json.dumps(header), flush=True)
    return header


def processor_name():
    try:
        with open("/proc/cpuinfo") as file:
            lines = [line for line in file if line.startswith("model name")]
    except OSError:
        lines = []
    if lines:
        return lines[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def installed_versions():
    versions = {}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return versions


def sgemm_rate(n=2048, n_repeats=5):
    """Return the GFLOP/s of a large float32 matrix product, at its best."""
    a = np.random.RandomState(0).rand(n, n).astype(np.float32)
    seconds = min(time_call(np.matmul, a, a) for _ in range(n_repeats))
    return 2e-9 * n**3 / seconds


def time_call(function, *args, **kwargs):
    """Return the seconds of one call."""
    start = time.perf_counter()
    function(*args, **kwargs)
    return time.perf_counter() - start


def installed(peers):
    """Keep those of ``{name: (modules, ...)}`` that are there; name the others."""
    kept = {}
    for name, (modules, *rest) in peers.items():
        if all(map(importlib.util.find_spec, modules.split())):
            kept[name] = rest[0] if len(rest) == 1 else tuple(rest)
        else:
            print(f"{name}: not installed, left out")
    return kept


def layer_sizes(widths, code):
    """Return the widths of all layers; `widths` are those from the data to the code."""
    return (*widths, code, *widths[::-1])


def has_relu(layer, widths):
    """Whether a rectifier follows this layer: none follows the code and the output."""
    return layer not in (len(widths) - 1, 2 * len(widths) - 1)


def torch_network(widths, code):
    import torch

    layers = []
    for i, (n_inputs, n_outputs) in enumerate(pairwise(layer_sizes(widths, code))):
        layers.append(torch.nn.Linear(n_inputs, n_outputs))
        if has_relu(i, widths):
            layers.append(torch.nn.ReLU())
    return torch.nn.Sequential(*layers)


def torch_epoch(network, optimizer, rows, batch):
    """Take one step for each batch of shuffled rows."""
    import torch

    mse = torch.nn.functional.mse_loss
    torch_steps(lambda x: mse(network(x), x), optimizer, rows, batch)


def torch_steps(loss, optimizer, rows, batch):
    """Take one step for each batch of shuffled rows, down their loss."""
    import torch

    for index in torch.randperm(len(rows)).split(batch):
        optimizer.zero_grad(set_to_none=True)
        loss(rows[index]).backward()
        optimizer.step()


def torch_vae(widths, code):
    """Return (parameters, loss of rows of zeros and ones) of a variational network.

    The loss is minus the bound, with one draw for each row, as the mean over rows.
    """
    import torch

    n_layers = 2 * len(widths) - 1
    encoder = torch_network(widths, 2 * code)[:n_layers]
    decoder = torch_network(widths, code)[n_layers:]
    functional = torch.nn.functional

    def bounds(x, n_draws=1):
        """Return the importance-weighted bound of each row."""
        mean, log_variance = encoder(x).chunk(2, dim=1)
        draws = torch.randn(n_draws, *mean.shape)
        codes = mean + (log_variance / 2).exp() * draws
        logits = decoder(codes)
        targets = x.expand(n_draws, *x.shape)
        cells = functional.binary_cross_entropy_with_logits(
            logits, targets, reduction="none"
        )
        ratio = (draws**2 + log_variance - codes**2).sum(2) / 2
        weights = ratio - cells.sum(2)
        return torch.logsumexp(weights, 0) - np.log(n_draws)

    def loss(x):
        mean, log_variance = encoder(x).chunk(2, dim=1)
        codes = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        cost = functional.binary_cross_entropy_with_logits(
            decoder(codes), x, reduction="sum"
        )
        kl = (mean**2 + log_variance.exp() - log_variance - 1).sum() / 2
        return (cost + kl) / len(x)

    return [*encoder.parameters(), *decoder.parameters()], loss, bounds


def jax_start(widths, code, key):
    """Return Adam's state before training: parameters, two moments, steps."""
    import jax
    import jax.numpy as jnp

    sizes = layer_sizes(widths, code)
    keys = jax.random.split(key, len(sizes) - 1)
    theta = [
        (jax.random.normal(key, shape) * (2 / sum(shape)) ** 0.5, jnp.zeros(shape[1]))
        for key, shape in zip(keys, pairwise(sizes), strict=True)
    ]
    zeros = jax.tree.map(jnp.zeros_like, theta)
    return theta, zeros, zeros, jnp.float32(0)


def jax_reconstruct(theta, x, widths):
    import jax

    for i, (weight, bias) in enumerate(theta):
        x = x @ weight + bias
        if has_relu(i, widths):
            x = jax.nn.relu(x)
    return x


def jax_epoch(widths, batch, rate):
    """Return ``epoch(state, rows, key) -> state``, which can be compiled as a whole.

    Rows that do not fill a batch are left out of the epoch.
    """
    import jax
    import jax.numpy as jnp

    def loss(theta, x):
        return jnp.mean((jax_reconstruct(theta, x, widths) - x) ** 2)

    def step(state, x):
        theta, first, second, t = state
        gradient = jax.grad(loss)(theta, x)
        t = t + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        scale = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        theta = jax.tree.map(
            lambda p, m, v: p - scale * m / (jnp.sqrt(v) + 1e-8), theta, first, second
        )
        return theta, first, second, t

    def epoch(state, rows, key):
        n_batches = len(rows) // batch
        order = jax.random.permutation(key, len(rows))[: n_batches * batch]
        indices = order.reshape(n_batches, batch)
        return jax.lax.scan(lambda s, i: (step(s, rows[i]), None), state, indices)[0]

    return epoch


def print_table(title, columns, rows):
    """Print rows of cells: numbers with four digits, the first column to the left."""
    table = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print(f"\n{title}")
    for first, *others in table:
        line = first.ljust(widths[0])
        for cell, width in zip(others, widths[1:], strict=True):
            line += "  " + cell.rjust(width)
        print(line, flush=True)


def _cell(value):
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def write_json(path, report):
    """Write the report if there is a path."""
    if path:
        with open(path, "w") as file:
            json.dump(report, file, indent=1)


def pyplot():
    """Return matplotlib.pyplot, for drawing into files."""
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError("--plot needs matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
