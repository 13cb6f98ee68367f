"""Experiments of the textbooks.

deep: 784-128-64-32-10 and back, relu everywhere but at the output, which is logistic;
binary cross-entropy; Adam with a constant rate of 0.001; batches of 256; 50 epochs; a
fifth of the rows held out. The mean loss on these after the last epoch, over several
seeds, beside the same network in PyTorch: codes die by chance (a relu that is 0 for
every row), so single runs differ.

steps: held-out R2 of digits from 8 numbers, with one hidden layer of 32, trained end to
end; stacked greedily (64-32, then its codes 32-8); and in two steps (the encoder first,
as PCA, then a decoder by regression).

PyTorch starts from the same initial weights, seed by seed; from such as Keras has
(Glorot's uniform ones, biases zero); and from its own.

    pip install -e ".[bench]"
    python benchmarks/bench_textbook.py --data DIR --json textbook.json

DIR has MNIST's test images as `mnist_t10k.npz`, an array X. Without it, digits.
"""

import argparse
import time
import warnings
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from _common import installed, layer_sizes, print_table, report_header, write_json
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_ae import AutoencoderTransformer

HIDDEN, CODE, EPOCHS, BATCH, RATE = (128, 64, 32), 10, 50, 256, 1e-3


def load_images(directory):
    """Return images as rows in [0, 1]."""
    if directory is None:
        X = load_digits().data
    else:
        X = np.load(Path(directory) / "mnist_t10k.npz")["X"]
    X = X.reshape(len(X), -1).astype(np.float32)
    return X / X.max()


def ours(training, held_out, seed):
    """Return the loss on the rows held out, and how many codes are alive."""
    autoencoder = textbook(seed)
    with warnings.catch_warnings():
        # The textbook stops after 50 epochs, converged or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        autoencoder.fit(training, X_val=held_out)
    codes = autoencoder.transform(held_out)
    return autoencoder.validation_loss_curve_[-1], (codes.max(axis=0) > 0).sum()


def textbook(seed):
    return AutoencoderTransformer(
        CODE,
        hidden_layer_sizes=HIDDEN,
        activation="relu",
        code_activation="relu",
        linear_path=False,
        loss="binary_cross_entropy",
        scaling=None,
        solver="adam",
        learning_rate="constant",
        learning_rate_init=RATE,
        batch_size=BATCH,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS,
        random_state=seed,
    )


def initial_weights(training, seed):
    """Return our weights and biases before the first step: one that is no step."""
    params = {"max_iter": 1, "learning_rate_init": 1e-30, "early_stopping": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        start = textbook(seed).set_params(**params).fit(training)
    return zip(start.coefs_, start.intercepts_, strict=True)


def pytorch(training, held_out, seed, start="own"):
    import torch
    from torch import nn

    torch.manual_seed(seed)
    layers = []
    for shape in pairwise(layer_sizes((training.shape[1], *HIDDEN), CODE)):
        layers += [nn.Linear(*shape), nn.ReLU()]
        if start == "keras":
            nn.init.xavier_uniform_(layers[-2].weight)
            nn.init.zeros_(layers[-2].bias)
    if start == "ours":
        weights = initial_weights(training, seed)
        for layer, (weight, bias) in zip(layers[::2], weights, strict=True):
            layer.weight.data = torch.from_numpy(np.ascontiguousarray(weight.T))
            layer.bias.data = torch.from_numpy(bias.copy())
    network = nn.Sequential(*layers[:-1])
    loss = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    rows, held_out = torch.from_numpy(training), torch.from_numpy(held_out)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(rows)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss(network(rows[index]), rows[index]).backward()
            optimizer.step()
    with torch.no_grad():
        codes = network[: 2 * (len(HIDDEN) + 1)](held_out)
        value = loss(network(held_out), held_out).item()
    return value, int((codes.max(axis=0).values > 0).sum())


PEERS = {
    "sklearn_ae": ("sklearn_ae", ours),
    "PyTorch, our start": ("torch", partial(pytorch, start="ours")),
    "PyTorch, Keras' start": ("torch", partial(pytorch, start="keras")),
    "PyTorch, its own start": ("torch", pytorch),
}


def in_steps(X, seed):
    """Return R2 of held-out digits, by the way of training."""
    training, held_out = train_test_split(X, random_state=seed)
    plain = {"activation": "tanh", "linear_path": False, "random_state": seed}
    end_to_end = AutoencoderTransformer(8, hidden_layer_sizes=(32,), **plain)
    first = AutoencoderTransformer(
        32, hidden_layer_sizes=(), code_activation="tanh", **plain
    ).fit(training)
    codes = first.transform(training)
    second = AutoencoderTransformer(
        8, hidden_layer_sizes=(), solver="adam", random_state=seed
    ).fit(codes)
    stacked = second.reconstruct(first.transform(held_out))
    pca, scaler = PCA(8).fit(training), StandardScaler()
    decoder = MLPRegressor(
        hidden_layer_sizes=(32,), activation="tanh", learning_rate_init=0.003
    )
    decoder.set_params(max_iter=2000, random_state=seed)
    decoder.fit(scaler.fit_transform(pca.transform(training)), training)
    total = np.square(held_out - training.mean(axis=0)).sum()
    results = {
        "end to end": end_to_end.fit(training).reconstruct(held_out),
        "greedy stacking": first.inverse_transform(stacked),
        "encoder, then decoder": decoder.predict(
            scaler.transform(pca.transform(held_out))
        ),
        "PCA": pca.inverse_transform(pca.transform(held_out)),
    }
    return {
        name: 1 - np.square(result - held_out).sum() / total
        for name, result in results.items()
    }


def run_steps(args, report):
    X = load_digits().data / 16
    runs = [in_steps(X, seed) for seed in range(args.seeds)]
    report["steps"] = runs
    means = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
    print_table("digits, 64-32-8: held-out R2", ("", "mean R2"), means.items())


def run_deep(args, report):
    training, held_out = train_test_split(
        load_images(args.data), test_size=0.2, random_state=0
    )
    rows, report["deep"] = [], {}
    for name, run in installed(PEERS).items():
        since = time.perf_counter()
        runs = [run(training, held_out, seed) for seed in range(args.seeds)]
        seconds = (time.perf_counter() - since) / args.seeds
        losses, alive = np.transpose(runs).astype(float)
        report["deep"][name] = {"losses": losses.tolist(), "alive": alive.tolist()}
        first = np.mean(report["deep"]["sklearn_ae"]["losses"])
        cells = losses.mean(), losses.min(), losses.max(), losses.mean() / first
        rows.append((name, *map(float, cells), float(alive.mean()), seconds))
    columns = "", "mean loss", "least", "greatest", "/ ours", "live codes", "s a fit"
    print_table(f"{len(training)} x {training.shape[1]}, held out", columns, rows)


SECTIONS = {"deep": run_deep, "steps": run_steps}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", help="directory of mnist_t10k.npz; else digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", help="file to write the report to")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=[*SECTIONS])
    args = parser.parse_args()
    report = report_header()
    for section in args.sections:
        SECTIONS[section](args, report)
    write_json(args.json, report)


if __name__ == "__main__":
    main()
