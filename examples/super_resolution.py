"""Twice the resolution: photographs blurred and halved, and made sharp again.

An autoencoder whose noise is the camera: it sees what is left of a patch of 8 x 8
pixels after a blur and after each 2 x 2 of them have become one, made 8 x 8 again by
bicubic interpolation, and learns to return the patch. Trained on one photograph and
tried on another. Prints a table and writes super_resolution.png. Run it with

    pip install ".[plots]" && python examples/super_resolution.py
"""

import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.linear_model import Ridge

from sklearn_ae import AutoencoderTransformer, FunctionNoise

SIZE, WHITE = 8, 255


def blur(n, deviation=0.6):
    """Return the matrix of a Gaussian blur along n pixels."""
    i = np.arange(n)
    bell = np.exp(-((i[:, None] - i) ** 2) / (2 * deviation**2))
    return bell / bell.sum(axis=1, keepdims=True)


def bicubic(n):
    """Return the matrix that doubles n pixels (Keys 1981, eq. 15, at a = -1/2)."""
    matrix = np.zeros((2 * n, n))
    for i in range(2 * n):
        place = (i + 0.5) / 2 - 0.5
        for j in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            x = abs(place - j)
            near, far = (
                1.5 * x**3 - 2.5 * x**2 + 1,
                -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2,
            )
            # Beyond the edge is what is at the edge.
            matrix[i, np.clip(j, 0, n - 1)] += near if x <= 1 else far if x < 2 else 0
    return matrix


HALVE = np.kron(np.eye(SIZE // 2), [[0.5, 0.5]]) @ blur(SIZE)
DOUBLE = bicubic(SIZE // 2)


def halved(X):
    """Return patches, as rows, in half the resolution."""
    return X @ np.kron(HALVE, HALVE).T


def photographed(X, random_state=None):
    """Return patches as they are after having been halved and doubled."""
    return halved(X) @ np.kron(DOUBLE, DOUBLE).T


def patches(image, stride):
    windows = np.lib.stride_tricks.sliding_window_view(image, (SIZE, SIZE))
    return windows[::stride, ::stride].reshape(-1, SIZE**2)


def put_together(rows, image):
    """Return the image that its patches, side by side, make."""
    height, width = (n // SIZE for n in image.shape)
    blocks = rows.reshape(height, width, SIZE, SIZE).swapaxes(1, 2)
    return blocks.reshape(height * SIZE, width * SIZE)


def decibels(X, truth):
    return 10 * np.log10(WHITE**2 / np.square(X - truth).mean())


def enlarge(train_image, test_image):
    """Return the patches of an image as they were, and three ways to enlarge them."""
    train, test = patches(train_image, 3), patches(test_image, SIZE)
    network = AutoencoderTransformer(
        # As wide as the data: PCA then loses nothing, and the start is bicubic.
        SIZE**2,
        hidden_layer_sizes=(128,),
        noise=FunctionNoise(photographed),
        alpha=1e-4,
        batch_size=1000,
        max_iter=30,
        random_state=0,
    )
    network.fit(train.astype(np.float32))
    linear = Ridge().fit(halved(train), train)
    seen = photographed(test)
    return {
        "original": test,
        "bicubic": seen,
        "linear regression": linear.predict(halved(test)),
        "autoencoder": network.reconstruct(seen.astype(np.float32)),
    }


def main():
    start = time.perf_counter()
    china, flower = (image.mean(axis=2) for image in load_sample_images().images)
    middle = len(china) // 2
    cases = {
        "china to flower": (china, flower),
        "flower to china": (flower, china),
        "upper to lower half of china": (china[:middle], china[middle:]),
    }
    results = {name: enlarge(*images) for name, images in cases.items()}
    methods = [*results["china to flower"]][1:]
    print(f"{'dB':30}" + "".join(f"{name:>19}" for name in methods))
    for name, result in results.items():
        numbers = [decibels(result[method], result["original"]) for method in methods]
        print(f"{name:30}" + "".join(f"{number:19.2f}" for number in numbers))

    figure, grid = plt.subplots(2, 4, figsize=(14, 6), layout="constrained")
    shown = {
        "china to flower": (flower, np.s_[136:232, 248:376]),
        "flower to china": (china, np.s_[96:192, 184:312]),
    }
    for row, (case, (image, window)) in zip(grid, shown.items(), strict=True):
        for axes, (name, rows) in zip(row, results[case].items(), strict=True):
            whole = put_together(rows, image)
            axes.imshow(whole[window], cmap="gray", vmin=0, vmax=WHITE)
            axes.set(xticks=[], yticks=[])
            if name != "original":
                name += f", {decibels(rows, results[case]['original']):.1f} dB"
            axes.set_title(name, size=12, weight="bold")
    figure.savefig("super_resolution.png", dpi=110)
    print(f"\nWrote super_resolution.png ({time.perf_counter() - start:.0f} s in all)")


if __name__ == "__main__":
    main()
