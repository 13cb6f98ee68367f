"""What is known beforehand: which columns count, what values can be, what adds up.

Prints three tables and writes prior_knowledge.png. Run it with

    pip install ".[plots]" && python examples/prior_knowledge.py
"""

import time
from dataclasses import dataclass

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

from sklearn_ae import AutoencoderTransformer, Loss

BLUE, ORANGE, GREY = "#2f6fb3", "#e07b39", "#b4b9c0"
IMPORTANT = ["mean texture", "texture error", "worst texture"]
WHITE = 16


def what_counts():
    """Three numbers for a row, of which three columns are wanted back above all."""
    data = load_breast_cancer()
    important = np.isin(data.feature_names, IMPORTANT)
    train, test = train_test_split(data.data, random_state=0)
    errors = {}
    for name, times in {
        "all alike": 1,
        "texture 3 times": 3,
        "texture 10 times": 10,
    }.items():
        # Of a data frame, {"mean texture": 3, ...} does the same.
        weight = np.where(important, times, 1)
        autoencoder = AutoencoderTransformer(
            3, scaling="per_feature", feature_weight=weight, random_state=0
        ).fit(train)
        residual = (autoencoder.reconstruct(test) - test) / autoencoder.scale_
        squares = np.square(residual).mean(axis=0)
        errors[name] = squares[important].mean(), squares[~important].mean()
    print("Breast cancer, 3 numbers a row: held-out error, in variances")
    print(f"{'':20}{'texture':>10}{'the others':>12}")
    for name, (texture, others) in errors.items():
        print(f"{name:20}{texture:10.3f}{others:12.3f}")
    return errors


def what_can_be():
    """Pixels are not negative, nor beyond white."""
    X = load_digits().data
    train, test = train_test_split(X, random_state=0)
    fits = {
        "unbounded": (1, {}),
        "softplus": (1, {"output_activation": "softplus"}),
        "logistic": (WHITE, {"output_activation": "logistic"}),
    }
    results = {}
    print("\nDigits, 16 numbers an image: held-out error, and pixels that cannot be")
    for name, (unit, params) in fits.items():
        # The logistic function ends at 1, so white has to be 1.
        autoencoder = AutoencoderTransformer(16, random_state=0, **params)
        result = unit * autoencoder.fit(train / unit).reconstruct(test / unit)
        error = np.square(result - test).mean()
        impossible = np.mean((result < 0) | (result > WHITE))
        print(f"{name:20}{error:10.3f}{impossible:12.1%}")
        results[name] = result
    return results


@dataclass(repr=False, eq=False)
class Additive(Loss):
    """The squared error, and what a + b - c is of the last three columns, squared.

    A sum stays one when columns are centred and all divided by one number, as they are
    with scaling="global".
    """

    strength: float = 10.0
    shift_invariant, degree = True, 2

    def gap(self, raw):
        return raw[:, [-3]] + raw[:, [-2]] - raw[:, [-1]]

    def cells(self, target, raw):
        cells = (raw - target) ** 2
        cells[:, -3:] += self.strength * self.gap(raw) ** 2 / 3
        return cells

    def gradient(self, target, raw):
        gradient = 2 * (raw - target)
        gradient[:, -3:] += 2 * self.strength * self.gap(raw) * [1, 1, -1]
        return gradient


def what_adds_up():
    """Ink in the rows and columns of digits, in both halves, and in all: misread."""
    images = load_digits().images
    halves = [images[:, half].sum(axis=(1, 2)) for half in (np.s_[:4], np.s_[4:])]
    ink = np.column_stack(
        [images.sum(axis=2), images.sum(axis=1), *halves, sum(halves)]
    )
    read = ink + np.random.RandomState(0).normal(scale=15, size=ink.shape)
    train, test, _, truth = train_test_split(read, ink, random_state=0)
    gaps = {"as read": test[:, -3] + test[:, -2] - test[:, -1]}
    print("\nInk of digits, read with an error: error of the halves and the whole")
    print(f"{'':20}{'mean square':>12}{'gap':>8}")
    for name, loss in {
        "squared error": "squared_error",
        "with the rule": Additive(),
    }.items():
        denoiser = AutoencoderTransformer(16, loss=loss, noise=0.3, random_state=0)
        result = denoiser.fit(train).reconstruct(test)
        gaps[name] = result[:, -3] + result[:, -2] - result[:, -1]
        error = np.square(result - truth)[:, -3:].mean()
        print(f"{name:20}{error:12.1f}{np.abs(gaps[name]).mean():8.1f}")
    return gaps


def draw_errors(axes, errors):
    for offset, (label, colour, which) in enumerate(
        [("texture, three columns", BLUE, 0), ("the other 27", GREY, 1)]
    ):
        heights = [pair[which] for pair in errors.values()]
        places = np.arange(len(errors)) + 0.36 * offset
        axes.bar(places, heights, 0.34, color=colour, label=label)
    axes.set_xticks(np.arange(len(errors)) + 0.18, errors)
    axes.set_ylabel("held-out error, in variances")


def draw_values(axes, results):
    bins = np.linspace(-3, 20, 70)
    for (name, values), colour in zip(
        results.items(), (GREY, BLUE, ORANGE), strict=True
    ):
        style = {"color": colour, "histtype": "step", "lw": 2}
        axes.hist(values.ravel(), bins, label=name, log=True, **style)
    for end in (0, WHITE):
        axes.axvline(end, color="black", lw=0.8, ls=":")
    axes.set(xlabel="reconstructed pixel", ylabel="pixels")


def draw_gaps(axes, gaps):
    bins = np.linspace(-60, 60, 61)
    for (name, gap), colour in zip(gaps.items(), (GREY, ORANGE, BLUE), strict=True):
        axes.hist(gap, bins, color=colour, histtype="step", lw=2, label=name)
    axes.set(xlabel="upper half + lower half - whole", ylabel="images")


def main():
    start = time.perf_counter()
    parts = [
        ("What counts: feature_weight", draw_errors, what_counts()),
        ("What can be: output_activation", draw_values, what_can_be()),
        ("What adds up: a loss of one's own", draw_gaps, what_adds_up()),
    ]
    figure, all_axes = plt.subplots(1, 3, figsize=(14, 4.4), layout="constrained")
    for axes, (title, draw, results) in zip(all_axes, parts, strict=True):
        draw(axes, results)
        axes.set_title(title, loc="left", size=12, weight="bold")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig("prior_knowledge.png", dpi=110)
    print(f"\nWrote prior_knowledge.png ({time.perf_counter() - start:.0f} s in all)")


if __name__ == "__main__":
    main()
