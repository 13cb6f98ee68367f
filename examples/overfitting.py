"""Overfitting made visible, and mended; and three ways down one hill.

Too large a network on 200 digits: what it is trained on gets better and better, what
it is not trained on worse. Then with noise, with a penalty on the weights, and stopped
early. Below, plain gradient descent beside Adam and L-BFGS on all rows at once. Prints
a table and writes overfitting.png. Run it with

    pip install ".[plots]" && python examples/overfitting.py
"""

import time
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sklearn_ae import SGD, AutoencoderTransformer, LossCurveDisplay

N_TRAIN, EPOCHS = 200, 300
LARGE = {
    "n_components": 8,
    "hidden_layer_sizes": (256, 128),
    "activation": "tanh",
    "linear_path": False,
    "solver": "adam",
    "learning_rate": "constant",
    "learning_rate_init": 0.001,
    "max_iter": EPOCHS,
    "n_iter_no_change": EPOCHS,
    "random_state": 0,
}
REMEDIES = {
    "too large": {},
    "noise": {"noise": 0.5},
    "weight penalty": {"alpha": 1e-3},
    "early stopping": {"n_iter_no_change": 20},
}
FULL_BATCH = {
    "gradient descent": {
        "solver": SGD(momentum=0, nesterov=False, clip_norm=None),
        "learning_rate_init": 0.3,
    },
    "Adam": {"solver": "adam", "learning_rate_init": 0.003},
    "L-BFGS": {"solver": "lbfgs"},
}


def fit(X, X_val=None, **params):
    """Return a fitted estimator, and how many seconds that took."""
    autoencoder, since = AutoencoderTransformer(**LARGE | params), time.perf_counter()
    with warnings.catch_warnings():
        # That training goes on too long, or not long enough, is the point.
        warnings.simplefilter("ignore", ConvergenceWarning)
        autoencoder.fit(X, X_val=X_val)
    return autoencoder, time.perf_counter() - since


def show_remedies(figure, train, validation):
    print(f"{'':18}{'epochs':>8}{'training':>10}{'validation: last':>18}{'kept':>8}")
    all_axes = figure.subplots(1, len(REMEDIES), sharey=True)
    for axes, (name, params) in zip(all_axes, REMEDIES.items(), strict=True):
        autoencoder, _ = fit(train, validation, **params)
        curve = autoencoder.validation_loss_curve_
        last = autoencoder.loss_curve_[-1]
        # The best epoch is kept. (In training noise is in the curves, here it is not.)
        kept = -autoencoder.score_samples(validation).mean()
        print(f"{name:18}{len(curve):8}{last:10.2f}{curve[-1]:18.2f}{kept:8.2f}")
        LossCurveDisplay.from_estimator(autoencoder, ax=axes)
        axes.axhline(kept, color="black", lw=0.8, ls=":")
        axes.set_title(f"{name}: {kept:.2f}", loc="left", size=12, weight="bold")
        axes.set(yscale="log", xlim=(-5, EPOCHS + 5), xlabel="epoch")
        axes.label_outer()
        axes.spines[["top", "right"]].set_visible(False)


def show_descents(axes, X):
    print(f"\n{'all rows at once':18}{'steps':>8}{'loss':>10}{'seconds':>18}")
    for name, params in FULL_BATCH.items():
        autoencoder, seconds = fit(
            X, batch_size=len(X), early_stopping=False, tol=0, **params
        )
        n_iter, loss = autoencoder.n_iter_, autoencoder.loss_curve_[-1]
        print(f"{name:18}{n_iter:8}{loss:10.3f}{seconds:18.2f}")
        display = LossCurveDisplay.from_estimator(
            autoencoder, ax=axes, seconds=seconds, line_kwargs={"label": name, "lw": 2}
        )
        end = display.line_.get_xydata()[-1]
        axes.plot(*end, "o", color=display.line_.get_color())
    axes.set(xscale="log", yscale="log")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    title = f"Loss against time: {EPOCHS} steps over all rows"
    axes.set_title(title, loc="left", size=12, weight="bold")


def main():
    start = time.perf_counter()
    X = load_digits().data
    train, validation = train_test_split(X, train_size=N_TRAIN, random_state=0)
    figure = plt.figure(figsize=(13, 7.2), layout="constrained")
    above, below = figure.subfigures(2, 1, hspace=0.05)
    show_remedies(above, train, validation)
    show_descents(below.subplots(), train)
    figure.savefig("overfitting.png", dpi=110)
    print(f"\nWrote overfitting.png ({time.perf_counter() - start:.0f} s in all)")


if __name__ == "__main__":
    main()
