"""Digits that nobody wrote, and a walk through the plane of a two-number code.

A variational autoencoder is a density that rows can be drawn from. Prints the
log-density of held-out digits, in nats, beside probabilistic PCA, factor analysis and a
mixture of normal distributions; writes generate_digits.png. Run it with

    pip install ".[plots]" && python examples/generate_digits.py
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split

from sklearn_ae import LatentDisplay, VariationalAutoencoder

N_DIGITS = 64


def mosaic(rows, n_columns=8):
    """Return images of digits beside and below each other."""
    images = np.pad(rows.reshape(-1, 8, 8), [(0, 0), (1, 1), (1, 1)])
    lines = images.reshape(-1, n_columns, 10, 10)
    return np.concatenate(np.concatenate(lines, axis=1), axis=1)


def main():
    X, y = load_digits(return_X_y=True)
    # Grey values are whole numbers: a density of them needs what was rounded off.
    X = X + np.random.RandomState(0).uniform(size=X.shape)
    train, test, _, y_test = train_test_split(X, y, random_state=0)

    params = {"hidden_layer_sizes": (128, 64), "random_state": 0}
    # Pixels at the border hardly vary: each has a variance of its own.
    vae = VariationalAutoencoder(16, n_draws=100, **params)
    vae.fit(train)
    factors = FactorAnalysis(16).fit(train)
    mixture = GaussianMixture(10, reg_covar=0.1, random_state=0).fit(train)
    print("log-density of held-out digits, in nats")
    print(f"probabilistic PCA, 16 directions {PCA(16).fit(train).score(test):9.1f}")
    print(f"factor analysis, 16 factors      {factors.score(test):9.1f}")
    print(f"mixture of 10 normal ones        {mixture.score(test):9.1f}")
    print(f"variational, at least            {vae.score(test):9.1f}")
    print(f"numbers of the code in use: {vae.active_units_.sum()} of 16")

    # For a picture, pixels that vary most count most.
    plane = VariationalAutoencoder(2, scaling="global", **params).fit(train)

    figure, axes = plt.subplots(2, 2, figsize=(10, 10), layout="constrained")
    _, codes = vae.sample(N_DIGITS, random_state=1)
    pictures = {
        "Digits that were written": test[:N_DIGITS],
        "What codes that were drawn are decoded to": vae.inverse_transform(codes),
    }
    for ax, (title, rows) in zip(axes[0], pictures.items(), strict=True):
        ax.imshow(mosaic(rows), cmap="gray", vmin=0, vmax=17)
        ax.set(title=title, xticks=[], yticks=[])
    LatentDisplay.from_estimator(
        plane, test, y_test, image_shape=(8, 8), n_points=13, ax=axes[1]
    )
    axes[1, 0].set_title("Held-out digits in the plane of two numbers")
    axes[1, 1].set_title("What the points of the plane are decoded to")
    figure.savefig("generate_digits.png", dpi=90)
    print("Wrote generate_digits.png")


if __name__ == "__main__":
    main()
