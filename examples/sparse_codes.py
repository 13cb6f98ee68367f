"""Sparse codes of photographs: units that are rarely active become edge detectors.

The classical exercise (Ng 2011, "Sparse autoencoder", CS294A lecture notes): patches of
8 x 8 pixels, 25 units, each active in a hundredth of the patches. Prints a table and
writes sparse_codes.png. Run it with

    pip install ".[plots]" && python examples/sparse_codes.py
"""

import time
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import least_squares
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.image import extract_patches_2d

from sklearn_ae import LBFGS, AutoencoderTransformer, KLSparsity, WeightsDisplay

N_PATCHES, N_PIXELS, N_UNITS = 10_000, 64, 25
# The exercise adds up half the squared errors of the pixels; here they have a mean.
RHO, LAMBDA, BETA = 0.01, 1e-4, 3
PENALTY = KLSparsity(target=RHO, strength=2 * BETA / N_PIXELS)
ALPHA = 2 * LAMBDA / N_PIXELS
SEEDS = 3


def load_patches(seed):
    """Return grey patches without their means, cut off at 3 deviations, in [.1, .9]."""
    rng = np.random.RandomState(seed)
    images = [image.mean(axis=2) for image in load_sample_images().images]
    n = N_PATCHES // len(images)
    few = [
        extract_patches_2d(i, (8, 8), max_patches=n, random_state=rng) for i in images
    ]
    patches = np.vstack(few).reshape(-1, N_PIXELS)
    patches -= patches.mean(axis=1, keepdims=True)
    limit = 3 * patches.std()
    return 0.5 + 0.4 * np.clip(patches / limit, -1, 1)


def fit_sparse(patches, seed):
    autoencoder = AutoencoderTransformer(
        N_UNITS,
        hidden_layer_sizes=(),
        code_activation="logistic",
        output_activation="logistic",
        code_penalty=PENALTY,
        alpha=ALPHA,
        scaling=None,
        solver=LBFGS(maxcor=50),
        max_iter=400,
        tol=0,
        early_stopping=False,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # The exercise is over after 400 iterations, converged or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return autoencoder.fit(patches)


def gabor(parameters, x, y):
    """Return a wave under a bell, which simple cells in the brain answer to."""
    x0, y0, angle, frequency, phase, length, width, height, level = parameters
    u = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
    v = (y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)
    bell = np.exp(-(u**2) / (2 * width**2) - v**2 / (2 * length**2))
    return height * bell * np.cos(2 * np.pi * frequency * u + phase) + level


def gabor_r2(filter):
    """Return how much of a filter the best Gabor function explains, from 12 starts."""
    y, x = np.mgrid[:8, :8] - 3.5
    filter = filter.reshape(8, 8) / np.abs(filter).max()
    energy = np.square(filter - filter.mean())
    center = np.average(x, weights=energy), np.average(y, weights=energy)
    # The frequency that is strongest, and others near it.
    spectrum = np.abs(np.fft.fft2(filter - filter.mean(), (32, 32)))[:, :16]
    across, along = np.divide(np.unravel_index(spectrum.argmax(), spectrum.shape), 32)
    across -= across > 0.5
    angle, frequency = np.arctan2(across, along), np.hypot(across, along)
    limits = [-4, -4, -10, 0, -10, 0.5, 0.5, -5, -1], [4, 4, 10, 0.5, 10, 8, 8, 5, 1]
    fits = [
        least_squares(
            lambda p: (gabor(p, x, y) - filter).ravel(),
            [*center, angle + turn, slower * min(frequency, 0.49), phase, 2, 1.5, 1, 0],
            bounds=limits,
            max_nfev=60,
        )
        for turn in (-0.3, 0, 0.3)
        for slower in (0.6, 1)
        for phase in (0, np.pi / 2)
    ]
    return 1 - 2 * min(fit.cost for fit in fits) / energy.sum()


def describe(name, filters, activity):
    """Print how many filters are Gabor functions; return how much of each is."""
    r2 = np.array([gabor_r2(filter) for filter in filters])
    contrast = np.ptp(filters, axis=1)
    print(
        f"{name:>16}{np.sum(r2 > 0.8):>10} of {len(r2)}{np.median(r2):12.2f}"
        f"{contrast.min() / np.median(contrast):17.2f}   {activity}"
    )
    return r2


def main():
    start = time.perf_counter()
    print(f"{'':16}{'Gabor (R2 > .8)':>16}{'median R2':>12}", end="")
    print(f"{'least contrast':>17}   mean activation")
    for seed in range(SEEDS):
        patches = load_patches(seed)
        sparse = fit_sparse(patches, seed)
        means = sparse.transform(patches).mean(axis=0)
        activity = f"{means.min():.4f} to {means.max():.4f}"
        r2 = describe(f"sparse, seed {seed}", sparse.coefs_[0].T, activity)
        if seed == 0:
            # The filters with the best fit come first.
            shown = sparse.coefs_[0].T[np.argsort(-r2)]
            codes = sparse.transform(patches)
    pca = PCA(N_UNITS).fit(load_patches(0))
    describe("PCA", pca.components_, "")

    figure = plt.figure(figsize=(13, 4.6), layout="constrained")
    left, middle, right = figure.subfigures(1, 3, wspace=0.05)
    strips = {left: ("Sparse: each unit looks for an edge", shown)}
    strips[middle] = ("PCA: waves over the whole patch", pca.components_)
    for part, (title, filters) in strips.items():
        axes = part.subplots(5, 5)
        WeightsDisplay(weights=filters, image_shape=(8, 8)).plot(axes)
        part.suptitle(title, size=12, weight="bold")
    right.suptitle("A hundredth of the codes is active", size=12, weight="bold")
    axes = right.subplots()
    axes.hist(codes.ravel(), np.linspace(0, 1, 41), color="#2f6fb3", log=True)
    axes.set(xlabel="number of the code", ylabel="patches times units")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig("sparse_codes.png", dpi=110)
    print(f"\nWrote sparse_codes.png ({time.perf_counter() - start:.0f} s in all)")


if __name__ == "__main__":
    main()
