"""Three features, two numbers each: what the weights of an autoencoder are.

Points near a plane in space, seen by PCA, by a linear autoencoder trained by gradient
steps, and by one whose decoder is its encoder transposed. All three find the same
plane; the vectors that span it are not the same. Prints a table and writes
three_features.png. Run it with

    pip install ".[plots]" && python examples/three_features.py
"""

import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import subspace_angles

from sklearn_ae import AutoencoderTransformer

BLUE, ORANGE, GREY = "#2f6fb3", "#e07b39", "#9aa1a9"
MODELS = {
    # Without hidden layers, the exact solution: PCA.
    "PCA": {},
    "linear autoencoder, Adam": {"solver": "adam"},
    "the same, tied weights": {"solver": "adam", "tied_weights": True},
}


def make_points(n=200, seed=1):
    """Return points along a bow that lies in a plane, and some noise."""
    rng = np.random.RandomState(seed)
    angle = rng.uniform(0, 1.5 * np.pi, n) - 0.5
    flat = np.column_stack([np.cos(angle), 0.6 * np.sin(angle)])
    directions = np.array([[0.8, 0.4, 0.45], [-0.3, 0.85, 0.2]])
    flat += rng.normal(scale=0.12, size=flat.shape)
    return 0.8 * flat @ directions + rng.normal(scale=0.05, size=(n, 3))


def draw(axes, model, X):
    """Points, their reconstructions, and the weights as arrows from the mean."""
    reconstruction, mean = model.reconstruct(X), model.mean_
    axes.scatter(*X.T, s=7, color=GREY, label="data")
    axes.scatter(*reconstruction.T, s=7, color="black", label="reconstruction")
    for pair in zip(X, reconstruction, strict=True):
        axes.plot(*np.transpose(pair), color=GREY, lw=0.5)
    encoder, decoder = model.coefs_
    # The plane that the decoder's vectors span.
    across, along = np.meshgrid([-1.3, 1.3], [-1.3, 1.3])
    first, second = np.linalg.qr(decoder.T)[0].T[:, :, None, None]
    corners = mean[:, None, None] + across * first + along * second
    axes.plot_surface(*corners, color=GREY, alpha=0.15)
    for vectors, colour, label, width in (
        (encoder.T, BLUE, "encoder", 4),
        (decoder, ORANGE, "decoder", 1.8),
    ):
        for vector in vectors:
            axes.plot(*np.transpose([mean, mean + vector]), color=colour, lw=width)
            axes.scatter(*(mean + vector), s=25, color=colour, label=label)
            label = None
    ticks = {f"{axis}ticklabels": [] for axis in "xyz"}
    axes.set(xlabel="$x_1$", ylabel="$x_2$", zlabel="$x_3$", **ticks)
    axes.set_box_aspect((1, 1, 1), zoom=1)
    axes.view_init(elev=24, azim=-75)


def main():
    start = time.perf_counter()
    X = make_points()
    figure = plt.figure(figsize=(14, 5.4))
    figure.subplots_adjust(0, 0.06, 0.98, 0.95, wspace=0)
    print(f"{'':26}{'R2':>8}{'angle to the':>15}{'angle between':>16}{'lengths':>14}")
    print(f"{'':26}{'':8}{'plane of PCA':>15}{'vectors':>16}")
    limits = -1, 1
    for position, (name, params) in enumerate(MODELS.items(), start=1):
        model = AutoencoderTransformer(
            2, hidden_layer_sizes=(), random_state=0, early_stopping=False, **params
        ).fit(X)
        first, second = vectors = model.coefs_[1]
        if name == "PCA":
            plane = vectors.T
        off = np.rad2deg(subspace_angles(vectors.T, plane).max())
        lengths = np.linalg.norm(vectors, axis=1)
        between = np.rad2deg(np.arccos(first @ second / lengths.prod()))
        print(
            f"{name:26}{model.score(X):8.4f}{off:15.2f}{between:16.1f}"
            f"{lengths[0]:8.2f}{lengths[1]:6.2f}"
        )
        axes = figure.add_subplot(1, 3, position, projection="3d")
        draw(axes, model, X)
        axes.set(xlim=limits, ylim=limits, zlim=limits)
        title = f"{name}\nvectors at {between:.0f} degrees, R2 {model.score(X):.3f}"
        axes.set_title(title, size=12, weight="bold", y=0.98)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=4, frameon=False)
    figure.savefig("three_features.png", dpi=110)
    print(f"\nWrote three_features.png ({time.perf_counter() - start:.0f} s in all)")


if __name__ == "__main__":
    main()
