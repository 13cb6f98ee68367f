"""Four kinds of noise, each removed by an autoencoder that was trained to do so.

Prints a table and writes denoising.png. Run it with

    pip install ".[plots]" && python examples/denoising.py
"""

import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sklearn_ae import (
    AutoencoderTransformer,
    FunctionNoise,
    GaussianNoise,
    MaskingNoise,
    ReconstructionDisplay,
    SaltAndPepperNoise,
)

WHITE = 16


def punch_hole(X, random_state):
    """Turn a square of 3 x 3 pixels of each image black."""
    images = X.reshape(-1, 8, 8)
    corners = random_state.integers(6, size=(len(X), 2))
    for image, (row, column) in zip(images, corners, strict=True):
        image[row : row + 3, column : column + 3] = 0
    return X


def corrupt(name, X, train, rng):
    """Do to rows what the noise of this name does in training."""
    if name == "a hole":
        return punch_hole(X.copy(), rng)
    if name == "normal":
        return X + rng.normal(scale=4, size=X.shape)
    u = rng.uniform(size=X.shape)
    if name == "masked":
        return np.where(u < 0.3, train.mean(axis=0), X)
    ends = train.min(axis=0), train.max(axis=0)
    return np.where(u < 0.15, ends[0], np.where(u < 0.3, ends[1], X))


def decibels(X, clean):
    """Return the ratio of white, squared, to the mean squared error (PSNR)."""
    return 10 * np.log10(WHITE**2 / np.square(X - clean).mean())


def best_pca(train, noisy, clean):
    """Return the PCA that removes most noise: its size is chosen on the test rows."""
    fitted = [PCA(n).fit(train) for n in range(1, 64)]
    results = [
        decibels(pca.inverse_transform(pca.transform(noisy)), clean) for pca in fitted
    ]
    return fitted[np.argmax(results)], max(results)


def main():
    start = time.perf_counter()
    X, y = load_digits(return_X_y=True)
    train, test, _, labels = train_test_split(X, y, random_state=0)
    shown = [np.flatnonzero(labels == digit)[0] for digit in range(8)]
    rng = np.random.default_rng(0)
    # In units of `scale_`: pixels have a standard deviation of 4.3.
    deviation = 4 / np.sqrt(train.var(axis=0).mean())
    noises = {
        "normal": GaussianNoise(deviation),
        "masked": MaskingNoise(0.3),
        "salt and pepper": SaltAndPepperNoise(0.3),
        "a hole": FunctionNoise(punch_hole),
    }
    figure = plt.figure(figsize=(13, 7.4), layout="constrained")
    parts = figure.subfigures(2, 2, wspace=0.05, hspace=0.06).flat
    print(f"{'dB':>16}{'noisy':>9}{'PCA':>9}{'autoencoder':>13}")
    for (name, noise), part in zip(noises.items(), parts, strict=True):
        noisy = corrupt(name, test, train, rng)
        denoiser = AutoencoderTransformer(
            hidden_layer_sizes=(256,), noise=noise, random_state=0
        ).fit(train)
        pca, of_pca = best_pca(train, noisy, test)
        before, after = (
            decibels(noisy, test),
            decibels(denoiser.reconstruct(noisy), test),
        )
        print(f"{name:>16}{before:9.1f}{of_pca:9.1f}{after:13.1f}")
        ReconstructionDisplay.from_estimator(
            denoiser,
            test[shown],
            corrupted=noisy[shown],
            beside={f"PCA, {pca.n_components_}": pca},
            image_shape=(8, 8),
            ax=part.subplots(),
            image_kwargs={"cmap": "gray_r"},
        )
        title = f"{name}: from {before:.1f} to {after:.1f} dB, PCA {of_pca:.1f}"
        part.suptitle(title, x=0.02, ha="left", size=12, weight="bold")
    figure.savefig("denoising.png", dpi=110)
    print(f"\nWrote denoising.png ({time.perf_counter() - start:.0f} s in all)")


if __name__ == "__main__":
    main()
