"""Log-density of held-out images, beside the same network in PyTorch.

784-400-20-400-784 with rectifiers on the first 9,000 of the 10,000 MNIST test images,
in an order drawn once; the other 1,000 are held out. Pixels are drawn as zeros and ones
with their grey value as probability: once for all ("drawn once"), or the training rows
anew in each epoch ("drawn anew", with `partial_fit`). How that is done alone is worth
more than 10 nats, so figures are comparable within one line of one table only.

Both are trained by Adam with the same batches, rates (falling along half a cosine) and
L2 penalty, without early stopping. "with a linear path" is ours as it starts by
default. The bound is the mean over ten draws; "100 draws" is importance-weighted.

Published for 60,000 images drawn anew, with other networks: a bound of -90.9 and -87.0
with 100 draws (a fully connected network); -86.8 (Burda, Grosse & Salakhutdinov 2016,
5,000 draws).

    pip install -e ".[bench]"
    python benchmarks/bench_variational.py --data DIR --json variational.json

DIR, or the folder above it, has the images as `mnist_t10k.npz`.
"""

import argparse
import time
from functools import partial
from math import cos, pi
from pathlib import Path

import numpy as np
from _common import (
    installed,
    print_table,
    report_header,
    torch_steps,
    torch_vae,
    write_json,
)
from scipy.special import xlogy

from sklearn_ae import VariationalAutoencoder

WIDTHS, CODE, BATCH, RATE = (784, 400), 20, 128, 0.003

# Of rows that are always the same more can be learnt by heart.
ALPHA = {"once": 1e-5, "anew": 2e-6}


def load_images(folder):
    """Return grey values in [0, 1] of images in an order drawn once."""
    folder = Path(folder)
    paths = [place / "mnist_t10k.npz" for place in (folder, folder.parent)]
    with np.load(next(path for path in paths if path.exists())) as file:
        images = max((file[key] for key in file.files), key=np.size)
    grey = images.reshape(len(images), -1) / np.float32(255)
    return grey[np.random.RandomState(0).permutation(len(grey))]


def drawn(grey, rng):
    return (rng.uniform(size=grey.shape) < grey).astype(np.float32)


def rate_at(epoch, n_epochs):
    return RATE * (1 + cos(pi * epoch / n_epochs)) / 2


def ours(epochs, seed, linear_path):
    """Train on each of some arrays of rows; return a function of rows."""
    vae = VariationalAutoencoder(
        CODE,
        loss="binary_cross_entropy",
        scaling=None,
        hidden_layer_sizes=WIDTHS[1:],
        activation="relu",
        linear_path=linear_path,
        alpha=ALPHA[epochs.pixels],
        batch_size=BATCH,
        n_draws=100,
        random_state=seed,
    )
    for epoch, rows in enumerate(epochs):
        vae.set_params(learning_rate_init=max(rate_at(epoch, len(epochs)), 1e-7))
        vae.partial_fit(rows)
    return partial(judge, vae)


def judge(vae, rows):
    """Return the bound, from what is public of the network, and that of 100 draws."""
    (w1, w2), (b1, b2) = vae.coefs_[:2], vae.intercepts_[:2]
    hidden = [np.maximum(rows @ w1 + b1, 0), rows][: 1 + (len(w2) > len(b1))]
    mean, log_variance = np.split(np.hstack(hidden) @ w2 + b2, 2, axis=1)
    rng, bounds = np.random.RandomState(0), []
    kl = (mean**2 + np.exp(log_variance) - log_variance - 1).sum(axis=1) / 2
    for _ in range(10):
        codes = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
        p = np.clip(vae.inverse_transform(codes).astype(float), 1e-9, 1 - 1e-9)
        bounds.append((xlogy(rows, p) + xlogy(1 - rows, 1 - p)).sum(axis=1) - kl)
    return float(np.mean(bounds)), vae.score(rows)


def pytorch(epochs, seed):
    import torch

    torch.manual_seed(seed)
    parameters, loss, bounds = torch_vae(WIDTHS, CODE)
    weights = [p for p in parameters if p.ndim == 2]
    biases = [p for p in parameters if p.ndim == 1]
    # The penalty beside the loss of a row, of which ours is a mean over features.
    decay = {"params": weights, "weight_decay": ALPHA[epochs.pixels] * WIDTHS[0]}
    adam = torch.optim.Adam([decay, {"params": biases}])
    for epoch, rows in enumerate(epochs):
        for group in adam.param_groups:
            group["lr"] = rate_at(epoch, len(epochs))
        torch_steps(loss, adam, torch.from_numpy(rows), BATCH)

    def judged(rows):
        with torch.no_grad():
            x = torch.from_numpy(rows)
            single = np.mean([bounds(x).mean().item() for _ in range(10)])
            many = torch.cat([bounds(few, 100) for few in x.split(100)])
        return float(single), float(many.mean())

    return judged


PEERS = {
    "ours": ("sklearn_ae", partial(ours, linear_path=False)),
    "ours, with a linear path": ("sklearn_ae", partial(ours, linear_path=True)),
    "PyTorch": ("torch", pytorch),
}


class Epochs:
    """The rows of each epoch: always the same, or drawn anew."""

    def __init__(self, grey, n_epochs, pixels):
        self.grey, self.n_epochs, self.pixels = grey, n_epochs, pixels

    def __len__(self):
        return self.n_epochs

    def __iter__(self):
        rng = np.random.RandomState(1)
        rows = drawn(self.grey, rng)
        for _ in range(self.n_epochs):
            yield rows
            rows = drawn(self.grey, rng) if self.pixels == "anew" else rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of mnist_t10k.npz")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--pixels", nargs="*", default=[*ALPHA], choices=ALPHA)
    parser.add_argument("--json", help="where to write all measurements")
    options = parser.parse_args()
    report = {**report_header(), "results": {}}
    grey = load_images(options.data)
    test = drawn(grey[9000:], np.random.RandomState(2))
    peers, table = installed({name: PEERS[name] for name in options.peers}), []
    for pixels in options.pixels:
        for name, train in peers.items():
            results = []
            for seed in range(options.seeds):
                start = time.perf_counter()
                judged = train(Epochs(grey[:9000], options.epochs, pixels), seed)
                seconds = time.perf_counter() - start
                results.append([*judged(test), seconds])
            label = f"{name}, drawn {pixels}"
            report["results"][label] = results
            table.append([label, *(float(x) for x in np.mean(results, axis=0))])
            print(table[-1], flush=True)
    columns = ["784-400-20, pixels", "bound", "100 draws", "seconds"]
    print_table("Nats per image of 1,000 held out", columns, table)
    write_json(options.json, report)


if __name__ == "__main__":
    main()
