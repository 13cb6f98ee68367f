"""The textbook's deep autoencoder of digits: d-128-64-32-10-32-64-128-d.

relu everywhere, logistic output, binary cross-entropy, Adam with a constant rate of
0.001, batches of 256, 50 epochs, validation rows of one's own: settings that countless
courses have, here beside this package's defaults. On MNIST if a file is given (.npz
with images in X), else on scikit-learn's digits. Prints a table and writes
deep_autoencoder.png. Run it with

    pip install ".[plots]" && python examples/deep_autoencoder.py [mnist.npz]
"""

import sys
import time
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sklearn_ae import (
    AutoencoderTransformer,
    LossCurveDisplay,
    ReconstructionDisplay,
)

TEXTBOOK = {
    "n_components": 10,
    "hidden_layer_sizes": (128, 64, 32),
    "activation": "relu",
    "code_activation": "relu",
    "linear_path": False,
    "loss": "binary_cross_entropy",
    "scaling": None,
    "solver": "adam",
    "learning_rate": "constant",
    "learning_rate_init": 0.001,
    "batch_size": 256,
    "max_iter": 50,
    # All epochs are run.
    "n_iter_no_change": 50,
    "random_state": 0,
}
OURS = {"n_components": 10, "loss": "binary_cross_entropy", "random_state": 0}


def load_images():
    """Return images as rows in [0, 1]."""
    X = np.load(sys.argv[1])["X"] if len(sys.argv) > 1 else load_digits().data
    X = X.reshape(len(X), -1).astype(np.float32)
    return X / X.max()


def main():
    start = time.perf_counter()
    X = load_images()
    train, validation = train_test_split(X, test_size=0.2, random_state=0)
    print(
        f"{len(train)} images of {X.shape[1]} pixels, {len(validation)} to validate on"
    )
    print(f"{'':12}{'loss':>8}{'mean square':>13}{'live codes':>12}{'seconds':>9}")
    fitted = {}
    for name, params in {"textbook": TEXTBOOK, "defaults": OURS}.items():
        since = time.perf_counter()
        with warnings.catch_warnings():
            # A constant rate has not converged after 50 epochs, and need not.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted[name] = AutoencoderTransformer(**params).fit(train, X_val=validation)
        seconds = time.perf_counter() - since
        best = min(fitted[name].validation_loss_curve_)
        error = np.square(fitted[name].reconstruct(validation) - validation).mean()
        # A relu that is 0 for every image has died.
        live = np.ptp(fitted[name].transform(validation), axis=0) > 0
        print(f"{name:12}{best:8.4f}{error:13.5f}{live.sum():12}{seconds:9.1f}")
    pca = PCA(10).fit(train)
    error = np.square(pca.inverse_transform(pca.transform(validation)) - validation)
    print(f"{'PCA':12}{'':8}{error.mean():13.5f}")

    figure = plt.figure(figsize=(13, 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.3], wspace=0.04)
    axes = left.subplots()
    for name, autoencoder in fitted.items():
        LossCurveDisplay.from_estimator(autoencoder, name=name, ax=axes)
    axes.set_ylabel("binary cross-entropy")
    axes.spines[["top", "right"]].set_visible(False)
    left.suptitle("Both loss curves", size=12, weight="bold")
    side = int(np.sqrt(X.shape[1]))
    ReconstructionDisplay.from_estimator(
        fitted["textbook"],
        validation[:10],
        name="textbook",
        beside={
            "defaults": fitted["defaults"].reconstruct(validation[:10]),
            "PCA": pca,
        },
        image_shape=(side, side),
        ax=right.subplots(),
        image_kwargs={"cmap": "gray_r"},
    )
    right.suptitle("Ten unseen digits from 10 numbers each", size=12, weight="bold")
    figure.savefig("deep_autoencoder.png", dpi=110)
    print(f"\nWrote deep_autoencoder.png ({time.perf_counter() - start:.0f} s in all)")


if __name__ == "__main__":
    main()
